// Listener filters that look at the first bytes, where a filter chain asks for what they find.
#pragma once
#include "controlplane/translate/translate.h"

#include <array>
#include <string_view>

namespace weft::translate {

// What is said of plain HTTP by http_inspector, in place of ALPN.
inline constexpr std::array<std::string_view, 2> kPlainHttp = {"http/1.1", "h2c"};
inline constexpr std::string_view kRawBuffer = "raw_buffer", kTls = "tls";

// tls_inspector and http_inspector as the chains of `out` need them, each off for the destination ports that do without; and the time
// for which they may wait: clients that say nothing go on to a chain that wants nothing.
void add_inspectors(Listener& out);
void wait_for_inspectors(Listener& out);

}  // namespace weft::translate
