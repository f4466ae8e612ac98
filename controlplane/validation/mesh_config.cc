// MeshConfig: the fields that Weft reads of Istio's, as an object of the root namespace.
#include "controlplane/validation/kinds.h"

namespace weft::validation::mesh_config {
namespace {

constexpr Field kPolicyFields[] = {{"mode", Type::kChoice, Use::kWorks,
                                    "ALLOW_ANY when outboundTrafficPolicy is absent, REGISTRY_ONLY when it stands without it", nullptr,
                                    "REGISTRY_ONLY ALLOW_ANY !ALLOW_ANY_DYNAMIC_DNS"}};
constexpr Table kPolicy{kPolicyFields};
constexpr Field kSpecFields[] = {
    {"outboundTrafficPolicy", Type::kObject, Use::kWorks, "where no Sidecar says it", &kPolicy},
    {"defaultServiceExportTo", Type::kStrings, Use::kWorks, "of Services and ServiceEntries that say nothing; all when absent"},
    {"defaultVirtualServiceExportTo", Type::kStrings, Use::kWorks, "of VirtualServices that say nothing; all when absent"},
    {"defaultDestinationRuleExportTo", Type::kStrings, Use::kWorks, "of DestinationRules that say nothing; all when absent"},
    {"rootNamespace", Type::kChoice, Use::kWorks, "there is no other", nullptr, "istio-system"},
    {"trustDomain", Type::kString, Use::kRefused, "identity comes with a later version"},
    {"enableAutoMtls", Type::kBool, Use::kRefused, "identity comes with a later version"},
    {"localityLbSetting", Type::kObject, Use::kRefused, "localities are not weighed yet"},
    {"accessLogFile", Type::kString, Use::kRefused, "logs come with Telemetry, in a later version"},
    {"defaultConfig", Type::kObject, Use::kRefused, "give it to the proxies as flags and bootstrap"}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {WEFT_OBJECT_FIELDS,
                                 {"spec", Type::kObject, Use::kWorks, "of Istio's MeshConfig", &kSpec},
                                 {"status", Type::kAny, Use::kHarmless, "unread"}};

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::MeshConfig out;
  if (root.subject().ns != model::kRootNamespace)
    root["metadata"].error(codes::kValue, "found a MeshConfig in the namespace " + root.subject().ns + ", expected it in istio-system",
                           "write namespace: istio-system");
  if (spec["outboundTrafficPolicy"] && spec["outboundTrafficPolicy"]["mode"].text() != "ALLOW_ANY")
    out.outbound_policy = model::OutboundPolicy::kRegistryOnly;
  out.service_export_to = export_to(spec["defaultServiceExportTo"], true);
  out.virtual_service_export_to = export_to(spec["defaultVirtualServiceExportTo"], false);
  out.destination_rule_export_to = export_to(spec["defaultDestinationRuleExportTo"], false);
  return out;
}

}  // namespace weft::validation::mesh_config
