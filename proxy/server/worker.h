// One worker: a thread with its loop, its listening sockets, its connections and its view of the configuration. Others speak
// to it by post() alone; changes are taken between two events.
#pragma once
#include "common/net/listener_socket.h"
#include "proxy/downstream/arrival.h"
#include "proxy/downstream/connection_log.h"
#include "proxy/downstream/environment.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/mirror.h"
#include "proxy/downstream/tcp_session.h"
#include "proxy/server/balance.h"
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

// A listener's stats, as the control thread hands them to the workers.
struct ListenerScopes {
  struct Chain {
    std::shared_ptr<observe::Scope> http, listener_http;  // of a connection manager, or
    std::shared_ptr<observe::Scope> tcp;
  };
  std::shared_ptr<observe::Scope> listener, http1, http2;
  std::vector<Chain> chains;
};

class Worker final : public downstream::ConnectionOwner, public downstream::ArrivalOwner {
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
  // For those whose time runs out: how long they have, and where it is counted meanwhile (the listener manager's stats; null: another
  // worker counts).
  struct Patience {
    std::chrono::milliseconds time;
    std::shared_ptr<observe::Scope> stats;
  };
  // `fds` are this worker's sockets, one per place of the listener; none: the present ones are kept. Connections of a filter chain
  // that is still there (as its match says) go on under the new configuration; those of others end with their next request, and what
  // is under way when `patience` is over is cut. `balance`: what spreads its connections; null: the kernel.
  void set_listener(std::shared_ptr<const config::Listener> listener, const ListenerScopes& scopes, const std::vector<int>& fds,
                    Patience patience, std::shared_ptr<Balance> balance);
  // Another name for the same sockets: a listener that replaces one at its address takes them over.
  void rename_listener(const std::string& from, const std::string& to);
  // Takes what is queued, then closes the sockets; connections end as those of a removed filter chain.
  void remove_listener(const std::string& name, Patience patience);
  // Connections, those to come too, end with their next request; `stop`: no more come. The listener stays known.
  void drain_listener(const std::string& name, bool stop);
  // Stops accepting (what is queued is taken) and asks every connection to end.
  void drain();
  void fail_health_check(bool fail) { environment_.health_check_failed = fail; }
  size_t connections() const { return connections_.size(); }

 private:
  // A filter chain. Its connections hold it, and it stays the same through updates as long as its match does.
  struct Chain {
    std::string key;
    std::shared_ptr<std::string> listener;          // the name, as Listening has it
    std::shared_ptr<downstream::HttpService> http;  // one of these two
    std::shared_ptr<downstream::TcpService> tcp;
  };
  using Chains = std::vector<std::shared_ptr<Chain>>;
  struct Listening {
    std::shared_ptr<const config::Listener> config;
    std::shared_ptr<observe::Scope> stats;
    std::shared_ptr<Balance> balance;
    Chains chains;  // by their number in the configuration
    std::vector<std::unique_ptr<net::Acceptor>> acceptors;
    bool draining = false, stopped = false;
    std::shared_ptr<std::string> name;  // what the acceptors' callbacks look up
  };
  struct Kept {
    std::unique_ptr<net::Connection> connection;
    downstream::HttpConnection* http = nullptr;  // which of the two it is
    downstream::TcpSession* tcp = nullptr;
    std::shared_ptr<Chain> chain;
    std::unique_ptr<downstream::ConnectionLog> log;  // null: its listener writes none
    std::shared_ptr<void> seat;                      // in the listener's balance
  };
  // What is known of a connection when its service begins.
  struct Opening {
    std::unique_ptr<net::Stream> stream;
    std::shared_ptr<const net::ConnectionFacts> facts = {};
    std::shared_ptr<format::Metadata> metadata = {};
    std::string_view bytes = {};  // read already
    bool more = false;
    std::shared_ptr<void> seat = {};
  };
  void on_connection_over(net::Connection& connection) override;
  void on_arrived(downstream::Arrival& arrival) override;
  void on_arrival_lost(downstream::Arrival& arrival) override;
  void accept(const std::string& listener, size_t place, net::Socket socket);
  void take_in(const std::string& listener, size_t place, net::Socket socket, std::shared_ptr<void> seat);
  void serve(Listening& listening, const net::ConnectionFacts& facts, Opening opening);
  void begin_service(Listening& listening, const std::shared_ptr<Chain>& chain, Opening opening,
                     std::unique_ptr<downstream::ConnectionLog> log);
  Listening* listening_at(const net::Endpoint& destination);
  std::shared_ptr<Chain> make_chain(const config::Listener& listener, size_t number, const ListenerScopes& scopes,
                                    const std::shared_ptr<std::string>& name);
  void let_go(Chains chains, const std::string& listener, bool whole, Patience patience);
  void forget_places(const Listening& listening);
  std::shared_ptr<downstream::RouteSlot> slot(const std::string& name);
  std::shared_ptr<downstream::ScopeSlot> scope_slot(const std::string& path);
  void fill(downstream::ScopeSlot& slot, const config::ScopeTable& scopes);
  void on_ebb();
  class Farewell;
  void cut(Farewell& farewell);

  net::Loop loop_;
  LocalClusters clusters_;
  upstream::PoolCaller caller_;
  downstream::ExchangePool exchanges_;
  downstream::MirrorPool mirrors_;
  downstream::Environment environment_;
  std::map<std::string, std::shared_ptr<downstream::RouteSlot>> routes_;
  std::map<std::string, std::shared_ptr<downstream::ScopeSlot>> scopes_;  // by the file that they come from; empty: ADS
  std::map<std::string, Listening> listeners_;
  std::map<net::Endpoint, Listening*> by_address_;  // as configured
  std::unordered_map<downstream::Arrival*, std::unique_ptr<downstream::Arrival>> arrivals_;
  std::unordered_map<net::Connection*, Kept> connections_;
  size_t high_water_ = 0;  // the most connections since memory was last given back
  Timeout<Worker, &Worker::on_ebb> ebb_{*this};
  std::vector<std::unique_ptr<Farewell>> farewells_;
  std::thread thread_;
  unsigned index_;
};

}  // namespace weft::server
