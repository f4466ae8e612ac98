#include "proxy/upstream/host_state.h"

#include <algorithm>

namespace weft::upstream {

std::shared_ptr<HostState> HostStates::get(const std::string& cluster, const net::Endpoint& address) {
  // A cluster's name may hold any byte, an address' text holds no newline.
  std::string text = net::to_string(address);
  std::string key = text + '\n' + cluster;
  std::lock_guard lock(mutex_);
  std::weak_ptr<HostState>& slot = states_[std::move(key)];
  if (std::shared_ptr<HostState> known = slot.lock()) return known;
  auto state = std::make_shared<HostState>();
  state->address = std::move(text);
  slot = state;
  if (states_.size() >= sweep_at_) {
    sweep_locked();
    sweep_at_ = std::max<size_t>(1024, states_.size() * 2);
  }
  return state;
}

void HostStates::sweep() {
  std::lock_guard lock(mutex_);
  sweep_locked();
}

void HostStates::sweep_locked() {
  std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
}

size_t HostStates::size() const {
  std::lock_guard lock(mutex_);
  return states_.size();
}

}  // namespace weft::upstream
