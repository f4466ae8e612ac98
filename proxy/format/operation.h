// One piece of a compiled format: text as it is, or a command operator with its arguments resolved. The table of operators
// is in operators.cc: its names, what arguments each takes, whether it prints a number, whether a peer chose its value.
#pragma once
#include "common/base/error.h"
#include "common/http/head.h"
#include "proxy/format/request_info.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::format {

struct Operation {
  // Appends the value; false when there is none (nothing is appended then).
  using Print = bool (*)(const Operation&, const RequestInfo&, std::string& out);
  Print print = nullptr;       // null: text
  Print print_json = nullptr;  // set: what stands alone in JSON is printed by it, quotes and all
  bool number = false;         // in JSON without quotes
  bool from_peer = false;      // must be escaped in logs
  bool has_limit = false;
  size_t limit = 0;         // ":Z"
  std::string text;         // the literal, or the operator's argument
  std::string alternative;  // REQ(X?Y): y
  http::HeaderId id = http::HeaderId::kOther, alternative_id = http::HeaderId::kOther;
  unsigned option = 0;  // what an argument chose, by operator
  unsigned second = 0;
  std::vector<std::string> path;  // DYNAMIC_METADATA: the names after the namespace
};

// Splits a format into operations. Errors read as Envoy's.
Result<std::vector<Operation>> compile(std::string_view format);

// operators.cc: sets up `operation` for command `name`. `has_argument` tells "NAME()" from "NAME".
Status resolve(std::string_view name, bool has_argument, std::string_view argument, bool has_limit, Operation& operation);
// Every operator's name, for documentation and did-you-mean.
std::vector<std::string_view> operator_names();

}  // namespace weft::format
