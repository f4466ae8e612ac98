// links: common_http
// Any bytes as what follows the head of a chunked request (or of one whose head
// is the input's, too), passed on as a proxy does: each request that was taken
// whole must leave as bytes in which the next reader finds that one request
// with that body, and nothing more.
#include "http_fuzz_peer.h"

#include <memory>
#include <string_view>
#include <vector>

namespace {
using namespace weft;
using namespace weft::http;

constexpr std::string_view kChunked = "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";

Http1Options trailers() {
  Http1Options options;
  options.enable_trailers = true;
  return options;
}

// What a strict server reads.
struct Read {
  bool whole;
  std::string body;
};

class Reader final : public fuzz::Events {
 public:
  std::vector<Read> read(std::string_view bytes) {
    {
      ReadBuffer in(pool_);
      while (!bytes.empty()) {
        const size_t n = std::min<size_t>(bytes.size(), 16384);
        in.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        do {
          again_ = false;
          if (!codec_->receive(in)) fuzz::broken("a server answers, it does not fail");
          if (stream_ && requests_.back()->ended) {
            Head head(pool_);
            head.set_status(200);
            std::exchange(stream_, nullptr)->send_head(head, true);
            fuzz::discard(*codec_);
          }
        } while (again_);
        if (in.empty()) in.release();
      }
    }
    codec_->on_connection_lost();
    std::vector<Read> all;
    for (const auto& request : requests_) all.push_back({request->ended, request->body});
    return all;
  }

 private:
  StreamReceiver& on_new_stream(Stream& stream) override {
    stream_ = &stream;
    requests_.push_back(std::make_unique<fuzz::Receiver>(pool_));
    return *requests_.back();
  }
  void on_readable_again() override { again_ = true; }
  SlabPool pool_;
  std::unique_ptr<Codec> codec_ = make_http1_server(*this, trailers(), pool_);
  std::vector<std::unique_ptr<fuzz::Receiver>> requests_;
  Stream* stream_ = nullptr;
  bool again_ = false;
};

// Takes requests and passes each on over a connection of its own.
class Relay final : public fuzz::Events {
 public:
  void run(std::string_view head, std::string_view bytes, uint32_t seed) {
    {
      ReadBuffer in(pool_);
      in.append(head);
      do {
        const size_t n = fuzz::piece(seed, bytes.size());
        in.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        do {
          again_ = false;
          if (!codec_->receive(in)) fuzz::broken("a server answers, it does not fail");
          answer();
        } while (again_);
        if (in.empty()) in.release();
      } while (!bytes.empty());
    }
    codec_->on_connection_lost();
    for (const auto& request : requests_) request->judge();
    requests_.clear();
    codec_.reset();
    if (pool_.in_use() != 0) fuzz::broken("memory is given back");
  }

 private:
  struct Request final : StreamReceiver {
    explicit Request(SlabPool& slabs) : pool(slabs), head(slabs), trailer(slabs), nobody(slabs) {}
    Head& incoming_head() override { return head; }
    Head& incoming_trailers() override { return trailer; }
    void on_head(bool end) override {
      codec = make_http1_client(events, trailers(), pool);
      to = &codec->open(nobody);
      to->send_head(head, end);
      over(end);
    }
    void on_informational() override {}
    void on_body(Slice slice, bool end) override {
      body.append(slice.view());
      to->send_body(std::move(slice), end);
      over(end);
    }
    void on_trailers() override {
      to->send_trailers(trailer);
      over(true);
    }
    void on_reset(ResetReason, std::string_view) override { gone = true; }
    void on_invalid(int, std::string_view) override { gone = invalid = true; }
    void on_drained() override {}
    void over(bool end) {
      ended |= end;
      iovec vectors[64];
      while (const int count = codec->output().gather(vectors, 64)) {
        size_t size = 0;
        for (int i = 0; i < count; ++i) {
          sent.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
          size += vectors[i].iov_len;
        }
        codec->output().consume(size);
      }
    }
    void judge() {
      if (codec) codec->on_connection_lost();
      codec.reset();
      if (sent.empty()) return;
      const std::vector<Read> read = Reader().read(sent);
      if (read.size() > 1) fuzz::broken("one request does not become two", sent);
      if (ended && (read.empty() || !read[0].whole || read[0].body != body)) fuzz::broken("what was taken whole arrives whole", sent);
      if (!ended && !read.empty() && read[0].whole) fuzz::broken("half a request does not become a whole one", sent);
    }
    SlabPool& pool;
    fuzz::Events events;
    Head head, trailer;
    fuzz::Receiver nobody;
    std::unique_ptr<ClientCodec> codec;
    Stream* to = nullptr;
    std::string body, sent;
    bool ended = false, gone = false, invalid = false;
  };

  void answer() {
    if (requests_.empty() || !stream_) return;
    Request& last = *requests_.back();
    if (!last.ended && !last.invalid) return;
    Stream* const to = std::exchange(stream_, nullptr);
    Head head(pool_);
    head.set_status(last.invalid ? 400 : 200);
    if (last.invalid && last.codec) {
      to->reset(ResetReason::kLocal);
    } else {
      to->send_head(head, true);
    }
    fuzz::discard(*codec_);
  }
  StreamReceiver& on_new_stream(Stream& stream) override {
    stream_ = &stream;
    requests_.push_back(std::make_unique<Request>(pool_));
    return *requests_.back();
  }
  void on_readable_again() override { again_ = true; }
  SlabPool pool_;
  std::unique_ptr<Codec> codec_ = make_http1_server(*this, trailers(), pool_);
  std::vector<std::unique_ptr<Request>> requests_;
  Stream* stream_ = nullptr;
  bool again_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string_view head = data[0] & 1 ? std::string_view() : kChunked;
  Relay().run(head, bytes, 0);
  Relay().run(head, bytes, 1 + data[1]);
  return 0;
}
