// Paths as templates: "/users/{id}/files/{rest=**}.json" of path_match_policy, and "/f/{rest}?u={id}" of path_rewrite_policy.
// A template is checked by its grammar, then becomes one RE2 expression; what it names are that expression's groups.
//
//   *  one segment     **  any number of them, the last operator     {name} {name=*} {name=lit/*} {name=**}  the same, named
#pragma once
#include "proxy/routing/regex.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::routing {

struct UriTemplate {
  Regex regex;                         // of whole paths, without query
  std::vector<std::string> variables;  // in order: the n-th is group n

  static Result<UriTemplate> parse(std::string_view text);
};

// What such a rewrite makes of a path that the template matches.
Result<RegexRewrite> uri_template_rewrite(const UriTemplate& from, std::string_view rewrite);

}  // namespace weft::routing
