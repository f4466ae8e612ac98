#include "proxy/upstream/balancing/original_balancer.h"

#include "common/http/head.h"
#include "common/net/connection_facts.h"
#include "proxy/format/filter_state.h"
#include "proxy/format/metadata.h"
#include "proxy/format/request_info.h"

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <functional>
#include <string>

namespace weft::upstream {
namespace {

constexpr std::string_view kFilterStateKey = "envoy.network.transport_socket.original_dst_address";

}  // namespace

std::optional<net::Endpoint> parse_destination(std::string_view text) {
  const bool v6 = text.starts_with('[');
  const size_t end = v6 ? text.find("]:") : text.rfind(':');
  if (end == std::string_view::npos) return {};
  const std::string_view ip = v6 ? text.substr(1, end - 1) : text.substr(0, end);
  const std::string_view port = text.substr(end + (v6 ? 2 : 1));
  uint16_t number = 0;
  const auto [rest, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (failed != std::errc() || rest != port.data() + port.size()) return {};
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(ip), error);
  if (error || address.is_v6() != v6) return {};
  return net::Endpoint(address, number);
}

size_t OriginalBalancer::Hash::operator()(const net::Endpoint& address) const {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(address.data()), address.size()});
}

std::optional<net::Endpoint> OriginalBalancer::named_by_request(const format::RequestInfo& request, bool& misnamed) const {
  if (request.filter_state) {
    if (const format::FilterStateObject* object = request.filter_state->find(kFilterStateKey))
      if (const auto named = parse_destination(object->text)) return named;
  }
  const auto take = [&misnamed](std::string_view text) {
    auto named = parse_destination(text);
    if (!named) misnamed = true;
    return named;
  };
  if (!options_->metadata_space.empty() && request.metadata) {
    const format::MetadataValue* value = request.metadata->find(options_->metadata_space, options_->metadata_path);
    if (value)
      if (const auto* list = value->as<format::MetadataList>(); list && !list->empty()) value = &list->front();
    if (const auto* text = value ? value->as<std::string>() : nullptr)
      if (const auto named = take(*text)) return named;
  }
  if (!options_->header.empty() && request.request) {
    // Nobody vouches for it: of several, the first one counts.
    const http::Header* header = request.request->find(options_->header);
    const std::string_view value = header ? header->value() : options_->header == ":authority" ? request.request->authority() : "";
    if (header || !value.empty())
      if (const auto named = take(value)) return named;
  }
  return {};
}

Pick OriginalBalancer::pick(const PickContext& context) {
  Pick pick;
  if (!hosts_) return pick;
  std::optional<net::Endpoint> to;
  if (context.request) to = named_by_request(*context.request, pick.misnamed);
  if (!to && context.connection && context.connection->local_restored) to = context.connection->local;
  if (!to) return pick;
  if (options_->port) to->port(*options_->port);
  std::shared_ptr<OriginalHosts::Made>& met = met_[*to];
  if (met && !met->gone.load(std::memory_order_relaxed))
    met->use();
  else
    met = hosts_->get(*to);
  pick.host = &met->host();
  pick.made = met->set;
  return pick;
}

}  // namespace weft::upstream
