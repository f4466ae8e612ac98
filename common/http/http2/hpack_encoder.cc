#include "common/http/http2/hpack_encoder.h"

#include "common/http/http2/huffman.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weft::http::http2 {
namespace {

enum class Policy : uint8_t {
  kUsual,
  kUnique,  // hardly twice the same
  kNever,   // secret: nobody on the way may put it into a table either
  kIfLong,  // secret if it is short enough to be guessed
};

constexpr std::array<Policy, kNameIds> kPolicies = [] {
  std::array<Policy, kNameIds> policies{};
  for (HeaderId id : {HeaderId::kContentLength, HeaderId::kEtag, HeaderId::kGrpcTimeout, HeaderId::kLocation, HeaderId::kSetCookie,
                      HeaderId::kXEnvoyUpstreamServiceTime, HeaderId::kXRequestId})
    policies[name_id(id)] = Policy::kUnique;
  policies[name_id(HeaderId::kAuthorization)] = Policy::kNever;
  policies[name_id(HeaderId::kCookie)] = Policy::kIfLong;
  return policies;
}();
constexpr size_t kShortCookie = 20;

uint32_t hash_of(uint64_t seed, std::string_view text) {
  constexpr uint64_t kMix = 0x9e3779b97f4a7c15;
  uint64_t hash = (seed + text.size()) * kMix;
  const auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * kMix;
    hash ^= hash >> 29;
  };
  const char* at = text.data();
  size_t left = text.size();
  uint64_t word = 0;
  for (; left >= 8; at += 8, left -= 8) {
    std::memcpy(&word, at, 8);
    mix(word);
  }
  if (left == 0) return static_cast<uint32_t>(hash >> 32);
  if (text.size() >= 8) {
    std::memcpy(&word, at + left - 8, 8);
  } else {
    word = 0;
    for (size_t i = 0; i < left; ++i) word = word << 8 | static_cast<uint8_t>(at[i]);
  }
  mix(word);
  return static_cast<uint32_t>(hash >> 32);
}

char* put_integer(char* to, unsigned prefix_bits, uint8_t upper, size_t value) {
  const size_t most = (size_t{1} << prefix_bits) - 1;
  if (value < most) {
    *to++ = static_cast<char>(upper | value);
    return to;
  }
  *to++ = static_cast<char>(upper | most);
  for (value -= most; value >= 128; value >>= 7) *to++ = static_cast<char>((value & 127) | 128);
  *to++ = static_cast<char>(value);
  return to;
}

char* put_text(char* to, std::string_view text) {
  const size_t squeezed = huffman_size(text);
  if (squeezed < text.size()) return huffman_encode(put_integer(to, 7, 0x80, squeezed), text);
  to = put_integer(to, 7, 0, text.size());
  return std::copy(text.begin(), text.end(), to);
}

uint32_t static_field(NameId id, std::string_view value) {
  for (uint32_t index = kStaticNames[id]; index != 0 && index <= kStaticFields && kStaticTable[index].id == id; ++index)
    if (kStaticTable[index].value == value) return index;
  return 0;
}

}  // namespace

void HpackEncoder::set_limit(uint32_t theirs) {
  const uint32_t limit = std::min(theirs, kMostTable);
  if (limit == table_.limit() && !update_owed_) return;
  least_ = std::min(least_, limit);
  update_owed_ = true;
  table_.set_limit(limit);
}

// RFC 7541 4.2: the least that it was since the last block, and what it is now.
char* HpackEncoder::update(char* to) {
  if (least_ < table_.limit()) to = put_integer(to, 5, 0x20, least_);
  to = put_integer(to, 5, 0x20, table_.limit());
  least_ = UINT32_MAX;
  update_owed_ = false;
  return to;
}

char* HpackEncoder::status(char* to, int code) {
  if (code == 200) {
    *to++ = static_cast<char>(0x88);
    return to;
  }
  const char digits[3] = {static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
                          static_cast<char>('0' + code % 10)};
  return field(to, kStatus, {digits, 3});
}

// Where a name is, or 0; `slot` is where an entry with it is to be remembered.
uint32_t HpackEncoder::index_of_name(NameId id, std::string_view name, uint32_t& slot) const {
  slot = id;
  if (id != kOtherName) {
    if (kStaticNames[id]) return kStaticNames[id];
    return table_.holds(names_[slot]) && table_.entry(names_[slot]).id == id ? index_of(names_[slot]) : 0;
  }
  slot = kNameIds + hash_of(0, name) % kNames;
  if (table_.holds(names_[slot])) {
    const FieldTable::Entry& entry = table_.entry(names_[slot]);
    if (entry.id == kOtherName && table_.name(entry) == name) return index_of(names_[slot]);
  }
  return static_name(name);
}

bool HpackEncoder::seen_before(uint32_t hash) {
  uint16_t& last = seen_[hash / kValues % kSeen];
  const auto mark = static_cast<uint16_t>(hash >> 16);
  return std::exchange(last, mark) == mark;
}

char* HpackEncoder::field(char* to, NameId id, std::string_view name, std::string_view value) {
  if (is_pseudo(id) || id == name_id(HeaderId::kAcceptEncoding))
    if (const uint32_t index = static_field(id, value)) return put_integer(to, 7, 0x80, index);
  const Policy policy = kPolicies[id];
  bool keep = name.size() + value.size() + FieldTable::kOverhead <= table_.limit() / 4 * 3;
  uint32_t hash = 0, slot = 0;
  uint8_t kind = 0;
  if (policy == Policy::kNever || (policy == Policy::kIfLong && value.size() < kShortCookie)) {
    keep = false;
    kind = 0x10;
  } else if (policy != Policy::kUnique && keep) {
    hash = hash_of(id == kOtherName ? hash_of(kNameIds, name) : id, value);
    if (const uint32_t place = values_[hash % kValues]; table_.holds(place)) {
      const FieldTable::Entry& entry = table_.entry(place);
      if (entry.id == id && table_.value(entry) == value && (id != kOtherName || table_.name(entry) == name))
        return put_integer(to, 7, 0x80, index_of(place));
    }
  }
  const uint32_t index = index_of_name(id, name, slot);
  // A name is worth its place by itself, a value once it has come again.
  if (keep && index != 0) keep = policy != Policy::kUnique && seen_before(hash);
  if (keep) {
    to = put_integer(to, 6, 0x40, index);
  } else {
    to = put_integer(to, 4, kind, index);
  }
  if (index == 0) to = put_text(to, name);
  to = put_text(to, value);
  if (!keep) return to;
  table_.insert(id, name, value, true, true);
  names_[slot] = table_.newest();
  if (policy != Policy::kUnique) values_[hash % kValues] = table_.newest();
  return to;
}

}  // namespace weft::http::http2
