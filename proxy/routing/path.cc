// The path part follows Chromium's canonicaliser, which Envoy uses: unreserved characters are unescaped, characters that may
// not stand in a path are escaped, all other escapes stay as they are, dot segments (escaped ones too) are resolved, and so are
// those with parameters ("..;x"), which servlet containers take for plain ones. A percent sign without two hex digits is
// refused: what a rule sees and what a lenient upstream decodes would be two paths.
#include "proxy/routing/path.h"

#include "common/http/head.h"

#include <algorithm>

namespace weft::routing {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The value of "%XX" at `at`, or -1.
int escaped(std::string_view text, size_t at) {
  if (at + 2 >= text.size() || text[at] != '%') return -1;
  int high = hex(text[at + 1]), low = hex(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool unreserved(int c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

bool must_escape(unsigned char c) {
  return c <= ' ' || c >= 0x7f || std::string_view("\"#<>?^`{|}").find(static_cast<char>(c)) != std::string_view::npos;
}

// Characters that a dot at `at` takes: 1 for ".", 3 for "%2e", 0 for no dot.
size_t dot(std::string_view path, size_t at) {
  if (at < path.size() && path[at] == '.') return 1;
  return escaped(path, at) == '.' ? 3 : 0;
}

bool slash(char c) { return c == '/' || c == '\\'; }
bool ends_segment(std::string_view path, size_t at) { return at >= path.size() || slash(path[at]); }

// Back to behind the slash before the last segment.
void drop_segment(std::string& out) {
  out.pop_back();
  while (!out.empty() && out.back() != '/') out.pop_back();
  if (out.empty()) out.assign(1, '/');
}

std::optional<std::string> canonical(std::string_view path) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  if (path.empty() || !slash(path.front())) return std::nullopt;
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size();) {
    char c = path[i];
    if (slash(c)) {
      out += '/';
      ++i;
      // A segment of one or two dots vanishes, with the slash that follows it.
      while (true) {
        size_t first = dot(path, i);
        if (first == 0) break;
        size_t second = dot(path, i + first);
        size_t end = i + first + second;
        if (end < path.size() && path[end] == ';') end = std::min(path.find('/', end), path.size());
        if (!ends_segment(path, end)) break;
        if (second != 0) drop_segment(out);
        i = end < path.size() ? end + 1 : end;
      }
      continue;
    }
    int value = escaped(path, i);
    if (value == 0 || c == '\0' || (c == '%' && value < 0)) return std::nullopt;
    if (value > 0 && unreserved(value)) {
      out += static_cast<char>(value);
      i += 3;
    } else if (value > 0) {
      out.append(path, i, 3);
      i += 3;
    } else if (must_escape(static_cast<unsigned char>(c))) {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
      ++i;
    } else {
      out += c;
      ++i;
    }
  }
  return out;
}

// %2f and %5c of the path as they are meant.
std::string unescaped_slashes(std::string_view path_and_query) {
  size_t end = std::min(path_and_query.find('?'), path_and_query.size());
  std::string out;
  out.reserve(path_and_query.size());
  for (size_t i = 0; i < end;) {
    int value = escaped(path_and_query.substr(0, end), i);
    if (value == '/' || value == '\\') {
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += path_and_query[i++];
    }
  }
  return out.append(path_and_query.substr(end));
}

bool plain(std::string_view path_and_query) {  // nothing that canonical() would touch, in most requests
  std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%' || c == '\\' || must_escape(static_cast<unsigned char>(c))) return false;
    if (c == '.' && path[i - (i > 0)] == '/') return false;
  }
  return !path.empty() && path.front() == '/';
}

}  // namespace

std::optional<std::string> canonical_path(std::string_view path_and_query) {
  size_t end = std::min(path_and_query.find('?'), path_and_query.size());
  std::optional<std::string> path = canonical(path_and_query.substr(0, end));
  if (path) path->append(path_and_query.substr(end));
  return path;
}

std::string merged_slashes(std::string_view path_and_query) {
  size_t end = std::min(path_and_query.find('?'), path_and_query.size());
  std::string out;
  out.reserve(path_and_query.size());
  for (size_t i = 0; i < end; ++i)
    if (path_and_query[i] != '/' || out.empty() || out.back() != '/') out += path_and_query[i];
  return out.append(path_and_query.substr(end));
}

PathVerdict normalize_path(http::Head& request, const PathOptions& options) {
  std::string_view path = request.path();
  if (path.empty()) return PathVerdict::kAccept;  // CONNECT
  if (path.find('#') != std::string_view::npos) return PathVerdict::kReject;
  PathVerdict verdict = PathVerdict::kAccept;
  std::string_view before_query = path.substr(0, path.find('?'));
  if (options.escaped_slashes != EscapedSlashes::kKeepUnchanged && before_query.find('%') != std::string_view::npos) {
    std::string unescaped = unescaped_slashes(path);
    if (unescaped != path) {
      if (options.escaped_slashes == EscapedSlashes::kReject) return PathVerdict::kReject;
      if (options.escaped_slashes == EscapedSlashes::kUnescapeAndRedirect) verdict = PathVerdict::kRedirect;
      request.set_path(unescaped);
    }
  }
  if (options.normalize && !plain(request.path()) && request.path() != "*") {
    std::optional<std::string> path_now = canonical_path(request.path());
    if (!path_now) return PathVerdict::kReject;
    if (*path_now != request.path()) request.set_path(*path_now);
  }
  if (options.merge_slashes && request.path().find("//") != std::string_view::npos) {
    std::string merged = merged_slashes(request.path());
    if (merged != request.path()) request.set_path(merged);
  }
  return verdict;
}

}  // namespace weft::routing
