// What a client holds, by name, and the snapshot it is compared with.
#include "controlplane/xds/session.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace weft::xds {
namespace {

constexpr uint64_t kRefusedSalt = 0x9e3779b97f4a7c15;

bool before(const auto& entry, NameId id) { return entry.id < id; }

}  // namespace

uint64_t Session::mix(uint64_t a, uint64_t b) {
  uint64_t pair[2] = {a, b};
  return XXH3_64bits(pair, sizeof pair);
}

Session::Session(std::shared_ptr<NameTable> names, Protocol protocol, SessionOptions options)
    : names_(std::move(names)), protocol_(protocol), options_(options) {}

Session::~Session() {
  for (TypeState& s : types_) {
    for (Entry& entry : s.entries) names_->release(entry.id);
    for (InFlight& response : s.in_flight) release(response);
  }
}

void Session::release(InFlight& response) {
  for (NameId id : response.ids) names_->release(id);
}

Session::Entry* Session::find(TypeState& s, NameId id) {
  auto at = std::lower_bound(s.entries.begin(), s.entries.end(), id, before<Entry>);
  return at != s.entries.end() && at->id == id ? &*at : nullptr;
}

// One merge for any number of names.
void Session::ensure(TypeState& s, std::vector<NameId> ids) {
  if (ids.empty()) return;
  std::sort(ids.begin(), ids.end());
  std::vector<Entry> merged;
  merged.reserve(s.entries.size() + ids.size());
  auto old = s.entries.begin();
  for (NameId id : ids) {
    while (old != s.entries.end() && old->id <= id) merged.push_back(*old++);
    if (!merged.empty() && merged.back().id == id) {
      names_->release(id);
    } else {
      merged.push_back({id});
    }
  }
  merged.insert(merged.end(), old, s.entries.end());
  s.entries = std::move(merged);
}

uint64_t Session::term(const Entry& entry, uint64_t version) const {
  if (version == 0 || protocol_ == Protocol::kDelta) return 0;
  return mix(names_->hash(entry.id), entry.rejected ? version ^ kRefusedSalt : version);
}

void Session::set_version(TypeState& s, Entry& entry, uint64_t version) {
  s.sum -= term(entry, entry.version);
  if (version == 0 && entry.rejected) {
    entry.rejected = false;
    --s.rejected_count;
  }
  entry.version = version;
  s.sum += term(entry, version);
}

void Session::set_rejected(TypeState& s, Entry& entry, bool rejected) {
  if (entry.rejected == rejected) return;
  s.sum -= term(entry, entry.version);
  entry.rejected = rejected;
  s.rejected_count += rejected ? 1 : size_t(-1);
  s.sum += term(entry, entry.version);
}

void Session::sweep(TypeState& s) {
  std::erase_if(s.entries, [&](Entry& entry) {
    if (entry.subscribed || entry.owed || entry.version != 0) return false;
    names_->release(entry.id);
    return true;
  });
}

uint64_t Session::wire_version(const Resource& resource) const {
  if (resource.type != ResourceType::kEndpoint) return resource.version;
  const ResourcePtr* cluster = snapshot_->map(ResourceType::kCluster).find(resource.id);
  uint64_t version = cluster != nullptr ? mix(resource.version, (*cluster)->version) : resource.version;
  return version > kForeignVersion ? version : version + 2;
}

void Session::ask(TypeState& s, NameId id) {
  if (s.check_all) return;
  s.check.push_back(id);
  if (s.check.size() > kMaxNarrow) s.check_all = true;
}

size_t Session::name_count() const {
  size_t count = 0;
  for (const TypeState& s : types_) count += s.entries.size();
  return count;
}

void Session::advance_marks() {
  bool refused = false;
  uint64_t oldest = std::numeric_limits<uint64_t>::max();
  for (const TypeState& s : types_) {
    refused = refused || s.rejected_count > 0;
    if (!s.in_flight.empty()) oldest = std::min(oldest, s.in_flight.front().nonce);
  }
  while (!marks_.empty() && marks_.front().nonce < oldest) {
    answered_revision_ = marks_.front().revision;
    marks_.pop_front();
  }
  if (!refused) acked_revision_ = answered_revision_;
}

