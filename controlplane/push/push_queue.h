// Which proxies wait for a push. Each stands in it once, however many pushes come meanwhile: what waits is merged.
#pragma once
#include "controlplane/xds/ack_status.h"

#include <chrono>
#include <deque>
#include <optional>
#include <unordered_map>

namespace weft::push {

struct PendingPush {
  std::chrono::steady_clock::time_point queued{};
  bool everything = false;  // anything may differ; else only `changed`
  xds::Session::ChangedNames changed;

  void merge(const PendingPush& later);
};

class PushQueue {
 public:
  void add(xds::StreamId stream, PendingPush push);
  void remove(xds::StreamId stream);
  // The one that has waited longest.
  std::optional<std::pair<xds::StreamId, PendingPush>> take();
  bool empty() const { return pending_.empty(); }
  size_t size() const { return pending_.size(); }

 private:
  std::deque<xds::StreamId> order_;  // may hold streams that were removed
  std::unordered_map<xds::StreamId, PendingPush> pending_;
};

}  // namespace weft::push
