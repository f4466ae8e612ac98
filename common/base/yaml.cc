#include "common/base/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <unordered_set>

namespace weft::yaml {
namespace {

constexpr std::string_view kSyntaxCode = "WEFT0001";

struct Failure {
  Mark mark;
  std::string message;
};

Mark mark_of(const yaml_mark_t& mark) { return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1}; }

// One parse: pulls libyaml's events and builds nodes. Throws Failure, which parse() catches.
class Builder {
 public:
  Builder(std::string_view text, const Limits& limits) : limits_(limits) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark says nothing in UTF-8
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Builder() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  std::vector<Node> documents() {
    std::vector<Node> roots;
    for (;;) {
      next();
      if (event_.type == YAML_STREAM_END_EVENT) return roots;
      if (event_.type != YAML_DOCUMENT_START_EVENT) continue;
      anchors_.clear();
      next();
      Node root = node(0);
      if (!root.is_null()) roots.push_back(std::move(root));
    }
  }

 private:
  void next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_)) return;
    std::string what = parser_.problem ? parser_.problem : "not valid YAML";
    if (parser_.context) what += std::string(" (") + parser_.context + ")";
    Mark at = parser_.problem_mark.line || parser_.problem_mark.column ? mark_of(parser_.problem_mark) : mark_of(parser_.mark);
    throw Failure{at, what};
  }

  Node node(int depth) {
    if (depth > limits_.depth) throw Failure{mark_of(event_.start_mark), "nested deeper than " + std::to_string(limits_.depth) + " levels"};
    count(1, event_.start_mark);
    switch (event_.type) {
      case YAML_SCALAR_EVENT: return scalar();
      case YAML_SEQUENCE_START_EVENT: return sequence(depth);
      case YAML_MAPPING_START_EVENT: return map(depth);
      case YAML_ALIAS_EVENT: return alias();
      default: throw Failure{mark_of(event_.start_mark), "unexpected end of the document"};
    }
  }

  Node scalar() {
    const auto& s = event_.data.scalar;
    refuse_tag(s.tag, s.plain_implicit || s.quoted_implicit);
    Node node;
    node.mark = mark_of(event_.start_mark);
    node.text.assign(reinterpret_cast<const char*>(s.value), s.length);
    node.quoted = s.style != YAML_PLAIN_SCALAR_STYLE || (s.tag && std::string_view(reinterpret_cast<const char*>(s.tag)) == YAML_STR_TAG);
    const bool null =
        !node.quoted && (node.text.empty() || node.text == "~" || node.text == "null" || node.text == "Null" || node.text == "NULL");
    node.kind = null ? Node::Kind::kNull : Node::Kind::kScalar;
    remember(s.anchor, node);
    return node;
  }

  Node sequence(int depth) {
    refuse_tag(event_.data.sequence_start.tag, event_.data.sequence_start.implicit);
    Node list;
    list.kind = Node::Kind::kSequence;
    list.mark = mark_of(event_.start_mark);
    const std::string anchor = name_of(event_.data.sequence_start.anchor);
    for (next(); event_.type != YAML_SEQUENCE_END_EVENT; next()) list.items.push_back(node(depth + 1));
    remember(anchor, list);
    return list;
  }

  Node map(int depth) {
    refuse_tag(event_.data.mapping_start.tag, event_.data.mapping_start.implicit);
    Node map;
    map.kind = Node::Kind::kMap;
    map.mark = mark_of(event_.start_mark);
    const std::string anchor = name_of(event_.data.mapping_start.anchor);
    std::unordered_set<std::string> seen;
    std::vector<Node> merges;
    for (next(); event_.type != YAML_MAPPING_END_EVENT; next()) {
      Mark key_mark = mark_of(event_.start_mark);
      const bool plain = event_.type == YAML_SCALAR_EVENT && event_.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      Node key = node(depth + 1);
      if (!key.is_scalar() && !key.is_null()) throw Failure{key_mark, "a key must be a scalar, found " + key.describe()};
      next();
      Node value = node(depth + 1);
      if (plain && key.text == "<<") {
        merge_into(merges, std::move(value));
        continue;
      }
      if (!seen.insert(key.text).second) throw Failure{key_mark, "duplicate key \"" + key.text + "\""};
      map.entries.push_back({std::move(key.text), key_mark, std::move(value)});
    }
    // YAML's merge key: what the map itself says wins, then earlier merges.
    for (Node& from : merges)
      for (Entry& entry : from.entries)
        if (seen.insert(entry.key).second) map.entries.push_back(std::move(entry));
    remember(anchor, map);
    return map;
  }

  void merge_into(std::vector<Node>& merges, Node value) {
    if (value.is_map()) {
      merges.push_back(std::move(value));
    } else if (value.is_sequence()) {
      for (Node& item : value.items) merge_into(merges, std::move(item));
    } else {
      throw Failure{value.mark, "a merge key (<<) takes a map or a list of maps, found " + value.describe()};
    }
  }

  Node alias() {
    const std::string name = name_of(event_.data.alias.anchor);
    auto found = anchors_.find(name);
    if (found == anchors_.end()) throw Failure{mark_of(event_.start_mark), "unknown alias \"*" + name + "\""};
    count(size_of(found->second), event_.start_mark);
    return found->second;
  }

  void count(size_t nodes, const yaml_mark_t& at) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes)
      throw Failure{mark_of(at), "more than " + std::to_string(limits_.nodes) + " nodes once aliases are expanded"};
  }
  static size_t size_of(const Node& node) {
    size_t n = 1;
    for (const Node& item : node.items) n += size_of(item);
    for (const Entry& entry : node.entries) n += size_of(entry.value);
    return n;
  }
  void refuse_tag(const yaml_char_t* tag, bool implicit) {
    if (!tag || implicit) return;
    std::string_view name(reinterpret_cast<const char*>(tag));
    if (name == YAML_STR_TAG || name == YAML_SEQ_TAG || name == YAML_MAP_TAG || name == "!") return;
    throw Failure{mark_of(event_.start_mark), "the tag \"" + std::string(name) + "\" is not supported"};
  }
  static std::string name_of(const yaml_char_t* anchor) { return anchor ? reinterpret_cast<const char*>(anchor) : ""; }
  void remember(const yaml_char_t* anchor, const Node& node) { remember(name_of(anchor), node); }
  void remember(const std::string& anchor, const Node& node) {
    if (!anchor.empty()) anchors_[anchor] = node;
  }

  yaml_parser_t parser_{};
  yaml_event_t event_{};
  Limits limits_;
  size_t nodes_ = 0;
  std::map<std::string, Node> anchors_;
};

