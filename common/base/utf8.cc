#include "common/base/utf8.h"

namespace weft {
namespace {

// Bytes of the character that begins here; 0: none does.
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i, unsigned least = 0x80, unsigned most = 0xbf) { return byte(i) >= least && byte(i) <= most; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first < 0xf0 || first > 0xf4) return 0;
  return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = character_size(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return std::string_view::npos;
}

std::string repair_utf8(std::string text) {
  size_t bad = find_invalid_utf8(text);
  if (bad == std::string_view::npos) return text;
  std::string good;
  std::string_view rest = text;
  for (; bad != std::string_view::npos; bad = find_invalid_utf8(rest)) {
    good += rest.substr(0, bad);
    good += "\xef\xbf\xbd";
    rest.remove_prefix(bad + 1);
  }
  return good += rest;
}

}  // namespace weft
