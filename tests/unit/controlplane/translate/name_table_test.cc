// NDS: what names a sidecar's DNS proxy is given.
#include "world.h"

#include "controlplane/translate/translate.h"
#include "istio/networking/nds/v1/nds.pb.h"

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

NamesFor whom(const std::string& metadata, const std::string& ns = "shop") {
  const auto names = names_for(node_of("sidecar~10.1.0.9~client." + ns + "~" + ns + ".svc.cluster.local", metadata));
  EXPECT_TRUE(names);
  return names.value_or(NamesFor{});
}

TEST(NameTable, HoldsWhatTheNamespaceMayCall) {
  const auto view = view_of(kWorld);
  EXPECT_EQ(shown(name_table(*view, whom(R"({"DNS_CAPTURE":"true"})"))),
            "*.wild.example.com External 192.0.2.1\n"
            "api.example.com External 192.0.2.1\n"
            "db-0.db.shop.svc.cluster.local Kubernetes db-0.db/shop 10.1.0.1\n"
            "db-1.db.shop.svc.cluster.local Kubernetes db-1.db/shop 10.1.0.2\n"
            "db.shop.svc.cluster.local Kubernetes db/shop 10.1.0.1 10.1.0.2\n"
            "hidden.shop.svc.cluster.local Kubernetes hidden/shop 10.0.0.2\n"
            "web.shop.svc.cluster.local Kubernetes web/shop 10.0.0.1 fd00::1\n");
  EXPECT_FALSE(name_table(*view, whom(R"({"DNS_CAPTURE":"true"})", "other")).table().contains("hidden.shop.svc.cluster.local"));
}

TEST(NameTable, GivesAddressesToWhoAsksForThem) {
  const auto view = view_of(kWorld);
  const NameTable v4 = name_table(*view, whom(R"({"DNS_CAPTURE":"true","DNS_AUTO_ALLOCATE":"true"})"));
  ASSERT_TRUE(v4.table().contains("auto.example.com"));
  EXPECT_FALSE(v4.table().contains("*.auto.example.com"));
  const auto& ips = v4.table().at("auto.example.com").ips();
  ASSERT_EQ(ips.size(), 1);
  EXPECT_TRUE(ips[0].starts_with("240.240.")) << ips[0];
  EXPECT_EQ(v4.table().at("api.example.com").ips_size(), 1) << "it has an address";
  const NameTable both = name_table(*view, whom(R"({"DNS_CAPTURE":true,"DNS_AUTO_ALLOCATE":true,"INSTANCE_IPS":"10.1.0.9,fd00::9"})"));
  ASSERT_EQ(both.table().at("auto.example.com").ips_size(), 2);
  EXPECT_EQ(both.table().at("auto.example.com").ips(0), ips[0]) << "the same for all";
  EXPECT_TRUE(both.table().at("auto.example.com").ips(1).starts_with("2001:2::f0f0:"));
}

TEST(NameTable, IsForSidecarsThatCaptureDns) {
  EXPECT_FALSE(names_for(node_of("sidecar~10.1.0.9~client.shop~shop.svc.cluster.local")));
  EXPECT_FALSE(names_for(node_of("router~10.1.0.9~gate.shop~shop.svc.cluster.local", R"({"DNS_CAPTURE":"true"})")));
  EXPECT_FALSE(names_for(node_of("sidecar~10.1.0.9~client.shop~shop.svc.cluster.local", R"({"DNS_CAPTURE":"true","GENERATOR":"grpc"})")));
}

}  // namespace
}  // namespace weft::translate
