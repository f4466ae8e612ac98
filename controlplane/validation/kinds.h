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
  std::string_view key_kind{};   // how keys call it, where another group has a kind of this name
  std::string_view key() const { return key_kind.empty() ? name : key_kind; }
};
std::span<const Kind> kinds();
// As keys call it.
const Kind* kind_named(std::string_view name);
// As objects call it: that of the group, else any of the name.
const Kind* kind_named(std::string_view name, std::string_view group);

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
namespace kube_gateway {
extern const Table kTable, kClassTable, kGrantTable;
model::Spec build(const Reader& root);
model::Spec build_class(const Reader& root);
model::Spec build_grant(const Reader& root);
}  // namespace kube_gateway
namespace http_route {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace http_route
namespace grpc_route {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace grpc_route
namespace l4_route {
extern const Table kTcpTable, kTlsTable;
model::Spec build_tcp(const Reader& root);
model::Spec build_tls(const Reader& root);
}  // namespace l4_route
namespace service_entry {
extern const Table kTable, kEntryTable, kGroupTable;
model::Spec build(const Reader& root);
model::Spec build_entry(const Reader& root);
model::Spec build_group(const Reader& root);
}  // namespace service_entry
namespace sidecar {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace sidecar
namespace kubernetes {
extern const Table kServiceTable, kEndpointsTable, kEndpointSliceTable, kPodTable, kNamespaceTable;
model::Spec build_service(const Reader& root);
model::Spec build_endpoints(const Reader& root);
model::Spec build_endpoint_slice(const Reader& root);
model::Spec build_pod(const Reader& root);
model::Spec build_namespace(const Reader& root);
}  // namespace kubernetes

namespace mesh_config {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace mesh_config
namespace rate_limit {
extern const Table kTable;
model::Spec build(const Reader& root);
}  // namespace rate_limit

// Rows that every object begins with.
#define WEFT_OBJECT_FIELDS \
  {"apiVersion", Type::kString}, {"kind", Type::kString}, { "metadata", Type::kObject, Use::kWorks, "", &kMetadataTable }

}  // namespace weft::validation
