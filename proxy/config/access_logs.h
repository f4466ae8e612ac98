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
namespace weft::telemetry {
class AccessLog;
}

namespace weft::config {

std::vector<std::shared_ptr<telemetry::AccessLog>> build_access_logs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& from, const BuildContext& context,
    const filters::Where& parent, std::string_view field);

}  // namespace weft::config
