#include "proxy/routing/hash_policy.h"

#include "proxy/format/address_text.h"
#include "proxy/format/filter_state.h"
#include "proxy/routing/header_values.h"
#include "proxy/routing/matchers.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace weft::routing {
namespace {

// Of several lines the order does not matter: sorted, each is hashed with what the one before it gave.
std::optional<uint64_t> header_hash(const HashRule::Header& rule, const http::Head& request) {
  std::string scratch;
  std::vector<std::string_view> values = header_values(request, rule.name, scratch);
  if (values.empty()) return {};
  std::vector<std::string> rewritten;
  if (rule.rewrite) {
    rewritten.reserve(values.size());
    for (std::string_view& value : values) value = rewritten.emplace_back(rule.rewrite.apply(value));
  }
  std::sort(values.begin(), values.end());
  uint64_t hash = 0;
  for (std::string_view value : values) hash = XXH64(value.data(), value.size(), hash);
  return hash;
}

// A client gets the same cookie for all that it asks on one connection: requests that race agree on a host.
std::string new_cookie_value(const format::RequestInfo& info) {
  std::string ends(info.downstream_direct_remote_address);
  ends += info.downstream_local_address;
  char digits[16];
  std::fill_n(digits, sizeof digits, '0');
  char hex[16];
  const auto [end, error] = std::to_chars(hex, hex + sizeof hex, hash_of(ends), 16);
  std::copy_backward(hex, end, digits + sizeof digits);
  return {digits, sizeof digits};
}

std::string set_cookie(const HashRule::Cookie& rule, std::string_view value) {
  std::string text = rule.name;
  text.append("=\"").append(value).append("\"");
  if (rule.ttl->count() != 0) text.append("; Max-Age=").append(std::to_string(rule.ttl->count()));
  if (!rule.path.empty()) text.append("; Path=").append(rule.path);
  for (const auto& [name, attribute] : rule.attributes) {
    text.append("; ").append(name);
    if (!attribute.empty()) text.append("=").append(attribute);
  }
  return text.append("; HttpOnly");
}

std::optional<uint64_t> cookie_hash(const HashRule::Cookie& rule, const http::Head& request, const format::RequestInfo& info,
                                    HashPolicy::Cookies cookies, std::vector<std::string>& set_cookies) {
  if (const std::string_view given = cookie_value(request, rule.name); !given.empty()) return hash_of(given);
  if (!rule.ttl || cookies == HashPolicy::Cookies::kAsTheyCome) return {};
  const std::string value = new_cookie_value(info);
  set_cookies.push_back(set_cookie(rule, value));
  return hash_of(value);
}

}  // namespace

uint64_t hash_of(std::string_view text) { return XXH64(text.data(), text.size(), 0); }

RequestHash HashPolicy::hash(const http::Head& request, const format::RequestInfo& info, Cookies cookies) const {
  RequestHash out;
  for (const HashRule& rule : rules_) {
    std::optional<uint64_t> one;
    if (const auto* header = std::get_if<HashRule::Header>(&rule.of)) {
      one = header_hash(*header, request);
    } else if (const auto* cookie = std::get_if<HashRule::Cookie>(&rule.of)) {
      one = cookie_hash(*cookie, request, info, cookies, out.set_cookies);
    } else if (const auto* parameter = std::get_if<HashRule::QueryParameter>(&rule.of)) {
      if (const auto value = query_parameter(query_of(request.path()), parameter->name)) one = hash_of(*value);
    } else if (const auto* state = std::get_if<HashRule::FilterState>(&rule.of)) {
      const format::FilterStateObject* object = info.filter_state ? info.filter_state->find(state->key) : nullptr;
      if (object && object->hashable) one = hash_of(object->text);
    } else if (const std::string_view ip = format::ip_of(info.downstream_remote_address); !ip.empty()) {
      one = hash_of(ip);
    }
    // The turn keeps two rules that find the same from cancelling each other.
    if (one) out.value = (out.value ? *out.value << 1 | *out.value >> 63 : 0) ^ *one;
    if (rule.terminal && out.value) break;
  }
  return out;
}

}  // namespace weft::routing
