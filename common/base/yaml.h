// YAML and JSON text into a tree that remembers where each node stands. On libyaml's events, with what operators need and
// what attackers must not have: duplicate keys, tabs and unknown tags are errors, depth, size and alias growth are bounded,
// plain scalars keep their text (`no` and `0o17` become what the reader's schema says, not what YAML 1.1 guessed).
#pragma once
#include "common/base/diagnostic.h"
#include "common/base/error.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::yaml {

class Node;
struct Entry;

class Node {
 public:
  enum class Kind : unsigned char { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  bool quoted = false;  // a scalar in quotes or a block: always a string
  Mark mark;
  std::string text;            // of a scalar
  std::vector<Node> items;     // of a sequence
  std::vector<Entry> entries;  // of a map, in the order written; keys are unique

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }
  // The value under `key` of a map, or null.
  const Node* find(std::string_view key) const;
  // What a person would call it: "a map", "a list", "\"text\"", "null".
  std::string describe() const;
};

struct Entry {
  std::string key;
  Mark mark;  // of the key
  Node value;
};

// One document of a file. Keeps the text, so that findings can show the line.
struct Document {
  Node root;
  std::string file;
  std::shared_ptr<const std::string> source;

  // A finding at `mark` of this document, with file and line filled in.
  Diagnostic at(Mark mark, std::string code, std::string message, std::string field = {}) const;
};

struct Limits {
  size_t bytes = 4 << 20;
  int depth = 64;
  size_t nodes = 500'000;  // after aliases are expanded
};

// All documents of `text`; empty ones are left out. On the first error nothing but `problem` is set and false returned.
bool parse(std::string_view text, const std::string& file, std::vector<Document>& documents, Diagnostic& problem,
           const Limits& limits = {});

// Reads `path` whole and parses it.
bool parse_file(const std::string& path, std::vector<Document>& documents, Diagnostic& problem, const Limits& limits = {});

// Scalars as the YAML 1.2 core schema (and JSON) reads them.
bool to_bool(const Node& node, bool& value);      // true, false
bool to_int(const Node& node, long long& value);  // decimal, 0x, 0o
bool to_double(const Node& node, double& value);

// The tree as JSON text (scalars typed by the core schema unless quoted). For storage and for APIs.
std::string to_json(const Node& node);
// The tree as block YAML, keys in the order held.
std::string to_yaml(const Node& node);

}  // namespace weft::yaml
