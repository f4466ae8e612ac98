// RING_HASH, MAGLEV and hash policies as they are read, and what is refused of them.
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/config/values.h"

#include <gtest/gtest.h>

namespace weft::config {
namespace {

using upstream::ClusterConfig;
using upstream::HashingOptions;

const filters::Runtime kNoRuntime;

template <class Message>
Built build_one(ResourceType type, const std::string& text) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  EXPECT_TRUE(yaml::parse(text, "resource.yaml", documents, problem)) << problem.message;
  Message message;
  Diagnostics problems;
  EXPECT_TRUE(load(documents.at(0), message, problems)) << render(problems);
  BuildContext context{kNoRuntime};
  return build(Values(), {type, {{std::string(type_url(type)), message.SerializeAsString(), {}}}, {}}, context);
}

Built cluster(const std::string& fields) {
  return build_one<envoy::config::cluster::v3::Cluster>(
      ResourceType::kCluster,
      "{name: c, connect_timeout: 1s, type: EDS, eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}, " + fields + "}");
}

Built extension(const std::string& name, const std::string& fields) {
  return cluster(
      "load_balancing_policy: {policies: [{typed_extension_config: {name: x, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.load_balancing_policies." +
      name + fields + "}}}]}");
}

HashingOptions options(const Built& built, ClusterConfig::Policy policy) {
  EXPECT_TRUE(built.rejected.empty()) << built.nack_detail();
  if (!built.rejected.empty()) return {};
  EXPECT_EQ(built.update.clusters.at(0)->policy, policy);
  return *built.update.clusters.at(0)->hashing;
}

TEST(HashingConfig, RingHash) {
  const HashingOptions plain = options(cluster("lb_policy: RING_HASH"), ClusterConfig::Policy::kRingHash);
  EXPECT_EQ(plain.minimum_ring_size, 1024u);
  EXPECT_EQ(plain.maximum_ring_size, 8388608u);
  EXPECT_EQ(plain.function, HashingOptions::Function::kXxHash);
  EXPECT_FALSE(plain.by_locality);
  const HashingOptions all = options(
      cluster("lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 10, maximum_ring_size: 20, hash_function: MURMUR_HASH_2}, "
              "common_lb_config: {locality_weighted_lb_config: {}, consistent_hashing_lb_config: {hash_balance_factor: 125}}"),
      ClusterConfig::Policy::kRingHash);
  EXPECT_EQ(all.minimum_ring_size, 10u);
  EXPECT_EQ(all.maximum_ring_size, 20u);
  EXPECT_EQ(all.function, HashingOptions::Function::kMurmurHash2);
  EXPECT_EQ(all.balance_factor, 125u);
  EXPECT_TRUE(all.by_locality);
}

TEST(HashingConfig, Maglev) {
  EXPECT_EQ(options(cluster("lb_policy: MAGLEV"), ClusterConfig::Policy::kMaglev).table_size, 65537u);
  EXPECT_EQ(options(cluster("lb_policy: MAGLEV, maglev_lb_config: {table_size: 101}"), ClusterConfig::Policy::kMaglev).table_size, 101u);
}

TEST(HashingConfig, Extensions) {
  const HashingOptions ring = options(extension("ring_hash.v3.RingHash",
                                                ", hash_function: MURMUR_HASH_2, minimum_ring_size: 7, maximum_ring_size: 9, "
                                                "use_hostname_for_hashing: true, hash_balance_factor: 200"),
                                      ClusterConfig::Policy::kRingHash);
  EXPECT_EQ(ring.function, HashingOptions::Function::kMurmurHash2);
  EXPECT_EQ(ring.minimum_ring_size, 7u);
  EXPECT_TRUE(ring.by_hostname);
  EXPECT_EQ(ring.balance_factor, 200u);
  EXPECT_EQ(ring.policy, nullptr);
  // The newer message stands in for the older fields as a whole.
  const HashingOptions newer = options(extension("ring_hash.v3.RingHash",
                                                 ", use_hostname_for_hashing: true, hash_balance_factor: 200, "
                                                 "consistent_hashing_lb_config: {}"),
                                       ClusterConfig::Policy::kRingHash);
  EXPECT_FALSE(newer.by_hostname);
  EXPECT_EQ(newer.balance_factor, 0u);
  const HashingOptions table = options(extension("maglev.v3.Maglev",
                                                 ", table_size: 13, locality_weighted_lb_config: {}, consistent_hashing_lb_config: "
                                                 "{hash_balance_factor: 110, hash_policy: [{header: {header_name: X-Key}}]}"),
                                       ClusterConfig::Policy::kMaglev);
  EXPECT_EQ(table.table_size, 13u);
  EXPECT_TRUE(table.by_locality);
  EXPECT_EQ(table.balance_factor, 110u);
  EXPECT_NE(table.policy, nullptr);
}

TEST(HashingConfig, HostsMayBeHashedByTheirNames) {
  EXPECT_TRUE(options(cluster("lb_policy: MAGLEV, common_lb_config: {consistent_hashing_lb_config: {use_hostname_for_hashing: true}}"),
                      ClusterConfig::Policy::kMaglev)
                  .by_hostname);
}

TEST(HashingConfig, ClustersThatMakeNoSense) {
  const struct {
    Built built;
    const char* complaint;
  } cases[] = {
      {cluster("lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 9, maximum_ring_size: 8}"),
       "ring_hash_lb_config.minimum_ring_size: must not be greater than maximum_ring_size (8), found 9"},
      {cluster("lb_policy: RING_HASH, ring_hash_lb_config: {maximum_ring_size: 100}"), "(100), found 1024"},
      {cluster("lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 8388609}"),
       "ring_hash_lb_config.minimum_ring_size: must be at most 8388608, found 8388609"},
      {cluster("lb_policy: MAGLEV, maglev_lb_config: {table_size: 100}"), "maglev_lb_config.table_size: must be a prime number, found 100"},
      {cluster("lb_policy: MAGLEV, maglev_lb_config: {table_size: 1}"), "maglev_lb_config.table_size: must be at least 2, found 1"},
      {cluster("lb_policy: MAGLEV, maglev_lb_config: {table_size: 5000077}"), "must be at most 5000011, found 5000077"},
      {cluster("lb_policy: MAGLEV, common_lb_config: {consistent_hashing_lb_config: {hash_balance_factor: 99}}"),
       "common_lb_config.consistent_hashing_lb_config.hash_balance_factor: must be at least 100, found 99"},
      {cluster("lb_policy: RANDOM, common_lb_config: {locality_weighted_lb_config: {}}"),
       "common_lb_config.locality_weighted_lb_config: is supported with RING_HASH and MAGLEV only"},
      {extension("maglev.v3.Maglev", ", table_size: 15"),
       "load_balancing_policy.policies[0].typed_extension_config.typed_config.(Maglev).table_size: must be a prime number, found 15"},
      {extension("ring_hash.v3.RingHash", ", consistent_hashing_lb_config: {hash_policy: [{filter_state: {}}]}"),
       "hash_policy[0].filter_state.key: must not be empty"},
      {cluster("load_balancing_policy: {policies: [{typed_extension_config: {name: x, typed_config: {'@type': "
               "type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev}}}]}, "
               "common_lb_config: {consistent_hashing_lb_config: {}}"),
       "common_lb_config.consistent_hashing_lb_config: must not be set beside load_balancing_policy"},
  };
  for (const auto& one : cases) EXPECT_NE(one.built.nack_detail().find(one.complaint), std::string::npos) << one.built.nack_detail();
}

TEST(HashingConfig, HashKeysOfEndpoints) {
  const Built built = build_one<envoy::config::endpoint::v3::ClusterLoadAssignment>(ResourceType::kEndpoints, R"(
cluster_name: e
endpoints:
- lb_endpoints:
  - {endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 1}}}, metadata: {filter_metadata: {envoy.lb: {hash_key: shard}}}}
  - {endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 1}}}, metadata: {filter_metadata: {envoy.lb: {hash_key: 5}, x: {}}}}
  - {endpoint: {address: {socket_address: {address: 10.0.0.3, port_value: 1}}}, metadata: {filter_metadata: {other: {hash_key: shard}}}}
)");
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const auto& hosts = built.update.endpoints.at(0).second->localities.at(0).hosts;
  EXPECT_EQ(hosts[0].hash_key, "shard");
  EXPECT_EQ(hosts[1].hash_key, "");
  EXPECT_EQ(hosts[2].hash_key, "");
}

