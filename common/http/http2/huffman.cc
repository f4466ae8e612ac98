#include "common/http/http2/huffman.h"

#include "common/http/http2/frame_format.h"
#include "common/http/http2/hpack_tables.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weft::http::http2 {
namespace {

constexpr unsigned kEndSymbol = 256;  // the symbol that only its beginning may be seen of, as padding
constexpr unsigned kShortBits = 8;

struct Codes {
  std::array<uint32_t, 257> code{};
  // By length: the first code, how far it is from its symbol's place in `sorted`, and the first code (to the left of 32 bits) that is
  // longer.
  std::array<uint32_t, kMostBits + 1> first{}, place{};
  std::array<uint64_t, kMostBits + 1> beyond{};
  std::array<uint16_t, 257> sorted{};
};

constexpr Codes kCodes = [] {
  Codes codes;
  uint32_t next = 0, count = 0;
  for (unsigned bits = 1; bits <= kMostBits; ++bits) {
    next <<= 1;
    codes.first[bits] = next;
    codes.place[bits] = count;
    for (unsigned symbol = 0; symbol <= kEndSymbol; ++symbol) {
      if (kCodeBits[symbol] != bits) continue;
      codes.code[symbol] = next++;
      codes.sorted[count++] = static_cast<uint16_t>(symbol);
    }
    codes.beyond[bits] = uint64_t{next} << (32 - bits);
  }
  return codes;
}();
static_assert(kCodes.code[kEndSymbol] == 0x3fffffff && kCodes.code['0'] == 0 && kCodes.code['~'] == 0x1ffd,
              "the lengths are those of the RFC");

struct ShortCode {
  uint8_t symbol = 0, bits = 0;  // 0: longer
};
constexpr std::array<ShortCode, 1 << kShortBits> kShort = [] {
  std::array<ShortCode, 1 << kShortBits> table{};
  for (unsigned symbol = 0; symbol < kEndSymbol; ++symbol) {
    const unsigned bits = kCodeBits[symbol];
    if (bits > kShortBits) continue;
    const uint32_t from = kCodes.code[symbol] << (kShortBits - bits);
    for (uint32_t i = 0; i < 1u << (kShortBits - bits); ++i) table[from + i] = {static_cast<uint8_t>(symbol), static_cast<uint8_t>(bits)};
  }
  return table;
}();

struct PackedCode {
  uint32_t code;
  uint32_t bits;
};
constexpr std::array<PackedCode, 256> kPacked = [] {
  std::array<PackedCode, 256> table{};
  for (unsigned symbol = 0; symbol < kEndSymbol; ++symbol) table[symbol] = {kCodes.code[symbol], kCodeBits[symbol]};
  return table;
}();

}  // namespace

size_t huffman_size(std::string_view text) {
  size_t bits = 0;
  for (char c : text) bits += kCodeBits[static_cast<uint8_t>(c)];
  return (bits + 7) / 8;
}

char* huffman_encode(char* to, std::string_view text) {
  uint64_t held = 0;  // the lowest `bits` of it wait
  unsigned bits = 0;
  for (char c : text) {
    const PackedCode& packed = kPacked[static_cast<uint8_t>(c)];
    held = held << packed.bits | packed.code;
    bits += packed.bits;
    if (bits < 32) continue;
    bits -= 32;
    to = put32(to, static_cast<uint32_t>(held >> bits));
  }
  for (; bits >= 8; *to++ = static_cast<char>(held >> bits)) bits -= 8;
  if (bits) *to++ = static_cast<char>(held << (8 - bits) | (0xffu >> bits));
  return to;
}

bool huffman_decode(std::string_view code, std::string& text) {
  const size_t before = text.size();
  text.resize(before + code.size() * 8 / 5 + 1);  // no symbol has less than 5 bits
  char* to = text.data() + before;
  const auto done = [&](bool good) {
    text.resize(static_cast<size_t>(to - text.data()));
    return good;
  };
  const char* at = code.data();
  const char* const end = at + code.size();
  uint64_t held = 0;  // from the left
  unsigned bits = 0;
  for (;;) {
    while (bits <= 56 && at != end) {
      held |= static_cast<uint64_t>(static_cast<uint8_t>(*at++)) << (56 - bits);
      bits += 8;
    }
    const ShortCode& found = kShort[held >> (64 - kShortBits)];
    if (found.bits != 0 && found.bits <= bits) {
      *to++ = static_cast<char>(found.symbol);
      held <<= found.bits;
      bits -= found.bits;
      continue;
    }
    // A long code, or the end: what lacks is taken for zeros, which makes no code that would fit into what is there.
    const uint64_t top = held >> 32;
    unsigned length = kShortBits + 1;
    while (length <= kMostBits && top >= kCodes.beyond[length]) ++length;
    if (found.bits != 0 || length > bits) break;
    const unsigned symbol = kCodes.sorted[kCodes.place[length] + static_cast<uint32_t>(top >> (32 - length)) - kCodes.first[length]];
    if (symbol == kEndSymbol) return done(false);
    *to++ = static_cast<char>(symbol);
    held <<= length;
    bits -= length;
  }
  // Padding: less than a byte, all ones.
  return done(bits < 8 && (bits == 0 || held >> (64 - bits) == (uint64_t{1} << bits) - 1));
}

}  // namespace weft::http::http2
