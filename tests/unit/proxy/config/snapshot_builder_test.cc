#include "proxy/config/snapshot_builder.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/values.h"

#include <gtest/gtest.h>

namespace weft::config {
namespace {

template <class Message>
RawResource resource(ResourceType type, const std::string& text) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  EXPECT_TRUE(yaml::parse(text, "resource.yaml", documents, problem)) << problem.message;
  Message message;
  Diagnostics problems;
  EXPECT_TRUE(load(documents.at(0), message, problems)) << render(problems);
  return {std::string(type_url(type)), message.SerializeAsString(), {}};
}
RawResource cluster(const std::string& text) { return resource<envoy::config::cluster::v3::Cluster>(ResourceType::kCluster, text); }
RawResource endpoints(const std::string& text) {
  return resource<envoy::config::endpoint::v3::ClusterLoadAssignment>(ResourceType::kEndpoints, text);
}
RawResource routes(const std::string& text) { return resource<envoy::config::route::v3::RouteConfiguration>(ResourceType::kRoute, text); }
RawResource listener(const std::string& text) { return resource<envoy::config::listener::v3::Listener>(ResourceType::kListener, text); }

const filters::Runtime kRuntime;

class SnapshotBuilderTest : public testing::Test {
 protected:
  Built push(ResourceType type, std::vector<RawResource> resources, std::vector<std::string> removed = {}) {
    Built built = build(values_, {type, std::move(resources), std::move(removed)}, context_);
    apply(built, values_);
    return built;
  }
  BuildContext context_{kRuntime};
  Values values_;
};

// What weft-control sends for the outbound side of a sidecar.
const char* const kCluster = R"(
name: outbound|8080|v1|order-service.default.svc.cluster.local
type: EDS
eds_cluster_config: {eds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}, service_name: outbound|8080|v1|order-service.default.svc.cluster.local}
connect_timeout: 10s
lb_policy: LEAST_REQUEST
common_lb_config: {healthy_panic_threshold: {value: 0}}
circuit_breakers: {thresholds: [{max_connections: 100, max_pending_requests: 50, max_requests: 4294967295, max_retries: 4294967295, track_remaining: true}]}
outlier_detection: {consecutive_5xx: 3, consecutive_gateway_failure: 3, consecutive_local_origin_failure: 3, enforcing_consecutive_5xx: 100,
  enforcing_consecutive_gateway_failure: 100, enforcing_consecutive_local_origin_failure: 100, enforcing_success_rate: 0,
  split_external_local_origin_errors: true, interval: 10s, base_ejection_time: 10s, max_ejection_percent: 20}
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: {idle_timeout: 300s, max_requests_per_connection: 10}
    explicit_http_config: {http_protocol_options: {}}
metadata: {filter_metadata: {istio: {config: /apis/x}}}
)";

