#include "proxy/routing/rate_limit.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>

namespace weft::routing {
namespace {

std::string_view without_port(std::string_view address) {
  address = address.substr(0, address.rfind(':'));
  if (address.size() >= 2 && address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  return address;
}

std::optional<std::string> masked(std::string_view address, const RateLimitAction& action) {
  namespace ip = boost::asio::ip;
  boost::system::error_code error;
  const ip::address found = ip::make_address(std::string(without_port(address)), error);
  if (error) return {};
  if (found.is_v4()) return ip::make_network_v4(found.to_v4(), action.v4_bits).canonical().to_string();
  return ip::make_network_v6(found.to_v6(), action.v6_bits).canonical().to_string();
}

std::optional<std::string_view> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const size_t equals = item.find('=');
    if (item.substr(0, equals) == name) return equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
  }
  return {};
}

std::optional<std::string> header(const http::Head& request, const std::string& name) {
  if (name == ":method") return std::string(request.method());
  if (name == ":path") return std::string(request.path());
  if (name == ":scheme") return std::string(request.scheme());
  if (name == ":authority" || name == "host") return std::string(request.authority());
  const http::Header* found = request.find(name);
  return found ? std::optional<std::string>(found->value()) : std::nullopt;
}

bool matches_all(const std::vector<QueryMatcher>& matchers, std::string_view query) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const QueryMatcher& matcher) { return matcher.matches(query); });
}

// The entry's value; nothing: the action does not find what it looks for.
std::optional<std::string> value_of(const RateLimitAction& action, const RateLimitSubject& subject) {
  using Kind = RateLimitAction::Kind;
  switch (action.kind) {
    case Kind::kSourceCluster:
    case Kind::kGenericKey: return action.value;
    case Kind::kDestinationCluster: return subject.cluster.empty() ? std::nullopt : std::optional<std::string>(subject.cluster);
    case Kind::kRemoteAddress:
      return subject.remote_address.empty() ? std::nullopt : std::optional<std::string>(without_port(subject.remote_address));
    case Kind::kMaskedAddress: return masked(subject.remote_address, action);
    case Kind::kRequestHeader: return header(subject.request, action.name);
    case Kind::kQueryParameter: {
      const auto found = parameter(query_of(subject.request.path()), action.name);
      return found ? std::optional<std::string>(*found) : std::nullopt;
    }
    case Kind::kHeadersMatch:
      return all_match(action.headers, subject.request) == action.expect_match ? std::optional(action.value) : std::nullopt;
    case Kind::kQueryMatch:
      return matches_all(action.query, query_of(subject.request.path())) == action.expect_match ? std::optional(action.value)
                                                                                                : std::nullopt;
  }
  return {};
}

}  // namespace

std::optional<RateLimitDescriptor> rate_limit_descriptor(const RateLimitRule& rule, const RateLimitSubject& subject) {
  RateLimitDescriptor out;
  for (const RateLimitAction& action : rule.actions) {
    std::optional<std::string> value = value_of(action, subject);
    if (value)
      out.emplace_back(action.key, std::move(*value));
    else if (!action.skip_if_absent)
      return {};
  }
  if (out.empty()) return {};
  return out;
}

}  // namespace weft::routing
