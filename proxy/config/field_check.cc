#include "proxy/config/field_check.h"

#include "proxy/config/field_tables.h"
#include "proxy/config/linked_types.h"
#include "proxy/config/proto_loader.h"
#include "proxy/filters/network/table.h"
#include "proxy/filters/table.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <unordered_map>

namespace weft::config {
namespace {

namespace pb = google::protobuf;
using filters::Field;
using filters::FieldTable;
using pb::FieldDescriptor;

constexpr int kMaxDepth = 100;

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = text.find(' ');
    if (end != 0) out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}
bool has_word(std::string_view text, std::string_view word) {
  const auto all = words(text);
  return std::find(all.begin(), all.end(), word) != all.end();
}

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

// Envoy's HTTP_HEADER_NAME and _VALUE with strict = false: only what would split a message is refused.
bool legal_header_text(std::string_view text) { return text.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos; }
bool legal_header_name(std::string_view text) {
  return legal_header_text(text) && text.find_first_of(" \t:", text.starts_with(':') ? 1 : 0) == std::string_view::npos;
}

bool is_wrapper(const pb::Descriptor& type) {
  return type.full_name().starts_with("google.protobuf.") && type.full_name().ends_with("Value") && type.field_count() == 1 &&
         type.full_name() != "google.protobuf.ListValue";
}

class Checker {
 public:
  explicit Checker(Diagnostics& problems) : problems_(problems) {}

  // `owner`: the message that holds this one, for the names of extensions.
  void message(const pb::Message& message, const std::string& path, std::string_view takes, int depth, const pb::Message* owner = nullptr) {
    const pb::Descriptor& type = *message.GetDescriptor();
    if (depth > kMaxDepth) return refuse(path, kRuleCode, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (type.full_name() == "google.protobuf.Any") return any(owner, static_cast<const pb::Any&>(message), path, takes, depth);
    if (type.full_name() == "google.protobuf.Struct") return;
    const FieldTable* table = find_table(type.full_name());
    if (!table) return refuse(path, kUnsupportedCode, type.full_name() + " is not supported by this version");
    const pb::Reflection& reflection = *message.GetReflection();
    const pb::UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
    for (int i = 0; i < unknown.field_count(); ++i)
      refuse(path, kUnsupportedCode,
             "field number " + std::to_string(unknown.field(i).number()) + " of " + type.full_name() + " is not known to this version");
    if (table->whole) return;
    std::vector<const FieldDescriptor*> set;
    reflection.ListFields(message, &set);
    for (const FieldDescriptor* field : set) {
      const Field* row = find(*table, field->name());
      if (!row) {
        refuse(join(path, field->name()), kUnsupportedCode,
               type.full_name() + "." + field->name() + named(message, *field) + " is not supported by this version");
      } else if (!row->refused.empty()) {
        refuse(join(path, field->name()), kUnsupportedCode,
               type.full_name() + "." + field->name() + named(message, *field) + " is not supported: " + std::string(row->refused));
      } else if (row->ignored.empty()) {
        used(message, *field, *row, join(path, field->name()), takes, depth);
      }
    }
    for (unsigned i = 0; i < table->size; ++i) missing(message, table->fields[i], path);
    for (std::string_view name : words(table->required)) {
      const pb::OneofDescriptor* oneof = type.FindOneofByName(std::string(name));
      if (!oneof || reflection.HasOneof(message, oneof)) continue;
      // A refused member was set: that is said already.
      std::string members;
      for (int i = 0; i < oneof->field_count(); ++i)
        if (is_taken(find(*table, oneof->field(i)->name()))) members += (members.empty() ? "" : ", ") + oneof->field(i)->name();
      refuse(path, kRuleCode, std::string(short_name(type.full_name())) + " needs one of " + members);
    }
  }

 private:
  static const Field* find(const FieldTable& table, std::string_view name) { return find_row(table, name); }

 public:
  static bool is_taken(const Field* row) { return row && row->refused.empty(); }
  static const Field* find_row(const FieldTable& table, std::string_view name) {
    for (unsigned i = 0; i < table.size; ++i)
      if (table.fields[i].name == name) return &table.fields[i];
    return nullptr;
  }

  // Of a refused extension: what it is called, since that is what its author looks for.
  static std::string named(const pb::Message& message, const FieldDescriptor& field) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_map()) return {};
    const pb::Reflection& reflection = *message.GetReflection();
    const pb::Message& value =
        field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, 0) : reflection.GetMessage(message, &field);
    const FieldDescriptor* name = value.GetDescriptor()->FindFieldByName("name");
    if (!name || name->is_repeated() || name->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return {};
    const std::string text = value.GetReflection()->GetString(value, name);
    return text.empty() ? std::string() : " (" + text + ")";
  }

