// config.route.v3.RouteAction.HashPolicy: the number that decides which host of a hashing cluster a request goes to. Computed as
// Envoy does, bit by bit, so that a key stays on its host when one proxy takes the other's place.
#pragma once
#include "common/http/head.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/regex.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weft::routing {

struct HashRule {
  struct Header {
    std::string name;      // in lower case; ":path" and the like read the first line
    RegexRewrite rewrite;  // of each value before it is hashed
  };
  struct Cookie {
    std::string name;
    std::optional<std::chrono::seconds> ttl;  // set: a request without the cookie is given one; 0: for the session
    std::string path;
    std::vector<std::pair<std::string, std::string>> attributes;
  };
  struct SourceIp {};
  struct QueryParameter {
    std::string name;
  };
  struct FilterState {
    std::string key;  // of an object that can be hashed
  };
  std::variant<Header, Cookie, SourceIp, QueryParameter, FilterState> of;
  bool terminal = false;  // the rules after it count only if there is no number yet
};

// What a policy makes of a request.
struct RequestHash {
  std::optional<uint64_t> value;         // none: no rule found anything to hash
  std::vector<std::string> set_cookies;  // values of set-cookie, for cookies that the request should have had
};

// A single text, as the client's address of a raw connection.
uint64_t hash_of(std::string_view text);

class HashPolicy {
 public:
  explicit HashPolicy(std::vector<HashRule> rules) : rules_(std::move(rules)) {}
  enum class Cookies : uint8_t { kMakeUp, kAsTheyCome };
  RequestHash hash(const http::Head& request, const format::RequestInfo& info, Cookies cookies = Cookies::kMakeUp) const;

 private:
  std::vector<HashRule> rules_;
};

}  // namespace weft::routing
