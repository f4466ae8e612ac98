#include "proxy/format/formatter.h"

#include "proxy/format/escape.h"
#include "proxy/format/operation.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weft::format {

// A text format is one node; a JSON format a tree of them.
struct Formatter::Node {
  enum class Kind : unsigned char { kText, kRaw, kFormat, kObject, kList };
  Kind kind = Kind::kText;
  std::string raw;                                                     // kRaw: finished JSON
  std::vector<Operation> operations;                                   // kText, kFormat
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> members;  // names as finished JSON: "\"key\":"
};

Formatter::Formatter(std::unique_ptr<const Node> root, FormatOptions options) : root_(std::move(root)), options_(options) {}
Formatter::Formatter(Formatter&&) noexcept = default;
Formatter& Formatter::operator=(Formatter&&) noexcept = default;
Formatter::~Formatter() = default;

Result<Formatter> Formatter::text(std::string_view format, FormatOptions options) {
  auto operations = compile(format);
  if (!operations) return operations.error();
  auto node = std::make_unique<Node>();
  node->operations = std::move(*operations);
  return Formatter(std::move(node), options);
}

Result<Formatter> Formatter::json(const JsonTemplate& object, FormatOptions options) {
  if (object.kind != JsonTemplate::Kind::kObject) return invalid("json_format must be an object");
  auto root = build(object, options, "");
  if (!root) return root.error();
  return Formatter(std::move(*root), options);
}

Result<std::unique_ptr<Formatter::Node>> Formatter::build(const JsonTemplate& value, const FormatOptions& options,
                                                          const std::string& path) {
  auto node = std::make_unique<Node>();
  node->kind = Node::Kind::kRaw;
  switch (value.kind) {
    case JsonTemplate::Kind::kNull: node->raw = "null"; break;
    case JsonTemplate::Kind::kBool: node->raw = value.flag ? "true" : "false"; break;
    case JsonTemplate::Kind::kNumber: {
      char digits[32];
      if (!std::isfinite(value.number)) return invalid(path + ": not a finite number");
      node->raw.assign(digits, std::to_chars(digits, digits + sizeof digits, value.number).ptr);
      break;
    }
    case JsonTemplate::Kind::kFormat: {
      auto operations = compile(value.format);
      if (!operations) return invalid(path + ": " + operations.error().detail);
      node->kind = Node::Kind::kFormat;
      node->operations = std::move(*operations);
      break;
    }
    case JsonTemplate::Kind::kObject:
    case JsonTemplate::Kind::kList: {
      bool object = value.kind == JsonTemplate::Kind::kObject;
      node->kind = object ? Node::Kind::kObject : Node::Kind::kList;
      std::vector<const JsonTemplate::Member*> members;
      for (const auto& member : value.members) members.push_back(&member);
      if (object && options.sort_keys) std::stable_sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->name < b->name; });
      for (size_t i = 0; i < members.size(); ++i) {
        std::string key, at = path;
        if (object) {
          append_json_string(key, members[i]->name);
          key += ':';
          at += (at.empty() ? "" : ".") + members[i]->name;
        } else {
          at += "[" + std::to_string(i) + "]";
        }
        auto child = build(members[i]->value, options, at);
        if (!child) return child.error();
        node->members.emplace_back(std::move(key), std::move(*child));
      }
      break;
    }
  }
  return node;
}

void Formatter::append_text(std::string& out, const std::vector<Operation>& operations, const RequestInfo& info) const {
  for (const Operation& operation : operations) {
    if (operation.print == nullptr) {
      out += operation.text;
      continue;
    }
    size_t start = out.size();
    if (!operation.print(operation, info, out)) {
      if (!options_.omit_empty) out += '-';
      continue;
    }
    if (operation.has_limit && out.size() - start > operation.limit) out.resize(start + operation.limit);
    if (operation.from_peer && options_.escape) {
      if (out.size() - start > options_.max_value) out.resize(start + options_.max_value);
      escape_text(out, start);
    }
  }
}

// False when the value is absent and its key is to be left out.
bool Formatter::append_node(std::string& out, const Node& node, const RequestInfo& info) const {
  switch (node.kind) {
    case Node::Kind::kText: append_text(out, node.operations, info); return true;
    case Node::Kind::kRaw: out += node.raw; return true;
    case Node::Kind::kFormat: {
      bool single = node.operations.size() == 1 && node.operations[0].print != nullptr;
      if (single && node.operations[0].number && !node.operations[0].has_limit) {
        if (node.operations[0].print(node.operations[0], info, out)) return true;
        if (options_.omit_empty) return false;
        out += "null";
        return true;
      }
      if (single && node.operations[0].print_json && !node.operations[0].has_limit) {
        if (node.operations[0].print_json(node.operations[0], info, out)) return true;
        if (options_.omit_empty) return false;
        out += "null";
        return true;
      }
      out += '"';
      size_t start = out.size();
      for (const Operation& operation : node.operations) {
        if (operation.print == nullptr) {
          out += operation.text;
          continue;
        }
        size_t from = out.size();
        if (!operation.print(operation, info, out)) {
          if (single) {
            out.resize(start - 1);
            if (options_.omit_empty) return false;
            out += "null";
            return true;
          }
          if (!options_.omit_empty) out += '-';
          continue;
        }
        size_t most = operation.has_limit ? operation.limit : std::string::npos;
        if (operation.from_peer) most = std::min(most, options_.max_value);
        if (out.size() - from > most) out.resize(from + most);
      }
      escape_json(out, start);
      out += '"';
      return true;
    }
    case Node::Kind::kObject:
    case Node::Kind::kList: {
      bool object = node.kind == Node::Kind::kObject, first = true;
      out += object ? '{' : '[';
      for (const auto& [key, child] : node.members) {
        size_t before = out.size();
        if (!first) out += ',';
        out += key;
        if (append_node(out, *child, info))
          first = false;
        else
          out.resize(before);
      }
      out += object ? '}' : ']';
      return true;
    }
  }
  return true;
}

void Formatter::append(std::string& out, const RequestInfo& info) const {
  append_node(out, *root_, info);
  if (root_->kind == Node::Kind::kObject) out += '\n';
}

bool Formatter::constant() const {
  return root_->kind == Node::Kind::kText &&
         std::all_of(root_->operations.begin(), root_->operations.end(), [](const Operation& o) { return o.print == nullptr; });
}

std::string_view default_access_log_format() {
  return "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
         "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
         "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";
}

}  // namespace weft::format
