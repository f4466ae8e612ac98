#include "proxy/routing/rate_limit.h"

#include "proxy/format/request_info.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>

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

std::optional<std::string> by_address(const RateLimitAction& action, const RateLimitSubject& subject) {
  boost::system::error_code error;
  const Address found = boost::asio::ip::make_address(std::string(without_port(subject.remote_address)), error);
  if (error || in_any(action.ranges, found) != action.expect_match) return {};
  std::string text;
  if (action.format && subject.info) action.format->append(text, *subject.info);
  if (!text.empty()) return text;
  return action.value.empty() ? std::nullopt : std::optional(action.value);
}

bool matches_all(const std::vector<QueryMatcher>& matchers, std::string_view query) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const QueryMatcher& matcher) { return matcher.matches(query); });
}

const format::Metadata* noted(const RateLimitSubject& subject) { return subject.info ? subject.info->metadata.get() : nullptr; }

const format::MetadataValue* at(const format::Metadata* metadata, const MetadataPath& path) {
  return metadata ? metadata->find(path.name_space, path.path) : nullptr;
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
    case Kind::kMetadata: {
      const format::MetadataValue* const found = at(action.of_route ? subject.of_route : noted(subject), action.metadata);
      const std::string* const text = found ? found->as<std::string>() : nullptr;
      if (text && !text->empty()) return *text;
      return action.value.empty() ? std::nullopt : std::optional(action.value);
    }
    case Kind::kAddressMatch: return by_address(action, subject);
  }
  return {};
}

std::optional<RateLimitOverride> override_of(const format::MetadataValue* noted) {
  const auto* fields = noted ? noted->as<format::MetadataStruct>() : nullptr;
  if (!fields) return {};
  const auto requests = fields->find("requests_per_unit"), unit = fields->find("unit");
  if (requests == fields->end() || unit == fields->end()) return {};
  const double* const number = requests->second.as<double>();
  const std::string* const name = unit->second.as<std::string>();
  if (!number || !name || !(*number >= 0 && *number <= UINT32_MAX)) return {};
  return RateLimitOverride{static_cast<uint32_t>(*number), *name};
}

// "12": nothing if it is no number that a service could count.
std::optional<uint64_t> hits_by(const format::Formatter& format, const format::RequestInfo& info) {
  std::string text;
  format.append(text, info);
  uint64_t hits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hits);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return hits;
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

std::optional<RateLimitHits> rate_limit_hits(const RateLimitRule& rule, const RateLimitSubject& subject) {
  std::optional<RateLimitDescriptor> descriptor = rate_limit_descriptor(rule, subject);
  if (!descriptor) return {};
  RateLimitHits out{std::move(*descriptor), rule.hits, rule.fixed_limit, rule.gives_hits, rule.tell};
  if (rule.limit) out.limit = override_of(at(noted(subject), *rule.limit));
  if (!rule.hits_format) return out;
  if (subject.info) out.hits = hits_by(*rule.hits_format, *subject.info);
  return out.hits ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace weft::routing
