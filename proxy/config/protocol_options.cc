#include "proxy/config/protocol_options.h"

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "envoy/type/v3/percent.pb.h"
#include "proxy/config/bootstrap.h"
#include "proxy/filters/matching/config.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <iterator>

namespace weft::config {

namespace core = envoy::config::core::v3;

std::chrono::milliseconds milliseconds(const google::protobuf::Duration& from) {
  constexpr int64_t kMaxSeconds = 10LL * 366 * 24 * 3600;
  const int64_t seconds = std::clamp<int64_t>(from.seconds(), 0, kMaxSeconds);
  return std::chrono::milliseconds(seconds * 1000 + (std::max(0, from.nanos()) + 999'999) / 1'000'000);
}

std::optional<net::Endpoint> endpoint(const core::Address& from, const Where& where) {
  if (from.has_pipe()) {
    Where(where, "pipe").unsupported("a Unix socket is not supported here by this version");
    return {};
  }
  const Where socket(where, "socket_address");
  const core::SocketAddress& address = from.socket_address();
  if (address.port_specifier_case() == core::SocketAddress::PORT_SPECIFIER_NOT_SET) {
    Where(socket, "port_value").fail("is required");
    return {};
  }
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(address.address(), error);
  if (error) {
    Where(socket, "address")
        .fail("malformed IP address: \"" + address.address() + "\"; names are for clusters of type STRICT_DNS and LOGICAL_DNS");
    return {};
  }
  return net::Endpoint(ip, static_cast<uint16_t>(address.port_value()));
}

namespace {

using PreserveCase = envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;

class ListedUpgrades final : public http::IgnoredUpgrades {
 public:
  explicit ListedUpgrades(std::vector<routing::StringMatcher> matchers) : matchers_(std::move(matchers)) {}
  bool ignores(std::string_view upgrade) const override {
    return std::any_of(matchers_.begin(), matchers_.end(), [&](const routing::StringMatcher& one) { return one.matches(upgrade); });
  }

 private:
  std::vector<routing::StringMatcher> matchers_;
};

void read_names(const core::Http1ProtocolOptions::HeaderKeyFormat& from, http::Http1Options& to, const Where& where) {
  if (from.has_proper_case_words()) to.names = http::NameFormat::kProperCase;
  if (!from.has_stateful_formatter()) return;
  PreserveCase formatter;
  if (!from.stateful_formatter().typed_config().UnpackTo(&formatter))
    return Where(where, "stateful_formatter")
        .unsupported("only " + PreserveCase::descriptor()->full_name() + " is supported by this version");
  to.keep_case = true;
  if (formatter.formatter_type_on_envoy_headers() == PreserveCase::PROPER_CASE) to.names = http::NameFormat::kProperCase;
}

}  // namespace

void read_http1(const core::Http1ProtocolOptions& from, http::Http1Options& to, const Where& where) {
  to.accept_http_10 = from.accept_http_10();
  to.default_host_for_http_10 = from.default_host_for_http_10();
  to.enable_trailers = from.enable_trailers();
  to.allow_chunked_length = from.allow_chunked_length();
  if (from.has_allow_absolute_url()) to.allow_absolute_url = from.allow_absolute_url().value();
  to.allow_custom_methods = from.allow_custom_methods();
  to.send_fully_qualified_url = from.send_fully_qualified_url();
  read_names(from.header_key_format(), to, Where(where, "header_key_format"));
  std::vector<routing::StringMatcher> ignored;
  for (int i = 0; i < from.ignore_http_11_upgrade_size(); ++i)
    if (auto matcher = filters::string_matcher(from.ignore_http_11_upgrade(i), Where(where, "ignore_http_11_upgrade", i)))
      ignored.push_back(std::move(*matcher));
  if (!ignored.empty()) to.ignored_upgrades = std::make_shared<const ListedUpgrades>(std::move(ignored));
}

namespace {

http::KeepaliveOptions keepalive(const core::KeepaliveSettings& from) {
  http::KeepaliveOptions to;
  to.interval = milliseconds(from.interval());
  to.timeout = milliseconds(from.timeout());
  if (from.has_interval_jitter()) to.interval_jitter = from.interval_jitter().value();
  to.idle_interval = milliseconds(from.connection_idle_interval());
  return to;
}

// A parameter that has a field of its own is to be said there, as Envoy wants it for two of them and takes it for the others.
void read_settings(const core::Http2ProtocolOptions& from, http::Http2Options& to, const Where& where) {
  static constexpr std::string_view kFields[] = {"", "hpack_table_size", "", "max_concurrent_streams", "initial_stream_window_size"};
  for (int i = 0; i < from.custom_settings_parameters_size(); ++i) {
    const uint32_t identifier = from.custom_settings_parameters(i).identifier().value();
    const uint32_t value = from.custom_settings_parameters(i).value().value();
    const Where parameter(where, "custom_settings_parameters", i), at(parameter, "identifier");
    if (identifier == 2) at.fail("server push is not there to be enabled");
    if (identifier == 8) at.fail("the parameter is set by allow_connect");
    if (identifier < std::size(kFields) && !kFields[identifier].empty())
      at.fail("the parameter is set by " + std::string(kFields[identifier]));
    for (const auto& [other, other_value] : to.custom_settings)
      if (other == identifier && other_value != value) at.fail("is there twice, with different values");
    if (identifier == 5 && (value < 16384 || value > 16777215)) at.fail("SETTINGS_MAX_FRAME_SIZE must be within 16384 and 16777215");
    to.custom_settings.emplace_back(static_cast<uint16_t>(identifier), value);
  }
}

}  // namespace

void read_http2(const core::Http2ProtocolOptions& from, http::Http2Options& to, const Where& where) {
  to.custom_settings.clear();
  read_settings(from, to, where);
  auto take = [](bool set, const google::protobuf::UInt32Value& value, uint32_t& field) {
    if (set) field = value.value();
  };
  take(from.has_hpack_table_size(), from.hpack_table_size(), to.hpack_table_size);
  take(from.has_max_concurrent_streams(), from.max_concurrent_streams(), to.max_concurrent_streams);
  take(from.has_initial_stream_window_size(), from.initial_stream_window_size(), to.initial_stream_window);
  take(from.has_initial_connection_window_size(), from.initial_connection_window_size(), to.initial_connection_window);
  take(from.has_max_outbound_frames(), from.max_outbound_frames(), to.max_outbound_frames);
  take(from.has_max_outbound_control_frames(), from.max_outbound_control_frames(), to.max_outbound_control_frames);
  take(from.has_max_consecutive_inbound_frames_with_empty_payload(), from.max_consecutive_inbound_frames_with_empty_payload(),
       to.max_consecutive_empty_data_frames);
  take(from.has_max_inbound_priority_frames_per_stream(), from.max_inbound_priority_frames_per_stream(),
       to.max_inbound_priority_frames_per_stream);
  take(from.has_max_inbound_window_update_frames_per_data_frame_sent(), from.max_inbound_window_update_frames_per_data_frame_sent(),
       to.max_inbound_window_updates_per_data_frame);
  if (from.has_override_stream_error_on_invalid_http_message())
    to.stream_error_on_invalid_message = from.override_stream_error_on_invalid_http_message().value();
  if (from.has_stream_reset_burst() && from.has_stream_reset_rate())  // as Envoy: one alone changes nothing
    to.reset_rate = {from.stream_reset_burst().value(), from.stream_reset_rate().value()};
  to.allow_connect = from.allow_connect();
  take(from.has_max_header_field_size_kb(), from.max_header_field_size_kb(), to.max_field_kib);
  to.disallow_obs_text = from.disallow_obs_text().value();
  if (from.has_connection_keepalive()) to.keepalive = keepalive(from.connection_keepalive());
}

void set_buffer_limit(uint32_t bytes, http::Http1Options& http1, http::Http2Options& http2) {
  if (bytes == 0) return;  // Envoy: no limit; ours stays
  http1.buffer = {bytes, bytes / 2};
  http2.buffer = {bytes, bytes / 2};
}

std::optional<ConfigSource> config_source(const core::ConfigSource& from, const Where& where) {
  ConfigSource to;
  if (from.has_initial_fetch_timeout()) to.initial_fetch_timeout = milliseconds(from.initial_fetch_timeout());
  switch (from.config_source_specifier_case()) {
    case core::ConfigSource::kAds: to.kind = ConfigSource::Kind::kAds; break;
    case core::ConfigSource::kPath:
      to.kind = ConfigSource::Kind::kPath;
      to.path = from.path();
      break;
    case core::ConfigSource::kPathConfigSource:
      to.kind = ConfigSource::Kind::kPath;
      to.path = from.path_config_source().path();
      to.watched_directory = from.path_config_source().watched_directory().path();
      break;
    default:
      where.unsupported("this kind of config source is not supported by this version; supported: ads, path_config_source");
      return {};
  }
  return to;
}

}  // namespace weft::config
