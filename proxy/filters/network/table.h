// Every network filter that may stand before the last one, by name, once. Adding one: a folder with filter.h and config.cc, and a line
// in table.cc. Those that may be the last are read by proxy/config.
#pragma once
#include "proxy/filters/field_table.h"
#include "proxy/filters/network/network_filter.h"
#include "proxy/filters/runtime.h"
#include "proxy/filters/where.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::observe {
class Registry;
}

namespace weft::filters {

struct NetworkFilterBuild {
  const Runtime& runtime;
  observe::Registry* registry = nullptr;  // null when only validating: no stats
};

struct NetworkFilterType {
  std::string_view name;     // "envoy.filters.network.connection_limit": the usual name of an instance
  std::string_view message;  // full name of its configuration
  FieldTables (*tables)();
  // `bytes` is the serialised message; it has passed the field tables. Null after a complaint.
  std::shared_ptr<const NetworkFilter> (*make)(const std::string& bytes, const NetworkFilterBuild& build, const Where& where);
};

const std::vector<NetworkFilterType>& network_filter_types();
const NetworkFilterType* find_network_filter(std::string_view message);  // null if there is none

NetworkFilterType connection_limit_type();
NetworkFilterType network_local_ratelimit_type();
NetworkFilterType sni_cluster_type();

}  // namespace weft::filters