TEST_F(SnapshotBuilderTest, AClusterOfTheControlPlane) {
  const Built built = push(ResourceType::kCluster, {cluster(kCluster)});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  ASSERT_EQ(built.update.clusters.size(), 1u);
  const upstream::ClusterConfig& c = *built.update.clusters[0];
  EXPECT_EQ(c.name, "outbound|8080|v1|order-service.default.svc.cluster.local");
  EXPECT_EQ(eds_name(c), c.name);
  EXPECT_TRUE(c.eds_over_ads);
  EXPECT_EQ(c.policy, upstream::ClusterConfig::Policy::kLeastRequest);
  EXPECT_EQ(c.panic_threshold, 0);
  EXPECT_EQ(c.thresholds[0].max_connections, 100u);
  EXPECT_TRUE(c.thresholds[0].track_remaining);
  ASSERT_TRUE(c.outlier.has_value());
  EXPECT_EQ(c.outlier->consecutive_5xx, 3u);
  EXPECT_TRUE(c.outlier->split_external_local_origin_errors);
  EXPECT_EQ(c.outlier->max_ejection_percent, 20u);
  EXPECT_EQ(c.max_requests_per_connection, 10u);
  EXPECT_EQ(c.idle_timeout.count(), 300'000);
}

TEST_F(SnapshotBuilderTest, Http2ProtocolOptions) {
  const auto with = [](const std::string& options) { return cluster("{name: c, http2_protocol_options: {" + options + "}}"); };
  const Built built = push(
      ResourceType::kCluster,
      {with("max_concurrent_streams: 7, initial_stream_window_size: 65536, initial_connection_window_size: 65537, max_outbound_frames: 11, "
            "max_outbound_control_frames: 12, max_consecutive_inbound_frames_with_empty_payload: 2, "
            "max_inbound_priority_frames_per_stream: 13, max_inbound_window_update_frames_per_data_frame_sent: 14, "
            "override_stream_error_on_invalid_http_message: true, use_oghttp2_codec: false, stream_reset_burst: 15, stream_reset_rate: 33, "
            "connection_keepalive: {interval: 30s, timeout: 5s, interval_jitter: {value: 3}, connection_idle_interval: 0.5s}")});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const http::Http2Options& options = values_.clusters.at("c")->http2;
  EXPECT_EQ(options.max_concurrent_streams, 7u);
  EXPECT_EQ(options.initial_stream_window, 65536u);
  EXPECT_EQ(options.initial_connection_window, 65537u);
  EXPECT_EQ(options.max_outbound_frames, 11u);
  EXPECT_EQ(options.max_outbound_control_frames, 12u);
  EXPECT_EQ(options.max_consecutive_empty_data_frames, 2u);
  EXPECT_EQ(options.max_inbound_priority_frames_per_stream, 13u);
  EXPECT_EQ(options.max_inbound_window_updates_per_data_frame, 14u);
  EXPECT_TRUE(options.stream_error_on_invalid_message);
  EXPECT_EQ(options.reset_rate, (std::pair<uint64_t, uint64_t>(15, 33)));
  using std::chrono::milliseconds;
  EXPECT_EQ(options.keepalive, (http::KeepaliveOptions{milliseconds(30000), milliseconds(5000), 3, milliseconds(500)}));
  for (const char* refused :
       {"allow_metadata: true", "use_oghttp2_codec: true", "enable_huffman_encoding: false", "max_metadata_size: 1024",
        "custom_settings_parameters: [{identifier: 1, value: 1}]", "connection_keepalive: {interval: 30s}",
        "max_inbound_window_update_frames_per_data_frame_sent: 0", "connection_keepalive: {timeout: 0s}"}) {
    const Built bad = push(ResourceType::kCluster, {with(refused)});
    const std::string name = std::string(refused).substr(0, std::string(refused).find(':'));
    EXPECT_NE(bad.nack_detail().find("http2_protocol_options." + name), std::string::npos) << bad.nack_detail();
  }
}

TEST_F(SnapshotBuilderTest, EqualBytesChangeNothing) {
  push(ResourceType::kCluster, {cluster(kCluster)});
  const Built again = push(ResourceType::kCluster, {cluster(kCluster)});
  EXPECT_TRUE(again.update.empty());
  EXPECT_EQ(again.accepted.size(), 1u);
  EXPECT_EQ(again.unchanged.size(), 1u);
  push(ResourceType::kEndpoints, {endpoints("cluster_name: e")});
  EXPECT_TRUE(push(ResourceType::kEndpoints, {endpoints("cluster_name: e")}).update.empty());
  push(ResourceType::kRoute, {routes("name: r")});
  EXPECT_TRUE(push(ResourceType::kRoute, {routes("name: r")}).update.empty());
  EXPECT_EQ(push(ResourceType::kRoute, {routes("{name: r, vhost_header: x}")}).update.routes.size(), 1u);
}

TEST_F(SnapshotBuilderTest, TheGoodOnesApplyTheBadOneKeepsItsPredecessor) {
  push(ResourceType::kCluster, {cluster("name: bad"), cluster("name: good")});
  const auto before = values_.clusters.at("bad");
  const Built built =
      push(ResourceType::kCluster, {cluster("{name: good, connect_timeout: 2s}"),
                                    cluster("{name: bad, health_checks: [{}], track_timeout_budgets: true}"), cluster("name: new")});
  EXPECT_EQ(built.accepted, (std::vector<std::string>{"good", "new"}));
  EXPECT_EQ(built.update.clusters.size(), 2u);
  ASSERT_EQ(built.rejected.size(), 1u);
  EXPECT_EQ(built.rejected[0].name, "bad");
  EXPECT_EQ(built.nack_detail(),
            "bad: health_checks: envoy.config.cluster.v3.Cluster.health_checks is not supported by this version; "
            "track_timeout_budgets: envoy.config.cluster.v3.Cluster.track_timeout_budgets is not supported by this version");
  EXPECT_EQ(values_.clusters.at("bad"), before);
  EXPECT_EQ(values_.clusters.size(), 3u);
}

TEST_F(SnapshotBuilderTest, BytesAndNamesThatCannotBe) {
  RawResource broken{std::string(type_url(ResourceType::kCluster)), "\xff\xff", "x"};
  RawResource other = cluster("name: c");
  other.type_url = type_url(ResourceType::kRoute);
  RawResource renamed = cluster("name: c");
  renamed.name = "d";
  const Built built = push(ResourceType::kCluster, {broken, other, renamed, cluster("{}"), cluster("name: twice"), cluster("name: twice")});
  ASSERT_EQ(built.rejected.size(), 5u);
  EXPECT_EQ(built.rejected[0].detail, "x: holds bytes that are no envoy.config.cluster.v3.Cluster");
  EXPECT_NE(built.rejected[1].detail.find("RouteConfiguration, expected"), std::string::npos);
  EXPECT_NE(built.rejected[2].detail.find("calls itself \"c\""), std::string::npos);
  EXPECT_EQ(built.rejected[3].detail, "has no name");
  EXPECT_EQ(built.rejected[4].detail, "twice: duplicate name in one response");
  EXPECT_EQ(built.accepted, std::vector<std::string>{"twice"});
}

TEST_F(SnapshotBuilderTest, RemovesOnlyWhatIsThere) {
  push(ResourceType::kCluster, {cluster("name: a")});
  const Built built = push(ResourceType::kCluster, {}, {"a", "never"});
  EXPECT_EQ(built.update.removed_clusters, std::vector<std::string>{"a"});
  EXPECT_TRUE(values_.clusters.empty());
}

TEST_F(SnapshotBuilderTest, StaticClustersStay) {
  context_.static_cluster = [](std::string_view name) { return name == "xds"; };
  const Built built = push(ResourceType::kCluster, {cluster("name: xds")}, {"xds"});
  EXPECT_EQ(built.nack_detail(), "xds: is defined in the bootstrap and cannot be replaced");
  EXPECT_TRUE(built.update.empty());
}

TEST_F(SnapshotBuilderTest, Endpoints) {
  const Built built = push(ResourceType::kEndpoints, {endpoints(R"(
cluster_name: e
endpoints:
- locality: {region: r, zone: z}
  load_balancing_weight: 2
  priority: 1
  lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 80}}}, health_status: DRAINING}]
