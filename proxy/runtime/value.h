// One key of the runtime as the data path reads it. Configuration that names a key holds its Value; the control thread writes it,
// any thread reads it without a lock: each of the meanings that a setting may have is one atomic of its own. What a text means is
// decided when it is set, never when it is read.
#pragma once
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weft::runtime {

struct Share {
  uint32_t numerator = 0;
  uint32_t denominator = 100;
  friend bool operator==(const Share&, const Share&) = default;
};

// What somebody has set a key to: its text, and what that means as the type that the reader of the key expects, if it fits.
struct Setting {
  std::string text;
  std::optional<uint64_t> number;  // a whole number
  std::optional<double> real;
  std::optional<bool> flag;    // a number: whether it is not 0
  std::optional<Share> share;  // a whole number: of a hundred
};
Setting number_setting(double value, std::string text);
Setting flag_setting(bool value);
Setting share_setting(std::optional<Share> share, std::string text);
// The text of a string: a number, or only a text.
Setting text_setting(std::string text);
// Text of a file or of a person, in YAML: `5`, `true`, `{numerator: 5, denominator: MILLION}`; anything else is only a text.
Setting read_setting(std::string text);
// HUNDRED, TEN_THOUSAND, MILLION.
std::optional<uint32_t> denominator(std::string_view name);

class Value {
 public:
  std::optional<uint64_t> number() const {
    const uint64_t now = number_.load(std::memory_order_relaxed);
    return now == kNone ? std::nullopt : std::optional<uint64_t>(now);
  }
  std::optional<double> real() const {
    const double now = real_.load(std::memory_order_relaxed);
    return now != now ? std::nullopt : std::optional<double>(now);
  }
  std::optional<bool> flag() const {
    const int8_t now = flag_.load(std::memory_order_relaxed);
    return now < 0 ? std::nullopt : std::optional<bool>(now != 0);
  }
  std::optional<Share> share() const {
    const uint64_t now = share_.load(std::memory_order_relaxed);
    if (now == kNone) return {};
    return Share{static_cast<uint32_t>(now >> 32), static_cast<uint32_t>(now)};
  }
  // Null: the key is not set any more.
  void set(const Setting* setting);

 private:
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  std::atomic<uint64_t> number_{kNone}, share_{kNone};
  std::atomic<double> real_{std::numeric_limits<double>::quiet_NaN()};
  std::atomic<int8_t> flag_{-1};
};

// Null where a field names no key.
using Key = std::shared_ptr<const Value>;

// RuntimeFeatureFlag, RuntimeUInt32, RuntimeDouble: what the runtime says now, else what the configuration says.
struct Flag {
  bool otherwise = true;
  Key key = {};
  bool on() const { return key ? key->flag().value_or(otherwise) : otherwise; }
};
struct Number {
  uint64_t otherwise = 0;
  Key key = {};
  uint64_t get() const { return key ? key->number().value_or(otherwise) : otherwise; }
};
struct Real {
  double otherwise = 0;
  Key key = {};
  double get() const { return key ? key->real().value_or(otherwise) : otherwise; }
  friend bool operator==(const Real&, const Real&) = default;
};

}  // namespace weft::runtime
