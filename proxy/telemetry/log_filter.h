// Which requests are logged: envoy.config.accesslog.v3.AccessLogFilter as plain options.
#pragma once
#include "common/observe/response_flags.h"
#include "proxy/format/request_info.h"
#include "proxy/runtime/value.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace weft::telemetry {

struct LogFilter {
  enum class Kind : unsigned char {
    kAll,
    kStatusCode,  // compare response_code with value; none counts as 0
    kDuration,    // compare milliseconds with value
    kNotHealthCheck,
    kTraceable,  // by the version digit of x-request-id
    kFraction,   // value out of `of`, by x-request-id, so that all hops choose the same requests
    kAnd,
    kOr,
    kHeader,
    kResponseFlag,  // any of flags; when empty, any flag at all
    kGrpcStatus,    // any of values (status numbers), or none of them when `exclude`
    kLogType,       // any of values (AccessLogType), or none of them when `exclude`
    kMetadata,      // `metadata` says so
  };
  enum class Compare : unsigned char { kEqual, kAtLeast, kAtMost, kNotEqual };

  Kind kind = Kind::kAll;
  Compare compare = Compare::kEqual;
  bool exclude = false;
  bool independent = false;  // kFraction: a die for each log, whatever x-request-id
  runtime::Number value;     // may follow a key of the runtime
  uint64_t of = 100;
  observe::ResponseFlags flags;
  std::vector<int> values;
  std::function<bool(const http::Head&)> header;          // never called without a request head
  std::function<bool(const format::Metadata*)> metadata;  // null: nothing has been noted
  std::vector<LogFilter> filters;                         // kAnd, kOr

  bool passes(const format::RequestInfo& info) const;
};

}  // namespace weft::telemetry
