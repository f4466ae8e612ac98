// Which fields of a configuration message are implemented: plain data, one table per message. What is set and not in its table
// is refused before anything is built from it (proxy/config/field_check.h); what may be set without effect says why. The
// reference page in docs/ is rendered from the same rows.
#pragma once
#include <limits>
#include <string_view>

namespace weft::filters {

enum FieldCheck : unsigned {
  kRequired = 1,        // a message that must be set
  kNotEmpty = 2,        // text or a list with something in it
  kPositive = 4,        // a duration above zero
  kHeaderName = 8,      // text, or each item: a header's name
  kHeaderValue = 16,    // text, or each item: no control characters
  kItemsNotEmpty = 32,  // no item of the list is empty text
  kMayBeEmpty = 64,     // an Any that may hold nothing
};

struct Field {
  std::string_view name;
  std::string_view ignored = {};  // not empty: may be set, changes nothing, and this is why
  unsigned checks = 0;
  // A number's value, a duration's seconds, a list's length, a text's bytes.
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::string_view only = {};     // the values that are supported, separated by spaces
  std::string_view takes = {};    // of an Any: the category that the extension must belong to
  std::string_view note = {};     // for the reference page
  std::string_view refused = {};  // not empty: refused as any other field that is not listed, and this is why
};

struct FieldTable {
  std::string_view message;  // full name
  const Field* fields;
  unsigned size;
  std::string_view required = {};    // oneofs of which a member must be set, separated by spaces
  std::string_view categories = {};  // where an Any may hold this message, separated by spaces
  std::string_view note = {};
  bool whole = false;  // every field is taken as it stands
};

template <unsigned N>
constexpr FieldTable fields_of(std::string_view message, const Field (&fields)[N], std::string_view required = {},
                               std::string_view categories = {}, std::string_view note = {}) {
  return {message, fields, N, required, categories, note, false};
}
// A message without a field that is implemented (often: without a field).
constexpr FieldTable no_fields_of(std::string_view message, std::string_view categories = {}, std::string_view note = {}) {
  return {message, nullptr, 0, {}, categories, note, false};
}
constexpr FieldTable whole_message(std::string_view message, std::string_view note = {}) {
  return {message, nullptr, 0, {}, {}, note, true};
}

// The tables of one area.
struct FieldTables {
  const FieldTable* tables;
  unsigned size;
  const FieldTable* begin() const { return tables; }
  const FieldTable* end() const { return tables + size; }
};
template <unsigned N>
constexpr FieldTables all_of(const FieldTable (&tables)[N]) {
  return {tables, N};
}

}  // namespace weft::filters
