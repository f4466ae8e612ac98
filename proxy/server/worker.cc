#include "proxy/server/worker.h"

#include "common/observe/shapes.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>

namespace weft::server {

// Cuts what is left of a removed listener when its time is over. Dropped when a listener of that name has come back, whose the
// connections then are.
struct Worker::Farewell final : TimeoutNode {
  Farewell(Worker& worker, std::string listener, std::shared_ptr<observe::Scope> stats)
      : worker_(worker), listener_(std::move(listener)), stats_(std::move(stats)) {
    count(1);
  }
  ~Farewell() { count(-1); }
  void on_timeout() override { worker_.cut(listener_); }
  bool is_for(const std::string& listener) const { return listener_ == listener; }

 private:
  void count(int64_t n) {
    if (stats_) stats_->cells(worker_.loop_.thread()).add(observe::ListenerManagerStat::kTotalListenersDraining, n);
  }
  Worker& worker_;
  const std::string listener_;
  const std::shared_ptr<observe::Scope> stats_;
};

Worker::Worker(unsigned index)
    : loop_(index + 1),
      clusters_(loop_),
      caller_(loop_, clusters_),
      exchanges_(loop_),
      mirrors_(loop_),
      environment_{loop_, clusters_, caller_, exchanges_, mirrors_},
      index_(index) {}

Worker::~Worker() { stop(); }

void Worker::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("wrk:worker_" + std::to_string(index_)).substr(0, 15).c_str());
    // Signals are the main thread's.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    loop_.run();
  });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    listeners_.clear();
    farewells_.clear();
    std::vector<Kept*> all;
    for (auto& [key, kept] : connections_) all.push_back(&kept);
    for (Kept* kept : all) kept->http ? kept->http->abort() : kept->tcp->abort();
    mirrors_.clear();
    // Pools and their timers keep the loop alive.
    clusters_.clear();
    loop_.post([this] { loop_.stop(); });
  });
  thread_.join();
}

std::shared_ptr<downstream::RouteSlot> Worker::slot(const std::string& name) {
  auto& slot = routes_[name];
  if (!slot) slot = std::make_shared<downstream::RouteSlot>();
  return slot;
}

void Worker::set_routes(const std::string& name, std::shared_ptr<const routing::RouteTable> table) { slot(name)->table = std::move(table); }

std::shared_ptr<downstream::ScopeSlot> Worker::scope_slot(const std::string& path) {
  auto& slot = scopes_[path];
  if (!slot) slot = std::make_shared<downstream::ScopeSlot>();
  return slot;
}

void Worker::fill(downstream::ScopeSlot& to, const config::ScopeTable& scopes) {
  to.routes.clear();
  for (const auto& [key, scope] : scopes) {
    auto& routes = to.routes[key];
    if (scope->routes)
      routes = std::make_shared<downstream::RouteSlot>(downstream::RouteSlot{scope->routes});
    else
      routes = slot(scope->rds_name);
  }
}

void Worker::set_scopes(const std::string& path, const config::ScopeTable& scopes) { fill(*scope_slot(path), scopes); }

void Worker::set_listener(std::shared_ptr<const config::Listener> config, const ListenerScopes& scopes, int fd) {
  const std::string name = config->name;
  std::erase_if(farewells_, [&name](const auto& farewell) { return farewell->is_for(name); });
  Listening& listening = listeners_[name];
  listening.config = config;
  listening.http.reset();
  listening.tcp.reset();
  if (auto* manager = std::get_if<std::shared_ptr<const config::HttpConnectionManager>>(&config->chain.terminal)) {
    std::shared_ptr<downstream::RouteSlot> routes;
    if ((*manager)->routes) {
      routes = std::make_shared<downstream::RouteSlot>();
      routes->table = (*manager)->routes;
    } else {
      routes = slot((*manager)->rds_name);
    }
    std::shared_ptr<downstream::ScopeSlot> scopes_of_keys;
    if (const config::ScopedRoutes* scoped = (*manager)->scoped.get(); scoped && scoped->scopes) {
      scopes_of_keys = std::make_shared<downstream::ScopeSlot>();
      fill(*scopes_of_keys, *scoped->scopes);
    } else if (scoped) {
      scopes_of_keys = scope_slot(scoped->path);
    }
    const unsigned thread = loop_.thread();
    listening.http = std::make_shared<downstream::HttpService>(downstream::HttpService{
        environment_, *manager, std::move(routes), scopes.http, scopes.http1, scopes.http2, scopes.listener, scopes.listener_http,
        scopes.http->cells(thread), scopes.http1->cells(thread), scopes.http2->cells(thread), scopes.listener->cells(thread),
        scopes.listener_http->cells(thread), name, config->buffer_limit, std::move(scopes_of_keys)});
    for (auto& [key, kept] : connections_)
      if (kept.listener == name && kept.http) kept.http->change_service(listening.http);
  } else {
    const auto& proxy = std::get<std::shared_ptr<const config::TcpProxy>>(config->chain.terminal);
    listening.tcp = std::make_shared<downstream::TcpService>(
        downstream::TcpService{environment_, proxy, scopes.tcp, scopes.listener, scopes.tcp->cells(loop_.thread()),
                               scopes.listener->cells(loop_.thread()), name, config->buffer_limit});
  }
  if (fd < 0) return;
  // A new address: what queues at the old one is served first.
  if (listening.acceptor) listening.acceptor->drain_and_close();
  listening.name = std::make_shared<std::string>(name);
  listening.acceptor = std::make_unique<net::Acceptor>(loop_, fd, config->address.address().is_v6(),
                                                       [this, at = listening.name](net::Socket socket) { accept(*at, std::move(socket)); });
}