- lb_endpoints:
  - {endpoint: {address: {socket_address: {address: "::1", port_value: 81}}, hostname: h}, load_balancing_weight: 5, health_status: HEALTHY, metadata: {}}
)")});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const upstream::EndpointSet& set = *built.update.endpoints.at(0).second;
  EXPECT_EQ(set.size, 2u);
  EXPECT_EQ(set.priorities, 2u);
  EXPECT_EQ(set.localities.at(0).hosts.at(0).weight, 5u);
  EXPECT_EQ(set.localities.at(0).hosts.at(0).hostname, "h");
  EXPECT_EQ(set.localities.at(1).zone, "z");
  EXPECT_EQ(set.localities.at(1).weight, 2u);
  EXPECT_EQ(set.localities.at(1).hosts.at(0).health, upstream::Health::kDraining);

  const Built bad = push(ResourceType::kEndpoints, {endpoints("{cluster_name: e, endpoints: [{lb_endpoints: [{endpoint: {address: "
                                                              "{socket_address: {address: host.name, port_value: 1}}}}, {}]}]}")});
  EXPECT_EQ(bad.nack_detail(),
            "e: endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: malformed IP address: \"host.name\"; names are for "
            "clusters of type STRICT_DNS and LOGICAL_DNS; "
            "endpoints[0].lb_endpoints[1]: needs an endpoint");
}

const char* const kRoutes = R"(
name: "8080"
validate_clusters: false
max_direct_response_body_size_bytes: 1048576
ignore_port_in_host_matching: true
virtual_hosts:
- name: order-service.default.svc.cluster.local:8080
  domains: [order-service, "order-service.default.svc.cluster.local"]
  include_request_attempt_count: true
  routes:
  - name: canary
    match: {prefix: /, case_sensitive: true, headers: [{name: canary, string_match: {exact: "true"}}]}
    metadata: {filter_metadata: {istio: {config: /x}}}
    route:
      cluster: outbound|8080|v2|order-service
      timeout: 0s
      max_grpc_timeout: 0s
      retry_policy:
        retry_on: connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
        num_retries: 2
        retriable_status_codes: [503]
        host_selection_retry_max_attempts: 5
        retry_host_predicate:
        - name: envoy.retry_host_predicates.previous_hosts
          typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}
        retry_priority:
          name: envoy.retry_priorities.previous_priorities
          typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig, update_frequency: 2}
    decorator: {operation: "order-service:8080/*", propagate: false}
    typed_per_filter_config:
      envoy.filters.http.fault: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, abort: {http_status: 500, percentage: {numerator: 100000, denominator: MILLION}}}
  - match: {safe_regex: {regex: "/v[0-9]+/.*"}}
    route:
      weighted_clusters: {clusters: [{name: v1, weight: 95, host_rewrite_literal: h}, {name: v2, weight: 5, request_headers_to_add: [{header: {key: X-Split, value: b}}]}]}
      prefix_rewrite: /x
      host_rewrite_literal: inner
  - match: {path: /old}
    redirect: {path_redirect: /new, response_code: PERMANENT_REDIRECT}
  - match: {path: /direct}
    direct_response: {status: 418, body: {inline_string: tea}}
)";

