// What RFC 7541 fixes once and for all: the static table, each entry with the number that our heads know its name by, and the code
// that strings are squeezed with. The code is canonical (within one length, codes grow with their symbols), so its lengths say it all;
// everything else is derived from them when this is compiled.
#pragma once
#include "common/http/head.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace weft::http::http2 {

// A field's name as a number: a HeaderId, or behind those what begins with a colon.
using NameId = uint8_t;
constexpr NameId name_id(HeaderId id) { return static_cast<NameId>(id); }
inline constexpr NameId kOtherName = name_id(HeaderId::kOther);
inline constexpr NameId kAuthority = kHeaderIds, kMethod = kHeaderIds + 1, kPath = kHeaderIds + 2, kProtocol = kHeaderIds + 3,
                        kScheme = kHeaderIds + 4, kStatus = kHeaderIds + 5;
inline constexpr size_t kNameIds = kHeaderIds + 6;
constexpr bool is_pseudo(NameId id) { return id >= kHeaderIds; }

std::string_view text_of(NameId id);  // empty for kOtherName
// The number of a name that came as text; kOtherName for pseudo-headers that nobody knows, too.
NameId id_of(std::string_view name);

struct StaticField {
  std::string_view name, value;
  NameId id;
};
inline constexpr uint32_t kStaticFields = 61;
extern const std::array<StaticField, kStaticFields + 1> kStaticTable;  // from 1 on
// The first entry with this name, or 0.
extern const std::array<uint8_t, kNameIds> kStaticNames;
// The same by text, for names that are no NameId.
uint32_t static_name(std::string_view name);

// Bits of each symbol's code; the last is the end of a string, which may never be written.
inline constexpr std::array<uint8_t, 257> kCodeBits = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,  //
    6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10,  //
    13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,   //
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28,  //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,  //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,  //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,  //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,  //
    30};
inline constexpr unsigned kMostBits = 30;

}  // namespace weft::http::http2
