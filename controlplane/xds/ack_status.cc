#include "controlplane/xds/ack_status.h"

#include <algorithm>

namespace weft::xds {

bool ProxyStatus::refuses(uint64_t revision) const {
  return std::any_of(types.begin(), types.end(), [&](const Type& type) { return type.rejected && type.nack.revision >= revision; });
}

bool ProxyStatus::behind(uint64_t revision) const {
  return acked_revision < revision && concerned(revision) && (answered_revision < revision || refuses(revision));
}

std::string ProxyStatus::refusals() const {
  std::string text;
  for (ResourceType type : kMakeOrder) {
    const Type& t = types[index_of(type)];
    if (!t.rejected) continue;
    if (!text.empty()) text += "; ";
    text += short_name(type);
    text += ": ";
    text += t.nack.text;
  }
  return text;
}

std::vector<ProxyStatus> AckStatus::proxies() const {
  std::lock_guard lock(mutex_);
  std::map<std::string_view, const ProxyStatus*> newest;
  for (const auto& [stream, status] : streams_) newest[status.node->id] = &status;
  std::vector<ProxyStatus> all;
  for (const auto& [id, status] : newest) all.push_back(*status);
  return all;
}

std::optional<ProxyStatus> AckStatus::find(std::string_view node_id) const {
  std::lock_guard lock(mutex_);
  std::optional<ProxyStatus> found;
  for (const auto& [stream, status] : streams_) {
    if (status.node->id == node_id) found = status;
  }
  return found;
}

size_t AckStatus::size() const {
  std::lock_guard lock(mutex_);
  return streams_.size();
}

std::vector<ProxyStatus> AckStatus::behind_locked(uint64_t revision) const {
  std::map<std::string_view, const ProxyStatus*> newest;
  for (const auto& [stream, status] : streams_) newest[status.node->id] = &status;
  std::vector<ProxyStatus> behind;
  for (const auto& [id, status] : newest) {
    if (status->behind(revision)) behind.push_back(*status);
  }
  return behind;
}

std::vector<ProxyStatus> AckStatus::behind(uint64_t revision) const {
  std::lock_guard lock(mutex_);
  return behind_locked(revision);
}

std::vector<ProxyStatus> AckStatus::wait(uint64_t revision, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  auto over = [&] {
    const std::vector<ProxyStatus> behind = behind_locked(revision);
    return behind.empty() || std::any_of(behind.begin(), behind.end(), [&](const ProxyStatus& status) { return status.refuses(revision); });
  };
  changed_.wait_for(lock, timeout, over);
  return behind_locked(revision);
}

void AckStatus::connected(ProxyStatus status) {
  std::lock_guard lock(mutex_);
  StreamId stream = status.stream;
  streams_[stream] = std::move(status);
}

void AckStatus::disconnected(StreamId stream) {
  std::lock_guard lock(mutex_);
  streams_.erase(stream);
  changed_.notify_all();
}

void AckStatus::update(StreamId stream, const Session& session, std::optional<ResourceType> acked) {
  const auto now = std::chrono::system_clock::now();
  std::lock_guard lock(mutex_);
  auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  ProxyStatus& status = at->second;
  if (status.snapshot != session.snapshot()) status.snapshot = session.snapshot();
  status.sent_revision = session.sent_revision();
  const uint64_t considered = session.snapshot() ? session.snapshot()->revision : 0;
  bool news = status.acked_revision != session.acked_revision() || status.answered_revision != session.answered_revision() ||
              status.considered_revision != considered;
  status.acked_revision = session.acked_revision();
  status.answered_revision = session.answered_revision();
  status.considered_revision = considered;
  status.touched_revision = session.touched_revision();
  for (ResourceType type : kMakeOrder) {
    ProxyStatus::Type& t = status.types[index_of(type)];
    static_cast<Session::TypeStatus&>(t) = session.status(type);
    if (session.last_nack(type).count != t.nack.count) {
      t.nack = session.last_nack(type);
      t.last_nack = now;
      news = true;
    } else if (acked == type) {
      t.last_ack = status.last_ack = now;
    }
  }
  if (news) changed_.notify_all();
}

}  // namespace weft::xds
