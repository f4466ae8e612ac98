#include "proxy/filters/network/table.h"

namespace weft::filters {

const std::vector<NetworkFilterType>& network_filter_types() {
  static const std::vector<NetworkFilterType> types = {
      connection_limit_type(),
      network_local_ratelimit_type(),
      sni_cluster_type(),
  };
  return types;
}

const NetworkFilterType* find_network_filter(std::string_view message) {
  for (const NetworkFilterType& type : network_filter_types())
    if (type.message == message) return &type;
  return nullptr;
}

}  // namespace weft::filters
