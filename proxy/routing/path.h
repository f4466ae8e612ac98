// One reading of a path for everybody: routing, filters and the upstream see the same normalised bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::http {
class Head;
}

namespace weft::routing {

enum class EscapedSlashes : uint8_t { kKeepUnchanged, kReject, kUnescapeAndRedirect, kUnescapeAndForward };

struct PathOptions {
  bool normalize = false;  // RFC 3986: dot segments, "\" as "/", case and needless use of %XX
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeepUnchanged;
};

enum class PathVerdict : uint8_t {
  kAccept,
  kReject,    // 400, details "path_normalization_failed"
  kRedirect,  // 307, `location` being the head's (already changed) path, details "path_normalization_failed"
};
// Changes the head's path. A path with a fragment ("#...") is refused, whatever the options.
PathVerdict normalize_path(http::Head& request, const PathOptions& options);

// The pieces, for a path with its query.
std::optional<std::string> canonical_path(std::string_view path_and_query);  // nothing: it cannot be normalised
std::string merged_slashes(std::string_view path_and_query);

}  // namespace weft::routing
