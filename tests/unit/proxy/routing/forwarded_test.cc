// Rows marked (envoy) are what Envoy 1.40 sent upstream for the same request and options.
#include "proxy/routing/forwarded.h"

#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

#include <set>

namespace weft::routing {
namespace {

using testing::TestHead;

Address ip(const char* text) { return boost::asio::ip::make_address(text); }

Client loopback() { return {.remote = ip("127.0.0.1"), .remote_port = 4711, .local_port = 8080, .tls = false}; }

ForwardedOptions edge_options() {
  ForwardedOptions options;
  options.use_remote_address = true;
  options.node_address = ip("192.0.2.2");
  return options;
}

const testing::Lines kLies = {{"x-envoy-internal", "true"},
                              {"x-envoy-retry-on", "5xx"},
                              {"x-envoy-retry-grpc-on", "cancelled"},
                              {"x-envoy-max-retries", "1000"},
                              {"x-envoy-upstream-alt-stat-name", "a"},
                              {"x-envoy-upstream-rq-timeout-ms", "1"},
                              {"x-envoy-upstream-rq-per-try-timeout-ms", "9"},
                              {"x-envoy-upstream-rq-timeout-alt-response", "1"},
                              {"x-envoy-expected-rq-timeout-ms", "7"},
                              {"x-envoy-force-trace", "1"},
                              {"x-envoy-ip-tags", "t"},
                              {"x-envoy-original-path", "/lie"},
                              {"x-envoy-original-host", "lie"},
                              {"x-envoy-original-url", "lie"},
                              {"x-envoy-decorator-operation", "d"},
                              {"x-envoy-downstream-service-cluster", "c"},
                              {"x-envoy-downstream-service-node", "n"},
                              {"x-envoy-hedge-on-per-try-timeout", "true"},
                              {"x-envoy-retriable-status-codes", "500"},
                              {"x-envoy-retriable-header-names", "a"},
                              {"x-forwarded-client-cert", "c"},
                              {"x-secret", "s"}};

std::set<std::string> names(const http::Head& head) {
  std::set<std::string> out;
  for (const http::Header& header : head.headers())
    if (!header.removed) out.emplace(header.name());
  return out;
}

TEST(Forwarded, TakesAnOutsidersWordsAwayAtTheEdge) {  // (envoy)
  TestHead request("/", kLies);
  ForwardedOptions options = edge_options();
  const std::string internal_only[] = {"x-secret"};
  Forwarded result = mutate_request(request, options, loopback(), internal_only);
  EXPECT_FALSE(result.internal);
  EXPECT_EQ(names(request), (std::set<std::string>{"x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-envoy-external-address"}));
  EXPECT_EQ(request["x-forwarded-for"], "192.0.2.2");
  EXPECT_EQ(request["x-envoy-external-address"], "127.0.0.1");
  EXPECT_EQ(result.client, ip("127.0.0.1"));
  EXPECT_EQ(result.client_port, 4711);
}

TEST(Forwarded, OnlyTheDefaultLoopbackAddressStandsForTheMachine) {  // (envoy)
  TestHead request("/", {{"x-forwarded-for", "10.1.2.3"}, {"x-forwarded-for", "10.4.5.6"}});
  Client other = loopback();
  other.remote = ip("127.0.0.2");
  mutate_request(request, edge_options(), other);
  EXPECT_EQ(request["x-forwarded-for"], "10.1.2.3,10.4.5.6,127.0.0.2");
}

TEST(Forwarded, BehindAnotherProxyKeepsWhatThatSaid) {  // (envoy)
  TestHead request("/", kLies);
  mutate_request(request, {}, loopback());
  EXPECT_EQ(names(request), (std::set<std::string>{"x-envoy-original-path", "x-envoy-original-host", "x-envoy-decorator-operation",
                                                   "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node", "x-secret",
                                                   "x-forwarded-proto", "x-request-id"}));
}

TEST(Forwarded, BelievesInsiders) {  // (envoy)
  TestHead request("/", kLies);
  ForwardedOptions options = edge_options();
  options.internal_addresses = {{ip("127.0.0.0"), 8}};
  EXPECT_TRUE(mutate_request(request, options, loopback()).internal);
  EXPECT_EQ(request["x-envoy-internal"], "true");
  EXPECT_EQ(request["x-envoy-upstream-rq-timeout-ms"], "1");
  EXPECT_EQ(request["x-envoy-retry-on"], "5xx");
  EXPECT_FALSE(request.has("x-envoy-external-address"));
  EXPECT_FALSE(request.has("x-forwarded-client-cert"));
}

TEST(Forwarded, NobodyIsInternalUnlessToldSo) {
  for (const char* address : {"127.0.0.1", "10.0.0.1", "192.168.0.1", "::1", "fd00::1"}) EXPECT_FALSE(is_internal(ip(address), {}));
}

TEST(Forwarded, ForwardedForDecidesWhoTheClientIs) {  // (envoy)
  struct Case {
    const char* what;
    bool edge;
    uint32_t hops;
    const char* before;
    const char* after;
    const char* client;
    bool internal;  // with 10.0.0.0/8
  } cases[] = {
      {"appended", true, 0, "1.2.3.4", "1.2.3.4,192.0.2.2", "127.0.0.1", false},
      {"one hop", true, 1, "1.2.3.4, 5.6.7.8", "1.2.3.4, 5.6.7.8,192.0.2.2", "5.6.7.8", false},
      {"two hops", true, 2, "1.2.3.4, 5.6.7.8", "1.2.3.4, 5.6.7.8,192.0.2.2", "1.2.3.4", false},
      {"too few hops", true, 3, "1.2.3.4, 5.6.7.8", "1.2.3.4, 5.6.7.8,192.0.2.2", "127.0.0.1", false},
      {"inside", false, 0, "10.1.2.3", "10.1.2.3", "10.1.2.3", true},
      {"inside, from outside", false, 0, "8.8.8.8", "8.8.8.8", "8.8.8.8", false},
      {"more than one", false, 0, "10.1.2.3, 10.0.0.1", "10.1.2.3, 10.0.0.1", "10.0.0.1", false},
      {"skipping two of two", false, 2, "1.1.1.1, 2.2.2.2", "1.1.1.1, 2.2.2.2", "127.0.0.1", false},
      {"skipping one", false, 1, "1.1.1.1, 2.2.2.2", "1.1.1.1, 2.2.2.2", "1.1.1.1", false},
      {"nonsense", false, 0, "bad", "bad", "127.0.0.1", false},
      {"scope id", false, 0, "fe80::1%eth0", "fe80::1%eth0", "127.0.0.1", false},
      {"IPv6", false, 0, "2001:db8::1", "2001:db8::1", "2001:db8::1", false},
  };
  for (const Case& c : cases) {
    TestHead request("/", {{"x-forwarded-for", c.before}});
    ForwardedOptions options = edge_options();
    options.use_remote_address = c.edge;
    options.xff_num_trusted_hops = c.hops;
    options.internal_addresses = {{ip("10.0.0.0"), 8}};
    Forwarded result = mutate_request(request, options, loopback());
    EXPECT_EQ(request["x-forwarded-for"], c.after) << c.what;
    EXPECT_EQ(result.client, ip(c.client)) << c.what;
    EXPECT_EQ(result.internal, c.internal) << c.what;
  }
}

TEST(Forwarded, SkipsTheAppendWhenAsked) {
  TestHead request("/", {{"x-forwarded-for", "1.2.3.4"}});
  ForwardedOptions options = edge_options();
  options.skip_xff_append = true;
  mutate_request(request, options, loopback());
  EXPECT_EQ(request["x-forwarded-for"], "1.2.3.4");
}

TEST(Forwarded, ProtoFollowsTheConnectionUnlessAProxyIsTrusted) {  // (envoy)
  struct Case {
    bool edge;
    uint32_t hops;
    bool tls;
    const char* before;
    const char* after;
    const char* scheme;
  } cases[] = {{true, 0, false, "https", "http", "http"},   {true, 0, true, "http", "https", "https"},
               {true, 1, false, "https", "https", "https"}, {false, 0, false, "https", "https", "https"},
               {false, 0, false, "ftp", "ftp", "http"},     {false, 0, true, "", "https", "https"}};
  for (const Case& c : cases) {
    TestHead request("/", {}, "GET", "");
    if (*c.before) request.head.add("x-forwarded-proto", c.before);
    ForwardedOptions options;
    options.use_remote_address = c.edge;
    options.xff_num_trusted_hops = c.hops;
    Client client = loopback();
    client.tls = c.tls;
    mutate_request(request, options, client);
    EXPECT_EQ(request["x-forwarded-proto"], c.after);
    EXPECT_EQ(request.head.scheme(), c.scheme);
  }
}

TEST(Forwarded, ProtoByThePortThatAProxyNames) {  // (envoy)
  struct Case {
    bool restored;
    uint16_t port;
    uint32_t hops;
    bool edge;
    const char* before;
    const char* after;
  } cases[] = {{true, 443, 0, true, "", "https"},     {true, 443, 0, true, "ftp", "https"}, {true, 80, 0, true, "https", "http"},
               {true, 8080, 0, true, "", "https"},    {true, 81, 0, true, "", "http"},      {true, 443, 1, true, "", "https"},
               {true, 443, 1, true, "ftp", "ftp"},    {true, 443, 0, false, "", "https"},   {true, 443, 0, false, "ftp", "ftp"},
               {false, 443, 0, true, "https", "http"}};
  for (const Case& c : cases) {
    TestHead request("/", {}, "GET", "");
    if (*c.before) request.head.add("x-forwarded-proto", c.before);
    ForwardedOptions options;
    options.use_remote_address = c.edge;
    options.xff_num_trusted_hops = c.hops;
    options.https_ports = {443, 8080};
    options.http_ports = {80, 8080};
    Client client = loopback();
    client.local_port = c.port;
    client.local_restored = c.restored;
    mutate_request(request, options, client);
    EXPECT_EQ(request["x-forwarded-proto"], c.after) << c.port << c.before;
  }
}

TEST(Forwarded, RequestIdIsKeptFromWithinAndMadeAnewAtTheEdge) {  // (envoy)
  struct Case {
    bool edge, preserve, generate;
    const char* before;
    bool kept, there;
  } cases[] = {{false, false, true, "mine", true, true}, {true, false, true, "mine", false, true},
               {true, true, true, "mine", true, true},   {false, false, true, nullptr, false, true},
               {true, true, true, nullptr, false, true}, {false, false, false, nullptr, false, false},
               {true, false, false, "mine", true, true}};
  for (const Case& c : cases) {
    TestHead request("/");
    if (c.before) request.head.add("x-request-id", c.before);
    ForwardedOptions options;
    options.use_remote_address = c.edge;
    options.preserve_external_request_id = c.preserve;
    options.generate_request_id = c.generate;
    mutate_request(request, options, loopback());
    EXPECT_EQ(request.has("x-request-id"), c.there);
    EXPECT_EQ(request["x-request-id"] == "mine", c.kept);
    if (c.there && !c.kept) {
      EXPECT_EQ(request["x-request-id"].size(), 36u);
    }
  }
}

TEST(Forwarded, AppendsViaAndUserAgent) {
  TestHead request("/", {{"via", "a"}});
  ForwardedOptions options;
  options.via = "me";
  options.add_user_agent = true;
  options.local_cluster = "front";
  options.local_node = "node-1";
  mutate_request(request, options, loopback());
  EXPECT_EQ(request["via"], "a, me");
  EXPECT_EQ(request["user-agent"], "front");
  EXPECT_EQ(request["x-envoy-downstream-service-cluster"], "front");
  EXPECT_EQ(request["x-envoy-downstream-service-node"], "node-1");
}

TEST(Forwarded, NormalisesThePathFirst) {
  TestHead request("/x/../%61dmin");
  ForwardedOptions options;
  options.path = {.normalize = true};
  EXPECT_EQ(mutate_request(request, options, loopback()).path, PathVerdict::kAccept);
  EXPECT_EQ(request.path(), "/admin");
}

TEST(Host, LosesPortAndDot) {
  using enum ForwardedOptions::HostPort;
  struct Case {
    const char* host;
    ForwardedOptions::HostPort how;
    const char* after;
  } cases[] = {{"a:8080", kStripMatching, "a"},    {"a:80", kStripMatching, "a:80"},      {"a:80", kStripAny, "a"},  {"a", kStripAny, "a"},
               {"[::1]:8080", kStripAny, "[::1]"}, {"[::1]", kStripAny, "[::1]"},         {"a:x", kStripAny, "a:x"}, {"a:", kStripAny, "a"},
               {"a:8080", kKeep, "a:8080"},        {"a:8080x", kStripMatching, "a:8080x"}};
  for (const Case& c : cases) {
    TestHead request("/", {{"host", c.host}});
    strip_host_port(request, c.how, 8080);
    EXPECT_EQ(request.host(), c.after) << c.host;
  }
  const std::pair<const char*, const char*> dots[] = {{"a.", "a"}, {"a.:80", "a:80"}, {"a.b", "a.b"}, {".", ""}, {"a.b.", "a.b"}};
  for (auto [host, after] : dots) {
    TestHead request("/", {{"host", host}});
    strip_trailing_host_dot(request);
    EXPECT_EQ(request.host(), after) << host;
  }
}

TEST(AddressRange, ComparesItsBits) {
  EXPECT_TRUE((AddressRange{ip("10.0.0.0"), 8}.contains(ip("10.255.0.1"))));
  EXPECT_FALSE((AddressRange{ip("10.0.0.0"), 8}.contains(ip("11.0.0.1"))));
  EXPECT_TRUE((AddressRange{ip("10.0.0.128"), 25}.contains(ip("10.0.0.200"))));
  EXPECT_FALSE((AddressRange{ip("10.0.0.128"), 25}.contains(ip("10.0.0.100"))));
  EXPECT_TRUE((AddressRange{ip("fd00::"), 8}.contains(ip("fdff::1"))));
  EXPECT_FALSE((AddressRange{ip("fd00::"), 8}.contains(ip("10.0.0.1"))));
  EXPECT_TRUE((AddressRange{ip("10.0.0.0"), 8}.contains(ip("::ffff:10.0.0.1"))));
  EXPECT_TRUE((AddressRange{ip("0.0.0.0"), 0}.contains(ip("8.8.8.8"))));
}

Forwarded detected(std::vector<IpDetection> how, TestHead& request) {
  ForwardedOptions options;
  options.ip_detection = std::move(how);
  options.internal_addresses = {{ip("9.0.0.0"), 8}};
  options.node_address = ip("192.0.2.2");
  return mutate_request(request, options, loopback());
}

TEST(Forwarded, AddressesFromTrustedProxies) {  // (envoy)
  const std::vector<AddressRange> trusted = {{ip("127.0.0.0"), 8}, {ip("10.0.0.0"), 8}};
  const std::tuple<const char*, const char*> rows[] = {
      {"1.1.1.1, 2.2.2.2", "2.2.2.2"},         {"3.3.3.3, 10.1.1.1,10.2.2.2", "3.3.3.3"},
      {"10.3.3.3, 10.1.1.1", "10.3.3.3"},      {"bad", "127.0.0.1"},
      {"1.1.1.1, bad, 10.1.1.1", "127.0.0.1"}, {"", "127.0.0.1"},
  };
  for (auto [given, expected] : rows) {
    TestHead request("/", {{"x-forwarded-for", given}});
    IpDetection detection;
    detection.trusted = trusted;
    EXPECT_EQ(detected({detection}, request).client, ip(expected)) << given;
    EXPECT_EQ(request["x-forwarded-for"], given);
  }
  IpDetection strangers;
  strangers.trusted = {{ip("10.0.0.0"), 8}};
  TestHead request("/", {{"x-forwarded-for", "1.1.1.1"}});
  EXPECT_EQ(detected({strangers}, request).client, ip("127.0.0.1"));
}

TEST(Forwarded, AddressesFromAHeader) {  // (envoy)
  IpDetection header;
  header.kind = IpDetection::Kind::kHeader;
  header.header = "x-ip";
  header.trust_address = true;
  header.reject_status = 401;
  TestHead found("/", {{"x-ip", " 9.9.9.9"}, {"x-forwarded-for", "5.5.5.5"}});
  const Forwarded result = detected({header}, found);
  EXPECT_EQ(result.client, ip("9.9.9.9"));
  EXPECT_TRUE(result.internal);
  EXPECT_EQ(result.reject_status, 0);
  for (const char* value : {"bad", "9.9.9.9:80", ""}) {
    TestHead request("/", {{"x-ip", value}});
    EXPECT_EQ(detected({header}, request).reject_status, 401) << value;
  }
  header.reject_status = 0;
  header.trust_address = false;
  IpDetection appends;
  appends.append = true;
  TestHead next("/", {{"x-forwarded-for", "9.5.5.5"}});
  EXPECT_EQ(detected({header, appends}, next).client, ip("9.5.5.5"));
  EXPECT_EQ(next["x-forwarded-for"], "9.5.5.5,192.0.2.2");
  TestHead untrusted("/", {{"x-ip", "9.9.9.9"}});
  EXPECT_FALSE(detected({header}, untrusted).internal);
}

TEST(Forwarded, ASchemeOfOurOwn) {  // (envoy)
  ForwardedOptions options;
  options.scheme = "https";
  TestHead request("/", {{"x-forwarded-proto", "http"}});
  mutate_request(request, options, loopback());
  EXPECT_EQ(request.head.scheme(), "https");
  EXPECT_EQ(request["x-forwarded-proto"], "https");
}

std::string client_cert(ForwardClientCert mode, const ClientCertificate* certificate, testing::Lines lines) {
  ForwardedOptions options;
  options.client_cert = mode;
  options.client_cert_details = {.subject = true, .dns = true, .uri = true};
  TestHead request("/", lines);
  forward_client_cert(request, options, certificate);
  return request["x-forwarded-client-cert"];
}

TEST(Forwarded, ClientCertificates) {
  using Mode = ForwardClientCert;
  const testing::Lines brought = {{"x-forwarded-client-cert", "By=a"}};
  for (Mode mode : {Mode::kSanitize, Mode::kForwardOnly, Mode::kAppendForward, Mode::kSanitizeSet})
    EXPECT_EQ(client_cert(mode, nullptr, brought), "");
  EXPECT_EQ(client_cert(Mode::kAlwaysForwardOnly, nullptr, brought), "By=a");
  ClientCertificate certificate;
  certificate.hash = "beef";
  certificate.local_uris = {"spiffe://us"};
  certificate.uris = {"spiffe://them"};
  certificate.dns = {"a.test", "b.test"};
  certificate.subject = "CN=them";
  const std::string element = "By=spiffe://us;Hash=beef;Subject=\"CN=them\";URI=spiffe://them;DNS=a.test;DNS=b.test";
  EXPECT_EQ(client_cert(Mode::kSanitize, &certificate, brought), "");
  EXPECT_EQ(client_cert(Mode::kForwardOnly, &certificate, brought), "By=a");
  EXPECT_EQ(client_cert(Mode::kSanitizeSet, &certificate, brought), element);
  EXPECT_EQ(client_cert(Mode::kAppendForward, &certificate, brought), "By=a," + element);
}

}  // namespace
}  // namespace weft::routing
