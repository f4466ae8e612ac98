// The kinds: their groups and versions, the table of their fields, and the function that turns a checked object into its spec.
#pragma once
#include "controlplane/validation/rules.h"

namespace weft::validation {

struct Kind {
  std::string_view name, group, versions;  // group empty: Kubernetes' core; versions "v1 v1beta1"
  const Table* table;
  model::Spec (*build)(const Reader& root);
  bool namespaced = true;
  std::string_view old_group{};  // accepted with a warning
};
std::span<const Kind> kinds();
const Kind* kind_named(std::string_view name);

// Kinds that are known but not carried, or that do not belong here; with what to do about it.
struct ForeignKind {
  std::string_view name, group, hint;
};
std::span<const ForeignKind> foreign_kinds();

extern const Table kMetadataTable;

namespace virtual_service {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace virtual_service
namespace destination_rule {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace destination_rule
namespace gateway {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace gateway
namespace service_entry {
extern const Table kTable, kEntryTable;
model::Spec build(const Reader& root);
model::Spec build_entry(const Reader& root);
}  // namespace service_entry
namespace kubernetes {
extern const Table kServiceTable, kEndpointsTable, kEndpointSliceTable, kPodTable, kNamespaceTable;
model::Spec build_service(const Reader& root);
model::Spec build_endpoints(const Reader& root);
model::Spec build_endpoint_slice(const Reader& root);
model::Spec build_pod(const Reader& root);
model::Spec build_namespace(const Reader& root);
}  // namespace kubernetes

// Rows that every object begins with.
#define WEFT_OBJECT_FIELDS \
  {"apiVersion", Type::kString}, {"kind", Type::kString}, { "metadata", Type::kObject, Use::kWorks, "", &kMetadataTable }

}  // namespace weft::validation
