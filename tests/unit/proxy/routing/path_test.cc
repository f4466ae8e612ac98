// Each row of CanonicalAsEnvoyDoesIt was answered by Envoy 1.40 with normalize_path.
#include "proxy/routing/path.h"

#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using testing::TestHead;

TEST(Path, CanonicalAsEnvoyDoesIt) {
  const std::pair<const char*, const char*> rows[] = {{"/a/../b", "/b"},
                                                      {"/a/./b", "/a/b"},
                                                      {"/a/b/..", "/a/"},
                                                      {"/a/b/.", "/a/b/"},
                                                      {"/../a", "/a"},
                                                      {"/%2e%2e/a", "/a"},
                                                      {"/a/%2E/b", "/a/b"},
                                                      {"/a/.%2e/b", "/b"},
                                                      {"/a%2fb", "/a%2fb"},
                                                      {"/a%2Fb", "/a%2Fb"},
                                                      {"/a%5cb", "/a%5cb"},
                                                      {"/a\\b", "/a/b"},
                                                      {"/a\\..\\b", "/b"},
                                                      {"/%61%62", "/ab"},
                                                      {"/%7e", "/~"},
                                                      {"/a%20b", "/a%20b"},
                                                      {"/a//b", "/a//b"},
                                                      {"//a", "//a"},
                                                      {"/a;b/../c", "/c"},
                                                      {"/a?b/../c", "/a?b/../c"},
                                                      {"/a/..?x=%61", "/?x=%61"},
                                                      {"/%41%5a%30%2d%5f", "/AZ0-_"},
                                                      {"/%21%24%27%28", "/%21%24%27%28"},
                                                      {"/a|b^c`d{e}\"<>", "/a%7Cb%5Ec%60d%7Be%7D%22%3C%3E"},
                                                      {"/[x]!$&'()*+,-.:;=@_~", "/[x]!$&'()*+,-.:;=@_~"},
                                                      {"/%c3%a9", "/%c3%a9"},
                                                      {"/%01", "/%01"},
                                                      {"/...", "/..."},
                                                      {"/a/...", "/a/..."},
                                                      {"/..a", "/..a"},
                                                      {"/a..", "/a.."},
                                                      {"/.", "/"},
                                                      {"/..", "/"},
                                                      {"/a/../../..", "/"},
                                                      {"/%3f%23", "/%3f%23"},
                                                      {"/%25", "/%25"},
                                                      {"/%2f%2e%2e%2fa", "/%2f..%2fa"},
                                                      {"/a/b//../c", "/a/b/c"},
                                                      {"/x?y=//z", "/x?y=//z"},
                                                      {"/x%7c%5E%2Ay", "/x%7c%5E%2Ay"},
                                                      {"/a/..;/b", "/b"},
                                                      {"/a/..;x=1/b", "/b"},
                                                      {"/a/.;/b", "/a/b"},
                                                      {"/a/..;", "/"},
                                                      {"/a/.;", "/a/"},
                                                      {"/a/...;/b", "/a/...;/b"},
                                                      {"/a/..%3b/b", "/a/..%3b/b"},
                                                      {"/a/..;%2f/b", "/b"},
                                                      {"/a/..;\\b", "/"},
                                                      {"/a/.;.", "/a/"},
                                                      {"/;/b", "/;/b"},
                                                      {"/a;x/../b", "/b"}};
  for (auto [path, canonical] : rows) {
    std::optional<std::string> got = canonical_path(path);
    ASSERT_TRUE(got) << path;
    EXPECT_EQ(*got, canonical) << path;
    TestHead request(path);  // the short way for plain paths comes to the same
    EXPECT_EQ(normalize_path(request, {.normalize = true}), PathVerdict::kAccept);
    EXPECT_EQ(request.path(), canonical);
    EXPECT_EQ(canonical_path(canonical), canonical) << "not stable";
  }
  EXPECT_FALSE(canonical_path("/%00"));
  // Stricter than Envoy, which passes these on and leaves "/a/..;/b" of the last one to whoever comes next.
  for (const char* path : {"/%zz", "/%", "/%2", "/a%2gb", "/a%/../b"}) EXPECT_FALSE(canonical_path(path)) << path;
  EXPECT_EQ(canonical_path("/a/%2e%2e;/b"), "/b");
  EXPECT_FALSE(canonical_path("a"));
  EXPECT_FALSE(canonical_path(""));
}

TEST(Path, FollowsTheOptions) {
  using enum EscapedSlashes;
  struct Case {
    const char* path;
    PathOptions options;
    PathVerdict verdict;
    const char* result;
  } cases[] = {
      {"/a/../%61", {}, PathVerdict::kAccept, "/a/../%61"},
      {"/a#f", {}, PathVerdict::kReject, nullptr},
      {"/a?b#f", {}, PathVerdict::kReject, nullptr},
      {"/%00", {.normalize = true}, PathVerdict::kReject, nullptr},
      {"/%zz", {.normalize = true}, PathVerdict::kReject, nullptr},
      {"/a?b=%zz", {.normalize = true}, PathVerdict::kAccept, "/a?b=%zz"},
      {"/%zz", {.escaped_slashes = kReject}, PathVerdict::kAccept, "/%zz"},
      {"*", {.normalize = true, .merge_slashes = true}, PathVerdict::kAccept, "*"},
      {"/a///b//?c=//d", {.merge_slashes = true}, PathVerdict::kAccept, "/a/b/?c=//d"},
      {"/a%2fb?c%2fd", {.escaped_slashes = kKeepUnchanged}, PathVerdict::kAccept, "/a%2fb?c%2fd"},
      {"/a%2fb", {.escaped_slashes = kReject}, PathVerdict::kReject, nullptr},
      {"/a%5Cb", {.escaped_slashes = kReject}, PathVerdict::kReject, nullptr},
      {"/a?c%2fd", {.escaped_slashes = kReject}, PathVerdict::kAccept, "/a?c%2fd"},
      {"/a%2fb?c%2fd", {.escaped_slashes = kUnescapeAndForward}, PathVerdict::kAccept, "/a/b?c%2fd"},
      {"/a%5cb", {.normalize = true, .escaped_slashes = kUnescapeAndRedirect}, PathVerdict::kRedirect, "/a/b"},
      {"/%2f%2e%2e%2fa", {.normalize = true, .merge_slashes = true, .escaped_slashes = kUnescapeAndRedirect}, PathVerdict::kRedirect, "/a"},
      {"/a/../b", {.normalize = true, .escaped_slashes = kUnescapeAndRedirect}, PathVerdict::kAccept, "/b"},
      {"", {.normalize = true}, PathVerdict::kAccept, ""},
  };
  for (const Case& c : cases) {
    TestHead request(c.path);
    EXPECT_EQ(normalize_path(request, c.options), c.verdict) << c.path;
    if (c.result) {
      EXPECT_EQ(request.path(), c.result);
    }
  }
}

// HAZARD: a rule on /admin must see what the upstream will see.
TEST(Path, ReadsAdminInEveryDisguise) {
  for (const char* path : {"//admin", "/./admin", "/x/../admin", "/%61dmin", "/x%2f..%2fadmin", "\\admin", "/x\\..\\admin",
                           "/x/%2E%2e/admin", "/x/..;/admin", "/x/..;a=b/admin", "/x/%2e.;/admin"}) {
    TestHead request(path);
    normalize_path(request, {.normalize = true, .merge_slashes = true, .escaped_slashes = EscapedSlashes::kUnescapeAndForward});
    EXPECT_EQ(request.path(), "/admin") << path;
  }
}

}  // namespace
}  // namespace weft::routing
