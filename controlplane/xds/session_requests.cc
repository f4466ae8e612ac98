// What a client asks for, and its answers to what it was sent.
#include "controlplane/xds/session.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace weft::xds {

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

}  // namespace weft::xds
