#include "controlplane/validation/connection_pool.h"

namespace weft::validation {
namespace {

constexpr Field kPoolTcpFields[] = {{"maxConnections", Type::kInteger},
                                    {"connectTimeout", Type::kDuration},
                                    {"tcpKeepalive", Type::kObject, Use::kRefused},
                                    {"maxConnectionDuration", Type::kDuration, Use::kRefused},
                                    {"idleTimeout", Type::kDuration, Use::kRefused, "for HTTP use connectionPool.http.idleTimeout"}};
constexpr Table kPoolTcp{kPoolTcpFields};
constexpr Field kKeepAliveFields[] = {{"interval", Type::kDuration}, {"timeout", Type::kDuration}};
constexpr Table kKeepAlive{kKeepAliveFields};
constexpr Field kPoolHttpFields[] = {{"http1MaxPendingRequests", Type::kInteger},
                                     {"http2MaxRequests", Type::kInteger},
                                     {"maxRequestsPerConnection", Type::kInteger},
                                     {"maxRetries", Type::kInteger},
                                     {"idleTimeout", Type::kDuration},
                                     {"h2UpgradePolicy", Type::kChoice, Use::kWorks,
                                      "UPGRADE: HTTP/2 to ports named http; DEFAULT is not to", nullptr, "DEFAULT DO_NOT_UPGRADE UPGRADE"},
                                     {"useClientProtocol", Type::kBool},
                                     {"maxConcurrentStreams", Type::kInteger, Use::kWorks, "of an HTTP/2 connection"},
                                     {"http2KeepAlive", Type::kObject, Use::kWorks, "", &kKeepAlive}};
constexpr Table kPoolHttp{kPoolHttpFields};
constexpr Field kPoolFields[] = {{"tcp", Type::kObject, Use::kWorks, "", &kPoolTcp}, {"http", Type::kObject, Use::kWorks, "", &kPoolHttp}};

}  // namespace

constexpr Table kConnectionPoolTable{kPoolFields};

model::ConnectionPool read_connection_pool(const Reader& from) {
  model::ConnectionPool pool;
  const Reader tcp = from["tcp"], http = from["http"];
  if (!tcp && !http) from.error(codes::kMissing, "found an empty connectionPool, expected tcp or http");
  pool.max_connections = tcp["maxConnections"].integer(0, INT32_MAX);
  pool.connect_timeout = tcp["connectTimeout"].duration();
  pool.http1_max_pending_requests = http["http1MaxPendingRequests"].integer(0, INT32_MAX);
  pool.http2_max_requests = http["http2MaxRequests"].integer(0, INT32_MAX);
  pool.max_retries = http["maxRetries"].integer(0, INT32_MAX);
  pool.max_requests_per_connection = http["maxRequestsPerConnection"].integer(0, INT32_MAX);
  pool.idle_timeout = http["idleTimeout"].duration();
  pool.h2_upgrade = http["h2UpgradePolicy"].text() == "UPGRADE";
  pool.use_client_protocol = http["useClientProtocol"].flag();
  if (pool.h2_upgrade && pool.use_client_protocol)
    http["useClientProtocol"].error(codes::kConflict, "found useClientProtocol beside h2UpgradePolicy: UPGRADE, expected one of them");
  pool.max_concurrent_streams = http["maxConcurrentStreams"].integer(0, INT32_MAX);
  if (pool.max_concurrent_streams == 0u) pool.max_concurrent_streams.reset();
  if (Reader alive = http["http2KeepAlive"]) {
    pool.http2_keep_alive = model::Http2KeepAlive{alive["interval"].duration(), alive["timeout"].duration()};
    if (!alive["interval"]) alive.missing("interval", "a duration");
    if (!alive["timeout"]) alive.missing("timeout", "a duration");
  }
  return pool;
}

}  // namespace weft::validation
