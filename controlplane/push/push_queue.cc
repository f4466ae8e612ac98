#include "controlplane/push/push_queue.h"

namespace weft::push {

void PendingPush::merge(const PendingPush& later) {
  everything = everything || later.everything;
  for (size_t i = 0; i < changed.size(); ++i) {
    changed[i].insert(changed[i].end(), later.changed[i].begin(), later.changed[i].end());
  }
}

void PushQueue::add(xds::StreamId stream, PendingPush push) {
  auto [at, first] = pending_.try_emplace(stream, std::move(push));
  if (first) {
    order_.push_back(stream);
  } else {
    at->second.merge(push);
  }
}

void PushQueue::remove(xds::StreamId stream) { pending_.erase(stream); }

std::optional<std::pair<xds::StreamId, PendingPush>> PushQueue::take() {
  while (!order_.empty()) {
    xds::StreamId stream = order_.front();
    order_.pop_front();
    auto at = pending_.find(stream);
    if (at == pending_.end()) continue;
    std::pair<xds::StreamId, PendingPush> taken(stream, std::move(at->second));
    pending_.erase(at);
    return taken;
  }
  return std::nullopt;
}

}  // namespace weft::push
