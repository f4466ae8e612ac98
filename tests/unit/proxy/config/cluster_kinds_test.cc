// Clusters that find their hosts by the connection's destination or by names, and how sockets to hosts are made: what is read, and
// what is refused.
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/snapshot_builder.h"

#include <gtest/gtest.h>

namespace weft::config {
namespace {

using std::chrono::milliseconds;
using upstream::ClusterConfig;

const filters::Runtime kStillRuntime;

Built cluster_of(const std::string& fields) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  EXPECT_TRUE(yaml::parse("{name: c, connect_timeout: 1s, " + fields + "}", "resource.yaml", documents, problem)) << problem.message;
  envoy::config::cluster::v3::Cluster message;
  Diagnostics problems;
  EXPECT_TRUE(load(documents.at(0), message, problems)) << render(problems);
  BuildContext context{kStillRuntime};
  return build(Values(), {ResourceType::kCluster, {{std::string(type_url(ResourceType::kCluster)), message.SerializeAsString(), {}}}, {}},
               context);
}

ClusterConfig good(const std::string& fields) {
  const Built built = cluster_of(fields);
  EXPECT_EQ(built.nack_detail(), "");
  return built.update.clusters.empty() ? ClusterConfig() : *built.update.clusters[0];
}

std::string refusal(const std::string& fields) { return cluster_of(fields).nack_detail(); }

void expect_refused(const std::string& fields, const std::string& words) {
  EXPECT_NE(refusal(fields).find(words), std::string::npos) << fields << "\n" << refusal(fields);
}

std::string assignment(const std::string& endpoints) {
  return "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [" + endpoints + "]}]}";
}
std::string named(const std::string& name, const std::string& more = "") {
  return "{endpoint: {address: {socket_address: {address: " + name + ", port_value: 80}}" + more + "}}";
}

TEST(OriginalDestinationConfig, IsReadWhole) {
  const ClusterConfig plain = good("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED");
  EXPECT_EQ(plain.discovery, ClusterConfig::Discovery::kOriginalDestination);
  EXPECT_EQ(plain.policy, ClusterConfig::Policy::kOriginalDestination);
  ASSERT_TRUE(plain.original);
  EXPECT_EQ(plain.original->header, "");
  EXPECT_EQ(plain.original->cleanup, milliseconds(5000));
  const ClusterConfig all = good(
      "type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, cleanup_interval: 2s, original_dst_lb_config: {use_http_header: true, "
      "http_header_name: X-To, upstream_port_override: 8080, metadata_key: {key: n, path: [{key: a}, {key: b}]}}");
  EXPECT_EQ(all.original->header, "x-to");
  EXPECT_EQ(all.original->port, 8080);
  EXPECT_EQ(all.original->metadata_space, "n");
  EXPECT_EQ(all.original->metadata_path, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(all.original->cleanup, milliseconds(2000));
  EXPECT_EQ(good("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {use_http_header: true}").original->header,
            "x-envoy-original-dst-host");
  good(
      "type: ORIGINAL_DST, load_balancing_policy: {policies: [{typed_extension_config: {name: x, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided}}}]}");
}

TEST(OriginalDestinationConfig, RefusesWhatMakesNoSense) {
  expect_refused("type: ORIGINAL_DST", "lb_policy: must be CLUSTER_PROVIDED for an ORIGINAL_DST cluster");
  expect_refused("type: STATIC, lb_policy: CLUSTER_PROVIDED", "lb_policy: is for clusters of type ORIGINAL_DST alone");
  expect_refused("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, " + assignment(named("10.0.0.1")), "load_assignment: must not be set");
  expect_refused("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {http_header_name: x}",
                 "original_dst_lb_config.http_header_name: needs use_http_header");
  expect_refused("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {upstream_port_override: 70000}", "65535");
  expect_refused("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, cleanup_interval: 0s", "cleanup_interval: must be greater than 0s");
}

TEST(NamesConfig, StrictDnsIsReadWhole) {
  const ClusterConfig plain = good("type: STRICT_DNS, " + assignment(named("a.test")));
  ASSERT_TRUE(plain.naming);
  EXPECT_EQ(plain.discovery, ClusterConfig::Discovery::kNames);
  EXPECT_FALSE(plain.naming->logical);
  EXPECT_TRUE(plain.naming->wait);
  EXPECT_EQ(plain.naming->refresh, milliseconds(5000));
  EXPECT_EQ(plain.naming->family, resolve::Family::kAuto);
  EXPECT_FALSE(plain.naming->failure_base);
  ASSERT_EQ(plain.naming->targets.size(), 1u);
  EXPECT_EQ(plain.naming->targets[0].name, "a.test");
  EXPECT_EQ(plain.naming->targets[0].port, 80);
  EXPECT_EQ(plain.naming->targets[0].host.hostname, "a.test");
  EXPECT_EQ(plain.naming->frame.localities.at(0).hosts.size(), 0u);
  const ClusterConfig all = good(
      "type: STRICT_DNS, dns_refresh_rate: 2s, dns_jitter: 0.5s, dns_failure_refresh_rate: {base_interval: 1s, max_interval: 3s}, "
      "respect_dns_ttl: true, dns_lookup_family: V4_PREFERRED, wait_for_warm_on_init: false, dns_resolvers: "
      "[{socket_address: {address: 127.0.0.1, port_value: 53}}], use_tcp_for_dns_lookups: true, " +
      assignment(named("a.test", ", hostname: h") + ", " + named("b.test")));
  EXPECT_EQ(all.naming->refresh, milliseconds(2000));
  EXPECT_EQ(all.naming->jitter, milliseconds(500));
  EXPECT_EQ(all.naming->failure_base, milliseconds(1000));
  EXPECT_EQ(all.naming->failure_max, milliseconds(3000));
  EXPECT_TRUE(all.naming->respect_ttl);
  EXPECT_FALSE(all.naming->wait);
  EXPECT_EQ(all.naming->family, resolve::Family::kV4Preferred);
  EXPECT_EQ(all.naming->resolver.servers.size(), 1u);
  EXPECT_TRUE(all.naming->resolver.use_tcp);
  EXPECT_EQ(all.naming->targets.at(0).host.hostname, "h");
  EXPECT_EQ(all.naming->targets.size(), 2u);
}

TEST(NamesConfig, ResolversAreReadWhole) {
  const std::string kind = "typed_dns_resolver_config: {name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.network.";
  const resolve::Options cares =
      good("type: STRICT_DNS, " + kind +
           "dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: [{socket_address: {address: '::1', port_value: 5353}}], "
           "use_resolvers_as_fallback: true, filter_unroutable_families: true, query_timeout_seconds: 2, query_tries: 3, "
           "rotate_nameservers: true, edns0_max_payload_size: 1232, dns_resolver_options: {no_default_search_domain: true}}}")
          .naming->resolver;
  EXPECT_EQ(net::to_string(cares.servers.at(0)), "[::1]:5353");
  EXPECT_TRUE(cares.servers_as_fallback && cares.filter_unroutable && cares.rotate && cares.no_search && !cares.by_system);
  EXPECT_EQ(cares.timeout, std::chrono::seconds(2));
  EXPECT_EQ(cares.tries, 3u);
  EXPECT_EQ(cares.edns_size, 1232u);
  const resolve::Options system =
      good("type: STRICT_DNS, " + kind +
           "dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig, num_retries: 2, num_resolver_threads: 3}}")
          .naming->resolver;
  EXPECT_TRUE(system.by_system);
  EXPECT_EQ(system.retries, 2u);
  EXPECT_EQ(system.threads, 3u);
  EXPECT_EQ(good("type: STRICT_DNS, dns_resolution_config: {resolvers: [{socket_address: {address: 10.0.0.1, port_value: 53}}]}")
                .naming->resolver.servers.size(),
            1u);
  expect_refused("type: STRICT_DNS, " + kind + "dns_resolver.cares.v3.CaresDnsResolverConfig, udp_max_queries: 5}}", "udp_max_queries");
  expect_refused("type: STRICT_DNS, dns_resolution_config: {}", "dns_resolution_config.resolvers");
  expect_refused("type: STRICT_DNS, dns_resolvers: [{socket_address: {address: name, port_value: 53}}]", "dns_resolvers[0]");
}

TEST(NamesConfig, LogicalDnsHasOneName) {
  EXPECT_TRUE(good("type: LOGICAL_DNS, " + assignment(named("a.test"))).naming->logical);
  expect_refused("type: LOGICAL_DNS, " + assignment(named("a.test") + ", " + named("b.test")),
                 "load_assignment: must have exactly one endpoint");
  expect_refused("type: LOGICAL_DNS", "load_assignment: must have exactly one endpoint");
}

TEST(NamesConfig, TheExtensionSaysTheSame) {
  const std::string start =
      "cluster_type: {name: envoy.clusters.dns, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster";
  const ClusterConfig all =
      good(start +
           ", all_addresses_in_single_endpoint: true, dns_lookup_family: V6_ONLY, dns_refresh_rate: 7s, respect_dns_ttl: true, "
           "dns_jitter: 1s, dns_failure_refresh_rate: {base_interval: 2s}}}, " +
           assignment(named("a.test")));
  EXPECT_TRUE(all.naming->logical);
  EXPECT_EQ(all.naming->family, resolve::Family::kV6Only);
  EXPECT_EQ(all.naming->refresh, milliseconds(7000));
  EXPECT_EQ(all.naming->failure_max, milliseconds(20000));
  EXPECT_FALSE(good(start + "}}, " + assignment(named("a.test"))).naming->logical);
  expect_refused("cluster_type: {name: envoy.clusters.redis, typed_config: {'@type': type.googleapis.com/google.protobuf.Struct}}",
                 "envoy.clusters.redis");
}

TEST(NamesConfig, RefusesWhatMakesNoSense) {
  expect_refused("type: STRICT_DNS, dns_failure_refresh_rate: {base_interval: 3s, max_interval: 1s}",
                 "dns_failure_refresh_rate.max_interval");
  expect_refused("type: STRICT_DNS, dns_failure_refresh_rate: {}", "dns_failure_refresh_rate.base_interval");
  expect_refused("type: STRICT_DNS, dns_refresh_rate: 0s", "dns_refresh_rate");
  expect_refused("type: STRICT_DNS, " + assignment("{endpoint: {address: {socket_address: {address: a.test}}}}"), "port_value");
  expect_refused("type: STATIC, " + assignment(named("a.test")), "malformed IP address");
}

TEST(ConnectConfig, SourcesAndOptions) {
  const net::ConnectOptions connect =
      good(
          "type: STATIC, upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}, freebind: true, socket_options: "
          "[{level: 1, name: 2, int_value: 3}, {level: 4, name: 5, buf_value: aGk=, ip_version: SOCKET_IP_VERSION_IPV6}], "
          "extra_source_addresses: [{address: {address: '::6', port_value: 0}, socket_options: {}}]}, upstream_connection_options: "
          "{tcp_keepalive: {keepalive_probes: 2, keepalive_interval: 5}}")
          .connect;
  ASSERT_TRUE(connect.bind);
  EXPECT_TRUE(connect.bind->freebind);
  ASSERT_EQ(connect.bind->options.size(), 2u);
  EXPECT_EQ(connect.bind->options[1].value, "hi");
  EXPECT_EQ(connect.bind->options[1].family, net::SocketOption::Family::kV6);
  const auto source_for = [&](const char* host) {
    return net::to_string(connect.bind->source_for(net::Endpoint(asio::ip::make_address(host), 80))->address);
  };
  EXPECT_EQ(source_for("10.0.0.1"), "127.0.0.6:0");
  EXPECT_EQ(source_for("::1"), "[::6]:0");
  EXPECT_TRUE(connect.bind->sources[1].options);
  EXPECT_EQ(connect.keepalive->probes, 2);
  EXPECT_FALSE(connect.keepalive->time_s);
}

TEST(ConnectConfig, RefusesWhatMakesNoSense) {
  const std::string bind = "type: STATIC, upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}, ";
  expect_refused(bind + "extra_source_addresses: [{address: {address: 127.0.0.7, port_value: 0}}]}", "another IP version");
  expect_refused(bind + "extra_source_addresses: [{address: {address: '::1', port_value: 0}}, {address: {address: '::2', port_value: 0}}]}",
                 "at most 1 item");
  expect_refused("type: STATIC, upstream_bind_config: {extra_source_addresses: [{address: {address: '::1', port_value: 0}}]}",
                 "needs a source_address");
  expect_refused(bind + "socket_options: [{level: 1, name: 2, int_value: 3, state: STATE_BOUND}]}", "socket_options[0].state");
  expect_refused(bind + "local_address_selector: {name: x}}", "local_address_selector");
  expect_refused("type: STATIC, upstream_bind_config: {source_address: {address: name, port_value: 0}}", "malformed IP address");
}

TEST(ConnectConfig, AHostMayHaveSeveralAddresses) {
  const ClusterConfig two = good(
      "type: STATIC, upstream_connection_options: {happy_eyeballs_config: {first_address_family_version: V6, "
      "first_address_family_count: 2}}, " +
      assignment(named("10.0.0.1", ", additional_addresses: [{address: {socket_address: {address: '::1', port_value: 81}}}]")));
  const upstream::Host& host = two.endpoints->localities.at(0).hosts.at(0);
  EXPECT_EQ(net::to_string(host.address), "10.0.0.1:80");
  ASSERT_TRUE(host.addresses);
  EXPECT_EQ(net::to_string(host.addresses->at(1)), "[::1]:81");
  EXPECT_EQ(two.address_order, (upstream::AddressOrder{upstream::AddressOrder::First::kV6, 2}));
}

TEST(ConnectConfig, TheBootstrapSpeaksForClustersThatSayNothing) {
  BootstrapSources sources;
  sources.inline_yaml =
      "cluster_manager: {upstream_bind_config: {source_address: {address: 127.0.0.9, port_value: 0}}}\n"
      "typed_dns_resolver_config: {name: r, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, query_tries: 9}}\n"
      "static_resources: {clusters: [{name: a, type: STRICT_DNS}, {name: b, type: STRICT_DNS, use_tcp_for_dns_lookups: true, "
      "upstream_bind_config: {source_address: {address: 127.0.0.8, port_value: 0}}}]}\n";
  Diagnostics problems;
  const auto bootstrap = load_bootstrap(sources, problems);
  ASSERT_TRUE(bootstrap) << render(problems);
  const auto& clusters = bootstrap->statics.clusters;
  EXPECT_EQ(net::to_string(clusters.at(0)->connect.bind->sources.at(0).address), "127.0.0.9:0");
  EXPECT_EQ(clusters[0]->naming->resolver.tries, 9u);
  EXPECT_EQ(net::to_string(clusters.at(1)->connect.bind->sources.at(0).address), "127.0.0.8:0");
  EXPECT_EQ(clusters[1]->naming->resolver.tries, 4u);
  EXPECT_TRUE(clusters[1]->naming->resolver.use_tcp);
}

}  // namespace
}  // namespace weft::config
