// The connections of one worker to one host in one protocol for one priority, and the requests that wait for one. HTTP/1 lends a
// connection to one stream at a time, last in first out, so that warm ones are used and idle ones age out; HTTP/2 fills one
// connection to its limit before it opens another. A host that left the cluster drains: its streams finish, its idle connections
// close.
#pragma once
#include "common/http/codec.h"
#include "common/net/connector.h"
#include "proxy/upstream/budget.h"
#include "proxy/upstream/endpoint_set.h"

#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace weft::upstream {

class ClientConnection;
class Cluster;

enum class PoolFailure : uint8_t { kConnectFailed, kLocalConnectFailed, kConnectTimeout, kOverflow };

// A request that wants a stream. Answered once, perhaps from inside HostPool::request().
class PoolWaiter {
 public:
  virtual http::StreamReceiver& receiver() = 0;
  // A stream is free. False: the requests breaker is open, and on_pool_failure(kOverflow) follows. As Envoy, only requests that have
  // a connection count against that breaker; those without one count as pending.
  virtual bool admit() = 0;
  // `stream` is open; `connection` is valid until the stream is over.
  virtual void on_stream(http::Stream& stream, ClientConnection& connection) = 0;
  // `detail`: what %UPSTREAM_TRANSPORT_FAILURE_REASON% says.
  virtual void on_pool_failure(PoolFailure failure, std::string_view detail) = 0;

 protected:
  ~PoolWaiter() = default;
};

class HostPool {
 public:
  HostPool(Cluster& cluster, const Host& host, http::Protocol protocol, Priority priority);
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  void request(PoolWaiter& waiter);
  void cancel(PoolWaiter& waiter);
  // The host left, or what its connections were made with changed: no new streams but for those who wait; ends when all is over.
  void drain();
  bool finished() const { return draining_ && connections_.empty() && connecting_.empty() && waiting_.empty(); }

  HostState& state() { return *state_; }
  http::Protocol protocol() const { return protocol_; }
  Cluster& cluster() { return cluster_; }

  // --- from its connections ---
  void on_stream_over(ClientConnection& connection);
  void on_no_more_streams(ClientConnection& connection);
  void on_connection_gone(ClientConnection& connection);

 private:
  struct Connecting;
  struct Waiting {
    PoolWaiter* waiter;
    std::shared_ptr<Budget> budget;  // where its place is to be given back: an update may bring another
  };
  PoolWaiter* leave(std::deque<Waiting>::iterator position);
  void lend(ClientConnection& connection, PoolWaiter& waiter);
  void serve_waiting();
  bool may_connect();
  void connect();
  void on_connected(Connecting& attempt, int error, net::Socket socket);
  void unlist(ClientConnection& connection);

  Cluster& cluster_;
  const net::Endpoint address_;
  const std::shared_ptr<const net::Addresses> addresses_;
  const std::shared_ptr<HostState> state_;
  const http::Protocol protocol_;
  const Priority priority_;  // whose limits hold
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  std::vector<ClientConnection*> ready_;  // those with a free stream; the last is used first
  std::vector<std::unique_ptr<Connecting>> connecting_;
  std::deque<Waiting> waiting_;
  bool draining_ = false;
};

}  // namespace weft::upstream
