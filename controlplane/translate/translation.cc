#include "controlplane/translate/translation.h"

#include "controlplane/translate/messages.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"

namespace weft::translate {
namespace {

const std::string& name_of(const LoadAssignment& message) { return message.cluster_name(); }
template <class Message>
const std::string& name_of(const Message& message) {
  return message.name();
}

template <class Message>
Translation::Resources resources_of(const std::vector<Message>& messages) {
  Translation::Resources out;
  for (const Message& message : messages) out[name_of(message)] = serialise(message);
  return out;
}

template <class Key, class Make>
std::shared_ptr<const Translation::Resources> once(std::map<Key, std::shared_ptr<const Translation::Resources>>& held, const Key& key,
                                                   Make make) {
  auto& place = held[key];
  if (!place) place = std::make_shared<const Translation::Resources>(resources_of(make()));
  return place;
}

}  // namespace

Translation::Set Translation::of(const model::Node& node) {
  Set set;
  const Scope scope = scope_of(*view_, node);
  set[kEndpoints] = once(endpoints_, scope, [&] { return load_assignments(*view_, scope); });
  if (node.proxyless) {
    set[kClusters] = once(proxyless_, scope, [&] { return proxyless_clusters(*view_, scope); });
    Resources own = resources_of(proxyless_listeners(*view_, scope));
    own.merge(resources_of(proxyless_server_listeners(*view_, node)));
    set[kListeners] = std::make_shared<const Resources>(std::move(own));
    const Client client = client_of(*view_, node, {});
    set[kRoutes] = once(routes_, client, [&] { return route_configurations(*view_, client); });
    return set;
  }
  const ListenerPlan plan = listener_plan(*view_, node);
  set[kClusters] = once(clusters_, scope, [&] { return outbound_clusters(*view_, scope); });
  if (const auto inbound = inbound_clusters(*view_, node, plan); !inbound.empty()) {
    Resources all = *set[kClusters];
    all.merge(resources_of(inbound));
    set[kClusters] = std::make_shared<const Resources>(std::move(all));
  }
  const Client client = client_of(*view_, node, plan);
  Resources own = resources_of(listeners(plan));
  if (client.captured) {
    for (const auto& [name, bytes] : *once(outbound_, client, [&] { return outbound_listeners(*view_, client); }))
      if (!is_for_self(name, node)) own.emplace(name, bytes);
  }
  set[kListeners] = std::make_shared<const Resources>(std::move(own));
  set[kRoutes] = once(routes_, client, [&] { return route_configurations(*view_, client); });
  return set;
}

}  // namespace weft::translate
