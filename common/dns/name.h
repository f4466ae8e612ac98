// A domain name as it stands in a message: each label behind its length, without compression, ending with the root's zero. Case is
// kept and does not count. Lengths (at most 63) are below 'A', so a whole name folds to lower case byte by byte.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weft::dns {

inline constexpr size_t kMaxLabel = 63, kMaxName = 255;

class Name {
 public:
  Name() : wire_(1, '\0') {}  // the root
  // "a.b" and "a.b." are one name; \. and \046 stand for bytes. Nothing: a label or the whole is empty or too long.
  static std::optional<Name> from_text(std::string_view text);
  // Bytes that are one whole uncompressed name.
  static std::optional<Name> from_wire(std::string_view wire);

  const std::string& wire() const { return wire_; }
  std::string text() const;  // "a.b"; the root is "."
  std::string key() const;   // equal for names that are the same
  bool is_root() const { return wire_.size() == 1; }
  bool same(const Name& other) const { return key() == other.key(); }
  // Without the first label; the root's is the root.
  Name parent() const;
  // `label` before it; nothing if that is too long.
  std::optional<Name> child(std::string_view label) const;
  // What stands before `suffix`, as a name of its own; nothing if it does not end so, or nothing is left.
  std::optional<Name> before(const Name& suffix) const;

 private:
  explicit Name(std::string wire) : wire_(std::move(wire)) {}
  std::string wire_;
};

}  // namespace weft::dns
