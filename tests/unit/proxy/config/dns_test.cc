// The DNS proxy's settings from a node's metadata, and name tables off the wire.
#include "proxy/config/dns.h"

#include "envoy/config/core/v3/base.pb.h"
#include "istio/networking/nds/v1/nds.pb.h"

#include <google/protobuf/struct.pb.h>
#include <gtest/gtest.h>

namespace weft::config {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

// The options, and the first problem if there is one.
std::pair<std::optional<dns_proxy::Options>, std::string> options(
    const Metadata& metadata, const std::string& id = "sidecar~10.0.0.1~a.shop~shop.svc.cluster.local") {
  envoy::config::core::v3::Node node;
  node.set_id(id);
  for (const auto& [key, value] : metadata) (*node.mutable_metadata()->mutable_fields())[key].set_string_value(value);
  Diagnostics problems;
  auto out = dns_options(node, true, Where(problems, "node"));
  return {out, problems.empty() ? "" : problems.front().field + ": " + problems.front().message};
}

TEST(DnsOptions, AreOffUntilCaptured) {
  EXPECT_FALSE(options({}).first);
  EXPECT_FALSE(options({{"DNS_CAPTURE", "false"}}).first);
  const auto on = options({{"DNS_CAPTURE", "true"}}).first;
  ASSERT_TRUE(on);
  EXPECT_EQ(on->host, "localhost");
  EXPECT_EQ(on->port, 15053);
  EXPECT_EQ(on->resolv_conf, "/etc/resolv.conf");
  EXPECT_EQ(on->place.ns, "shop");
  EXPECT_EQ(on->place.domain, "svc.cluster.local");
  EXPECT_TRUE(on->table_awaited);
}

TEST(DnsOptions, AreRead) {
  const auto on =
      options({{"DNS_CAPTURE", "true"}, {"DNS_PROXY_ADDR", "[::1]:53"}, {"DNS_RESOLV_CONF", "/x"}, {"NAMESPACE", "other"}}).first;
  ASSERT_TRUE(on);
  EXPECT_EQ(on->host, "::1");
  EXPECT_EQ(on->port, 53);
  EXPECT_EQ(on->resolv_conf, "/x");
  EXPECT_EQ(on->place.ns, "other");
  EXPECT_EQ(options({{"DNS_CAPTURE", "true"}}, "plain").first->place.domain, "");
}

TEST(DnsOptions, WrongOnesAreNamed) {
  EXPECT_EQ(options({{"DNS_CAPTURE", "yes"}}).second, "node.metadata.DNS_CAPTURE: found \"yes\", expected true or false");
  for (const char* wrong : {"nowhere", "a.b:53", ":53", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x"})
    EXPECT_NE(options({{"DNS_CAPTURE", "true"}, {"DNS_PROXY_ADDR", wrong}}).second.find("node.metadata.DNS_PROXY_ADDR: found"),
              std::string::npos)
        << wrong;
}

TEST(NameTables, AreValues) {
  istio::networking::nds::v1::NameTable from;
  auto& web = (*from.mutable_table())["web.shop.svc.cluster.local"];
  web.set_registry("Kubernetes");
  web.set_shortname("web");
  web.set_namespace_("shop");
  web.add_ips("10.0.0.1");
  web.add_ips("fd00::1");
  (*from.mutable_table())["*.example.com"].add_ips("192.0.2.1");
  Diagnostics problems;
  const auto table = build_name_table(from, Where(problems, {}));
  ASSERT_NE(table, nullptr);
  ASSERT_EQ(table->hosts.size(), 2u);
  EXPECT_EQ(table->hosts[0].name.text(), "*.example.com");
  EXPECT_FALSE(table->hosts[0].kubernetes);
  EXPECT_TRUE(table->hosts[1].kubernetes);
  EXPECT_EQ(table->hosts[1].addresses.size(), 2u);
}

TEST(NameTables, EveryWrongPartIsNamed) {
  istio::networking::nds::v1::NameTable from;
  (*from.mutable_table())["a.example.com"].add_ips("10.0.0");
  (*from.mutable_table())["b..example.com"].add_ips("10.0.0.1");
  Diagnostics problems;
  EXPECT_EQ(build_name_table(from, Where(problems, {})), nullptr);
  std::string told;
  for (const Diagnostic& problem : problems) told += problem.field + ": " + problem.message + "\n";
  EXPECT_NE(told.find("table[\"a.example.com\"].ips[0]: found \"10.0.0\", expected an IP address"), std::string::npos) << told;
  EXPECT_NE(told.find("table[\"b..example.com\"]: found \"b..example.com\", expected a host name"), std::string::npos) << told;
}

}  // namespace
}  // namespace weft::config
