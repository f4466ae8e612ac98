#include "proxy/config/clusters.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "proxy/config/attempt_filters.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/connect_options.h"
#include "proxy/config/endpoints.h"
#include "proxy/config/hash_policies.h"
#include "proxy/config/names.h"
#include "proxy/config/proto_loader.h"

#include <algorithm>

namespace weft::config {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace core = envoy::config::core::v3;
namespace lb = envoy::extensions::load_balancing_policies;
using Options = envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using upstream::ClusterConfig;
using upstream::HashingOptions;

template <class Wrapper, class Field>
void take(bool set, const Wrapper& value, Field& field) {
  if (set) field = value.value();
}

bool is_prime(uint64_t number) {
  for (uint64_t divisor = 2; divisor * divisor <= number; ++divisor)
    if (number % divisor == 0) return false;
  return number > 1;
}

class ClusterBuilder {
 public:
  ClusterBuilder(const cluster_v3::Cluster& from, const BuildContext& context, const Where& where)
      : from_(from), context_(context), where_(where) {}

  std::shared_ptr<ClusterConfig> build() {
    out_->name = from_.name();
    out_->alt_stat_name = from_.alt_stat_name();
    if (from_.has_connect_timeout()) out_->connect_timeout = milliseconds(from_.connect_timeout());
    discovery();
    balancing();
    circuit_breakers();
    if (from_.has_outlier_detection()) outlier();
    protocol();
    take(from_.has_per_connection_buffer_limit_bytes(), from_.per_connection_buffer_limit_bytes(), out_->buffer_limit);
    set_buffer_limit(out_->buffer_limit, out_->http1, out_->http2);
    connecting();
    return out_;
  }

 private:
  void discovery() {
    if (from_.type() == cluster_v3::Cluster::EDS) {
      out_->discovery = ClusterConfig::Discovery::kEds;
      const Where at(where_, "eds_cluster_config");
      if (!from_.has_eds_cluster_config() || !from_.eds_cluster_config().has_eds_config())
        return Where(at, "eds_config").fail("is required for an EDS cluster");
      if (from_.has_load_assignment()) Where(where_, "load_assignment").fail("must not be set for an EDS cluster");
      out_->eds_service_name = from_.eds_cluster_config().service_name();
      const auto source = config_source(from_.eds_cluster_config().eds_config(), Where(at, "eds_config"));
      if (!source) return;
      out_->eds_fetch_timeout = source->initial_fetch_timeout;
      out_->eds_over_ads = source->kind == ConfigSource::Kind::kAds;
      out_->eds_path = source->path;
      return;
    }
    if (from_.has_eds_cluster_config()) Where(where_, "eds_cluster_config").fail("set in a cluster whose type is not EDS");
    if (from_.has_cluster_type()) return extension_type();
    if (from_.type() == cluster_v3::Cluster::ORIGINAL_DST) return original_destination();
    if (from_.type() == cluster_v3::Cluster::STRICT_DNS || from_.type() == cluster_v3::Cluster::LOGICAL_DNS) {
      out_->discovery = ClusterConfig::Discovery::kNames;
      out_->naming = build_naming(from_, context_.resolver, where_);
      return;
    }
    const Where at(where_, "load_assignment");
    auto set = build_endpoints(from_.load_assignment(), at);
    if (!set) return;
    if (set->cluster_name.empty()) {  // without load_assignment: a cluster without hosts
      auto named = std::make_shared<upstream::EndpointSet>(*set);
      named->cluster_name = from_.name();
      set = named;
    }
    out_->endpoints = std::move(set);
  }

  void extension_type() {
    const Where at(where_, "cluster_type");
    const Where config(at, "typed_config");
    envoy::extensions::clusters::dns::v3::DnsCluster dns;
    if (!from_.cluster_type().typed_config().UnpackTo(&dns)) return config.unsupported("is no cluster type that this version knows");
    out_->discovery = ClusterConfig::Discovery::kNames;
    out_->naming = build_naming(from_, dns, context_.resolver, where_, Where(config, "(DnsCluster)"));
  }

