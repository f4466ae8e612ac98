#include "controlplane/validation/schema.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>

namespace weft::validation {
namespace {

constexpr size_t kMaxRegex = 1024;

bool plain(const yaml::Node& node) { return node.is_scalar() && !node.quoted; }

// What a reader of YAML 1.1 (kubectl among them) makes of a plain scalar that YAML 1.2 takes as text; empty: text there too.
std::string_view yaml11_reading(std::string_view text) {
  static constexpr std::string_view kBooleans[] = {"yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"};
  if (std::find(std::begin(kBooleans), std::end(kBooleans), text) != std::end(kBooleans)) return "a boolean";
  const std::string_view digits = text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
  if (digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of("01234567_") == std::string_view::npos) return "an octal number";
  if (digits.size() > 2 && (digits.starts_with("0x") || digits.starts_with("0o") || digits.starts_with("0b"))) return "a number";
  if (!digits.empty() && std::isdigit(static_cast<unsigned char>(digits[0])) && digits.find('_') != std::string_view::npos &&
      digits.find_first_not_of("0123456789_.") == std::string_view::npos)
    return "a number";
  return {};
}

std::string child(const std::string& path, std::string_view name) {
  std::string out = path;
  if (!out.empty()) out += '.';
  return out.append(name);
}
std::string keyed(const std::string& path, std::string_view key) { return path + "[\"" + std::string(key) + "\"]"; }
std::string indexed(const std::string& path, size_t index) { return path + "[" + std::to_string(index) + "]"; }

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 100)) + "\""; }

// Splits "A B !C".
std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    if (space != 0) out.push_back(text.substr(0, space));
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return out;
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) out.append(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ").append(names[i]);
  return out;
}

const Field* field_named(const Table& table, std::string_view name) {
  for (const Field& field : table.fields)
    if (field.name == name) return &field;
  return nullptr;
}

constexpr Field kMatchFields[] = {{"exact", Type::kString}, {"prefix", Type::kString}, {"regex", Type::kString}};
constexpr Table kMatchTable{kMatchFields};

class Checker {
 public:
  explicit Checker(Subject& subject) : subject_(subject) {}

  void object(const yaml::Node& node, const Table& table, const std::string& path) {
    if (!node.is_map()) return wrong(node, path, "a map");
    std::map<const Field*, std::string> seen;
    for (const yaml::Entry& entry : node.entries) {
      const Field* field = field_named(table, entry.key);
      if (!field) field = field_named(table, model::camel_case(entry.key));
      if (!field) {
        if (!table.lenient) unknown(entry, table, path);
        continue;
      }
      auto [earlier, fresh] = seen.try_emplace(field, entry.key);
      if (!fresh)
        subject_.report(Severity::kError, codes::kDuplicate, entry.mark,
                        quoted(entry.key) + " and " + quoted(earlier->second) + " are one field", child(path, field->name),
                        "keep one of them");
      if (!entry.value.is_null()) member(entry, *field, child(path, field->name));
    }
  }

 private:
  void member(const yaml::Entry& entry, const Field& field, const std::string& path) {
    if (field.use == Use::kHarmless) return;
    if (field.use == Use::kRefused) {
      subject_.report(Severity::kError, codes::kUnsupportedField, entry.mark, path + " is not supported by this version of Weft", path,
                      field.note.empty() ? "remove it" : std::string(field.note));
      return;
    }
    if (field.use == Use::kOld)
      subject_.report(Severity::kWarning, codes::kOldSpelling, entry.mark, path + " is an old spelling; it works", path,
                      std::string(field.note));
    value(entry.value, field, path);
  }

