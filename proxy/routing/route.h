// A route, its virtual host and what they say about a request: plain immutable values, filled by the translation of the
// configuration and owned by a RouteTable. Rare parts hang on pointers, so that ten thousand plain routes stay small.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/format/filter_state.h"
#include "proxy/routing/hash_policy.h"
#include "proxy/routing/match_tree.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/metadata_matcher.h"
#include "proxy/routing/mutations.h"
#include "proxy/routing/retry_policy.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::routing {

using Milliseconds = std::chrono::milliseconds;

// What a route tells one filter (typed_per_filter_config); each filter derives its own.
struct FilterConfig {
  virtual ~FilterConfig() = default;
};
struct FilterOverride {
  std::string filter;                          // the filter instance's name
  std::shared_ptr<const FilterConfig> config;  // null when it is only switched on or off
  bool disabled = false;                       // config.route.v3.FilterConfig.disabled
};
using FilterOverrides = std::vector<FilterOverride>;

struct RateLimitRule;  // rate_limit.h
using RateLimitRules = std::vector<RateLimitRule>;

enum class Priority : uint8_t { kDefault, kHigh };
enum class TlsRequirement : uint8_t { kNone, kExternalOnly, kAll };

struct WeightedCluster {
  std::string cluster;         // or
  std::string cluster_header;  // the request header that names it
  uint32_t weight = 0;
  std::string host_rewrite;  // host_rewrite_literal; empty: as the route says
  std::shared_ptr<const HeaderMutations> mutations;
  std::shared_ptr<const FilterOverrides> filters;
};

struct WeightedClusters {
  std::vector<WeightedCluster> clusters;
  uint64_t total_weight = 0;  // RouteTable::build sums it
  std::string random_header;  // header_name: its value, if a number, is the random value
  bool by_hash = false;       // use_hash_policy: the number of the route's hash policy is
};

// config.route.v3.RouteAction.RequestMirrorPolicy: a copy of the request, whose fate is nobody's concern.
struct MirrorPolicy {
  std::string cluster;         // or
  std::string cluster_header;  // the request header that names it
  Fraction fraction;
  bool keep_host = false;  // disable_shadow_host_suffix_append
  std::string host;        // host_rewrite_literal
  std::vector<HeaderStep> mutations;
};
using MirrorPolicies = std::vector<MirrorPolicy>;

// config.route.v3.InternalRedirectPolicy: a redirect of the upstream's that the proxy follows itself.
struct InternalRedirect {
  uint32_t most = 1;  // in a row
  std::vector<int> codes{302};
  bool cross_scheme = false;
  std::vector<std::string> copy;  // response_headers_to_copy, in lower case
  // Predicates on the route that the redirect leads to.
  bool never_twice = false;                                // previous_routes
  bool no_downgrade = false;                               // safe_cross_scheme
  std::optional<std::vector<std::string>> allowed_routes;  // allow_listed_routes
  bool follows(int status) const;
};

// How path and authority change on the way upstream; at most one of each kind is set.
struct Rewrite {
  std::string prefix;                                    // prefix_rewrite
  RegexRewrite path_regex;                               // regex_rewrite; path_rewrite_policy
  std::shared_ptr<const format::Formatter> path_format;  // path_rewrite
  std::string host;                                      // host_rewrite_literal
  std::string host_header;                               // host_rewrite_header
  RegexRewrite host_path_regex;                          // host_rewrite_path_regex
  std::shared_ptr<const format::Formatter> host_format;  // host_rewrite
  bool auto_host = false;                                // the chosen endpoint's hostname
  bool append_x_forwarded_host = false;
};

// What requests may switch to: upgrade_configs, of a connection manager or of a route, which wins.
struct Upgrade {
  std::string type;  // "websocket", or "CONNECT" for that method; case is ignored
  bool enabled = true;
  bool terminates = false;  // connect_config: CONNECT ends here, its bytes go to a host of the cluster
  bool takes_post = false;  // connect_config.allow_post: so does the body of a POST
};
using Upgrades = std::vector<Upgrade>;
const Upgrade* find_upgrade(const Upgrades* upgrades, std::string_view type);
// A request that is no CONNECT goes to its host as plain TCP all the same.
bool takes_post(const Upgrades& upgrades, std::string_view method);

