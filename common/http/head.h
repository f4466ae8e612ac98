// The head of a message (request or response; trailers too): a flat table of header lines. A line points into the bytes it
// was received in, its name in lower case, well-known names interned to a number so that filters compare numbers. Removing
// marks a line, adding writes one into an arena; serialising HTTP/1 copies runs of untouched lines whole.
//
// One form for both protocols: a request's `:authority` is the `host` line (HTTP/2's pseudo-headers never stand in the
// table), `:method`, `:path`, `:scheme` and `:status` are members.
#pragma once
#include "common/base/buffer.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::http {

// The names that the data path itself looks at. kOther is every other name.
enum class HeaderId : uint8_t {
  kOther,
  kAccept,
  kAcceptEncoding,
  kAuthorization,
  kCacheControl,
  kConnection,
  kContentEncoding,
  kContentLength,
  kContentType,
  kCookie,
  kDate,
  kEtag,
  kExpect,
  kGrpcMessage,
  kGrpcStatus,
  kGrpcTimeout,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kLocation,
  kProxyConnection,
  kReferer,
  kServer,
  kSetCookie,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kVary,
  kVia,
  kXEnvoyAttemptCount,
  kXEnvoyDecoratorOperation,
  kXEnvoyDegraded,
  kXEnvoyExpectedRqTimeoutMs,
  kXEnvoyExternalAddress,
  kXEnvoyHedgeOnPerTryTimeout,
  kXEnvoyImmediateHealthCheckFail,
  kXEnvoyInternal,
  kXEnvoyIpTags,
  kXEnvoyMaxRetries,
  kXEnvoyOriginalPath,
  kXEnvoyOverloaded,
  kXEnvoyRateLimited,
  kXEnvoyRetriableHeaderNames,
  kXEnvoyRetriableStatusCodes,
  kXEnvoyRetryGrpcOn,
  kXEnvoyRetryOn,
  kXEnvoyUpstreamAltStatName,
  kXEnvoyUpstreamCanary,
  kXEnvoyUpstreamRqPerTryTimeoutMs,
  kXEnvoyUpstreamRqTimeoutAltResponse,
  kXEnvoyUpstreamRqTimeoutMs,
  kXEnvoyUpstreamServiceTime,
  kXEnvoyUpstreamStreamDurationMs,
  kXForwardedClientCert,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPort,
  kXForwardedProto,
  kXRequestId,
  kCount
};
inline constexpr size_t kHeaderIds = static_cast<size_t>(HeaderId::kCount);

HeaderId intern(std::string_view lower_case_name);
std::string_view name_of(HeaderId id);

// One line "name: value\r\n", contiguous. Trivially copyable; the bytes belong to the Head.
struct Header {
  const char* line;
  uint32_t value_at;
  uint32_t value_size;
  uint32_t line_size;
  uint16_t name_size;
  HeaderId id;
  bool removed;
  std::string_view name() const { return {line, name_size}; }
  std::string_view value() const { return {line + value_at, value_size}; }
};

class Head {
 public:
  explicit Head(SlabPool& pool) : pool_(pool) { first_.fill(-1); }
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  // Forgets everything and gives the memory back.
  void clear();

  // --- the first line ---
  std::string_view method() const { return method_; }
  std::string_view path() const { return path_; }      // origin form with query; "*" for OPTIONS *; empty for plain CONNECT
  std::string_view scheme() const { return scheme_; }  // "http" or "https"
  std::string_view authority() const { return value(HeaderId::kHost); }
  int status() const { return status_; }
  // Each copies its argument, unless it is static text or already lives in this head's memory (`_view` variants).
  void set_method(std::string_view method);
  void set_path(std::string_view path);
  void set_scheme(std::string_view scheme);
  void set_authority(std::string_view authority);
  void set_status(int status) { status_ = status, first_line_ = {}; }
  // A request: what follows the head is a tunnel (CONNECT, or to what its Upgrade names). Said by whoever forwards it, never read off
  // its lines: an Upgrade that configuration has added opens nothing.
  bool asks_for_tunnel() const { return asks_for_tunnel_; }
  void ask_for_tunnel(bool asks) { asks_for_tunnel_ = asks; }

