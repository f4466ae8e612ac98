// The HTTP connection manager, field by field (see listeners.h).
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.pb.h"
#include "envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.pb.h"
#include "envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"
#include "proxy/config/access_logs.h"
#include "proxy/config/attempt_filters.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/listeners.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/routes.h"
#include "proxy/config/scopes.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/matching/config.h"
#include "proxy/filters/missing_config.h"
#include "proxy/telemetry/access_log.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::config {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
namespace core = envoy::config::core::v3;
using Router = envoy::extensions::filters::http::router::v3::Router;
constexpr size_t kMaxFilters = 100;

namespace detection = envoy::extensions::http::original_ip_detection;
using EarlyMutation = envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;

// What the router may be told to refuse when it makes no sense.
constexpr http::HeaderId kStrictlyChecked[] = {
    http::HeaderId::kXEnvoyUpstreamRqTimeoutMs,
    http::HeaderId::kXEnvoyUpstreamRqPerTryTimeoutMs,
    http::HeaderId::kXEnvoyMaxRetries,
    http::HeaderId::kXEnvoyRetryGrpcOn,
    http::HeaderId::kXEnvoyRetryOn,
};

class ManagerBuilder {
 public:
  ManagerBuilder(const hcm::HttpConnectionManager& from, const BuildContext& context, const Where& where)
      : from_(from), context_(context), where_(where) {}

  std::shared_ptr<HttpConnectionManager> build(uint32_t buffer_limit) {
    to_->stat_prefix = from_.stat_prefix();
    protocols();
    set_buffer_limit(buffer_limit, to_->http1, to_->http2);
    routes();
    upgrades();
    to_->chain = chain(from_.http_filters(), where_, "http_filters");
    to_->access_logs = build_access_logs(from_.access_log(), context_, where_, "access_log");
    identity();
    forwarded();
    ip_detection();
    early_mutations();
    local_replies();
    proxy_status();
    times();
    return to_;
  }

 private:
  void protocols() {
    using From = hcm::HttpConnectionManager;
    to_->codec = from_.codec_type() == From::HTTP1   ? HttpConnectionManager::Codec::kHttp1
                 : from_.codec_type() == From::HTTP2 ? HttpConnectionManager::Codec::kHttp2
                                                     : HttpConnectionManager::Codec::kAuto;
    read_http1(from_.http_protocol_options(), to_->http1, Where(where_, "http_protocol_options"));
    // The codec's own word counts for more.
    to_->http2.stream_error_on_invalid_message = from_.stream_error_on_invalid_http_message().value();
    read_http2(from_.http2_protocol_options(), to_->http2, Where(where_, "http2_protocol_options"));
    if (from_.has_max_request_headers_kb())
      to_->http1.max_headers_kib = to_->http2.max_headers_kib = from_.max_request_headers_kb().value();
    if (to_->http2.max_field_kib > to_->http2.max_headers_kib)
      Where(Where(where_, "http2_protocol_options"), "max_header_field_size_kb").fail("must not exceed max_request_headers_kb");
    const core::HttpProtocolOptions& common = from_.common_http_protocol_options();
    if (common.has_max_headers_count()) to_->http1.max_headers_count = to_->http2.max_headers_count = common.max_headers_count().value();
    if (common.has_max_requests_per_connection()) to_->max_requests_per_connection = common.max_requests_per_connection().value();
    switch (common.headers_with_underscores_action()) {
      case core::HttpProtocolOptions::REJECT_REQUEST:
        to_->underscore_headers = HttpConnectionManager::UnderscoreHeaders::kRejectRequest;
        break;
      case core::HttpProtocolOptions::DROP_HEADER: to_->underscore_headers = HttpConnectionManager::UnderscoreHeaders::kDropHeader; break;
      default: break;
    }
    to_->proxy_100_continue = from_.proxy_100_continue();
  }