TEST_F(SnapshotBuilderTest, RoutesOfTheControlPlane) {
  const Built built = push(ResourceType::kRoute, {routes(kRoutes)});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const auto& options = built.update.routes.at(0).second->options();
  EXPECT_TRUE(options.ignore_port_in_host_matching);
  EXPECT_EQ(options.max_direct_response_body_size, 1048576u);
  const routing::VirtualHost& host = options.virtual_hosts.at(0);
  EXPECT_TRUE(host.include_request_attempt_count);
  const routing::Forward& first = *host.routes.at(0).forward();
  EXPECT_EQ(first.cluster, "outbound|8080|v2|order-service");
  EXPECT_EQ(first.timeout.count(), 0);
  EXPECT_EQ(first.max_grpc_timeout->count(), 0);
  EXPECT_EQ(first.retry->num_retries, 2u);
  EXPECT_EQ(first.retry->host_selection_retry_max_attempts, 5u);
  EXPECT_TRUE(first.retry->avoid_previous_hosts);
  EXPECT_EQ(first.retry->previous_priorities_frequency, 2u);
  EXPECT_EQ(host.routes[0].decorator, "order-service:8080/*");
  EXPECT_TRUE(first.retry->retry_on & routing::kRetryOnGrpcUnavailable);
  ASSERT_NE(host.routes[0].filters, nullptr);
  EXPECT_EQ(host.routes[0].filters->at(0).filter, "envoy.filters.http.fault");
  const routing::Forward& second = *host.routes.at(1).forward();
  EXPECT_EQ(second.weighted->clusters.at(0).host_rewrite, "h");
  EXPECT_EQ(second.weighted->clusters.at(1).weight, 5u);
  EXPECT_EQ(second.weighted->clusters.at(1).mutations->request.add.at(0).name(), "x-split");
  EXPECT_EQ(second.rewrite->prefix, "/x");
  EXPECT_EQ(second.timeout.count(), 15'000);
  EXPECT_EQ(host.routes.at(2).redirect()->status, 308);
  EXPECT_EQ(host.routes.at(3).direct_response()->body, "tea");
}

TEST_F(SnapshotBuilderTest, RoutesThatMakeNoSense) {
  auto complaint = [&](const std::string& route) {
    return push(ResourceType::kRoute, {routes("{name: r, virtual_hosts: [{name: v, domains: ['*'], routes: [" + route + "]}]}")})
        .nack_detail();
  };
  const std::string at = "r: virtual_hosts[0].routes[0]";
  EXPECT_EQ(complaint("{match: {safe_regex: {regex: '(a'}}, route: {cluster: c}}").find(at + ".match.safe_regex.regex: "), 0u);
  EXPECT_NE(
      complaint("{match: {prefix: /}, route: {cluster: c, retry_policy: {retry_on: 'sometimes'}}}").find("\"sometimes\" names a condition"),
      std::string::npos);
  EXPECT_NE(complaint("{match: {prefix: /}, route: {cluster: c, hedge_policy: {initial_requests: 2}}}")
                .find("hedge_policy.initial_requests: must be at most 1"),
            std::string::npos);
  EXPECT_NE(complaint("{match: {prefix: /}, route: {cluster: c, request_mirror_policies: [{}]}}")
                .find("request_mirror_policies[0]: needs exactly one of cluster, cluster_header"),
            std::string::npos);
  EXPECT_NE(
      complaint("{match: {prefix: /}, route: {cluster: c}, request_headers_to_remove: [host]}").find("request_headers_to_remove[0]: "),
      std::string::npos);
  EXPECT_NE(complaint("{match: {prefix: /}, route: {cluster: c}, response_headers_to_add: [{header: {key: a, value: '%NOPE%'}}]}")
                .find("response_headers_to_add[0].header: "),
            std::string::npos);
  EXPECT_NE(complaint("{match: {prefix: /}}").find("Route needs one of route, redirect, direct_response"), std::string::npos);
  EXPECT_NE(complaint("{match: {prefix: /}, route: {cluster: c}, typed_per_filter_config: {envoy.filters.http.fault: {'@type': "
                      "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.CompressorPerRoute, disabled: true}}}")
                .find("which is not for the filter \"envoy.filters.http.fault\""),
            std::string::npos);
}

const char* const kListener = R"(
name: 127.0.1.1_8080
address: {socket_address: {address: 127.0.1.1, port_value: 8080}}
traffic_direction: OUTBOUND
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: outbound_8080
      rds: {route_config_name: "8080", config_source: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}}
      http_filters:
      - {name: envoy.filters.http.fault, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}}
      - {name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
      stream_idle_timeout: 0s
      normalize_path: true
      path_with_escaped_slashes_action: KEEP_UNCHANGED
      use_remote_address: false
      server_name: istio-envoy
)";

