// config.accesslog.v3.AccessLog -> telemetry::AccessLog: where lines go, in which format, and which requests are worth one.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/filters/where.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::config::accesslog::v3 {
class AccessLog;
}
namespace envoy::config::core::v3 {
class SubstitutionFormatString;
}
namespace envoy::config::accesslog::v3 {
class AccessLogFilter;
}
namespace weft::format {
class Formatter;
}
namespace weft::telemetry {
class AccessLog;
struct LogFilter;
}  // namespace weft::telemetry

namespace weft::config {

// Of a local reply or a direct response: nothing is escaped in text. Nothing after a complaint.
std::optional<format::Formatter> body_formatter(const envoy::config::core::v3::SubstitutionFormatString& from, const filters::Where& where);
// What the message says, else what fits its format.
std::string content_type(const envoy::config::core::v3::SubstitutionFormatString& from);
telemetry::LogFilter build_log_filter(const envoy::config::accesslog::v3::AccessLogFilter& from, const filters::Runtime& runtime,
                                      const filters::Where& where);

std::vector<std::shared_ptr<telemetry::AccessLog>> build_access_logs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& from, const BuildContext& context,
    const filters::Where& parent, std::string_view field);

}  // namespace weft::config
