// Inside attachment: the Gateways of the Gateway API that are ours, listener by listener, with what routes may attach to.
#pragma once
#include "controlplane/model/attachment.h"

namespace weft::model {

struct ServedListener {
  const Listener* spec = nullptr;
  const Resource* gateway = nullptr;
  std::string internal;  // the VirtualServices' name for it: "ns/gateway~listener"
  bool served = false;
  std::string why_not;
  std::vector<AllowedKind> kinds;  // that may attach
  std::vector<Condition> conditions;
  uint32_t attached_routes = 0;
};

struct ServedGateway {
  const Resource* resource = nullptr;
  const KubeGateway* spec = nullptr;
  std::string controller;
  std::vector<ServedListener> listeners;
};

class ListenerTable {
 public:
  ListenerTable(std::span<const ResourcePtr> resources, std::span<const ServiceInfo* const> services);

  // Null: there is none of that name. One of another controller's class has `controller` empty.
  ServedGateway* find(const std::string& ns, const std::string& name);
  bool admits(const ServedListener& listener, const std::string& ns) const;
  // Whether a route's host is left to `listener`: another listener of the port may fit it better.
  static bool keeps(const ServedGateway& gateway, const ServedListener& listener, std::string_view host);

  // The Gateways that proxies serve, and the statuses, once all routes are counted.
  void finish(Attached& out);

 private:
  void classes(std::span<const ResourcePtr> resources, Attached* out);
  void status(const ServedGateway& gateway, Attached& out) const;

  std::span<const ResourcePtr> resources_;
  std::map<std::string, std::string> controllers_;  // class name -> controller
  std::map<std::string, const Labels*> namespaces_;
  std::map<std::string, const ServiceInfo*> services_;  // Kubernetes', by host
  std::map<std::pair<std::string, std::string>, ServedGateway> gateways_;
};

// What both can serve: the narrower of two names, or nothing. Empty and "*" are every host.
std::optional<std::string> common_host(const std::string& a, const std::string& b);
uint64_t generation_of(const Resource& resource, const std::optional<uint64_t>& written);

}  // namespace weft::model