  void original_destination() {
    out_->discovery = ClusterConfig::Discovery::kOriginalDestination;
    const Where at(where_, "original_dst_lb_config");
    if (from_.load_assignment().endpoints_size() > 0)
      Where(where_, "load_assignment").fail("must not be set for an ORIGINAL_DST cluster: its hosts are where its clients want to go");
    auto to = std::make_shared<upstream::OriginalDestination>();
    const cluster_v3::Cluster::OriginalDstLbConfig& from = from_.original_dst_lb_config();
    if (from.use_http_header())
      to->header = from.http_header_name().empty() ? "x-envoy-original-dst-host" : from.http_header_name();
    else if (!from.http_header_name().empty())
      Where(at, "http_header_name").fail("needs use_http_header");
    std::transform(to->header.begin(), to->header.end(), to->header.begin(),
                   [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (from.has_upstream_port_override()) to->port = static_cast<uint16_t>(from.upstream_port_override().value());
    to->metadata_space = from.metadata_key().key();
    for (const auto& segment : from.metadata_key().path()) to->metadata_path.push_back(segment.key());
    if (from_.has_cleanup_interval()) to->cleanup = milliseconds(from_.cleanup_interval());
    out_->original = std::move(to);
  }

  // CLUSTER_PROVIDED, and nothing else, for a cluster that knows its hosts by itself.
  void provided(const Where& at) {
    if (out_->discovery != ClusterConfig::Discovery::kOriginalDestination) return at.fail("is for clusters of type ORIGINAL_DST alone");
    out_->policy = ClusterConfig::Policy::kOriginalDestination;
  }

  void balancing() {
    if (from_.has_common_lb_config() && from_.common_lb_config().has_healthy_panic_threshold())
      out_->panic_threshold = from_.common_lb_config().healthy_panic_threshold().value();
    const Where common(where_, "common_lb_config");
    const Where by_locality(common, "locality_weighted_lb_config");
    if (from_.has_load_balancing_policy()) {
      if (from_.common_lb_config().has_locality_weighted_lb_config()) by_locality.fail("must not be set beside load_balancing_policy");
      if (from_.common_lb_config().has_consistent_hashing_lb_config())
        Where(common, "consistent_hashing_lb_config").fail("must not be set beside load_balancing_policy");
      return policy_list();
    }
    if (out_->discovery == ClusterConfig::Discovery::kOriginalDestination && from_.lb_policy() != cluster_v3::Cluster::CLUSTER_PROVIDED)
      return Where(where_, "lb_policy").fail("must be CLUSTER_PROVIDED for an ORIGINAL_DST cluster");
    switch (from_.lb_policy()) {
      case cluster_v3::Cluster::ROUND_ROBIN: out_->policy = ClusterConfig::Policy::kRoundRobin; break;
      case cluster_v3::Cluster::LEAST_REQUEST: out_->policy = ClusterConfig::Policy::kLeastRequest; break;
      case cluster_v3::Cluster::RANDOM: out_->policy = ClusterConfig::Policy::kRandom; break;
      case cluster_v3::Cluster::RING_HASH: return ring_hash();
      case cluster_v3::Cluster::MAGLEV: return maglev();
      case cluster_v3::Cluster::CLUSTER_PROVIDED: return provided(Where(where_, "lb_policy"));
      default: Where(where_, "load_balancing_policy").fail("is required for lb_policy LOAD_BALANCING_POLICY_CONFIG"); return;
    }
    if (from_.common_lb_config().has_locality_weighted_lb_config())
      by_locality.unsupported("is supported with RING_HASH and MAGLEV only by this version");
    // What is said for another policy than the chosen one has no effect, as in Envoy.
    if (out_->policy == ClusterConfig::Policy::kLeastRequest && from_.has_least_request_lb_config())
      least_request(from_.least_request_lb_config());
  }

  template <class Message>
  void least_request(const Message& from) {
    take(from.has_choice_count(), from.choice_count(), out_->choice_count);
    if (from.has_active_request_bias())
      out_->active_request_bias =
          context_.runtime.real(from.active_request_bias().runtime_key(), from.active_request_bias().default_value());
  }

  // RING_HASH as a value of lb_policy: its options stand in two places.
  void ring_hash() {
    const cluster_v3::Cluster::RingHashLbConfig& from = from_.ring_hash_lb_config();
    HashingOptions to = common_hashing();
    take(from.has_minimum_ring_size(), from.minimum_ring_size(), to.minimum_ring_size);
    take(from.has_maximum_ring_size(), from.maximum_ring_size(), to.maximum_ring_size);
    if (from.hash_function() == cluster_v3::Cluster::RingHashLbConfig::MURMUR_HASH_2) to.function = HashingOptions::Function::kMurmurHash2;
    hashing(ClusterConfig::Policy::kRingHash, std::move(to), Where(where_, "ring_hash_lb_config"));
  }

  void maglev() {
    HashingOptions to = common_hashing();
    take(from_.maglev_lb_config().has_table_size(), from_.maglev_lb_config().table_size(), to.table_size);
    hashing(ClusterConfig::Policy::kMaglev, std::move(to), Where(where_, "maglev_lb_config"));
  }

  HashingOptions common_hashing() const {
    const auto& from = from_.common_lb_config().consistent_hashing_lb_config();
    HashingOptions to;
    take(from.has_hash_balance_factor(), from.hash_balance_factor(), to.balance_factor);
    to.by_hostname = from.use_hostname_for_hashing();
    to.by_locality = from_.common_lb_config().has_locality_weighted_lb_config();
    return to;
  }

  // The same as extensions.
  void ring_hash(const lb::ring_hash::v3::RingHash& from, const Where& at) {
    HashingOptions to;
    to.by_hostname = from.use_hostname_for_hashing();
    take(from.has_hash_balance_factor(), from.hash_balance_factor(), to.balance_factor);
    take_common(from, to, at);
    take(from.has_minimum_ring_size(), from.minimum_ring_size(), to.minimum_ring_size);
    take(from.has_maximum_ring_size(), from.maximum_ring_size(), to.maximum_ring_size);
    if (from.hash_function() == lb::ring_hash::v3::RingHash::MURMUR_HASH_2) to.function = HashingOptions::Function::kMurmurHash2;
    hashing(ClusterConfig::Policy::kRingHash, std::move(to), at);
  }

  void maglev(const lb::maglev::v3::Maglev& from, const Where& at) {
    HashingOptions to;
    take_common(from, to, at);
    take(from.has_table_size(), from.table_size(), to.table_size);
    hashing(ClusterConfig::Policy::kMaglev, std::move(to), at);
  }

  template <class Message>
  void take_common(const Message& from, HashingOptions& to, const Where& at) {
    to.by_locality = from.has_locality_weighted_lb_config();
    if (!from.has_consistent_hashing_lb_config()) return;
    const auto& common = from.consistent_hashing_lb_config();
    to.by_hostname = common.use_hostname_for_hashing();
    to.balance_factor = common.hash_balance_factor().value();
    to.policy = hash_policy(common.hash_policy(), Where(at, "consistent_hashing_lb_config"));
  }

  void hashing(ClusterConfig::Policy policy, HashingOptions options, const Where& at) {
    if (options.minimum_ring_size > options.maximum_ring_size)
      Where(at, "minimum_ring_size")
          .fail("must not be greater than maximum_ring_size (" + std::to_string(options.maximum_ring_size) + "), found " +
                std::to_string(options.minimum_ring_size));
    if (!is_prime(options.table_size)) Where(at, "table_size").fail("must be a prime number, found " + std::to_string(options.table_size));
    options.home = context_.locality;
    out_->policy = policy;
    out_->hashing = std::make_shared<const HashingOptions>(std::move(options));
  }

  // The first policy that is known would do; the tables have refused the others already.
  void policy_list() {
    const Where at(where_, "load_balancing_policy");
    if (from_.load_balancing_policy().policies().empty()) return Where(at, "policies").fail("must have at least one item");
    const core::TypedExtensionConfig& extension = from_.load_balancing_policy().policies(0).typed_extension_config();
    const Where config(at, "policies", 0);
    const google::protobuf::Any& any = extension.typed_config();
    const Where inside(config, "typed_extension_config");
    if (any.Is<lb::cluster_provided::v3::ClusterProvided>()) return provided(inside);
    if (out_->discovery == ClusterConfig::Discovery::kOriginalDestination)
      return inside.fail("must be envoy.load_balancing_policies.cluster_provided for an ORIGINAL_DST cluster");
    lb::least_request::v3::LeastRequest least;
    lb::ring_hash::v3::RingHash ring;
    lb::maglev::v3::Maglev table;
    if (any.Is<lb::round_robin::v3::RoundRobin>()) {
      out_->policy = ClusterConfig::Policy::kRoundRobin;
    } else if (any.Is<lb::random::v3::Random>()) {
      out_->policy = ClusterConfig::Policy::kRandom;
    } else if (any.UnpackTo(&least)) {
      out_->policy = ClusterConfig::Policy::kLeastRequest;
      least_request(least);
    } else if (any.UnpackTo(&ring)) {
      ring_hash(ring, Where(inside, "typed_config.(RingHash)"));
    } else if (any.UnpackTo(&table)) {
      maglev(table, Where(inside, "typed_config.(Maglev)"));
    } else {
      inside.unsupported("extension " + std::string(type_name(any.type_url())) + " is not supported by this version");
    }
  }

  void circuit_breakers() {
    for (const auto& from : from_.circuit_breakers().thresholds()) {
      upstream::Thresholds& to = out_->thresholds[from.priority() == core::HIGH ? 1 : 0];
      take(from.has_max_connections(), from.max_connections(), to.max_connections);
      take(from.has_max_pending_requests(), from.max_pending_requests(), to.max_pending_requests);
      take(from.has_max_requests(), from.max_requests(), to.max_requests);
      take(from.has_max_retries(), from.max_retries(), to.max_retries);
      to.track_remaining = from.track_remaining();
      if (from.has_retry_budget()) {
        upstream::Thresholds::RetryBudget budget;
        if (from.retry_budget().has_budget_percent()) budget.budget_percent = from.retry_budget().budget_percent().value();
        take(from.retry_budget().has_min_retry_concurrency(), from.retry_budget().min_retry_concurrency(), budget.min_retry_concurrency);
        to.retry_budget = budget;
      }
    }
  }

  void outlier() {
    const cluster_v3::OutlierDetection& from = from_.outlier_detection();
    upstream::OutlierOptions to;
    take(from.has_consecutive_5xx(), from.consecutive_5xx(), to.consecutive_5xx);
    take(from.has_consecutive_gateway_failure(), from.consecutive_gateway_failure(), to.consecutive_gateway_failure);
    take(from.has_consecutive_local_origin_failure(), from.consecutive_local_origin_failure(), to.consecutive_local_origin_failure);
    take(from.has_enforcing_consecutive_5xx(), from.enforcing_consecutive_5xx(), to.enforcing_consecutive_5xx);
    take(from.has_enforcing_consecutive_gateway_failure(), from.enforcing_consecutive_gateway_failure(),
         to.enforcing_consecutive_gateway_failure);
    take(from.has_enforcing_consecutive_local_origin_failure(), from.enforcing_consecutive_local_origin_failure(),
         to.enforcing_consecutive_local_origin_failure);
    take(from.has_max_ejection_percent(), from.max_ejection_percent(), to.max_ejection_percent);
    to.split_external_local_origin_errors = from.split_external_local_origin_errors();
    if (from.has_interval()) to.interval = milliseconds(from.interval());
    if (from.has_base_ejection_time()) to.base_ejection_time = milliseconds(from.base_ejection_time());
    // As Envoy: not below the base.
    to.max_ejection_time =
        from.has_max_ejection_time() ? milliseconds(from.max_ejection_time()) : std::max(to.base_ejection_time, to.max_ejection_time);
    if (to.max_ejection_time < to.base_ejection_time)
      Where(Where(where_, "outlier_detection"), "max_ejection_time").fail("must be at least base_ejection_time");
    if (from.has_max_ejection_time_jitter()) to.max_ejection_time_jitter = milliseconds(from.max_ejection_time_jitter());
    to.always_eject_one_host = from.always_eject_one_host().value();
    out_->outlier = to;
  }

  void common_options(const core::HttpProtocolOptions& from, const Where& at) {
    if (from.has_idle_timeout()) out_->idle_timeout = milliseconds(from.idle_timeout());
    if (from.has_max_connection_duration()) out_->max_connection_duration = milliseconds(from.max_connection_duration());
    take(from.has_max_requests_per_connection(), from.max_requests_per_connection(), out_->max_requests_per_connection);
    take(from.has_max_headers_count(), from.max_headers_count(), out_->http1.max_headers_count);
    out_->http2.max_headers_count = out_->http1.max_headers_count;
    if (from.has_max_stream_duration()) out_->max_stream_duration = milliseconds(from.max_stream_duration());
    if (from.has_max_response_headers_kb())
      out_->http1.max_headers_kib = out_->http2.max_headers_kib = from.max_response_headers_kb().value();
    if (from.headers_with_underscores_action() != core::HttpProtocolOptions::ALLOW)
      Where(at, "headers_with_underscores_action").fail("concerns requests and has no effect in a cluster");
  }

  // The extension, or the fields that stood in its place before it came.
  void protocol() {
    const bool legacy = from_.has_common_http_protocol_options() || from_.has_http_protocol_options() || from_.has_http2_protocol_options();
    take(from_.has_max_requests_per_connection(), from_.max_requests_per_connection(), out_->max_requests_per_connection);
    const std::string key = Options::descriptor()->full_name();
    for (const auto& [name, any] : from_.typed_extension_protocol_options()) {
      const std::string field = "typed_extension_protocol_options[\"" + name + "\"]";
      const Where at(where_, field);
      if (name != key) {
        at.unsupported("options of \"" + name + "\" are not supported by this version; supported: " + key);
        continue;
      }
      Options options;
      if (!any.UnpackTo(&options)) {
        at.fail("holds no " + key);
        continue;
      }
      if (legacy) Where(where_, "http_protocol_options").fail("must not be set beside typed_extension_protocol_options");
      const Where inside(at, "(HttpProtocolOptions)");
      common_options(options.common_http_protocol_options(), Where(inside, "common_http_protocol_options"));
      out_->attempt_filters = attempt_plan(options.http_filters(), context_, inside, "http_filters");
      if (options.has_use_downstream_protocol_config()) {
        out_->protocol = ClusterConfig::Protocol::kAsDownstream;
        const Where part(inside, "use_downstream_protocol_config");
        read_http1(options.use_downstream_protocol_config().http_protocol_options(), out_->http1, Where(part, "http_protocol_options"));
        read_http2(options.use_downstream_protocol_config().http2_protocol_options(), out_->http2, Where(part, "http2_protocol_options"));
      } else if (options.explicit_http_config().has_http2_protocol_options()) {
        out_->protocol = ClusterConfig::Protocol::kHttp2;
        const Where part(inside, "explicit_http_config");
        read_http2(options.explicit_http_config().http2_protocol_options(), out_->http2, Where(part, "http2_protocol_options"));
      } else if (options.has_auto_config()) {
        Where(inside, "auto_config").fail("needs a transport socket that negotiates ALPN, and the cluster has none");
        out_->protocol = ClusterConfig::Protocol::kAuto;
      } else {
        const Where part(inside, "explicit_http_config");
        read_http1(options.explicit_http_config().http_protocol_options(), out_->http1, Where(part, "http_protocol_options"));
      }
    }
    if (!legacy) return;
    common_options(from_.common_http_protocol_options(), Where(where_, "common_http_protocol_options"));
    read_http1(from_.http_protocol_options(), out_->http1, Where(where_, "http_protocol_options"));
    if (from_.has_http2_protocol_options()) {
      out_->protocol = ClusterConfig::Protocol::kHttp2;
      read_http2(from_.http2_protocol_options(), out_->http2, Where(where_, "http2_protocol_options"));
    }
  }

  void connecting() {
    const cluster_v3::UpstreamConnectionOptions& from = from_.upstream_connection_options();
    if (from.has_tcp_keepalive()) out_->connect.keepalive = tcp_keepalive(from.tcp_keepalive());
    out_->connect.bind = context_.bind;
    if (from_.has_upstream_bind_config())
      out_->connect.bind = bind_options(from_.upstream_bind_config(), Where(where_, "upstream_bind_config"));
    using Options = cluster_v3::UpstreamConnectionOptions;
    using First = upstream::AddressOrder::First;
    const Options::HappyEyeballsConfig& order = from.happy_eyeballs_config();
    if (order.first_address_family_version() == Options::V4) out_->address_order.family = First::kV4;
    if (order.first_address_family_version() == Options::V6) out_->address_order.family = First::kV6;
    if (order.has_first_address_family_count()) out_->address_order.count = order.first_address_family_count().value();
  }

  const cluster_v3::Cluster& from_;
  const BuildContext& context_;
  const Where& where_;
  std::shared_ptr<ClusterConfig> out_ = std::make_shared<ClusterConfig>();
};

}  // namespace

upstream::LocalityName locality_name(const core::Locality& from) { return {from.region(), from.zone(), from.sub_zone()}; }

std::shared_ptr<const ClusterConfig> build_cluster(const cluster_v3::Cluster& from, uint64_t hash, const BuildContext& context,
                                                   const Where& where) {
  const size_t before = where.problems().size();
  std::shared_ptr<ClusterConfig> out = ClusterBuilder(from, context, where).build();
  out->hash = hash;
  return where.problems().size() == before ? out : nullptr;
}

}  // namespace weft::config
