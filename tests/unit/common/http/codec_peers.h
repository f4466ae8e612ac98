// Both ends of a codec without sockets: receivers that note what they are told, events that count, and a wire that carries
// bytes between a client and a server codec in pieces of any size.
#pragma once
#include "common/http/codec.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft::http {

// Notes everything; hooks let a test act from inside the calls.
struct Recorder : StreamReceiver {
  explicit Recorder(SlabPool& pool) : head(pool), trailers(pool) {}

  Head& incoming_head() override { return head; }
  Head& incoming_trailers() override { return trailers; }
  void on_head(bool end) override {
    note(end ? "head." : "head");
    has_head = true;
    lines = text_of(head);
    ended |= end;
    if (at_head) at_head();
  }
  void on_informational() override { note("interim " + std::to_string(head.status())); }
  void on_body(Slice slice, bool end) override {
    body.append(slice.view());
    ended |= end;
    ++body_calls;
    if (end) note("end");
    if (at_body) at_body(std::move(slice), end);
    if (end && at_end) at_end();
  }
  void on_trailers() override {
    note("trailers");
    trailer_lines = text_of(trailers);
    ended = true;
    if (at_end) at_end();
  }
  void on_reset(ResetReason reason, std::string_view details) override {
    note("reset " + std::to_string(static_cast<int>(reason)) + " " + std::string(details));
    reset_reason = reason;
    was_reset = true;
    stream = nullptr;
  }
  void on_invalid(int status, std::string_view details) override {
    note("invalid " + std::to_string(status) + " " + std::string(details));
    invalid = status;
    if (at_invalid) at_invalid(status);
  }
  void on_drained() override {
    ++drained;
    if (at_drained) at_drained();
  }
  bool is_recent() const override { return recent; }

  // All that happened, body calls left out (how a body is cut is no part of its meaning).
  std::string log() const {
    std::string all;
    for (const std::string& line : notes) all += line + "\n";
    return all + lines + "\n" + body + "\n" + trailer_lines;
  }
  static std::string text_of(const Head& head) {
    std::string text = head.status() ? std::to_string(head.status()) : std::string(head.method()) + " " + std::string(head.path());
    text += "\n";
    for (const Header& header : head.headers()) {
      if (!header.removed) text += std::string(header.name()) + ": " + std::string(header.value()) + "\n";
    }
    return text;
  }
  void note(std::string what) { notes.push_back(std::move(what)); }

  Head head, trailers;
  Stream* stream = nullptr;
  std::vector<std::string> notes;
  std::string lines, body, trailer_lines;
  bool has_head = false, ended = false, was_reset = false;
  ResetReason reset_reason = ResetReason::kLocal;
  int invalid = 0, body_calls = 0, drained = 0;
  bool recent = true;
  std::function<void()> at_head, at_end, at_drained;
  std::function<void(Slice, bool)> at_body;
  std::function<void(int)> at_invalid;
};

struct Events : CodecEvents {
  explicit Events(SlabPool& slabs) : pool(slabs) {}
  StreamReceiver& on_new_stream(Stream& stream) override {
    streams.push_back(std::make_unique<Recorder>(pool));
    streams.back()->stream = &stream;
    if (at_new) at_new(*streams.back());
    return *streams.back();
  }
  void on_output() override { ++outputs; }
  void on_readable_again() override { readable = true; }
  void on_stream_over() override {
    ++over;
    if (at_over) at_over();
  }
  void on_going_away() override { ++going_away; }
  void on_output_over() override { ++output_over; }

  SlabPool& pool;
  std::vector<std::unique_ptr<Recorder>> streams;
  std::function<void(Recorder&)> at_new;
  std::function<void()> at_over;
  int outputs = 0, over = 0, going_away = 0, output_over = 0;
  bool readable = false;
};

// Takes at most `most` bytes of what waits, as a socket would.
inline std::string take_output(Codec& codec, size_t most = SIZE_MAX) {
  std::string bytes;
  while (!codec.output().empty() && bytes.size() < most) {
    iovec vectors[16];
    const int n = codec.output().gather(vectors, 16);
    size_t taken = 0;
    for (int i = 0; i < n && bytes.size() < most; ++i) {
      const size_t k = std::min(vectors[i].iov_len, most - bytes.size());
      bytes.append(static_cast<const char*>(vectors[i].iov_base), k);
      taken += k;
    }
    codec.output().consume(taken);
  }
  if (!bytes.empty()) codec.on_flushed();
  return bytes;
}

inline Slice slice_of(SlabPool& pool, std::string_view text) { return text.empty() ? Slice() : copy_to_slice(pool, text); }

inline void answer(Recorder& at, SlabPool& pool, int status, std::string_view body = {}) {
  Head head(pool);
  head.set_status(status);
  head.add(HeaderId::kContentLength, std::to_string(body.size()));
  at.stream->send_head(head, body.empty());
  if (!body.empty()) at.stream->send_body(slice_of(pool, body), true);
}

}  // namespace weft::http
