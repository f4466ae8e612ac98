#include "init/cidr.h"

#include <arpa/inet.h>

#include <charconv>

namespace weft::init {

Result<Cidr> parse_cidr(std::string_view text) {
  const auto refused = [&] { return invalid("found \"" + std::string(text) + "\""); };
  const size_t slash = text.find('/');
  Cidr cidr;
  const std::string address(text.substr(0, slash));
  cidr.v6 = address.find(':') != std::string::npos;
  const int family = cidr.v6 ? AF_INET6 : AF_INET;
  const int most = cidr.v6 ? 128 : 32;
  unsigned char bytes[16] = {};
  if (::inet_pton(family, address.c_str(), bytes) != 1) return refused();
  cidr.bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), cidr.bits);
    if (code != std::errc() || end != digits.data() + digits.size() || cidr.bits < 0 || cidr.bits > most) return refused();
  }
  for (int bit = cidr.bits; bit < most; ++bit) bytes[bit / 8] &= static_cast<unsigned char>(~(0x80U >> (bit % 8)));
  char written[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, bytes, written, sizeof written);
  cidr.address = written;
  return cidr;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return items;
}

}  // namespace weft::init