TEST_F(SnapshotBuilderTest, AListenerOfTheControlPlane) {
  const Built built = push(ResourceType::kListener, {listener(kListener)});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const Listener& l = *built.update.listeners.at(0);
  EXPECT_EQ(l.stat_prefix, "127.0.1.1_8080");
  EXPECT_EQ(rds_names(l), std::vector<std::string_view>{"8080"});
  const HttpConnectionManager& manager = *std::get<0>(l.chains.front().terminal);
  EXPECT_TRUE(l.takes_any);
  EXPECT_EQ(manager.stream_idle_timeout.count(), 0);
  EXPECT_TRUE(manager.forwarded.path.normalize);
  EXPECT_EQ(manager.server_name, "istio-envoy");
  EXPECT_EQ(manager.chain.entries().size(), 1u);
  EXPECT_EQ(manager.chain.request_head().size(), 1u);
}

TEST_F(SnapshotBuilderTest, ListenersThatMakeNoSense) {
  auto complaint = [&](const std::string& text) { return push(ResourceType::kListener, {listener(text)}).nack_detail(); };
  EXPECT_EQ(complaint("name: l"), "l: address: is required; filter_chains: no filter chains specified");
  std::string no_router = kListener;
  no_router.erase(no_router.find("      - {name: envoy.filters.http.router"),
                  no_router.find("      stream_idle") - no_router.find("      - {name: envoy.filters.http.router"));
  EXPECT_NE(
      complaint(no_router).find("http_filters[0]: the last filter of the chain must be the router, found \"envoy.filters.http.fault\""),
      std::string::npos);
  std::string match = kListener;
  match.replace(match.find("- filters:"), 10, "- filter_chain_match: {destination_port: 80, address_suffix: x}\n  filters:");
  EXPECT_NE(complaint(match).find("filter_chains[0].filter_chain_match.address_suffix: "), std::string::npos);
  const std::string tcp =
      "{name: t, address: {socket_address: {address: 1.2.3.4, port_value: 1}}, filter_chains: [{filters: [{name: t, typed_config: "
      "{'@type': "
      "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t";
  EXPECT_NE(complaint(tcp + "}}]}]}").find("TcpProxy needs one of cluster, weighted_clusters"), std::string::npos);
  EXPECT_EQ(complaint(tcp + ", cluster: c}}]}]}"), "");
}

constexpr const char* kTcp =
    "filters: [{name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, "
    "stat_prefix: t, cluster: c}}]";

// A listener with these members of its own, and with these matches of its chains.
std::string listener_text(const std::string& members, const std::vector<std::string>& matches) {
  std::string text = "{name: l, address: {socket_address: {address: 1.2.3.4, port_value: 1}}, " + members + "filter_chains: [";
  for (size_t i = 0; i < matches.size(); ++i)
    text += (i ? ", {name: " : "{name: ") + std::string(1, static_cast<char>('p' + i)) + ", filter_chain_match: " + matches[i] + ", " +
            kTcp + "}";
  return text + "]}";
}

TEST_F(SnapshotBuilderTest, ChainsAndTheirMatches) {
  const std::string members = "default_filter_chain: {name: d, " + std::string(kTcp) + "}, ";
  const Built built =
      push(ResourceType::kListener, {listener(listener_text(members, {"{destination_port: 80, server_names: ['*.a', b]}",
                                                                      "{prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}"}))});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const Listener& l = *built.update.listeners.at(0);
  ASSERT_EQ(l.chains.size(), 3u);
  EXPECT_FALSE(l.takes_any);
  EXPECT_EQ(l.default_chain, 2u);
  EXPECT_NE(l.chains[0].key, l.chains[1].key);
  net::ConnectionFacts facts;
  facts.local = {boost::asio::ip::make_address("10.1.1.1"), 81};
  EXPECT_EQ(l.chain_for(facts), 1u);
  facts.local.port(80);
  EXPECT_EQ(l.chain_for(facts), 2u);
  facts.server_name = "x.a";
  EXPECT_EQ(l.chain_for(facts), 0u);
}

