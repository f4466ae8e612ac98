#include "controlplane/xds/session.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace weft::xds {
namespace {

constexpr size_t kMaxNarrow = 256;       // more names than this are compared faster all together
constexpr uint64_t kForeignVersion = 1;  // held by the client, in a version that is not one of ours
constexpr uint64_t kRefusedSalt = 0x9e3779b97f4a7c15;

uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t pair[2] = {a, b};
  return XXH3_64bits(pair, sizeof pair);
}

bool before(const auto& entry, NameId id) { return entry.id < id; }

}  // namespace

// What one comparison of a type gathers.
struct Walk {
  Outgoing out;
  std::vector<NameId> changed;
  size_t bytes = 0;
  bool whole = false;  // state of the world, complete set: something differs, so all is sent
  bool sweep = false;
};

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

Session::Verdict Session::on_request(ResourceType type, const SotwRequest& request) {
  TypeState& s = state(type);
  Verdict verdict = request.error ? Verdict::kNack : Verdict::kTaken;
  const bool first = !s.requested;
  if (!first && !request.nonce.empty()) {
    bool known = answer(s, request.nonce, request.error);
    if (request.nonce != std::to_string(s.last_nonce)) return known && request.error ? Verdict::kNack : Verdict::kStale;
  }
  if (request.names.size() > options_.max_names) return Verdict::kTooManyNames;
  s.requested = true;
  if (first) s.claimed = parse_version(request.version_info);

  uint64_t hash = request.names.size();
  for (const std::string& name : request.names) hash = mix(hash, XXH3_64bits(name.data(), name.size()));
  if (!first && hash == s.names_hash) return verdict;
  s.names_hash = hash;

  const bool star = std::find(request.names.begin(), request.names.end(), "*") != request.names.end();
  const bool wildcard = is_complete_set(type) && (star || (request.names.empty() && !s.named_ever));
  s.named_ever = s.named_ever || !request.names.empty();
  if (wildcard && !s.wildcard) s.owe_response = true;
  s.wildcard = wildcard;
  s.check_all = true;

  std::vector<NameId> ids;
  for (const std::string& name : request.names) {
    if (name != "*") ids.push_back(names_->acquire(name));
  }
  std::sort(ids.begin(), ids.end());
  ensure(s, ids);
  for (Entry& entry : s.entries) {
    bool named = std::binary_search(ids.begin(), ids.end(), entry.id);
    if (named && !entry.subscribed) entry.owed = true;
    if (!named) entry.owed = false;
    entry.subscribed = named;
  }
  return verdict;
}

Session::Verdict Session::on_request(ResourceType type, const DeltaRequest& request) {
  TypeState& s = state(type);
  Verdict verdict = request.error ? Verdict::kNack : Verdict::kTaken;
  const bool first = !s.requested;
  if (!first && !request.nonce.empty() && !answer(s, request.nonce, request.error)) verdict = Verdict::kStale;
  if (request.subscribe.size() + request.initial_versions.size() + name_count() > options_.max_names + kMaxNarrow) {
    return Verdict::kTooManyNames;
  }
  s.requested = true;

  if (first) {
    if (is_complete_set(type) && request.subscribe.empty() && request.unsubscribe.empty()) s.wildcard = true;
    std::vector<NameId> held;
    for (const auto& [name, version] : request.initial_versions) held.push_back(names_->acquire(name));
    std::vector<NameId> same = held;
    ensure(s, std::move(held));
    for (size_t i = 0; i < same.size(); ++i) {
      uint64_t version = parse_version(request.initial_versions[i].second);
      set_version(s, *find(s, same[i]), version != 0 ? version : kForeignVersion);
    }
    s.check_all = true;
  }

  std::vector<NameId> ids;
  for (const std::string& name : request.subscribe) {
    if (name == "*") {
      if (!s.wildcard) s.check_all = true;
      s.owe_response = s.owe_response || (!s.wildcard && !first);
      s.wildcard = true;
    } else {
      ids.push_back(names_->acquire(name));
    }
  }
  std::vector<NameId> same = ids;
  ensure(s, std::move(ids));
  for (NameId id : same) {
    Entry& entry = *find(s, id);
    entry.subscribed = true;
    entry.owed = !first || entry.version == 0;
    ask(s, id);
  }
  if (first && s.wildcard && request.initial_versions.empty()) s.owe_response = true;

  for (const std::string& name : request.unsubscribe) {
    if (name == "*") {
      s.wildcard = false;
      s.check_all = true;
      continue;
    }
    NameId id = names_->acquire(name);
    if (Entry* entry = find(s, id); entry != nullptr && entry->subscribed) {
      entry->subscribed = false;
      entry->owed = s.wildcard;
      ask(s, id);
    }
    names_->release(id);
  }
  return verdict;
}

// The client's ACK or NACK of one response. False: no such response is waiting for an answer.
bool Session::answer(TypeState& s, std::string_view nonce_text, const std::optional<std::string>& error) {
  uint64_t nonce = 0;
  auto [end, bad] = std::from_chars(nonce_text.data(), nonce_text.data() + nonce_text.size(), nonce);
  if (bad != std::errc() || end != nonce_text.data() + nonce_text.size()) return false;
  auto at = std::find_if(s.in_flight.begin(), s.in_flight.end(), [&](const InFlight& r) { return r.nonce == nonce; });
  if (at == s.in_flight.end()) return false;
  s.answers = true;

  if (!error) {
    s.acked_revision = at->revision;
    for (NameId id : at->ids) {
      if (Entry* entry = find(s, id)) set_rejected(s, *entry, false);
    }
  } else {
    // A NACK names the bad resources, the others were taken. One that names none refuses them all. A complete set is refused again
    // and again for one that was bad before: that is not this response's fault.
    const auto names = [&](NameId id) { return error->find(names_->text(id)) != std::string::npos; };
    std::vector<NameId> named;
    std::copy_if(at->ids.begin(), at->ids.end(), std::back_inserter(named), names);
    const bool old =
        named.empty() && std::any_of(s.entries.begin(), s.entries.end(), [&](const Entry& e) { return e.rejected && names(e.id); });
    s.nack = {*error, old ? s.nack.revision : at->revision, s.nack.count + 1};
    for (NameId id : old || !named.empty() ? named : at->ids) {
      Entry* entry = find(s, id);
      if (entry != nullptr && entry->version != 0) set_rejected(s, *entry, true);
    }
  }
  for (auto old = s.in_flight.begin(); old != at + 1; ++old) release(*old);
  s.in_flight.erase(s.in_flight.begin(), at + 1);
  advance_marks();
  return true;
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

bool Session::pending() const {
  return std::any_of(types_.begin(), types_.end(),
                     [](const TypeState& s) { return s.requested && (s.check_all || !s.check.empty() || s.owe_response || s.removals); });
}

bool Session::removals_due() const {
  return snapshot_ != nullptr && std::any_of(types_.begin(), types_.end(), [](const TypeState& s) { return s.removals; }) &&
         routes_settled();
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
