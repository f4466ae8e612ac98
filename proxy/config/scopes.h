// Scoped routes: HttpConnectionManager.ScopedRoutes, and the scopes that it lists or that SRDS brings.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/config/values.h"
#include "proxy/filters/where.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace envoy::config::route::v3 {
class ScopedRouteConfiguration;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class ScopedRoutes;
}

namespace weft::config {

// A scope of SRDS, which the file `path` (empty: ADS) has brought. Null after a complaint.
std::shared_ptr<const Scope> build_scope(const envoy::config::route::v3::ScopedRouteConfiguration& from, uint64_t hash,
                                         const std::string& path, const BuildContext& context, const filters::Where& where);

// Into the members that tell where `to` has its routes from.
void build_scoped_routes(const envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes& from,
                         const BuildContext& context, HttpConnectionManager& to, const filters::Where& where);

// Why `scopes` cannot all be: two of one place have one key. Empty if they can. `second` is the one to refuse.
struct ScopeConflict {
  std::string second, reason;
};
ScopeConflict find_conflict(const std::vector<std::shared_ptr<const Scope>>& scopes);

// The connection manager's scoped routes; null if the listener has none.
std::vector<const ScopedRoutes*> scoped_routes(const Listener& listener);

}  // namespace weft::config
