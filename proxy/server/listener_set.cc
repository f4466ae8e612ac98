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
  if (auto* manager = std::get_if<std::shared_ptr<const config::HttpConnectionManager>>(&listener.chain.terminal)) {
    scopes.http = observe::http_scope(metrics_, (*manager)->stat_prefix);
    scopes.http1 = observe::http1_scope(metrics_);
    scopes.http2 = observe::http2_scope(metrics_);
    scopes.listener_http = observe::listener_http_scope(metrics_, listener.stat_prefix, (*manager)->stat_prefix);
  } else {
    const std::string& prefix = std::get<std::shared_ptr<const config::TcpProxy>>(listener.chain.terminal)->stat_prefix;
    scopes.tcp = prefix.empty() ? std::make_shared<observe::Scope>(observe::kTcpShape, "", observe::Tags{}, static_cast<unsigned>(workers_.size() + 1))
                                : observe::tcp_scope(metrics_, prefix);
  }
  return scopes;
}

ListenerSet::~ListenerSet() {
  for (const auto& [name, sockets] : reserved_) net::close_sockets(sockets);
}

const ListenerSet::Entry* ListenerSet::holder_of(const config::Listener& listener, const std::vector<std::string>& removed) const {
  if (listener.address.port() == 0) return nullptr;
  for (const auto& [name, entry] : entries_) {
    if (name != listener.name && entry.address == listener.address && std::find(removed.begin(), removed.end(), name) == removed.end())
      return &entry;
  }
  return nullptr;
}

Status ListenerSet::reserve(const config::Listener& listener, const std::vector<std::string>& removed) {
  auto own = entries_.find(listener.name);
  if (own != entries_.end() && own->second.config->address == listener.address) return {};
  if (const Entry* holder = holder_of(listener, removed)) {
    return Error{Error::Kind::kRefused, "error adding listener: '" + listener.name + "' has duplicate address '" +
                                            net::to_string(listener.address) + "' as existing listener '" + holder->config->name + "'"};
  }
  // Held by one of ours that is going: its sockets are handed over.
  for (const auto& [name, entry] : entries_)
    if (listener.address.port() != 0 && entry.address == listener.address) return {};
  auto before = reserved_.find(listener.name);
  if (before != reserved_.end()) {
    if (before->second.address == listener.address) return {};
    net::close_sockets(before->second);
    reserved_.erase(before);
  }
  auto bound = net::bind_listeners(listener.address, static_cast<unsigned>(workers_.size()));
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
  const bool in_place = own != entries_.end() && own->second.config->address == listener->address;
  net::Endpoint address = in_place ? own->second.address : listener->address;
  std::vector<int> fds(workers_.size(), -1);
  if (auto reserved = reserved_.find(listener->name); reserved != reserved_.end()) {
    const net::ListeningSockets sockets = std::move(reserved->second);
    reserved_.erase(reserved);
    if (Status listening = net::start_listening(sockets, static_cast<int>(listener->backlog)); !listening) return listening;
    address = sockets.address;
    fds = sockets.fds;
  } else if (!in_place) {
    auto holder =
        std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.second.address == listener->address; });
    address = holder->second.address;
    for (auto& worker : workers_) worker->post([&w = *worker, from = holder->first, to = listener->name] { w.rename_listener(from, to); });
    entries_.erase(holder);
  }
  stats.add(own != entries_.end() ? ListenerManagerStat::kListenerModified : ListenerManagerStat::kListenerAdded);
  if (in_place) stats.add(ListenerManagerStat::kListenerInPlaceUpdated);
  stats.add(ListenerManagerStat::kListenerCreateSuccess, static_cast<int64_t>(workers_.size()));
  Entry entry{listener, address, scopes_of(*listener)};
  for (size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->post([&w = *workers_[i], listener, scopes = entry.scopes, fd = fds[i]] { w.set_listener(listener, scopes, fd); });
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
      net::close_sockets(reserved->second);
      reserved_.erase(reserved);
    }
    auto found = entries_.find(name);
    if (found == entries_.end()) continue;
    entries_.erase(found);
    stats_->cells(0).add(ListenerManagerStat::kListenerRemoved);
    for (auto& worker : workers_)
      worker->post([&w = *worker, name, patience = drain_time_, stats = worker == workers_.front() ? stats_ : nullptr] {
        w.remove_listener(name, patience, stats);
      });
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
