#include "ctl/options.h"
#include "ctl/exit_code.h"
#include "ctl/http_client.h"
#include "ctl/kind_names.h"

#include <gtest/gtest.h>

namespace weft::ctl {
namespace {

TEST(CtlOptions, ReadsCommands) {
  ParsedOptions parsed = parse_options({"apply", "-f", "a.yaml", "-f", "b", "-R", "--wait", "--timeout", "5s", "--server", "http://x:1"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.command, Command::kApply);
  EXPECT_EQ(parsed.options.files, (std::vector<std::string>{"a.yaml", "b"}));
  EXPECT_TRUE(parsed.options.recursive && parsed.options.wait);
  EXPECT_EQ(parsed.options.timeout.count(), 5000);
  EXPECT_EQ(parsed.options.server, "http://x:1");

  parsed = parse_options({"--server", "http://y:2", "-q", "get", "vs", "canary", "-n", "shop", "-o", "yaml"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.kind, "VirtualService");
  EXPECT_EQ(parsed.options.name, "canary");
  EXPECT_EQ(parsed.options.ns, "shop");
  EXPECT_TRUE(parsed.options.quiet);

  parsed = parse_options({"delete", "dr/one"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.kind, "DestinationRule");
  EXPECT_EQ(parsed.options.name, "one");

  parsed = parse_options({"proxy", "config", "routes", "http://127.0.0.1:15000", "-o", "json"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.command, Command::kProxyConfig);
  EXPECT_EQ(parsed.options.config_type, "routes");
  EXPECT_TRUE(parse_options({"apply", "-f", "-"}).run);
}

TEST(CtlOptions, WrongUseIsTwoAndSaysWhy) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "Usage"},
      {{"aply", "-f", "x"}, "did you mean apply?"},
      {{"--server", "http://x", "frobnicate"}, "\"frobnicate\" is no command"},
      {{"apply"}, "required"},
      {{"apply", "-f", "a", "--dry-run", "--wait"}, "exclude"},
      {{"apply", "-f", "a", "--timeout", "soon"}, "--timeout"},
      {{"get"}, "required"},
      {{"get", "virtualservise"}, "did you mean virtualservice?"},
      {{"get", "vs/a", "b"}, "KIND/NAME"},
      {{"get", "vs", "-o", "xml"}, "xml"},
      {{"delete"}, "KIND NAME or -f FILE"},
      {{"delete", "vs"}, "KIND NAME"},
      {{"delete", "all", "x"}, "KIND NAME"},
      {{"delete", "vs", "a", "-f", "b"}, "either"},
      {{"validate", "-f", "a", "--fail-on", "never"}, "fail-on"},
      {{"proxy"}, "required"},
      {{"proxy", "config", "secrets", "x"}, "secrets"},
      {{"status", "--color", "pink"}, "pink"},
      {{"history", "--limit", "0"}, "limit"},
      {{"status", "--frob"}, "frob"},
  };
  for (const auto& [args, words] : cases) {
    const ParsedOptions parsed = parse_options(args);
    EXPECT_FALSE(parsed.run) << words;
    EXPECT_EQ(parsed.exit_code, kUsage) << words;
    EXPECT_NE(parsed.text.find(words), std::string::npos) << parsed.text << "\nexpected: " << words;
  }
}

TEST(CtlOptions, HelpAndVersionAreNoFailure) {
  EXPECT_EQ(parse_options({"--version"}).text, "weftctl 0.1.0\n");
  for (const auto& args : {std::vector<std::string>{"--help"}, {"apply", "--help"}, {"proxy", "config", "-h"}}) {
    const ParsedOptions parsed = parse_options(args);
    EXPECT_FALSE(parsed.run);
    EXPECT_EQ(parsed.exit_code, kOk);
    EXPECT_NE(parsed.text.find("Usage"), std::string::npos);
  }
}

TEST(KindNames, TakesWhatPeopleType) {
  for (const auto& [word, expected] : {std::pair{"vs", "VirtualService"},
                                       {"VirtualServices", "VirtualService"},
                                       {"virtualservice.networking.istio.io", "VirtualService"},
                                       {"serviceentries", "ServiceEntry"},
                                       {"endpoints", "Endpoints"},
                                       {"endpointslices", "EndpointSlice"},
                                       {"po", "Pod"},
                                       {"httproutes", "HTTPRoute"},
                                       {"gateways", "Gateway"},
                                       {"gtw", "Gateway.gateway.networking.k8s.io"},
                                       {"gateways.gateway.networking.k8s.io", "Gateway.gateway.networking.k8s.io"},
                                       {"gatewayclasses.gateway.networking.k8s.io", "GatewayClass"},
                                       {"all", ""}}) {
    std::string kind = "?", problem;
    EXPECT_TRUE(kind_named(word, kind, problem)) << word << problem;
    EXPECT_EQ(kind, expected);
  }
}

TEST(Url, TakesHttpOnly) {
  for (const auto& [text, expected] : {std::pair{"http://127.0.0.1:15014", "http://127.0.0.1:15014"},
                                       {"http://host/", "http://host:80"},
                                       {"http://[::1]:5/prefix/", "http://[::1]:5"}}) {
    auto url = parse_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->text(), expected);
  }
  EXPECT_EQ(parse_url("http://[::1]:5/prefix/")->path, "/prefix");
  for (const char* bad : {"", "127.0.0.1:1", "https://x", "http://", "http://:1", "http://x:y", "http://x:", "http://a@b:1", "http://[::1",
                          "http://x:123456"})
    EXPECT_FALSE(parse_url(bad)) << bad;
  EXPECT_EQ(percent_encode("a|b c/~"), "a%7Cb%20c%2F~");
}

}  // namespace
}  // namespace weft::ctl
