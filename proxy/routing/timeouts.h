// How long a request may take: the route, and for trusted clients its own headers. Envoy's order: route timeout (or
// grpc-timeout where the route allows it), then x-envoy-upstream-rq-timeout-ms, then per-try.
#pragma once
#include "proxy/routing/route.h"

#include <optional>

namespace weft::routing {

struct Timeouts {
  Milliseconds global{0};   // 0: none
  Milliseconds per_try{0};  // 0: none beyond global
  Milliseconds per_try_idle{0};
  Milliseconds max_stream{0};          // max_stream_duration; 0: none
  bool max_stream_from_route = false;  // false: the connection manager's max_stream_duration holds
  bool over = false;                   // a grpc-timeout of 0: the client's deadline has passed
};

struct TimeoutRules {
  bool insert_expected = true;    // x-envoy-expected-rq-timeout-ms (not under suppress_envoy_headers)
  bool respect_expected = false;  // router's respect_expected_rq_timeout
  Milliseconds max_stream{0};     // the connection manager's max_stream_duration; 0: none
};

// Reads and removes the x-envoy-upstream-rq-* headers (untrusted ones were removed at the door), sets the expected one, and
// shortens grpc-timeout to what is left.
Timeouts resolve_timeouts(const Route& route, http::Head& request, const TimeoutRules& rules = {});

// "100m" and the like. Eight digits at most; 99999999H saturates; anything else is nothing.
std::optional<Milliseconds> parse_grpc_timeout(std::string_view value);
std::string format_grpc_timeout(Milliseconds timeout);
bool is_grpc(const http::Head& head);  // content-type application/grpc or application/grpc+...

}  // namespace weft::routing
