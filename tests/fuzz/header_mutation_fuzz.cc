// links: proxy_routing
// Any name, format and way to append as a header of the configuration, over a
// head whose values are the input's, too: whatever was accepted leaves as bytes
// in which the next reader finds one request with as many lines as the head
// has.
#include "common/http/syntax.h"
#include "http_fuzz_peer.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/mutations.h"

#include <memory>
#include <string_view>

namespace {
using namespace weft;
using namespace weft::http;

struct OneRequest final : fuzz::Events {
  StreamReceiver& on_new_stream(Stream&) override {
    if (!receiver || requests++ > 0) fuzz::broken("one request");
    return *receiver;
  }
  StreamReceiver* receiver = nullptr;
  int requests = 0;
};

std::string written(const Head& head, SlabPool& pool) {
  OneRequest events;
  fuzz::Receiver nobody(pool);
  auto codec = make_http1_client(events, {}, pool);
  codec->open(nobody).send_head(head, true);
  std::string text;
  iovec vectors[64];
  while (const int count = codec->output().gather(vectors, 64)) {
    size_t size = 0;
    for (int i = 0; i < count; ++i) {
      text.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
      size += vectors[i].iov_len;
    }
    codec->output().consume(size);
  }
  codec->on_connection_lost();
  return text;
}

// The next part of the input, up to a zero byte.
std::string_view part(std::string_view& bytes) {
  const size_t at = std::min(bytes.find('\0'), bytes.size());
  const std::string_view found = bytes.substr(0, at);
  bytes.remove_prefix(std::min(at + 1, bytes.size()));
  return found;
}

void check(std::string_view bytes, uint8_t how, SlabPool& pool) {
  const std::string name(part(bytes)), value(part(bytes)), removed(part(bytes)), brought(part(bytes));
  // What the check of fields refuses; and a length of one's own, which is
  // asking for it.
  if (name.find_first_of(std::string_view("\0\r\n \t:", 6)) != std::string::npos || equals_ignoring_case(name, "content-length") ||
      value.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos)
    return;
  const bool sound = is_token(name) && is_field_value(value);
  auto made = routing::HeaderToAdd::make(name, value, static_cast<routing::HeaderToAdd::Append>(how % 4), (how & 4) != 0);
  if (!made) return;
  routing::HeaderChanges changes;
  changes.add.push_back(std::move(*made));
  if (routing::check_removable(removed)) changes.remove.push_back(removed);
  Head head(pool);
  head.set_method("GET");
  head.set_path("/x");
  head.set_authority("main.test");
  // What a peer may bring along: no control characters.
  std::string clean;
  for (char c : brought)
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) clean += c;
  while (!clean.empty() && clean.back() == ' ') clean.pop_back();
  while (!clean.empty() && clean.front() == ' ') clean.erase(0, 1);
  head.add("x-brought", clean);
  head.add("content-length", "0");
  format::RequestInfo info;
  info.request = &head;
  changes.apply(head, info);
  // Twice: what the first time made is met by the second.
  changes.apply(head, info);
  size_t lines = 0;
  for (const Header& header : head.headers())
    if (!header.removed && header.id != HeaderId::kTransferEncoding) ++lines;

  const std::string text = written(head, pool);
  OneRequest events;
  fuzz::Receiver request(pool);
  events.receiver = &request;
  Http1Options options;
  options.max_headers_kib = 1024;
  auto codec = make_http1_server(events, options, pool);
  {
    ReadBuffer in(pool);
    in.append(text);
    (void)codec->receive(in);
  }
  if (sound && text.size() < 60000 && request.invalid != 0) fuzz::broken("what is configured can be read", text);
  size_t read = 0;
  for (const Header& header : request.incoming_head().headers()) read += !header.removed;
  if (request.has_head && read > lines) fuzz::broken("a value makes no line", text);
  if (!request.gone) codec->on_connection_lost();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 20000) return 0;
  SlabPool pool;
  check(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), data[0], pool);
  if (pool.in_use() != 0) fuzz::broken("memory is given back");
  return 0;
}
