// The matcher that several extensions take (xds.type.matcher.v3.Matcher), compiled: conditions in a list, or a map of values, lead to
// an action or to a further matcher. What an action is, is known to whoever asks.
#pragma once
#include "proxy/routing/matchers.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::routing {

// What there is to look at; null: not (yet) there, and whatever looks at it does not match.
struct MatchSubject {
  const http::Head* request = nullptr;
  const http::Head* response = nullptr;
};

struct MatchInput {
  enum class Kind : uint8_t {
    kRequestHeader,   // the lines of `name`, joined by ","
    kResponseHeader,  // likewise
    kStatus,          // "404"
    kStatusClass,     // "4xx"
  };
  Kind kind = Kind::kStatus;
  std::string name;  // in lower case
  // Nothing: there is no such value.
  std::optional<std::string> of(const MatchSubject& subject) const;
};

struct MatchPredicate {
  enum class Kind : uint8_t { kValue, kAny, kAll, kNot };
  Kind kind = Kind::kValue;
  MatchInput input;                // kValue
  StringMatcher value;             // kValue
  std::vector<MatchPredicate> of;  // the others; kNot: one
  bool matches(const MatchSubject& subject) const;
};

struct MatchAction {
  virtual ~MatchAction() = default;
};

struct MatchTree {
  // Where a condition leads: one of the two.
  struct Branch {
    std::shared_ptr<const MatchTree> matcher;
    std::shared_ptr<const MatchAction> action;
  };
  struct Condition {
    MatchPredicate predicate;
    Branch then;
  };
  enum class Kind : uint8_t { kList, kExactMap, kPrefixMap };
  Kind kind = Kind::kList;
  std::vector<Condition> list;                        // kList: the first that leads to an action
  MatchInput input;                                   // of the maps
  std::map<std::string, Branch, std::less<>> values;  // kPrefixMap: the longest that leads to an action
  Branch otherwise;                                   // on_no_match

  // Null: nothing matches.
  const MatchAction* find(const MatchSubject& subject) const;
};

}  // namespace weft::routing
