#include "controlplane/model/resource.h"

#include <cctype>
#include <charconv>
#include <functional>

namespace weft::model {

std::string Key::to_string() const { return kind + " " + (ns.empty() ? name : ns + "/" + name); }

size_t KeyHash::operator()(const Key& key) const {
  const std::hash<std::string> hash;
  return hash(key.name) * 1000003 + hash(key.ns) * 31 + hash(key.kind);
}

yaml::Document Resource::document() const {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  if (!yaml::parse(origin.text ? *origin.text : std::string(), origin.file, documents, problem) || documents.empty()) return {};
  return std::move(documents.front());
}

Diagnostic Resource::finding(Severity severity, std::string code, std::string message, std::string field) const {
  const yaml::Document text = document();
  const Mark mark = locate(text.root, field).mark;
  Diagnostic finding = text.at(mark, std::move(code), std::move(message), std::move(field));
  finding.severity = severity;
  finding.mark.line += std::max(0, origin.line - 1);  // counts in the file, not in the object
  finding.file = origin.file;
  finding.object = key.to_string();
  return finding;
}

bool older(const Resource& a, const Resource& b) {
  if (a.created != b.created) return a.created < b.created;
  if (a.key.name != b.key.name) return a.key.name < b.key.name;
  if (a.key.ns != b.key.ns) return a.key.ns < b.key.ns;
  return a.key.kind < b.key.kind;
}

std::string camel_case(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '_' && i > 0 && i + 1 < name.size() && std::isalnum(static_cast<unsigned char>(name[i + 1]))) {
      out += static_cast<char>(std::toupper(static_cast<unsigned char>(name[++i])));
    } else {
      out += name[i];
    }
  }
  return out;
}

const yaml::Node& locate(const yaml::Node& root, std::string_view field) {
  const yaml::Node* at = &root;
  while (!field.empty()) {
    if (field.front() == '.') field.remove_prefix(1);
    if (field.starts_with("[\"")) {  // a map's key: headers["x.y"]
      const size_t end = field.find("\"]");
      if (end == std::string_view::npos) return *at;
      const yaml::Node* next = at->find(field.substr(2, end - 2));
      if (!next) return *at;
      at = next;
      field.remove_prefix(end + 2);
    } else if (field.starts_with('[')) {
      size_t index = 0;
      auto [end, error] = std::from_chars(field.data() + 1, field.data() + field.size(), index);
      if (error != std::errc() || index >= at->items.size()) return *at;
      at = &at->items[index];
      field.remove_prefix(std::min(field.size(), static_cast<size_t>(end - field.data()) + 1));
    } else {
      const size_t end = field.find_first_of(".[");
      const std::string_view name = field.substr(0, end);
      const yaml::Node* next = at->find(name);
      for (size_t i = 0; !next && i < at->entries.size(); ++i)
        if (camel_case(at->entries[i].key) == name) next = &at->entries[i].value;
      if (!next) return *at;
      at = next;
      field.remove_prefix(end == std::string_view::npos ? field.size() : end);
    }
  }
  return *at;
}

Change Change::upsert(Resource resource) {
  Key key = resource.key;
  return {Kind::kUpsert, std::move(key), std::make_shared<const Resource>(std::move(resource))};
}

Change Change::remove(Key key) { return {Kind::kRemove, std::move(key), nullptr}; }

}  // namespace weft::model
