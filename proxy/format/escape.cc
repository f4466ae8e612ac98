#include "proxy/format/escape.h"

namespace weft::format {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool plain(unsigned char c) { return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f; }

// Length of the well-formed UTF-8 sequence at `text`, 0 if there is none (RFC 3629: no surrogates, no overlong forms).
size_t sequence(std::string_view text) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  auto tail = [&](size_t i) { return i < text.size() && (at(i) & 0xc0) == 0x80; };
  unsigned char c = at(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return tail(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    if (c == 0xe0 && at(1) < 0xa0) return 0;
    if (c == 0xed && at(1) > 0x9f) return 0;
    return 3;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (c == 0xf0 && at(1) < 0x90) return 0;
    if (c == 0xf4 && at(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

void escape_text(std::string& out, size_t start) {
  size_t first = start;
  while (first < out.size() && plain(static_cast<unsigned char>(out[first]))) ++first;
  if (first == out.size()) return;
  std::string rest = out.substr(first);
  out.resize(first);
  for (char c : rest) {
    auto byte = static_cast<unsigned char>(c);
    if (plain(byte)) {
      out += c;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

void escape_json(std::string& out, size_t start) {
  size_t first = start;
  while (first < out.size() && plain(static_cast<unsigned char>(out[first])) && static_cast<unsigned char>(out[first]) < 0x80) ++first;
  if (first == out.size()) return;
  std::string rest = out.substr(first);
  out.resize(first);
  std::string_view text = rest;
  while (!text.empty()) {
    auto byte = static_cast<unsigned char>(text[0]);
    size_t size = sequence(text);
    if (size == 0) {
      out += "\xef\xbf\xbd";
      size = 1;
    } else if (size > 1 || plain(byte)) {
      out += text.substr(0, size);
    } else {
      switch (byte) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        default:
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
      }
    }
    text.remove_prefix(size);
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  size_t start = out.size();
  out += text;
  escape_json(out, start);
  out += '"';
}

}  // namespace weft::format
