#include "controlplane/model/automatic_addresses.h"

#include <array>
#include <cstdio>
#include <map>
#include <vector>

namespace weft::model {
namespace {

// As istiod has them: 255 x 255 places, double hashing with the largest prime below.
constexpr uint32_t kPlaces = 255 * 255, kPrime = 65011;

uint32_t fnv1a(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

bool wants_address(const ServiceInfo& service) {
  return !service.kubernetes && service.addresses.empty() && !service.hostname.starts_with('*');
}

AutomaticAddresses addresses_at(uint32_t place) {
  const unsigned number = place + 1, third = number / 255, fourth = number % 255;
  std::array<char, 32> v4{}, v6{};
  std::snprintf(v4.data(), v4.size(), "240.240.%u.%u", third, fourth);
  std::snprintf(v6.data(), v6.size(), "2001:2::f0f0:%x", third << 8 | fourth);
  return {v4.data(), v6.data()};
}

class Places {
 public:
  // A free place, the first that the hash leads to; nothing if all are taken.
  std::optional<uint32_t> take(uint32_t hash) {
    if (left_ == 0) return std::nullopt;
    const uint32_t step = kPrime - hash % kPrime;
    uint32_t place = hash % kPlaces;
    for (uint32_t i = 1; !free(place); ++i) place = i < kPlaces ? (hash + i * step) % (kPlaces - 1) : i % kPlaces;
    taken_[place] = true;
    --left_;
    return place;
  }

 private:
  // 240.240.N.0 is no address.
  bool free(uint32_t place) const { return !taken_[place] && (place + 1) % 255 != 0; }
  std::vector<bool> taken_ = std::vector<bool>(kPlaces);
  uint32_t left_ = kPlaces - 255;
};

}  // namespace

std::unordered_map<const ServiceInfo*, AutomaticAddresses> assign_addresses(std::span<const ServiceInfo* const> services) {
  std::unordered_map<const ServiceInfo*, AutomaticAddresses> assigned;
  std::map<std::string_view, AutomaticAddresses> by_host;
  std::optional<Places> places;
  for (const ServiceInfo* service : services) {
    if (!wants_address(*service)) continue;
    auto [known, fresh] = by_host.try_emplace(service->hostname);
    if (fresh) {
      if (!places) places.emplace();
      const std::optional<uint32_t> place = places->take(fnv1a(service->ns + "/" + service->hostname));
      if (place) known->second = addresses_at(*place);
    }
    if (!known->second.v4.empty()) assigned[service] = known->second;
  }
  return assigned;
}

}  // namespace weft::model
