#include "proxy/config/bootstrap.h"

#include "common/base/yaml.h"
#include "envoy/config/core/v3/base.pb.h"
#include "proxy/config/values.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::config {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Result {
  std::unique_ptr<const Bootstrap> bootstrap;
  Diagnostics problems;
};

Result load_text(const std::string& text) {
  BootstrapSources sources;
  sources.inline_yaml = text;
  Result out;
  out.bootstrap = load_bootstrap(sources, out.problems);
  return out;
}

// All complaints of a text that must not load, one per line.
std::string refusal(const std::string& text) {
  const Result result = load_text(text);
  EXPECT_EQ(result.bootstrap, nullptr);
  std::string out;
  for (const Diagnostic& problem : result.problems) out += render_short(problem) + "\n";
  return out;
}

const HttpConnectionManager& manager_of(const Bootstrap& bootstrap, size_t listener = 0) {
  return *std::get<std::shared_ptr<const HttpConnectionManager>>(bootstrap.statics.listeners.at(listener)->chains.front().terminal);
}

TEST(BootstrapExamples, EveryFileLoads) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(WEFT_SOURCE_DIR) + "/config/proxy")) {
    if (entry.path().extension() != ".yaml" && entry.path().extension() != ".json") continue;
    BootstrapSources sources;
    sources.path = entry.path();
    Diagnostics problems;
    EXPECT_NE(load_bootstrap(sources, problems), nullptr) << render(problems);
    ++files;
  }
  EXPECT_GE(files, 5);
}

// The JSON inside the customer's ConfigMap, as it stands.
TEST(BootstrapExamples, TheCustomersCustomBootstrap) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(yaml::parse_file(std::string(WEFT_SOURCE_DIR) + "/config/customer/envoy-bootstrap-configmap.yaml", documents, problem))
      << problem.message;
  const yaml::Node* data = documents.at(0).root.find("data");
  ASSERT_NE(data, nullptr);
  const std::string path = testing::TempDir() + "custom_bootstrap.json";
  std::ofstream(path) << data->find("custom_bootstrap.json")->text;
  BootstrapSources sources;
  sources.path = path;
  Diagnostics problems;
  const auto bootstrap = load_bootstrap(sources, problems);
  std::remove(path.c_str());
  ASSERT_NE(bootstrap, nullptr) << render(problems);
  ASSERT_EQ(bootstrap->statics.clusters.size(), 1u);
  const upstream::ClusterConfig& cluster = *bootstrap->statics.clusters[0];
  EXPECT_EQ(cluster.name, "local_service");
  EXPECT_EQ(cluster.connect_timeout.count(), 250);
  EXPECT_EQ(cluster.thresholds[0].max_connections, 1000u);
  EXPECT_EQ(cluster.thresholds[0].max_pending_requests, 100u);
  EXPECT_EQ(cluster.thresholds[0].max_retries, 3u);
  ASSERT_NE(cluster.endpoints, nullptr);
  EXPECT_EQ(cluster.endpoints->size, 0u);
  ASSERT_TRUE(bootstrap->admin.has_value());
  EXPECT_EQ(net::to_string(bootstrap->admin->address), "127.0.0.1:15000");
}

// The file that both proxies run in the side by side cases; its ports are filled in by that test.
TEST(BootstrapExamples, TheSideBySideFile) {
  std::string text = read(std::string(WEFT_SOURCE_DIR) + "/tests/interop/side_by_side/bootstrap.yaml");
  ASSERT_FALSE(text.empty());
  for (size_t at; (at = text.find("${")) != std::string::npos;) text.replace(at, text.find('}', at) - at + 1, "18080");
  const Result result = load_text(text);
  ASSERT_NE(result.bootstrap, nullptr) << render(result.problems);
  EXPECT_GT(result.bootstrap->statics.listeners.size(), 4u);
}

