// One worker: a thread with its loop, its listening sockets, its connections and its view of the configuration. Others speak
// to it by post() alone; changes are taken between two events.
#pragma once
#include "common/net/listener_socket.h"
#include "proxy/downstream/environment.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/mirror.h"
#include "proxy/downstream/tcp_session.h"
#include "proxy/server/local_clusters.h"
#include "proxy/upstream/pool_caller.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace weft::server {

// A listener as the control thread hands it to the workers.
struct ListenerScopes {
  std::shared_ptr<observe::Scope> listener, listener_http, http, http1, http2, tcp;
};

class Worker final : public downstream::ConnectionOwner {
 public:
  // `index` from 0; its metric cells are index + 1.
  explicit Worker(unsigned index);
  ~Worker();
  void start();
  // Ends the thread: connections are cut, then the loop runs dry.
  void stop();
  void post(std::function<void()> function) { loop_.post(std::move(function)); }
  net::Loop& loop() { return loop_; }

  // --- on its thread ---
  void apply_clusters(const ClusterUpdate& update) { clusters_.apply(update); }
  void set_routes(const std::string& name, std::shared_ptr<const routing::RouteTable> table);
  // `path`: of the file that they come from; empty: over ADS.
  void set_scopes(const std::string& path, const config::ScopeTable& scopes);
  // `fd` is this worker's socket, or -1: the present one is kept. Connections go on under the new configuration.
  void set_listener(std::shared_ptr<const config::Listener> listener, const ListenerScopes& scopes, int fd);
  // Another name for the same sockets: a listener that replaces one at its address takes them over.
  void rename_listener(const std::string& from, const std::string& to);
  // Takes what is queued, then closes the sockets; connections end with their next request, and what is under way after `patience`
  // is cut. `stats` (the listener manager's; null: another worker counts) say meanwhile that it drains.
  void remove_listener(const std::string& name, std::chrono::milliseconds patience, std::shared_ptr<observe::Scope> stats);
  // Connections, those to come too, end with their next request; `stop`: no more come. The listener stays known.
  void drain_listener(const std::string& name, bool stop);
  // Stops accepting (what is queued is taken) and asks every connection to end.
  void drain();
  void fail_health_check(bool fail) { environment_.health_check_failed = fail; }
  size_t connections() const { return connections_.size(); }

 private:
  struct Listening {
    std::shared_ptr<const config::Listener> config;
    std::shared_ptr<downstream::HttpService> http;  // one of these two
    std::shared_ptr<downstream::TcpService> tcp;
    std::unique_ptr<net::Acceptor> acceptor;
    bool draining = false;
    std::shared_ptr<std::string> name;  // what the acceptor's callback looks up
  };
  struct Kept {
    std::unique_ptr<net::Connection> connection;
    downstream::HttpConnection* http = nullptr;  // which of the two it is
    downstream::TcpSession* tcp = nullptr;
    std::string listener;
  };
  void on_connection_over(net::Connection& connection) override;
  void accept(const std::string& listener, net::Socket socket);
  std::shared_ptr<downstream::RouteSlot> slot(const std::string& name);
  std::shared_ptr<downstream::ScopeSlot> scope_slot(const std::string& path);
  void fill(downstream::ScopeSlot& slot, const config::ScopeTable& scopes);
  void on_ebb();
  void cut(std::string listener);

  net::Loop loop_;
  LocalClusters clusters_;
  upstream::PoolCaller caller_;
  downstream::ExchangePool exchanges_;
  downstream::MirrorPool mirrors_;
  downstream::Environment environment_;
  std::map<std::string, std::shared_ptr<downstream::RouteSlot>> routes_;
  std::map<std::string, std::shared_ptr<downstream::ScopeSlot>> scopes_;  // by the file that they come from; empty: ADS
  std::map<std::string, Listening> listeners_;
  std::unordered_map<net::Connection*, Kept> connections_;
  size_t high_water_ = 0;  // the most connections since memory was last given back
  Timeout<Worker, &Worker::on_ebb> ebb_{*this};
  struct Farewell;
  std::vector<std::unique_ptr<Farewell>> farewells_;
  std::thread thread_;
  unsigned index_;
};

}  // namespace weft::server
