// links: proxy_routing
// Any three lines as a path template, a rewrite and a path. Beyond not crashing: what is taken compiles; a path that matches is
// rewritten to one that begins with "/"; and a template without variables and operators matches itself.
#include "proxy/routing/uri_template.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

[[noreturn]] void broken(const char* rule, std::string_view detail) {
  std::fprintf(stderr, "broken rule: %s\n%.*s\n", rule, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

std::string_view line(std::string_view& text) {
  const std::string_view front = text.substr(0, text.find('\n'));
  text.remove_prefix(front.size() == text.size() ? text.size() : front.size() + 1);
  return front;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size < 4096 ? size : 4096);
  const std::string_view path_template = line(text), rewrite = line(text), path = line(text);
  weft::Result<weft::routing::UriTemplate> parsed = weft::routing::UriTemplate::parse(path_template);
  if (!parsed) {
    if (parsed.error().detail.empty()) broken("a refusal says why", path_template);
    return 0;
  }
  if (path_template.find_first_of("*{") == std::string_view::npos && !parsed->regex.full_match(path_template))
    broken("plain text matches itself", path_template);
  const bool matches = parsed->regex.full_match(path);
  weft::Result<weft::routing::RegexRewrite> made = weft::routing::uri_template_rewrite(*parsed, rewrite);
  if (!made || !matches) return 0;
  const std::string out = made->apply(path);
  if (!out.starts_with('/')) broken("a rewritten path begins with a slash", out);
  return 0;
}
