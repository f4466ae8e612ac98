// Fields into header blocks (RFC 7541 6), straight into the output. What is worth a place in the table is what comes again: a value is
// put there when it is seen for the second time, or when its name is not there yet. So one-off values (identifiers, paths, lengths) push
// nothing out, and no list of them is needed but for those that are not even worth a hash. Where an entry is, three small arrays
// remember by hash; a place that was taken over since only costs a few bytes.
#pragma once
#include "common/http/http2/field_table.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace weft::http::http2 {

class HpackEncoder {
 public:
  static constexpr uint32_t kMostTable = 4096;  // we need no more, whatever the peer offers
  // A field takes at most its bytes and this; what begin() writes, too.
  static constexpr size_t kOverhead = 12;

  // The peer's SETTINGS_HEADER_TABLE_SIZE.
  void set_limit(uint32_t theirs);

  // Each writes at `to` and returns what is behind. A block starts with begin().
  char* begin(char* to) { return update_owed_ ? update(to) : to; }
  char* field(char* to, NameId id, std::string_view name, std::string_view value);
  char* field(char* to, NameId id, std::string_view value) { return field(to, id, text_of(id), value); }
  char* status(char* to, int code);

 private:
  static constexpr uint32_t kValues = 128, kNames = 32, kSeen = 64;
  char* update(char* to);
  uint32_t index_of_name(NameId id, std::string_view name, uint32_t& slot) const;
  bool seen_before(uint32_t hash);
  uint32_t index_of(uint32_t place) const { return kStaticFields + 1 + table_.newest() - place; }

  FieldTable table_{kMostTable};
  uint32_t least_ = UINT32_MAX;
  bool update_owed_ = false;
  // Places in the table: of the last entry whose name and value hash to a slot, and of one with a name.
  std::array<uint32_t, kValues> values_{};
  std::array<uint32_t, kNameIds + kNames> names_{};
  std::array<uint16_t, kSeen> seen_{};  // hashes
};

}  // namespace weft::http::http2
