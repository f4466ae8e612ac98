// Static runtime: values that the bootstrap's layered_runtime gives to keys which other fields name (percentages of routes and
// faults). Nothing changes them while the process runs, so they are looked up once, when a resource is built.
#pragma once
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weft::filters {

class Runtime {
 public:
  // Later layers win.
  void set(std::string key, std::string value) { values_.insert_or_assign(std::move(key), std::move(value)); }
  const std::string* find(std::string_view key) const {
    auto at = values_.find(key);
    return at == values_.end() ? nullptr : &at->second;
  }
  // A whole number; nothing when the key is absent or holds something else.
  std::optional<uint64_t> number(std::string_view key) const {
    const std::string* text = find(key);
    uint64_t value = 0;
    if (!text) return {};
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) return {};
    return value;
  }
  const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace weft::filters