  void routes() {
    if (from_.has_rds()) {
      const Where at(where_, "rds");
      if (from_.rds().route_config_name().empty()) Where(at, "route_config_name").fail("must not be empty");
      to_->rds_name = from_.rds().route_config_name();
      if (!from_.rds().has_config_source()) return Where(at, "config_source").fail("is required");
      const auto source = config_source(from_.rds().config_source(), Where(at, "config_source"));
      if (!source) return;
      to_->rds_path = source->path;
      to_->rds_directory = source->watched_directory;
      to_->rds_fetch_timeout = source->initial_fetch_timeout;
      return;
    }
    if (from_.has_scoped_routes()) return build_scoped_routes(from_.scoped_routes(), context_, *to_, Where(where_, "scoped_routes"));
    if (!from_.has_route_config()) return;
    const Where at(where_, "route_config");
    const filters::FilterBuild build{context_.runtime, context_.registry, from_.stat_prefix(), context_.local_cluster};
    to_->routes = build_routes(from_.route_config(), build, at);
    // Unlike RDS, inline routes are checked unless told otherwise.
    const bool validate = !from_.route_config().has_validate_clusters() || from_.route_config().validate_clusters().value();
    if (to_->routes && validate) check_clusters(*to_->routes, context_, at);
  }

  void upgrades() {
    if (from_.upgrade_configs().empty()) return;
    auto to = std::make_shared<routing::Upgrades>();
    for (int i = 0; i < from_.upgrade_configs_size(); ++i) {
      const auto& upgrade = from_.upgrade_configs(i);
      if (routing::find_upgrade(to.get(), upgrade.upgrade_type()))
        Where(Where(where_, "upgrade_configs", i), "upgrade_type").fail("\"" + upgrade.upgrade_type() + "\" is there twice");
      to->push_back({upgrade.upgrade_type(), !upgrade.has_enabled() || upgrade.enabled().value()});
      if (!upgrade.filters().empty())
        to_->upgrade_chains.emplace_back(upgrade.upgrade_type(), chain(upgrade.filters(), Where(where_, "upgrade_configs", i), "filters"));
    }
    to_->upgrades = std::move(to);
  }

  // `where` is the message that has the list, as `field`.
  filters::ChainPlan chain(const google::protobuf::RepeatedPtrField<hcm::HttpFilter>& from, const Where& where, std::string_view field) {
    std::vector<std::unique_ptr<const filters::FilterFactory>> factories;
    std::vector<bool> disabled;
    filters::RouterOptions router;
    const int last = from.size() - 1;
    if (last < 0) return Where(where, field).fail("must have at least one item: the router, as the last"), filters::ChainPlan();
    if (static_cast<size_t>(last) >= kMaxFilters)
      return Where(where, field).fail("must have at most " + std::to_string(kMaxFilters) + " items"), filters::ChainPlan();
    for (int i = 0; i <= last; ++i) {
      const hcm::HttpFilter& filter = from[i];
      const Where at(where, field, i);
      const Where config(at, "typed_config");
      if (filter.has_config_discovery()) {
        if (i == last) at.fail("the last filter of the chain must be the router, found \"" + filter.name() + "\"");
        factories.push_back(discovered(filter, at));
        disabled.push_back(filter.disabled());
        continue;
      }
      if (!filter.has_typed_config()) {
        config.fail("is required for filter \"" + filter.name() + "\"");
        continue;
      }
      Router options;
      if (filter.typed_config().UnpackTo(&options)) {
        if (i != last) at.fail("the router (\"" + filter.name() + "\") must be the last filter of the chain");
        if (filter.disabled()) Where(at, "disabled").fail("must not be set on the router");
        router.suppress_envoy_headers = options.suppress_envoy_headers();
        router.respect_expected_rq_timeout = options.respect_expected_rq_timeout();
        router.suppress_grpc_failure_stats = options.suppress_grpc_request_failure_code_stats();
        router.upstream_logs = build_access_logs(options.upstream_log(), context_, Where(config, "(Router)"), "upstream_log");
        router.reject_early_connect_data = options.reject_connect_request_early_data().value();
        router.log_upstream_streams = options.upstream_log_options().flush_upstream_log_on_upstream_stream();
        router.upstream_log_interval = milliseconds(options.upstream_log_options().upstream_log_flush_interval());
        router.attempt_filters =
            attempt_plan(options.upstream_http_filters(), context_, Where(config, "(Router)"), "upstream_http_filters");
        strict_checks(options, router, Where(config, "(Router)"));
        continue;
      }
      if (i == last) at.fail("the last filter of the chain must be the router, found \"" + filter.name() + "\"");
      auto factory =
          make_filter(filter.name(), std::string(type_name(filter.typed_config().type_url())), filter.typed_config().value(), config);
      if (!factory) continue;
      factories.push_back(std::move(factory));
      disabled.push_back(filter.disabled());
    }
    return filters::ChainPlan(std::move(factories), router, disabled);
  }

