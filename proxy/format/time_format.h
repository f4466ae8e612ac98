// Time as access logs print it: strftime, and beside it %s (seconds since the epoch) and %f with a number of digits (%3f,
// %6f, %9f: fractions of the second).
#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace weft::format {

using WallTime = std::chrono::system_clock::time_point;

// 2026-11-21T11:13:01.820Z, Envoy's default; the part up to the second is kept per thread.
void append_iso_time(std::string& out, WallTime time);
void append_time(std::string& out, WallTime time, const std::string& format, bool local);

}  // namespace weft::format
