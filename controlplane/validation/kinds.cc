#include "controlplane/validation/kinds.h"

namespace weft::validation {
namespace {

constexpr std::string_view kNetworking = "networking.istio.io", kSecurity = "security.istio.io", kServed = "v1 v1beta1 v1alpha3";
constexpr std::string_view kGatewayApi = model::kGatewayApi, kGatewayServed = "v1 v1beta1 v1alpha2";
constexpr std::string_view kKubernetes = "written by Kubernetes";

constexpr Field kMetadataFields[] = {{"name", Type::kString},
                                     {"namespace", Type::kString, Use::kWorks, "default when absent"},
                                     {"labels", Type::kStringMap},
                                     {"annotations", Type::kStringMap},
                                     {"generateName", Type::kString, Use::kHarmless, "a name is required"},
                                     {"uid", Type::kString, Use::kHarmless, kKubernetes},
                                     {"resourceVersion", Type::kString, Use::kHarmless, kKubernetes},
                                     {"generation", Type::kInteger, Use::kHarmless, kKubernetes},
                                     {"creationTimestamp", Type::kString, Use::kHarmless, "age is the order in which Weft saw the objects"},
                                     {"deletionTimestamp", Type::kString, Use::kWorks, "a pod that carries it is not ready"},
                                     {"deletionGracePeriodSeconds", Type::kInteger, Use::kHarmless, kKubernetes},
                                     {"finalizers", Type::kStrings, Use::kHarmless, kKubernetes},
                                     {"ownerReferences", Type::kAny, Use::kHarmless, kKubernetes},
                                     {"managedFields", Type::kAny, Use::kHarmless, kKubernetes},
                                     {"selfLink", Type::kString, Use::kHarmless, kKubernetes}};

constexpr Kind kKinds[] = {
    {"VirtualService", kNetworking, kServed, &virtual_service::kTable, virtual_service::build},
    {"DestinationRule", kNetworking, kServed, &destination_rule::kTable, destination_rule::build, true, kSecurity},
    {"Gateway", kNetworking, kServed, &gateway::kTable, gateway::build},
    {"ServiceEntry", kNetworking, kServed, &service_entry::kTable, service_entry::build},
    {"WorkloadEntry", kNetworking, kServed, &service_entry::kEntryTable, service_entry::build_entry},
    {"WorkloadGroup", kNetworking, kServed, &service_entry::kGroupTable, service_entry::build_group},
    {"Sidecar", kNetworking, kServed, &sidecar::kTable, sidecar::build},
    {"HTTPRoute", kGatewayApi, kGatewayServed, &http_route::kTable, http_route::build},
    {"GRPCRoute", kGatewayApi, "v1 v1alpha2", &grpc_route::kTable, grpc_route::build},
    {"TCPRoute", kGatewayApi, "v1 v1alpha2", &l4_route::kTcpTable, l4_route::build_tcp},
    {"TLSRoute", kGatewayApi, "v1 v1alpha3 v1alpha2", &l4_route::kTlsTable, l4_route::build_tls},
    {"Gateway", kGatewayApi, kGatewayServed, &kube_gateway::kTable, kube_gateway::build, true, {}, model::kKubeGateway},
    {"GatewayClass", kGatewayApi, kGatewayServed, &kube_gateway::kClassTable, kube_gateway::build_class, false},
    {"ReferenceGrant", kGatewayApi, kGatewayServed, &kube_gateway::kGrantTable, kube_gateway::build_grant},
    {"Service", "", "v1", &kubernetes::kServiceTable, kubernetes::build_service},
    {"Endpoints", "", "v1", &kubernetes::kEndpointsTable, kubernetes::build_endpoints},
    {"EndpointSlice", "discovery.k8s.io", "v1 v1beta1", &kubernetes::kEndpointSliceTable, kubernetes::build_endpoint_slice},
    {"Pod", "", "v1", &kubernetes::kPodTable, kubernetes::build_pod},
    {"Namespace", "", "v1", &kubernetes::kNamespaceTable, kubernetes::build_namespace, false},
    {"RateLimit", "weft.dev", "v1", &rate_limit::kTable, rate_limit::build},
    {"MeshConfig", "weft.dev", "v1", &mesh_config::kTable, mesh_config::build},
};

constexpr std::string_view kLater = "remove it; identity and policy come with a later version";
constexpr std::string_view kElsewhere = "keep it out of what Weft reads and apply it to Kubernetes";
constexpr ForeignKind kForeign[] = {
    {"AuthorizationPolicy", kSecurity, kLater},
    {"PeerAuthentication", kSecurity, kLater},
    {"RequestAuthentication", kSecurity, kLater},
    {"EnvoyFilter", kNetworking, "remove it; Weft generates no patches"},
    {"ProxyConfig", kNetworking, "remove it"},
    {"WasmPlugin", "extensions.istio.io", "remove it"},
    {"Telemetry", "telemetry.istio.io", "remove it"},
    {"ListenerSet", kGatewayApi, "write the listeners into the Gateway"},
    {"UDPRoute", kGatewayApi, "remove it"},
    {"BackendTLSPolicy", kGatewayApi, "remove it; TLS comes with a later version"},
    {"Ingress", "networking.k8s.io", "write a Gateway and a VirtualService"},
    {"ConfigMap", "", "no mesh object; a bootstrap inside it goes to weft-proxy by -c or --config-yaml"},
    {"Secret", "", kElsewhere},
    {"ServiceAccount", "", kElsewhere},
    {"Deployment", "apps", "write a Service, and Pods or an EndpointSlice; the Deployment itself goes to Kubernetes"},
    {"StatefulSet", "apps", kElsewhere},
    {"DaemonSet", "apps", kElsewhere},
    {"ReplicaSet", "apps", kElsewhere},
    {"PrometheusRule", "monitoring.coreos.com", kElsewhere},
    {"ServiceMonitor", "monitoring.coreos.com", kElsewhere},
};

}  // namespace

constexpr Table kMetadataTable{kMetadataFields};

std::span<const Kind> kinds() { return kKinds; }
std::span<const ForeignKind> foreign_kinds() { return kForeign; }

const Kind* kind_named(std::string_view name) {
  for (const Kind& kind : kKinds)
    if (kind.key() == name) return &kind;
  return nullptr;
}

const Kind* kind_named(std::string_view name, std::string_view group) {
  const Kind* any = nullptr;
  for (const Kind& kind : kKinds) {
    if (kind.name != name) continue;
    if (kind.group == group) return &kind;
    if (any == nullptr) any = &kind;
  }
  return any;
}

}  // namespace weft::validation
