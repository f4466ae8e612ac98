// What a matched route does to a request before it leaves and to an answer before it returns. Order as Envoy's:
// mutations (weighted cluster, then route, virtual host, configuration; or the latter three from general to specific), then
// host, then path.
#pragma once
#include "proxy/routing/route.h"

#include <string>

namespace weft::routing {

// Mutations, host and path. `insert_original_path`: x-envoy-original-path (not under suppress_envoy_headers).
void finish_request(http::Head& request, const Route& route, const WeightedCluster* weighted, const format::RequestInfo& info,
                    bool insert_original_path = true);
// auto_host_rewrite, once the endpoint is chosen; `hostname` empty: nothing.
void rewrite_host_automatically(http::Head& request, const Route& route, std::string_view hostname);
void finish_response(http::Head& response, const Route& route, const WeightedCluster* weighted, const format::RequestInfo& info);

// The value of `location`.
std::string redirect_location(const Route& route, const http::Head& request, const format::RequestInfo& info);

// The path that the route sends upstream, query included; empty: unchanged.
std::string rewritten_path(const Route& route, std::string_view path_and_query, const format::RequestInfo& info);

}  // namespace weft::routing
