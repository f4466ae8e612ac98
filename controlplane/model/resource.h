// An object as a person wrote it, with what the control plane made of it. Immutable once built; shared by views and revisions.
#pragma once
#include "common/base/yaml.h"
#include "controlplane/model/destination_rule.h"
#include "controlplane/model/gateway.h"
#include "controlplane/model/gateway_api.h"
#include "controlplane/model/kubernetes.h"
#include "controlplane/model/mesh_config.h"
#include "controlplane/model/rate_limit.h"
#include "controlplane/model/service_entry.h"
#include "controlplane/model/sidecar.h"
#include "controlplane/model/virtual_service.h"

#include <memory>
#include <variant>

namespace weft::model {

struct Key {
  std::string kind, ns, name;  // ns is empty for kinds without one (Namespace)
  auto operator<=>(const Key&) const = default;
  std::string to_string() const;  // "VirtualService default/canary"
};
struct KeyHash {
  size_t operator()(const Key& key) const;
};

using Spec = std::variant<VirtualService, DestinationRule, Gateway, ServiceEntry, WorkloadEntry, KubeRoute, KubeGateway, GatewayClass,
                          ReferenceGrant, Service, Endpoints, EndpointSlice, Pod, Namespace, RateLimit, Sidecar, WorkloadGroup, MeshConfig>;

// The very text of one object, so that a finding can be shown at its line years later.
struct Origin {
  std::string file;  // as the user named it; empty: came over the API
  int line = 1;      // of the first line of `text` in that file
  std::shared_ptr<const std::string> text;
};

struct Resource {
  Key key;
  std::string api_version;
  Labels labels, annotations;
  uint64_t created = 0;   // revision of its first appearance; ties are broken by name.namespace
  uint64_t revision = 0;  // of its last change
  std::string json;       // the whole object, keys sorted; equal texts are equal objects
  Origin origin;
  std::shared_ptr<const Spec> spec;

  template <class T>
  const T* as() const {
    return spec ? std::get_if<T>(spec.get()) : nullptr;
  }
  // The object as parsed from its own text; marks count from its first line.
  yaml::Document document() const;
  // A finding at `field` ("spec.http[0].route[1].destination") of this object: file, line, source line and object filled in.
  Diagnostic finding(Severity severity, std::string code, std::string message, std::string field) const;
};
using ResourcePtr = std::shared_ptr<const Resource>;

// Oldest first: created, then name.namespace.
bool older(const Resource& a, const Resource& b);

// The node at "a.b[0].c" below `root`, as far as it exists: the last node found on the way. camelCase and snake_case are one.
const yaml::Node& locate(const yaml::Node& root, std::string_view field);
// "retry_on" and "retryOn" are one name.
std::string camel_case(std::string_view name);

struct Change {
  enum class Kind : unsigned char { kUpsert, kRemove };
  Kind kind = Kind::kUpsert;
  Key key;
  ResourcePtr resource;  // kUpsert

  static Change upsert(Resource resource);
  static Change remove(Key key);
};

struct Batch {
  std::vector<Change> changes;
  std::string cause;   // "file mesh/canary.yaml changed", "apply by weftctl"
  std::string author;  // "ada@laptop"; empty: nobody said
};

}  // namespace weft::model
