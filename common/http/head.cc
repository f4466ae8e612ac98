#include "common/http/head.h"

#include "common/http/syntax.h"

#include <cassert>
#include <cstring>
#include <string>

namespace weft::http {
namespace {

// In the order of HeaderId.
constexpr std::string_view kNames[kHeaderIds] = {"",
                                                 "accept",
                                                 "accept-encoding",
                                                 "authorization",
                                                 "cache-control",
                                                 "connection",
                                                 "content-encoding",
                                                 "content-length",
                                                 "content-type",
                                                 "cookie",
                                                 "date",
                                                 "etag",
                                                 "expect",
                                                 "grpc-message",
                                                 "grpc-status",
                                                 "grpc-timeout",
                                                 "host",
                                                 "http2-settings",
                                                 "keep-alive",
                                                 "location",
                                                 "proxy-connection",
                                                 "referer",
                                                 "server",
                                                 "set-cookie",
                                                 "te",
                                                 "trailer",
                                                 "transfer-encoding",
                                                 "upgrade",
                                                 "user-agent",
                                                 "vary",
                                                 "via",
                                                 "x-envoy-attempt-count",
                                                 "x-envoy-decorator-operation",
                                                 "x-envoy-degraded",
                                                 "x-envoy-expected-rq-timeout-ms",
                                                 "x-envoy-external-address",
                                                 "x-envoy-hedge-on-per-try-timeout",
                                                 "x-envoy-immediate-health-check-fail",
                                                 "x-envoy-internal",
                                                 "x-envoy-ip-tags",
                                                 "x-envoy-max-retries",
                                                 "x-envoy-original-path",
                                                 "x-envoy-overloaded",
                                                 "x-envoy-ratelimited",
                                                 "x-envoy-retriable-header-names",
                                                 "x-envoy-retriable-status-codes",
                                                 "x-envoy-retry-grpc-on",
                                                 "x-envoy-retry-on",
                                                 "x-envoy-upstream-alt-stat-name",
                                                 "x-envoy-upstream-canary",
                                                 "x-envoy-upstream-rq-per-try-timeout-ms",
                                                 "x-envoy-upstream-rq-timeout-alt-response",
                                                 "x-envoy-upstream-rq-timeout-ms",
                                                 "x-envoy-upstream-service-time",
                                                 "x-envoy-upstream-stream-duration-ms",
                                                 "x-forwarded-client-cert",
                                                 "x-forwarded-for",
                                                 "x-forwarded-host",
                                                 "x-forwarded-port",
                                                 "x-forwarded-proto",
                                                 "x-request-id"};

// Length and two bytes tell the names apart; that no two meet in a slot is checked when this is compiled.
constexpr size_t kSlots = 1024;
constexpr size_t slot(std::string_view name) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(name[i])); };
  const uint32_t mixed =
      static_cast<uint32_t>(name.size()) * 0x1a2b8f1fu + byte(name.size() / 2) * 0x51431193u + byte(name.size() * 3 / 4) * 0x07d4beddu;
  return mixed >> 22;
}
struct Slots {
  std::array<uint8_t, kSlots> id{};
  bool collision = false;
};
constexpr Slots kIds = [] {
  Slots slots;
  for (size_t i = 1; i < kHeaderIds; ++i) {
    uint8_t& id = slots.id[slot(kNames[i])];
    if (id) slots.collision = true;
    id = static_cast<uint8_t>(i);
  }
  return slots;
}();
static_assert(!kIds.collision, "two well-known header names share a slot: change the multipliers");

// Methods that need no memory.
std::string_view static_method(std::string_view method) {
  for (std::string_view known : {"GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}) {
    if (method == known) return known;
  }
  return {};
}

}  // namespace

HeaderId intern(std::string_view name) {
  if (name.empty()) return HeaderId::kOther;
  const uint8_t id = kIds.id[slot(name)];
  return id && kNames[id] == name ? static_cast<HeaderId>(id) : HeaderId::kOther;
}

std::string_view name_of(HeaderId id) { return kNames[static_cast<size_t>(id)]; }

void Head::clear() {
  if (!headers_.empty()) {
    headers_.clear();
    first_.fill(-1);
  }
  first_line_ = method_ = path_ = scheme_ = {};
  status_ = 0;
  asks_for_tunnel_ = false;
  held_first_ = {};
  held_.clear();
  written_names_.clear();
  arena_ = {};
  arena_at_ = nullptr;
  arena_left_ = 0;
}

void Head::hold(SlabRef slab) {
  if (!held_first_) {
    held_first_ = std::move(slab);
  } else if (!(held_.empty() ? held_first_ == slab : held_.back() == slab)) {
    held_.push_back(std::move(slab));
  }
}

void Head::more_memory(size_t size) {
  assert(size <= SlabPool::kLarge);
  if (arena_) held_.push_back(std::move(arena_));
  arena_ = SlabRef(pool_.take(size > SlabPool::kSmall));
  arena_at_ = arena_->data();
  arena_left_ = static_cast<uint32_t>(arena_->capacity);
}

