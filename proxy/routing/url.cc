#include "proxy/routing/url.h"

#include <algorithm>

namespace weft::routing {

std::optional<Url> url_of(std::string_view text) {
  const size_t mark = text.find("://");
  if (mark == std::string_view::npos || mark == 0) return {};
  Url target;
  target.scheme = text.substr(0, mark);
  std::transform(target.scheme.begin(), target.scheme.end(), target.scheme.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  text.remove_prefix(mark + 3);
  const size_t end = std::min(text.find_first_of("/?#"), text.size());
  target.authority = text.substr(0, end);
  if (target.authority.empty() || target.authority.find_first_of("@ ") != std::string::npos) return {};
  std::string_view rest = text.substr(end);
  rest = rest.substr(0, rest.find('#'));  // a request's path has none
  if (!rest.starts_with('/')) target.path = "/";
  target.path += rest;
  if (std::any_of(target.path.begin(), target.path.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; })) return {};
  return target;
}

}  // namespace weft::routing
