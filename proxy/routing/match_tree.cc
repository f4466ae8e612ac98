#include "proxy/routing/match_tree.h"

#include <algorithm>

namespace weft::routing {
namespace {

const MatchAction* follow(const MatchTree::Branch& branch, const MatchSubject& subject) {
  return branch.matcher ? branch.matcher->find(subject) : branch.action.get();
}

std::optional<std::string> header(const http::Head* head, const std::string& name) {
  if (!head) return {};
  if (name.starts_with(':') || name == "host") {
    const std::string_view value = name == ":method"   ? head->method()
                                   : name == ":path"   ? head->path()
                                   : name == ":scheme" ? head->scheme()
                                   : name != ":status" ? head->authority()
                                                       : std::string_view();
    if (name == ":status" && head->status() != 0) return std::to_string(head->status());
    return value.empty() ? std::nullopt : std::optional<std::string>(value);
  }
  if (!head->find(name)) return {};
  std::string scratch;
  return std::string(head->joined(name, scratch));
}

}  // namespace

std::optional<std::string> MatchInput::of(const MatchSubject& subject) const {
  switch (kind) {
    case Kind::kRequestHeader: return header(subject.request, name);
    case Kind::kResponseHeader: return header(subject.response, name);
    case Kind::kStatus:
      if (!subject.response || subject.response->status() == 0) return {};
      return std::to_string(subject.response->status());
    case Kind::kStatusClass:
      if (!subject.response || subject.response->status() < 100) return {};
      return std::to_string(subject.response->status() / 100) + "xx";
  }
  return {};
}

bool MatchPredicate::matches(const MatchSubject& subject) const {
  auto one = [&](const MatchPredicate& predicate) { return predicate.matches(subject); };
  switch (kind) {
    case Kind::kValue: {
      const std::optional<std::string> found = input.of(subject);
      return found && value.matches(*found);
    }
    case Kind::kAny: return std::any_of(of.begin(), of.end(), one);
    case Kind::kAll: return std::all_of(of.begin(), of.end(), one);
    case Kind::kNot: return !of.front().matches(subject);
  }
  return false;
}

const MatchAction* MatchTree::find(const MatchSubject& subject) const {
  if (kind == Kind::kList) {
    for (const Condition& condition : list)
      if (condition.predicate.matches(subject))
        if (const MatchAction* found = follow(condition.then, subject)) return found;
    return follow(otherwise, subject);
  }
  const std::optional<std::string> value = input.of(subject);
  if (value && kind == Kind::kExactMap) {
    const auto branch = values.find(*value);
    if (branch != values.end())
      if (const MatchAction* found = follow(branch->second, subject)) return found;
  } else if (value) {
    for (size_t length = value->size() + 1; length-- > 0;) {
      const auto branch = values.find(std::string_view(*value).substr(0, length));
      if (branch != values.end())
        if (const MatchAction* found = follow(branch->second, subject)) return found;
    }
  }
  return follow(otherwise, subject);
}

}  // namespace weft::routing
