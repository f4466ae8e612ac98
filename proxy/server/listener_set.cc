#include "proxy/server/listener_set.h"

#include "common/net/listener_socket.h"
#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::server {

using observe::ListenerManagerStat;

ListenerSet::ListenerSet(std::vector<std::unique_ptr<Worker>>& workers, observe::Registry& metrics, std::chrono::milliseconds drain_time)
    : workers_(workers), metrics_(metrics), drain_time_(drain_time), stats_(observe::listener_manager_scope(metrics)) {
  stats_->cells(0).set(ListenerManagerStat::kWorkersStarted, 1);
}

ListenerScopes ListenerSet::scopes_of(const config::Listener& listener) {
  ListenerScopes scopes;
  scopes.listener = observe::listener_scope(metrics_, listener.stat_prefix);
  scopes.http1 = observe::http1_scope(metrics_);
  scopes.http2 = observe::http2_scope(metrics_);
  for (const config::FilterChain& chain : listener.chains) {
    ListenerScopes::Chain own;
    if (auto* manager = std::get_if<std::shared_ptr<const config::HttpConnectionManager>>(&chain.terminal)) {
      own.http = observe::http_scope(metrics_, (*manager)->stat_prefix);
      own.listener_http = observe::listener_http_scope(metrics_, listener.stat_prefix, (*manager)->stat_prefix);
    } else {
      const std::string& prefix = std::get<std::shared_ptr<const config::TcpProxy>>(chain.terminal)->stat_prefix;
      const auto threads = static_cast<unsigned>(workers_.size() + 1);
      own.tcp = prefix.empty() ? std::make_shared<observe::Scope>(observe::kTcpShape, "", observe::Tags{}, threads)
                               : observe::tcp_scope(metrics_, prefix);
    }
    scopes.chains.push_back(std::move(own));
  }
  return scopes;
}

namespace {

// Whether the sockets of one serve the other as they are.
bool same_sockets(const config::Listener& one, const config::Listener& other) {
  return one.bound == other.bound && one.places == other.places;
}

bool fixed(const net::ListeningPlace& place) { return !place.path.empty() || place.endpoint.port() != 0; }

bool has(const config::Listener& listener, const net::ListeningPlace& place) {
  return std::any_of(listener.places.begin(), listener.places.end(), [&](const auto& one) { return one.same_address(place); });
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void close_all(const std::vector<net::ListeningSockets>& all) {
  for (const net::ListeningSockets& one : all) net::close_sockets(one);
}

}  // namespace

ListenerSet::~ListenerSet() {
  for (const auto& [name, sockets] : reserved_) close_all(sockets);
}

const ListenerSet::Entry* ListenerSet::holder_of(const config::Listener& listener, const std::vector<std::string>& removed) const {
  for (const auto& [name, entry] : entries_) {
    if (name == listener.name || contains(removed, name)) continue;
    for (const net::ListeningPlace& place : listener.places) {
      // A port that the kernel chose is not in the configuration.
      const bool chosen =
          place.path.empty() && std::find(entry.addresses.begin(), entry.addresses.end(), place.endpoint) != entry.addresses.end();
      if (fixed(place) && (chosen || has(*entry.config, place))) return &entry;
    }
  }
  return nullptr;
}

const ListenerSet::Entry* ListenerSet::predecessor_of(const config::Listener& listener, const std::vector<std::string>& removed) const {
  if (!std::all_of(listener.places.begin(), listener.places.end(), fixed)) return nullptr;
  for (const auto& [name, entry] : entries_)
    if (name != listener.name && contains(removed, name) && same_sockets(*entry.config, listener)) return &entry;
  return nullptr;
}

Result<std::vector<net::ListeningSockets>> ListenerSet::bind(const config::Listener& listener) const {
  std::vector<net::ListeningSockets> all;
  for (const net::ListeningPlace& place : listener.places) {
    // Beside sockets of our own there, which drain.
    const bool beside = std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return has(*entry.second.config, place); });
    auto bound = net::bind_listeners(place, static_cast<unsigned>(workers_.size()), beside);
    if (!bound) {
      close_all(all);
      return bound.error();
    }
    all.push_back(std::move(*bound));
  }
  return all;
}

Status ListenerSet::reserve(const config::Listener& listener, const std::vector<std::string>& removed) {
  auto own = entries_.find(listener.name);
  if (own != entries_.end() && same_sockets(*own->second.config, listener)) return {};
  if (const Entry* holder = holder_of(listener, removed)) {
    std::string addresses;
    for (const net::ListeningPlace& place : listener.places) addresses += (addresses.empty() ? "" : ",") + net::to_string(place);
    return Error{Error::Kind::kRefused, "error adding listener: '" + listener.name + "' has duplicate address '" + addresses +
                                            "' as existing listener '" + holder->config->name + "'"};
  }
  if (!listener.bound || predecessor_of(listener, removed)) return {};
  auto before = reserved_.find(listener.name);
  if (before != reserved_.end()) {
    const auto& held = before->second;
    if (std::equal(held.begin(), held.end(), listener.places.begin(), listener.places.end(),
                   [](const auto& sockets, const auto& place) { return sockets.place == place; }))
      return {};
    close_all(held);
    reserved_.erase(before);
  }
  auto bound = bind(listener);
  if (!bound) {
    stats_->cells(0).add(ListenerManagerStat::kListenerCreateFailure);
    return Error{Error::Kind::kRefused, "error adding listener '" + listener.name + "': " + bound.error().detail};
  }
  reserved_[listener.name] = std::move(*bound);
  return {};
}

