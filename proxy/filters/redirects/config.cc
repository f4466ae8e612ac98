#include "proxy/filters/redirects/config.h"

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/matching/config.h"

namespace weft::filters {

using envoy::config::route::v3::RedirectAction;

std::shared_ptr<const routing::Redirect> redirect(const RedirectAction& from, const Where& where) {
  auto to = std::make_shared<routing::Redirect>();
  to->host = from.host_redirect();
  to->port = from.port_redirect();
  if (to->port > 65535) Where(where, "port_redirect").fail("must be at most 65535, found " + std::to_string(to->port));
  if (from.scheme_rewrite_specifier_case() == RedirectAction::kHttpsRedirect)
    to->scheme = from.https_redirect() ? "https" : "";
  else
    to->scheme = from.scheme_redirect();
  switch (from.path_rewrite_specifier_case()) {
    case RedirectAction::kPathRedirect: to->path = from.path_redirect(); break;
    case RedirectAction::kPrefixRewrite: to->prefix_rewrite = from.prefix_rewrite(); break;
    case RedirectAction::kRegexRewrite: to->regex_rewrite = substitution(from.regex_rewrite(), Where(where, "regex_rewrite")); break;
    case RedirectAction::kPathRewrite:
      to->path_format = text_format(from.path_rewrite(), {.omit_empty = true}, Where(where, "path_rewrite"));
      break;
    default: break;
  }
  to->strip_query = from.strip_query();
  switch (from.response_code()) {
    case RedirectAction::FOUND: to->status = 302; break;
    case RedirectAction::SEE_OTHER: to->status = 303; break;
    case RedirectAction::TEMPORARY_REDIRECT: to->status = 307; break;
    case RedirectAction::PERMANENT_REDIRECT: to->status = 308; break;
    default: to->status = 301; break;
  }
  return to;
}

}  // namespace weft::filters