  void used(const pb::Message& message, const FieldDescriptor& field, const Field& row, const std::string& path, std::string_view takes,
            int depth) {
    const pb::Reflection& reflection = *message.GetReflection();
    if (!row.takes.empty()) takes = row.takes;
    if (!field.is_repeated()) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        return value(message, reflection.GetMessage(message, &field), row, path, takes, depth);
      return scalar(message, field, -1, row, path);
    }
    const int size = reflection.FieldSize(message, &field);
    const bool numbers = field.cpp_type() != FieldDescriptor::CPPTYPE_STRING && field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
    if (!numbers && size < row.min)
      refuse(path, kRuleCode, "must have at least " + number_text(row.min) + " items, found " + std::to_string(size));
    if (!numbers && size > row.max)
      refuse(path, kRuleCode, "must have at most " + number_text(row.max) + " items, found " + std::to_string(size));
    Field item = row;
    if (!numbers) item.min = -INFINITY, item.max = INFINITY;
    item.checks &= ~static_cast<unsigned>(filters::kNotEmpty);
    if (row.checks & filters::kItemsNotEmpty) item.checks |= filters::kNotEmpty;
    for (int i = 0; i < size; ++i) {
      if (field.is_map()) {
        const pb::Message& pair = reflection.GetRepeatedMessage(message, &field, i);
        const FieldDescriptor& key = *field.message_type()->map_key();
        const FieldDescriptor& content = *field.message_type()->map_value();
        const std::string where =
            path + "[\"" + (key.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? pair.GetReflection()->GetString(pair, &key) : "") + "\"]";
        if (content.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
          value(pair, pair.GetReflection()->GetMessage(pair, &content), item, where, takes, depth);
        continue;
      }
      const std::string where = path + "[" + std::to_string(i) + "]";
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        value(message, reflection.GetRepeatedMessage(message, &field, i), item, where, takes, depth);
      else
        scalar(message, field, i, item, where);
    }
  }

  void value(const pb::Message& owner, const pb::Message& content, const Field& row, const std::string& path, std::string_view takes,
             int depth) {
    const pb::Descriptor& type = *content.GetDescriptor();
    if (type.full_name() == "google.protobuf.Duration") return duration(static_cast<const pb::Duration&>(content), row, path);
    if (row.checks & filters::kMayBeEmpty && type.full_name() == "google.protobuf.Any" && content.ByteSizeLong() == 0) return;
    if (is_wrapper(type)) return scalar(content, *type.FindFieldByNumber(1), -1, row, path);
    message(content, path, takes, depth + 1, &owner);
  }