  void value(const yaml::Node& node, const Field& field, const std::string& path) {
    switch (field.type) {
      case Type::kString: return string(node, path);
      case Type::kBool: return boolean(node, path);
      case Type::kInteger: return integer(node, path);
      case Type::kNumber: return number(node, path);
      case Type::kDuration: return duration(node, path);
      case Type::kChoice: return choice(node, field, path);
      case Type::kIntOrString:
        if (!node.is_scalar()) wrong(node, path, "a number or a name");
        return;
      case Type::kStrings:
        if (!node.is_sequence()) return wrong(node, path, "a list of strings");
        for (size_t i = 0; i < node.items.size(); ++i) string(node.items[i], indexed(path, i));
        return;
      case Type::kStringMap:
        if (!node.is_map()) return wrong(node, path, "a map of strings");
        for (const yaml::Entry& entry : node.entries) string(entry.value, keyed(path, entry.key));
        return;
      case Type::kPortMap:
        if (!node.is_map()) return wrong(node, path, "a map of port numbers");
        for (const yaml::Entry& entry : node.entries) integer(entry.value, keyed(path, entry.key));
        return;
      case Type::kMatch: return object(node, kMatchTable, path);
      case Type::kMatches:
        if (!node.is_sequence()) return wrong(node, path, "a list of matches");
        for (size_t i = 0; i < node.items.size(); ++i) object(node.items[i], kMatchTable, indexed(path, i));
        return;
      case Type::kMatchMap:
        if (!node.is_map()) return wrong(node, path, "a map of matches");
        for (const yaml::Entry& entry : node.entries) {
          if (entry.value.is_null()) continue;  // "x-header:" alone asks for its presence
          object(entry.value, kMatchTable, keyed(path, entry.key));
        }
        return;
      case Type::kObject: return object(node, *field.table, path);
      case Type::kObjects:
        if (!node.is_sequence()) return wrong(node, path, "a list");
        for (size_t i = 0; i < node.items.size(); ++i) object(node.items[i], *field.table, indexed(path, i));
        return;
      case Type::kAny: return;
    }
  }

  void string(const yaml::Node& node, const std::string& path) {
    if (!node.is_scalar()) return wrong(node, path, "a string");
    if (node.quoted) return;
    bool b;
    double d;
    long long i;
    if (yaml::to_bool(node, b) || yaml::to_int(node, i) || yaml::to_double(node, d))
      return wrong(node, path, "a string", "put it in quotes: \"" + node.text + "\"");
    if (std::string_view reading = yaml11_reading(node.text); !reading.empty())
      subject_.report(
          Severity::kError, codes::kWrongType, node.mark,
          "found " + node.text + " without quotes, which other YAML readers take as " + std::string(reading) + "; expected a string", path,
          "put it in quotes: \"" + node.text + "\"");
  }

  void boolean(const yaml::Node& node, const std::string& path) {
    bool b;
    if (plain(node) && yaml::to_bool(node, b)) return;
    std::string fix;
    if (node.is_scalar()) {
      const bool yes = node.text == "yes" || node.text == "on" || node.text == "y" || node.text == "true";
      fix = std::string("write ") + (yes ? "true" : "false") + " without quotes";
    }
    wrong(node, path, "true or false", fix);
  }

  void integer(const yaml::Node& node, const std::string& path) {
    long long i;
    const bool decimal = plain(node) && node.text.find_first_not_of("+-0123456789") == std::string::npos && yaml::to_int(node, i);
    if (decimal && (node.text == "0" || node.text.find_first_of("123456789") == node.text.find_first_of("0123456789"))) return;
    std::string fix;
    if (node.is_scalar() && yaml::to_int(node, i))
      fix = node.quoted ? "remove the quotes: " + node.text : "write it in decimal: " + std::to_string(i);
    wrong(node, path, "a whole number", fix);
  }

  void number(const yaml::Node& node, const std::string& path) {
    double d;
    if (!plain(node) || !yaml::to_double(node, d) || !std::isfinite(d))
      wrong(node, path, "a number", node.is_scalar() && node.quoted && yaml::to_double(node, d) ? "remove the quotes: " + node.text : "");
  }

