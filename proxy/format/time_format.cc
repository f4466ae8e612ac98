#include "proxy/format/time_format.h"

#include <charconv>
#include <cstdint>
#include <ctime>

namespace weft::format {
namespace {

struct Split {
  time_t seconds;
  uint32_t nanoseconds;
};
Split split(WallTime time) {
  int64_t total = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  int64_t seconds = total / 1'000'000'000, rest = total % 1'000'000'000;
  if (rest < 0) --seconds, rest += 1'000'000'000;
  return {static_cast<time_t>(seconds), static_cast<uint32_t>(rest)};
}

// The first `digits` of the nine after the point.
void append_fraction(std::string& out, uint32_t nanoseconds, unsigned digits) {
  char text[9];
  for (int i = 8; i >= 0; --i, nanoseconds /= 10) text[i] = static_cast<char>('0' + nanoseconds % 10);
  out.append(text, digits);
}

}  // namespace

void append_iso_time(std::string& out, WallTime time) {
  static thread_local time_t known = -1;
  static thread_local char text[32];
  static thread_local size_t size = 0;
  Split parts = split(time);
  if (parts.seconds != known) {
    tm broken{};
    gmtime_r(&parts.seconds, &broken);
    size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &broken);
    known = parts.seconds;
  }
  out.append(text, size);
  out += '.';
  append_fraction(out, parts.nanoseconds, 3);
  out += 'Z';
}

void append_time(std::string& out, WallTime time, const std::string& format, bool local) {
  Split parts = split(time);
  tm broken{};
  if (local)
    localtime_r(&parts.seconds, &broken);
  else
    gmtime_r(&parts.seconds, &broken);
  // Runs of plain strftime text are handed over whole, ours are printed in between.
  std::string run;
  auto flush = [&] {
    if (run.empty()) return;
    char text[512];
    out.append(text, strftime(text, sizeof text, run.c_str(), &broken));
    run.clear();
  };
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      run += format[i];
      continue;
    }
    char next = format[i + 1];
    if (next == 's') {
      flush();
      char digits[24];
      out.append(digits, std::to_chars(digits, digits + sizeof digits, static_cast<int64_t>(parts.seconds)).ptr);
      ++i;
    } else if (next == 'f') {
      flush();
      append_fraction(out, parts.nanoseconds, 9);
      ++i;
    } else if (next >= '1' && next <= '9' && i + 2 < format.size() && format[i + 2] == 'f') {
      flush();
      append_fraction(out, parts.nanoseconds, static_cast<unsigned>(next - '0'));
      i += 2;
    } else {
      run += '%';
      run += next;
      ++i;
    }
  }
  flush();
}

}  // namespace weft::format
