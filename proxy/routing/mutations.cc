#include "proxy/routing/mutations.h"

#include "proxy/format/formatter.h"

#include <algorithm>

namespace weft::routing {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

struct ApplyStep {
  http::Head& head;
  const format::RequestInfo& info;
  void operator()(const HeaderToAdd& step) const { step.apply(head, info); }
  void operator()(const HeaderToRemove& step) const { head.remove(step.name); }
  void operator()(const HeadersToRemove& step) const {
    head.remove_if([&](const http::Header& header) { return header.id != http::HeaderId::kHost && step.names.matches(header.name()); });
  }
};

}  // namespace

void apply_steps(const std::vector<HeaderStep>& steps, http::Head& head, const format::RequestInfo& info) {
  for (const HeaderStep& step : steps) std::visit(ApplyStep{head, info}, step);
}

Result<HeaderToAdd> HeaderToAdd::make(std::string name, std::string_view value, Append append, bool keep_empty_value) {
  HeaderToAdd header;
  header.name_ = lower_case(std::move(name));
  if (header.name_.empty()) return invalid("header name must not be empty");
  if (header.name_.front() == ':' || header.name_ == "host") return invalid(":-prefixed or host headers may not be modified");
  header.id_ = http::intern(header.name_);
  header.append_ = append;
  header.keep_empty_value_ = keep_empty_value;
  if (value.find('%') == std::string_view::npos) {
    header.literal_ = value;
    return header;
  }
  Result<format::Formatter> formatter = format::Formatter::text(value, {.omit_empty = true});
  if (!formatter) return formatter.error();
  header.formatter_ = std::make_shared<const format::Formatter>(std::move(*formatter));
  return header;
}

void HeaderToAdd::apply(http::Head& head, const format::RequestInfo& info) const {
  std::string text;
  std::string_view value = literal_;
  if (formatter_) {
    formatter_->append(text, info);
    value = text;
  }
  if (value.empty() && !keep_empty_value_) return;
  bool known = id_ != http::HeaderId::kOther;
  auto exists = [&] { return known ? head.has(id_) : head.find(name_) != nullptr; };
  switch (append_) {
    case Append::kAppendIfExistsOrAdd: break;
    case Append::kAddIfAbsent:
      if (exists()) return;
      break;
    case Append::kOverwriteIfExists:
      if (!exists()) return;
      [[fallthrough]];
    case Append::kOverwriteIfExistsOrAdd: return known ? head.set(id_, value) : head.set(name_, value);
  }
  known ? head.add(id_, value) : head.add(name_, value);
}

void HeaderChanges::apply(http::Head& head, const format::RequestInfo& info) const {
  for (const std::string& name : remove) head.remove(name);
  for (const HeaderToAdd& header : add) header.apply(head, info);
}

Status check_removable(std::string_view name) {
  if (name.empty()) return invalid("header name must not be empty");
  if (name.front() == ':' || lower_case(std::string(name)) == "host") return invalid(":-prefixed or host headers may not be removed");
  return {};
}

}  // namespace weft::routing
