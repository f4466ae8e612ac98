#include "proxy/server/worker.h"

#include "common/net/original_destination.h"
#include "common/observe/shapes.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace weft::server {

// Filter chains that are gone, or all of a listener: cuts what is left of their connections when its time is over.
class Worker::Farewell final : public TimeoutNode {
 public:
  Farewell(Worker& worker, std::string listener, bool whole, Chains chains, std::shared_ptr<observe::Scope> stats)
      : worker_(worker), listener_(std::move(listener)), chains_(std::move(chains)), stats_(std::move(stats)), whole_(whole) {
    count(static_cast<int64_t>(whole_ ? 1 : chains_.size()));
  }
  ~Farewell() { count(-static_cast<int64_t>(whole_ ? 1 : chains_.size())); }
  void on_timeout() override { worker_.cut(*this); }
  bool is_for(const std::string& listener) const { return listener_ == listener; }
  bool holds(const Chain* chain) const {
    return std::any_of(chains_.begin(), chains_.end(), [chain](const auto& one) { return one.get() == chain; });
  }
  bool empty() const { return chains_.empty(); }
  // One of them has come back, and its connections are its own again; null: that one is not among them.
  std::shared_ptr<Chain> give_back(const std::string& key) {
    const auto at = std::find_if(chains_.begin(), chains_.end(), [&key](const auto& one) { return one->key == key; });
    if (at == chains_.end()) return nullptr;
    std::shared_ptr<Chain> chain = std::move(*at);
    chains_.erase(at);
    if (!whole_) count(-1);
    return chain;
  }

