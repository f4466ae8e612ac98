#include "proxy/config/proto_loader.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace weft::config {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;
using yaml::Node;

constexpr int kMaxDepth = 64;

bool is_wrapper(std::string_view name) {
  static const std::set<std::string_view> names = {
      "google.protobuf.BoolValue",   "google.protobuf.Int32Value",  "google.protobuf.UInt32Value",
      "google.protobuf.Int64Value",  "google.protobuf.UInt64Value", "google.protobuf.FloatValue",
      "google.protobuf.DoubleValue", "google.protobuf.StringValue", "google.protobuf.BytesValue"};
  return names.contains(name);
}

// Those whose JSON form is not a map of their fields: inside an Any they stand under "value".
bool has_own_form(std::string_view name) {
  return is_wrapper(name) || name == "google.protobuf.Duration" || name == "google.protobuf.Timestamp" ||
         name == "google.protobuf.Struct" || name == "google.protobuf.Value" || name == "google.protobuf.ListValue" ||
         name == "google.protobuf.Any";
}

bool decode_base64(std::string_view text, std::string& out) {
  uint32_t bits = 0;
  int held = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (char c : text) {
    int v;
    if (c >= 'A' && c <= 'Z')
      v = c - 'A';
    else if (c >= 'a' && c <= 'z')
      v = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      v = c - '0' + 52;
    else if (c == '+' || c == '-')
      v = 62;
    else if (c == '/' || c == '_')
      v = 63;
    else
      return false;
    bits = (bits << 6) | static_cast<uint32_t>(v);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>((bits >> held) & 0xff);
    }
  }
  return held < 6;
}

std::string expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return "an integer from -2147483648 to 2147483647";
    case FieldDescriptor::CPPTYPE_UINT32: return "an integer from 0 to 4294967295";
    case FieldDescriptor::CPPTYPE_INT64: return "an integer (64 bits)";
    case FieldDescriptor::CPPTYPE_UINT64: return "an integer of 0 or more (64 bits)";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: return "a number";
    case FieldDescriptor::CPPTYPE_BOOL: return "true or false";
    case FieldDescriptor::CPPTYPE_STRING: return field.type() == FieldDescriptor::TYPE_BYTES ? "base64 text" : "text";
    case FieldDescriptor::CPPTYPE_ENUM: return "one of the names of " + std::string(short_name(field.enum_type()->full_name()));
    case FieldDescriptor::CPPTYPE_MESSAGE: return "a map";
  }
  return "another kind of value";
}

// Whole numbers also as 1e3 or 10.0 (as protobuf reads them), and in quotes.
template <class T>
bool parse_integer(const Node& node, T& value) {
  const std::string& text = node.text;
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (auto [rest, error] = std::from_chars(begin, end, value); error == std::errc() && rest == end && !text.empty()) return true;
  long long whole = 0;
  if (yaml::to_int(node, whole)) {  // 0x, 0o, +
    value = static_cast<T>(whole);
    return static_cast<long long>(value) == whole && (whole >= 0 || std::numeric_limits<T>::is_signed);
  }
  double real = 0;
  if (node.quoted || !yaml::to_double(node, real) || std::trunc(real) != real || std::abs(real) > 9e15) return false;
  if (real < static_cast<double>(std::numeric_limits<T>::min()) || real > static_cast<double>(std::numeric_limits<T>::max())) return false;
  value = static_cast<T>(real);
  return true;
}

bool parse_real(const Node& node, double& value) {
  if (node.text == "NaN" || node.text == "Infinity" || node.text == "-Infinity") {
    value = node.text == "NaN" ? std::nan("") : node.text[0] == '-' ? -INFINITY : INFINITY;
    return true;
  }
  Node plain = node;
  plain.quoted = false;
  return yaml::to_double(plain, value);
}

class Loader {
 public:
  Loader(const yaml::Document& document, Diagnostics& problems, const LoadOptions& options)
      : document_(document), problems_(problems), options_(options) {}

