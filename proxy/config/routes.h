// config.route.v3.RouteConfiguration -> routing::RouteTable.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/config/protocol_options.h"
#include "proxy/filters/table.h"
#include "proxy/routing/route_table.h"

#include <memory>

namespace envoy::config::route::v3 {
class RouteConfiguration;
}

namespace weft::config {

// Null after a complaint.
std::shared_ptr<const routing::RouteTable> build_routes(const envoy::config::route::v3::RouteConfiguration& from,
                                                        const filters::FilterBuild& build, const Where& where);
// Complains of the first cluster of `table` that the context does not know.
void check_clusters(const routing::RouteTable& table, const BuildContext& context, const Where& where);

}  // namespace weft::config