 private:
  void count(int64_t n) {
    using observe::ListenerManagerStat;
    if (!stats_) return;
    stats_->cells(worker_.loop_.thread())
        .add(whole_ ? ListenerManagerStat::kTotalListenersDraining : ListenerManagerStat::kTotalFilterChainsDraining, n);
  }
  Worker& worker_;
  const std::string listener_;
  Chains chains_;
  const std::shared_ptr<observe::Scope> stats_;
  const bool whole_;
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
    by_address_.clear();
    listeners_.clear();
    farewells_.clear();
    for (auto& [key, arrival] : arrivals_) arrival->end(false);
    arrivals_.clear();
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

std::shared_ptr<Worker::Chain> Worker::make_chain(const config::Listener& listener, size_t number, const ListenerScopes& scopes,
                                                  const std::shared_ptr<std::string>& name) {
  const config::FilterChain& config = listener.chains[number];
  const ListenerScopes::Chain& own = scopes.chains[number];
  auto chain = std::make_shared<Chain>();
  chain->key = config.key;
  chain->listener = name;
  const unsigned thread = loop_.thread();
  if (const auto* proxy = std::get_if<std::shared_ptr<const config::TcpProxy>>(&config.terminal)) {
    chain->tcp = std::make_shared<downstream::TcpService>(downstream::TcpService{environment_, *proxy, own.tcp, scopes.listener,
                                                                                 own.tcp->cells(thread), scopes.listener->cells(thread),
                                                                                 listener.name, listener.buffer_limit, config.name});
    return chain;
  }
  const auto& manager = std::get<std::shared_ptr<const config::HttpConnectionManager>>(config.terminal);
  std::shared_ptr<downstream::RouteSlot> routes;
  if (manager->routes) {
    routes = std::make_shared<downstream::RouteSlot>();
    routes->table = manager->routes;
  } else {
    routes = slot(manager->rds_name);
  }
  std::shared_ptr<downstream::ScopeSlot> scopes_of_keys;
  if (const config::ScopedRoutes* scoped = manager->scoped.get(); scoped && scoped->scopes) {
    scopes_of_keys = std::make_shared<downstream::ScopeSlot>();
    fill(*scopes_of_keys, *scoped->scopes);
  } else if (scoped) {
    scopes_of_keys = scope_slot(scoped->path);
  }
  chain->http = std::make_shared<downstream::HttpService>(
      downstream::HttpService{environment_, manager, std::move(routes), own.http, scopes.http1, scopes.http2, scopes.listener,
                              own.listener_http, own.http->cells(thread), scopes.http1->cells(thread), scopes.http2->cells(thread),
                              scopes.listener->cells(thread), own.listener_http->cells(thread), listener.name, listener.buffer_limit,
                              std::move(scopes_of_keys), config.name, listener.drains_on_health_failure});
  return chain;
}

void Worker::set_listener(std::shared_ptr<const config::Listener> config, const ListenerScopes& scopes, const std::vector<int>& fds,
                          Patience patience, std::shared_ptr<Balance> balance) {
  Listening& listening = listeners_[config->name];
  if (!listening.name) listening.name = std::make_shared<std::string>(config->name);
  if (listening.config) forget_places(listening);
  for (const net::ListeningPlace& place : config->places)
    if (place.path.empty()) by_address_[place.endpoint] = &listening;
  Chains before = std::move(listening.chains);
  listening.chains.clear();
  listening.config = config;
  listening.stats = scopes.listener;
  listening.balance = std::move(balance);
  const auto kept_from_before = [&](const std::string& key) -> std::shared_ptr<Chain> {
    for (auto& one : before)
      if (one && one->key == key) return std::move(one);
    for (auto& farewell : farewells_)
      if (farewell->is_for(config->name))
        if (auto chain = farewell->give_back(key)) return chain;
    return nullptr;
  };
  for (size_t i = 0; i < config->chains.size(); ++i) {
    std::shared_ptr<Chain> made = make_chain(*config, i, scopes, listening.name);
    std::shared_ptr<Chain> old = kept_from_before(made->key);
    if (old && !old->http == !made->http) {
      *old = std::move(*made);
      made = std::move(old);
    } else if (old) {
      before.push_back(std::move(old));  // it speaks another protocol now
    }
    listening.chains.push_back(std::move(made));
  }
  std::erase_if(farewells_, [](const auto& farewell) { return farewell->empty(); });
  for (auto& [key, kept] : connections_)
    if (kept.http && kept.chain->listener == listening.name && kept.chain->http) kept.http->change_service(kept.chain->http);
  std::erase(before, nullptr);
  if (!before.empty()) let_go(std::move(before), config->name, false, std::move(patience));
  if (fds.empty() && config->bound) return;
  // New addresses: what queues at the old ones is served first.
  for (auto& acceptor : std::exchange(listening.acceptors, {})) acceptor->drain_and_close();
  for (size_t place = 0; place < fds.size(); ++place) {
    net::Acceptor::Options options;
    options.v6 = config->places[place].endpoint.address().is_v6();
    options.per_event = static_cast<int>(std::min<uint32_t>(config->accepts_per_event, 1 << 20));
    options.on_event = [stats = scopes.listener, thread = loop_.thread()](int count) {
      stats->cells(thread).record(observe::ListenerStat::kConnectionsAcceptedPerSocketEvent, static_cast<uint64_t>(count));
    };
    listening.acceptors.push_back(
        std::make_unique<net::Acceptor>(loop_, fds[place], std::move(options),
                                        [this, at = listening.name, place](net::Socket socket) { accept(*at, place, std::move(socket)); }));
  }
}

void Worker::accept(const std::string& name, size_t place, net::Socket socket) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  if (!found->second.balance) return take_in(name, place, std::move(socket), nullptr);
  Balance::Seat seat = found->second.balance->take();
  if (seat.worker == this) return take_in(name, place, std::move(socket), std::move(seat.held));
  boost::system::error_code failed;
  const int fd = socket.release(failed);
  if (failed) return;
  seat.worker->post([&w = *seat.worker, name, place, fd, held = std::move(seat.held)] {
    net::Socket given(w.loop_.executor());
    boost::system::error_code ignored;
    given.assign(asio::ip::tcp::v4(), fd, ignored);
    w.take_in(name, place, std::move(given), held);
  });
}