  void message(const Node& node, pb::Message& to, const std::string& path, int depth = 0) {
    if (depth > kMaxDepth) return fail(node.mark, path, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    const pb::Descriptor& type = *to.GetDescriptor();
    if (special(node, to, path, depth)) return;
    if (!node.is_map())
      return fail(node.mark, path, "expected a map with the fields of " + type.full_name() + ", found " + node.describe());
    std::map<int, std::string> seen_fields;
    std::map<const pb::OneofDescriptor*, std::string> seen_oneofs;
    for (const yaml::Entry& entry : node.entries) {
      if (entry.key == "@type" && in_any_) {
        continue;
      }
      const FieldDescriptor* field = type.FindFieldByName(entry.key);
      if (!field) field = type.FindFieldByCamelcaseName(entry.key);
      if (!field) {
        unknown_field(entry, type, path);
        continue;
      }
      const std::string where = join(path, field->name());
      if (entry.value.is_null() && !(field->message_type() && field->message_type()->full_name() == "google.protobuf.Value")) continue;
      if (auto [at, fresh] = seen_fields.emplace(field->number(), entry.key); !fresh) {
        fail(entry.mark, where, "set twice: as \"" + at->second + "\" and as \"" + entry.key + "\"");
        continue;
      }
      if (const pb::OneofDescriptor* oneof = field->real_containing_oneof()) {
        if (auto [at, fresh] = seen_oneofs.emplace(oneof, entry.key); !fresh) {
          fail(entry.mark, where, "only one of " + oneof->name() + " may be set: \"" + at->second + "\" is already there");
          continue;
        }
      }
      const bool outer = std::exchange(in_any_, false);
      if (field->is_map())
        map_field(entry.value, to, *field, where, depth);
      else if (field->is_repeated())
        repeated(entry.value, to, *field, where, depth);
      else
        single(entry.value, to, *field, where, depth);
      in_any_ = outer;
    }
  }

  void fail(Mark mark, const std::string& path, std::string what, std::string fix = {}) {
    Diagnostic problem = document_.at(mark, std::string(kLoadCode), std::move(what), path);
    problem.fix = std::move(fix);
    problems_.push_back(std::move(problem));
  }

 private:
  void unknown_field(const yaml::Entry& entry, const pb::Descriptor& type, const std::string& path) {
    std::vector<std::string_view> names;
    for (int i = 0; i < type.field_count(); ++i) {
      names.push_back(type.field(i)->name());
      names.push_back(type.field(i)->camelcase_name());
    }
    const std::string_view meant = did_you_mean(entry.key, names);
    fail(entry.mark, join(path, entry.key), "unknown field \"" + entry.key + "\" of " + type.full_name(),
         meant.empty() ? std::string() : "did you mean \"" + std::string(meant) + "\"?");
    if (options_.allow_unknown_fields) problems_.back().severity = Severity::kWarning;
  }

  void repeated(const Node& node, pb::Message& to, const FieldDescriptor& field, const std::string& path, int depth) {
    if (!node.is_sequence())
      return fail(node.mark, path, "expected a list, found " + node.describe(),
                  node.is_map() ? "write it as a list item: \"- ...\"" : "write it as [...]");
    int index = to.GetReflection()->FieldSize(to, &field);
    for (const Node& item : node.items) {
      const std::string where = path + "[" + std::to_string(index) + "]";
      ++index;
      if (item.is_null() && field.message_type() == nullptr) {
        fail(item.mark, where, "expected " + expected(field) + ", found null");
        continue;
      }
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        message(item, *to.GetReflection()->AddMessage(&to, &field), where, depth + 1);
      else
        scalar(item, to, field, where, true);
    }
  }

  void map_field(const Node& node, pb::Message& to, const FieldDescriptor& field, const std::string& path, int depth) {
    if (!node.is_map()) return fail(node.mark, path, "expected a map, found " + node.describe());
    const FieldDescriptor& key = *field.message_type()->map_key();
    const FieldDescriptor& value = *field.message_type()->map_value();
    for (const yaml::Entry& entry : node.entries) {
      const std::string where = path + "[\"" + entry.key + "\"]";
      if (entry.value.is_null()) {
        fail(entry.value.mark, where, "a map's value may not be null");
        continue;
      }
      pb::Message& pair = *to.GetReflection()->AddMessage(&to, &field);
      Node key_node;
      key_node.kind = Node::Kind::kScalar;
      key_node.text = entry.key;
      key_node.mark = entry.mark;
      scalar(key_node, pair, key, where, false);
      if (value.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        message(entry.value, *pair.GetReflection()->MutableMessage(&pair, &value), where, depth + 1);
      else
        scalar(entry.value, pair, value, where, false);
    }
  }

  void single(const Node& node, pb::Message& to, const FieldDescriptor& field, const std::string& path, int depth) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
      message(node, *to.GetReflection()->MutableMessage(&to, &field), path, depth + 1);
    else
      scalar(node, to, field, path, false);
  }

  void scalar(const Node& node, pb::Message& to, const FieldDescriptor& field, const std::string& path, bool add) {
    auto wrong = [&] { fail(node.mark, path, "expected " + expected(field) + ", found " + node.describe()); };
    if (!node.is_scalar()) return wrong();
    const pb::Reflection& r = *to.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t v;
        if (!parse_integer(node, v)) return wrong();
        return add ? r.AddInt32(&to, &field, v) : r.SetInt32(&to, &field, v);
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        uint32_t v;
        if (!parse_integer(node, v)) return wrong();
        return add ? r.AddUInt32(&to, &field, v) : r.SetUInt32(&to, &field, v);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        int64_t v;
        if (!parse_integer(node, v)) return wrong();
        return add ? r.AddInt64(&to, &field, v) : r.SetInt64(&to, &field, v);
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        uint64_t v;
        if (!parse_integer(node, v)) return wrong();
        return add ? r.AddUInt64(&to, &field, v) : r.SetUInt64(&to, &field, v);
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double v;
        if (!parse_real(node, v)) return wrong();
        return add ? r.AddDouble(&to, &field, v) : r.SetDouble(&to, &field, v);
      }
      case FieldDescriptor::CPPTYPE_FLOAT: {
        double v;
        if (!parse_real(node, v)) return wrong();
        return add ? r.AddFloat(&to, &field, static_cast<float>(v)) : r.SetFloat(&to, &field, static_cast<float>(v));
      }
      case FieldDescriptor::CPPTYPE_BOOL: {
        bool v;
        if (node.quoted || !yaml::to_bool(node, v)) return wrong();
        return add ? r.AddBool(&to, &field, v) : r.SetBool(&to, &field, v);
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string v = node.text;
        if (field.type() == FieldDescriptor::TYPE_BYTES) {
          v.clear();
          if (!decode_base64(node.text, v)) return wrong();
        }
        return add ? r.AddString(&to, &field, std::move(v)) : r.SetString(&to, &field, std::move(v));
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        int number;
        if (!enum_value(node, *field.enum_type(), path, number)) return;
        return add ? r.AddEnumValue(&to, &field, number) : r.SetEnumValue(&to, &field, number);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE: return;
    }
  }

