// The tables that say which fields a kind has, of what type, and what this version does with each. One walk over a table refuses what
// is unknown, of the wrong type or not carried; one walk prints the reference page. Nothing else knows field names by heart but the
// builders, which read what the tables let through.
#pragma once
#include "controlplane/model/resource.h"
#include "controlplane/validation/codes.h"

#include <span>

namespace weft::validation {

enum class Type : unsigned char {
  kString,
  kBool,
  kInteger,
  kNumber,
  kDuration,
  kChoice,
  kIntOrString,
  kStrings,    // list of strings
  kStringMap,  // map of strings
  kPortMap,    // map of integers
  kMatch,      // StringMatch: one of exact, prefix, regex
  kMatches,    // list of StringMatch
  kMatchMap,   // map of StringMatch
  kObject,
  kObjects,  // by `table`
  kAny,
};

enum class Use : unsigned char {
  kWorks,
  kOld,       // works, with a warning; `note` names what to write today
  kHarmless,  // ignored; `note` says why that is harmless
  kRefused,   // known and not carried
};

struct Table;
struct Field {
  std::string_view name;
  Type type;
  Use use = Use::kWorks;
  std::string_view note{};
  const Table* table = nullptr;  // kObject, kObjects
  std::string_view choices{};    // kChoice: "A B !C"; ! marks one that is known and refused
};
struct Table {
  std::span<const Field> fields;
  bool lenient = false;  // fields that are not listed are ignored: Kubernetes' own kinds
};

// One object under validation.
struct Subject {
  const yaml::Document& document;
  std::string kind, ns, name, object;
  Diagnostics findings;

  Diagnostic& report(Severity severity, const Code& code, Mark mark, std::string message, std::string field, std::string fix = {});
};

void check(Subject& subject, const yaml::Node& node, const Table& table, const std::string& path);

// Rows "| `path` | type | what | note |" of a table and all below.
void describe(const Table& table, const std::string& path, std::string& out);

// A place in the object: a node that may be absent, and the path that leads there. Reads what check() let through.
class Reader {
 public:
  Reader(Subject& subject, const yaml::Node* node, std::string path, Mark parent = {});

  Reader operator[](std::string_view name) const;
  explicit operator bool() const { return node_ != nullptr; }
  const std::string& path() const { return path_; }

  std::string text() const;  // empty when absent
  std::optional<std::string> optional_text() const;
  bool flag(bool otherwise = false) const;
  std::optional<uint32_t> integer() const;  // reports what does not fit
  std::optional<uint32_t> integer(uint32_t least, uint32_t most) const;
  std::optional<double> number(double least, double most) const;
  std::optional<model::Duration> duration(model::Duration least = model::Duration(1)) const;
  std::vector<std::string> texts() const;
  std::map<std::string, std::string> text_map() const;
  std::optional<model::StringMatch> match(bool presence) const;  // `presence`: an empty match means "is there"
  std::vector<Reader> items() const;
  std::vector<std::pair<std::string, Reader>> entries() const;

  void error(const Code& code, std::string message, std::string fix = {}) const;
  void warn(const Code& code, std::string message, std::string fix = {}) const;
  void missing(std::string_view field, std::string_view what) const;  // reports that `field` of this object is required

  Subject& subject() const { return *subject_; }

 private:
  Mark mark() const;

  Subject* subject_;
  const yaml::Node* node_;
  std::string path_;
  Mark parent_;
};

// "the string \"x\"", "the boolean true", "a list".
std::string found(const yaml::Node& node);
// Go's form: 1h30m, 300ms, 0.5s. An empty result names the fault in `problem`.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text, std::string& problem);

}  // namespace weft::validation
