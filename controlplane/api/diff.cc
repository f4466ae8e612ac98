#include "controlplane/api/diff.h"

#include "controlplane/api/line_diff.h"
#include "controlplane/api/message_text.h"
#include "controlplane/model/changes.h"
#include "controlplane/translate/translation.h"

namespace weft::api {
namespace {

using translate::Translation;

constexpr std::string_view kTypeNames[] = {"clusters", "endpoints", "listeners", "routes"};
constexpr xds::ResourceType kTypes[] = {xds::ResourceType::kCluster, xds::ResourceType::kEndpoint, xds::ResourceType::kListener,
                                        xds::ResourceType::kRoute};
constexpr size_t kMostTold = 200;  // resources told line by line

std::string text_of(const model::Resource* resource) {
  return resource == nullptr || !resource->origin.text ? std::string() : *resource->origin.text;
}

json::array objects_json(const model::View& before, const model::View& after) {
  json::array list;
  for (const model::Key& key : model::difference(before, after).keys) {
    const model::Resource *old = before.find(key), *now = after.find(key);
    if (old && now && old->json == now->json) continue;  // an object that took another's age
    json::object one = to_json(key);
    one["change"] = old == nullptr ? "created" : now == nullptr ? "removed" : "changed";
    one["diff"] = line_diff(text_of(old), text_of(now));
    list.push_back(std::move(one));
  }
  return list;
}

struct Told {
  size_t type;
  std::string name;
  const std::string *before, *after;  // null: not there
};

json::object compare(const Translation::Set& before, const Translation::Set& after, std::map<std::pair<size_t, std::string>, Told>& told) {
  json::object out;
  for (size_t type = 0; type < Translation::kTypes; ++type) {
    json::array added, changed, removed;
    if (before[type] == after[type]) continue;
    for (const auto& [name, bytes] : *after[type]) {
      auto old = before[type]->find(name);
      if (old != before[type]->end() && old->second == bytes) continue;
      (old == before[type]->end() ? added : changed).emplace_back(name);
      told.try_emplace({type, name}, Told{type, name, old == before[type]->end() ? nullptr : &old->second, &bytes});
    }
    for (const auto& [name, bytes] : *before[type]) {
      if (after[type]->contains(name)) continue;
      removed.emplace_back(name);
      told.try_emplace({type, name}, Told{type, name, &bytes, nullptr});
    }
    if (added.empty() && changed.empty() && removed.empty()) continue;
    out[kTypeNames[type]] = json::object{{"added", std::move(added)}, {"changed", std::move(changed)}, {"removed", std::move(removed)}};
  }
  return out;
}

}  // namespace

json::object difference_json(const std::shared_ptr<const model::View>& before, const std::shared_ptr<const model::View>& after,
                             const xds::AckStatus& acks, bool whole) {
  Translation old(before), now(after);
  std::vector<std::pair<Translation::Set, Translation::Set>> kept;  // the bytes that `told` points to
  std::map<std::pair<size_t, std::string>, Told> told;
  json::array proxies;
  size_t connected = 0;
  for (const xds::ProxyStatus& proxy : acks.proxies()) {
    ++connected;
    kept.emplace_back(old.of(*proxy.node), now.of(*proxy.node));
    json::object changes = compare(kept.back().first, kept.back().second, told);
    if (changes.empty()) {
      kept.pop_back();
      continue;
    }
    proxies.push_back(
        json::object{{"node", proxy.node->id}, {"name", proxy.node->name}, {"namespace", proxy.node->ns}, {"changes", std::move(changes)}});
  }
  json::object out{{"objects", objects_json(*before, *after)}, {"proxies", std::move(proxies)}, {"connected", connected}};
  if (!whole) return out;
  json::array resources;
  for (const auto& [key, one] : told) {
    if (resources.size() == kMostTold) break;
    const std::string was = one.before ? message_text(kTypes[one.type], *one.before) : "",
                      is = one.after ? message_text(kTypes[one.type], *one.after) : "";
    resources.push_back(json::object{{"type", kTypeNames[one.type]}, {"name", one.name}, {"diff", line_diff(was, is)}});
  }
  out["resources"] = std::move(resources);
  return out;
}

}  // namespace weft::api
