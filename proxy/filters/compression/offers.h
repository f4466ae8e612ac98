// What the compressors of one chain can make, in its order, and what a client's accept-encoding chooses among them: so that the one
// that is chosen compresses and the others know that they need not.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

struct CompressionOffer {
  std::string coding;                      // "gzip", "br", "zstd"
  std::vector<std::string> content_types;  // in lower case; empty: any
  bool first = false;                      // before others that the client likes as well (choose_first)
};
using CompressionOffers = std::vector<CompressionOffer>;

// Envoy's outcomes, each with its counter.
struct EncodingChoice {
  enum class Kind : uint8_t { kMissing, kIdentity, kCoding, kWildcard, kNotValid };
  Kind kind = Kind::kMissing;
  std::string coding = {};
};
EncodingChoice choose_encoding(std::optional<std::string_view> accept_encoding, const CompressionOffers& offers,
                               std::optional<std::string_view> content_type);
// A content-type without its parameters is one of the list; an absent one always is.
bool type_allowed(const std::vector<std::string>& types, std::optional<std::string_view> content_type);

// What both directions of (de)compressing ask of headers.
std::string_view trimmed_text(std::string_view text);
bool same_text(std::string_view a, std::string_view b);  // ignoring case
bool list_has(std::string_view list, std::string_view token);

}  // namespace weft::filters
