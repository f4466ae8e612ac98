// One configured access log: a filter, a format, a file. Immutable; all workers share it through the snapshot.
#pragma once
#include "proxy/format/formatter.h"
#include "proxy/telemetry/log_file.h"
#include "proxy/telemetry/log_filter.h"

#include <memory>

namespace weft::telemetry {

class AccessLog {
 public:
  // `formatter` made with {.escape = true}; a text format brings its own newline, as in Envoy.
  AccessLog(std::shared_ptr<LogFile> file, format::Formatter formatter, LogFilter filter = {});
  // When a request or a connection is over. `thread` is the caller's index.
  void log(unsigned thread, const format::RequestInfo& info) const;

 private:
  std::shared_ptr<LogFile> file_;
  format::Formatter formatter_;
  LogFilter filter_;
};

}  // namespace weft::telemetry
