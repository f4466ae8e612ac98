// type.matcher.v3.MetadataMatcher: a condition on one value of a request's dynamic metadata.
#pragma once
#include "proxy/format/metadata.h"
#include "proxy/routing/matchers.h"

#include <string>
#include <vector>

namespace weft::routing {

// type.matcher.v3.ValueMatcher.
struct ValueMatcher {
  enum class Kind : uint8_t { kNull, kNumber, kRange, kString, kBool, kPresent, kAnyOfList, kOr };
  Kind kind = Kind::kPresent;
  bool flag = true;              // kBool; kPresent: there, or not there
  double start = 0, end = 0;     // kNumber: start; kRange: start <= value < end
  StringMatcher string;          // kString
  std::vector<ValueMatcher> of;  // kOr: any; kAnyOfList: the one that an item of the list must pass
  // Null: there is no such value.
  bool matches(const format::MetadataValue* value) const;
};

struct MetadataMatcher {
  std::string name_space;
  std::vector<std::string> path;
  ValueMatcher value;
  bool invert = false;
  // Null: nothing has been noted.
  bool matches(const format::Metadata* metadata) const {
    return value.matches(metadata ? metadata->find(name_space, path) : nullptr) != invert;
  }
};

}  // namespace weft::routing
