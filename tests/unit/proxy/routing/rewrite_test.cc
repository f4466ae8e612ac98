// Expected values are what Envoy 1.40 answered or sent upstream for the same route and request.
#include "proxy/routing/rewrite.h"

#include "proxy/format/formatter.h"
#include "proxy/format/request_info.h"
#include "tests/unit/proxy/routing/routes.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using testing::host_of;
using testing::route_redirect;
using testing::route_to;
using testing::table_of;
using testing::TestHead;

using Append = HeaderToAdd::Append;

HeaderToAdd add(const char* name, const char* value, Append append = Append::kAppendIfExistsOrAdd, bool keep_empty = false) {
  return HeaderToAdd::make(name, value, append, keep_empty).value();
}

TEST(Rewrite, ReplacesWhatTheRouteMatched) {
  Rewrite prefix;
  prefix.prefix = "/new";
  Rewrite slash;
  slash.prefix = "/";
  Rewrite regex;
  regex.path_regex = *RegexRewrite::compile("^/rr/([^/]+)/(.*)$", "/\\2/\\1");
  Route by_regex = route_to("x", "", prefix);
  by_regex.path = PathMatcher(*Regex::compile("/rx/.*"));
  Route exact = route_to("x", "", prefix);
  exact.path = {PathMatcher::Kind::kExact, "/exact"};
  Route separated = route_to("x", "", prefix);
  separated.path = {PathMatcher::Kind::kSeparatedPrefix, "/sep"};
  struct Case {
    Route route;
    const char* before;
    const char* after;
  } cases[] = {{route_to("x", "/pfx", prefix), "/pfx/a?b=1", "/new/a?b=1"},
               {route_to("x", "/pfx", prefix), "/pfx", "/new"},
               {route_to("x", "/pfx/", slash), "/pfx/a", "/a"},
               {by_regex, "/rx/a/b?c=1", "/new?c=1"},
               {exact, "/exact?x", "/new?x"},
               {separated, "/sep/a", "/new/a"},
               {route_to("x", "/rr", regex), "/rr/a/b?q", "/b/a?q"},
               {route_to("x", "/"), "/same?x", ""}};
  for (const Case& c : cases) EXPECT_EQ(rewritten_path(c.route, c.before, {}), c.after) << c.before;
}

TEST(Rewrite, TellsTheUpstreamWhatWas) {
  Rewrite rewrite;
  rewrite.prefix = "/new";
  rewrite.host = "lit.test";
  rewrite.append_x_forwarded_host = true;
  auto table = table_of({route_to("x", "/pfx", rewrite)});
  TestHead request("/pfx/a?b=1", {{"host", "here:1"}});
  finish_request(request, *table->match(request, 0), nullptr, {});
  EXPECT_EQ(request.path(), "/new/a?b=1");
  EXPECT_EQ(request.host(), "lit.test");
  EXPECT_EQ(request["x-envoy-original-path"], "/pfx/a?b=1");
  EXPECT_EQ(request["x-envoy-original-host"], "here:1");
  EXPECT_EQ(request["x-forwarded-host"], "here:1");

  TestHead quiet("/pfx", {{"host", "here"}});
  finish_request(quiet, *table->match(quiet, 0), nullptr, {}, false);
  EXPECT_FALSE(quiet.has("x-envoy-original-path"));
}

TEST(Rewrite, ChangesTheHost) {
  Rewrite header;
  header.host_header = "x-h";
  Rewrite path;
  path.host_path_regex = *RegexRewrite::compile("^/hp/(.+)$", "\\1");
  auto table = table_of({route_to("x", "/hh", header), route_to("x", "/hp", path), route_to("x")});
  auto host_after = [&](const char* target, testing::Lines lines, const WeightedCluster* weighted = nullptr) {
    TestHead request(target, lines);
    request.head.add("host", "old");
    finish_request(request, *table->match(request, 0), weighted, {});
    return request.host();
  };
  EXPECT_EQ(host_after("/hh", {{"x-h", "hh.test"}}), "hh.test");
  EXPECT_EQ(host_after("/hh", {}), "old");
  EXPECT_EQ(host_after("/hp/foo.test?x", {}), "foo.test");
  EXPECT_EQ(host_after("/", {}), "old");
  WeightedCluster weighted;
  weighted.host_rewrite = "weighted.test";
  EXPECT_EQ(host_after("/hh", {{"x-h", "hh.test"}}, &weighted), "weighted.test");
}

