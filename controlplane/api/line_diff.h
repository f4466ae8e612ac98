// Two texts line by line, as `diff -u` shows them.
#pragma once
#include <string>
#include <string_view>

namespace weft::api {

// Hunks with three lines around each change, without the file names; empty when the texts are equal.
std::string line_diff(std::string_view before, std::string_view after);

}  // namespace weft::api