void Session::mark_sent() {
  if (sent_revision() != snapshot_->revision) {
    if (!marks_.empty() && marks_.back().nonce == nonce_) {
      marks_.back().revision = snapshot_->revision;
    } else {
      marks_.push_back({snapshot_->revision, nonce_});
    }
  }
  advance_marks();
}

// Whether the new snapshot has anything for this client that the old one did not.
bool Session::touches(ResourceType type, const ResourceMap& old, const std::vector<NameId>* changed) const {
  const TypeState& s = state(type);
  const ResourceMap& now = snapshot_->map(type);
  if (!s.requested || &old == &now) return false;
  const auto asked = [&](NameId id) {
    auto at = std::lower_bound(s.entries.begin(), s.entries.end(), id, before<Entry>);
    return s.wildcard || (at != s.entries.end() && at->id == id && at->subscribed);
  };
  if (changed != nullptr) return std::any_of(changed->begin(), changed->end(), asked);
  auto was = old.all().begin();
  const auto was_end = old.all().end();
  for (const ResourcePtr& is : now.all()) {
    for (; was != was_end && (*was)->id < is->id; ++was) {
      if (asked((*was)->id)) return true;
    }
    const bool both = was != was_end && (*was)->id == is->id;
    if ((!both || (*was)->version != is->version) && asked(is->id)) return true;
    if (both) ++was;
  }
  return std::any_of(was, was_end, [&](const ResourcePtr& gone) { return asked(gone->id); });
}

void Session::set_snapshot(SnapshotPtr snapshot, const ChangedNames* changed) {
  SnapshotPtr old = std::exchange(snapshot_, std::move(snapshot));
  const size_t cds = index_of(ResourceType::kCluster), eds = index_of(ResourceType::kEndpoint);
  for (ResourceType type : kMakeOrder) {
    if (old == nullptr ? state(type).requested : touches(type, old->map(type), changed ? &(*changed)[index_of(type)] : nullptr)) {
      touched_revision_ = snapshot_->revision;
    }
  }
  for (size_t i = 0; i < kTypeCount; ++i) {
    if (old == nullptr) {
      types_[i].check_all = true;
    } else if (changed == nullptr) {
      if (old->maps[i] != snapshot_->maps[i]) types_[i].check_all = true;
    } else {
      for (NameId id : (*changed)[i]) ask(types_[i], id);
    }
  }
  if (old == nullptr || old->maps[cds] == snapshot_->maps[cds]) return;
  if (changed == nullptr) {
    types_[eds].check_all = true;
  } else {
    for (NameId id : (*changed)[cds]) ask(types_[eds], id);
  }
  if (protocol_ == Protocol::kDelta) return;
  const ResourceMap& now = snapshot_->map(ResourceType::kCluster);
  for (const ResourcePtr& gone : old->map(ResourceType::kCluster).all()) {
    Entry* entry = now.find(gone->id) == nullptr ? find(types_[cds], gone->id) : nullptr;
    if (entry != nullptr && entry->version != 0) held_back_[gone->id] = gone;
  }
  std::erase_if(held_back_, [&](const auto& held) { return now.find(held.first) != nullptr; });
}

bool Session::pending() const {
  return std::any_of(types_.begin(), types_.end(),
                     [](const TypeState& s) { return s.requested && (s.check_all || !s.check.empty() || s.owe_response || s.removals); });
}

bool Session::removals_due() const {
  return snapshot_ != nullptr && std::any_of(types_.begin(), types_.end(), [](const TypeState& s) { return s.removals; }) &&
         routes_settled();
}

Session::TypeStatus Session::status(ResourceType type) const {
  const TypeState& s = state(type);
  TypeStatus status;
  status.requested = s.requested;
  status.unanswered = s.in_flight.size();
  status.rejected = s.rejected_count > 0;
  status.sent_revision = s.requested ? sent_revision() : 0;
  status.acked_revision = status.unanswered == 0 && !status.rejected ? status.sent_revision : s.acked_revision;
  return status;
}

}  // namespace weft::xds