TEST(Rewrite, TakesTheEndpointsNameWhenAuto) {
  Rewrite automatic;
  automatic.auto_host = true;
  auto table = table_of({route_to("x", "/auto", automatic), route_to("x")});
  TestHead request("/auto", {{"host", "old"}});
  const Route& route = *table->match(request, 0);
  rewrite_host_automatically(request, route, "");
  EXPECT_EQ(request.host(), "old");
  rewrite_host_automatically(request, route, "ep.test");
  EXPECT_EQ(request.host(), "ep.test");
  EXPECT_EQ(request["x-envoy-original-host"], "old");
  TestHead other("/x", {{"host", "old"}});
  rewrite_host_automatically(other, *table->match(other, 0), "ep.test");
  EXPECT_EQ(other.host(), "old");
}

std::shared_ptr<const RouteTable> mutating(bool most_specific_wins) {
  auto level = [](const char* name) {
    auto mutations = std::make_shared<HeaderMutations>();
    mutations->request.add = {add("x-o", name), add("x-w", name, Append::kOverwriteIfExistsOrAdd)};
    mutations->response = mutations->request;
    return mutations;
  };
  RouteTableOptions options;
  options.most_specific_header_mutations_wins = most_specific_wins;
  options.mutations = level("config");
  Route route = route_to("x");
  auto own = level("route");
  own->request.remove = {"x-gone"};
  own->request.add.push_back(add("x-e", ""));
  own->request.add.push_back(add("x-kept", "", Append::kAppendIfExistsOrAdd, true));
  own->request.add.push_back(add("x-abs", "route", Append::kAddIfAbsent));
  own->request.add.push_back(add("x-ow", "set", Append::kOverwriteIfExists));
  own->request.add.push_back(add("x-gone", "back"));
  route.mutations = own;
  VirtualHost host = host_of("v", {"*"}, {route});
  host.mutations = level("vhost");
  return table_of({host}, std::move(options));
}

TEST(Mutations, ComeFromSpecificToGeneral) {
  auto table = mutating(false);
  TestHead request("/", {{"x-o", "client"}, {"x-w", "client"}, {"x-gone", "a"}, {"x-abs", "here"}});
  WeightedCluster weighted;
  auto own = std::make_shared<HeaderMutations>();
  own->request.add = {add("x-o", "weighted"), add("x-w", "weighted", Append::kOverwriteIfExistsOrAdd)};
  weighted.mutations = own;
  finish_request(request, *table->match(request, 0), &weighted, {});
  EXPECT_EQ(request["x-o"], "client,weighted,route,vhost,config");
  EXPECT_EQ(request["x-w"], "config");
  EXPECT_EQ(request["x-gone"], "back");  // removed before added
  EXPECT_EQ(request["x-abs"], "here");
  EXPECT_FALSE(request.has("x-e"));
  EXPECT_TRUE(request.has("x-kept"));
  EXPECT_FALSE(request.has("x-ow"));
}

TEST(Mutations, ComeFromGeneralToSpecificWhenAsked) {
  auto table = mutating(true);
  TestHead request("/", {{"x-ow", "old"}});
  finish_request(request, *table->match(request, 0), nullptr, {});
  EXPECT_EQ(request["x-o"], "config,vhost,route");
  EXPECT_EQ(request["x-w"], "route");
  EXPECT_EQ(request["x-abs"], "route");
  EXPECT_EQ(request["x-ow"], "set");
  TestHead answer(200, {{"x-w", "upstream"}});
  finish_response(answer, *table->match(request, 0), nullptr, {});
  EXPECT_EQ(answer["x-o"], "config,vhost,route");
  EXPECT_EQ(answer["x-w"], "route");
}

TEST(Mutations, FillInWhatIsKnownOfTheRequest) {
  HeaderToAdd header = add("X-Method", "%REQ(:METHOD)%-%PROTOCOL%");
  TestHead request("/", {}, "POST");
  format::RequestInfo info;
  info.request = &request.head;
  info.protocol = "HTTP/1.1";
  header.apply(request, info);
  EXPECT_EQ(request["x-method"], "POST-HTTP/1.1");
  add("x-none", "%REQ(x-missing)%").apply(request, info);
  EXPECT_FALSE(request.has("x-none"));
}

TEST(Mutations, LeaveHostAndPseudoHeadersAlone) {
  for (const char* name : {":path", ":authority", ":anything", "Host"}) {
    Result<HeaderToAdd> header = HeaderToAdd::make(name, "x");
    ASSERT_FALSE(header) << name;
    EXPECT_EQ(header.error().detail, ":-prefixed or host headers may not be modified");
    EXPECT_EQ(check_removable(name).error().detail, ":-prefixed or host headers may not be removed");
  }
  EXPECT_TRUE(check_removable("x-a"));
  EXPECT_FALSE(HeaderToAdd::make("x-a", "%NO_SUCH_THING%"));
}

