// Request ids: random UUIDs (version 4) from a fast generator per thread, and the trace reason that Envoy keeps in the
// version digit, so that a sampling decision travels with x-request-id.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::format {

struct Uuid {
  std::array<char, 36> text;
  std::string_view view() const { return {text.data(), text.size()}; }
};

// xoshiro256**, seeded by the operating system at a thread's first use. Not for secrets.
uint64_t random_bits();

Uuid make_uuid();

enum class TraceReason : char { kNotTraceable = '4', kSampled = '9', kServerForced = 'a', kClientForced = 'b' };
// The reason in a request id of 36 characters; none when the text is no such id.
std::optional<TraceReason> trace_reason(std::string_view request_id);
// Writes the reason into the id; does nothing when it has not 36 characters.
void set_trace_reason(char* request_id, size_t size, TraceReason reason);

}  // namespace weft::format