  bool enum_value(const Node& node, const pb::EnumDescriptor& type, const std::string& path, int& number) {
    if (const pb::EnumValueDescriptor* value = type.FindValueByName(node.text)) {
      number = value->number();
      return true;
    }
    if (!node.quoted && parse_integer(node, number)) {
      if (type.FindValueByNumber(number)) return true;
      fail(node.mark, path, std::to_string(number) + " is no value of " + type.full_name());
      return false;
    }
    std::vector<std::string_view> names;
    std::string all;
    for (int i = 0; i < type.value_count(); ++i) {
      names.push_back(type.value(i)->name());
      all += (i ? ", " : "") + type.value(i)->name();
    }
    const std::string_view meant = did_you_mean(node.text, names);
    fail(node.mark, path, "unknown value " + node.describe() + " of " + type.full_name() + "; expected one of " + all,
         meant.empty() ? std::string() : "did you mean \"" + std::string(meant) + "\"?");
    return false;
  }

  // Messages with a JSON form of their own. False: an ordinary one.
  bool special(const Node& node, pb::Message& to, const std::string& path, int depth) {
    const std::string& name = to.GetDescriptor()->full_name();
    if (name.compare(0, 16, "google.protobuf.") != 0) return false;
    if (name == "google.protobuf.Any") return any(node, to, path, depth), true;
    if (is_wrapper(name)) {
      // A wrapper's field is always number 1, "value".
      return scalar(node, to, *to.GetDescriptor()->FindFieldByNumber(1), path, false), true;
    }
    if (name == "google.protobuf.Duration") {
      int64_t seconds;
      int32_t nanos;
      if (!node.is_scalar() || !parse_duration(node.text, seconds, nanos))
        return fail(node.mark, path, "expected a duration such as \"0.25s\", found " + node.describe()), true;
      const pb::Descriptor& type = *to.GetDescriptor();
      to.GetReflection()->SetInt64(&to, type.FindFieldByNumber(1), seconds);
      to.GetReflection()->SetInt32(&to, type.FindFieldByNumber(2), nanos);
      return true;
    }
    if (name == "google.protobuf.Timestamp") {
      pb::Timestamp time;
      if (!node.is_scalar() || !pb::util::TimeUtil::FromString(node.text, &time))
        return fail(node.mark, path, "expected a time such as \"2026-01-31T12:00:00Z\", found " + node.describe()), true;
      return to.CopyFrom(time), true;
    }
    if (name == "google.protobuf.Struct") {
      if (!node.is_map()) return fail(node.mark, path, "expected a map, found " + node.describe()), true;
      return fill_struct(node, static_cast<pb::Struct&>(to)), true;
    }
    if (name == "google.protobuf.Value") return fill_value(node, static_cast<pb::Value&>(to)), true;
    if (name == "google.protobuf.ListValue") {
      if (!node.is_sequence()) return fail(node.mark, path, "expected a list, found " + node.describe()), true;
      for (const Node& item : node.items) fill_value(item, *static_cast<pb::ListValue&>(to).add_values());
      return true;
    }
    return false;
  }

