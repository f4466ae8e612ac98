// config.accesslog.v3.AccessLog -> telemetry::AccessLog: where lines go, in which format, and which requests are worth one.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/filters/where.h"

#include <memory>
#include <string_view>
#include <vector>

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::config::accesslog::v3 {
class AccessLog;
}
namespace envoy::config::accesslog::v3 {
class AccessLogFilter;
}
namespace weft::telemetry {
class AccessLog;
struct LogFilter;
}  // namespace weft::telemetry

namespace weft::config {

telemetry::LogFilter build_log_filter(const envoy::config::accesslog::v3::AccessLogFilter& from, const filters::Runtime& runtime,
                                      const filters::Where& where);

std::vector<std::shared_ptr<telemetry::AccessLog>> build_access_logs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& from, const BuildContext& context,
    const filters::Where& parent, std::string_view field);

}  // namespace weft::config
