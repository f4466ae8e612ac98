#include "proxy/config/field_check.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace weft::config {
namespace {

namespace pb = google::protobuf;
using envoy::config::cluster::v3::Cluster;
using envoy::config::listener::v3::Listener;
using Manager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

std::vector<std::string> words(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

// The tables are data typed by hand: each row must name a field that exists, and what it says must fit that field.
TEST(FieldTables, AgreeWithTheDescriptors) {
  std::set<std::string> seen;
  for (const filters::FieldTable& table : all_tables()) {
    EXPECT_TRUE(seen.insert(std::string(table.message)).second) << "two tables for " << table.message;
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(table.message));
    ASSERT_NE(type, nullptr) << table.message;
    std::set<std::string> names;
    for (unsigned i = 0; i < table.size; ++i) {
      const filters::Field& row = table.fields[i];
      const std::string where = std::string(table.message) + "." + std::string(row.name);
      EXPECT_TRUE(names.insert(std::string(row.name)).second) << "twice: " << where;
      const pb::FieldDescriptor* field = type->FindFieldByName(std::string(row.name));
      ASSERT_NE(field, nullptr) << where;
      if (!row.ignored.empty() || !row.refused.empty()) continue;
      const pb::EnumDescriptor* enumeration = field->enum_type();
      for (const std::string& word : words(row.only)) {
        if (!enumeration) continue;
        EXPECT_NE(enumeration->FindValueByName(word), nullptr) << where << ": " << word;
      }
      const pb::Descriptor* inner = field->is_map() ? field->message_type()->map_value()->message_type() : field->message_type();
      if (!inner) continue;
      if (inner->full_name() == "google.protobuf.Any") {
        // Where anything known may stand, the surrounding message says what (takes of the parent).
        EXPECT_TRUE(!row.takes.empty() || table.message.ends_with(".core.v3.TypedExtensionConfig")) << where;
      } else if (inner->full_name().rfind("google.protobuf.", 0) != 0) {
        EXPECT_NE(find_table(inner->full_name()), nullptr) << where << " needs a table for " << inner->full_name();
      }
    }
    for (const std::string& oneof : words(table.required))
      EXPECT_NE(type->FindOneofByName(oneof), nullptr) << table.message << ": " << oneof;
  }
}

TEST(FieldTables, ReferencePageIsUpToDate) {
  const std::string path = std::string(WEFT_SOURCE_DIR) + "/docs/reference/xds.md";
  const std::string rendered = render_reference();
  if (std::getenv("WEFT_REFRESH")) std::ofstream(path) << rendered;
  std::ifstream in(path);
  std::ostringstream kept;
  kept << in.rdbuf();
  EXPECT_EQ(kept.str(), rendered) << "run with WEFT_REFRESH=1 to write " << path;
}

Cluster good_cluster() {
  Cluster cluster;
  cluster.set_name("c");
  return cluster;
}

template <class Message>
std::string complaints(const Message& message) {
  Diagnostics problems;
  check_fields(message, {}, problems);
  std::string out;
  for (const Diagnostic& problem : problems) out += problem.field + ": " + problem.message + "\n";
  return out;
}

TEST(FieldCheck, AcceptsWhatIsImplemented) {
  Cluster cluster = good_cluster();
  cluster.mutable_connect_timeout()->set_seconds(1);
  cluster.mutable_metadata();
  EXPECT_EQ(complaints(cluster), "");
}

TEST(FieldCheck, RefusesByPathAndName) {
  Cluster cluster = good_cluster();
  cluster.add_health_checks();
  cluster.mutable_track_cluster_stats();
  EXPECT_EQ(complaints(cluster),
            "health_checks: envoy.config.cluster.v3.Cluster.health_checks is not supported by this version\n"
            "track_cluster_stats: envoy.config.cluster.v3.Cluster.track_cluster_stats is not supported by this version\n");
}

TEST(FieldCheck, DescendsIntoExtensions) {
  Listener listener;
  listener.set_name("l");
  auto* filter = listener.add_filter_chains()->add_filters();
  filter->set_name("hcm");
  Manager manager;
  manager.set_stat_prefix("p");
  manager.mutable_route_config();
  manager.add_upgrade_configs()->add_filters()->mutable_config_discovery()->add_type_urls("t");
  manager.mutable_path_normalization_options();
  filter->mutable_typed_config()->PackFrom(manager);
  EXPECT_EQ(
      complaints(listener),
      "filter_chains[0].filters[0].typed_config.(HttpConnectionManager).upgrade_configs[0].filters[0].config_discovery."
      "config_source: is required\n"
      "filter_chains[0].filters[0].typed_config.(HttpConnectionManager).upgrade_configs[0].filters[0].name: must not be empty\n"
      "filter_chains[0].filters[0].typed_config.(HttpConnectionManager).upgrade_configs[0].upgrade_type: must not be empty\n"
      "filter_chains[0].filters[0].typed_config.(HttpConnectionManager).path_normalization_options: "
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.path_normalization_options is not supported: "
      "Envoy takes it and does nothing with it; normalize_path is there\n");
}

TEST(FieldCheck, NamesARefusedExtension) {
  Listener listener;
  listener.mutable_fcds_config()->set_name("chains");
  EXPECT_EQ(complaints(listener), "fcds_config: envoy.config.listener.v3.Listener.fcds_config (chains) is not supported by this version\n");

  Cluster cluster = good_cluster();
  cluster.mutable_transport_socket()->set_name("envoy.transport_sockets.tls");
  cluster.mutable_transport_socket()->mutable_typed_config()->PackFrom(envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext());
  EXPECT_EQ(complaints(cluster),
            "transport_socket.typed_config: extension \"envoy.transport_sockets.tls\" "
            "(envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext) is not supported here by this version; "
            "supported: envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer\n");
}

TEST(FieldCheck, AnExtensionInTheWrongPlaceIsRefused) {
  Cluster cluster = good_cluster();
  Manager manager;
  manager.set_stat_prefix("p");
  cluster.mutable_transport_socket()->set_name("x");
  cluster.mutable_transport_socket()->mutable_typed_config()->PackFrom(manager);
  EXPECT_NE(complaints(cluster).find("HttpConnectionManager) is not supported here"), std::string::npos);
}

TEST(FieldCheck, AppliesEnvoysRules) {
  Cluster cluster;
  cluster.mutable_connect_timeout();
  cluster.mutable_outlier_detection()->mutable_max_ejection_percent()->set_value(101);
  cluster.mutable_outlier_detection()->mutable_enforcing_success_rate()->set_value(100);
  cluster.mutable_least_request_lb_config()->mutable_choice_count()->set_value(1);
  cluster.set_lb_policy(static_cast<Cluster::LbPolicy>(77));
  const std::string text = complaints(cluster);
  EXPECT_NE(text.find("name: must not be empty"), std::string::npos) << text;
  EXPECT_NE(text.find("connect_timeout: must be greater than 0s, found 0s"), std::string::npos) << text;
  EXPECT_NE(text.find("outlier_detection.max_ejection_percent: must be at most 100, found 101"), std::string::npos) << text;
  EXPECT_NE(text.find("outlier_detection.enforcing_success_rate: 100 is not supported"), std::string::npos) << text;
  EXPECT_NE(text.find("least_request_lb_config.choice_count: must be at least 2, found 1"), std::string::npos) << text;
  EXPECT_NE(text.find("lb_policy: 77 is no value of"), std::string::npos) << text;
}

TEST(FieldCheck, RequiredMembers) {
  Manager manager;
  const std::string text = complaints(manager);
  EXPECT_NE(text.find("stat_prefix: must not be empty"), std::string::npos) << text;
  EXPECT_NE(text.find(": HttpConnectionManager needs one of rds, route_config"), std::string::npos) << text;
}

TEST(FieldCheck, FieldsUnknownOnTheWire) {
  Cluster cluster;
  // Field 9999, a varint, behind the name.
  ASSERT_TRUE(cluster.ParseFromString(std::string("\x0a\x01\x63\xf8\xf0\x04\x01", 7)));
  EXPECT_EQ(complaints(cluster), ": field number 9999 of envoy.config.cluster.v3.Cluster is not known to this version\n");
}

TEST(FieldCheck, HeaderTextCannotSplitAMessage) {
  Manager manager;
  manager.set_stat_prefix("p");
  manager.set_server_name("a\r\nb: c");
  auto* host = manager.mutable_route_config()->add_virtual_hosts();
  host->set_name("v");
  host->add_domains("*");
  host->add_request_headers_to_remove("bad name");
  const std::string text = complaints(manager);
  EXPECT_NE(text.find("server_name: is no legal header value"), std::string::npos) << text;
  EXPECT_NE(text.find("route_config.virtual_hosts[0].request_headers_to_remove[0]: is no legal header name"), std::string::npos) << text;
}

}  // namespace
}  // namespace weft::config
