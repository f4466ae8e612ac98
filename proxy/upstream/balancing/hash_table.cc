#include "proxy/upstream/balancing/hash_table.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace weft::upstream {
namespace {

bool may_be_picked(const Host& host, Eligible eligible) {
  switch (eligible) {
    case Eligible::kHealthy: return host.healthy();
    case Eligible::kDegraded: return host.degraded();
    case Eligible::kAll: break;
  }
  return true;
}

void add_shares(const std::vector<const Host*>& hosts, double of_all, Shares& shares) {
  uint64_t sum = 0;
  for (const Host* host : hosts) sum += std::max(host->weight, 1u);
  for (const Host* host : hosts) shares.push_back({host, std::max(host->weight, 1u) * of_all / static_cast<double>(sum)});
}

}  // namespace

const std::string& hash_key(const Host& host, bool by_hostname) {
  if (!host.hash_key.empty()) return host.hash_key;
  return by_hostname ? host.hostname : host.state->address;
}

Shares shares_of(const EndpointSet& endpoints, uint32_t priority, Eligible eligible, const HashingOptions& options) {
  struct Place {
    uint32_t weight = 0;
    std::vector<const Host*> hosts;
  };
  std::vector<const Host*> flat;
  // Envoy goes through localities in the order of their names, its own first; one that comes twice is one.
  using Name = std::tuple<bool, std::string_view, std::string_view, std::string_view>;
  std::map<Name, Place> places;
  for (const Locality& locality : endpoints.localities) {
    if (locality.priority != priority || locality.hosts.empty()) continue;
    std::vector<const Host*>* hosts = &flat;
    if (options.by_locality) {
      const LocalityName& home = options.home;
      const bool away = home.region != locality.region || home.zone != locality.zone || home.sub_zone != locality.sub_zone;
      Place& place = places[Name(away, locality.region, locality.zone, locality.sub_zone)];
      place.weight = locality.weight;
      hosts = &place.hosts;
    }
    for (const Host& host : locality.hosts)
      if (may_be_picked(host, eligible)) hosts->push_back(&host);
  }
  Shares shares;
  if (!options.by_locality) {
    add_shares(flat, 1.0, shares);
    return shares;
  }
  uint64_t sum = 0;
  for (const auto& [name, place] : places) sum += place.weight;
  for (const auto& [name, place] : places)
    if (place.weight != 0) add_shares(place.hosts, static_cast<double>(place.weight) / static_cast<double>(sum), shares);
  return shares;
}

void HashTable::count(const std::vector<uint64_t>& places_by_share, uint64_t size) {
  if (places_by_share.empty()) return;
  const auto [least, most] = std::minmax_element(places_by_share.begin(), places_by_share.end());
  spread_ = {size, std::min(*least, size), *most};
}

}  // namespace weft::upstream
