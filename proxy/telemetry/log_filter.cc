#include "proxy/telemetry/log_filter.h"

#include "common/http/head.h"
#include "proxy/format/grpc_status.h"
#include "proxy/format/request_id.h"

#include <algorithm>

namespace weft::telemetry {
namespace {

bool holds(LogFilter::Compare compare, uint64_t found, uint64_t value) {
  switch (compare) {
    case LogFilter::Compare::kEqual: return found == value;
    case LogFilter::Compare::kAtLeast: return found >= value;
    case LogFilter::Compare::kAtMost: return found <= value;
    case LogFilter::Compare::kNotEqual: return found != value;
  }
  return false;
}

uint64_t milliseconds(const format::RequestInfo& info) {
  auto end = info.end == format::RequestInfo::Moment{} ? std::chrono::steady_clock::now() : info.end;
  return static_cast<uint64_t>(std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(end - info.start).count()));
}

std::string_view request_id(const format::RequestInfo& info) {
  return info.request == nullptr ? std::string_view() : info.request->value(http::HeaderId::kXRequestId);
}

uint64_t hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325;  // FNV-1a
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h ^ (h >> 32);
}

bool listed(const std::vector<int>& values, int value) { return std::find(values.begin(), values.end(), value) != values.end(); }

}  // namespace

bool LogFilter::passes(const format::RequestInfo& info) const {
  auto each = [&info](const LogFilter& filter) { return filter.passes(info); };
  switch (kind) {
    case Kind::kAll: return true;
    case Kind::kStatusCode: return holds(compare, static_cast<uint64_t>(info.response_code), value.get());
    case Kind::kDuration: return holds(compare, milliseconds(info), value.get());
    case Kind::kNotHealthCheck: return !info.health_check;
    case Kind::kTraceable: {
      auto reason = format::trace_reason(request_id(info));
      return reason && *reason != format::TraceReason::kNotTraceable;
    }
    case Kind::kFraction: {
      std::string_view id = independent ? std::string_view() : request_id(info);
      return (id.empty() ? format::random_bits() : hash(id)) % of < value.get();
    }
    case Kind::kAnd: return std::all_of(filters.begin(), filters.end(), each);
    case Kind::kOr: return std::any_of(filters.begin(), filters.end(), each);
    case Kind::kHeader: return info.request != nullptr && header && header(*info.request);
    case Kind::kResponseFlag: return flags.empty() ? !info.flags.empty() : info.flags.intersects(flags);
    case Kind::kGrpcStatus: return listed(values, format::grpc_status(info).value_or(-1)) != exclude;
    case Kind::kMetadata: return metadata && metadata(info.metadata.get());
    case Kind::kLogType: return listed(values, static_cast<int>(info.log_type)) != exclude;
  }
  return true;
}

}  // namespace weft::telemetry
