// The HTTP connection manager, field by field (see listeners.h).
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"
#include "proxy/config/access_logs.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/listeners.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/routes.h"
#include "proxy/filters/missing_config.h"

#include <google/protobuf/wrappers.pb.h>

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace weft::config {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
namespace core = envoy::config::core::v3;
using Router = envoy::extensions::filters::http::router::v3::Router;
constexpr size_t kMaxFilters = 100;

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
    filter_chain();
    to_->access_logs = build_access_logs(from_.access_log(), context_, where_, "access_log");
    identity();
    forwarded();
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
      if (source && source->kind != ConfigSource::Kind::kAds)
        Where(at, "config_source").unsupported("only ads is supported here by this version");
      if (source) to_->rds_fetch_timeout = source->initial_fetch_timeout;
      return;
    }
    if (!from_.has_route_config()) return;
    const Where at(where_, "route_config");
    const filters::FilterBuild build{context_.runtime, context_.registry, from_.stat_prefix(), context_.local_cluster};
    to_->routes = build_routes(from_.route_config(), build, at);
    // Unlike RDS, inline routes are checked unless told otherwise.
    const bool validate = !from_.route_config().has_validate_clusters() || from_.route_config().validate_clusters().value();
    if (!to_->routes || !validate || !context_.knows_cluster) return;
    const std::string unknown = to_->routes->unknown_cluster(context_.knows_cluster);
    if (!unknown.empty()) at.fail("route: unknown cluster '" + unknown + "'");
  }

  void upgrades() {
    if (from_.upgrade_configs().empty()) return;
    auto to = std::make_shared<routing::Upgrades>();
    for (int i = 0; i < from_.upgrade_configs_size(); ++i) {
      const auto& upgrade = from_.upgrade_configs(i);
      if (routing::find_upgrade(to.get(), upgrade.upgrade_type()))
        Where(Where(where_, "upgrade_configs", i), "upgrade_type").fail("\"" + upgrade.upgrade_type() + "\" is there twice");
      to->push_back({upgrade.upgrade_type(), !upgrade.has_enabled() || upgrade.enabled().value()});
    }
    to_->upgrades = std::move(to);
  }

  void filter_chain() {
    std::vector<std::unique_ptr<const filters::FilterFactory>> factories;
    std::vector<bool> disabled;
    filters::RouterOptions router;
    const int last = from_.http_filters_size() - 1;
    if (last < 0) return Where(where_, "http_filters").fail("must have at least one item: the router, as the last");
    if (static_cast<size_t>(last) >= kMaxFilters)
      return Where(where_, "http_filters").fail("must have at most " + std::to_string(kMaxFilters) + " items");
    for (int i = 0; i <= last; ++i) {
      const hcm::HttpFilter& filter = from_.http_filters(i);
      const Where at(where_, "http_filters", i);
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
        continue;
      }
      if (i == last) at.fail("the last filter of the chain must be the router, found \"" + filter.name() + "\"");
      auto factory =
          make_filter(filter.name(), std::string(type_name(filter.typed_config().type_url())), filter.typed_config().value(), config);
      if (!factory) continue;
      factories.push_back(std::move(factory));
      disabled.push_back(filter.disabled());
    }
    to_->chain = filters::ChainPlan(std::move(factories), router, disabled);
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
    to.always_forward_client_cert = from_.forward_client_cert_details() == From::ALWAYS_FORWARD_ONLY;
    if (from_.has_generate_request_id()) to.generate_request_id = from_.generate_request_id().value();
    to.preserve_external_request_id = from_.preserve_external_request_id();
    to.strip_trailing_host_dot = from_.strip_trailing_host_dot();
    if (from_.strip_any_host_port()) to.host_port = routing::ForwardedOptions::HostPort::kStripAny;
    if (from_.strip_matching_host_port()) {
      if (from_.strip_any_host_port()) Where(where_, "strip_matching_host_port").fail("must not be set beside strip_any_host_port");
      to.host_port = routing::ForwardedOptions::HostPort::kStripMatching;
    }
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
    const core::CidrRange& range = from_.internal_address_config().cidr_ranges(index);
    const Where list(where_, "internal_address_config");
    const Where at(list, "cidr_ranges", index);
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(range.address_prefix(), error);
    if (error) return Where(at, "address_prefix").fail("malformed IP address: \"" + range.address_prefix() + "\"");
    const uint32_t bits = range.prefix_len().value();
    if (bits > (address.is_v4() ? 32u : 128u)) return Where(at, "prefix_len").fail("is longer than the address");
    to_->forwarded.internal_addresses.push_back({address, static_cast<uint8_t>(bits)});
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
    take(from_.has_request_timeout(), from_.request_timeout(), to_->request_timeout);
    take(from_.has_request_headers_timeout(), from_.request_headers_timeout(), to_->request_headers_timeout);
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
                                                                      const BuildContext& context, const Where& where) {
  const size_t before = where.problems().size();
  auto to = ManagerBuilder(from, context, where).build(buffer_limit);
  return where.problems().size() == before ? to : nullptr;
}

}  // namespace weft::config
