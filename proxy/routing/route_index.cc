#include "proxy/routing/route_index.h"

#include "proxy/routing/route.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <map>

namespace weft::routing {
namespace {

bool stands_for_itself(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '_' || c == '~' ||
         c == '%' || c == '@' || c == ',' || c == ';' || c == ':' || c == '=' || c == '&' || c == '!' || c == '\'';
}

// An alternative outside of all parentheses: nothing is said about the beginning.
bool has_outer_alternative(std::string_view regex) {
  int depth = 0;
  bool in_class = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\') {
      ++i;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      if (i + 1 < regex.size() && regex[i + 1] == '^') ++i;
      if (i + 1 < regex.size() && regex[i + 1] == ']') ++i;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == '|' && depth <= 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view plain_beginning(std::string_view regex) {
  if (regex.find("\\Q") != std::string_view::npos || has_outer_alternative(regex)) return {};
  if (regex.starts_with('^')) regex.remove_prefix(1);
  size_t end = 0;
  while (end < regex.size() && stands_for_itself(regex[end])) ++end;
  // A count concerns the letter before it.
  if (end < regex.size() && end > 0 && (regex[end] == '?' || regex[end] == '*' || regex[end] == '+' || regex[end] == '{')) --end;
  return regex.substr(0, end);
}

size_t RouteIndex::Hash::operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }

RouteIndex::RouteIndex(const std::vector<Route>& routes) {
  std::map<size_t, Table> by_length;
  uint32_t number = 0;
  for (const Route& route : routes) {
    const PathMatcher& path = route.path;
    const bool regex = path.kind == PathMatcher::Kind::kRegex;
    const bool by_front = regex || path.kind == PathMatcher::Kind::kPrefix || path.kind == PathMatcher::Kind::kSeparatedPrefix;
    const std::string_view text = regex ? plain_beginning(path.regex.text()) : std::string_view(path.text);
    if (path.kind == PathMatcher::Kind::kExact && path.case_sensitive)
      exact_[text].push_back(number);
    else if (by_front && path.case_sensitive && !text.empty() && (by_length.size() < kMostLengths || by_length.contains(text.size())))
      by_length[text.size()][text].push_back(number);
    else
      always_.push_back(number);
    ++number;
  }
  for (auto& [length, table] : by_length) lengths_.push_back({length, std::move(table)});
}

void RouteIndex::collect(std::string_view path, Cursors& out) const {
  auto take = [&out](const Numbers& numbers) { out.at[out.count++] = {numbers.data(), numbers.data() + numbers.size()}; };
  if (!always_.empty()) take(always_);
  if (!exact_.empty())
    if (const auto found = exact_.find(path); found != exact_.end()) take(found->second);
  for (const Length& length : lengths_) {
    if (length.length > path.size()) break;
    if (const auto found = length.prefixes.find(path.substr(0, length.length)); found != length.prefixes.end()) take(found->second);
  }
}

}  // namespace weft::routing
