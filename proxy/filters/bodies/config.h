// Text that configuration holds or names: a DataSource, and the format of an answer's body.
#pragma once
#include "proxy/filters/where.h"
#include "proxy/format/formatter.h"

#include <memory>
#include <optional>
#include <string>

namespace envoy::config::core::v3 {
class DataSource;
class SubstitutionFormatString;
}  // namespace envoy::config::core::v3
namespace google::protobuf {
class Struct;
}

namespace weft::filters {

// Nothing after a complaint.
std::optional<std::string> data(const envoy::config::core::v3::DataSource& from, const Where& where);

format::JsonTemplate json_template(const google::protobuf::Struct& from);
std::optional<format::Formatter> formatter(const envoy::config::core::v3::SubstitutionFormatString& from, const Where& where, bool escape);
// Of a local reply or a direct response: nothing is escaped in text. Nothing after a complaint.
std::optional<format::Formatter> body_formatter(const envoy::config::core::v3::SubstitutionFormatString& from, const Where& where);
// Of a plain text with operators; null after a complaint.
std::shared_ptr<const format::Formatter> text_format(const std::string& from, format::FormatOptions options, const Where& where);
// What the message says, else what fits its format.
std::string content_type(const envoy::config::core::v3::SubstitutionFormatString& from);

}  // namespace weft::filters
