#include "proxy/format/request_id.h"

#include <sys/random.h>

#include <bit>
#include <cstring>
#include <ctime>

namespace weft::format {
namespace {

constexpr size_t kReasonAt = 14;  // the version digit

struct Generator {
  uint64_t s[4];
  Generator() {
    if (getrandom(s, sizeof s, 0) != sizeof s) {  // before the kernel has entropy: differ at least by time and thread
      timespec now{};
      clock_gettime(CLOCK_MONOTONIC, &now);
      uint64_t x = static_cast<uint64_t>(now.tv_nsec) ^ reinterpret_cast<uintptr_t>(this);
      for (uint64_t& word : s) {  // splitmix64
        x += 0x9e3779b97f4a7c15;
        uint64_t z = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        word = z ^ (z >> 31);
      }
    }
  }
  uint64_t next() {
    uint64_t result = std::rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
    return result;
  }
};

// The sixteen hex digits of `bits`, eight at a time: each nibble gets a byte of its own, and those above 9 are lifted to 'a'.
void write_hex(uint64_t bits, char* out) {
  const auto spread = [](uint32_t half) {
    uint64_t x = half;
    x = ((x << 16) | x) & 0x0000ffff0000ffff;
    x = ((x << 8) | x) & 0x00ff00ff00ff00ff;
    x = ((x << 4) | x) & 0x0f0f0f0f0f0f0f0f;
    const uint64_t letters = ((x + 0x0606060606060606) >> 4) & 0x0101010101010101;
    return __builtin_bswap64(x + 0x3030303030303030 + letters * ('a' - '9' - 1));
  };
  const uint64_t text[2] = {spread(static_cast<uint32_t>(bits >> 32)), spread(static_cast<uint32_t>(bits))};
  std::memcpy(out, text, sizeof text);
}

}  // namespace

uint64_t random_bits() {
  static thread_local Generator generator;
  return generator.next();
}

Uuid make_uuid() {
  uint64_t high = random_bits(), low = random_bits();
  high = (high & ~0xf000ull) | 0x4000;                          // version 4
  low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;  // variant 10
  char digits[32];
  write_hex(high, digits);
  write_hex(low, digits + 16);
  Uuid id;
  char* out = id.text.data();
  std::memcpy(out, digits, 8);
  std::memcpy(out + 9, digits + 8, 4);
  std::memcpy(out + 14, digits + 12, 4);
  std::memcpy(out + 19, digits + 16, 4);
  std::memcpy(out + 24, digits + 20, 12);
  out[8] = out[13] = out[18] = out[23] = '-';
  return id;
}

std::optional<TraceReason> trace_reason(std::string_view request_id) {
  if (request_id.size() != 36) return std::nullopt;
  switch (request_id[kReasonAt]) {
    case '9': return TraceReason::kSampled;
    case 'a': return TraceReason::kServerForced;
    case 'b': return TraceReason::kClientForced;
    default: return TraceReason::kNotTraceable;
  }
}

void set_trace_reason(char* request_id, size_t size, TraceReason reason) {
  if (size == 36) request_id[kReasonAt] = static_cast<char>(reason);
}

}  // namespace weft::format
