#include "proxy/telemetry/access_log.h"

namespace weft::telemetry {

AccessLog::AccessLog(std::shared_ptr<LogFile> file, format::Formatter formatter, LogFilter filter)
    : file_(std::move(file)), formatter_(std::move(formatter)), filter_(std::move(filter)) {}

void AccessLog::log(unsigned thread, const format::RequestInfo& info) const {
  if (!filter_.passes(info)) return;
  static thread_local std::string line;  // keeps its memory: no allocation per request
  line.clear();
  formatter_.append(line, info);
  file_->write(thread, line);
}

}  // namespace weft::telemetry