// Characters that JSON would take as they are and YAML's readers refuse or take for the end of a line: delete, the C1 controls,
// U+2028, U+2029, U+FEFF, U+FFFE and U+FFFF.
// How many bytes of UTF-8 at the start of `text` make one of them, or 0.
size_t unprintable(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (byte(0) == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9)) return 3;
  if (byte(0) == 0xef && ((byte(1) == 0xbb && byte(2) == 0xbf) || (byte(1) == 0xbf && byte(2) >= 0xbe))) return 3;
  return 0;
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (const size_t bytes = unprintable(text.substr(i))) {
          unsigned code = static_cast<unsigned char>(c);
          if (bytes > 1) code &= 0xffu >> (bytes + 1);
          for (size_t k = 1; k < bytes; ++k) code = (code << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", code & 0xffff);
          out += escape;
          i += bytes - 1;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// Whether a plain scalar is a number, boolean or null of the core schema, so that it must be quoted to stay a string.
bool typed_by_schema(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return true;
  Node plain;
  plain.kind = Node::Kind::kScalar;
  plain.text = text;
  bool b;
  double d;
  long long i;
  return to_bool(plain, b) || to_int(plain, i) || to_double(plain, d);
}

void append_json(const Node& node, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kNull: out += "null"; return;
    case Node::Kind::kScalar: {
      bool b;
      long long i;
      double d;
      if (!node.quoted && to_bool(node, b))
        out += b ? "true" : "false";
      else if (!node.quoted && to_int(node, i))
        out += std::to_string(i);
      else if (!node.quoted && to_double(node, d) && std::isfinite(d)) {
        char text[32];
        out.append(text, std::to_chars(text, text + sizeof text, d).ptr);
      } else
        append_json_string(node.text, out);
      return;
    }
    case Node::Kind::kSequence: {
      out += '[';
      bool first = true;
      for (const Node& item : node.items) {
        if (!first) out += ',';
        first = false;
        append_json(item, out);
      }
      out += ']';
      return;
    }
    case Node::Kind::kMap: {
      out += '{';
      bool first = true;
      for (const Entry& entry : node.entries) {
        if (!first) out += ',';
        first = false;
        append_json_string(entry.key, out);
        out += ':';
        append_json(entry.value, out);
      }
      out += '}';
      return;
    }
  }
}

std::string yaml_scalar(const Node& node) {
  const std::string& t = node.text;
  if (!node.quoted && !t.empty() && typed_by_schema(t)) return t;  // -3 stays a number
  const bool plain_ok = !t.empty() && t.find_first_of("\n\r\t\"'#:{}[],&*!|>%@`\\") == std::string::npos && t.front() != '-' &&
                        t.front() != '?' && t.front() != ' ' && t.back() != ' ' && t.front() != '=' && t != "<<" &&
                        std::all_of(t.begin(), t.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (plain_ok && !(node.quoted && typed_by_schema(t))) return t;
  std::string out;
  append_json_string(t, out);
  return out;
}

void append_yaml(const Node& node, int indent, bool in_list, std::string& out) {
  const std::string pad(static_cast<size_t>(indent), ' ');
  if (node.is_map() && !node.entries.empty()) {
    bool first = true;
    for (const Entry& entry : node.entries) {
      if (!(first && in_list)) out += pad;
      first = false;
      Node key;
      key.kind = Node::Kind::kScalar;
      key.text = entry.key;
      key.quoted = true;
      out += yaml_scalar(key) + ":";
      const bool nested =
          (entry.value.is_map() && !entry.value.entries.empty()) || (entry.value.is_sequence() && !entry.value.items.empty());
      out += nested ? "\n" : " ";
      append_yaml(entry.value, entry.value.is_map() ? indent + 2 : indent, false, out);
    }
  } else if (node.is_sequence() && !node.items.empty()) {
    bool first = true;
    for (const Node& item : node.items) {
      if (!(first && in_list)) out += pad;
      first = false;
      out += "- ";
      append_yaml(item, indent + 2, true, out);
    }
  } else if (node.is_map()) {
    out += "{}\n";
  } else if (node.is_sequence()) {
    out += "[]\n";
  } else if (node.is_null()) {
    out += "null\n";
  } else {
    out += yaml_scalar(node) + "\n";
  }
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::kNull: return "null";
    case Kind::kSequence: return "a list";
    case Kind::kMap: return "a map";
    case Kind::kScalar: break;
  }
  std::string out;
  append_json_string(text.size() > 60 ? text.substr(0, 57) + "..." : text, out);
  return out;
}

Diagnostic Document::at(Mark mark, std::string code, std::string message, std::string field) const {
  Diagnostic finding;
  finding.code = std::move(code);
  finding.message = std::move(message);
  finding.file = file;
  finding.mark = mark;
  finding.field = std::move(field);
  if (source) finding.source_line = std::string(line_of(*source, mark.line));
  return finding;
}

bool parse(std::string_view text, const std::string& file, std::vector<Document>& documents, Diagnostic& problem, const Limits& limits) {
  auto source = std::make_shared<const std::string>(text);
  auto fail = [&](Mark mark, std::string message) {
    Document where{{}, file, source};
    problem = where.at(mark, std::string(kSyntaxCode), std::move(message));
    return false;
  };
  if (text.size() > limits.bytes) return fail({1, 1}, "larger than " + std::to_string(limits.bytes) + " bytes");
  try {
    Builder builder(*source, limits);
    for (Node& root : builder.documents()) documents.push_back({std::move(root), file, source});
    return true;
  } catch (const Failure& failure) {
    documents.clear();
    return fail(failure.mark, failure.message);
  }
}

bool parse_file(const std::string& path, std::vector<Document>& documents, Diagnostic& problem, const Limits& limits) {
  std::ifstream in(path, std::ios::binary);
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);  // opens all the same, and reads as nothing
  if (!in || folder) {
    problem = {};
    problem.code = "WEFT0002";
    problem.message = system_error("cannot read", folder ? EISDIR : errno).detail;
    problem.file = path;
    return false;
  }
  std::ostringstream text;
  text << in.rdbuf();
  return parse(text.str(), path, documents, problem, limits);
}

