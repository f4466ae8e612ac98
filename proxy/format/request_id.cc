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

}  // namespace

uint64_t random_bits() {
  static thread_local Generator generator;
  return generator.next();
}

Uuid make_uuid() {
  static constexpr char kDigits[] = "0123456789abcdef";
  uint64_t high = random_bits(), low = random_bits();
  high = (high & ~0xf000ull) | 0x4000;                              // version 4
  low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;      // variant 10
  Uuid id;
  char* out = id.text.data();
  auto digits = [&out](uint64_t bits, int from, int to) {
    for (int shift = from; shift >= to; shift -= 4) *out++ = kDigits[(bits >> shift) & 15];
  };
  digits(high, 60, 32);
  *out++ = '-';
  digits(high, 28, 16);
  *out++ = '-';
  digits(high, 12, 0);
  *out++ = '-';
  digits(low, 60, 48);
  *out++ = '-';
  digits(low, 44, 0);
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
