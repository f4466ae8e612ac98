// The codes of all findings about resources, frozen once released. Istio's analyzer code stands beside ours where there is one.
#pragma once
#include <string_view>

namespace weft::validation {

struct Code {
  std::string_view code, alias, title;
};

namespace codes {
inline constexpr Code kUnknownField{"WEFT0101", "IST0106", "unknown field"};
inline constexpr Code kWrongType{"WEFT0102", "IST0106", "value of the wrong type"};
inline constexpr Code kUnsupportedField{"WEFT0103", "", "field that this version does not carry"};
inline constexpr Code kUnsupportedKind{"WEFT0104", "", "kind that this version does not carry"};
inline constexpr Code kApiVersion{"WEFT0105", "", "apiVersion that does not serve the kind"};
inline constexpr Code kMissing{"WEFT0106", "IST0106", "required field missing"};
inline constexpr Code kName{"WEFT0107", "IST0106", "name that is not a DNS label"};
inline constexpr Code kValue{"WEFT0108", "IST0106", "value out of range"};
inline constexpr Code kChoice{"WEFT0109", "IST0106", "not one of the values that may stand here"};
inline constexpr Code kConflict{"WEFT0110", "IST0106", "fields that exclude each other"};
inline constexpr Code kRegex{"WEFT0111", "IST0122", "not a regular expression of RE2"};
inline constexpr Code kHost{"WEFT0112", "IST0106", "not a host name"};
inline constexpr Code kDuplicate{"WEFT0113", "IST0106", "said twice"};
inline constexpr Code kTooLarge{"WEFT0114", "IST0106", "larger than the limit"};
inline constexpr Code kSameObject{"WEFT0115", "", "the same object twice"};
inline constexpr Code kOldSpelling{"WEFT0120", "IST0002", "old spelling; works"};
inline constexpr Code kNotServed{"WEFT0121", "", "taken, but has no effect yet"};
inline constexpr Code kNoEffect{"WEFT0122", "IST0133", "has no effect as written"};

inline constexpr Code kHostUnknown{"WEFT0201", "IST0101", "referenced host not found"};
inline constexpr Code kSubsetUnknown{"WEFT0202", "IST0101", "referenced subset not found"};
inline constexpr Code kGatewayUnknown{"WEFT0203", "IST0101", "referenced gateway not found"};
inline constexpr Code kHostConflict{"WEFT0204", "IST0109", "several VirtualServices for one mesh host"};
inline constexpr Code kUnreachable{"WEFT0205", "IST0130", "route that nothing reaches"};
inline constexpr Code kIneffective{"WEFT0206", "IST0131", "match that an earlier one takes away"};
inline constexpr Code kHostNotInGateway{"WEFT0207", "IST0132", "VirtualService host not in its gateway"};
inline constexpr Code kEmptySubset{"WEFT0208", "IST0173", "subset that selects no pods"};
inline constexpr Code kRuleHostUnknown{"WEFT0209", "IST0174", "DestinationRule for an unknown host"};
inline constexpr Code kPortName{"WEFT0210", "IST0118", "port whose protocol nothing tells"};
inline constexpr Code kDelegateUnknown{"WEFT0211", "IST0101", "referenced delegate not found"};
inline constexpr Code kDelegateConflict{"WEFT0212", "", "delegate's route outside of what its root hands over"};
inline constexpr Code kPortNeeded{"WEFT0214", "IST0112", "destination with several ports, and none chosen"};
inline constexpr Code kGatewayPort{"WEFT0215", "IST0162", "gateway port that the gateway's Service does not have"};
inline constexpr Code kGatewayConflict{"WEFT0216", "IST0145", "several Gateways for one port and host"};
inline constexpr Code kEntryProtocol{"WEFT0217", "IST0177", "ServiceEntries that disagree on a port's protocol"};
inline constexpr Code kEntryAddresses{"WEFT0218", "IST0134", "TCP port of a ServiceEntry without addresses"};
inline constexpr Code kTargetUnknown{"WEFT0219", "IST0101", "referenced target not found"};
inline constexpr Code kSelectorUnknown{"WEFT0224", "IST0101", "selector that no workload has"};
inline constexpr Code kNoWorkload{"WEFT0225", "IST0127", "labels that no workload has"};
inline constexpr Code kWorkloadProtocol{"WEFT0226", "IST0116", "Services that disagree on the protocol of a workload's port"};
inline constexpr Code kWorkloadPorts{"WEFT0227", "IST0137", "Services that give a workload's port several numbers"};
inline constexpr Code kSubsetsOfMesh{"WEFT0228", "IST0140", "subsets that requests of a gateway do not get"};
inline constexpr Code kSidecarConflict{"WEFT0229", "IST0110", "several Sidecars that select one workload"};
inline constexpr Code kSidecarsOfNamespace{"WEFT0230", "IST0111", "several Sidecars for a whole namespace"};
inline constexpr Code kDelegateUnused{"WEFT0213", "", "VirtualService without hosts that nobody delegates to"};

inline constexpr Code kParent{"WEFT0221", "IST0171", "parent that a route of the Gateway API cannot attach to"};
inline constexpr Code kBackend{"WEFT0222", "IST0171", "backend of the Gateway API that cannot be used"};
inline constexpr Code kGatewayStatus{"WEFT0223", "IST0171", "Gateway of the Gateway API that is not served as written"};
}  // namespace codes

}  // namespace weft::validation
