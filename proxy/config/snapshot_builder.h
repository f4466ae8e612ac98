// Resources off the wire into values. Pure: what is current and what has come go in, what changed and what is wrong come out,
// so it may run on any thread and its tests need no stream. An invalid resource leaves its predecessor in place, the valid ones
// beside it apply. Which RDS and EDS names a value waits for is asked here too; the waiting (warming) is proxy/xds's.
#pragma once
#include "common/base/diagnostic.h"
#include "proxy/config/build_context.h"
#include "proxy/config/update.h"
#include "proxy/runtime/runtime.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::config {

enum class ResourceType : uint8_t { kCluster, kEndpoints, kListener, kRoute, kRuntime, kExtension, kScope, kNameTable };
inline constexpr size_t kResourceTypes = 8;
inline constexpr std::string_view kTypeUrls[] = {"type.googleapis.com/envoy.config.cluster.v3.Cluster",
                                                 "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
                                                 "type.googleapis.com/envoy.config.listener.v3.Listener",
                                                 "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
                                                 "type.googleapis.com/envoy.service.runtime.v3.Runtime",
                                                 "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                                                 "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
                                                 "type.googleapis.com/istio.networking.nds.v1.NameTable"};
constexpr std::string_view type_url(ResourceType type) { return kTypeUrls[static_cast<size_t>(type)]; }

// One resource as it came: the body of its Any.
struct RawResource {
  std::string type_url;  // of the Any; another than that of the set is an error of this resource
  std::string bytes;
  std::string name;  // delta: the Resource's name, which must be the body's; empty otherwise
};

struct Changes {
  ResourceType type = ResourceType::kCluster;
  std::vector<RawResource> resources;
  std::vector<std::string> removed;
  std::string path = {};  // of the file that they are in; empty: they came over ADS
};

// What is in force (or warming), by name. Endpoints by EDS name, routes by RDS name.
struct Values {
  std::map<std::string, std::shared_ptr<const Listener>, std::less<>> listeners;
  std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>, std::less<>> clusters;
  std::map<std::string, std::shared_ptr<const upstream::EndpointSet>, std::less<>> endpoints;
  std::map<std::string, std::shared_ptr<const routing::RouteTable>, std::less<>> routes;
  // Of the bytes that endpoints and routes were built from, by name.
  std::map<std::string, uint64_t, std::less<>> endpoint_hashes, route_hashes;
  // By ECDS name.
  std::map<std::string, std::shared_ptr<const Extension>, std::less<>> extensions;
  // Of the bootstrap, those with extensions: as they are now.
  std::map<std::string, std::shared_ptr<const Listener>, std::less<>> static_listeners;
  std::map<std::string, std::shared_ptr<const Scope>, std::less<>> scopes;
  // By RTDS name.
  std::map<std::string, std::shared_ptr<const runtime::Layer>, std::less<>> runtime_layers;
};

struct ExtensionRef;

struct Rejected {
  std::string name;  // empty if the body could not even be read
  Diagnostics findings;
  std::string detail;  // for the NACK: "name: path: reason; path: reason"
};

struct Built {
  Update update;                      // only what differs from `current`
  std::vector<std::string> accepted;  // names of all valid resources, unchanged ones included, in the order given
  std::vector<std::string> unchanged;
  std::vector<Rejected> rejected;
  std::vector<std::pair<std::string, uint64_t>> hashes;  // of update.endpoints or update.routes
  // One line for error_detail; empty if nothing was rejected.
  std::string nack_detail() const;
};

Built build(const Values& current, const Changes& changes, const BuildContext& context);
// `values` with what was built taken in.
void apply(const Built& built, Values& values);

// The RDS names that the listener's connection managers wait for.
std::vector<std::string_view> rds_names(const Listener& listener);
// The EDS name that the cluster waits for; empty if it is not an EDS cluster.
std::string_view eds_name(const upstream::ClusterConfig& cluster);

}  // namespace weft::config
