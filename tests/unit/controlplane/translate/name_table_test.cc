// NDS: what names a sidecar's DNS proxy is given.
#include "world.h"

#include "controlplane/translate/translate.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "istio/networking/nds/v1/nds.pb.h"

#include <set>

namespace weft::translate {
namespace {

constexpr char kWorld[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "fd00::1"], ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: hidden, namespace: shop, annotations: {networking.istio.io/exportTo: "."}}
spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: tcp, port: 5432}, {name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db}}
spec: {hostname: db-0, subdomain: db, containers: [{name: db}]}
status: {podIP: 10.1.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}}
spec: {subdomain: db, containers: [{name: db}]}
status: {podIP: 10.1.0.2, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: db-2, namespace: shop, labels: {app: db}}
spec: {subdomain: db, containers: [{name: db}]}
status: {podIP: 10.1.0.3, phase: Running, conditions: [{type: Ready, status: "False"}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: shop}
spec: {clusterIP: None, selector: {app: nobody}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: written, namespace: shop}
spec:
  hosts: [api.example.com, "*.wild.example.com"]
  addresses: [192.0.2.1, 192.0.2.0/24]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: given, namespace: shop}
spec:
  hosts: [auto.example.com, "*.auto.example.com"]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.2}]
)";

std::string shown(const NameTable& table) {
  std::map<std::string, std::string> lines;
  for (const auto& [host, info] : table.table()) {
    std::string& line = lines[host];
    line = host + " " + info.registry();
    if (!info.shortname().empty()) line += " " + info.shortname() + "/" + info.namespace_();
    for (const std::string& ip : info.ips()) line += " " + ip;
  }
  std::string out;
  for (const auto& [host, line] : lines) out += line + "\n";
  return out;
}

NamesFor whom(const model::View& view, const std::string& metadata, const std::string& ns = "shop") {
  const auto names = names_for(view, node_of("sidecar~10.1.0.9~client." + ns + "~" + ns + ".svc.cluster.local", metadata));
  EXPECT_TRUE(names);
  return names.value_or(NamesFor{});
}

TEST(NameTable, HoldsWhatTheNamespaceMayCall) {
  const auto view = view_of(kWorld);
  EXPECT_EQ(shown(name_table(*view, whom(*view, R"({"DNS_CAPTURE":"true"})"))),
            "*.wild.example.com External 192.0.2.1\n"
            "api.example.com External 192.0.2.1\n"
            "db-0.db.shop.svc.cluster.local Kubernetes db-0.db/shop 10.1.0.1\n"
            "db-1.db.shop.svc.cluster.local Kubernetes db-1.db/shop 10.1.0.2\n"
            "db.shop.svc.cluster.local Kubernetes db/shop 10.1.0.1 10.1.0.2\n"
            "hidden.shop.svc.cluster.local Kubernetes hidden/shop 10.0.0.2\n"
            "web.shop.svc.cluster.local Kubernetes web/shop 10.0.0.1 fd00::1\n");
  EXPECT_FALSE(name_table(*view, whom(*view, R"({"DNS_CAPTURE":"true"})", "other")).table().contains("hidden.shop.svc.cluster.local"));
}

TEST(NameTable, GivesAddressesToWhoAsksForThem) {
  const auto view = view_of(kWorld);
  const NameTable v4 = name_table(*view, whom(*view, R"({"DNS_CAPTURE":"true","DNS_AUTO_ALLOCATE":"true"})"));
  ASSERT_TRUE(v4.table().contains("auto.example.com"));
  EXPECT_FALSE(v4.table().contains("*.auto.example.com"));
  const auto& ips = v4.table().at("auto.example.com").ips();
  ASSERT_EQ(ips.size(), 1);
  EXPECT_TRUE(ips[0].starts_with("240.240.")) << ips[0];
  EXPECT_EQ(v4.table().at("api.example.com").ips_size(), 1) << "it has an address";
  const NameTable both =
      name_table(*view, whom(*view, R"({"DNS_CAPTURE":true,"DNS_AUTO_ALLOCATE":true,"INSTANCE_IPS":"10.1.0.9,fd00::9"})"));
  ASSERT_EQ(both.table().at("auto.example.com").ips_size(), 2);
  EXPECT_EQ(both.table().at("auto.example.com").ips(0), ips[0]) << "the same for all";
  EXPECT_TRUE(both.table().at("auto.example.com").ips(1).starts_with("2001:2::f0f0:"));
}

TEST(NameTable, KeepsToTheSidecar) {
  const auto view = view_of(std::string(kWorld) + R"(
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {egress: [{hosts: ["./web.shop.svc.cluster.local"]}]}
)");
  EXPECT_EQ(shown(name_table(*view, whom(*view, R"({"DNS_CAPTURE":"true"})"))),
            "web.shop.svc.cluster.local Kubernetes web/shop 10.0.0.1 fd00::1\n");
}

// With the dialled address decided by the client, a name of our own making would lead nowhere.
TEST(NameTable, GivesNoAddressWhereTheDialledOneDecides) {
  const auto view = view_of(R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: through, namespace: shop}
spec: {hosts: [through.example.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: resolved, namespace: shop}
spec: {hosts: [resolved.example.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}
)");
  const NameTable table = name_table(*view, whom(*view, R"({"DNS_CAPTURE":"true","DNS_AUTO_ALLOCATE":"true"})"));
  EXPECT_FALSE(table.table().contains("through.example.com"));
  EXPECT_TRUE(table.table().contains("resolved.example.com"));
}

// Two hosts of plain TCP on one port: told apart by the addresses given to them.
TEST(NameTable, GivenAddressesAreListenedFor) {
  std::string world;
  for (const char* host : {"one", "two"})
    world +=
        std::string("---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ") + host +
        ", namespace: shop}\nspec: {hosts: [" + host +
        ".example.com], ports: [{number: 9000, name: tcp, protocol: TCP}], resolution: STATIC, endpoints: [{address: 198.51.100.1}]}\n";
  const auto view = view_of(world);
  const auto names = [&](const std::string& metadata) {
    const model::Node node = node_of("sidecar~10.1.0.9~client.shop~shop.svc.cluster.local", metadata);
    const Client client = client_of(*view, node, listener_plan(*view, node));
    std::string out;
    for (const Listener& listener : outbound_listeners(*view, client))
      if (listener.name().ends_with("_9000")) out += listener.name() + " ";
    return out;
  };
  EXPECT_EQ(names("{}"), "0.0.0.0_9000 ");
  std::string wanted;
  std::set<std::string> sorted;
  for (const model::ServiceInfo* service : view->services()) sorted.insert(view->automatic_addresses(*service)->v4 + "_9000 ");
  for (const std::string& name : sorted) wanted += name;
  EXPECT_EQ(names(R"({"DNS_CAPTURE":"true","DNS_AUTO_ALLOCATE":"true"})"), wanted);
}

TEST(NameTable, IsForSidecarsThatCaptureDns) {
  const auto view = view_of(kWorld);
  EXPECT_FALSE(names_for(*view, node_of("sidecar~10.1.0.9~client.shop~shop.svc.cluster.local")));
  EXPECT_FALSE(names_for(*view, node_of("router~10.1.0.9~gate.shop~shop.svc.cluster.local", R"({"DNS_CAPTURE":"true"})")));
  EXPECT_FALSE(
      names_for(*view, node_of("sidecar~10.1.0.9~client.shop~shop.svc.cluster.local", R"({"DNS_CAPTURE":"true","GENERATOR":"grpc"})")));
}

}  // namespace
}  // namespace weft::translate