  void fill_struct(const Node& node, pb::Struct& to) {
    for (const yaml::Entry& entry : node.entries) fill_value(entry.value, (*to.mutable_fields())[entry.key]);
  }
  void fill_value(const Node& node, pb::Value& to) {
    bool truth;
    double number;
    switch (node.kind) {
      case Node::Kind::kNull: return to.set_null_value(pb::NULL_VALUE);
      case Node::Kind::kMap: return fill_struct(node, *to.mutable_struct_value());
      case Node::Kind::kSequence:
        to.mutable_list_value();
        for (const Node& item : node.items) fill_value(item, *to.mutable_list_value()->add_values());
        return;
      case Node::Kind::kScalar: break;
    }
    if (!node.quoted && yaml::to_bool(node, truth))
      to.set_bool_value(truth);
    else if (!node.quoted && yaml::to_double(node, number))
      to.set_number_value(number);
    else
      to.set_string_value(node.text);
  }

  void any(const Node& node, pb::Message& to, const std::string& path, int depth) {
    if (!node.is_map()) return fail(node.mark, path, "expected a map with \"@type\", found " + node.describe());
    if (node.entries.empty()) return;  // an Any that holds nothing: for the field tables to judge
    const Node* url = node.find("@type");
    if (!url || !url->is_scalar() || url->text.empty())
      return fail(node.mark, path, "\"@type\" is missing", "add \"@type\": type.googleapis.com/<full name of the message>");
    const std::string name(type_name(url->text));
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    const pb::Message* prototype = type ? pb::MessageFactory::generated_factory()->GetPrototype(type) : nullptr;
    if (!prototype) {
      const bool network_filter = name.starts_with("envoy.extensions.filters.network.");
      fail(url->mark, path, "the extension type \"" + url->text + "\" is not supported by this version",
           network_filter ? "put a TcpProxy in its place: it carries what this filter would have read" : "");
      problems_.back().code = kUnsupportedCode;
      return;
    }
    std::unique_ptr<pb::Message> inner(prototype->New());
    const std::string where = path + ".(" + std::string(short_name(name)) + ")";
    const bool outer = std::exchange(in_any_, true);
    if (has_own_form(name)) {
      const Node* value = node.find("value");
      in_any_ = false;
      if (value)
        message(*value, *inner, where, depth + 1);
      else
        fail(node.mark, path, "\"value\" is missing beside \"@type\": " + name);
    } else {
      message(node, *inner, where, depth + 1);
    }
    in_any_ = outer;
    static_cast<pb::Any&>(to).set_type_url("type.googleapis.com/" + name);
    // Deterministic, so that equal files give equal hashes.
    inner->SerializePartialToString(static_cast<pb::Any&>(to).mutable_value());
  }

  const yaml::Document& document_;
  Diagnostics& problems_;
  const LoadOptions& options_;
  bool in_any_ = false;  // the map being read carries "@type"
};

Node node_of(const pb::Value& value);

Node node_of(const pb::Struct& value) {
  Node node;
  node.kind = Node::Kind::kMap;
  const std::map<std::string, const pb::Value*> ordered = [&] {
    std::map<std::string, const pb::Value*> m;
    for (const auto& [key, item] : value.fields()) m.emplace(key, &item);
    return m;
  }();
  for (const auto& [key, item] : ordered) node.entries.push_back({key, {}, node_of(*item)});
  return node;
}

Node node_of(const pb::Value& value) {
  Node node;
  switch (value.kind_case()) {
    case pb::Value::kStructValue: return node_of(value.struct_value());
    case pb::Value::kListValue:
      node.kind = Node::Kind::kSequence;
      for (const pb::Value& item : value.list_value().values()) node.items.push_back(node_of(item));
      return node;
    case pb::Value::kBoolValue:
      node.kind = Node::Kind::kScalar;
      node.text = value.bool_value() ? "true" : "false";
      return node;
    case pb::Value::kNumberValue: {
      node.kind = Node::Kind::kScalar;
      char text[32];
      node.text.assign(text, std::to_chars(text, text + sizeof text, value.number_value()).ptr);
      return node;
    }
    case pb::Value::kStringValue:
      node.kind = Node::Kind::kScalar;
      node.quoted = true;
      node.text = value.string_value();
      return node;
    default: return node;
  }
}

}  // namespace

