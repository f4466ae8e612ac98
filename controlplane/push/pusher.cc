#include "controlplane/push/pusher.h"

#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace weft::push {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void merge(model::Changes& into, const model::Changes& later) {
  if (into.from == 0) into.from = later.from;
  into.to = later.to;
  into.services.insert(later.services.begin(), later.services.end());
  into.endpoints.insert(later.endpoints.begin(), later.endpoints.end());
  into.hash_rules = into.hash_rules || later.hash_rules;
  into.headless = into.headless || later.headless;
  into.rule_hosts.insert(later.rule_hosts.begin(), later.rule_hosts.end());
  into.virtual_services.insert(later.virtual_services.begin(), later.virtual_services.end());
  into.gateways.insert(later.gateways.begin(), later.gateways.end());
  into.sidecars.insert(later.sidecars.begin(), later.sidecars.end());
  into.rate_limits.insert(later.rate_limits.begin(), later.rate_limits.end());
  into.workloads.insert(later.workloads.begin(), later.workloads.end());
}

}  // namespace

Pusher::Pusher(PushOptions options, Executor executor, std::shared_ptr<xds::NameTable> names, observe::PrometheusRegistry& registry)
    : options_(options),
      executor_(executor),
      registry_(registry),
      debouncer_(executor, options.max, [this](Clock::time_point first) { start_push(first); }),
      snapshots_(std::move(names)) {}

Pusher::~Pusher() { *alive_ = false; }

void Pusher::attach(xds::AdsServer& server) { server_ = &server; }
void Pusher::detach() { server_ = nullptr; }

void Pusher::on_view(std::shared_ptr<const model::View> view, std::shared_ptr<const model::Changes> changes) {
  asio::post(executor_, [this, alive = alive_, view = std::move(view), changes = std::move(changes)]() mutable {
    if (*alive) take(std::move(view), std::move(changes));
  });
}

void Pusher::take(std::shared_ptr<const model::View> view, std::shared_ptr<const model::Changes> changes) {
  next_view_ = std::move(view);
  const bool first = snapshots_.view() == nullptr;
  if (first || changes == nullptr) {
    next_is_whole_ = true;
  } else {
    if (!changes->endpoints.empty())
      registry_.add("pilot_inbound_updates", {{"type", "eds"}}, static_cast<double>(changes->endpoints.size()));
    if (!changes->services.empty())
      registry_.add("pilot_inbound_updates", {{"type", "svc"}}, static_cast<double>(changes->services.size()));
    const size_t config = changes->virtual_services.size() + changes->gateways.size() + changes->rule_hosts.size() +
                          changes->rate_limits.size() + changes->sidecars.size();
    if (config > 0) registry_.add("pilot_inbound_updates", {{"type", "config"}}, static_cast<double>(config));
    if (!changes->services.empty()) registry_.add("pilot_push_triggers", {{"type", "service"}});
    if (config > 0) registry_.add("pilot_push_triggers", {{"type", "config"}});
    if (!changes->endpoints.empty()) registry_.add("pilot_push_triggers", {{"type", "endpoint"}});
    merge(next_changes_, *changes);
  }
  // The first view has nobody to disturb, and proxies may be waiting for it.
  if (first) return debouncer_.note(std::chrono::milliseconds(0));
  debouncer_.note(changes != nullptr && changes->endpoints_only() ? std::min(options_.endpoint_quiet, options_.quiet) : options_.quiet);
}

void Pusher::start_push(Clock::time_point first) {
  registry_.observe("pilot_debounce_time", {}, seconds_since(first));
  const auto start = Clock::now();
  const bool whole = std::exchange(next_is_whole_, false);
  const model::Changes changes = std::exchange(next_changes_, {});
  std::optional<std::vector<xds::NameId>> names = snapshots_.set_view(std::move(next_view_), whole ? nullptr : &changes, first);
  registry_.observe("pilot_pushcontext_init_seconds", {}, seconds_since(start));

  PendingPush pending;
  pending.queued = start;
  pending.everything = !names;
  if (names) pending.changed[index_of(xds::ResourceType::kEndpoint)] = std::move(*names);
  for (const auto& [stream, proxy] : proxies_) queue_.add(stream, pending);
  if (whole || !changes.endpoints_only()) count_due_ = true;
  registry_.observe("pilot_xds_push_time", {}, seconds_since(start));
  drain();
}

// Some proxies, then a turn for whatever else the thread has to do, then the next.
void Pusher::drain() {
  for (size_t done = 0; done < options_.batch; ++done) {
    auto next = queue_.take();
    if (!next) {
      if (std::exchange(count_due_, false)) count_conflicts();
      return;
    }
    push(next->first, next->second);
  }
  if (draining_) return;
  draining_ = true;
  asio::post(executor_, [this, alive = alive_] {
    if (!*alive) return;
    draining_ = false;
    drain();
  });
}

void Pusher::push(xds::StreamId stream, const PendingPush& pending) {
  auto at = proxies_.find(stream);
  if (at == proxies_.end() || server_ == nullptr || snapshots_.view() == nullptr) return;
  registry_.observe("pilot_proxy_queue_time", {}, seconds_since(pending.queued));
  server_->update(stream, snapshots_.snapshot_of(at->second), pending.everything ? nullptr : &pending.changed);
}

void Pusher::on_connect(xds::StreamId stream, std::shared_ptr<const model::Node> node) {
  Snapshots::Held held;
  held.node = std::move(node);
  proxies_.emplace(stream, std::move(held));
  if (snapshots_.view() == nullptr) return;  // it waits for the first view
  registry_.add("pilot_push_triggers", {{"type", "proxy"}});
  PendingPush pending;
  pending.queued = Clock::now();
  pending.everything = true;
  queue_.add(stream, std::move(pending));
  if (draining_) return;  // behind those that wait already
  drain();
}

void Pusher::on_disconnect(xds::StreamId stream) {
  queue_.remove(stream);
  proxies_.erase(stream);
}

const std::vector<translate::Conflict>* Pusher::conflicts(std::string_view node_id) const {
  for (const auto& [stream, proxy] : proxies_) {
    if (proxy.node->id == node_id) return &proxy.conflicts;
  }
  return nullptr;
}

void Pusher::count_conflicts() {
  using Kind = translate::Conflict::Kind;
  std::map<Kind, std::set<std::string_view>> found;
  for (const auto& [stream, proxy] : proxies_) {
    for (const translate::Conflict& conflict : proxy.conflicts) found[conflict.kind].insert(conflict.text);
  }
  auto show = [&](std::string_view name, Kind kind) { registry_.set(name, {}, static_cast<double>(found[kind].size())); };
  show("pilot_conflict_inbound_listener", Kind::kInbound);
  show("pilot_conflict_outbound_listener_http_over_current_tcp", Kind::kHttpOverTcp);
  show("pilot_conflict_outbound_listener_tcp_over_current_http", Kind::kTcpUnderHttp);
  show("pilot_conflict_outbound_listener_tcp_over_current_tcp", Kind::kTcpOverTcp);
}

}  // namespace weft::push
