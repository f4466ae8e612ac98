// An absolute URL as Location has it, in the pieces that a request needs.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace weft::routing {

struct Url {
  std::string scheme, authority, path;  // the scheme in lower case, the path with its query
};
// Nothing: it is no such URL, or none that a request may go to (with a user, with blanks).
std::optional<Url> url_of(std::string_view text);

}  // namespace weft::routing
