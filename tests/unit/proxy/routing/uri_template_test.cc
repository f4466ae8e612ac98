// Rows marked (envoy) were tried on Envoy 1.40.
#include "proxy/routing/uri_template.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

bool matches(const char* path_template, const char* path) { return UriTemplate::parse(path_template).value().regex.full_match(path); }

TEST(UriTemplate, Matches) {  // (envoy)
  const std::tuple<const char*, const char*, bool> rows[] = {
      {"/t/{lang}/{rest=**}", "/t/en/a/b", true},
      {"/t/{lang}/{rest=**}", "/t/en/", true},
      {"/t/{lang}/{rest=**}", "/t/en", false},
      {"/v/*/{file}.m4s", "/v/k/f.m4s", true},
      {"/v/*/{file}.m4s", "/v/k/l/f.m4s", false},
      {"/w/**.mpd", "/w/.mpd", true},
      {"/x/{a=lit/*}/end", "/x/lit/q/end", true},
      {"/x/{a=lit/*}/end", "/x/lit/end", false},
      {"/one/*", "/one/a!$&'()+,;:@=*~", true},
      {"/one/*", "/one/", false},
      {"/one/*", "/one/a|b", false},
      {"/{a}b/c", "/xbb/c", true},
      {"/{a}b/c", "/b/c", false},
      {"/pre{x}post", "/preXpost", true},
      {"/pre{x}post", "/prepost", false},
      {"/a/**/b", "/a//b", true},
      {"/a/**/b", "/a/b", false},
      {"/", "/", true},
      {"/", "/a", false},
      {"/a/", "/a/", true},
      {"/a/", "/a", false},
      {"/a.b", "/axb", false},
      {"/a+b", "/a+b", true},
      {"/q/{a=**}/b", "/q/1/2/b", true},
  };
  for (auto [path_template, path, expected] : rows) EXPECT_EQ(matches(path_template, path), expected) << path_template << " " << path;
}

TEST(UriTemplate, Refuses) {
  for (const char* text : {"",
                           "a",
                           "/a/{x}/{x}",
                           "/{1}",
                           "/{abcdefghijklmnopq}",
                           "/{a",
                           "/{a}{b}",
                           "/{x=}",
                           "/a//b",
                           "/a/**/*",
                           "/**/{a}",
                           "/a?b",
                           "/\xc3\xa9",
                           "/{a}/{b}/{c}/{d}/{e}/{f}",
                           "/{}",
                           "/{=x}",
                           "/{_a}",
                           "/x{a",
                           "/**a/b",
                           "/{a=*x}",
                           "/{a=x{b}}",
                           "/*{a}",
                           "/a*",
                           "/*a*",
                           "/{a}*",
                           "/{a=*/}",
                           "/{a=/x}",
                           "/a b",
                           "/a\n"})
    EXPECT_FALSE(UriTemplate::parse(text)) << text;
}

std::string rewritten(const char* from, const char* to, const char* path) {
  return uri_template_rewrite(UriTemplate::parse(from).value(), to).value().apply(path);
}

TEST(UriTemplate, Rewrites) {  // (envoy)
  EXPECT_EQ(rewritten("/t/{lang}/{rest=**}", "/new/{rest}/in/{lang}", "/t/en/a/b"), "/new/a/b/in/en");
  EXPECT_EQ(rewritten("/t/{lang}/{rest=**}", "/new/{rest}/in/{lang}", "/t/en/"), "/new//in/en");
  EXPECT_EQ(rewritten("/{a}", "/{a}{a}", "/x"), "/xx");
  EXPECT_EQ(rewritten("/**.mpd", "/x", "/a.mpd/b.mpd"), "/x");
  EXPECT_EQ(rewritten("/{a}", "/fixed", "/x"), "/fixed");
  const UriTemplate from = UriTemplate::parse("/{a}").value();
  for (const char* text : {"", "/{b}", "x", "//{a}", "/?q={a}", "/{a", "/a}", "/{a=*}", "/\\1", "/{}"})
    EXPECT_FALSE(uri_template_rewrite(from, text)) << text;
}

}  // namespace
}  // namespace weft::routing
