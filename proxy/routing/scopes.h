// HttpConnectionManager.ScopedRoutes.ScopeKeyBuilder: which of several route configurations a request takes, by a key of pieces of
// its headers. The key of a scope and that of a request are the same text if their fragments are.
#pragma once
#include "common/http/head.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::routing {

// Adds one fragment to a key; no two lists of fragments make the same key.
void append_scope_fragment(std::string& key, std::string_view fragment);

// header_value_extractor: the first line of a header, cut at `separator`, and of that one element.
struct ScopeFragment {
  std::string header;     // in lower case
  std::string separator;  // empty: the whole value is the one element
  uint32_t index = 0;     // which element; or
  std::string assign;     // not empty: of the first element "key<assign>value" with this key, the value
  std::string key;
};

class ScopeKeyBuilder {
 public:
  ScopeKeyBuilder() = default;
  explicit ScopeKeyBuilder(std::vector<ScopeFragment> fragments) : fragments_(std::move(fragments)) {}
  // Nothing: a fragment is not there, and no scope fits.
  std::optional<std::string> key_of(const http::Head& request) const;

 private:
  std::vector<ScopeFragment> fragments_;
};

}  // namespace weft::routing
