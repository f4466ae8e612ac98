// Cuts rendered addresses, "1.2.3.4:80" or "[::1]:80", as the *_WITHOUT_PORT and *_PORT operators print them.
#pragma once
#include "common/base/error.h"

#include <string>
#include <string_view>

namespace weft::format {

std::string_view ip_of(std::string_view address);    // "1.2.3.4", "::1"; all of it when there is no port
std::string_view port_of(std::string_view address);  // "80"; empty when there is none
// "10.1.0.0/16": the address with all but the first `bits` cleared; false if it is no IP address or shorter than that.
bool append_masked(std::string& out, std::string_view ip, unsigned bits);

}  // namespace weft::format
