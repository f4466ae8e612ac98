// What the HTTP fuzz targets share: a receiver that notes the meaning of what it is told, and how to cut bytes by a seed.
#pragma once
#include "common/http/codec.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace weft::http::fuzz {

[[noreturn]] inline void broken(const char* rule, const std::string& detail = {}) {
  std::fprintf(stderr, "broken rule: %s\n%s\n", rule, detail.c_str());
  std::abort();
}

class Receiver final : public StreamReceiver {
 public:
  explicit Receiver(SlabPool& pool) : head_(pool), trailers_(pool) {}

  Head& incoming_head() override { return head_; }
  Head& incoming_trailers() override { return trailers_; }
  void on_head(bool end) override {
    alive();
    note_head("head");
    has_head = true;
    if (end) finish();
  }
  void on_informational() override { alive(), note_head("interim"); }
  void on_body(Slice slice, bool end) override {
    alive();
    if (!has_head) broken("a body has a head");
    body.append(slice.view());
    if (end) finish();
  }
  void on_trailers() override {
    alive();
    for (const Header& header : trailers_.headers()) log += std::string(header.line, header.line_size);
    finish();
  }
  void on_reset(ResetReason reason, std::string_view details) override {
    if (gone) broken("nothing follows a reset");
    gone = true;
    log += "reset " + std::to_string(static_cast<int>(reason)) + std::string(details) + "\n";
  }
  void on_invalid(int status, std::string_view details) override {
    alive();
    gone = true;
    invalid = status;
    log += "invalid " + std::to_string(status) + std::string(details) + "\n";
  }
  void on_drained() override {}

  std::string log, body;
  bool has_head = false, ended = false, gone = false;
  int invalid = 0;

 private:
  void alive() const {
    if (gone || ended) broken("nothing follows the end");
  }
  void finish() {
    ended = true;
    log += "end\n";
  }
  void note_head(const char* what) {
    log += what;
    log += ' ' + std::to_string(head_.status()) + ' ' + std::string(head_.method()) + ' ' + std::string(head_.path()) + '\n';
    for (const Header& header : head_.headers()) {
      if (header.removed) continue;
      const std::string_view line(header.line, header.line_size);
      // Whatever was accepted may be written as it stands: one line, in its one form.
      if (line.substr(0, header.name_size) != header.name() || line.substr(header.name_size, 2) != ": " || !line.ends_with("\r\n") ||
          line.substr(0, line.size() - 2).find_first_of(std::string_view("\r\n\0", 3)) != line.npos) {
        broken("a line is one line", std::string(line));
      }
      for (char c : header.name()) {
        if (c >= 'A' && c <= 'Z') broken("names are in lower case", std::string(line));
      }
      log += line;
    }
  }
  Head head_, trailers_;
};

// A connection that nobody owns, to be told nothing. A client's.
struct Events : CodecEvents {
  StreamReceiver& on_new_stream(Stream&) override { broken("a client makes its own streams"); }
  void on_output() override {}
  void on_readable_again() override {}
  void on_stream_over() override {}
  void on_going_away() override {}
};

// The next piece of `left` bytes: all of them for seed 0, else 1 to 64 by a small generator.
inline size_t piece(uint32_t& seed, size_t left) {
  if (seed == 0) return std::min<size_t>(left, 16384);
  seed = seed * 1664525 + 1013904223;
  return std::min<size_t>(left, 1 + (seed >> 26));
}

inline void discard(Codec& codec) {
  codec.output().consume(codec.output().size());
  codec.on_flushed();
}

// Limits that few bytes can reach.
inline Http2Options small_http2() {
  Http2Options options;
  options.max_concurrent_streams = 10;
  options.initial_stream_window = 65535;
  options.initial_connection_window = 1 << 20;
  options.max_headers_kib = 8;
  options.max_headers_count = 20;
  options.buffer = {20000, 10000};
  return options;
}

// Gives the codec these bytes, cut by the seed; `reads`: the peer takes what it is told. False: the codec has given up.
inline bool feed_frames(Codec& codec, ReadBuffer& in, std::string_view bytes, uint32_t& seed, bool reads) {
  bool alive = true;
  while (!bytes.empty() && alive) {
    const size_t n = piece(seed, bytes.size());
    in.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    alive = static_cast<bool>(codec.receive(in));
    if (!in.empty()) broken("all frames are taken");
    in.release();
    if (reads) discard(codec);
    if (codec.output().size() > 600000) broken("output is bounded");
  }
  return alive;
}

}  // namespace weft::http::fuzz
