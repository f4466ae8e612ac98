// Numbers as Envoy's pages print them.
#pragma once
#include <string>

namespace weft::observe {

void append_number(std::string& out, double value);       // shortest that reads back: 45.5, 47.333333333333336, nan
void append_json_number(std::string& out, double value);  // the same, 3e+05 where that is shorter; null for NaN
void append_brief(std::string& out, double value);        // six digits: 1.8e+06

}  // namespace weft::observe
