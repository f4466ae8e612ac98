// What a worker lends to the connections that it serves. Everything here belongs to one worker and outlives its connections.
#pragma once
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "proxy/config/values.h"
#include "proxy/upstream/caller.h"
#include "proxy/upstream/cluster.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace weft::downstream {

class Exchange;
class MirrorPool;

// Where a route configuration arrives: RDS changes the table, requests keep the one they began with.
struct RouteSlot {
  std::shared_ptr<const routing::RouteTable> table;
};

// Where scoped routes arrive: the route configuration of each scope key.
struct ScopeSlot {
  std::unordered_map<std::string, std::shared_ptr<RouteSlot>> routes;
};

// Exchanges are recycled: their header tables and buffers are warm. One that ended may still be on the stack, so it rests until
// the event is over.
class ExchangePool {
 public:
  explicit ExchangePool(net::Loop& loop);
  ~ExchangePool();
  Exchange* take();
  void give(Exchange* exchange);

 private:
  void wake();
  net::Loop& loop_;
  std::vector<std::unique_ptr<Exchange>> spare_, resting_;
};

// Who keeps connections: told when one is over.
class ConnectionOwner {
 public:
  virtual void on_connection_over(net::Connection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

struct Environment {
  net::Loop& loop;
  upstream::ClusterTable& clusters;
  upstream::Caller& caller;
  ExchangePool& exchanges;
  MirrorPool& mirrors;
  // The process is going away: answers carry `connection: close`, HTTP/2 gets GOAWAY.
  bool draining = false;
  // POST /healthcheck/fail: answers tell clients to go elsewhere, until /healthcheck/ok.
  bool health_check_failed = false;
};

// A connection manager as one worker runs it. Connections keep the one they began with.
struct HttpService {
  Environment& environment;
  std::shared_ptr<const config::HttpConnectionManager> config;
  std::shared_ptr<RouteSlot> routes;
  std::shared_ptr<observe::Scope> http_scope, http1_scope, http2_scope, listener_scope, listener_http_scope;
  observe::Cells& http;           // observe::HttpStat
  observe::Cells& http1;          // observe::Http1Stat
  observe::Cells& http2;          // observe::Http2Stat
  observe::Cells& listener;       // observe::ListenerStat
  observe::Cells& listener_http;  // observe::ListenerHttpStat
  std::string listener_name;
  uint32_t buffer_limit = 1 << 20;
  std::shared_ptr<ScopeSlot> scopes = nullptr;  // of scoped routes, in place of `routes`
  std::string chain_name = {};                  // the filter chain's
  bool drains_on_health_failure = true;
};

// A tcp_proxy likewise.
struct TcpService {
  Environment& environment;
  std::shared_ptr<const config::TcpProxy> config;
  std::shared_ptr<observe::Scope> tcp_scope, listener_scope;
  observe::Cells& tcp;       // observe::TcpStat
  observe::Cells& listener;  // observe::ListenerStat
  std::string listener_name;
  uint32_t buffer_limit = 1 << 20;
  std::string chain_name = {};  // the filter chain's
};

}  // namespace weft::downstream
