// What one change of configuration brings to the workers: new values and names that are gone, per kind. Immutable and shared;
// posted to every worker, which takes it between two events. A worker applies it in the order: clusters, endpoints, routes,
// listeners, and then the removals the other way round, so that no reference dangles in between (make before break).
#pragma once
#include "proxy/runtime/runtime.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::dns_proxy {
struct NameTable;
}
namespace weft::routing {
class RouteTable;
}
namespace weft::upstream {
struct ClusterConfig;
struct EndpointSet;
}  // namespace weft::upstream

namespace weft::config {

struct Extension;
struct Listener;
struct Scope;

struct Update {
  template <class T>
  using Values = std::vector<std::shared_ptr<const T>>;
  template <class T>
  using Named = std::vector<std::pair<std::string, std::shared_ptr<const T>>>;

  Values<Listener> listeners;
  std::vector<std::string> removed_listeners;
  Values<upstream::ClusterConfig> clusters;
  std::vector<std::string> removed_clusters;
  // Under the EDS name (service_name, else the cluster's own): several clusters may share one.
  Named<upstream::EndpointSet> endpoints;
  std::vector<std::string> removed_endpoints;
  // Under the name that rds.route_config_name says.
  Named<routing::RouteTable> routes;
  std::vector<std::string> removed_routes;

  // What SRDS brings, and what of it is in force, by the file that it comes from (empty: over ADS): scopes become active one by one,
  // each once its route configuration is there.
  Values<Scope> scopes;
  std::vector<std::string> removed_scopes;
  Named<std::map<std::string, std::shared_ptr<const Scope>>> scope_tables;

  // Under the ECDS name; the listeners that use them are in `listeners`, built anew. Of interest to the control thread alone.
  Named<Extension> extensions;
  std::vector<std::string> removed_extensions;
  // Under the RTDS name: what the control thread takes into the runtime.
  Named<runtime::Layer> runtime_layers;
  std::vector<std::string> removed_runtime_layers;
  // What the DNS proxy answers from now on; null: as before.
  std::shared_ptr<const dns_proxy::NameTable> name_table;

  bool empty() const {
    return listeners.empty() && removed_listeners.empty() && clusters.empty() && removed_clusters.empty() && endpoints.empty() &&
           removed_endpoints.empty() && routes.empty() && removed_routes.empty() && scopes.empty() && removed_scopes.empty() &&
           scope_tables.empty() && runtime_layers.empty() && removed_runtime_layers.empty() && extensions.empty() &&
           removed_extensions.empty() && name_table == nullptr;
  }
};

}  // namespace weft::config
