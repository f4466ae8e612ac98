#include "proxy/filters/bodies/config.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/substitution_format_string.pb.h"

#include <google/protobuf/struct.pb.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace weft::filters {

namespace core = envoy::config::core::v3;
using format::Formatter;
using format::JsonTemplate;

namespace {

constexpr uintmax_t kMaxFile = 16 << 20;

JsonTemplate json_value(const google::protobuf::Value& from) {
  JsonTemplate to;
  switch (from.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      to.kind = JsonTemplate::Kind::kBool;
      to.flag = from.bool_value();
      break;
    case google::protobuf::Value::kNumberValue:
      to.kind = JsonTemplate::Kind::kNumber;
      to.number = from.number_value();
      break;
    case google::protobuf::Value::kStringValue:
      to.kind = JsonTemplate::Kind::kFormat;
      to.format = from.string_value();
      break;
    case google::protobuf::Value::kStructValue: return json_template(from.struct_value());
    case google::protobuf::Value::kListValue:
      to.kind = JsonTemplate::Kind::kList;
      for (const auto& item : from.list_value().values()) to.members.push_back({{}, json_value(item)});
      break;
    default: break;
  }
  return to;
}

std::optional<Formatter> taken(Result<Formatter> made, const Where& where) {
  if (made) return std::move(*made);
  where.fail(made.error().detail);
  return {};
}

}  // namespace

std::optional<std::string> data(const core::DataSource& from, const Where& where) {
  switch (from.specifier_case()) {
    case core::DataSource::kInlineString: return from.inline_string();
    case core::DataSource::kInlineBytes: return from.inline_bytes();
    case core::DataSource::kFilename: {
      // A device or a pipe would never end.
      std::error_code error;
      const bool regular = std::filesystem::is_regular_file(from.filename(), error);
      if (regular && std::filesystem::file_size(from.filename(), error) > kMaxFile) {
        Where(where, "filename").fail(from.filename() + " is larger than " + std::to_string(kMaxFile) + " bytes");
        return {};
      }
      std::ifstream in(from.filename(), std::ios::binary);
      std::ostringstream text;
      if (regular && in) {
        text << in.rdbuf();
        return text.str();
      }
      Where(where, "filename").fail("cannot read " + from.filename());
      return {};
    }
    case core::DataSource::kEnvironmentVariable: {
      if (const char* value = std::getenv(from.environment_variable().c_str())) return std::string(value);
      Where(where, "environment_variable").fail("the environment has no " + from.environment_variable());
      return {};
    }
    case core::DataSource::SPECIFIER_NOT_SET: return std::string();
  }
  return {};
}

JsonTemplate json_template(const google::protobuf::Struct& from) {
  JsonTemplate to;
  to.kind = JsonTemplate::Kind::kObject;
  std::map<std::string, const google::protobuf::Value*> ordered;
  for (const auto& [key, value] : from.fields()) ordered.emplace(key, &value);
  for (const auto& [key, value] : ordered) to.members.push_back({key, json_value(*value)});
  return to;
}

std::optional<Formatter> formatter(const core::SubstitutionFormatString& from, const Where& where, bool escape) {
  const format::FormatOptions options{.omit_empty = from.omit_empty_values(), .escape = escape};
  switch (from.format_case()) {
    case core::SubstitutionFormatString::kTextFormat:
      return taken(Formatter::text(from.text_format(), options), Where(where, "text_format"));
    case core::SubstitutionFormatString::kJsonFormat:
      return taken(Formatter::json(json_template(from.json_format()), options), Where(where, "json_format"));
    case core::SubstitutionFormatString::kTextFormatSource: {
      const Where at(where, "text_format_source");
      const auto text = data(from.text_format_source(), at);
      if (!text) return {};
      return taken(Formatter::text(*text, options), at);
    }
    default: where.fail("needs a format"); return {};
  }
}

std::optional<Formatter> body_formatter(const core::SubstitutionFormatString& from, const Where& where) {
  return formatter(from, where, false);
}

std::string content_type(const core::SubstitutionFormatString& from) {
  if (!from.content_type().empty()) return from.content_type();
  return from.has_json_format() ? "application/json" : "text/plain";
}

std::shared_ptr<const format::Formatter> text_format(const std::string& from, format::FormatOptions options, const Where& where) {
  auto made = format::Formatter::text(from, options);
  if (made) return std::make_shared<const format::Formatter>(std::move(*made));
  where.fail(made.error().detail);
  return nullptr;
}

}  // namespace weft::filters