bool load(const yaml::Document& document, pb::Message& message, Diagnostics& problems, const LoadOptions& options) {
  const size_t before = problems.size();
  Loader(document, problems, options).message(document.root, message, {});
  for (size_t i = before; i < problems.size(); ++i)
    if (problems[i].severity == Severity::kError) return false;
  return true;
}

bool load_struct(const pb::Struct& value, pb::Message& message, const std::string& path, Diagnostics& problems) {
  const size_t before = problems.size();
  const yaml::Document document{{}, {}, nullptr};
  const LoadOptions options;
  Loader(document, problems, options).message(node_of(value), message, path);
  return problems.size() == before;
}

Mark locate(const Node& root, std::string_view path, size_t* depth) {
  const Node* node = &root;
  Mark mark = root.mark;
  size_t found = 0;
  // A field's own name is the better place for a caret than the value that follows it.
  while (!path.empty()) {
    if (path.front() == '.') path.remove_prefix(1);
    if (path.empty()) break;
    if (path.front() == '(') {  // the type of an Any: its fields stand in the same map
      const size_t end = path.find(')');
      path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
      continue;
    }
    const yaml::Entry* entry = nullptr;
    const Node* next = nullptr;
    if (path.starts_with("[\"")) {
      const size_t end = path.find("\"]", 2);
      const std::string_view key = path.substr(2, end == std::string_view::npos ? end : end - 2);
      path.remove_prefix(end == std::string_view::npos ? path.size() : end + 2);
      for (const yaml::Entry& candidate : node->entries)
        if (candidate.key == key) entry = &candidate;
    } else if (path.front() == '[') {
      const size_t end = path.find(']');
      size_t index = 0;
      std::from_chars(path.data() + 1, path.data() + (end == std::string_view::npos ? path.size() : end), index);
      path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
      if (index < node->items.size()) next = &node->items[index];
    } else {
      const size_t end = path.find_first_of(".[");
      const std::string_view name = path.substr(0, end);
      path.remove_prefix(name.size());
      for (const yaml::Entry& candidate : node->entries) {
        std::string_view key = candidate.key;
        // snake_case against camelCase: equal but for underscores and capitals.
        size_t i = 0, j = 0;
        while (i < key.size() && j < name.size()) {
          if (name[j] == '_' && key[i] != '_') {
            ++j;
            continue;
          }
          if (std::tolower(static_cast<unsigned char>(key[i])) != std::tolower(static_cast<unsigned char>(name[j]))) break;
          ++i, ++j;
        }
        if (i == key.size() && j == name.size()) entry = &candidate;
      }
    }
    if (entry) {
      node = &entry->value;
      mark = entry->mark;
    } else if (next) {
      node = next;
      mark = next->mark;
    } else {
      break;
    }
    ++found;
  }
  if (depth) *depth = found;
  return mark;
}

std::string join(std::string_view path, std::string_view field) {
  std::string out(path);
  if (!out.empty()) out += '.';
  out += field;
  return out;
}

std::string_view type_name(std::string_view type_url) {
  const size_t slash = type_url.rfind('/');
  return slash == std::string_view::npos ? type_url : type_url.substr(slash + 1);
}

std::string_view short_name(std::string_view full_name) {
  const size_t dot = full_name.rfind('.');
  return dot == std::string_view::npos ? full_name : full_name.substr(dot + 1);
}

bool parse_duration(std::string_view text, int64_t& seconds, int32_t& nanos) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.size() < 2 || text.back() != 's') return false;
  text.remove_suffix(1);
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  if (whole.empty() || fraction.size() > 9 || (dot != std::string_view::npos && fraction.empty())) return false;
  seconds = 0;
  nanos = 0;
  for (char c : whole) {
    if (c < '0' || c > '9') return false;
    seconds = seconds * 10 + (c - '0');
    if (seconds > 315'576'000'000) return false;  // Duration's own bound: 10,000 years
  }
  for (size_t i = 0; i < 9; ++i) {
    const char c = i < fraction.size() ? fraction[i] : '0';
    if (c < '0' || c > '9') return false;
    nanos = nanos * 10 + (c - '0');
  }
  if (negative) seconds = -seconds, nanos = -nanos;
  return true;
}

}  // namespace weft::config
