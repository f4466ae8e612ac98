// The kinds of xDS resource that we serve, in the order in which they are made before others are broken.
#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace weft::xds {

enum class ResourceType : unsigned char { kCluster, kEndpoint, kListener, kRoute, kNameTable };
inline constexpr size_t kTypeCount = 5;
inline constexpr std::array<ResourceType, kTypeCount> kMakeOrder = {
    ResourceType::kCluster, ResourceType::kEndpoint, ResourceType::kListener, ResourceType::kRoute, ResourceType::kNameTable};

constexpr size_t index_of(ResourceType type) { return static_cast<size_t>(type); }

constexpr std::string_view type_url(ResourceType type) {
  constexpr std::array<std::string_view, kTypeCount> kUrls = {
      "type.googleapis.com/envoy.config.cluster.v3.Cluster", "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
      "type.googleapis.com/envoy.config.listener.v3.Listener", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
      "type.googleapis.com/istio.networking.nds.v1.NameTable"};
  return kUrls[index_of(type)];
}

// "cds", as metrics name it.
constexpr std::string_view short_name(ResourceType type) {
  constexpr std::array<std::string_view, kTypeCount> kNames = {"cds", "eds", "lds", "rds", "nds"};
  return kNames[index_of(type)];
}

constexpr std::optional<ResourceType> type_of(std::string_view url) {
  for (ResourceType type : kMakeOrder) {
    if (type_url(type) == url) return type;
  }
  return std::nullopt;
}

// A response holds the whole set (absence deletes) in state of the world; the others may hold only what changed.
// The name table is one resource, without a name.
constexpr bool is_complete_set(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener || type == ResourceType::kNameTable;
}

}  // namespace weft::xds
