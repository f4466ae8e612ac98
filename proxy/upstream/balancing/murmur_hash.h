// MurmurHash64A by Austin Appleby with the seed of libstdc++'s std::hash<std::string>, which is what Envoy's MURMUR_HASH_2 means.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weft::upstream {

inline uint64_t murmur_hash_2(std::string_view text) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  constexpr uint64_t kSeed = 0xc70f6907u, kMultiplier = 0xc6a4a7935bd1e995u;
  const auto mix = [](uint64_t word) { return word ^ word >> 47; };
  uint64_t hash = kSeed ^ text.size() * kMultiplier;
  for (; text.size() >= 8; text.remove_prefix(8)) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ mix(word * kMultiplier) * kMultiplier) * kMultiplier;
  }
  if (!text.empty()) {
    uint64_t rest = 0;
    std::memcpy(&rest, text.data(), text.size());
    hash = (hash ^ rest) * kMultiplier;
  }
  return mix(mix(hash) * kMultiplier);
}

}  // namespace weft::upstream
