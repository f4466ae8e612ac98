#include "proxy/format/address_text.h"

#include <arpa/inet.h>

namespace weft::format {

std::string_view ip_of(std::string_view address) {
  if (!address.empty() && address.front() == '[') {
    size_t close = address.find(']');
    return close == std::string_view::npos ? address : address.substr(1, close - 1);
  }
  return address.substr(0, address.rfind(':'));
}

std::string_view port_of(std::string_view address) {
  size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view port = address.substr(colon + 1);
  return port.find_first_not_of("0123456789") == std::string_view::npos ? port : std::string_view();
}

bool append_masked(std::string& out, std::string_view ip, unsigned bits) {
  unsigned char bytes[16];
  char text[INET6_ADDRSTRLEN];
  std::string copy(ip);
  int family = ip.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
  unsigned size = family == AF_INET ? 4 : 16;
  if (inet_pton(family, copy.c_str(), bytes) != 1 || bits > size * 8) return false;
  for (unsigned i = 0; i < size; ++i) {
    unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
    if (kept < 8) bytes[i] = static_cast<unsigned char>(bytes[i] & (0xff00u >> kept));
  }
  out += inet_ntop(family, bytes, text, sizeof text);
  out += '/';
  out += std::to_string(bits);
  return true;
}

}  // namespace weft::format
