#include "proxy/upstream/balancing/host_lists.h"

#include <algorithm>

namespace weft::upstream {

HostLists::HostLists(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold)
    : endpoints_(std::move(endpoints)), panic_threshold_(static_cast<uint32_t>(std::clamp(panic_threshold, 0.0, 100.0))) {
  const uint32_t priorities = std::max(endpoints_->priorities, 1u);
  lists_.resize(priorities * kKinds);
  levels_.resize(priorities);
  for (const Locality& locality : endpoints_->localities)
    for (const Host& host : locality.hosts) lists_[locality.priority * kKinds + kAll].push_back(&host);
  // So that refresh() allocates nothing.
  for (uint32_t p = 0; p < priorities; ++p)
    for (unsigned kind : {kHealthy, kDegraded}) lists_[p * kKinds + kind].reserve(lists_[p * kKinds + kAll].size());
  refresh();
}

void HostLists::refresh() {
  for (uint32_t p = 0; p < levels_.size(); ++p) {
    const Hosts& all = lists_[p * kKinds + kAll];
    Hosts& healthy = lists_[p * kKinds + kHealthy];
    Hosts& degraded = lists_[p * kKinds + kDegraded];
    healthy.clear();
    degraded.clear();
    Level& level = levels_[p] = Level{};
    for (const Host* host : all) {
      if (host->health != Health::kDraining) ++level.hosts;
      if (host->healthy()) healthy.push_back(host);
      if (host->degraded()) degraded.push_back(host);
    }
    if (level.hosts != 0) {
      auto availability = [&](size_t n) {
        return static_cast<uint32_t>(std::min<uint64_t>(100, uint64_t{n} * endpoints_->overprovisioning_factor / level.hosts));
      };
      level.healthy = availability(healthy.size());
      level.degraded = availability(degraded.size());
    }
  }
  share_load();
}

void HostLists::share_load() {
  uint32_t available = 0;
  for (const Level& level : levels_) available += level.healthy + level.degraded;
  available = std::min(available, 100u);
  if (available != 0) {
    uint32_t left = 100;
    uint32_t* first = nullptr;  // takes what rounding leaves
    auto give = [&](uint32_t availability, uint32_t& load) {
      load = std::min(left, availability * 100 / available);
      left -= load;
      if (!first && availability != 0) first = &load;
    };
    for (Level& level : levels_) give(level.healthy, level.healthy_load);
    for (Level& level : levels_) give(level.degraded, level.degraded_load);
    if (first) *first += left;
  }
  detect_panic(available);
}

void HostLists::detect_panic(uint32_t availability) {
  if (panic_threshold_ == 0 && availability == 0) {
    // Nobody is there and panic is off: all goes to the empty list of priority 0.
    levels_.front().healthy_load = 100;
    return;
  }
  if (availability == 100) return;
  bool everywhere = true;
  uint64_t hosts = 0;
  for (uint32_t p = 0; p < levels_.size(); ++p) {
    Level& level = levels_[p];
    uint64_t up = lists_[p * kKinds + kHealthy].size() + lists_[p * kKinds + kDegraded].size();
    uint64_t percent = level.hosts == 0 ? 0 : 100 * up / level.hosts;
    level.panic = percent < panic_threshold_;
    everywhere = everywhere && level.panic;
    hosts += lists_[p * kKinds + kAll].size();
  }
  if (!everywhere) return;
  // Panic in every priority: the traffic follows the number of hosts.
  uint32_t left = 100;
  Level* first = nullptr;
  for (uint32_t p = 0; p < levels_.size(); ++p) {
    Level& level = levels_[p];
    uint64_t n = lists_[p * kKinds + kAll].size();
    level.degraded_load = 0;
    level.healthy_load = hosts == 0 ? 0 : static_cast<uint32_t>(100 * n / hosts);
    left -= level.healthy_load;
    if (!first && n != 0) first = &level;
  }
  (first ? *first : levels_.front()).healthy_load += left;
}

HostLists::Choice HostLists::at(uint32_t priority, Kind kind) const {
  const bool panic = levels_[priority].panic;
  return {priority * kKinds + (panic ? kAll : kind), panic};
}

HostLists::Choice HostLists::choose(uint64_t random) const {
  uint32_t point = static_cast<uint32_t>(random % 100);
  for (uint32_t p = 0; p < levels_.size(); ++p) {
    if (point < levels_[p].healthy_load) return at(p, kHealthy);
    point -= levels_[p].healthy_load;
  }
  for (uint32_t p = 0; p < levels_.size(); ++p) {
    if (point < levels_[p].degraded_load) return at(p, kDegraded);
    point -= levels_[p].degraded_load;
  }
  return at(0, kHealthy);
}

HostLists::Choice HostLists::choose_beside(uint64_t random, TriedPriorities& tried) const {
  const uint64_t avoided = tried.avoided();
  if (avoided == 0) return choose(random);
  auto counts = [avoided](uint32_t p) { return p >= 64 || (avoided >> p & 1) == 0; };
  uint32_t available = 0;
  for (uint32_t p = 0; p < levels_.size(); ++p)
    if (counts(p)) available += levels_[p].healthy + levels_[p].degraded;
  if (available == 0) {
    tried.forget();
    return choose(random);
  }
  available = std::min(available, 100u);
  // As share_load does it, of the others alone.
  uint32_t point = static_cast<uint32_t>(random % 100), left = 100;
  std::optional<Choice> first;  // takes what rounding leaves
  for (Kind kind : {kHealthy, kDegraded}) {
    for (uint32_t p = 0; p < levels_.size(); ++p) {
      const uint32_t availability = kind == kHealthy ? levels_[p].healthy : levels_[p].degraded;
      if (!counts(p) || availability == 0) continue;
      if (!first) first = at(p, kind);
      const uint32_t load = std::min(left, availability * 100 / available);
      if (point < load) return at(p, kind);
      point -= load;
      left -= load;
    }
  }
  return *first;
}

}  // namespace weft::upstream