  std::shared_ptr<filters::CompressionOffers> compressions_ = std::make_shared<filters::CompressionOffers>();
  std::unique_ptr<const filters::FilterFactory> make_filter(const std::string& name, const std::string& message, const std::string& bytes,
                                                            const Where& where) {
    const filters::HttpFilterType* type = filters::find_http_filter(message);
    if (!type) {
      where.unsupported("extension " + message + " is not supported here by this version");
      return nullptr;
    }
    const std::string inner = "(" + std::string(short_name(message)) + ")";
    const filters::FilterBuild build{context_.runtime, context_.registry, from_.stat_prefix(), context_.local_cluster, compressions_};
    return type->make(name, bytes, build, Where(where, inner));
  }

  // config_discovery: what ECDS has brought, else the default, else a filter that says what is missing.
  std::unique_ptr<const filters::FilterFactory> discovered(const hcm::HttpFilter& filter, const Where& where) {
    const core::ExtensionConfigSource& from = filter.config_discovery();
    const Where at(where, "config_discovery");
    ExtensionRef ref;
    ref.name = filter.name();
    for (const std::string& url : from.type_urls()) ref.types.emplace_back(type_name(url));
    for (int i = 0; i < from.type_urls_size(); ++i)
      if (!filters::find_http_filter(ref.types[static_cast<size_t>(i)]))
        Where(at, "type_urls", i).unsupported("extension " + ref.types[static_cast<size_t>(i)] + " is not supported here by this version");
    if (const auto source = config_source(from.config_source(), Where(at, "config_source"))) {
      ref.fetch_timeout = source->initial_fetch_timeout;
      ref.path = source->path;
      ref.watched_directory = source->watched_directory;
    }
    ref.awaited = !from.apply_default_config_without_warming();
    if (!ref.awaited && !from.has_default_config())
      Where(at, "apply_default_config_without_warming").fail("is set, but default_config is not");
    std::unique_ptr<const filters::FilterFactory> otherwise;
    if (from.has_default_config()) {
      const std::string type(type_name(from.default_config().type_url()));
      const Where field(at, "default_config");
      if (std::find(ref.types.begin(), ref.types.end(), type) == ref.types.end())
        field.fail("has type " + type + ", which is none of type_urls");
      otherwise = make_filter(filter.name(), type, from.default_config().value(), field);
    }
    const std::shared_ptr<const Extension> found = context_.extension ? context_.extension(ref.name) : nullptr;
    const bool fits = found && std::find(ref.types.begin(), ref.types.end(), found->type) != ref.types.end();
    to_->extensions.push_back(std::move(ref));
    if (fits)
      if (auto made = make_filter(filter.name(), found->type, found->bytes, at)) return made;
    return otherwise ? std::move(otherwise) : filters::missing_config(filter.name());
  }