void Worker::take_in(const std::string& name, size_t place, net::Socket socket, std::shared_ptr<void> seat) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  Listening& listening = found->second;
  const config::Listener& config = *listening.config;
  // While an old socket empties, the configuration may have fewer places already.
  const std::string* path = place < config.places.size() && !config.places[place].path.empty() ? &config.places[place].path : nullptr;
  if (config.filters.empty() && !path) {
    auto stream = net::make_tcp_stream(std::move(socket));
    if (config.takes_any && config.access_logs.empty())
      return begin_service(listening, listening.chains.front(), {.stream = std::move(stream), .seat = std::move(seat)}, {});
    net::ConnectionFacts facts;
    facts.direct_local = facts.local = stream->local_address();
    facts.direct_remote = facts.remote = stream->peer_address();
    return serve(listening, facts, {.stream = std::move(stream), .seat = std::move(seat)});
  }
  const bool redirected = std::any_of(config.filters.begin(), config.filters.end(),
                                      [](const auto& filter) { return std::holds_alternative<config::OriginalDst>(filter.of); });
  std::optional<net::Endpoint> original;
  if (redirected) original = net::original_destination(socket.native_handle());
  auto made = std::make_unique<downstream::Arrival>(*this, loop_, net::make_tcp_stream(std::move(socket)), std::move(original),
                                                    path ? *path : std::string());
  downstream::Arrival& arrival = *made;
  arrival.hold(std::move(seat));
  arrivals_.emplace(&arrival, std::move(made));
  arrival.go_on(listening.config, listening.name, listening.stats);
}

// The listener that redirected traffic was meant for: at that very address, or at that port of any.
Worker::Listening* Worker::listening_at(const net::Endpoint& destination) {
  const auto at = [this](const net::Endpoint& endpoint) -> Listening* {
    const auto found = by_address_.find(endpoint);
    return found == by_address_.end() || found->second->stopped ? nullptr : found->second;
  };
  if (Listening* exact = at(destination)) return exact;
  const bool v6 = destination.address().is_v6();
  return at({v6 ? asio::ip::address(asio::ip::address_v6::any()) : asio::ip::address(asio::ip::address_v4::any()), destination.port()});
}

void Worker::on_arrived(downstream::Arrival& arrival) {
  const auto found = listeners_.find(arrival.listener());
  if (found == listeners_.end()) {  // gone while it arrived
    arrival.end(false);
    return on_arrival_lost(arrival);
  }
  Listening& listening = found->second;
  if (listening.config->hands_over && !arrival.handed_over() && arrival.facts().local_restored) {
    if (Listening* other = listening_at(arrival.facts().local)) return arrival.go_on(other->config, other->name, other->stats);
  }
  const std::shared_ptr<const net::ConnectionFacts> facts = arrival.take_facts();
  Opening opening{arrival.take_stream(), facts->tells_more() ? facts : nullptr, arrival.take_metadata(), arrival.bytes(), arrival.more(),
                  arrival.take_held()};
  serve(listening, *facts, std::move(opening));
  on_arrival_lost(arrival);
}

void Worker::on_arrival_lost(downstream::Arrival& arrival) {
  const auto found = arrivals_.find(&arrival);
  if (found == arrivals_.end()) return;
  loop_.retire(std::move(found->second));
  arrivals_.erase(found);
}

void Worker::serve(Listening& listening, const net::ConnectionFacts& facts, Opening opening) {
  const config::Listener& config = *listening.config;
  std::unique_ptr<downstream::ConnectionLog> log;
  if (!config.access_logs.empty()) log = std::make_unique<downstream::ConnectionLog>(listening.config, facts, loop_);
  if (log) log->info().metadata = opening.metadata;
  const std::optional<size_t> chain = config.chain_for(facts);
  if (!chain) {
    listening.stats->cells(loop_.thread()).add(observe::ListenerStat::kNoFilterChainMatch);
    opening.stream->close(!opening.bytes.empty());
    if (!log) return;
    log->info().flags.set(observe::ResponseFlag::kNoRouteFound);
    log->info().response_code_details = "filter_chain_not_found";
    return log->write(0, 0);
  }
  if (log) log->info().filter_chain_name = config.chains[*chain].name;
  begin_service(listening, listening.chains[*chain], std::move(opening), std::move(log));
}

