#include "proxy/server/resolved_clusters.h"

#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::server {
namespace {

using observe::ClusterStat;
using observe::SubscriptionStat;
using std::chrono::milliseconds;
using upstream::Naming;

}  // namespace

// The names of one configuration of one cluster.
class ResolvedClusters::Resolution {
 public:
  Resolution(ResolvedClusters& owner, Config config, std::function<void()> ready)
      : owner_(owner),
        config_(std::move(config)),
        naming_(*config_->naming),
        ready_(std::move(ready)),
        resolver_(owner.resolver(naming_.resolver)),
        stats_(observe::cluster_scope(owner.metrics_, config_->stat_name())),
        updates_(observe::eds_scope(owner.metrics_, config_->stat_name())) {
    for (const Naming::Target& target : naming_.targets) targets_.push_back(std::make_unique<Target>(*this, target));
  }

  const Config& config() const { return config_; }
  void begin() {
    for (auto& target : targets_) target->ask();
  }

 private:
  struct Target final : TimeoutNode {
    Target(Resolution& owner, const Naming::Target& what) : owner(owner), what(what) {}
    void ask() {
      owner.updates().add(SubscriptionStat::kUpdateAttempt);
      question = owner.resolver_->ask(what.name, owner.naming_.family, [this](resolve::Answer answer) { owner.on_answer(*this, answer); });
    }
    void on_timeout() override { ask(); }

    Resolution& owner;
    const Naming::Target& what;
    std::unique_ptr<resolve::Question> question;
    std::vector<asio::ip::address> addresses;  // the last good answer
    milliseconds back_off{0};                  // the next one's bound; 0: none yet
  };

  observe::Cells& updates() { return updates_->cells(0); }

  void on_answer(Target& target, const resolve::Answer& answer) {
    // An empty answer would take the one host of a LOGICAL_DNS cluster away.
    const bool good = !answer.failed && !(naming_.logical && answer.addresses.empty());
    milliseconds next = naming_.refresh;
    if (good) {
      updates().add(SubscriptionStat::kUpdateSuccess);
      take(target, answer);
      target.back_off = milliseconds(0);
      if (naming_.respect_ttl)
        if (const milliseconds ttl = time_to_live(answer); ttl.count() > 0) next = ttl;
      if (naming_.jitter.count() > 0) next += milliseconds(random() % naming_.jitter.count());
    } else {
      updates().add(SubscriptionStat::kUpdateFailure);
      next = after_failure(target);
    }
    owner_.control_.wheel().arm(target, next);
    if (ready_) std::exchange(ready_, nullptr)();  // may end this: last
  }

  int64_t random() { return static_cast<int64_t>(owner_.control_.random() >> 1); }

  milliseconds time_to_live(const resolve::Answer& answer) const {
    std::chrono::seconds least = answer.addresses.empty() ? std::chrono::seconds(0) : answer.addresses.front().ttl;
    if (naming_.logical) return least;
    for (const resolve::Address& one : answer.addresses) least = std::min(least, one.ttl);
    return least;
  }

  // Doubled each time, and anything up to that, so that many proxies do not ask in step.
  milliseconds after_failure(Target& target) {
    if (!naming_.failure_base) return naming_.refresh;
    const milliseconds bound = target.back_off.count() == 0 ? *naming_.failure_base : std::min(target.back_off * 2, *naming_.failure_max);
    target.back_off = bound;
    return milliseconds(random() % std::max<int64_t>(bound.count(), 1) + 1);
  }

  void take(Target& target, const resolve::Answer& answer) {
    std::vector<asio::ip::address> addresses;
    for (const resolve::Address& one : answer.addresses)
      if (std::find(addresses.begin(), addresses.end(), one.ip) == addresses.end()) addresses.push_back(one.ip);
    // Servers turn the order of their answers, which is no change unless the first one is the one that counts.
    std::vector<asio::ip::address> before = target.addresses, now = addresses;
    if (!naming_.logical) {
      std::sort(before.begin(), before.end());
      std::sort(now.begin(), now.end());
    }
    if (before == now) {
      stats_->cells(0).add(ClusterStat::kUpdateNoRebuild);
      return;
    }
    target.addresses = std::move(addresses);
    owner_.publish_(config_, endpoints());
  }

  std::shared_ptr<const upstream::EndpointSet> endpoints() const {
    auto set = std::make_shared<upstream::EndpointSet>(naming_.frame);
    for (const auto& target : targets_) {
      auto& hosts = set->localities[target->what.locality].hosts;
      const auto endpoint = [&](const asio::ip::address& ip) { return net::Endpoint(ip, target->what.port); };
      if (!naming_.logical) {
        for (const asio::ip::address& ip : target->addresses) {
          hosts.push_back(target->what.host);
          hosts.back().address = endpoint(ip);
        }
        continue;
      }
      if (target->addresses.empty()) continue;
      net::Addresses all;
      for (const asio::ip::address& ip : target->addresses) all.push_back(endpoint(ip));
      hosts.push_back(target->what.host);
      hosts.back().address = all.front();
      if (all.size() > 1) hosts.back().addresses = upstream::in_order(all, config_->address_order);
    }
    return set;
  }

  ResolvedClusters& owner_;
  const Config config_;
  const Naming& naming_;
  std::function<void()> ready_;
  const std::shared_ptr<resolve::Resolver> resolver_;
  const std::shared_ptr<observe::Scope> stats_, updates_;
  std::vector<std::unique_ptr<Target>> targets_;
};

ResolvedClusters::ResolvedClusters(net::Loop& control, observe::Registry& metrics, Publish publish, MakeResolver make)
    : control_(control), metrics_(metrics), publish_(std::move(publish)), make_(std::move(make)) {}

ResolvedClusters::~ResolvedClusters() = default;

std::shared_ptr<resolve::Resolver> ResolvedClusters::resolver(const resolve::Options& options) {
  std::erase_if(resolvers_, [](const auto& one) { return one.second.expired(); });
  for (const auto& [known, resolver] : resolvers_)
    if (known == options) return resolver.lock();
  auto made = make_(options);
  resolvers_.emplace_back(options, made);
  return made;
}

bool ResolvedClusters::begin(const Config& config, std::function<void()> ready) {
  if (!config->naming) return true;
  const bool waits = config->naming->wait && !config->naming->targets.empty();
  auto& all = running_[config->name];
  all.push_back(std::make_unique<Resolution>(*this, config, waits ? std::move(ready) : nullptr));
  all.back()->begin();
  return !waits;
}

void ResolvedClusters::keep_only(const Config& config) {
  auto found = running_.find(config->name);
  if (found == running_.end()) return;
  std::vector<std::unique_ptr<Resolution>> ended;
  for (auto& one : found->second)
    if (one->config() != config) ended.push_back(std::move(one));
  std::erase(found->second, nullptr);
  if (found->second.empty()) running_.erase(found);
  if (ended.empty()) return;
  // One of them may be on the stack.
  control_.post([ended = std::make_shared<decltype(ended)>(std::move(ended))] {});
}

void ResolvedClusters::forget(const std::string& name) {
  auto found = running_.find(name);
  if (found == running_.end()) return;
  control_.post([ended = std::make_shared<std::vector<std::unique_ptr<Resolution>>>(std::move(found->second))] {});
  running_.erase(found);
}

void ResolvedClusters::stop() { running_.clear(); }

}  // namespace weft::server
