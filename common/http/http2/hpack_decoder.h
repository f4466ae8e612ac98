// Header blocks into fields (RFC 7541 3), one at a time and from bytes that lie together. What is found sound is remembered with the
// entry it becomes, so that a field that comes a thousand times is looked at once.
#pragma once
#include "common/http/http2/field_table.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::http::http2 {

struct Field {
  NameId id;
  bool sound_name;   // a token in lower case, perhaps behind a colon
  bool sound_value;  // no control character but tab, no space at either end
  std::string_view name, value;
};

class HpackDecoder {
 public:
  static constexpr uint32_t kDefaultTable = 4096;
  static constexpr uint32_t kMostString = 65536;

  enum class Step : uint8_t { kField, kEnd, kError };

  // What our SETTINGS said about the table, once the peer has acknowledged them. If that is less than before, its next block must begin
  // with an update that keeps to it.
  void set_limit(uint32_t limit);

  void begin(std::string_view block) {
    at_ = block.data();
    end_ = at_ + block.size();
    updates_allowed_ = true;
  }
  // The next field of the block; its texts are good until the next call. After an error the table is of no use any more.
  Step next(Field& field);
  // Ends the block: what a large field has taken is given back.
  void finish();

  uint32_t table_size() const { return table_.limit(); }

 private:
  bool integer(unsigned prefix_bits, uint32_t& value);
  bool text(std::string& scratch, std::string_view& text);
  bool update();
  bool indexed(uint32_t index, Field& field) const;
  FieldTable table_{kDefaultTable};
  uint32_t limit_ = kDefaultTable;
  uint32_t least_ = UINT32_MAX;  // what the update that is owed may say at most
  bool update_owed_ = false, updates_allowed_ = true;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::string name_, value_;  // what was squeezed
};

}  // namespace weft::http::http2