TEST(Bootstrap, ReadsStaticResources) {
  const Result result = load_text(read(std::string(WEFT_SOURCE_DIR) + "/config/proxy/fault.yaml"));
  ASSERT_NE(result.bootstrap, nullptr) << render(result.problems);
  const Bootstrap& b = *result.bootstrap;
  EXPECT_EQ(b.node->id(), "fault-example");
  EXPECT_EQ(b.statics.clusters.at(0)->endpoints->size, 1u);
  EXPECT_EQ(b.runtime->value("fault.http.delay.fixed_delay_percent")->number(), 10u);
  const HttpConnectionManager& manager = manager_of(b);
  EXPECT_EQ(manager.stat_prefix, "main");
  EXPECT_EQ(manager.chain.entries().size(), 1u);
  ASSERT_NE(manager.routes, nullptr);
  EXPECT_EQ(manager.routes->options().virtual_hosts.at(0).routes.size(), 5u);
  EXPECT_EQ(manager.stream_idle_timeout.count(), 300'000);
  EXPECT_FALSE(b.bytes.empty());
}

TEST(Bootstrap, ReadsAds) {
  const Result result = load_text(read(std::string(WEFT_SOURCE_DIR) + "/config/proxy/ads.yaml"));
  ASSERT_NE(result.bootstrap, nullptr) << render(result.problems);
  ASSERT_TRUE(result.bootstrap->ads.has_value());
  EXPECT_TRUE(result.bootstrap->ads->delta);
  EXPECT_EQ(result.bootstrap->ads->cluster, "xds");
  EXPECT_TRUE(result.bootstrap->ads->node_on_first_message_only);
  EXPECT_EQ(result.bootstrap->lds.kind, ConfigSource::Kind::kAds);
  EXPECT_EQ(result.bootstrap->lds.initial_fetch_timeout.count(), 15'000);
}

TEST(Bootstrap, InlineTextIsMergedOverTheFile) {
  BootstrapSources sources;
  sources.path = std::string(WEFT_SOURCE_DIR) + "/config/proxy/fault.yaml";
  sources.inline_yaml =
      "node: {id: other}\nadmin: {address: {socket_address: {port_value: 7}}}\nstatic_resources: {clusters: [{name: more}]}";
  sources.service_cluster = "from-flag";
  sources.service_zone = "z1";
  Diagnostics problems;
  const auto bootstrap = load_bootstrap(sources, problems);
  ASSERT_NE(bootstrap, nullptr) << render(problems);
  EXPECT_EQ(bootstrap->node->id(), "other");
  EXPECT_EQ(bootstrap->node->cluster(), "from-flag");
  EXPECT_EQ(bootstrap->node->locality().zone(), "z1");
  EXPECT_EQ(bootstrap->statics.clusters.size(), 2u);
  EXPECT_EQ(net::to_string(bootstrap->admin->address), "127.0.0.1:7");
}

TEST(Bootstrap, ListsEveryProblemWithLineAndCaret) {
  const Result result = load_text(
      "static_resources:\n"
      "  clusters:\n"
      "  - name: a\n"
      "    track_timeout_budgets: true\n"
      "  - name: b\n"
      "    health_checks: [{timeout: 1s}]\n"
      "overload_manager: {}\n");
  EXPECT_EQ(result.bootstrap, nullptr);
  ASSERT_EQ(result.problems.size(), 3u) << render(result.problems);
  EXPECT_EQ(render(result.problems[0]),
            "error[WEFT0502]: envoy.config.cluster.v3.Cluster.track_timeout_budgets is not supported by this version\n"
            "  --> --config-yaml:4:5\n"
            "   |\n"
            " 4 |     track_timeout_budgets: true\n"
            "   |     ^\n"
            "  at:  static_resources.clusters[0].track_timeout_budgets\n");
  EXPECT_EQ(result.problems[1].mark.line, 6);
  EXPECT_EQ(result.problems[2].field, "overload_manager");
}

TEST(Bootstrap, AFolderIsNoFile) {
  BootstrapSources sources;
  sources.path = testing::TempDir();
  Diagnostics problems;
  EXPECT_EQ(load_bootstrap(sources, problems), nullptr);
  EXPECT_NE(render(problems).find("cannot read: Is a directory"), std::string::npos) << render(problems);
}

TEST(Bootstrap, ProblemsOfTextFieldsAndValuesComeTogether) {
  const std::string all = refusal(
      "static_resources:\n"
      "  clusters:\n"
      "  - name: a\n"
      "    no_such_field: 1\n"  // of the text
      "  - name: b\n"
      "    lb_policy: CLUSTER_PROVIDED\n"  // of a field
      "  - name: c\n"
      "    load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: localhost, "
      "port_value: 1}}}}]}]}\n"  // of a value
      "  - name: a\n"
      "dynamic_resources: {cds_config: {path_config_source: {path: /no/such/file}}}\n");
  for (const char* what : {"no_such_field", "CLUSTER_PROVIDED", "malformed IP address: \"localhost\"", "duplicate cluster \"a\"",
                           "\"/no/such/file\" does not exist"})
    EXPECT_NE(all.find(what), std::string::npos) << what << " in\n" << all;
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 5) << all;
}

TEST(Bootstrap, RefusesWhatCannotWork) {
  EXPECT_NE(refusal("static_resources: {secrets: [{name: s}]}")
                .find("static_resources.secrets: envoy.config.bootstrap.v3.Bootstrap.StaticResources.secrets (s) is not supported"),
            std::string::npos);
  EXPECT_NE(refusal("flags_path: /x").find("flags_path"), std::string::npos);
  EXPECT_NE(refusal("static_resources: {clusters: [{name: a}, {name: a}]}").find("duplicate cluster \"a\""), std::string::npos);
  EXPECT_NE(refusal("dynamic_resources: {lds_config: {ads: {}}}").find("uses ads, but dynamic_resources.ads_config is not set"),
            std::string::npos);
  EXPECT_NE(refusal("node: {id: a, cluster: b}\ndynamic_resources: {ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: "
                    "[{envoy_grpc: {cluster_name: x}}]}}")
                .find("unknown cluster \"x\""),
            std::string::npos);
  EXPECT_NE(refusal("dynamic_resources: {ads_config: {api_type: REST, grpc_services: []}}").find("REST is not supported"),
            std::string::npos);
  EXPECT_NE(refusal("admin: {address: {socket_address: {address: localhost, port_value: 1}}}").find("malformed IP address: \"localhost\""),
            std::string::npos);
  EXPECT_NE(refusal("").find("no configuration"), std::string::npos);
}

TEST(Bootstrap, InlineRoutesToUnknownClusters) {
  const std::string text =
      "static_resources:\n  listeners:\n  - name: l\n    address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n    "
      "filter_chains:\n    - filters:\n"
      "      - name: hcm\n        typed_config:\n          \"@type\": "
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n"
      "          stat_prefix: p\n          http_filters: [{name: r, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]\n"
      "          route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: nowhere}}]}]}\n";
  EXPECT_NE(refusal(text).find("route_config: route: unknown cluster 'nowhere'"), std::string::npos);
}

TEST(Bootstrap, RuntimeKeysOfEnvoysOwnAreWarnedOf) {
  const Result result = load_text(
      "layered_runtime: {layers: [{name: a, static_layer: {envoy.reloadable_features.x: true, mine: {numerator: 5, denominator: "
      "MILLION}}}, {name: b, admin_layer: {}}]}");
  ASSERT_NE(result.bootstrap, nullptr) << render(result.problems);
  ASSERT_EQ(result.bootstrap->warnings.size(), 1u);
  EXPECT_NE(result.bootstrap->warnings[0].message.find("envoy.reloadable_features.x"), std::string::npos);
  EXPECT_EQ(result.bootstrap->runtime->value("mine")->share(), (runtime::Share{5, 1'000'000}));
  EXPECT_EQ(result.bootstrap->runtime->layer_names(), (std::vector<std::string>{"a", "b"}));
}

TEST(Bootstrap, LayersOfEveryKind) {
  const Result result = load_text(
      "node: {id: n, cluster: shop}\nlayered_runtime: {layers: [{name: a, static_layer: {x: {y: 1, z: {}}, s: \"7\", t: \"true\"}}, "
      "{name: d, disk_layer: {symlink_root: /srv/now, subdirectory: mesh, append_service_cluster: true}}, {name: m, admin_layer: {}}, "
      "{name: r, rtds_layer: {name: late, rtds_config: {path_config_source: {path: /tmp/r.yaml}, initial_fetch_timeout: 2s}}}]}");
  ASSERT_NE(result.bootstrap, nullptr) << render(result.problems);
  const Bootstrap& b = *result.bootstrap;
  EXPECT_EQ(b.runtime->value("x.y")->number(), 1u);
  EXPECT_EQ(b.runtime->value("s")->number(), 7u);
  EXPECT_FALSE(b.runtime->value("t")->flag().has_value());  // a text, as Envoy takes it
  ASSERT_EQ(b.runtime_sources.size(), 3u);
  EXPECT_EQ(b.runtime_sources[0].link, "/srv/now");
  EXPECT_EQ(b.runtime_sources[0].folder, "/srv/now/mesh/shop");
  EXPECT_EQ(b.runtime_sources[1].kind, RuntimeSource::Kind::kAdmin);
  EXPECT_EQ(b.runtime_sources[2].name, "late");
  EXPECT_EQ(b.runtime_sources[2].source.initial_fetch_timeout, std::chrono::seconds(2));
}

TEST(Bootstrap, LayersThatCannotBe) {
  auto layers = [](const std::string& text) { return refusal("layered_runtime: {layers: [" + text + "]}"); };
  EXPECT_NE(layers("{name: a, admin_layer: {}}, {name: a, static_layer: {}}").find("layers[1]: duplicate layer name \"a\""),
            std::string::npos);
  EXPECT_NE(layers("{name: a, admin_layer: {}}, {name: b, admin_layer: {}}").find("layers[1].admin_layer: there is one already"),
            std::string::npos);
  EXPECT_NE(layers("{name: a, disk_layer: {}}").find("symlink_root"), std::string::npos);
  EXPECT_NE(layers("{name: a, rtds_layer: {name: r, rtds_config: {ads: {}}}}").find("ads_config is not set"), std::string::npos);
}

TEST(Bootstrap, WhoNamesNoLayersHasAnAdminLayer) {
  const Result result = load_text("static_resources: {}");
  ASSERT_NE(result.bootstrap, nullptr);
  ASSERT_EQ(result.bootstrap->runtime_sources.size(), 1u);
  EXPECT_EQ(result.bootstrap->runtime_sources[0].kind, RuntimeSource::Kind::kAdmin);
}

TEST(Bootstrap, TypedStructsAreUnwrapped) {
  const std::string before =
      "static_resources:\n  clusters:\n  - name: c\n    typed_extension_protocol_options:\n      "
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "        \"@type\": type.googleapis.com/xds.type.v3.TypedStruct\n        type_url: "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n";
  const Result result = load_text(before + "        value: {explicit_http_config: {http2_protocol_options: {}}}\n");
  ASSERT_NE(result.bootstrap, nullptr) << render(result.problems);
  EXPECT_EQ(result.bootstrap->statics.clusters.at(0)->protocol, upstream::ClusterConfig::Protocol::kHttp2);
  EXPECT_NE(refusal(before + "        value: {explicit: 1}\n").find("unknown field \"explicit\""), std::string::npos);
}

}  // namespace
}  // namespace weft::config