void Worker::accept(const std::string& name, net::Socket socket) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  Listening& listening = found->second;
  Kept kept;
  kept.listener = name;
  auto stream = net::make_tcp_stream(std::move(socket));
  if (listening.http) {
    auto connection = std::make_unique<downstream::HttpConnection>(*this, listening.http, std::move(stream));
    downstream::HttpConnection* http = kept.http = connection.get();
    kept.connection = std::move(connection);
    connections_.emplace(http, std::move(kept));
    high_water_ = std::max(high_water_, connections_.size());
    http->begin();
    if (listening.draining) http->drain_with_next_request();
  } else {
    auto session = std::make_unique<downstream::TcpSession>(*this, listening.tcp, std::move(stream));
    downstream::TcpSession* tcp = kept.tcp = session.get();
    kept.connection = std::move(session);
    connections_.emplace(tcp, std::move(kept));
    high_water_ = std::max(high_water_, connections_.size());
    tcp->begin();
  }
}

void Worker::on_connection_over(net::Connection& connection) {
  auto found = connections_.find(&connection);
  if (found == connections_.end()) return;
  loop_.retire(std::move(found->second.connection));
  connections_.erase(found);
  constexpr size_t kTide = 512;  // below that it is not worth the walk through the heap
  if (high_water_ >= kTide && connections_.size() <= high_water_ / 2 && !ebb_.armed()) loop_.wheel().arm(ebb_, std::chrono::seconds(1));
}

// Half of many connections have gone. The allocator keeps what lies between objects that live on until it is asked.
void Worker::on_ebb() {
  high_water_ = connections_.size();
  connections_.rehash(0);
  ::malloc_trim(0);
}

void Worker::rename_listener(const std::string& from, const std::string& to) {
  auto found = listeners_.find(from);
  if (found == listeners_.end()) return;
  if (found->second.name) *found->second.name = to;
  listeners_[to] = std::move(found->second);
  listeners_.erase(found);
  for (auto& [key, kept] : connections_)
    if (kept.listener == from) kept.listener = to;
}

void Worker::remove_listener(const std::string& name, std::chrono::milliseconds patience, std::shared_ptr<observe::Scope> stats) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  if (found->second.acceptor) found->second.acceptor->drain_and_close();
  listeners_.erase(found);
  for (auto& [key, kept] : connections_)
    if (kept.listener == name && kept.http) kept.http->drain_with_next_request();
  farewells_.push_back(std::make_unique<Farewell>(*this, name, std::move(stats)));
  loop_.wheel().arm(*farewells_.back(), patience);
}

// Whatever is still under way: requests, tunnels, raw sessions.
void Worker::cut(std::string listener) {
  std::vector<Kept*> left;
  for (auto& [key, kept] : connections_)
    if (kept.listener == listener) left.push_back(&kept);
  for (Kept* kept : left) kept->http ? kept->http->abort() : kept->tcp->abort();
  std::erase_if(farewells_, [&listener](const auto& farewell) { return farewell->is_for(listener); });
}

void Worker::drain_listener(const std::string& name, bool stop) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  found->second.draining = true;
  if (stop && found->second.acceptor) {
    found->second.acceptor->drain_and_close();
    found->second.acceptor.reset();
  }
  for (auto& [key, kept] : connections_)
    if (kept.listener == name && kept.http) kept.http->drain_with_next_request();
}

void Worker::drain() {
  environment_.draining = true;
  for (auto& [name, listening] : listeners_)
    if (listening.acceptor) listening.acceptor->drain_and_close();
  std::vector<downstream::HttpConnection*> all;
  for (auto& [key, kept] : connections_)
    if (kept.http) all.push_back(kept.http);
  for (downstream::HttpConnection* connection : all) connection->drain();
}

}  // namespace weft::server
