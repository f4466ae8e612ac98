#include "common/http/http2/hpack_decoder.h"

#include "common/http/http2/huffman.h"
#include "common/http/syntax.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

bool is_sound_name(std::string_view name) {
  if (!name.empty() && name.front() == ':') name.remove_prefix(1);
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c && token_lower(c) == c; });
}

bool is_sound_value(std::string_view value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  return value.empty() || (!blank(value.front()) && !blank(value.back()) && is_field_value(value));
}

}  // namespace

void HpackDecoder::set_limit(uint32_t limit) {
  limit_ = limit;
  if (limit >= table_.limit()) return;
  update_owed_ = true;
  least_ = std::min(least_, limit);
  table_.set_limit(limit);
}

// RFC 7541 5.1; nothing beyond 32 bits.
bool HpackDecoder::integer(unsigned prefix_bits, uint32_t& value) {
  const uint32_t most = (1u << prefix_bits) - 1;
  value = static_cast<uint8_t>(*at_++) & most;
  if (value < most) return true;
  for (unsigned shift = 0; at_ != end_; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at_++);
    const uint32_t bits = byte & 0x7f;
    if (shift >= 32 || bits > UINT32_MAX >> shift || bits << shift > UINT32_MAX - value) return false;
    value += bits << shift;
    if (!(byte & 0x80)) return true;
  }
  return false;
}

bool HpackDecoder::text(std::string& scratch, std::string_view& text) {
  if (at_ == end_) return false;
  const bool squeezed = *at_ & 0x80;
  uint32_t size = 0;
  if (!integer(7, size) || size > kMostString || size > static_cast<size_t>(end_ - at_)) return false;
  text = {at_, size};
  at_ += size;
  if (!squeezed) return true;
  scratch.clear();
  if (!huffman_decode(text, scratch)) return false;
  text = scratch;
  return true;
}

// At the beginning of a block, and within what we said.
bool HpackDecoder::update() {
  uint32_t size = 0;
  if (!updates_allowed_ || !integer(5, size) || size > std::min(limit_, least_)) return false;
  table_.set_limit(size);
  least_ = UINT32_MAX;
  update_owed_ = false;
  return true;
}

bool HpackDecoder::indexed(uint32_t index, Field& field) const {
  if (index == 0) return false;
  if (index <= kStaticFields) {
    const StaticField& found = kStaticTable[index];
    field = {found.id, true, true, found.name, found.value};
    return true;
  }
  index -= kStaticFields + 1;
  if (index >= table_.size()) return false;
  const FieldTable::Entry& found = table_.entry(table_.newest() - index);
  field = {found.id, found.sound_name, found.sound_value, table_.name(found), table_.value(found)};
  return true;
}

HpackDecoder::Step HpackDecoder::next(Field& field) {
  while (at_ != end_ && (*at_ & 0xe0) == 0x20)
    if (!update()) return Step::kError;
  if (update_owed_) return Step::kError;
  if (at_ == end_) return Step::kEnd;
  updates_allowed_ = false;
  const auto first = static_cast<uint8_t>(*at_);
  uint32_t index = 0;
  if (first & 0x80) return integer(7, index) && indexed(index, field) ? Step::kField : Step::kError;
  const bool kept = first & 0x40;
  if (!integer(kept ? 6 : 4, index)) return Step::kError;
  if (index == 0) {
    if (!text(name_, field.name)) return Step::kError;
    field.id = id_of(field.name);
    field.sound_name = field.id != kOtherName || is_sound_name(field.name);
  } else {
    if (!indexed(index, field)) return Step::kError;
    if (kept && field.id == kOtherName && index > kStaticFields) {  // its entry may have to go
      name_.assign(field.name);
      field.name = name_;
    }
  }
  if (!text(value_, field.value)) return Step::kError;
  field.sound_value = is_sound_value(field.value);
  if (kept) table_.insert(field.id, field.name, field.value, field.sound_name, field.sound_value);
  return Step::kField;
}

void HpackDecoder::finish() {
  constexpr size_t kKept = 1024;
  if (name_.capacity() > kKept) std::string().swap(name_);
  if (value_.capacity() > kKept) std::string().swap(value_);
}

}  // namespace weft::http::http2