TEST_F(SnapshotBuilderTest, ChainsThatMakeNoSense) {
  auto complaint = [&](const std::vector<std::string>& matches) {
    return push(ResourceType::kListener, {listener(listener_text("", matches))}).nack_detail();
  };
  EXPECT_EQ(complaint({}), "l: filter_chains: no filter chains specified");
  EXPECT_EQ(complaint({"{server_names: [a, b]}", "{server_names: [a, b]}"}),
            "l: filter_chains[1].filter_chain_match: filter chain 'q' has the same matching rules defined as 'p'. duplicate matcher is: "
            "{\"server_names\":[\"a\",\"b\"]}");
  EXPECT_EQ(
      complaint({"{server_names: [a, b]}", "{server_names: [b]}"}),
      "l: filter_chains[1].filter_chain_match: multiple filter chains with overlapping matching rules are defined: filter_chains[0] ('p') "
      "matches the same");
  EXPECT_EQ(complaint({"{server_names: ['*a.b']}"}),
            "l: filter_chains[0].filter_chain_match.server_names[0]: partial wildcards are not supported in \"server_names\": \"*a.b\"");
  EXPECT_NE(complaint({"{destination_port: 0}"}).find("filter_chain_match.destination_port: must be at least 1"), std::string::npos);
  EXPECT_NE(complaint({"{source_ports: [70000]}"}).find("filter_chain_match.source_ports"), std::string::npos);
  EXPECT_EQ(complaint({"{prefix_ranges: [{address_prefix: zz, prefix_len: 8}]}"}),
            "l: filter_chains[0].filter_chain_match.prefix_ranges[0].address_prefix: malformed IP address: \"zz\"");
}

TEST_F(SnapshotBuilderTest, ListenerFilters) {
  const std::string type = "typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.";
  const Built built = push(
      ResourceType::kListener,
      {listener(listener_text("use_original_dst: true, bind_to_port: false, listener_filters_timeout: 0s, listener_filters: ["
                              "{name: t, filter_disabled: {not_match: {destination_port_range: {start: 10, end: 20}}}, " +
                                  type + "tls_inspector.v3.TlsInspector, enable_ja3_fingerprinting: true, max_client_hello_size: 300}}, " +
                                  "{name: p, " + type +
                                  "proxy_protocol.v3.ProxyProtocol, disallowed_versions: [V1], rules: [{tlv_type: 7, "
                                  "on_tlv_present: {key: k}}]}}], ",
                              {"{}"}))});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const Listener& l = *built.update.listeners.at(0);
  EXPECT_TRUE(l.hands_over);
  EXPECT_FALSE(l.bound);
  EXPECT_EQ(l.filters_timeout.count(), 0);
  ASSERT_EQ(l.filters.size(), 3u);
  const auto& tls = std::get<TlsInspector>(l.filters[0].of);
  EXPECT_TRUE(tls.fingerprints.ja3);
  EXPECT_FALSE(tls.fingerprints.ja4);
  EXPECT_EQ(tls.max_hello, 300u);
  ASSERT_TRUE(l.filters[0].disabled);
  EXPECT_TRUE(l.filters[0].disabled->matches(20));
  EXPECT_FALSE(l.filters[0].disabled->matches(10));
  const auto& proxy = std::get<ProxyProtocol>(l.filters[1].of);
  EXPECT_FALSE(proxy.allows[0]);
  EXPECT_TRUE(proxy.allows[1]);
  ASSERT_EQ(proxy.rules.size(), 1u);
  EXPECT_EQ(proxy.rules[0].name_space, "envoy.filters.listener.proxy_protocol");
  EXPECT_TRUE(std::holds_alternative<OriginalDst>(l.filters[2].of));
}

TEST_F(SnapshotBuilderTest, SocketsOfListeners) {
  const Built built =
      push(ResourceType::kListener,
           {listener(listener_text(
               "transparent: true, enable_reuse_port: false, tcp_keepalive: {keepalive_time: 5}, socket_options: [{level: 1, name: "
               "10, int_value: 1, state: STATE_LISTENING}], additional_addresses: [{address: {pipe: {path: '@x'}}, "
               "socket_options: {}}, {address: {socket_address: {address: '::', port_value: 1, ipv4_compat: true}}}], ",
               {"{}"}))});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const Listener& l = *built.update.listeners.at(0);
  ASSERT_EQ(l.places.size(), 3u);
  EXPECT_TRUE(l.places[0].transparent);
  EXPECT_FALSE(l.places[0].reuse_port);
  ASSERT_EQ(l.places[0].options.size(), 3u);
  EXPECT_EQ(l.places[0].options[0].state, net::ListeningOption::State::kListening);
  EXPECT_EQ(l.places[1].path, "@x");
  EXPECT_EQ(l.places[1].options.size(), 2u);  // the keepalive's
  EXPECT_TRUE(l.places[2].ipv4_too);
  EXPECT_NE(
      push(ResourceType::kListener,
           {listener(listener_text("additional_addresses: [{address: {socket_address: {address: 1.2.3.4, port_value: 1}}}], ", {"{}"}))})
          .nack_detail()
          .find("additional_addresses[0].address: the listener has 1.2.3.4:1 already"),
      std::string::npos);
}

