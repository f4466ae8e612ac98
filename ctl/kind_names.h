// The many names people have for a kind: virtualservice, virtualservices, vs, virtualservices.networking.istio.io.
#pragma once
#include <string>
#include <string_view>

namespace weft::ctl {

// The kind as its objects spell it; "" for `all`. False: no such kind, and `problem` says what was meant perhaps.
bool kind_named(std::string_view word, std::string& kind, std::string& problem);
// "virtualservice", as kubectl prints it.
std::string lower_case(std::string_view text);

}  // namespace weft::ctl