  void duration(const yaml::Node& node, const std::string& path) {
    std::string problem;
    if (!node.is_scalar()) return wrong(node, path, "a duration such as 5s, 300ms or 1h30m");
    if (parse_duration(node.text, problem)) return;
    double d;
    wrong(node, path, "a duration such as 5s, 300ms or 1h30m", yaml::to_double(node, d) ? "name the unit: " + node.text + "s" : "");
  }

  void choice(const yaml::Node& node, const Field& field, const std::string& path) {
    std::vector<std::string_view> names, refused;
    for (std::string_view word : words(field.choices))
      (word.starts_with('!') ? refused : names).push_back(word.starts_with('!') ? word.substr(1) : word);
    if (node.is_scalar()) {
      if (std::find(names.begin(), names.end(), node.text) != names.end()) return;
      if (std::find(refused.begin(), refused.end(), node.text) != refused.end()) {
        subject_.report(Severity::kError, codes::kUnsupportedField, node.mark,
                        path + ": " + node.text + " is not supported by this version of Weft", path,
                        field.note.empty() ? "use " + listed(names) : std::string(field.note));
        return;
      }
    }
    std::string fix;
    if (node.is_scalar())
      if (std::string_view meant = did_you_mean(node.text, names); !meant.empty()) fix = "did you mean " + std::string(meant) + "?";
    subject_.report(Severity::kError, codes::kChoice, node.mark, "found " + found(node) + ", expected " + listed(names), path, fix);
  }

  void unknown(const yaml::Entry& entry, const Table& table, const std::string& path) {
    std::vector<std::string_view> names;
    for (const Field& field : table.fields) names.push_back(field.name);
    std::string fix;
    if (std::string_view meant = did_you_mean(entry.key, names); !meant.empty())
      fix = "did you mean " + std::string(meant) + "?";
    else if (names.size() <= 16)
      fix = "known here: " + listed(names);
    subject_.report(Severity::kError, codes::kUnknownField, entry.mark,
                    "unknown field " + quoted(entry.key) + (path.empty() ? "" : " in " + path), child(path, entry.key), fix);
  }

  void wrong(const yaml::Node& node, const std::string& path, std::string_view expected, std::string fix = {}) {
    subject_.report(Severity::kError, codes::kWrongType, node.mark, "found " + found(node) + ", expected " + std::string(expected), path,
                    std::move(fix));
  }

  Subject& subject_;
};

std::string_view word_for(Type type) {
  switch (type) {
    case Type::kString: return "string";
    case Type::kBool: return "bool";
    case Type::kInteger: return "integer";
    case Type::kNumber: return "number";
    case Type::kDuration: return "duration";
    case Type::kChoice: return "one of";
    case Type::kIntOrString: return "integer or string";
    case Type::kStrings: return "list of strings";
    case Type::kStringMap: return "map of strings";
    case Type::kPortMap: return "map of integers";
    case Type::kMatch: return "exact, prefix or regex";
    case Type::kMatches: return "list of exact, prefix or regex";
    case Type::kMatchMap: return "map of exact, prefix or regex";
    case Type::kObject: return "object";
    case Type::kObjects: return "list";
    case Type::kAny: return "any";
  }
  return "";
}

}  // namespace

std::string found(const yaml::Node& node) {
  bool b;
  double d;
  long long i;
  if (plain(node) && yaml::to_bool(node, b)) return "the boolean " + node.text;
  if (plain(node) && (yaml::to_int(node, i) || yaml::to_double(node, d))) return "the number " + node.text;
  return (node.is_scalar() ? "the string " : "") + node.describe();
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text, std::string& problem) {
  problem = "not a duration";
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) negative = text.front() == '-', text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                                                   {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  long double total = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    if (digits == 0 || digits > 20) return std::nullopt;
    const std::string amount(text.substr(0, digits));
    if (amount == "." || std::count(amount.begin(), amount.end(), '.') > 1) return std::nullopt;
    text.remove_prefix(digits);
    const size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& u) { return u.first == text.substr(0, letters); });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(letters);
    total += std::strtold(amount.c_str(), nullptr) * unit->second;
  }
  if (total > 9.2e18L) {
    problem = "longer than 292 years";
    return std::nullopt;
  }
  const auto value = std::chrono::nanoseconds(std::llroundl(total));
  return negative ? -value : value;
}