TEST_F(SnapshotBuilderTest, AccessLogsAreCheckedThoughNothingIsOpened) {
  std::string text = kListener;
  text +=
      "      access_log: [{name: a, filter: {response_flag_filter: {flags: [UF, XX]}}, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, "
      "path: /nonexistent/x, log_format: {text_format_source: {inline_string: '%NOPE%'}}}}]\n";
  const std::string detail = push(ResourceType::kListener, {listener(text)}).nack_detail();
  EXPECT_NE(detail.find("access_log[0].filter.response_flag_filter.flags[1]: \"XX\" is no response flag"), std::string::npos) << detail;
  EXPECT_NE(detail.find("access_log[0].typed_config.(FileAccessLog).log_format.text_format_source: "), std::string::npos) << detail;
}

RawResource extension(const std::string& text) {
  return resource<envoy::config::core::v3::TypedExtensionConfig>(ResourceType::kExtension, text);
}
std::string fault_of(const std::string& name, int status) {
  return "{name: " + name +
         ", typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, abort: {http_status: " +
         std::to_string(status) + ", percentage: {numerator: 100}}}}";
}
std::string discovering(const std::string& name, const std::string& more = "") {
  return "{name: " + name +
         ", address: {socket_address: {address: 127.0.0.1, port_value: 0}}, filter_chains: [{filters: [{name: hcm, typed_config: "
         "{\"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: "
         "p, "
         "route_config: {name: r}, http_filters: [{name: chaos, config_discovery: {config_source: {ads: {}}, "
         "type_urls: [type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault]" +
         more + "}}, {name: router, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]}";
}

TEST_F(SnapshotBuilderTest, AnExtensionRebuildsTheListenersThatNameIt) {
  push(ResourceType::kListener, {listener(discovering("a"))});
  ASSERT_EQ(values_.listeners.at("a")->extensions.size(), 1u);
  EXPECT_TRUE(values_.listeners.at("a")->extensions[0].awaited);
  const auto before = values_.listeners.at("a");
  Built built = push(ResourceType::kExtension, {extension(fault_of("chaos", 418)), extension(fault_of("unnamed", 418))});
  EXPECT_TRUE(built.rejected.empty()) << built.nack_detail();
  ASSERT_EQ(built.update.listeners.size(), 1u);
  EXPECT_NE(values_.listeners.at("a"), before);
  EXPECT_EQ(values_.listeners.at("a")->hash, before->hash) << "the resource is the same";
  built = push(ResourceType::kExtension, {extension(fault_of("chaos", 418))});
  EXPECT_TRUE(built.update.listeners.empty());
  EXPECT_EQ(built.unchanged, (std::vector<std::string>{"chaos"}));
  built = push(ResourceType::kExtension, {}, {"chaos"});
  EXPECT_EQ(built.update.listeners.size(), 1u);
  EXPECT_FALSE(values_.extensions.contains("chaos"));
}

TEST_F(SnapshotBuilderTest, ExtensionsThatAreRefused) {
  push(ResourceType::kListener, {listener(discovering("a"))});
  Built built = push(ResourceType::kExtension, {extension(fault_of("chaos", 1000))});
  EXPECT_EQ(built.nack_detail(), "chaos: typed_config.(HTTPFault).abort.http_status: must be at most 599, found 1000");
  built = push(ResourceType::kExtension, {extension("{name: chaos, typed_config: {\"@type\": "
                                                    "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}")});
  EXPECT_NE(built.nack_detail().find("has type envoy.extensions.filters.http.cors.v3.Cors, but listener \"a\" expects "
                                     "envoy.extensions.filters.http.fault.v3.HTTPFault"),
            std::string::npos)
      << built.nack_detail();
  EXPECT_TRUE(built.update.empty());
}

TEST_F(SnapshotBuilderTest, DiscoveredFiltersThatCannotBe) {
  Built built = push(ResourceType::kListener, {listener(discovering("a", ", apply_default_config_without_warming: true"))});
  EXPECT_NE(built.nack_detail().find("apply_default_config_without_warming: is set, but default_config is not"), std::string::npos)
      << built.nack_detail();
  built =
      push(ResourceType::kListener,
           {listener(discovering("a", ", default_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}"))});
  EXPECT_NE(built.nack_detail().find("which is none of type_urls"), std::string::npos) << built.nack_detail();
}

