#include "proxy/filters/http/header_to_metadata/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/matchers.h"

#include <array>
#include <charconv>

namespace weft::filters {

using observe::HeaderToMetadataStat;

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

template <class Count>
std::optional<format::MetadataValue> MetadataNote::make(std::string_view found, Count count) const {
  std::string text = !value.empty() ? value : rewrite ? rewrite.apply(found) : std::string(found);
  if (text.empty() && value.empty() && rewrite && !found.empty()) count(HeaderToMetadataStat::kRegexSubstitutionFailed);
  if (text.size() >= kLongestValue) count(HeaderToMetadataStat::kHeaderValueTooLong);
  if (text.empty() || text.size() >= kLongestValue) return {};
  if (base64) text = decoded_base64(text);
  if (text.empty()) return count(HeaderToMetadataStat::kBase64DecodeFailed), std::nullopt;
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

struct HeaderToMetadata::Side {
  unsigned processed, added, not_found;
};

void HeaderToMetadata::apply(FilterContext& context, const MetadataRule& rule, http::Head& head, const HeaderToMetadataRules& of,
                             const Side& side) const {
  auto count = [&](unsigned stat) {
    if (of.stats) of.stats->cells(context.thread()).add(stat);
  };
  count(side.processed);
  const std::string& header = rule.header;
  std::string scratch, copy;
  std::string_view found;
  bool there = false;
  if (!rule.cookie.empty()) {
    found = routing::cookie_value(head, rule.cookie);
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
    if (there && rule.remove) head.remove(header);
  }
  const std::optional<MetadataNote>& note = there ? rule.present : rule.missing;
  if (!note) return;
  if (!there) count(side.not_found);
  auto made = note->make(found, count);
  if (!made) return;
  count(side.added);
  format::metadata_of(context.info()).set(note->name_space, note->key, std::move(*made));
}

const HeaderToMetadataRules& HeaderToMetadata::rules(FilterContext& context) const {
  const auto* route = dynamic_cast<const HeaderToMetadataRoute*>(context.route_config(name_));
  return route ? route->rules : rules_;
}

Verdict HeaderToMetadata::on_request_head(FilterContext& context, bool) {
  static constexpr Side kSide{HeaderToMetadataStat::kRequestRulesProcessed, HeaderToMetadataStat::kRequestMetadataAdded,
                              HeaderToMetadataStat::kRequestHeaderNotFound};
  const HeaderToMetadataRules& all = rules(context);
  for (const MetadataRule& rule : all.request) apply(context, rule, context.request(), all, kSide);
  return Verdict::kContinue;
}

Verdict HeaderToMetadata::on_response_head(FilterContext& context, bool) {
  static constexpr Side kSide{HeaderToMetadataStat::kResponseRulesProcessed, HeaderToMetadataStat::kResponseMetadataAdded,
                              HeaderToMetadataStat::kResponseHeaderNotFound};
  const HeaderToMetadataRules& all = rules(context);
  for (const MetadataRule& rule : all.response) apply(context, rule, context.response(), all, kSide);
  return Verdict::kContinue;
}

}  // namespace weft::filters
