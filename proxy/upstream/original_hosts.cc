#include "proxy/upstream/original_hosts.h"

namespace weft::upstream {

std::shared_ptr<OriginalHosts::Made> OriginalHosts::get(const net::Endpoint& address) {
  std::unique_lock lock(mutex_);
  std::shared_ptr<Made>& slot = made_[address];
  if (slot) {
    slot->use();
    return slot;
  }
  auto set = std::make_shared<EndpointSet>();
  set->cluster_name = cluster_;
  set->size = set->priorities = 1;
  Host host;
  host.address = address;
  host.state = std::make_shared<HostState>();
  host.state->address = net::to_string(address);
  host.hostname = cluster_ + host.state->address;  // Envoy's
  states_.insert(host.state.get());
  set->localities.emplace_back().hosts.push_back(std::move(host));
  slot = std::make_shared<Made>();
  slot->set = std::move(set);
  std::shared_ptr<Made> made = slot;
  const bool tell = !told_;
  told_ = true;
  lock.unlock();
  if (tell && on_made_) on_made_();
  return made;
}

bool OriginalHosts::holds(const HostState& host) const {
  std::lock_guard lock(mutex_);
  return states_.contains(&host);
}

EndpointSet OriginalHosts::all() {
  EndpointSet set;
  set.cluster_name = cluster_;
  set.localities.emplace_back();
  std::lock_guard lock(mutex_);
  told_ = false;
  for (const auto& [address, made] : made_) set.localities.front().hosts.push_back(made->host());
  return set;
}

bool OriginalHosts::sweep() {
  std::lock_guard lock(mutex_);
  return std::erase_if(made_, [this](const auto& entry) {
           Made& made = *entry.second;
           const HostState& state = *made.host().state;
           if (made.used.exchange(false, std::memory_order_relaxed)) return false;
           if (state.active_connections.load(std::memory_order_relaxed) > 0 || state.active_requests.load(std::memory_order_relaxed) > 0)
             return false;
           made.gone.store(true, std::memory_order_relaxed);
           states_.erase(&state);
           return true;
         }) > 0;
}

}  // namespace weft::upstream
