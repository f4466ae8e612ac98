// Every HTTP filter, by name, once: how its configuration is read, for the chain and for a route, and which of its fields are
// implemented. Adding a filter: a folder http/<name>/ with filter.h, filter.cc and config.cc, and a line in table.cc.
#pragma once
#include "proxy/filters/compression/offers.h"
#include "proxy/filters/field_table.h"
#include "proxy/filters/filter.h"
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

// What a filter may need besides its own message.
struct FilterBuild {
  const Runtime& runtime;
  observe::Registry* registry = nullptr;                 // null when only validating: no stats
  std::string_view stat_prefix;                          // of the connection manager; empty for routes
  std::string_view local_cluster = {};                   // node.cluster
  std::shared_ptr<CompressionOffers> compressions = {};  // of the chain that is being built; null for routes
};

// `bytes` is the serialised message; it has passed the field tables. Null after a complaint to `where`.
struct HttpFilterType {
  std::string_view name;           // "envoy.filters.http.fault": the usual name of an instance
  std::string_view message;        // full name of its configuration
  std::string_view route_message;  // of what a route says to it; empty: nothing
  FieldTables (*tables)();
  std::unique_ptr<const FilterFactory> (*make)(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                               const Where& where);
  std::shared_ptr<const routing::FilterConfig> (*make_for_route)(const std::string& bytes, const FilterBuild& build, const Where& where);
  bool for_attempts = false;  // may stand in upstream_http_filters, too: it neither waits nor answers
};

const std::vector<HttpFilterType>& http_filter_types();
// By the full name of its configuration, or of its configuration for routes; null if there is none.
const HttpFilterType* find_http_filter(std::string_view message);
const HttpFilterType* find_route_filter(std::string_view message);

}  // namespace weft::filters
