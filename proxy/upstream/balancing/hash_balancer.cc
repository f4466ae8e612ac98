#include "proxy/upstream/balancing/hash_balancer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace weft::upstream {
namespace {

// A number below `bound`, the same on every machine: the standard library's distributions are its own business.
uint32_t below(std::mt19937& random, uint32_t bound) {
  uint32_t value;
  do value = static_cast<uint32_t>(random() / ((uint64_t{std::mt19937::max()} + 1) / bound));
  while (value >= bound);
  return value;
}

}  // namespace

HashBalancer::HashBalancer(const ClusterConfig& cluster, std::shared_ptr<const EndpointSet> endpoints, std::shared_ptr<HashTables> shared)
    : policy_(cluster.policy),
      options_(cluster.hashing ? cluster.hashing : std::make_shared<HashingOptions>()),
      lists_(std::move(endpoints), cluster.panic_threshold),
      shared_(shared ? std::move(shared) : std::make_shared<HashTables>()),
      tables_(lists_.size() / HostLists::kKinds) {
  refresh();
}

void HashBalancer::refresh() {
  lists_.refresh();
  for (uint32_t priority = 0; priority < tables_.size(); ++priority) {
    Shares shares = shares_of(*endpoints(), priority, lists_.panic(priority) ? Eligible::kAll : Eligible::kHealthy, *options_);
    // Better a degraded host than none.
    if (shares.empty()) shares = shares_of(*endpoints(), priority, Eligible::kDegraded, *options_);
    tables_[priority] = shared_->get(policy_, *options_, endpoints(), priority, std::move(shares));
  }
}

Pick HashBalancer::pick(const PickContext& context) {
  const uint64_t hash = context.hash.value_or(context.random);
  const HostLists::Choice choice = lists_.choose(hash, context.priorities);
  const HashTable& table = *tables_[choice.priority()];
  Pick pick;
  pick.panic = choice.panic;
  pick.priority = choice.priority();
  for (uint32_t attempt = 0;; ++attempt) {
    pick.host = pick_from(table, hash, attempt);
    if (!pick.host || attempt >= context.max_host_attempts) return pick;
    if (!context.avoids(*pick.host)) return pick;
  }
}

const Host* HashBalancer::pick_from(const HashTable& table, uint64_t hash, uint32_t attempt) {
  const Share* chosen = table.pick(hash, attempt);
  if (!chosen) return nullptr;
  const uint32_t factor = options_->balance_factor;
  if (factor == 0) return chosen->host;

  const uint32_t slots_of_all = ((active_requests() + 1) * factor + 99) / 100;
  const auto overload = [slots_of_all](const Share& share) {
    const uint32_t slots = std::max(static_cast<uint32_t>(std::ceil(slots_of_all * share.weight)), 1u);
    return static_cast<double>(share.host->state->active_requests.load(std::memory_order_relaxed)) / slots;
  };
  double least = overload(*chosen);
  if (least <= 1.0) return chosen->host;
  // The others in an order that the hash alone decides, until one has room; else the least overloaded.
  const Shares& shares = table.shares();
  const auto count = static_cast<uint32_t>(shares.size());
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0u);
  std::mt19937 random(static_cast<uint32_t>(hash));
  const Host* const first = chosen->host;
  for (uint32_t i = 0; i < count; ++i) {
    std::swap(order_[i], order_[i + below(random, count - i)]);
    const Share& other = shares[order_[i]];
    if (other.host == first) continue;
    const double load = overload(other);
    if (load <= 1.0) return other.host;
    if (load < least) chosen = &other, least = load;
  }
  return chosen->host;
}

uint32_t HashBalancer::active_requests() const {
  uint32_t sum = 0;
  endpoints()->for_each([&](const Locality&, const Host& host) { sum += host.state->active_requests.load(std::memory_order_relaxed); });
  return sum;
}

}  // namespace weft::upstream