  void duration(const pb::Duration& value, const Field& row, const std::string& path) {
    const double seconds = static_cast<double>(value.seconds()) + value.nanos() * 1e-9;
    const std::string found = number_text(seconds) + "s";
    if (std::abs(value.nanos()) > 999'999'999 || std::abs(seconds) > 315'576'000'000.0)
      return refuse(path, kRuleCode, "is out of range: " + found);
    if (row.checks & filters::kPositive && seconds <= 0) return refuse(path, kRuleCode, "must be greater than 0s, found " + found);
    if (seconds < 0) return refuse(path, kRuleCode, "must not be negative, found " + found);
    if (seconds < row.min) return refuse(path, kRuleCode, "must be at least " + number_text(row.min) + "s, found " + found);
    if (seconds > row.max) refuse(path, kRuleCode, "must be at most " + number_text(row.max) + "s, found " + found);
  }

  void scalar(const pb::Message& message, const FieldDescriptor& field, int index, const Field& row, const std::string& path) {
    const pb::Reflection& r = *message.GetReflection();
    double number = 0;
    std::string text;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string value = index < 0 ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index);
        if (row.checks & filters::kNotEmpty && value.empty()) return refuse(path, kRuleCode, "must not be empty");
        if (row.checks & filters::kHeaderName && !legal_header_name(value))
          return refuse(path, kRuleCode, "is no legal header name: \"" + printable(value) + "\"");
        if (row.checks & filters::kHeaderValue && !legal_header_text(value))
          return refuse(path, kRuleCode, "is no legal header value: \"" + printable(value) + "\"");
        if (static_cast<double>(value.size()) > row.max)
          return refuse(path, kRuleCode, "is longer than " + number_text(row.max) + " bytes");
        text = value;
        break;
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int value = index < 0 ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index);
        const pb::EnumValueDescriptor* known = field.enum_type()->FindValueByNumber(value);
        if (!known) return refuse(path, kRuleCode, std::to_string(value) + " is no value of " + field.enum_type()->full_name());
        text = known->name();
        break;
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        text = (index < 0 ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index)) ? "true" : "false";
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        number = index < 0 ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        number = index < 0 ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        number = static_cast<double>(index < 0 ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        number = static_cast<double>(index < 0 ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        number = index < 0 ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index);
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        number = index < 0 ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE: return;
    }
    const bool numeric =
        text.empty() && field.cpp_type() != FieldDescriptor::CPPTYPE_STRING && field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM;
    if (numeric) {
      text = number_text(number);
      if (std::isnan(number)) return refuse(path, kRuleCode, "is not a number");
      if (number < row.min) return refuse(path, kRuleCode, "must be at least " + number_text(row.min) + ", found " + text);
      if (number > row.max) return refuse(path, kRuleCode, "must be at most " + number_text(row.max) + ", found " + text);
    }
    if (!row.only.empty() && !has_word(row.only, text)) {
      std::string allowed;
      for (std::string_view word : words(row.only)) allowed += (allowed.empty() ? "" : ", ") + std::string(word);
      refuse(path, kUnsupportedCode, text + " is not supported by this version; supported: " + allowed);
    }
  }

  static std::string printable(std::string_view text) {
    std::string out;
    for (char c : text.substr(0, 60)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return out;
  }

  // Rules that an absent field breaks.
  void missing(const pb::Message& message, const Field& row, const std::string& path) {
    if (!row.ignored.empty()) return;
    const pb::Descriptor& type = *message.GetDescriptor();
    const FieldDescriptor* field = type.FindFieldByName(std::string(row.name));
    if (!field || field->real_containing_oneof()) return;
    const pb::Reflection& reflection = *message.GetReflection();
    if (field->is_repeated()) {
      if (reflection.FieldSize(message, field) > 0) return;
      const bool numbers = field->cpp_type() != FieldDescriptor::CPPTYPE_STRING && field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
      if (row.checks & filters::kNotEmpty || (row.min >= 1 && !numbers))
        refuse(join(path, row.name), kRuleCode, "must have at least one item");
      return;
    }
    if (reflection.HasField(message, field)) return;
    if (field->has_presence()) {
      if (row.checks & filters::kRequired) refuse(join(path, row.name), kRuleCode, "is required");
      return;
    }
    // A plain scalar at its default is not listed among the fields that are set.
    const bool text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    if (row.checks & filters::kNotEmpty)
      refuse(join(path, row.name), kRuleCode, "must not be empty");
    else if (!text && row.min > 0)
      refuse(join(path, row.name), kRuleCode, "must be at least " + number_text(row.min));
    else if (!row.only.empty() && field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
             !has_word(row.only, field->enum_type()->FindValueByNumber(0)->name()))
      refuse(join(path, row.name), kRuleCode, "must be set to one of: " + std::string(row.only));
  }

  // What people call the extension: the `name` beside its configuration, which they chose, and the message's type.
  static std::string title(const pb::Message* owner, const std::string& type) {
    const FieldDescriptor* field = !owner ? nullptr : owner->GetDescriptor()->FindFieldByName("name");
    if (!field || field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return type;
    const std::string name = owner->GetReflection()->GetString(*owner, field);
    return name.empty() || name == type ? type : "\"" + name + "\" (" + type + ")";
  }

  void any(const pb::Message* owner, const pb::Any& any, const std::string& path, std::string_view takes, int depth) {
    if (any.type_url().empty()) return refuse(path, kRuleCode, "is empty: an extension's configuration with its \"@type\" is expected");
    const std::string name(type_name(any.type_url()));
    const FieldTable* table = find_table(name);
    if (!table || (!takes.empty() && !has_word(table->categories, takes)) || table->categories.empty()) {
      std::string known;
      for (const FieldTable& candidate : all_tables())
        if (!takes.empty() && has_word(candidate.categories, takes)) known += (known.empty() ? "" : ", ") + std::string(candidate.message);
      return refuse(path, kUnsupportedCode,
                    "extension " + title(owner, name) + " is not supported " +
                        (takes.empty() ? "by this version" : "here by this version; supported: " + known) +
                        (takes == "network_filter" && !table ? "; a TcpProxy in its place carries what it would have read" : ""));
    }
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    if (!type) return refuse(path, kUnsupportedCode, "extension " + name + " is not supported by this version");
    std::unique_ptr<pb::Message> inner(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
    if (!inner->ParseFromString(any.value())) return refuse(path, kRuleCode, "holds bytes that are no " + name);
    message(*inner, path + ".(" + std::string(short_name(name)) + ")", {}, depth + 1);
  }

  void refuse(const std::string& path, std::string_view code, std::string what) {
    Diagnostic problem;
    problem.code = code;
    problem.field = path;
    problem.message = std::move(what);
    problems_.push_back(std::move(problem));
  }

  Diagnostics& problems_;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string limits_of(const Field& row, const FieldDescriptor* field) {
  std::string out;
  auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  const std::string unit = field && field->message_type() && field->message_type()->full_name() == "google.protobuf.Duration" ? "s" : "";
  const bool message = field && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  const bool length = field && (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING || (message && field->is_repeated()));
  if (row.checks & filters::kRequired) add("required");
  if (row.checks & filters::kNotEmpty) add("not empty");
  if (row.checks & filters::kPositive) add("greater than 0s");
  if (row.checks & filters::kHeaderName) add("a header's name");
  if (std::isfinite(row.min)) add("at least " + number_text(row.min) + unit);
  if (std::isfinite(row.max)) add("at most " + number_text(row.max) + unit + (length ? field->is_repeated() ? " items" : " bytes" : ""));
  if (!row.only.empty()) add("only " + std::string(row.only));
  if (!row.takes.empty()) add("an extension of kind `" + std::string(row.takes) + "`");
  if (!row.note.empty()) add(std::string(row.note));
  return out;
}

std::string type_text(const FieldDescriptor* field) {
  if (!field) return "";
  std::string type = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? field->message_type()->full_name()
                     : field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM  ? field->enum_type()->full_name()
                                                                           : std::string(field->type_name());
  if (field->is_map())
    type = std::string(short_name(field->message_type()->map_value()->message_type()
                                      ? field->message_type()->map_value()->message_type()->full_name()
                                      : "string")) +
           " by key";
  else {
    type = short_name(type);
    if (field->is_repeated()) type = "list of " + type;
  }
  return type;
}

}  // namespace

const std::vector<FieldTable>& all_tables() {
  static const std::vector<FieldTable> tables = [] {
    link_extension_types();
    std::vector<FieldTable> all;
    for (auto area : {bootstrap_tables(), listener_tables(), socket_tables(), route_tables(), cluster_tables(), common_tables()})
      all.insert(all.end(), area.begin(), area.end());
    for (const filters::HttpFilterType& type : filters::http_filter_types()) {
      const filters::FieldTables own = type.tables();
      all.insert(all.end(), own.begin(), own.end());
    }
    for (const filters::NetworkFilterType& type : filters::network_filter_types()) {
      const filters::FieldTables own = type.tables();
      all.insert(all.end(), own.begin(), own.end());
    }
    return all;
  }();
  return tables;
}

const FieldTable* find_table(std::string_view message) {
  static const std::unordered_map<std::string_view, const FieldTable*> index = [] {
    std::unordered_map<std::string_view, const FieldTable*> map;
    for (const FieldTable& table : all_tables()) map.emplace(table.message, &table);
    return map;
  }();
  auto at = index.find(message);
  return at == index.end() ? nullptr : at->second;
}

bool check_fields(const pb::Message& message, const std::string& path, Diagnostics& problems) {
  const size_t before = problems.size();
  Checker(problems).message(message, path, {}, 0);
  return problems.size() == before;
}

std::string render_reference() {
  std::string out =
      "# Envoy configuration that weft-proxy takes\n\n"
      "Rendered from the tables that the proxy itself checks with; do not edit. A field or extension that is not listed here is\n"
      "refused by its full path and name, in a file with line and caret, over xDS as a NACK. *Ignored* fields may be set and change\n"
      "nothing, *refused* ones may not, each for the reason given.\n\n## Extensions\n\n| kind | types |\n| --- | --- |\n";
  std::map<std::string, std::string> kinds;
  for (const FieldTable& table : all_tables())
    for (std::string_view category : words(table.categories)) {
      std::string& types = kinds[std::string(category)];
      types += (types.empty() ? "`" : ", `") + std::string(table.message) + "`";
    }
  for (const auto& [kind, types] : kinds) out += "| " + kind + " | " + types + " |\n";
  out += "\n## Messages\n";
  for (const FieldTable& table : all_tables()) {
    out += "\n### " + std::string(table.message) + "\n\n";
    if (!table.note.empty()) out += std::string(table.note) + ".\n\n";
    if (table.whole) {
      out += "Every field.\n";
      continue;
    }
    if (table.size == 0) {
      out += "No fields.\n";
      continue;
    }
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(table.message));
    out += "| field | type | |\n| --- | --- | --- |\n";
    for (unsigned i = 0; i < table.size; ++i) {
      const Field& row = table.fields[i];
      const FieldDescriptor* field = type ? type->FindFieldByName(std::string(row.name)) : nullptr;
      out += "| `" + std::string(row.name) + "` | " + type_text(field) + " | " +
             (!row.refused.empty()   ? "*refused*: " + escaped(row.refused)
              : !row.ignored.empty() ? "*ignored*: " + escaped(row.ignored)
                                     : escaped(limits_of(row, field))) +
             " |\n";
    }
    std::string required;
    for (std::string_view name : words(table.required)) {
      const pb::OneofDescriptor* oneof = type ? type->FindOneofByName(std::string(name)) : nullptr;
      std::string members;
      for (int i = 0; oneof && i < oneof->field_count(); ++i)
        if (Checker::is_taken(Checker::find_row(table, oneof->field(i)->name())))
          members += (members.empty() ? "`" : ", `") + oneof->field(i)->name() + "`";
      required += "\nOne of " + members + " must be set.\n";
    }
    out += required;
  }
  return out;
}

}  // namespace weft::config
