// Address ranges as the flags of weft-init write them: "10.0.0.0/8", "fd00::/8", or one address.
#pragma once
#include "common/base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::init {

struct Cidr {
  bool v6 = false;
  int bits = 0;
  std::string address;  // without the bits that the mask drops, as inet_ntop writes it

  bool single() const { return bits == (v6 ? 128 : 32); }
  bool loopback() const { return v6 ? address == "::1" : address.starts_with("127."); }
  std::string text() const { return address + "/" + std::to_string(bits); }
  bool operator==(const Cidr&) const = default;
};

// An error says what was found.
Result<Cidr> parse_cidr(std::string_view text);

// "a, b,,c" to {"a", "b", "c"}.
std::vector<std::string> split_list(std::string_view text);

}  // namespace weft::init
