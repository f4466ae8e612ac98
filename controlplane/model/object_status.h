// What the control plane says about an object of the Gateway API, in the words of that API's status. Derived when a view is built, never
// written by people.
#pragma once
#include "controlplane/model/gateway_api.h"

namespace weft::model {

struct Condition {
  std::string type;
  bool status = true;
  std::string reason, message;
};

struct ParentStatus {
  ParentRef ref;
  std::string controller;
  std::vector<Condition> conditions;
};

struct ListenerStatus {
  std::string name;
  uint32_t attached_routes = 0;
  std::vector<AllowedKind> supported_kinds;
  std::vector<Condition> conditions;
};

// What will not work as meant, and where the object says so.
struct StatusProblem {
  std::string reason, message, field;
  bool operator==(const StatusProblem&) const = default;
};

struct ObjectStatus {
  uint64_t observed_generation = 0;  // metadata.generation, or for an object without one the revision of its last change
  std::vector<Condition> conditions;
  std::vector<ParentStatus> parents;      // routes
  std::vector<ListenerStatus> listeners;  // Gateways
  std::vector<GatewayAddress> addresses;  // Gateways
  std::vector<StatusProblem> problems;
};

}  // namespace weft::model
