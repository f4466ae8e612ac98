// "1.2.3.4:80" and "[::1]:80" as core.v3.Address.
#pragma once
#include <string_view>

namespace envoy::config::core::v3 {
class Address;
}

namespace weft::admin {
void set_address(envoy::config::core::v3::Address& to, std::string_view text);
}  // namespace weft::admin