Diagnostic& Subject::report(Severity severity, const Code& code, Mark mark, std::string message, std::string field, std::string fix) {
  Diagnostic finding = document.at(mark, std::string(code.code), std::move(message), std::move(field));
  finding.severity = severity;
  finding.alias = code.alias;
  finding.object = object;
  finding.fix = std::move(fix);
  findings.push_back(std::move(finding));
  return findings.back();
}

void check(Subject& subject, const yaml::Node& node, const Table& table, const std::string& path) {
  Checker(subject).object(node, table, path);
}

void describe(const Table& table, const std::string& path, std::string& out) {
  for (const Field& field : table.fields) {
    const std::string full = child(path, field.name) + (field.type == Type::kObjects ? "[]" : "");
    std::string type(word_for(field.type)), note(field.note);
    if (field.type == Type::kChoice) {
      std::string names, refused;
      for (std::string_view word : words(field.choices)) {
        const bool no = word.starts_with('!');
        std::string& into = no ? refused : names;
        into += (into.empty() ? "" : ", ") + std::string(no ? word.substr(1) : word);
      }
      type += " " + names;
      if (!refused.empty()) note = "refused: " + refused + (note.empty() ? "" : ". " + note);
    }
    const std::string_view use = field.use == Use::kWorks      ? "works"
                                 : field.use == Use::kOld      ? "works, with a warning"
                                 : field.use == Use::kHarmless ? "ignored"
                                                               : "refused";
    out += "| `" + full + "` | " + type + " | " + std::string(use) + " | " + note + " |\n";
    if (field.table && (field.use == Use::kWorks || field.use == Use::kOld)) describe(*field.table, full, out);
  }
}

Reader::Reader(Subject& subject, const yaml::Node* node, std::string path, Mark parent)
    : subject_(&subject), node_(node && !node->is_null() ? node : nullptr), path_(std::move(path)), parent_(parent) {}

Mark Reader::mark() const { return node_ ? node_->mark : parent_; }

Reader Reader::operator[](std::string_view name) const {
  const yaml::Node* value = nullptr;
  if (node_)
    for (const yaml::Entry& entry : node_->entries)
      if (entry.key == name || model::camel_case(entry.key) == name) value = &entry.value;
  return Reader(*subject_, value, child(path_, name), mark());
}

std::string Reader::text() const { return node_ ? node_->text : std::string(); }
std::optional<std::string> Reader::optional_text() const { return node_ ? std::optional(node_->text) : std::nullopt; }

bool Reader::flag(bool otherwise) const {
  bool value = otherwise;
  if (node_) yaml::to_bool(*node_, value);
  return value;
}

std::optional<uint32_t> Reader::integer() const { return integer(0, UINT32_MAX); }