void Worker::begin_service(Listening& listening, const std::shared_ptr<Chain>& chain, Opening opening,
                           std::unique_ptr<downstream::ConnectionLog> log) {
  Kept kept;
  kept.chain = chain;
  kept.log = std::move(log);
  kept.seat = std::move(opening.seat);
  const auto keep = [&](auto connection) {
    auto& begun = *connection;
    if (opening.facts) begun.set_facts(std::move(opening.facts));
    if (!opening.bytes.empty() || opening.more) begun.preload(opening.bytes, opening.more);
    kept.connection = std::move(connection);
    connections_.emplace(&begun, std::move(kept));
    high_water_ = std::max(high_water_, connections_.size());
    begun.begin();
  };
  if (chain->http) {
    auto connection = std::make_unique<downstream::HttpConnection>(*this, chain->http, std::move(opening.stream));
    downstream::HttpConnection* http = kept.http = connection.get();
    keep(std::move(connection));
    if (environment_.draining)
      http->drain();
    else if (listening.draining)
      http->drain_with_next_request();
  } else {
    auto session = std::make_unique<downstream::TcpSession>(*this, chain->tcp, std::move(opening.stream));
    kept.tcp = session.get();
    if (opening.metadata) session->set_metadata(std::move(opening.metadata));
    keep(std::move(session));
  }
}

void Worker::on_connection_over(net::Connection& connection) {
  auto found = connections_.find(&connection);
  if (found == connections_.end()) return;
  if (found->second.log) found->second.log->write(connection.bytes_received(), connection.bytes_sent());
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
  auto node = listeners_.extract(from);
  if (node.empty()) return;
  *node.mapped().name = to;
  const auto present = listeners_.find(to);
  if (present == listeners_.end()) {
    node.key() = to;
    listeners_.insert(std::move(node));
    return;
  }
  // It leaves its own address for the other's, and takes over what is served there.
  for (auto& acceptor : present->second.acceptors) acceptor->drain_and_close();
  forget_places(node.mapped());
  present->second.acceptors = std::move(node.mapped().acceptors);
  for (auto& chain : node.mapped().chains) present->second.chains.push_back(std::move(chain));
}

void Worker::forget_places(const Listening& listening) {
  std::erase_if(by_address_, [&listening](const auto& entry) { return entry.second == &listening; });
}

void Worker::remove_listener(const std::string& name, Patience patience) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  for (auto& acceptor : found->second.acceptors) acceptor->drain_and_close();
  forget_places(found->second);
  Chains chains = std::move(found->second.chains);
  listeners_.erase(found);
  let_go(std::move(chains), name, true, std::move(patience));
}

// Their connections have served their last request, or do so with the next.
void Worker::let_go(Chains chains, const std::string& listener, bool whole, Patience patience) {
  farewells_.push_back(std::make_unique<Farewell>(*this, listener, whole, std::move(chains), std::move(patience.stats)));
  const Farewell& farewell = *farewells_.back();
  for (auto& [key, kept] : connections_)
    if (kept.http && farewell.holds(kept.chain.get())) kept.http->drain_with_next_request();
  loop_.wheel().arm(*farewells_.back(), patience.time);
}

// Whatever is still under way: requests, tunnels, raw sessions.
void Worker::cut(Farewell& farewell) {
  std::vector<Kept*> left;
  for (auto& [key, kept] : connections_)
    if (farewell.holds(kept.chain.get())) left.push_back(&kept);
  for (Kept* kept : left) kept->http ? kept->http->abort() : kept->tcp->abort();
  std::erase_if(farewells_, [&farewell](const auto& one) { return one.get() == &farewell; });
}

void Worker::drain_listener(const std::string& name, bool stop) {
  auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  found->second.draining = true;
  if (stop) {
    found->second.stopped = true;
    for (auto& acceptor : std::exchange(found->second.acceptors, {})) acceptor->drain_and_close();
  }
  for (auto& [key, kept] : connections_)
    if (kept.http && kept.chain->listener == found->second.name) kept.http->drain_with_next_request();
}

void Worker::drain() {
  environment_.draining = true;
  for (auto& [name, listening] : listeners_)
    for (auto& acceptor : listening.acceptors) acceptor->drain_and_close();
  std::vector<downstream::HttpConnection*> all;
  for (auto& [key, kept] : connections_)
    if (kept.http) all.push_back(kept.http);
  for (downstream::HttpConnection* connection : all) connection->drain();
}

}  // namespace weft::server
