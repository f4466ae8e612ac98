#include "proxy/filters/table.h"

#include "proxy/filters/http/buffer/filter.h"
#include "proxy/filters/http/compressor/filter.h"
#include "proxy/filters/http/cors/filter.h"
#include "proxy/filters/http/csrf/filter.h"
#include "proxy/filters/http/custom_response/filter.h"
#include "proxy/filters/http/decompressor/filter.h"
#include "proxy/filters/http/ext_authz/filter.h"
#include "proxy/filters/http/fault/filter.h"
#include "proxy/filters/http/grpc_http1_bridge/filter.h"
#include "proxy/filters/http/grpc_stats/filter.h"
#include "proxy/filters/http/grpc_web/filter.h"
#include "proxy/filters/http/header_mutation/filter.h"
#include "proxy/filters/http/header_to_metadata/filter.h"
#include "proxy/filters/http/health_check/filter.h"
#include "proxy/filters/http/local_ratelimit/filter.h"
#include "proxy/filters/http/on_demand/filter.h"
#include "proxy/filters/http/ratelimit/filter.h"
#include "proxy/filters/http/set_filter_state/filter.h"
#include "proxy/filters/http/set_metadata/filter.h"

namespace weft::filters {

const std::vector<HttpFilterType>& http_filter_types() {
  // clang-format off
  static const std::vector<HttpFilterType> types = {
      buffer_type(),
      compressor_type(),
      cors_type(),
      csrf_type(),
      custom_response_type(),
      decompressor_type(),
      ext_authz_type(),
      fault_type(),
      grpc_http1_bridge_type(),
      grpc_stats_type(),
      grpc_web_type(),
      header_mutation_type(),
      header_to_metadata_type(),
      health_check_type(),
      local_ratelimit_type(),
      on_demand_type(),
      ratelimit_type(),
      set_filter_state_type(),
      set_metadata_type(),
  };
  // clang-format on
  return types;
}

const HttpFilterType* find_http_filter(std::string_view message) {
  for (const HttpFilterType& type : http_filter_types())
    if (type.message == message) return &type;
  return nullptr;
}

const HttpFilterType* find_route_filter(std::string_view message) {
  for (const HttpFilterType& type : http_filter_types())
    if (!type.route_message.empty() && type.route_message == message) return &type;
  return nullptr;
}

}  // namespace weft::filters
