#include "proxy/routing/metadata_matcher.h"

#include <algorithm>

namespace weft::routing {

bool ValueMatcher::matches(const format::MetadataValue* value) const {
  if (kind == Kind::kOr) return std::any_of(of.begin(), of.end(), [&](const ValueMatcher& one) { return one.matches(value); });
  if (kind == Kind::kPresent) return (value != nullptr) == flag;
  if (!value) return false;
  switch (kind) {
    case Kind::kNull: return value->is_null();
    case Kind::kNumber: {
      const auto* number = value->as<double>();
      return number && *number == start;
    }
    case Kind::kRange: {
      const auto* number = value->as<double>();
      return number && *number >= start && *number < end;
    }
    case Kind::kString: {
      const auto* text = value->as<std::string>();
      return text && string.matches(*text);
    }
    case Kind::kBool: {
      const auto* truth = value->as<bool>();
      return truth && *truth == flag;
    }
    case Kind::kAnyOfList: {
      const auto* list = value->as<format::MetadataList>();
      return list && std::any_of(list->begin(), list->end(), [&](const format::MetadataValue& item) { return of.front().matches(&item); });
    }
    case Kind::kPresent:
    case Kind::kOr: break;
  }
  return false;
}

}  // namespace weft::routing