TEST_F(SnapshotBuilderTest, ALayerOfTheRuntime) {
  const Built built = push(ResourceType::kRuntime,
                           {resource<envoy::service::runtime::v3::Runtime>(
                               ResourceType::kRuntime, "{name: live, layer: {a: {b: 5}, c: {numerator: 1, denominator: MILLION}}}")});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  ASSERT_EQ(built.update.runtime_layers.size(), 1u);
  EXPECT_EQ(built.update.runtime_layers[0].second->at("a.b").number, 5u);
  EXPECT_EQ(built.update.runtime_layers[0].second->at("c").share, (runtime::Share{1, 1'000'000}));
}

RawResource scope(const std::string& name, const std::string& key, const std::string& routes = "route_configuration_name: r") {
  return resource<envoy::config::route::v3::ScopedRouteConfiguration>(
      ResourceType::kScope, "{name: " + name + ", key: {fragments: [{string_key: " + key + "}]}, " + routes + "}");
}

TEST_F(SnapshotBuilderTest, Scopes) {
  Built built = push(ResourceType::kScope, {scope("s1", "a"), scope("s2", "b", "route_configuration: {name: own}")});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  EXPECT_EQ(values_.scopes.at("s1")->rds_name, "r");
  EXPECT_EQ(values_.scopes.at("s2")->routes->name(), "own");
  EXPECT_NE(values_.scopes.at("s1")->key, values_.scopes.at("s2")->key);
  EXPECT_EQ(push(ResourceType::kScope, {scope("s1", "a")}).unchanged, std::vector<std::string>{"s1"});
  // Keys may change places in one response.
  built = push(ResourceType::kScope, {scope("s1", "b"), scope("s2", "a")});
  EXPECT_TRUE(built.rejected.empty()) << built.nack_detail();
  built = push(ResourceType::kScope, {}, {"s2"});
  EXPECT_FALSE(values_.scopes.contains("s2"));
}

TEST_F(SnapshotBuilderTest, ScopesThatCannotBe) {
  push(ResourceType::kScope, {scope("s1", "a"), scope("s2", "b")});
  Built built = push(ResourceType::kScope, {scope("s3", "a"), scope("s4", "d")});
  EXPECT_EQ(built.nack_detail(), "s3: scope key conflict found, first scope is 's1', second scope is 's3'");
  EXPECT_TRUE(values_.scopes.contains("s4"));
  // The one that is refused keeps its key, and so is in the other's way.
  built = push(ResourceType::kScope, {scope("s1", "b"), scope("s5", "a")});
  EXPECT_EQ(built.rejected.size(), 2u) << built.nack_detail();
  EXPECT_EQ(push(ResourceType::kScope, {scope("s6", "q", "on_demand: false")}).nack_detail(),
            "s6: needs exactly one of route_configuration_name, route_configuration");
  built = build(values_, {ResourceType::kScope, {scope("s1", "z")}, {}, "/etc/scopes.yaml"}, context_);
  EXPECT_EQ(built.nack_detail(), "s1: is there already, from ADS");
}

TEST_F(SnapshotBuilderTest, RoutesByAMatcher) {
  const std::string host = R"(
name: r
virtual_hosts:
- name: v
  domains: ["*"]
  matcher:
    matcher_tree:
      input: {name: i, typed_config: {"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x}}
      exact_match_map:
        map:
          a: {action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.Route, name: one,
              match: {prefix: /}, direct_response: {status: 200}}}}
    on_no_match: {action: {name: l, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.RouteList, routes: [
        {name: two, match: {prefix: /2}, direct_response: {status: 200}}, {name: three, match: {prefix: /3}, direct_response: {status: 200}}]}}}
)";
  const Built built = push(ResourceType::kRoute, {routes(host)});
  ASSERT_TRUE(built.rejected.empty()) << built.nack_detail();
  const routing::RouteTable& table = *values_.routes.at("r");
  auto match = [&](std::string_view path, std::string_view value) {
    SlabPool pool;
    http::Head request(pool);
    request.set_method("GET");
    request.set_path(path);
    request.set_authority("h");
    if (!value.empty()) request.add("x", value);
    const routing::Route* found = table.match(request, 0);
    return found ? found->name : "none";
  };
  EXPECT_EQ(match("/2", "a"), "one");
  EXPECT_EQ(match("/2", "b"), "two");
  EXPECT_EQ(match("/3", ""), "three");
  EXPECT_EQ(match("/4", ""), "none");
}

}  // namespace
}  // namespace weft::config
