#include "proxy/filters/http/header_to_metadata/filter.h"

#include "proxy/format/request_info.h"
#include "proxy/routing/matchers.h"

#include <array>
#include <charconv>

namespace weft::filters {
namespace {

constexpr size_t kLongestValue = 8 * 1024;

constexpr std::array<int8_t, 256> make_base64_digits() {
  std::array<int8_t, 256> digits{};
  for (auto& digit : digits) digit = -1;
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kLetters.size(); ++i) digits[static_cast<unsigned char>(kLetters[i])] = static_cast<int8_t>(i);
  return digits;
}

// With its padding, as RFC 4648 4 has it; empty: it is none.
std::string decoded_base64(std::string_view text) {
  static constexpr std::array<int8_t, 256> kDigits = make_base64_digits();
  if (text.empty() || text.size() % 4 != 0) return {};
  size_t letters = text.size();
  while (letters > text.size() - 2 && text[letters - 1] == '=') --letters;
  std::string out;
  uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text.substr(0, letters)) {
    const int8_t digit = kDigits[static_cast<unsigned char>(c)];
    if (digit < 0) return {};
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((held += 6) >= 8) out += static_cast<char>(bits >> (held -= 8) & 0xff);
  }
  return bits & ((1u << held) - 1) ? std::string() : out;
}

}  // namespace

std::optional<format::MetadataValue> MetadataNote::make(std::string_view found) const {
  std::string text = !value.empty() ? value : rewrite ? rewrite.apply(found) : std::string(found);
  if (text.empty() || text.size() >= kLongestValue) return {};
  if (base64) text = decoded_base64(text);
  if (text.empty()) return {};
  switch (type) {
    case Type::kString: return format::MetadataValue{std::move(text)};
    case Type::kNumber: {
      double number = 0;
      const char* begin = text.data() + (text.front() == '+');
      const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) return {};
      return format::MetadataValue{number};
    }
    case Type::kProtobufValue: return parse(text);
  }
  return {};
}

void MetadataRule::apply(http::Head& head, format::RequestInfo& info) const {
  std::string scratch, copy;
  std::string_view found;
  bool there = false;
  if (!cookie.empty()) {
    found = routing::cookie_value(head, cookie);
    there = !found.empty();
  } else if (header.starts_with(':')) {
    found = header == ":method"      ? head.method()
            : header == ":path"      ? head.path()
            : header == ":scheme"    ? head.scheme()
            : header == ":authority" ? head.authority()
                                     : std::string_view();
    if (header == ":status" && head.status() != 0) found = copy = std::to_string(head.status());
    there = !found.empty();
  } else {
    there = head.find(header) != nullptr;
    if (there) found = copy = head.joined(header, scratch);
    if (there && remove) head.remove(header);
  }
  const std::optional<MetadataNote>& note = there ? present : missing;
  if (!note) return;
  if (auto made = note->make(found)) format::metadata_of(info).set(note->name_space, note->key, std::move(*made));
}

const HeaderToMetadataRules& HeaderToMetadata::rules(FilterContext& context) const {
  const auto* route = dynamic_cast<const HeaderToMetadataRoute*>(context.route_config(name_));
  return route ? route->rules : rules_;
}

Verdict HeaderToMetadata::on_request_head(FilterContext& context, bool) {
  for (const MetadataRule& rule : rules(context).request) rule.apply(context.request(), context.info());
  return Verdict::kContinue;
}

Verdict HeaderToMetadata::on_response_head(FilterContext& context, bool) {
  for (const MetadataRule& rule : rules(context).response) rule.apply(context.response(), context.info());
  return Verdict::kContinue;
}

}  // namespace weft::filters
