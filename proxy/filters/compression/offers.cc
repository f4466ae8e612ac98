#include "proxy/filters/compression/offers.h"

#include <algorithm>
#include <charconv>

namespace weft::filters {

std::string_view trimmed_text(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_text(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y); });
}

bool list_has(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (same_text(trimmed_text(list.substr(0, comma)), token)) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

bool type_allowed(const std::vector<std::string>& types, std::optional<std::string_view> content_type) {
  if (!content_type || types.empty()) return true;
  const std::string_view name = trimmed_text(content_type->substr(0, content_type->find(';')));
  return std::any_of(types.begin(), types.end(), [&](const std::string& allowed) { return same_text(allowed, name); });
}

namespace {

struct Accepted {
  std::string_view name;
  double quality = 1;
};

// Items whose quality cannot be read are left out.
std::vector<Accepted> accepted_codings(std::string_view list) {
  std::vector<Accepted> out;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    const size_t semicolon = item.find(';');
    Accepted one{trimmed_text(item.substr(0, semicolon))};
    if (semicolon != std::string_view::npos) {
      const std::string_view parameter = item.substr(semicolon + 1);
      const size_t equals = parameter.find('=');
      if (equals != std::string_view::npos && same_text(trimmed_text(parameter.substr(0, equals)), "q")) {
        const std::string_view value = trimmed_text(parameter.substr(equals + 1));
        if (std::from_chars(value.data(), value.data() + value.size(), one.quality).ec != std::errc()) continue;
      }
    }
    out.push_back(one);
  }
  return out;
}

}  // namespace

EncodingChoice choose_encoding(std::optional<std::string_view> accept_encoding, const CompressionOffers& offers,
                               std::optional<std::string_view> content_type) {
  using Kind = EncodingChoice::Kind;
  if (!accept_encoding) return {Kind::kMissing};
  if (trimmed_text(*accept_encoding).empty()) return {Kind::kIdentity};
  const std::vector<Accepted> accepted = accepted_codings(*accept_encoding);
  std::vector<const CompressionOffer*> possible;
  for (const CompressionOffer& offer : offers) {
    const bool forbidden = std::any_of(accepted.begin(), accepted.end(),
                                       [&](const Accepted& one) { return one.quality == 0 && same_text(one.name, offer.coding); });
    const bool twice = std::any_of(possible.begin(), possible.end(), [&](const auto* other) { return other->coding == offer.coding; });
    if (!forbidden && !twice && type_allowed(offer.content_types, content_type)) possible.push_back(&offer);
  }
  if (accepted.empty() || possible.empty()) return {Kind::kNotValid};
  auto offered = [&](std::string_view name) -> const CompressionOffer* {
    for (const CompressionOffer* offer : possible)
      if (same_text(offer->coding, name)) return offer;
    return nullptr;
  };
  const Accepted* best = nullptr;
  for (const Accepted& one : accepted) {
    const CompressionOffer* offer = offered(one.name);
    if (!offer && one.name != "*" && !same_text(one.name, "identity")) continue;
    if (one.quality <= 0) continue;
    const bool preferred = best && one.quality == best->quality && offer && offer->first;
    if (!best || one.quality > best->quality || preferred) best = &one;
  }
  if (!best) return {Kind::kNotValid};
  if (same_text(best->name, "identity")) return {Kind::kIdentity};
  if (best->name == "*") return {Kind::kWildcard, possible.front()->coding};
  return {Kind::kCoding, offered(best->name)->coding};
}

}  // namespace weft::filters
