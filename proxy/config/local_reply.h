// What HttpConnectionManager.local_reply_config makes of answers that the proxy gives itself: the first mapper whose filter the
// answer passes changes its status, body and headers; then a format renders the body.
#pragma once
#include "proxy/format/formatter.h"
#include "proxy/routing/mutations.h"
#include "proxy/telemetry/log_filter.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::config {

struct BodyFormat {
  std::shared_ptr<const format::Formatter> formatter;
  std::string content_type;
};

struct LocalReplyConfig {
  struct Mapper {
    telemetry::LogFilter filter;
    std::optional<int> status;
    std::optional<std::string> body;
    std::optional<BodyFormat> format;  // in place of the one below
    std::vector<routing::HeaderToAdd> headers;
  };
  std::vector<Mapper> mappers;
  std::optional<BodyFormat> format;  // none: the body as it is, text/plain
};

}  // namespace weft::config
