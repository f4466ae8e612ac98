#include "common/http/http1/parser.h"

#include "common/http/http1/scan.h"
#include "common/http/syntax.h"

#include <algorithm>
#include <cstring>

namespace weft::http::http1 {
namespace {

// A line stands in one slab, and a filter may want to append to it.
constexpr size_t kLineLimit = SlabPool::kLarge - 2048;
// A chunk-size line. All of them together may take what the data pays for (see parse_chunk_size) and this.
constexpr size_t kChunkLineLimit = 4096;
constexpr uint64_t kChunkOverhead = 16 << 10;
constexpr uint32_t kBlankLines = 4;

constexpr std::string_view kCodecError = "http1.codec_error";
constexpr std::string_view kLowVersion = "low_version";

// The methods that are taken without allow_custom_methods: what registered specifications name.
bool is_known_method(std::string_view method) {
  static constexpr std::string_view kKnown[] = {"GET",         "POST",       "PUT",        "HEAD",  "DELETE",   "OPTIONS", "PATCH",
                                                "CONNECT",     "TRACE",      "COPY",       "LOCK",  "MKCOL",    "MOVE",    "PROPFIND",
                                                "PROPPATCH",   "SEARCH",     "UNLOCK",     "BIND",  "REBIND",   "UNBIND",  "ACL",
                                                "REPORT",      "MKACTIVITY", "CHECKOUT",   "MERGE", "M-SEARCH", "NOTIFY",  "SUBSCRIBE",
                                                "UNSUBSCRIBE", "PURGE",      "MKCALENDAR", "LINK",  "UNLINK",   "SOURCE"};
  return std::find(std::begin(kKnown), std::end(kKnown), method) != std::end(kKnown);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Parser::Parser(Side side, const Http1Options& options) : options_(options), side_(side) {}

void Parser::begin(Head& head, Head& trailers) {
  head_ = &head;
  trailers_ = &trailers;
  head.clear();
  trailers.clear();
  left_ = bytes_ = head_bytes_ = overhead_ = 0;
  scanned_ = fields_ = blank_ = 0;
  fault_ = {400, kCodecError};
  authority_ = {};
  body_ = {};
  state_ = State::kFirstLine;
  framing_ = Framing::kNone;
  version_10_ = connect_ = keep_trailers_ = false;
  keep_alive_ = true;
}

Parser::Step Parser::fail(int status, std::string_view details) {
  fault_ = {status, details};
  state_ = State::kFault;
  return Step::kFault;
}

size_t Parser::head_limit() const {
  const size_t all = size_t{options_.max_headers_kib} * 1024;
  return std::min(all > head_bytes_ ? all - head_bytes_ : 0, kLineLimit);
}

bool Parser::skip_blank_lines(ReadBuffer& in) {
  while (in.size() && *in.begin() == '\r') {
    if (in.size() == 1) return true;
    if (in.begin()[1] != '\n' || ++blank_ > kBlankLines) return false;
    in.consume(2);
  }
  return true;
}

// A line without its CRLF, consumed. The verdict on too long a line falls at the same byte however the bytes arrive.
Parser::Got Parser::read_line(ReadBuffer& in, size_t limit, std::string_view& line) {
  if (in.empty()) return Got::kMore;
  const char* const begin = in.begin();
  const char* const end = in.end();
  const char* const at = find_control(begin + scanned_, end);
  const auto length = static_cast<size_t>(at - begin);
  if (length > limit) {
    fail(431, "http1.headers_too_large");
    return Got::kFault;
  }
  if (at != end && *at != '\r') {
    fail(400, state_ == State::kLines && *at != '\n' ? std::string_view("http1.invalid_characters") : kCodecError);
    return Got::kFault;
  }
  if (end - at < 2) {
    scanned_ = static_cast<uint32_t>(length);
    return Got::kMore;
  }
  if (at[1] != '\n') {
    fail(400, kCodecError);
    return Got::kFault;
  }
  line = {begin, length};
  scanned_ = 0;
  bytes_ += length + 2;
  in.consume(length + 2);
  return Got::kLine;
}

Parser::Step Parser::take_slice(ReadBuffer& in, State after) {
  const size_t n = std::min<uint64_t>(left_, in.size());
  if (n == 0) return Step::kMore;
  body_ = in.take(n);
  left_ -= n;
  bytes_ += n;
  if (left_ == 0) state_ = after;
  return Step::kBody;
}

Parser::Step Parser::next(ReadBuffer& in) {
  std::string_view line;
  for (;;) {
    switch (state_) {
      case State::kFirstLine:
      case State::kLines:
      case State::kTrailers: {
        const Got got = read_line(in, head_limit(), line);
        if (got == Got::kMore) return Step::kMore;
        if (got == Got::kFault) return Step::kFault;
        head_bytes_ += line.size() + 2;
        if (state_ == State::kFirstLine) {
          if (!(side_ == Side::kRequest ? parse_request_line(line, in.slab()) : parse_status_line(line)))
            return fail(fault_.status, fault_.details);
          state_ = State::kLines;
        } else if (!line.empty()) {
          if (!parse_field(line, in.slab())) return fail(fault_.status, fault_.details);
        } else if (state_ == State::kLines) {
          return finish_head();
        } else {
          state_ = State::kEnd;
          if (keep_trailers_ && !trailers_->headers().empty()) return Step::kTrailers;
        }
        break;
      }
      case State::kLength: return take_slice(in, State::kEnd);
      case State::kChunkData: return take_slice(in, State::kChunkEnd);
      case State::kUntilClose: left_ = in.size(); return take_slice(in, State::kUntilClose);
      case State::kChunkEnd: {
        // Exactly CRLF, byte by byte.
        if (in.empty()) return Step::kMore;
        if (in.begin()[0] != '\r') return fail(400, kCodecError);
        if (in.size() < 2) return Step::kMore;
        if (in.begin()[1] != '\n') return fail(400, kCodecError);
        in.consume(2);
        bytes_ += 2;
        state_ = State::kChunkSize;
        break;
      }
      case State::kChunkSize: {
        const Got got = read_line(in, kChunkLineLimit, line);
        if (got == Got::kMore) return Step::kMore;
        if (got == Got::kFault || !parse_chunk_size(line)) return fail(400, kCodecError);
        if (left_) {
          state_ = State::kChunkData;
        } else {
          state_ = State::kTrailers;
          head_bytes_ = fields_ = 0;
          keep_trailers_ = options_.enable_trailers;
        }
        break;
      }
      case State::kEnd: return Step::kEnd;
      case State::kFault: return Step::kFault;
    }
  }
}

// Hexadecimal digits, then nothing or an extension, which is never passed on. Extensions may cost what the data carries and
// a little, so that a flood of tiny chunks with long extensions ends.
bool Parser::parse_chunk_size(std::string_view line) {
  uint64_t size = 0;
  size_t digits = 0;
  for (; digits < line.size(); ++digits) {
    const int digit = hex_digit(line[digits]);
    if (digit < 0) break;
    if (size >> 59) return false;
    size = size * 16 + static_cast<uint64_t>(digit);
  }
  if (digits == 0 || digits > 64 || (digits < line.size() && line[digits] != ';')) return false;
  // A quoted string ends on its line: whoever reads on for the other quote sees other chunks.
  bool quoted = false;
  for (size_t i = digits; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (line[i] == '\\' && quoted) ++i;
  }
  if (quoted) return false;
  const uint64_t cost = line.size() - digits;
  const uint64_t paid = 16 + std::min<uint64_t>(size, 1 << 20);
  overhead_ = overhead_ + cost > paid ? overhead_ + cost - paid : 0;
  left_ = size;
  return overhead_ <= kChunkOverhead;
}

bool Parser::parse_request_line(std::string_view line, const SlabRef& slab) {
  const size_t first = line.find(' ');
  if (first == line.npos) return false;
  const std::string_view method = line.substr(0, first);
  const size_t second = line.find(' ', first + 1);
  if (second == line.npos) {  // HTTP/0.9
    if (is_known_method(method) && line.substr(first + 1).starts_with("/")) fault_ = {426, kLowVersion};
    return false;
  }
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (version == "HTTP/1.1") {
    version_10_ = false;
  } else if (version == "HTTP/1.0") {
    version_10_ = true;
    keep_alive_ = false;
  } else {
    if (version.size() == 8 && version.starts_with("HTTP/1.") && version[7] >= '0' && version[7] <= '9') fault_ = {426, kLowVersion};
    return false;
  }
  if (options_.allow_custom_methods ? !is_token(method) : !is_known_method(method)) return false;
  head_->hold(slab);
  connect_ = method == "CONNECT";
  // Sent on as it came only when nothing in it had to be understood: one origin-form target, version 1.1.
  const bool untouched = !version_10_ && target.size() && target.front() == '/';
  head_->set_first_line(untouched ? std::string_view(line.data(), line.size() + 2) : std::string_view(), method, {}, "http");
  return parse_target(target);
}

bool Parser::parse_target(std::string_view target) {
  const auto invalid_url = [this] {
    fault_.details = "http1.invalid_url";
    return false;
  };
  const std::string_view method = head_->method();
  if (connect_) {
    // Authority form only, and a port (RFC 9112 3.2.3).
    if (!is_authority(target) || target.find(':') == target.npos) return invalid_url();
    authority_ = target;
    head_->set_first_line({}, method, {}, "http");
    return true;
  }
  if (target == "*") {
    if (method != "OPTIONS") return invalid_url();
    head_->set_first_line({}, method, target, "http");
    return true;
  }
  if (!target.empty() && target.front() == '/') {
    if (!is_path(target)) {
      if (target.find('#') != target.npos) fault_.details = "path_normalization_failed";
      return false;
    }
    head_->set_first_line(head_->first_line(), method, target, "http");
    return true;
  }
  if (!options_.allow_absolute_url) return invalid_url();
  const size_t colon = target.find("://");
  if (colon == target.npos) return invalid_url();
  const std::string_view scheme = target.substr(0, colon);
  const bool https = equals_ignoring_case(scheme, "https");
  if (!https && !equals_ignoring_case(scheme, "http")) {
    fault_.details = "http1.invalid_scheme";
    return false;
  }
  std::string_view rest = target.substr(colon + 3);
  const size_t slash = rest.find_first_of("/?#");
  authority_ = rest.substr(0, slash);
  rest = slash == rest.npos ? std::string_view() : rest.substr(slash);
  if (!is_authority(authority_)) return invalid_url();
  std::string_view path = rest.empty() ? std::string_view("/") : rest;
  if (path.front() == '?') {
    char* at = head_->allocate(path.size() + 1);
    at[0] = '/';
    std::memcpy(at + 1, path.data(), path.size());
    path = {at, path.size() + 1};
  }
  if (!is_path(path)) return invalid_url();
  head_->set_first_line({}, method, path, https ? "https" : "http");
  return true;
}

// The reason phrase is dropped: nothing may depend on it. A missing one, and its space, are taken.
bool Parser::parse_status_line(std::string_view line) {
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return false;
  const std::string_view version = line.substr(0, 8);
  if (version == "HTTP/1.0") {
    version_10_ = true;
    keep_alive_ = false;
  } else if (version != "HTTP/1.1") {
    return false;
  }
  int status = 0;
  for (char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return false;
    status = status * 10 + (c - '0');
  }
  if (status < 100) return false;
  head_->set_status(status);
  return true;
}

// "name: value". The name goes to lower case where it stands; a line with other than one space before its value, or any
// after it, is written anew, so that what we pass on has one form.
bool Parser::parse_field(std::string_view line, const SlabRef& slab) {
  if (++fields_ > std::min<uint32_t>(options_.max_headers_count, 30000)) {
    fault_ = {431, "http1.too_many_headers"};
    return false;
  }
  char* const begin = const_cast<char*>(line.data());
  char* at = begin;
  if (options_.keep_case && state_ == State::kLines) {
    const std::string_view written = line.substr(0, line.find(':'));
    if (written.size() < 256 && std::any_of(written.begin(), written.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
      head_->remember_case(written);
  }
  while (const char lower = token_lower(*at)) *at++ = lower;  // ends at the CR at the latest
  if (*at != ':' || at == begin) return false;
  const auto name_size = static_cast<size_t>(at - begin);
  const std::string_view name(begin, name_size);
  const std::string_view value = trim(line.substr(name_size + 1));
  const HeaderId id = intern(name);
  const bool trailers = state_ == State::kTrailers;
  if (trailers && (!keep_trailers_ || is_forbidden_trailer(id))) return true;
  Head& to = trailers ? *trailers_ : *head_;
  if (!trailers && (id == HeaderId::kHost || id == HeaderId::kContentLength || id == HeaderId::kTransferEncoding) && to.has(id)) {
    if (id == HeaderId::kTransferEncoding) fault_ = {501, "http1.invalid_transfer_encoding"};
    return false;
  }
  const auto value_at = static_cast<size_t>(value.data() - begin);
  if (value.empty() || value_at != name_size + 2 || begin[name_size + 1] != ' ' || value_at + value.size() != line.size()) {
    if (id == HeaderId::kOther) {
      to.add(name, value);
    } else {
      to.add(id, value);
    }
    return true;
  }
  to.hold(slab);
  to.append_line({begin, static_cast<uint32_t>(value_at), static_cast<uint32_t>(value.size()), static_cast<uint32_t>(line.size() + 2),
                  static_cast<uint16_t>(name_size), id, false});
  return true;
}

Parser::Step Parser::finish_head() {
  if (!(read_framing_fields() && (side_ == Side::kRequest ? frame_request() : frame_response())))
    return fail(fault_.status, fault_.details);
  switch (framing_) {
    case Framing::kNone: state_ = State::kEnd; break;
    case Framing::kLength: state_ = left_ ? State::kLength : State::kEnd; break;
    case Framing::kChunked: state_ = State::kChunkSize; break;
    case Framing::kUntilClose: state_ = State::kUntilClose; break;
  }
  return Step::kHead;
}

// How the body ends (RFC 9112 6.3), without the cases where a proxy may guess.
bool Parser::read_framing_fields() {
  if (head_->has(HeaderId::kConnection)) {
    for (const Header& header : head_->headers()) {
      if (header.id != HeaderId::kConnection) continue;
      bool close = false, keep = false;
      for_each_element(header.value(), [&](std::string_view option) {
        close |= equals_ignoring_case(option, "close");
        keep |= equals_ignoring_case(option, "keep-alive");
      });
      if (version_10_ && keep) keep_alive_ = true;
      if (close) {
        keep_alive_ = false;
        break;
      }
    }
  }
  const Header* encoding = head_->find(HeaderId::kTransferEncoding);
  const Header* length = head_->find(HeaderId::kContentLength);
  if (encoding) {
    if (length && !(options_.allow_chunked_length && equals_ignoring_case(encoding->value(), "chunked"))) {
      fault_.details = "http1.content_length_and_chunked_not_allowed";
      return false;
    }
    if (!equals_ignoring_case(encoding->value(), "chunked")) {
      fault_ = {501, "http1.invalid_transfer_encoding"};
      return false;
    }
    if (version_10_) {
      fault_.details = "http1.transfer_encoding_not_allowed";
      return false;
    }
    framing_ = Framing::kChunked;
    if (length) {  // it is not to reach anybody who might go by it (RFC 9112 6.3)
      if (!parse_length(length->value())) return false;
      head_->remove(HeaderId::kContentLength);
    }
  } else if (length) {
    const std::optional<uint64_t> size = parse_length(length->value());
    if (!size) return false;
    left_ = *size;
    framing_ = Framing::kLength;
  }
  return true;
}

bool Parser::frame_request() {
  if (version_10_ && !options_.accept_http_10) {
    fault_ = {426, kLowVersion};
    return false;
  }
  const Header* host = head_->find(HeaderId::kHost);
  if (connect_ && framing_ != Framing::kNone && left_ + (framing_ == Framing::kChunked) > 0) {
    fault_.details = "http1.body_disallowed";
    return false;
  }
  if (!host && version_10_ && authority_.empty() && !options_.default_host_for_http_10.empty()) {
    head_->set_authority(options_.default_host_for_http_10);
    return true;
  }
  if (!host && !(version_10_ && !authority_.empty())) {
    fault_.details = "missing_host_header";
    return false;
  }
  if (host && !is_authority(host->value())) {
    fault_.details = "http.invalid_authority";
    return false;
  }
  if (!authority_.empty() && (!host || host->value() != authority_)) head_->set_authority(authority_);
  return true;
}

bool Parser::frame_response() {
  const int status = head_->status();
  if (status < 200 || status == 204) {
    if (framing_ == Framing::kChunked || left_ > 0) {
      fault_.details = framing_ == Framing::kChunked ? "http1.transfer_encoding_not_allowed" : "http1.content_length_not_allowed";
      return false;
    }
    framing_ = Framing::kNone;
  } else if (answers_head_ || status == 304) {
    left_ = 0;
    framing_ = Framing::kNone;
  } else if (answers_connect_ && status < 300) {
    left_ = 0;
    framing_ = Framing::kNone;
    keep_alive_ = false;
  } else if (framing_ == Framing::kNone) {
    framing_ = Framing::kUntilClose;
    keep_alive_ = false;
  }
  return true;
}

}  // namespace weft::http::http1
