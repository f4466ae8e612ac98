// JSON as a person would write it: indented, numbers in plain digits with at most three decimals.
#pragma once
#include <boost/json/value.hpp>

#include <string>

namespace weft::demo {

std::string json_text(const boost::json::value& value, const std::string& indent = {});

}  // namespace weft::demo
