#include "common/dns/name.h"

namespace weft::dns {
namespace {

char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The byte that an escape at text[at] (behind the backslash) stands for; `at` moves behind it.
std::optional<char> unescape(std::string_view text, size_t& at) {
  if (at >= text.size()) return std::nullopt;
  if (!is_digit(text[at])) return text[at++];
  if (at + 3 > text.size() || !is_digit(text[at + 1]) || !is_digit(text[at + 2])) return std::nullopt;
  const int value = (text[at] - '0') * 100 + (text[at + 1] - '0') * 10 + (text[at + 2] - '0');
  at += 3;
  if (value > 255) return std::nullopt;
  return static_cast<char>(value);
}

}  // namespace

std::optional<Name> Name::from_text(std::string_view text) {
  if (text == ".") return Name();
  if (text.empty()) return std::nullopt;
  std::string wire, label;
  auto end_label = [&] {
    if (label.empty() || label.size() > kMaxLabel) return false;
    wire += static_cast<char>(label.size());
    wire += label;
    label.clear();
    return true;
  };
  for (size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c == '.') {
      if (!end_label()) return std::nullopt;
    } else if (c == '\\') {
      const std::optional<char> byte = unescape(text, at);
      if (!byte) return std::nullopt;
      label += *byte;
    } else {
      label += c;
    }
  }
  if (!label.empty() && !end_label()) return std::nullopt;
  wire += '\0';
  if (wire.size() > kMaxName) return std::nullopt;
  return Name(std::move(wire));
}

std::optional<Name> Name::from_wire(std::string_view wire) {
  if (wire.size() > kMaxName) return std::nullopt;
  size_t at = 0;
  while (at < wire.size() && wire[at] != '\0') {
    const size_t length = static_cast<unsigned char>(wire[at]);
    if (length > kMaxLabel) return std::nullopt;
    at += length + 1;
  }
  if (at + 1 != wire.size()) return std::nullopt;
  return Name(std::string(wire));
}

std::string Name::text() const {
  if (is_root()) return ".";
  std::string out;
  for (size_t at = 0; wire_[at] != '\0';) {
    const size_t end = at + 1 + static_cast<unsigned char>(wire_[at]);
    if (at > 0) out += '.';
    for (++at; at < end; ++at) {
      const auto byte = static_cast<unsigned char>(wire_[at]);
      if (byte == '.' || byte == '\\') {
        out += '\\';
        out += wire_[at];
      } else if (byte <= 0x20 || byte >= 0x7f) {
        out += '\\';
        out += static_cast<char>('0' + byte / 100);
        out += static_cast<char>('0' + byte / 10 % 10);
        out += static_cast<char>('0' + byte % 10);
      } else {
        out += wire_[at];
      }
    }
  }
  return out;
}

std::string Name::key() const {
  std::string out = wire_;
  for (char& c : out) c = folded(c);
  return out;
}

Name Name::parent() const { return is_root() ? Name() : Name(wire_.substr(1 + static_cast<unsigned char>(wire_[0]))); }

std::optional<Name> Name::child(std::string_view label) const {
  if (label.empty() || label.size() > kMaxLabel || wire_.size() + label.size() + 1 > kMaxName) return std::nullopt;
  std::string wire(1, static_cast<char>(label.size()));
  wire += label;
  wire += wire_;
  return Name(std::move(wire));
}

std::optional<Name> Name::before(const Name& suffix) const {
  if (suffix.is_root() || wire_.size() <= suffix.wire_.size()) return std::nullopt;
  const size_t start = wire_.size() - suffix.wire_.size();
  size_t at = 0;
  while (at < start) at += 1 + static_cast<unsigned char>(wire_[at]);
  if (at != start || Name(wire_.substr(start)).key() != suffix.key()) return std::nullopt;
  return Name(wire_.substr(0, start) + '\0');
}

}  // namespace weft::dns
