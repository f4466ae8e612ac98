#include "proxy/filters/http/header_mutation/filter.h"

#include "proxy/format/formatter.h"

#include <map>

namespace weft::filters {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

// Escapes what a form does, and the blank as RFC 3986 has it.
void append_encoded(std::string& out, std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '*';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
}

// By decoded name, "name=value" as it goes out. Decoding what stays could put a blank or worse into the request line.
using Parameters = std::map<std::string, std::vector<std::string>>;

Parameters parse(std::string_view query) {
  Parameters out;
  while (!query.empty()) {
    const size_t end = query.find('&');
    std::string item(query.substr(0, end));
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    std::string key = decoded(std::string_view(item).substr(0, equals));
    if (equals == std::string::npos) item += '=';
    out[std::move(key)].push_back(std::move(item));
  }
  return out;
}

void apply(const QueryStep& step, Parameters& to, const format::RequestInfo& info) {
  using Action = QueryStep::Action;
  const bool exists = to.contains(step.key);
  switch (step.action) {
    case Action::kRemove: to.erase(step.key); return;
    case Action::kAddIfAbsent:
      if (exists) return;
      break;
    case Action::kOverwriteIfExists:
      if (!exists) return;
      to.erase(step.key);
      break;
    case Action::kOverwriteIfExistsOrAdd: to.erase(step.key); break;
    case Action::kAppendIfExistsOrAdd: break;
  }
  std::string value = step.value, item;
  if (step.formatter) step.formatter->append(value, info);
  append_encoded(item, step.key);
  item += '=';
  append_encoded(item, value);
  to[step.key].push_back(std::move(item));
}

}  // namespace

std::string mutate_query(std::string_view path, const std::vector<QueryStep>& steps, const format::RequestInfo& info) {
  const size_t mark = path.find('?');
  Parameters parameters;
  if (mark != std::string_view::npos) parameters = parse(path.substr(mark + 1));
  for (const QueryStep& step : steps) apply(step, parameters, info);
  std::string out(path.substr(0, mark));
  char separator = '?';
  for (const auto& [key, items] : parameters) {
    for (const std::string& item : items) {
      out += separator;
      out += item;
      separator = '&';
    }
  }
  return out;
}

template <class Visit>
void HeaderMutation::for_each_level(FilterContext& context, Visit visit) const {
  visit(options_.steps);
  const routing::FilterConfigs levels = context.route_configs(name_);
  for (unsigned i = 0; i < levels.size; ++i) {
    const unsigned which = options_.most_specific_wins ? levels.size - 1 - i : i;
    if (const auto* level = dynamic_cast<const HeaderMutationRoute*>(levels.levels[which])) visit(level->steps);
  }
}

void HeaderMutation::mutate(FilterContext& context, http::Head& head, std::vector<HeaderStep> MutationSteps::*part) const {
  for_each_level(context, [&](const MutationSteps& steps) { routing::apply_steps(steps.*part, head, context.info()); });
}

Verdict HeaderMutation::on_request_head(FilterContext& context, bool) {
  mutate(context, context.request(), &MutationSteps::request);
  for_each_level(context, [&](const MutationSteps& steps) {
    if (!steps.query.empty()) context.request().set_path(mutate_query(context.request().path(), steps.query, context.info()));
  });
  return Verdict::kContinue;
}

void HeaderMutation::on_request_trailers(FilterContext& context, http::Head& trailers) {
  mutate(context, trailers, &MutationSteps::request_trailers);
}

Verdict HeaderMutation::on_response_head(FilterContext& context, bool) {
  mutate(context, context.response(), &MutationSteps::response);
  return Verdict::kContinue;
}

void HeaderMutation::on_response_trailers(FilterContext& context, http::Head& trailers) {
  mutate(context, trailers, &MutationSteps::response_trailers);
}

}  // namespace weft::filters
