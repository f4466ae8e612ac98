#include "proxy/config/proto_loader.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"

#include <google/protobuf/struct.pb.h>
#include <gtest/gtest.h>

namespace weft::config {
namespace {

using Bootstrap = envoy::config::bootstrap::v3::Bootstrap;

struct Loaded {
  Bootstrap message;
  Diagnostics problems;
  bool good = false;
};

Loaded from_text(std::string_view text, const LoadOptions& options = {}) {
  Loaded out;
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  EXPECT_TRUE(yaml::parse(text, "test.yaml", documents, problem)) << problem.message;
  if (!documents.empty()) out.good = load(documents[0], out.message, out.problems, options);
  return out;
}

std::string only_problem(const Loaded& loaded) {
  EXPECT_EQ(loaded.problems.size(), 1u) << render(loaded.problems);
  return loaded.problems.empty() ? "" : render_short(loaded.problems[0]);
}

TEST(ProtoLoader, ReadsEveryKindOfValue) {
  const Loaded loaded = from_text(R"(
node:
  id: 12                      # text, though it looks like a number
  metadata: {a: 1, b: [true, "x", null], c: {d: no}}
  locality: {subZone: s}
statsFlushInterval: 0.25s     # camelCase
stats_server_version_override: 7
static_resources:
  clusters:
  - name: c
    type: 3                   # an enum by number
    connect_timeout: 1.5s
    per_connection_buffer_limit_bytes: 1e3
    lb_policy: LEAST_REQUEST
    alt_stat_name: null
    typed_extension_protocol_options:
      key: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true}
)");
  ASSERT_TRUE(loaded.good) << render(loaded.problems);
  const Bootstrap& b = loaded.message;
  EXPECT_EQ(b.node().id(), "12");
  EXPECT_EQ(b.node().metadata().fields().at("a").number_value(), 1);
  EXPECT_TRUE(b.node().metadata().fields().at("b").list_value().values(0).bool_value());
  EXPECT_EQ(b.node().metadata().fields().at("b").list_value().values(2).kind_case(), google::protobuf::Value::kNullValue);
  EXPECT_EQ(b.node().metadata().fields().at("c").struct_value().fields().at("d").string_value(), "no");
  EXPECT_EQ(b.node().locality().sub_zone(), "s");
  EXPECT_EQ(b.stats_flush_interval().nanos(), 250'000'000);
  EXPECT_EQ(b.stats_server_version_override().value(), 7u);
  const auto& cluster = b.static_resources().clusters(0);
  EXPECT_EQ(cluster.type(), envoy::config::cluster::v3::Cluster::EDS);
  EXPECT_EQ(cluster.connect_timeout().seconds(), 1);
  EXPECT_EQ(cluster.per_connection_buffer_limit_bytes().value(), 1000u);
  EXPECT_EQ(cluster.lb_policy(), envoy::config::cluster::v3::Cluster::LEAST_REQUEST);
  envoy::extensions::filters::http::router::v3::Router router;
  ASSERT_TRUE(cluster.typed_extension_protocol_options().at("key").UnpackTo(&router));
  EXPECT_TRUE(router.suppress_envoy_headers());
}

TEST(ProtoLoader, ListsEveryProblemWithItsPlace) {
  const Loaded loaded = from_text(
      "node: {idd: x}\n"
      "static_resources:\n"
      "  clusters:\n"
      "  - name: [a]\n"
      "    lb_policy: LEAST_REQUESTS\n"
      "    connect_timeout: 5\n"
      "  listeners: {name: one}\n");
  EXPECT_FALSE(loaded.good);
  ASSERT_EQ(loaded.problems.size(), 5u) << render(loaded.problems);
  EXPECT_EQ(loaded.problems[0].message, "unknown field \"idd\" of envoy.config.core.v3.Node");
  EXPECT_EQ(loaded.problems[0].field, "node.idd");
  EXPECT_EQ(loaded.problems[0].mark.line, 1);
  EXPECT_EQ(loaded.problems[0].fix, "did you mean \"id\"?");
  EXPECT_EQ(loaded.problems[1].field, "static_resources.clusters[0].name");
  EXPECT_EQ(loaded.problems[1].message, "expected text, found a list");
  EXPECT_EQ(loaded.problems[1].mark.line, 4);
  EXPECT_EQ(loaded.problems[1].source_line, "  - name: [a]");
  EXPECT_EQ(loaded.problems[2].fix, "did you mean \"LEAST_REQUEST\"?");
  EXPECT_NE(loaded.problems[2].message.find("ROUND_ROBIN"), std::string::npos);
  EXPECT_EQ(loaded.problems[3].message, "expected a duration such as \"0.25s\", found \"5\"");
  EXPECT_EQ(loaded.problems[4].message, "expected a list, found a map");
}

TEST(ProtoLoader, RefusesWhatTwoReadersCouldReadDifferently) {
  EXPECT_NE(only_problem(from_text("stats_flush_interval: 1s\nstatsFlushInterval: 2s\n")).find("set twice"), std::string::npos);
  EXPECT_NE(only_problem(from_text("static_resources: {clusters: [{type: EDS, cluster_type: {name: x}}]}"))
                .find("only one of cluster_discovery_type"),
            std::string::npos);
  EXPECT_NE(only_problem(from_text("enable_dispatcher_stats: \"true\"")).find("expected true or false"), std::string::npos);
  EXPECT_NE(only_problem(from_text("static_resources: {clusters: [{per_connection_buffer_limit_bytes: 4294967296}]}"))
                .find("from 0 to 4294967295"),
            std::string::npos);
  EXPECT_NE(only_problem(from_text("static_resources: {clusters: [{per_connection_buffer_limit_bytes: -1}]}")).find("from 0 to 4294967295"),
            std::string::npos);
  EXPECT_NE(only_problem(from_text("static_resources: {clusters: [{type: 99}]}")).find("99 is no value"), std::string::npos);
}

TEST(ProtoLoader, AnyNeedsAKnownType) {
  const std::string before = "static_resources: {clusters: [{typed_extension_protocol_options: {k: ";
  EXPECT_NE(only_problem(from_text(before + "{a: 1}}}]}")).find("\"@type\" is missing"), std::string::npos);
  EXPECT_NE(only_problem(from_text(before + "{\"@type\": type.googleapis.com/envoy.no.Such}}}]}")).find("envoy.no.Such\" is not supported"),
            std::string::npos);
  const Loaded nested = from_text(
      before + "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, supress_envoy_headers: true}}}]}");
  EXPECT_EQ(only_problem(nested),
            "test.yaml:1:148: error[WEFT0501]: "
            "static_resources.clusters[0].typed_extension_protocol_options[\"k\"].(Router).supress_envoy_headers: "
            "unknown field \"supress_envoy_headers\" of envoy.extensions.filters.http.router.v3.Router");
}

TEST(ProtoLoader, UnknownFieldsMayBeAllowed) {
  LoadOptions options;
  options.allow_unknown_fields = true;
  const Loaded loaded = from_text("nodee: {}", options);
  EXPECT_TRUE(loaded.good);
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_EQ(loaded.problems[0].severity, Severity::kWarning);
}

TEST(ProtoLoader, LocatesFieldsInTheText) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(yaml::parse("a:\n- bC: 1\n- key:\n    \"x.y\": {z: 2}\n", "t", documents, problem));
  size_t depth = 0;
  EXPECT_EQ(locate(documents[0].root, "a[0].b_c", &depth).line, 2);
  EXPECT_EQ(depth, 3u);
  const Mark inner = locate(documents[0].root, "a[1].key[\"x.y\"].(Type).z", &depth);
  EXPECT_EQ(inner.line, 4);
  EXPECT_EQ(inner.column, 13);
  EXPECT_EQ(locate(documents[0].root, "a[1].missing.more", &depth).line, 3);
  EXPECT_EQ(depth, 2u);
}

TEST(ProtoLoader, Durations) {
  int64_t s;
  int32_t n;
  EXPECT_TRUE(parse_duration("0.000001s", s, n));
  EXPECT_EQ(n, 1000);
  EXPECT_TRUE(parse_duration("-1.5s", s, n));
  EXPECT_EQ(s, -1);
  EXPECT_EQ(n, -500'000'000);
  for (const char* wrong : {"1", "s", "1.s", ".5s", "1.0000000001s", "1ms", "1e3s", "400000000000s", "1s "})
    EXPECT_FALSE(parse_duration(wrong, s, n)) << wrong;
}

TEST(ProtoLoader, ReadsAStruct) {
  google::protobuf::Struct value;
  (*value.mutable_fields())["suppress_envoy_headers"].set_bool_value(true);
  envoy::extensions::filters::http::router::v3::Router router;
  Diagnostics problems;
  ASSERT_TRUE(load_struct(value, router, "x", problems));
  EXPECT_TRUE(router.suppress_envoy_headers());
  (*value.mutable_fields())["bad"].set_number_value(1);
  EXPECT_FALSE(load_struct(value, router, "x", problems));
  EXPECT_EQ(problems[0].field, "x.bad");
}

}  // namespace
}  // namespace weft::config
