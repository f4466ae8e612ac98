// What a client is sent next: the snapshot compared with what it holds.
#include "controlplane/xds/session.h"

#include <algorithm>
#include <utility>

namespace weft::xds {

// What one comparison of a type gathers.
struct Walk {
  Outgoing out;
  std::vector<NameId> changed;
  size_t bytes = 0;
  bool whole = false;  // state of the world, complete set: something differs, so all is sent
  bool sweep = false;
};

// A state-of-the-world client that reconnects says which set it holds. If that is the present one, nothing needs to be sent.
void Session::check_claim(ResourceType type) {
  TypeState& s = state(type);
  const uint64_t claimed = std::exchange(s.claimed, 0);
  if (claimed == 0) return;
  const ResourceMap& map = snapshot_->map(type);
  if (s.wildcard) {
    std::vector<NameId> ids;
    for (const ResourcePtr& resource : map.all()) {
      names_->acquire(resource->id);
      ids.push_back(resource->id);
    }
    ensure(s, std::move(ids));
  }
  uint64_t sum = 0;
  for (const Entry& entry : s.entries) {
    if (const ResourcePtr* resource = map.find(entry.id)) sum += term(entry, wire_version(**resource));
  }
  if (sum == claimed) {
    for (Entry& entry : s.entries) {
      entry.owed = false;
      if (const ResourcePtr* resource = map.find(entry.id)) set_version(s, entry, wire_version(**resource));
    }
    s.owe_response = false;
  }
  sweep(s);
}

void Session::visit(ResourceType type, Entry& entry, const ResourcePtr* resource, bool removals, Walk& walk) {
  TypeState& s = state(type);
  const bool sotw = protocol_ == Protocol::kSotw, whole = sotw && is_complete_set(type);
  const bool owed = entry.owed;
  if (resource != nullptr && (s.wildcard || entry.subscribed)) {
    uint64_t version = wire_version(**resource);
    entry.owed = false;
    if (entry.version == version && !owed) return;
    set_version(s, entry, version);
    walk.changed.push_back(entry.id);
    walk.bytes += (*resource)->any->size();
    if (whole) {
      walk.whole = true;
    } else {
      walk.out.items.push_back({*resource, version});
    }
    return;
  }
  entry.owed = false;
  if (resource != nullptr) {  // there, but no longer asked for
    set_version(s, entry, 0);
    walk.sweep = true;
    return;
  }
  if (owed && !sotw) {  // asked for, and not there
    walk.out.removed.push_back(names_->text(entry.id));
    set_version(s, entry, 0);
    walk.sweep = true;
    return;
  }
  if (entry.version == 0) return;
  const bool silent = sotw && !whole;  // cannot be said: it dies with what named it
  if (!silent && type != ResourceType::kListener && !removals) {
    s.removals = true;
    return;
  }
  if (whole) {
    walk.whole = true;
    held_back_.erase(entry.id);
  } else if (!silent) {
    walk.out.removed.push_back(names_->text(entry.id));
  }
  set_version(s, entry, 0);
  walk.sweep = true;
}

std::optional<Outgoing> Session::next_of(ResourceType type, Scope scope) {
  const bool removals = scope == Scope::kRemovals;
  TypeState& s = state(type);
  if (!s.requested || s.in_flight.size() >= options_.max_in_flight) return std::nullopt;
  if (s.claimed != 0) check_claim(type);
  if (!s.check_all && s.check.empty() && !s.owe_response && !removals) return std::nullopt;

  const ResourceMap& map = snapshot_->map(type);
  const bool sotw = protocol_ == Protocol::kSotw;
  Walk walk;
  bool cut = false;
  if (scope == Scope::kOwed) {
    cut = true;  // all else stays to be compared
    for (Entry& entry : s.entries) {
      const ResourcePtr* resource = entry.owed ? map.find(entry.id) : nullptr;
      if (entry.owed) visit(type, entry, resource, false, walk);
    }
  } else if (s.check_all || removals) {
    if (s.wildcard) {
      std::vector<NameId> missing;
      auto entry = s.entries.begin();
      for (const ResourcePtr& resource : map.all()) {
        while (entry != s.entries.end() && entry->id < resource->id) ++entry;
        if (entry != s.entries.end() && entry->id == resource->id) continue;
        names_->acquire(resource->id);
        missing.push_back(resource->id);
      }
      ensure(s, std::move(missing));
    }
    s.removals = false;
    auto resource = map.all().begin();
    for (Entry& entry : s.entries) {
      while (resource != map.all().end() && (*resource)->id < entry.id) ++resource;
      visit(type, entry, resource != map.all().end() && (*resource)->id == entry.id ? &*resource : nullptr, removals, walk);
      cut = !sotw && walk.bytes >= options_.max_response_bytes;
      if (cut) break;
    }
    s.check_all = cut;
    s.removals = s.removals || (cut && removals);
  } else {
    for (NameId id : s.check) {
      const ResourcePtr* resource = map.find(id);
      Entry* entry = find(s, id);
      if (entry == nullptr && resource != nullptr && s.wildcard) {
        names_->acquire(id);
        ensure(s, {id});
        entry = find(s, id);
      }
      if (entry != nullptr) visit(type, *entry, resource, removals, walk);
    }
  }
  if (!cut) s.check.clear();

  const bool owe = std::exchange(s.owe_response, false);
  if (sotw && is_complete_set(type) && (walk.whole || owe)) {
    walk.whole = true;
    for (Entry& entry : s.entries) {
      if (entry.version == 0) continue;
      if (const ResourcePtr* resource = map.find(entry.id)) {
        walk.out.items.push_back({*resource, entry.version});
      } else if (auto held = held_back_.find(entry.id); held != held_back_.end()) {
        walk.out.items.push_back({held->second, entry.version});
      } else {
        set_version(s, entry, 0);
        walk.sweep = true;
      }
    }
  }
  if (walk.sweep) sweep(s);
  Outgoing& out = walk.out;
  if (out.items.empty() && out.removed.empty() && !walk.whole && !owe) return std::nullopt;

  out.type = type;
  s.last_nonce = ++nonce_;
  out.nonce = std::to_string(nonce_);
  out.version = sotw ? version_text(s.sum) : std::to_string(snapshot_->revision);
  for (NameId id : walk.changed) names_->acquire(id);
  touched_revision_ = snapshot_->revision;
  s.in_flight.push_back({nonce_, snapshot_->revision, std::move(walk.changed)});
  return std::move(out);
}

// Whether the client runs the listeners and routes of the snapshot, so that nothing of it names what the snapshot no longer has.
bool Session::routes_settled() const {
  for (ResourceType type : {ResourceType::kListener, ResourceType::kRoute}) {
    const TypeState& s = state(type);
    if (!s.in_flight.empty() || s.rejected_count > 0 || (s.requested && (s.check_all || !s.check.empty()))) return false;
  }
  return true;
}

// Routes that name new clusters must not arrive while those still warm: what was sent of clusters and endpoints until now is
// answered first (a client answers for clusters once they are warm). Later responses do not prolong the wait.
bool Session::routes_must_wait() {
  const TypeState& routes = state(ResourceType::kRoute);
  if (!routes.requested || (!routes.check_all && routes.check.empty())) {
    route_barrier_ = 0;
    return false;
  }
  if (route_barrier_ == 0) route_barrier_ = nonce_;
  for (ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoint}) {
    const TypeState& s = state(type);
    const auto awaited = [&](const InFlight& one) { return one.nonce <= route_barrier_ && one.nonce > route_answered_; };
    if (s.answers && std::any_of(s.in_flight.begin(), s.in_flight.end(), awaited)) return true;
  }
  route_barrier_ = 0;
  return false;
}

std::optional<Outgoing> Session::next(bool allow_removals) {
  if (snapshot_ == nullptr) return std::nullopt;
  bool all_sent = std::any_of(types_.begin(), types_.end(), [](const TypeState& s) { return s.requested; });
  for (ResourceType type : kMakeOrder) {
    const bool hold = type == ResourceType::kRoute && routes_must_wait();
    if (auto out = next_of(type, hold ? Scope::kOwed : Scope::kChanged)) return out;
    const TypeState& s = state(type);
    if (s.requested && (s.check_all || !s.check.empty() || s.owe_response)) all_sent = false;  // too many unanswered
  }
  if (all_sent) mark_sent();
  if (!allow_removals || !removals_due()) return std::nullopt;
  for (ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoint, ResourceType::kRoute}) {
    if (!state(type).removals) continue;
    if (auto out = next_of(type, Scope::kRemovals)) return out;
  }
  return std::nullopt;
}

}  // namespace weft::xds
