#include "common/http/http1/writer.h"

#include "common/http/syntax.h"

#include <cstring>
#include <string>

namespace weft::http::http1 {
namespace {

bool says_close(const Head& head) {
  bool close = false;
  if (!head.has(HeaderId::kConnection)) return false;
  for (const Header& header : head.headers()) {
    if (header.removed || header.id != HeaderId::kConnection) continue;
    for_each_element(header.value(), [&close](std::string_view option) { close |= equals_ignoring_case(option, "close"); });
  }
  return close;
}

std::string format_name(const Head& head, std::string_view name, NameFormat format) {
  std::string out(head.written_name(name));
  if (format != NameFormat::kProperCase || head.remembers_case()) return out;
  bool begins = true;
  for (char& c : out) {
    const bool letter = c >= 'a' && c <= 'z';
    if (begins && letter) c = static_cast<char>(c - 32);
    begins = !letter && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9');
  }
  return out;
}

bool has_no_body_by_nature(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "DELETE" || method == "TRACE" || method == "CONNECT";
}

}  // namespace

void Writer::text(std::string_view text) {
  output_.append(text);
  bytes_ += text.size();
}

void Writer::status_line(int status) {
  const std::string_view reason = reason_phrase(status);
  char* const begin = output_.reserve(16 + reason.size());
  char* at = begin;
  std::memcpy(at, "HTTP/1.1 ", 9);
  at += 9;
  *at++ = static_cast<char>('0' + status / 100 % 10);
  *at++ = static_cast<char>('0' + status / 10 % 10);
  *at++ = static_cast<char>('0' + status % 10);
  *at++ = ' ';
  std::memcpy(at, reason.data(), reason.size());
  at += reason.size();
  *at++ = '\r';
  *at++ = '\n';
  output_.commit(static_cast<size_t>(at - begin));
  bytes_ += static_cast<size_t>(at - begin);
}

// One of ours, "name: value\r\n", perhaps with the head's end behind it.
void Writer::own_line(const Head& head, std::string_view line) {
  if (options_.names == NameFormat::kLower && !head.remembers_case()) return text(line);
  const size_t colon = line.find(':');
  text(format_name(head, line.substr(0, colon), options_.names));
  text(line.substr(colon));
}

// Names as somebody wants to see them: line by line.
void Writer::formatted_lines(const Head& head, bool skip_length, bool skip_connection) {
  for (const Header& header : head.headers()) {
    if (header.removed || header.id == HeaderId::kTransferEncoding || (skip_length && header.id == HeaderId::kContentLength) ||
        (skip_connection && (header.id == HeaderId::kConnection || header.id == HeaderId::kKeepAlive))) {
      continue;
    }
    text(format_name(head, header.name(), options_.names));
    text({header.line + header.name_size, size_t{header.line_size} - header.name_size});
  }
}

// Lines that follow each other in memory are one copy. Transfer-Encoding is never copied: the framing is ours.
void Writer::lines(const Head& head, std::string_view first_run, bool skip_length, bool skip_connection) {
  if (options_.names != NameFormat::kLower || head.remembers_case()) {
    text(first_run);
    return formatted_lines(head, skip_length, skip_connection);
  }
  const char* run = first_run.data();
  size_t size = first_run.size();
  for (const Header& header : head.headers()) {
    if (header.removed || header.id == HeaderId::kTransferEncoding || (skip_length && header.id == HeaderId::kContentLength) ||
        (skip_connection && (header.id == HeaderId::kConnection || header.id == HeaderId::kKeepAlive))) {
      continue;
    }
    if (header.line == run + size) {
      size += header.line_size;
      continue;
    }
    if (size) text({run, size});
    run = header.line;
    size = header.line_size;
  }
  if (size) text({run, size});
}

void Writer::request(const Head& head, bool end, bool close) {
  std::string_view first = options_.send_fully_qualified_url ? std::string_view() : head.first_line();
  if (first.empty()) {
    text(head.method());
    text(" ");
    if (options_.send_fully_qualified_url && head.path().starts_with('/') && !head.authority().empty()) {
      text(head.scheme().empty() ? std::string_view("http") : head.scheme());
      text("://");
      text(head.authority());
    }
    text(head.method() == "CONNECT" ? head.authority() : head.path().empty() ? std::string_view("/") : head.path());
    text(" HTTP/1.1\r\n");
  }
  if (head.asks_for_tunnel()) {
    // The connection serves nothing after a tunnel, so `close` need not be said.
    lines(head, first, true, false);
    framing_ = Framing::kUntilClose;
    return text("\r\n");
  }
  const Header* length = head.find(HeaderId::kContentLength);
  const std::optional<uint64_t> promised = length ? parse_length(length->value()) : std::nullopt;
  lines(head, first, length && !promised, close);
  if (promised) {
    framing_ = Framing::kLength;
    left_ = *promised;
  } else if (end) {
    framing_ = Framing::kNone;
    if (!has_no_body_by_nature(head.method())) own_line(head, "content-length: 0\r\n");
  } else {
    framing_ = Framing::kChunked;
    own_line(head, "transfer-encoding: chunked\r\n");
  }
  close ? own_line(head, "connection: close\r\n\r\n") : text("\r\n");
}

void Writer::informational(const Head& head) {
  status_line(head.status());
  lines(head, {}, true, true);
  text("\r\n");
}

bool Writer::response(const Head& head, bool end, const Answer& answer) {
  const int status = head.status();
  if (answer.opens_tunnel) {
    status_line(status);
    lines(head, {}, true, false);
    text("\r\n");
    framing_ = Framing::kUntilClose;
    return true;
  }
  const bool bodiless = status == 204 || status < 200;
  const Header* length = head.find(HeaderId::kContentLength);
  const std::optional<uint64_t> promised = length && !bodiless ? parse_length(length->value()) : std::nullopt;
  bool close = answer.close || says_close(head);
  std::string_view framing_line;
  framing_ = Framing::kNone;
  left_ = 0;
  if (bodiless || status == 304) {
    // No body, and nothing said about one (304 keeps its content-length: it is of the other answer).
  } else if (promised) {
    if (!answer.to_head) {
      framing_ = Framing::kLength;
      left_ = *promised;
    }
  } else if (end && !answer.to_head) {
    framing_line = "content-length: 0\r\n";
  } else if (answer.to_10) {
    if (!answer.to_head) framing_ = Framing::kUntilClose;
    close |= !answer.to_head;
  } else {
    if (!answer.to_head) framing_ = Framing::kChunked;
    framing_line = "transfer-encoding: chunked\r\n";
  }
  status_line(status);
  lines(head, {}, bodiless || (length && !promised), close || answer.to_10);
  if (!framing_line.empty()) own_line(head, framing_line);
  if (close) {
    own_line(head, "connection: close\r\n\r\n");
  } else if (answer.to_10) {
    own_line(head, "connection: keep-alive\r\n\r\n");
  } else {
    text("\r\n");
  }
  return close;
}

bool Writer::body(Slice slice, bool end) {
  switch (framing_) {
    case Framing::kNone: return true;
    case Framing::kLength: {
      const bool fits = slice.size <= left_;
      if (!fits) slice.size = left_;
      left_ -= slice.size;
      bytes_ += slice.size;
      if (slice.size) output_.append(std::move(slice));
      return fits && !(end && left_);
    }
    case Framing::kUntilClose:
      bytes_ += slice.size;
      if (slice.size) output_.append(std::move(slice));
      return true;
    case Framing::kChunked:
      if (slice.size) {
        char line[20];
        char* at = line + sizeof line;
        *--at = '\n';
        *--at = '\r';
        for (size_t size = slice.size; size; size >>= 4) *--at = "0123456789abcdef"[size & 15];
        text({at, static_cast<size_t>(line + sizeof line - at)});
        bytes_ += slice.size;
        output_.append(std::move(slice));
        text(end ? std::string_view("\r\n0\r\n\r\n") : std::string_view("\r\n"));
      } else if (end) {
        text("0\r\n\r\n");
      }
      return true;
  }
  return true;
}

bool Writer::trailers(const Head& trailers) {
  if (framing_ != Framing::kChunked) return body({}, true);
  text("0\r\n");
  lines(trailers, {}, true, true);
  text("\r\n");
  return true;
}

}  // namespace weft::http::http1