TEST(Redirect, WritesTheLocation) {
  auto with = [](auto change) {
    Redirect redirect;
    change(redirect);
    return redirect;
  };
  struct Case {
    Redirect redirect;
    const char* host;
    const char* path;
    const char* location;
    const char* scheme = "http";
  } cases[] = {
      {with([](Redirect& r) { r.path = "/x"; }), "o:29", "/r/k?a=b", "http://o:29/x?a=b"},
      {with([](Redirect& r) { r.path = "/x?z=1"; }), "o", "/r/k?a=b", "http://o/x?z=1"},
      {with([](Redirect& r) { r.prefix_rewrite = "/y", r.scheme = "https"; }), "o:29", "/r/k?a=b", "https://o:29/y/k?a=b"},
      {with([](Redirect& r) { r.prefix_rewrite = "/y", r.scheme = "https"; }), "o.test:80", "/r/k", "https://o.test/y/k"},
      {with([](Redirect& r) { r.scheme = "http"; }), "o.test:443", "/r/k", "http://o.test:443/r/k"},
      {with([](Redirect& r) { r.scheme = "http"; }), "o.test:443", "/r/k", "http://o.test/r/k", "https"},
      {with([](Redirect& r) { r.host = "h.test", r.port = 8443; }), "o:80", "/r/k?a=b", "http://h.test:8443/r/k?a=b"},
      {with([](Redirect& r) { r.host = "h.test", r.scheme = "https", r.strip_query = true; }), "o", "/r/k?a=b", "https://h.test/r/k"},
      {with([](Redirect& r) { r.port = 9; }), "o.test:80", "/r/k", "http://o.test:9/r/k"},
      {with([](Redirect& r) { r.port = 9; }), "[::1]:80", "/r/k", "http://[::1]:9/r/k"},
      {with([](Redirect& r) { r.regex_rewrite = *RegexRewrite::compile("^/r/(.*)$", "/q/\\1"); }), "o", "/r/k?a=b", "http://o/q/k?a=b"},
      {with([](Redirect& r) { r.path = "/x?z=1", r.strip_query = true; }), "o", "/r/k", "http://o/x"},
  };
  for (const Case& c : cases) {
    auto table = table_of({route_redirect("/r", c.redirect)});
    TestHead request(c.path, {{"host", c.host}}, "GET", c.scheme);
    EXPECT_EQ(redirect_location(*table->match(request, 0), request, {}), c.location);
  }
}

std::shared_ptr<const format::Formatter> formatted(std::string_view text, bool omit_empty) {
  return std::make_shared<const format::Formatter>(format::Formatter::text(text, {.omit_empty = omit_empty}).value());
}

TEST(Rewrite, ByFormats) {
  TestHead request("/p/x?y=1", {{"host", "o.test"}, {"x-p", "a b#\xc3"}, {"x-h", "h"}});
  format::RequestInfo info;
  info.request = &request.head;
  Rewrite rewrite;
  rewrite.path_format = formatted("/new/%REQ(x-p)%", true);
  rewrite.host_format = formatted("%REQ(x-h)%.test", false);
  const Route route = route_to("x", "/", rewrite);
  // A blank in a path would end the request's target.
  EXPECT_EQ(rewritten_path(route, "/p/x?y=1", info), "/new/a%20b%23%C3?y=1");
  finish_request(request, route, nullptr, info);
  EXPECT_EQ(request.host(), "h.test");
  EXPECT_EQ(request.path(), "/new/a%20b%23%C3?y=1");
  Rewrite nothing;
  nothing.path_format = formatted("%REQ(x-no)%", true);
  EXPECT_EQ(rewritten_path(route_to("x", "/", nothing), "/p", info), "");
}

TEST(Redirect, ByAFormat) {
  TestHead request("/e/x?y=1", {{"host", "o:88"}, {"x-p", "a"}, {"x-q", "a?b"}});
  format::RequestInfo info;
  info.request = &request.head;
  const std::pair<const char*, const char*> cases[] = {
      {"/to%REQ(x-p)%", "http://o:88/toa?y=1"}, {"/to%REQ(x-q)%", "http://o:88/toa?b"}, {"%REQ(x-no)%", "http://o:88/e/x?y=1"}};
  for (const auto& [format, location] : cases) {
    Redirect redirect;
    redirect.path_format = formatted(format, true);
    auto table = table_of({route_redirect("/", redirect)});
    EXPECT_EQ(redirect_location(*table->match(request, 0), request, info), location);
  }
}

TEST(Redirect, ToTlsKeepsHostAndPortAsTheyCame) {
  VirtualHost host = host_of("v", {"*"}, {route_to("x")});
  host.require_tls = TlsRequirement::kAll;
  auto table = table_of(std::vector{host});
  TestHead request("/z?a", {{"host", "o.test:80"}, {"x-forwarded-proto", "http"}});
  EXPECT_EQ(redirect_location(*table->match(request, 0), request, {}), "https://o.test:80/z?a");
}

}  // namespace
}  // namespace weft::routing