std::optional<uint32_t> Reader::integer(uint32_t least, uint32_t most) const {
  long long value;
  if (!node_ || !yaml::to_int(*node_, value)) return std::nullopt;
  if (value < least || value > most) {
    error(codes::kValue, "found " + node_->text + ", expected a number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return static_cast<uint32_t>(value);
}

std::optional<double> Reader::number(double least, double most) const {
  double value;
  if (!node_ || !yaml::to_double(*node_, value)) return std::nullopt;
  if (value < least || value > most) {
    char range[64];
    std::snprintf(range, sizeof range, "%g to %g", least, most);
    error(codes::kValue, "found " + node_->text + ", expected a number from " + range);
    return std::nullopt;
  }
  return value;
}

std::optional<model::Duration> Reader::duration(model::Duration least) const {
  std::string problem;
  if (!node_) return std::nullopt;
  auto value = parse_duration(node_->text, problem);
  if (!value) return std::nullopt;
  const auto whole = std::chrono::duration_cast<model::Duration>(*value);
  if (*value < least) {
    error(codes::kValue, "found " + node_->text + ", expected " +
                             (least.count() == 0 ? "no negative duration" : "at least " + std::to_string(least.count()) + "ms"));
    return std::nullopt;
  }
  if (whole != *value) {
    error(codes::kValue, "found " + node_->text + ", expected whole milliseconds");
    return std::nullopt;
  }
  return whole;
}

std::vector<std::string> Reader::texts() const {
  std::vector<std::string> out;
  if (node_)
    for (const yaml::Node& item : node_->items) out.push_back(item.text);
  return out;
}

std::map<std::string, std::string> Reader::text_map() const {
  std::map<std::string, std::string> out;
  if (node_)
    for (const yaml::Entry& entry : node_->entries) out[entry.key] = entry.value.text;
  return out;
}

std::optional<model::StringMatch> Reader::match(bool presence) const {
  using Kind = model::StringMatch::Kind;
  model::StringMatch match{Kind::kPresent, {}};
  int kinds = 0;
  for (auto [name, kind] : {std::pair{"exact", Kind::kExact}, {"prefix", Kind::kPrefix}, {"regex", Kind::kRegex}}) {
    if (Reader value = (*this)[name]) {
      match = {kind, value.text()};
      ++kinds;
    }
  }
  if (kinds > 1)
    return error(codes::kConflict, "found " + std::to_string(kinds) + " of exact, prefix and regex, expected one"), std::nullopt;
  if (kinds == 0) {
    if (presence) return match;
    if (node_) error(codes::kMissing, "found no match, expected one of exact, prefix and regex");
    return std::nullopt;
  }
  const Reader value = (*this)[match.kind == Kind::kExact ? "exact" : match.kind == Kind::kPrefix ? "prefix" : "regex"];
  if (match.kind == Kind::kRegex) {
    if (presence && match.value == "*") return model::StringMatch{Kind::kPresent, {}};
    if (match.value.size() > kMaxRegex) {
      value.error(codes::kTooLarge,
                  "found a regular expression of " + std::to_string(match.value.size()) + " bytes, expected at most 1024");
      return std::nullopt;
    }
    if (match.value.empty()) {
      value.error(codes::kValue, "found an empty regular expression, expected at least one character",
                  "leave the match away to take everything");
      return std::nullopt;
    }
    const RE2 regex(match.value, RE2::Quiet);
    if (!regex.ok()) {
      value.error(codes::kRegex, "found a regular expression that RE2 does not take: " + regex.error(),
                  "look-around and back-references do not exist in RE2; see github.com/google/re2/wiki/Syntax");
      return std::nullopt;
    }
  }
  if (match.kind == Kind::kPrefix && match.value.empty()) {
    value.error(codes::kValue, "found an empty prefix, expected at least one character", "leave the match away to take everything");
    return std::nullopt;
  }
  return match;
}

std::vector<Reader> Reader::items() const {
  std::vector<Reader> out;
  if (node_)
    for (size_t i = 0; i < node_->items.size(); ++i) out.emplace_back(*subject_, &node_->items[i], indexed(path_, i), node_->mark);
  return out;
}

std::vector<std::pair<std::string, Reader>> Reader::entries() const {
  std::vector<std::pair<std::string, Reader>> out;
  if (node_)
    for (const yaml::Entry& entry : node_->entries)
      out.emplace_back(entry.key, Reader(*subject_, &entry.value, keyed(path_, entry.key), entry.mark));
  return out;
}

void Reader::error(const Code& code, std::string message, std::string fix) const {
  subject_->report(Severity::kError, code, mark(), std::move(message), path_, std::move(fix));
}
void Reader::warn(const Code& code, std::string message, std::string fix) const {
  subject_->report(Severity::kWarning, code, mark(), std::move(message), path_, std::move(fix));
}
void Reader::missing(std::string_view field, std::string_view what) const {
  subject_->report(Severity::kError, codes::kMissing, mark(), "found no " + std::string(field) + ", expected " + std::string(what),
                   child(path_, field));
}

}  // namespace weft::validation
