#include "proxy/format/metadata.h"

#include "proxy/format/escape.h"
#include "proxy/format/request_info.h"

#include <charconv>
#include <cmath>

namespace weft::format {
namespace {

void merge_into(MetadataStruct& to, const MetadataStruct& from) {
  for (const auto& [key, value] : from) {
    auto [place, added] = to.try_emplace(key, value);
    if (added) continue;
    auto* old_struct = std::get_if<MetadataStruct>(&place->second.of);
    auto* old_list = std::get_if<MetadataList>(&place->second.of);
    if (const auto* more = value.as<MetadataStruct>(); more && old_struct)
      merge_into(*old_struct, *more);
    else if (const auto* items = value.as<MetadataList>(); items && old_list)
      old_list->insert(old_list->end(), items->begin(), items->end());
    else
      place->second = value;
  }
}

void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return;
  }
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

struct Append {
  std::string& out;
  void operator()(std::monostate) const { out += "null"; }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(double value) const { append_number(out, value); }
  void operator()(const std::string& value) const { append_json_string(out, value); }
  void operator()(const MetadataList& list) const {
    out += '[';
    for (const MetadataValue& item : list) {
      if (&item != &list.front()) out += ',';
      append_json(out, item);
    }
    out += ']';
  }
  void operator()(const MetadataStruct& value) const { append_json(out, value); }
};

}  // namespace

void Metadata::set(std::string_view name_space, MetadataStruct values) {
  MetadataStruct& to = spaces_.try_emplace(std::string(name_space)).first->second;
  for (auto& [key, value] : values) to.insert_or_assign(key, std::move(value));
}

void Metadata::set(std::string_view name_space, std::string_view key, MetadataValue value) {
  spaces_.try_emplace(std::string(name_space)).first->second.insert_or_assign(std::string(key), std::move(value));
}

void Metadata::merge(std::string_view name_space, const MetadataStruct& values) {
  merge_into(spaces_.try_emplace(std::string(name_space)).first->second, values);
}

const MetadataStruct* Metadata::find(std::string_view name_space) const {
  const auto found = spaces_.find(name_space);
  return found == spaces_.end() ? nullptr : &found->second;
}

const MetadataValue* Metadata::find(std::string_view name_space, const std::vector<std::string>& path) const {
  const MetadataStruct* at = find(name_space);
  const MetadataValue* value = nullptr;
  for (const std::string& name : path) {
    if (!at) return nullptr;
    const auto found = at->find(name);
    if (found == at->end()) return nullptr;
    value = &found->second;
    at = value->as<MetadataStruct>();
  }
  return value;
}

Metadata& metadata_of(RequestInfo& info) {
  if (!info.metadata) info.metadata = std::make_shared<Metadata>();
  return *info.metadata;
}

void append_json(std::string& out, const MetadataValue& value) { std::visit(Append{out}, value.of); }

void append_json(std::string& out, const MetadataStruct& value) {
  out += '{';
  bool first = true;
  for (const auto& [key, member] : value) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, key);
    out += ':';
    append_json(out, member);
  }
  out += '}';
}

}  // namespace weft::format