std::string_view Head::store(std::string_view text) {
  // Codecs bound what they receive below this; a longer text can only be made by configuration.
  text = text.substr(0, SlabPool::kLarge);
  if (text.empty()) return {};
  char* at = allocate(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

void Head::set_method(std::string_view method) {
  const std::string_view known = static_method(method);
  method_ = known.empty() ? store(method) : known;
  first_line_ = {};
}

void Head::set_path(std::string_view path) {
  path_ = store(path);
  first_line_ = {};
}

void Head::set_scheme(std::string_view scheme) { scheme_ = scheme == "http" ? "http" : scheme == "https" ? "https" : store(scheme); }

void Head::set_authority(std::string_view authority) { set(HeaderId::kHost, authority); }

const Header* Head::find(std::string_view name) const {
  if (const HeaderId id = intern(name); id != HeaderId::kOther) return find(id);
  for (const Header& header : headers_) {
    if (!header.removed && header.name() == name) return &header;
  }
  return nullptr;
}

std::string_view Head::written_name(std::string_view name) const {
  for (std::string_view written : written_names_)
    if (written.size() == name.size() && equals_ignoring_case(written, name)) return written;
  return name;
}

std::string_view Head::value(std::string_view name) const {
  const Header* header = find(name);
  return header ? header->value() : std::string_view();
}

std::string_view Head::joined(std::string_view name, std::string& scratch) const {
  const Header* first = find(name);
  if (!first) return {};
  const Header* const end = headers_.data() + headers_.size();
  bool several = false;
  for (const Header* header = first + 1; header < end; ++header) {
    if (header->removed || header->id != first->id || header->name() != name) continue;
    if (!several) scratch.assign(first->value());
    several = true;
    scratch += ',';
    scratch += header->value();
  }
  return several ? std::string_view(scratch) : first->value();
}

namespace {

// memcpy without its call for the sizes that headers have.
inline char* put(char* to, std::string_view text) {
  const char* from = text.data();
  const size_t size = text.size();
  const auto move = [to, from]<class Word>(Word word, size_t at) {
    std::memcpy(&word, from + at, sizeof word);
    std::memcpy(to + at, &word, sizeof word);
  };
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    move(__int128{}, 0), move(__int128{}, size - 16);
  } else if (size >= 8) {
    move(uint64_t{}, 0), move(uint64_t{}, size - 8);
  } else if (size >= 4) {
    move(uint32_t{}, 0), move(uint32_t{}, size - 4);
  } else {
    for (size_t i = 0; i < size; ++i) to[i] = from[i];
  }
  return to + size;
}

}  // namespace

Header Head::make_line(HeaderId id, std::string_view name, std::string_view value, std::string_view more) {
  constexpr size_t kMost = SlabPool::kLarge - 8;
  if (name.size() + value.size() + more.size() > kMost) [[unlikely]] {
    name = name.substr(0, kMost / 2);
    value = value.substr(0, kMost - name.size());
    more = more.substr(0, kMost - name.size() - value.size());
  }
  const size_t size = name.size() + value.size() + more.size() + 4;
  char* line = allocate(size);
  char* at = put(line, name);
  std::memcpy(at, ": ", 2);
  at = put(put(at + 2, value), more);
  std::memcpy(at, "\r\n", 2);
  return {line,
          static_cast<uint32_t>(name.size() + 2),
          static_cast<uint32_t>(value.size() + more.size()),
          static_cast<uint32_t>(size),
          static_cast<uint16_t>(name.size()),
          id,
          false};
}

void Head::append_line(const Header& header) {
  if (headers_.capacity() == 0) headers_.reserve(32);
  if (header.id != HeaderId::kOther && first_[index(header.id)] < 0) first_[index(header.id)] = static_cast<int16_t>(headers_.size());
  headers_.push_back(header);
}

void Head::add(HeaderId id, std::string_view value) { append_line(make_line(id, name_of(id), value, {})); }

void Head::add(std::string_view name, std::string_view value) { append_line(make_line(intern(name), name, value, {})); }

void Head::replace(HeaderId id, std::string_view name, std::string_view value) {
  Header* first = const_cast<Header*>(id == HeaderId::kOther ? find(name) : find(id));
  if (!first) return append_line(make_line(id, name, value, {}));
  *first = make_line(id, name, value, {});
  for (size_t i = static_cast<size_t>(first - headers_.data()) + 1; i < headers_.size(); ++i) {
    Header& other = headers_[i];
    if (!other.removed && other.id == id && (id != HeaderId::kOther || other.name() == name)) other.removed = true;
  }
}

void Head::set(HeaderId id, std::string_view value) { replace(id, name_of(id), value); }

void Head::set(std::string_view name, std::string_view value) { replace(intern(name), name, value); }

void Head::append(HeaderId id, std::string_view value) {
  for (size_t i = headers_.size(); has(id) && i-- > 0;) {
    Header& header = headers_[i];
    if (header.removed || header.id != id) continue;
    const std::string_view old = header.value();
    // Beyond what a line can hold the list goes on in another line, which means the same (RFC 9110 5.3).
    if (header.line_size + value.size() + 16 > SlabPool::kLarge) break;
    if (old.empty()) {
      header = make_line(id, name_of(id), value, {});
    } else {
      char* tail = allocate(value.size() + 1);
      tail[0] = ',';
      if (!value.empty()) std::memcpy(tail + 1, value.data(), value.size());
      header = make_line(id, name_of(id), old, {tail, value.size() + 1});
    }
    return;
  }
  add(id, value);
}

void Head::mark_removed(Header& header) {
  header.removed = true;
  if (header.id == HeaderId::kOther) return;
  int16_t& first = first_[index(header.id)];
  const auto at = static_cast<size_t>(&header - headers_.data());
  if (first != static_cast<int16_t>(at)) return;
  first = -1;
  for (size_t i = at + 1; i < headers_.size(); ++i) {
    if (headers_[i].id == header.id && !headers_[i].removed) {
      first = static_cast<int16_t>(i);
      return;
    }
  }
}

void Head::remove(HeaderId id) {
  if (id == HeaderId::kOther || !has(id)) return;
  for (size_t i = static_cast<size_t>(first_[index(id)]); i < headers_.size(); ++i) {
    if (headers_[i].id == id) headers_[i].removed = true;
  }
  first_[index(id)] = -1;
}

void Head::remove(std::string_view name) {
  if (const HeaderId id = intern(name); id != HeaderId::kOther) return remove(id);
  for (Header& header : headers_) {
    if (header.name() == name) header.removed = true;
  }
}

size_t Head::byte_size() const {
  size_t size = 0;
  for (const Header& header : headers_) size += header.removed ? 0 : header.line_size;
  return size;
}

size_t Head::count() const {
  size_t count = 0;
  for (const Header& header : headers_) count += header.removed ? 0 : 1;
  return count;
}

void remove_hop_by_hop(Head& head) {
  if (head.has(HeaderId::kConnection)) {
    // The table grows not while lines are marked, so the values stay where they are.
    for (const Header& connection : head.headers()) {
      if (connection.removed || connection.id != HeaderId::kConnection) continue;
      for_each_element(connection.value(), [&head](std::string_view name) {
        head.remove_if([name](const Header& header) {
          switch (header.id) {
            case HeaderId::kHost:
            case HeaderId::kContentLength:
            case HeaderId::kTransferEncoding:
            case HeaderId::kTe:
            case HeaderId::kConnection: return false;
            default: return equals_ignoring_case(name, header.name());
          }
        });
      });
    }
    head.remove(HeaderId::kConnection);
  }
  if (head.has(HeaderId::kTe)) {
    bool trailers = false;
    for (const Header& te : head.headers()) {
      if (te.removed || te.id != HeaderId::kTe) continue;
      for_each_element(te.value(), [&trailers](std::string_view coding) { trailers |= equals_ignoring_case(coding, "trailers"); });
    }
    if (trailers) {
      head.set(HeaderId::kTe, "trailers");
    } else {
      head.remove(HeaderId::kTe);
    }
  }
  for (HeaderId id : {HeaderId::kKeepAlive, HeaderId::kProxyConnection, HeaderId::kUpgrade, HeaderId::kHttp2Settings}) head.remove(id);
}

std::string_view wanted_upgrade(const Head& head) {
  const Header* upgrade = head.find(HeaderId::kUpgrade);
  if (!upgrade) return {};
  bool named = false;
  int lines = 0;
  for (const Header& header : head.headers()) {
    if (header.removed) continue;
    lines += header.id == HeaderId::kUpgrade;
    if (header.id != HeaderId::kConnection) continue;
    for_each_element(header.value(), [&named](std::string_view option) { named |= equals_ignoring_case(option, "upgrade"); });
  }
  if (!named) return {};
  return lines > 1 ? std::string_view("(several)") : upgrade->value();
}

bool is_h2c(std::string_view upgrade) { return equals_ignoring_case(upgrade, "h2c"); }

void set_upgrade(Head& head, std::string_view protocol) {
  head.set(HeaderId::kUpgrade, protocol);
  head.set(HeaderId::kConnection, "upgrade");
}

void remove_hop_by_hop_but_upgrade(Head& head) {
  // What is removed keeps its bytes, so the views stay.
  const std::string_view upgrade = wanted_upgrade(head), connection = head.value(HeaderId::kConnection);
  remove_hop_by_hop(head);
  head.add(HeaderId::kUpgrade, upgrade);
  head.add(HeaderId::kConnection, equals_ignoring_case(connection, "upgrade") ? connection : std::string_view("upgrade"));
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Entity";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 510: return "Not Extended";
    case 511: return "Network Authentication Required";
    default: return "Unknown";
  }
}

}  // namespace weft::http