Status ListenerSet::set(const std::shared_ptr<const config::Listener>& listener, const std::vector<std::string>& removed) {
  observe::Cells& stats = stats_->cells(0);
  if (Status possible = reserve(*listener, removed); !possible) return possible;
  auto own = entries_.find(listener->name);
  const bool in_place = own != entries_.end() && same_sockets(*own->second.config, *listener);
  std::vector<net::Endpoint> addresses;
  std::vector<std::vector<int>> fds(workers_.size());
  if (in_place) {
    addresses = own->second.addresses;
    if (auto reserved = reserved_.find(listener->name); reserved != reserved_.end()) {  // it has come back from where it was going
      close_all(reserved->second);
      reserved_.erase(reserved);
    }
  } else if (auto reserved = reserved_.find(listener->name); reserved != reserved_.end()) {
    std::vector<net::ListeningSockets> sockets = std::move(reserved->second);
    reserved_.erase(reserved);
    for (size_t i = 0; i < sockets.size(); ++i) {
      Status listening = net::start_listening(sockets[i], static_cast<int>(listener->backlog));
      if (listening) continue;
      sockets.erase(sockets.begin() + static_cast<ptrdiff_t>(i));  // closed already
      close_all(sockets);
      return listening;
    }
    for (const net::ListeningSockets& one : sockets) {
      addresses.push_back(one.address);
      for (size_t i = 0; i < fds.size(); ++i) fds[i].push_back(one.fds[i]);
    }
  } else if (const Entry* predecessor = predecessor_of(*listener, removed); predecessor && listener->bound) {
    const std::string from = predecessor->config->name;
    addresses = predecessor->addresses;
    for (auto& worker : workers_) worker->post([&w = *worker, from, to = listener->name] { w.rename_listener(from, to); });
    entries_.erase(from);
  } else {
    for (const net::ListeningPlace& place : listener->places) addresses.push_back(place.endpoint);
  }
  stats.add(own != entries_.end() ? ListenerManagerStat::kListenerModified : ListenerManagerStat::kListenerAdded);
  if (in_place) stats.add(ListenerManagerStat::kListenerInPlaceUpdated);
  stats.add(ListenerManagerStat::kListenerCreateSuccess, static_cast<int64_t>(workers_.size()));
  Entry entry{listener, std::move(addresses), scopes_of(*listener), own != entries_.end() ? own->second.balance : nullptr};
  if (!listener->exact_balance) {
    entry.balance.reset();
  } else if (!entry.balance) {
    std::vector<Worker*> all;
    for (const auto& worker : workers_) all.push_back(worker.get());
    entry.balance = std::make_shared<Balance>(std::move(all));
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->post([&w = *workers_[i], listener, scopes = entry.scopes, fds = std::move(fds[i]), patience = patience_of(i),
                       balance = entry.balance] { w.set_listener(listener, scopes, fds, patience, balance); });
  }
  entries_[listener->name] = std::move(entry);
  return {};
}

std::vector<std::pair<std::string, std::string>> ListenerSet::apply(const std::vector<std::shared_ptr<const config::Listener>>& changed,
                                                                    const std::vector<std::string>& removed) {
  std::vector<std::pair<std::string, std::string>> failed;
  for (const auto& listener : changed)
    if (Status done = set(listener, removed); !done) failed.emplace_back(listener->name, done.error().detail);
  for (const std::string& name : removed) {
    if (auto reserved = reserved_.find(name); reserved != reserved_.end()) {
      close_all(reserved->second);
      reserved_.erase(reserved);
    }
    auto found = entries_.find(name);
    if (found == entries_.end()) continue;
    entries_.erase(found);
    stats_->cells(0).add(ListenerManagerStat::kListenerRemoved);
    for (size_t i = 0; i < workers_.size(); ++i)
      workers_[i]->post([&w = *workers_[i], name, patience = patience_of(i)] { w.remove_listener(name, patience); });
  }
  note();
  return failed;
}

void ListenerSet::drain_all() {
  for (auto& worker : workers_) worker->post([&w = *worker] { w.drain(); });
  stats_->cells(0).add(ListenerManagerStat::kListenerStopped, static_cast<int64_t>(entries_.size()));
}

void ListenerSet::drain(DrainScope scope) {
  for (const auto& [name, entry] : entries_) {
    if (scope.inbound_only && !entry.config->inbound) continue;
    for (auto& worker : workers_) worker->post([&w = *worker, name = name, stop = scope.stop] { w.drain_listener(name, stop); });
    if (scope.stop) stats_->cells(0).add(ListenerManagerStat::kListenerStopped);
  }
}

void ListenerSet::note() { stats_->cells(0).set(ListenerManagerStat::kTotalListenersActive, static_cast<int64_t>(entries_.size())); }

}  // namespace weft::server
