// docs/reference/istio.md from the tables that validate() goes by, so that the page cannot lie.
#include "controlplane/validation/kinds.h"
#include "controlplane/validation/validation.h"

namespace weft::validation {
namespace {

std::string versions(const Kind& kind) {
  std::string out;
  for (std::string_view rest = kind.versions; !rest.empty();) {
    const size_t space = rest.find(' ');
    out +=
        (out.empty() ? "`" : ", `") + (kind.group.empty() ? "" : std::string(kind.group) + "/") + std::string(rest.substr(0, space)) + "`";
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  }
  return out;
}

constexpr Code kAll[] = {codes::kUnknownField,
                         codes::kWrongType,
                         codes::kUnsupportedField,
                         codes::kUnsupportedKind,
                         codes::kApiVersion,
                         codes::kMissing,
                         codes::kName,
                         codes::kValue,
                         codes::kChoice,
                         codes::kConflict,
                         codes::kRegex,
                         codes::kHost,
                         codes::kDuplicate,
                         codes::kTooLarge,
                         codes::kSameObject,
                         codes::kOldSpelling,
                         codes::kNotServed,
                         codes::kNoEffect,
                         codes::kHostUnknown,
                         codes::kSubsetUnknown,
                         codes::kGatewayUnknown,
                         codes::kHostConflict,
                         codes::kUnreachable,
                         codes::kIneffective,
                         codes::kHostNotInGateway,
                         codes::kEmptySubset,
                         codes::kRuleHostUnknown,
                         codes::kPortName,
                         codes::kDelegateUnknown,
                         codes::kDelegateConflict,
                         codes::kDelegateUnused,
                         codes::kPortNeeded,
                         codes::kGatewayPort,
                         codes::kGatewayConflict,
                         codes::kEntryProtocol,
                         codes::kEntryAddresses,
                         codes::kTargetUnknown,
                         codes::kSidecarConflict,
                         codes::kSidecarsOfNamespace,
                         codes::kParent,
                         codes::kBackend,
                         codes::kGatewayStatus};

}  // namespace

std::string render_reference() {
  std::string out =
      "# Istio and Kubernetes kinds that Weft reads\n\n"
      "Generated from the tables in `controlplane/validation`; `WEFT_REFRESH=1 test_controlplane_validation` writes it anew.\n\n"
      "A field that stands in no table is refused, with the name that was probably meant. `refused` means: known to Istio, not carried by\n"
      "this version. Names may be written in camelCase or snake_case. Durations are Go's: `5m`, `1h30m`, `300ms`. A short host name is\n"
      "completed by the namespace of the object and `svc.cluster.local`.\n";
  for (const Kind& kind : kinds()) {
    out += "\n## " + std::string(kind.key()) + "\n\napiVersion: " + versions(kind);
    if (!kind.old_group.empty()) out += "; under `" + std::string(kind.old_group) + "` with a warning";
    out += ".";
    if (kind.table->lenient) out += " Fields that are not listed are ignored, since a mesh does not read them.";
    out += "\n\n| field | type | Weft | note |\n|---|---|---|---|\n";
    for (const Field& field : kind.table->fields) {
      if (field.name == "apiVersion" || field.name == "kind" || field.name == "metadata") continue;
      const Table one{std::span<const Field>(&field, 1)};
      describe(one, "", out);
    }
  }
  out += "\n## metadata of every kind\n\n| field | type | Weft | note |\n|---|---|---|---|\n";
  describe(kMetadataTable, "metadata", out);
  out += "\n## Kinds that are refused\n\n| kind | group | what to do |\n|---|---|---|\n";
  for (const ForeignKind& kind : foreign_kinds())
    out += "| " + std::string(kind.name) + " | " + (kind.group.empty() ? "core" : std::string(kind.group)) + " | " +
           std::string(kind.hint) + " |\n";
  out += "\n## Codes\n\n| code | Istio | meaning |\n|---|---|---|\n";
  for (const Code& code : kAll)
    out += "| " + std::string(code.code) + " | " + std::string(code.alias) + " | " + std::string(code.title) + " |\n";
  return out;
}

}  // namespace weft::validation