  // --- lines ---
  // The first line of that name that is not removed, or null.
  const Header* find(HeaderId id) const { return first_[index(id)] < 0 ? nullptr : &headers_[static_cast<size_t>(first_[index(id)])]; }
  const Header* find(std::string_view lower_case_name) const;
  bool has(HeaderId id) const { return first_[index(id)] >= 0; }
  // Its value, or an empty view.
  std::string_view value(HeaderId id) const {
    const Header* header = find(id);
    return header ? header->value() : std::string_view();
  }
  std::string_view value(std::string_view lower_case_name) const;
  // All values of that name joined by "," (how RFC 9110 5.3 lets them be read); uses `scratch` when there are several.
  std::string_view joined(std::string_view lower_case_name, std::string& scratch) const;
  // The table, removed lines included.
  const std::vector<Header>& headers() const { return headers_; }

  // `name` must be in lower case; both are copied.
  void add(HeaderId id, std::string_view value);
  void add(std::string_view lower_case_name, std::string_view value);
  void set(HeaderId id, std::string_view value);  // replaces all lines of that name
  void set(std::string_view lower_case_name, std::string_view value);
  void append(HeaderId id, std::string_view value);  // to the last line of that name with ",", else adds
  void remove(HeaderId id);
  void remove(std::string_view lower_case_name);
  template <class Predicate>
  void remove_if(Predicate predicate) {  // predicate(const Header&)
    for (Header& header : headers_)
      if (!header.removed && predicate(const_cast<const Header&>(header))) mark_removed(header);
  }

  // Bytes that all present lines would take as HTTP/1 ("name: value\r\n").
  size_t byte_size() const;
  size_t count() const;  // lines not removed

  // --- for codecs ---
  // A line that stands in memory kept by hold() (or forever).
  void append_line(const Header& header);
  // Keeps a slab alive as long as this head.
  void hold(SlabRef slab);
  // `size` bytes of this head's own memory; at most SlabPool::kLarge.
  char* allocate(size_t size) {
    if (size > arena_left_) more_memory(size);
    arena_left_ -= static_cast<uint32_t>(size);
    return std::exchange(arena_at_, arena_at_ + size);
  }
  std::string_view store(std::string_view text);
  void set_first_line(std::string_view line, std::string_view method, std::string_view path, std::string_view scheme) {
    first_line_ = line, method_ = method, path_ = path, scheme_ = scheme;
  }
  void set_first_line(std::string_view line, int status) { first_line_ = line, status_ = status; }
  // How a name was written when it came, for whoever must write it so again; `as_written` is copied.
  void remember_case(std::string_view as_written) { written_names_.push_back(store(as_written)); }
  bool remembers_case() const { return !written_names_.empty(); }
  std::string_view written_name(std::string_view lower_case_name) const;
  // The received first line with its CRLF, when nothing has changed it and it may be sent on as it is; else empty.
  std::string_view first_line() const { return first_line_; }
  SlabPool& pool() { return pool_; }

 private:
  static constexpr size_t index(HeaderId id) { return static_cast<size_t>(id); }
  void mark_removed(Header& header);
  Header make_line(HeaderId id, std::string_view name, std::string_view value, std::string_view more);
  void replace(HeaderId id, std::string_view name, std::string_view value);
  void more_memory(size_t size);
  SlabPool& pool_;
  std::vector<Header> headers_;
  std::array<int16_t, kHeaderIds> first_;
  std::string_view first_line_, method_, path_, scheme_;
  int status_ = 0;
  bool asks_for_tunnel_ = false;
  SlabRef held_first_;  // nearly always the only one
  std::vector<SlabRef> held_;
  std::vector<std::string_view> written_names_;
  SlabRef arena_;
  char* arena_at_ = nullptr;
  uint32_t arena_left_ = 0;
};

// Removes what belongs to one hop: Connection and what it names (never host, framing or pseudo), Keep-Alive, Proxy-Connection,
// TE (but "trailers" is kept when asked), Trailer stays, Upgrade, HTTP2-Settings. RFC 9110 7.6.1.
void remove_hop_by_hop(Head& head);

// What a message wants to switch to (RFC 9110 7.8): its Upgrade, if its Connection names that; else empty. Several lines are none
// that anybody offers. An extended CONNECT of HTTP/2 (RFC 8441) stands in a head as the upgrade that HTTP/1 would have said, and
// its 2xx as 101.
std::string_view wanted_upgrade(const Head& head);
void set_upgrade(Head& head, std::string_view protocol);
bool is_h2c(std::string_view upgrade);  // which nobody need ask for: HTTP/2 is taken as it comes
// remove_hop_by_hop() of a message that opens a tunnel: Upgrade stays, and Connection names it alone.
void remove_hop_by_hop_but_upgrade(Head& head);

// The standard reason phrase of a status, as Envoy writes it; "Unknown" for others.
std::string_view reason_phrase(int status);

}  // namespace weft::http
