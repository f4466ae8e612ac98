#include "proxy/routing/scopes.h"

#include "proxy/routing/header_values.h"

#include <algorithm>

namespace weft::routing {
namespace {

// Nothing if the value has no such element.
std::optional<std::string_view> extract(const ScopeFragment& from, std::string_view value) {
  for (uint32_t index = 0;; ++index) {
    const size_t end = from.separator.empty() ? std::string_view::npos : value.find(from.separator);
    const std::string_view element = value.substr(0, end);
    if (from.assign.empty()) {
      if (index == from.index) return element;
    } else {
      const size_t assign = element.find(from.assign);
      if (element.substr(0, assign) == from.key)
        return assign == std::string_view::npos ? std::string_view() : element.substr(assign + from.assign.size());
    }
    if (end == std::string_view::npos) return {};
    value.remove_prefix(end + from.separator.size());
  }
}

}  // namespace

void append_scope_fragment(std::string& key, std::string_view fragment) {
  key.append(std::to_string(fragment.size())).append(":").append(fragment);
}

std::optional<std::string> ScopeKeyBuilder::key_of(const http::Head& request) const {
  std::string key, scratch;
  for (const ScopeFragment& fragment : fragments_) {
    const std::vector<std::string_view> lines = header_values(request, fragment.header, scratch);
    if (lines.empty()) return {};
    const std::optional<std::string_view> text = extract(fragment, lines.front());
    if (!text) return {};
    append_scope_fragment(key, *text);
  }
  return key;
}

}  // namespace weft::routing
