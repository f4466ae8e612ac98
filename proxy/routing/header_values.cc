#include "proxy/routing/header_values.h"

namespace weft::routing {
namespace {

// Envoy's header map has one line of these, whatever was received.
bool is_one_line(http::HeaderId id) {
  using Id = http::HeaderId;
  for (Id one : {Id::kAccept, Id::kAcceptEncoding, Id::kAuthorization, Id::kCacheControl, Id::kContentEncoding, Id::kContentType,
                 Id::kGrpcTimeout, Id::kReferer, Id::kUserAgent, Id::kVia, Id::kXForwardedClientCert, Id::kXForwardedFor,
                 Id::kXForwardedHost, Id::kXForwardedPort, Id::kXForwardedProto, Id::kXRequestId})
    if (id == one) return true;
  return false;
}

}  // namespace

std::vector<std::string_view> header_values(const http::Head& request, std::string_view name, std::string& scratch) {
  std::string_view part;
  if (name == ":method") {
    part = request.method();
  } else if (name == ":path") {
    part = request.path();
  } else if (name == ":scheme") {
    part = request.scheme();
  } else {
    if (name == ":authority") name = http::name_of(http::HeaderId::kHost);
    if (is_one_line(http::intern(name)) && request.find(name)) return {request.joined(name, scratch)};
    std::vector<std::string_view> values;
    for (const http::Header& header : request.headers())
      if (!header.removed && header.name() == name) values.push_back(header.value());
    return values;
  }
  return part.empty() ? std::vector<std::string_view>() : std::vector{part};
}

}  // namespace weft::routing
