// MD5 and SHA-256 in lower-case hexadecimal. Fingerprints of ClientHellos are defined by them; nothing is secured by them.
#pragma once
#include <string>
#include <string_view>

namespace weft::net {

std::string md5_hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);

}  // namespace weft::net
