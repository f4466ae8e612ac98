#include "proxy/xds/subscription_stats.h"

#include "common/observe/shapes.h"

namespace weft::xds {
namespace {

using observe::RdsStat;
using observe::SubscriptionStat;

// No type of Envoy's: its agent beside it has the DNS proxy.
#define WEFT_NDS_ROW(id, name, kind, lazy) {name, observe::Kind::kind, lazy},
constexpr observe::Metric kNdsTable[] = {WEFT_SUBSCRIPTION_STATS(WEFT_NDS_ROW)};
const observe::Shape kNdsShape = observe::make_shape("nds", kNdsTable);

int64_t milliseconds_since_epoch() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

SubscriptionStats::Subscription SubscriptionStats::make(ResourceType type, const std::string& name, const std::string& subscriber) {
  Subscription made;
  switch (type) {
    case ResourceType::kCluster: made = {observe::cds_scope(metrics_), observe::cds_reload_scope(metrics_)}; break;
    case ResourceType::kListener: made = {observe::lds_scope(metrics_), nullptr}; break;
    case ResourceType::kEndpoints: made = {observe::eds_scope(metrics_, subscriber), nullptr}; break;
    case ResourceType::kRoute:
      made = {observe::rds_scope(metrics_, subscriber, name), observe::rds_reload_scope(metrics_, subscriber, name)};
      break;
    case ResourceType::kScope: {
      const size_t end = subscriber.find('\n');
      const std::string prefix = subscriber.substr(0, end), scoped = subscriber.substr(end + 1);
      made = {observe::scoped_rds_scope(metrics_, prefix, scoped), observe::scoped_rds_reload_scope(metrics_, prefix, scoped)};
      break;
    }
    case ResourceType::kExtension:
      made = {observe::ecds_scope(metrics_, name), nullptr};
      made.extension = observe::extension_scope(metrics_, name);
      break;
    case ResourceType::kNameTable: made = {metrics_.scope(kNdsShape, "nds."), nullptr}; break;
    case ResourceType::kRuntime: made = {observe::rtds_scope(metrics_), nullptr}; break;
  }
  made.scope->cells(0).add(SubscriptionStat::kUpdateAttempt);
  return made;
}

void SubscriptionStats::begin_all(ResourceType type) { of(type)[""].try_emplace("", make(type, "", "")); }

void SubscriptionStats::set(ResourceType type, const Subscribers& subscribers) {
  ByName& present = of(type);
  for (auto at = present.begin(); at != present.end();) {
    std::erase_if(at->second, [&](const auto& entry) { return !subscribers.contains({at->first, entry.first}); });
    at = at->second.empty() ? present.erase(at) : std::next(at);
  }
  for (const auto& [name, subscriber] : subscribers) {
    auto& of_name = present[name];
    if (!of_name.contains(subscriber)) of_name.emplace(subscriber, make(type, name, subscriber));
  }
}

template <class F>
void SubscriptionStats::each(ResourceType type, std::string_view name, F visit) {
  auto found = of(type).find(name);
  if (found == of(type).end()) return;
  for (auto& [subscriber, subscription] : found->second) visit(subscription);
}

void SubscriptionStats::accepted(ResourceType type, std::string_view name, const std::string& version, std::chrono::milliseconds took,
                                 bool changed) {
  const int64_t now = milliseconds_since_epoch();
  each(type, name, [&](Subscription& subscription) {
    observe::Cells& stats = subscription.scope->cells(0);
    stats.add(SubscriptionStat::kUpdateSuccess);
    stats.add(SubscriptionStat::kUpdateAttempt);
    stats.set(SubscriptionStat::kUpdateTime, now);
    stats.record(SubscriptionStat::kUpdateDuration, static_cast<uint64_t>(took.count()));
    stats.set(SubscriptionStat::kVersion, observe::version_hash(version));
    subscription.scope->set_text(SubscriptionStat::kVersionText, version);
    if (changed && subscription.extension) subscription.extension->cells(0).add(observe::ExtensionStat::kConfigReload);
    if (!changed || !subscription.reload) return;
    subscription.reload->cells(0).add(RdsStat::kConfigReload);
    subscription.reload->cells(0).set(RdsStat::kConfigReloadTimeMs, now);
  });
}

void SubscriptionStats::rejected(ResourceType type, std::string_view name) {
  each(type, name, [](Subscription& subscription) {
    if (subscription.extension) subscription.extension->cells(0).add(observe::ExtensionStat::kConfigFail);
    subscription.scope->cells(0).add(SubscriptionStat::kUpdateRejected);
    subscription.scope->cells(0).add(SubscriptionStat::kUpdateAttempt);
  });
}

void SubscriptionStats::timed_out(ResourceType type, std::string_view name) {
  each(type, name, [](Subscription& subscription) {
    if (subscription.extension) subscription.extension->cells(0).add(observe::ExtensionStat::kConfigFail);
    subscription.scope->cells(0).add(SubscriptionStat::kInitFetchTimeout);
  });
}

void SubscriptionStats::count_scopes(std::string_view path, size_t all, size_t by_rds) {
  static_assert(unsigned(observe::ScopedRdsStat::kConfigReload) == unsigned(RdsStat::kConfigReload));
  each(ResourceType::kScope, path, [&](Subscription& subscription) {
    subscription.reload->cells(0).set(observe::ScopedRdsStat::kAllScopes, static_cast<int64_t>(all));
    subscription.reload->cells(0).set(observe::ScopedRdsStat::kActiveScopes, static_cast<int64_t>(by_rds));
  });
}

void SubscriptionStats::failed(ResourceType type) {
  for (auto& [name, of_name] : of(type)) {
    for (auto& [subscriber, subscription] : of_name) {
      subscription.scope->cells(0).add(SubscriptionStat::kUpdateFailure);
      subscription.scope->cells(0).add(SubscriptionStat::kUpdateAttempt);
    }
  }
}

}  // namespace weft::xds