// config.route.v3.RouteAction.
struct Forward {
  std::string cluster;  // one of these three
  std::string cluster_header;
  std::shared_ptr<WeightedClusters> weighted;
  std::shared_ptr<const Rewrite> rewrite;
  std::shared_ptr<const RetryPolicy> retry;       // null: the virtual host's
  std::optional<bool> hedge_on_per_try_timeout;   // hedge_policy; unset: as the virtual host says
  std::shared_ptr<const MirrorPolicies> mirrors;  // null: the virtual host's
  std::shared_ptr<const InternalRedirect> internal_redirect;
  std::shared_ptr<const HashPolicy> hash_policy;  // for clusters that hash; null: a host by chance
  Milliseconds timeout{15'000};                   // 0: none
  std::optional<Milliseconds> idle_timeout;       // replaces the connection manager's stream_idle_timeout; 0: none
  std::optional<Milliseconds> max_grpc_timeout;   // set: grpc-timeout replaces `timeout`, at most this (0: unbounded)
  std::optional<Milliseconds> grpc_timeout_offset;
  // max_stream_duration
  std::optional<Milliseconds> max_stream_duration;  // 0: none
  std::optional<Milliseconds> grpc_timeout_header_max;
  std::optional<Milliseconds> grpc_timeout_header_offset;
  std::shared_ptr<const RateLimitRules> rate_limits;  // null: none
  bool include_virtual_host_rate_limits = false;      // beside them, whatever the filters say
  std::shared_ptr<const Upgrades> upgrades;           // null: as the connection manager says
  Priority priority = Priority::kDefault;
  uint16_t cluster_not_found_status = 503;
};

// config.route.v3.RedirectAction.
struct Redirect {
  std::string host;
  std::string scheme;  // scheme_redirect; https_redirect is "https"
  uint32_t port = 0;
  std::string path;  // one of these four; a path_redirect or path_rewrite with "?" brings its own query
  std::string prefix_rewrite;
  RegexRewrite regex_rewrite;
  std::shared_ptr<const format::Formatter> path_format;  // path_rewrite
  bool strip_query = false;
  uint16_t status = 301;
};

struct DirectResponse {
  uint16_t status = 200;
  std::string body;
  std::shared_ptr<const format::Formatter> format;  // of the body; null: as it is
  std::string content_type;                         // with `format`
};

struct VirtualHost;

// What a route may match on, beside the head and chance.
struct Circumstances {
  const format::Metadata* metadata = nullptr;                         // null: nothing has been noted
  const format::FilterState* filter_state = nullptr;                  // likewise
  bool certificate_presented = false, certificate_validated = false;  // of the client
};

// type.matcher.v3.FilterStateMatcher.
struct FilterStateMatcher {
  std::string key;
  StringMatcher value;
  bool matches(const format::FilterState* state) const;
};

// Conditions that few routes have.
struct RareConditions {
  std::vector<MetadataMatcher> metadata;
  std::vector<FilterStateMatcher> filter_state;
  std::vector<CookieMatcher> cookies;
  std::optional<bool> certificate_presented, certificate_validated;  // tls_context
  bool match(const http::Head& head, const Circumstances& circumstances) const;
};

// A name under which requests are counted (config.route.v3.VirtualCluster, Route.stat_prefix).
using CountingScope = std::shared_ptr<observe::Scope>;  // observe::VirtualHostStat; null when only validating

struct VirtualCluster {
  std::string name;
  std::vector<HeaderMatcher> headers;
  CountingScope stats;
};
struct VirtualClusters {
  std::vector<VirtualCluster> clusters;
  CountingScope other;  // of what fits none
};

struct Route {
  std::string name;
  // What must all hold.
  PathMatcher path;
  std::vector<HeaderMatcher> headers;
  std::vector<QueryMatcher> query;
  Fraction fraction;
  bool grpc_only = false;
  std::shared_ptr<const RareConditions> rare;

  std::variant<std::shared_ptr<const Forward>, std::shared_ptr<const Redirect>, std::shared_ptr<const DirectResponse>> action;
  std::shared_ptr<const HeaderMutations> mutations;
  std::shared_ptr<const FilterOverrides> filters;
  std::string stat_prefix;
  CountingScope stats;                                // of stat_prefix
  std::string decorator;                              // tracing operation
  std::optional<uint64_t> request_body_buffer_limit;  // for retries; else the virtual host's, else the listener's
  std::shared_ptr<const format::Metadata> metadata;   // filter_metadata of its configuration; null: none