  static void strict_checks(const Router& options, filters::RouterOptions& to, const Where& where) {
    for (int i = 0; i < options.strict_check_headers_size(); ++i) {
      const std::string& name = options.strict_check_headers(i);
      const auto* found = std::find_if(std::begin(kStrictlyChecked), std::end(kStrictlyChecked),
                                       [&](http::HeaderId id) { return http::name_of(id) == name; });
      if (found != std::end(kStrictlyChecked))
        to.strict_check_headers.push_back(*found);
      else
        Where(where, "strict_check_headers", i)
            .fail("must be one of the headers that are checked (x-envoy-retry-on, ...), found \"" + name + "\"");
    }
  }

  void ip_detection() {
    if (from_.original_ip_detection_extensions().empty()) return;
    if (from_.use_remote_address().value())
      Where(where_, "original_ip_detection_extensions").fail("must not be set beside use_remote_address");
    if (from_.xff_num_trusted_hops() > 0)
      Where(where_, "original_ip_detection_extensions").fail("must not be set beside xff_num_trusted_hops");
    for (int i = 0; i < from_.original_ip_detection_extensions_size(); ++i) {
      const google::protobuf::Any& any = from_.original_ip_detection_extensions(i).typed_config();
      const Where at(where_, "original_ip_detection_extensions", i);
      routing::IpDetection to;
      detection::xff::v3::XffConfig xff;
      detection::custom_header::v3::CustomHeaderConfig header;
      if (any.UnpackTo(&xff)) {
        to.trusted_hops = xff.xff_num_trusted_hops();
        if (xff.has_xff_trusted_cidrs() && to.trusted_hops > 0)
          at.fail("only one of xff_num_trusted_hops and xff_trusted_cidrs may be set");
        const Where cidrs(at, "xff_trusted_cidrs");
        for (int c = 0; c < xff.xff_trusted_cidrs().cidrs_size(); ++c)
          range(xff.xff_trusted_cidrs().cidrs(c), to.trusted, Where(cidrs, "cidrs", c));
        to.append = xff.has_skip_xff_append() && !xff.skip_xff_append().value();
      } else if (any.UnpackTo(&header)) {
        to.kind = routing::IpDetection::Kind::kHeader;
        to.header = header.header_name();
        std::transform(to.header.begin(), to.header.end(), to.header.begin(),
                       [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
        to.trust_address = header.allow_extension_to_set_address_as_trusted();
        const int status = header.reject_with_status().code();
        if (header.has_reject_with_status()) to.reject_status = status < 400 || status > 511 ? 403 : status;
      }
      to_->forwarded.ip_detection.push_back(std::move(to));
    }
  }

  void early_mutations() {
    for (int i = 0; i < from_.early_header_mutation_extensions_size(); ++i) {
      EarlyMutation mutation;
      if (!from_.early_header_mutation_extensions(i).typed_config().UnpackTo(&mutation)) continue;
      for (auto& step : filters::header_steps(mutation.mutations(), Where(where_, "early_header_mutation_extensions", i), "mutations"))
        to_->early_mutations.push_back(std::move(step));
    }
  }

  std::optional<BodyFormat> body_format(const core::SubstitutionFormatString& from, const Where& where) {
    auto made = filters::body_formatter(from, where);
    if (!made) return {};
    return BodyFormat{std::make_shared<const format::Formatter>(std::move(*made)), filters::content_type(from)};
  }

  void local_replies() {
    if (!from_.has_local_reply_config()) return;
    const Where where(where_, "local_reply_config");
    auto to = std::make_shared<LocalReplyConfig>();
    if (from_.local_reply_config().has_body_format())
      to->format = body_format(from_.local_reply_config().body_format(), Where(where, "body_format"));
    for (int i = 0; i < from_.local_reply_config().mappers_size(); ++i) {
      const hcm::ResponseMapper& mapper = from_.local_reply_config().mappers(i);
      const Where at(where, "mappers", i);
      LocalReplyConfig::Mapper one;
      one.filter = build_log_filter(mapper.filter(), context_.runtime, Where(at, "filter"));
      if (mapper.has_status_code()) one.status = static_cast<int>(mapper.status_code().value());
      if (mapper.has_body()) one.body = filters::data(mapper.body(), Where(at, "body"));
      if (mapper.has_body_format_override()) one.format = body_format(mapper.body_format_override(), Where(at, "body_format_override"));
      one.headers = filters::headers_to_add(mapper.headers_to_add(), at, "headers_to_add");
      to->mappers.push_back(std::move(one));
    }
    to_->local_reply = std::move(to);
  }

  void proxy_status() {
    if (!from_.has_proxy_status_config()) return;
    using From = hcm::HttpConnectionManager::ProxyStatusConfig;
    const From& from = from_.proxy_status_config();
    auto to = std::make_shared<ProxyStatus>();
    to->name = from.proxy_name_case() == From::kLiteralProxyName ? from.literal_proxy_name()
               : from.proxy_name_case() == From::kUseNodeId      ? context_.local_node
                                                                 : to_->server_name;
    to->details = !from.remove_details();
    to->flags = !from.remove_response_flags();
    to->recommended_code = from.set_recommended_response_code();
    to_->proxy_status = std::move(to);
  }

  void identity() {
    using From = hcm::HttpConnectionManager;
    if (!from_.server_name().empty()) to_->server_name = from_.server_name();
    to_->server_header = from_.server_header_transformation() == From::APPEND_IF_ABSENT
                             ? HttpConnectionManager::ServerHeader::kAppendIfAbsent
                         : from_.server_header_transformation() == From::PASS_THROUGH ? HttpConnectionManager::ServerHeader::kPassThrough
                                                                                      : HttpConnectionManager::ServerHeader::kOverwrite;
    to_->always_set_request_id_in_response = from_.always_set_request_id_in_response();
  }

  void forwarded() {
    using From = hcm::HttpConnectionManager;
    routing::ForwardedOptions& to = to_->forwarded;
    to.use_remote_address = from_.use_remote_address().value();
    to.xff_num_trusted_hops = from_.xff_num_trusted_hops();
    to.skip_xff_append = from_.skip_xff_append();
    to.append_x_forwarded_port = from_.append_x_forwarded_port();
    to.via = from_.via();
    to.add_user_agent = from_.add_user_agent().value();
    to.local_cluster = context_.local_cluster;
    to.local_node = context_.local_node;
    to.node_address = context_.node_address;
    to.client_cert = static_cast<routing::ForwardClientCert>(from_.forward_client_cert_details());
    const auto& details = from_.set_current_client_cert_details();
    to.client_cert_details = {details.subject().value(), details.cert(), details.chain(), details.dns(), details.uri()};
    to.scheme = from_.scheme_header_transformation().scheme_to_overwrite();
    to_->match_upstream_scheme = from_.scheme_header_transformation().match_upstream();
    if (from_.has_generate_request_id()) to.generate_request_id = from_.generate_request_id().value();
    to.preserve_external_request_id = from_.preserve_external_request_id();
    to.strip_trailing_host_dot = from_.strip_trailing_host_dot();
    if (from_.strip_any_host_port()) to.host_port = routing::ForwardedOptions::HostPort::kStripAny;
    if (from_.strip_matching_host_port()) {
      if (from_.strip_any_host_port()) Where(where_, "strip_matching_host_port").fail("must not be set beside strip_any_host_port");
      to.host_port = routing::ForwardedOptions::HostPort::kStripMatching;
    }
    const hcm::ForwardProtoConfig& ports = from_.forward_proto_config();
    to.https_ports.assign(ports.https_destination_ports().begin(), ports.https_destination_ports().end());
    to.http_ports.assign(ports.http_destination_ports().begin(), ports.http_destination_ports().end());
    for (int i = 0; i < from_.internal_address_config().cidr_ranges_size(); ++i) address_range(i);
    to.path.normalize = from_.normalize_path().value();
    to.path.merge_slashes = from_.merge_slashes();
    switch (from_.path_with_escaped_slashes_action()) {
      case From::REJECT_REQUEST: to.path.escaped_slashes = routing::EscapedSlashes::kReject; break;
      case From::UNESCAPE_AND_REDIRECT: to.path.escaped_slashes = routing::EscapedSlashes::kUnescapeAndRedirect; break;
      case From::UNESCAPE_AND_FORWARD: to.path.escaped_slashes = routing::EscapedSlashes::kUnescapeAndForward; break;
      default: break;
    }
  }

  void address_range(int index) {
    const Where list(where_, "internal_address_config");
    range(from_.internal_address_config().cidr_ranges(index), to_->forwarded.internal_addresses, Where(list, "cidr_ranges", index));
  }

  static void range(const core::CidrRange& range, std::vector<routing::AddressRange>& to, const Where& at) {
    if (auto made = filters::address_range(range.address_prefix(), range.prefix_len().value(), at)) to.push_back(*made);
  }

  void times() {
    const core::HttpProtocolOptions& common = from_.common_http_protocol_options();
    auto take = [](bool set, const google::protobuf::Duration& value, Milliseconds& field) {
      if (set) field = milliseconds(value);
    };
    take(common.has_idle_timeout(), common.idle_timeout(), to_->idle_timeout);
    take(common.has_max_connection_duration(), common.max_connection_duration(), to_->max_connection_duration);
    take(common.has_max_stream_duration(), common.max_stream_duration(), to_->max_stream_duration);
    take(from_.has_stream_idle_timeout(), from_.stream_idle_timeout(), to_->stream_idle_timeout);
    if (from_.has_stream_flush_timeout()) to_->stream_flush_timeout = milliseconds(from_.stream_flush_timeout());
    to_->max_connection_duration_jitter = common.max_connection_duration_jitter().value();
    to_->http1_safe_max_connection_duration = from_.http1_safe_max_connection_duration();
    to_->drain_timeout_jitter = from_.drain_timeout_jitter().value();
    take(from_.has_request_timeout(), from_.request_timeout(), to_->request_timeout);
    take(from_.has_request_headers_timeout(), from_.request_headers_timeout(), to_->request_headers_timeout);
    const bool newer = from_.access_log_options().has_access_log_flush_interval();
    take(newer || from_.has_access_log_flush_interval(),
         newer ? from_.access_log_options().access_log_flush_interval() : from_.access_log_flush_interval(), to_->log_interval);
    to_->log_tunnels = from_.access_log_options().flush_log_on_tunnel_successfully_established();
    to_->log_new_requests = from_.flush_access_log_on_new_request() || from_.access_log_options().flush_access_log_on_new_request();
    take(from_.has_drain_timeout(), from_.drain_timeout(), to_->drain_timeout);
    take(from_.has_delayed_close_timeout(), from_.delayed_close_timeout(), to_->delayed_close_timeout);
  }

  const hcm::HttpConnectionManager& from_;
  const BuildContext& context_;
  const Where& where_;
  std::shared_ptr<HttpConnectionManager> to_ = std::make_shared<HttpConnectionManager>();
};

}  // namespace

std::shared_ptr<const HttpConnectionManager> build_connection_manager(const hcm::HttpConnectionManager& from, uint32_t buffer_limit,
                                                                      const BuildContext& context, const Where& where,
                                                                      filters::NetworkFilters before) {
  const size_t problems = where.problems().size();
  auto to = ManagerBuilder(from, context, where).build(buffer_limit);
  to->before = std::move(before);
  return where.problems().size() == problems ? to : nullptr;
}

}  // namespace weft::config