bool to_bool(const Node& node, bool& value) {
  if (!node.is_scalar()) return false;
  if (node.text == "true" || node.text == "True" || node.text == "TRUE") return value = true, true;
  if (node.text == "false" || node.text == "False" || node.text == "FALSE") return value = false, true;
  return false;
}

bool to_int(const Node& node, long long& value) {
  if (!node.is_scalar() || node.text.empty()) return false;
  std::string_view t = node.text;
  int base = 10;
  bool negative = false;
  if (t.starts_with("0x"))
    base = 16, t.remove_prefix(2);
  else if (t.starts_with("0o"))
    base = 8, t.remove_prefix(2);
  else if (t.front() == '+' || t.front() == '-')
    negative = t.front() == '-', t.remove_prefix(1);
  if (t.empty() || t.front() == '-' || t.front() == '+') return false;
  unsigned long long magnitude = 0;
  auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), magnitude, base);
  if (error != std::errc() || end != t.data() + t.size()) return false;
  if (magnitude > 9223372036854775807ull) return false;
  value = negative ? -static_cast<long long>(magnitude) : static_cast<long long>(magnitude);
  return true;
}

bool to_double(const Node& node, double& value) {
  if (!node.is_scalar() || node.text.empty()) return false;
  std::string_view t = node.text;
  if (t == ".inf" || t == "+.inf") return value = HUGE_VAL, true;
  if (t == "-.inf") return value = -HUGE_VAL, true;
  if (t.front() == '+') t.remove_prefix(1);
  if (t.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return false;
  auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
  return error == std::errc() && end == t.data() + t.size();
}

std::string to_json(const Node& node) {
  std::string out;
  append_json(node, out);
  return out;
}

std::string to_yaml(const Node& node) {
  std::string out;
  append_yaml(node, 0, false, out);
  return out;
}

}  // namespace weft::yaml
