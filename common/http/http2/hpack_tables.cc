#include "common/http/http2/hpack_tables.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

constexpr NameId of(HeaderId id) { return name_id(id); }

}  // namespace

constexpr std::array<StaticField, kStaticFields + 1> kStaticTable = {{{"", "", kOtherName},
                                                                      {":authority", "", kAuthority},
                                                                      {":method", "GET", kMethod},
                                                                      {":method", "POST", kMethod},
                                                                      {":path", "/", kPath},
                                                                      {":path", "/index.html", kPath},
                                                                      {":scheme", "http", kScheme},
                                                                      {":scheme", "https", kScheme},
                                                                      {":status", "200", kStatus},
                                                                      {":status", "204", kStatus},
                                                                      {":status", "206", kStatus},
                                                                      {":status", "304", kStatus},
                                                                      {":status", "400", kStatus},
                                                                      {":status", "404", kStatus},
                                                                      {":status", "500", kStatus},
                                                                      {"accept-charset", "", kOtherName},
                                                                      {"accept-encoding", "gzip, deflate", of(HeaderId::kAcceptEncoding)},
                                                                      {"accept-language", "", kOtherName},
                                                                      {"accept-ranges", "", kOtherName},
                                                                      {"accept", "", of(HeaderId::kAccept)},
                                                                      {"access-control-allow-origin", "", kOtherName},
                                                                      {"age", "", kOtherName},
                                                                      {"allow", "", kOtherName},
                                                                      {"authorization", "", of(HeaderId::kAuthorization)},
                                                                      {"cache-control", "", of(HeaderId::kCacheControl)},
                                                                      {"content-disposition", "", kOtherName},
                                                                      {"content-encoding", "", of(HeaderId::kContentEncoding)},
                                                                      {"content-language", "", kOtherName},
                                                                      {"content-length", "", of(HeaderId::kContentLength)},
                                                                      {"content-location", "", kOtherName},
                                                                      {"content-range", "", kOtherName},
                                                                      {"content-type", "", of(HeaderId::kContentType)},
                                                                      {"cookie", "", of(HeaderId::kCookie)},
                                                                      {"date", "", of(HeaderId::kDate)},
                                                                      {"etag", "", of(HeaderId::kEtag)},
                                                                      {"expect", "", of(HeaderId::kExpect)},
                                                                      {"expires", "", kOtherName},
                                                                      {"from", "", kOtherName},
                                                                      {"host", "", of(HeaderId::kHost)},
                                                                      {"if-match", "", kOtherName},
                                                                      {"if-modified-since", "", kOtherName},
                                                                      {"if-none-match", "", kOtherName},
                                                                      {"if-range", "", kOtherName},
                                                                      {"if-unmodified-since", "", kOtherName},
                                                                      {"last-modified", "", kOtherName},
                                                                      {"link", "", kOtherName},
                                                                      {"location", "", of(HeaderId::kLocation)},
                                                                      {"max-forwards", "", kOtherName},
                                                                      {"proxy-authenticate", "", kOtherName},
                                                                      {"proxy-authorization", "", kOtherName},
                                                                      {"range", "", kOtherName},
                                                                      {"referer", "", of(HeaderId::kReferer)},
                                                                      {"refresh", "", kOtherName},
                                                                      {"retry-after", "", kOtherName},
                                                                      {"server", "", of(HeaderId::kServer)},
                                                                      {"set-cookie", "", of(HeaderId::kSetCookie)},
                                                                      {"strict-transport-security", "", kOtherName},
                                                                      {"transfer-encoding", "", of(HeaderId::kTransferEncoding)},
                                                                      {"user-agent", "", of(HeaderId::kUserAgent)},
                                                                      {"vary", "", of(HeaderId::kVary)},
                                                                      {"via", "", of(HeaderId::kVia)},
                                                                      {"www-authenticate", "", kOtherName}}};

constexpr std::array<uint8_t, kNameIds> kStaticNames = [] {
  std::array<uint8_t, kNameIds> first{};
  for (uint32_t i = kStaticFields; i > 0; --i)
    if (kStaticTable[i].id != kOtherName) first[kStaticTable[i].id] = static_cast<uint8_t>(i);
  return first;
}();

std::string_view text_of(NameId id) {
  constexpr std::string_view kPseudo[] = {":authority", ":method", ":path", ":protocol", ":scheme", ":status"};
  return is_pseudo(id) ? kPseudo[id - kHeaderIds] : name_of(static_cast<HeaderId>(id));
}

NameId id_of(std::string_view name) {
  if (name.empty() || name.front() != ':') return name_id(intern(name));
  for (NameId id = kAuthority; id < kNameIds; ++id)
    if (text_of(id) == name) return id;
  return kOtherName;
}

uint32_t static_name(std::string_view name) {
  // Its regular names stand in order, but for accept, which comes behind those that it begins.
  const auto* const first = kStaticTable.begin() + 20;
  const auto* const found = std::lower_bound(first, kStaticTable.end(), name,
                                             [](const StaticField& field, std::string_view wanted) { return field.name < wanted; });
  if (found != kStaticTable.end() && found->name == name) return static_cast<uint32_t>(found - kStaticTable.begin());
  for (uint32_t i = 15; i < 20; ++i)
    if (kStaticTable[i].name == name) return i;
  return 0;
}

}  // namespace weft::http::http2