  const VirtualHost* virtual_host = nullptr;  // set by RouteTable::build
  uint32_t order = 0;                         // set by RouteTable::build

  const Forward* forward() const {
    auto* p = std::get_if<std::shared_ptr<const Forward>>(&action);
    return p ? p->get() : nullptr;
  }
  const Redirect* redirect() const {
    auto* p = std::get_if<std::shared_ptr<const Redirect>>(&action);
    return p ? p->get() : nullptr;
  }
  const DirectResponse* direct_response() const {
    auto* p = std::get_if<std::shared_ptr<const DirectResponse>>(&action);
    return p ? p->get() : nullptr;
  }
  // `plain`: the head's path as path_specifier sees it.
  bool matches(const http::Head& head, std::string_view plain, uint64_t random, const Circumstances& circumstances) const;
};

class RouteIndex;
class RouteTable;

// A leaf of a virtual host's matcher: so many of its routes, from that one on.
struct RouteRange : MatchAction {
  uint32_t first = 0, count = 0;
};

struct VirtualHost {
  std::string name;
  std::vector<std::string> domains;
  std::vector<Route> routes;
  TlsRequirement require_tls = TlsRequirement::kNone;
  std::shared_ptr<const MatchTree> matcher;        // leads to a RouteRange, whose routes come into question; null: all do, in order
  std::shared_ptr<const RetryPolicy> retry;        // for routes that have none
  bool hedge_on_per_try_timeout = false;           // hedge_policy, for routes that have none
  bool include_request_attempt_count = false;      // x-envoy-attempt-count upstream
  bool include_attempt_count_in_response = false;  // and downstream
  bool include_is_timeout_retry_header = false;    // x-envoy-is-timeout-retry
  std::shared_ptr<const HeaderMutations> mutations;
  std::shared_ptr<const FilterOverrides> filters;
  std::optional<uint64_t> request_body_buffer_limit;
  std::shared_ptr<const RateLimitRules> rate_limits;  // for filters that let it speak; null: none
  std::shared_ptr<const MirrorPolicies> mirrors;      // for routes that have none; null: the route configuration's
  std::shared_ptr<const VirtualClusters> virtual_clusters;
  std::shared_ptr<const RouteIndex> index;  // set by RouteTable::build where there are many routes

  const RouteTable* table = nullptr;  // set by RouteTable::build
};

// --- what a matched route says ---
// What chooses among weighted clusters: the hash of the request if the route wants that and there is one, else `random`.
uint64_t weighted_point(const Forward& forward, const http::Head& request, const format::RequestInfo& info, uint64_t random);
// The cluster's entry that `random` falls into; null when the route has no weighted clusters.
const WeightedCluster* pick_weighted(const Forward& forward, const http::Head& request, uint64_t random);
// The cluster's name, which may stand in a request header; empty: there is none (the answer is cluster_not_found_status).
std::string_view cluster_name(const Forward& forward, const WeightedCluster* weighted, const http::Head& request);
// The policy of route or virtual host; null: no retries but those that request headers ask for.
const RetryPolicy* retry_policy(const Route& route);
// Whether an attempt that takes too long goes on beside the next one.
bool hedges(const Route& route);
// The mirror policies of the most specific level that has some; null: none.
const MirrorPolicies* mirror_policies(const Route& route);
// The host that a mirrored request names: the suffix goes before the port.
std::string shadow_host(std::string_view authority);
// The first virtual cluster that the request fits; null: there are none, or it fits none.
const VirtualCluster* virtual_cluster(const Route& route, const http::Head& request);
// What weighted cluster, route, virtual host and route configuration (in that order, the first that says anything) tell the
// filter of that name; null: nothing.
const FilterOverride* filter_override(const Route& route, const WeightedCluster* weighted, std::string_view filter);
// What each of these levels tells it, for a filter that joins them; the most specific first.
struct FilterConfigs {
  std::array<const FilterConfig*, 4> levels{};
  unsigned size = 0;
  const FilterConfig* const* begin() const { return levels.data(); }
  const FilterConfig* const* end() const { return levels.data() + size; }
};
FilterConfigs filter_configs(const Route& route, const WeightedCluster* weighted, std::string_view filter);

}  // namespace weft::routing
