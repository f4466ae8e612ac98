// XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), for the short texts that versions are.
#include "common/observe/shapes.h"

#include <bit>
#include <cstring>

namespace weft::observe {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F, kPrime3 = 0x165667B19E3779F9, kPrime4 = 0x85EBCA77C2B2AE63,
                   kPrime5 = 0x27D4EB2F165667C5;

template <class T>
uint64_t take(const char*& at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;  // little endian, as every machine that this is built for
}

uint64_t round_of(uint64_t accumulator, uint64_t lane) { return std::rotl(accumulator + lane * kPrime2, 31) * kPrime1; }
uint64_t merge(uint64_t hash, uint64_t accumulator) { return (hash ^ round_of(0, accumulator)) * kPrime1 + kPrime4; }

}  // namespace

int64_t version_hash(std::string_view text) {
  if (text.empty()) return 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  uint64_t hash = kPrime5;
  if (text.size() >= 32) {
    uint64_t lanes[4] = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
    while (end - at >= 32)
      for (uint64_t& lane : lanes) lane = round_of(lane, take<uint64_t>(at));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (uint64_t lane : lanes) hash = merge(hash, lane);
  }
  hash += text.size();
  while (end - at >= 8) hash = std::rotl(hash ^ round_of(0, take<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  if (end - at >= 4) hash = std::rotl(hash ^ (take<uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
  while (at != end) hash = std::rotl(hash ^ (take<uint8_t>(at) * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return static_cast<int64_t>(hash ^ (hash >> 32));
}

}  // namespace weft::observe