Built hash_policies(const std::string& list) {
  return build_one<envoy::config::route::v3::RouteConfiguration>(
      ResourceType::kRoute,
      "{name: r, virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c, hash_policy: [" + list +
          "]}}]}]}");
}

TEST(HashingConfig, HashPolicies) {
  const Built built = hash_policies(
      "{header: {header_name: X-Key, regex_rewrite: {pattern: {regex: a+}, substitution: b}}, terminal: true}, {cookie: {name: c, ttl: "
      "1.9s, path: /, attributes: [{name: Secure}]}}, {connection_properties: {source_ip: true}}, {query_parameter: {name: q}}");
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const routing::Route& route = built.update.routes.at(0).second->options().virtual_hosts.at(0).routes.at(0);
  ASSERT_NE(route.forward()->hash_policy, nullptr);
  SlabPool slabs;
  http::Head request(slabs);
  request.set_path("/?q=1");
  format::RequestInfo info;
  info.downstream_direct_remote_address = info.downstream_remote_address = "10.0.0.1:1";
  const routing::RequestHash hash = route.forward()->hash_policy->hash(request, info);
  EXPECT_TRUE(hash.value.has_value());
  ASSERT_EQ(hash.set_cookies.size(), 1u);
  EXPECT_TRUE(hash.set_cookies[0].ends_with("; Max-Age=1; Path=/; Secure; HttpOnly")) << hash.set_cookies[0];
}

TEST(HashingConfig, HashPoliciesThatMakeNoSense) {
  const struct {
    const char* list;
    const char* complaint;
  } cases[] = {
      {"{}", "hash_policy[0]: HashPolicy needs one of header, cookie, connection_properties, query_parameter"},
      {"{filter_state: {}}", "hash_policy[0].filter_state.key: must not be empty"},
      {"{terminal: true}, {header: {}}", "hash_policy[1].header.header_name: must not be empty"},
      {"{header: {header_name: 'a b'}}", "hash_policy[0].header.header_name: is no legal header name"},
      {"{header: {header_name: a, regex_rewrite: {pattern: {regex: '(a'}}}}", "hash_policy[0].header.regex_rewrite: "},
      {"{cookie: {name: ''}}", "hash_policy[0].cookie.name: must not be empty"},
      {"{cookie: {name: \"a\\r\\nb\"}}", "hash_policy[0].cookie.name: is no legal header value"},
      {"{cookie: {name: a, ttl: -1s}}", "hash_policy[0].cookie.ttl: must not be negative"},
      {"{cookie: {name: a, attributes: [{name: ''}]}}", "hash_policy[0].cookie.attributes[0].name: must not be empty"},
      {"{query_parameter: {}}", "hash_policy[0].query_parameter.name: must not be empty"},
  };
  for (const auto& one : cases) {
    const std::string detail = hash_policies(one.list).nack_detail();
    EXPECT_NE(detail.find(one.complaint), std::string::npos) << one.list << " gave " << detail;
  }
}

}  // namespace
}  // namespace weft::config
