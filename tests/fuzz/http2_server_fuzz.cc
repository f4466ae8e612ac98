// links: common_http
// Any bytes as frames to an HTTP/2 server that answers, echoes, pauses and resets by what it reads. No crash, bounded output,
// every stream told its end, no memory kept.
#include "http_fuzz_peer.h"

#include <memory>
#include <string_view>
#include <vector>

namespace {
using namespace weft;
using namespace weft::http;

class Server final : public fuzz::Events {
 public:
  void run(std::string_view bytes, uint32_t seed, bool reads) {
    codec_ = make_http2_server(*this, fuzz::small_http2(), pool_);
    ReadBuffer in(pool_);
    const std::string_view preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
    if (fuzz::feed_frames(*codec_, in, preface, seed, reads)) fuzz::feed_frames(*codec_, in, bytes, seed, reads);
    if (codec_->active_streams() > 10) fuzz::broken("streams are bounded");
    codec_->on_peer_ended();
    codec_->on_connection_lost();
    if (codec_->active_streams() != 0) fuzz::broken("every stream ends");
    codec_.reset();
    in.release();
    exchanges_.clear();
    if (pool_.in_use() != 0) fuzz::broken("memory is given back");
  }

 private:
  // What it does depends on the path: /e echoes, /p pauses, /r resets, else it answers at the end.
  struct Exchange final : StreamReceiver {
    Exchange(Stream& to, SlabPool& slabs) : stream(&to), pool(slabs), head(slabs), trailers(slabs) {}
    Head& incoming_head() override { return head; }
    Head& incoming_trailers() override { return trailers; }
    void on_head(bool end) override {
      check(head.method().size() && head.has(HeaderId::kHost), "a request has a method and an authority");
      what = head.path().size() > 1 ? head.path()[1] : ' ';
      if (what == 'r') return drop();
      if (what == 'p') stream->pause();
      if (what == 'e') respond(false);
      if (end) finish();
    }
    void on_informational() override { fuzz::broken("a server gets no interim answers"); }
    void on_body(Slice slice, bool end) override {
      if (!stream) return;
      if (what == 'e') stream->send_body(std::move(slice), end);
      if (end) finish();
    }
    void on_trailers() override { finish(); }
    void on_reset(ResetReason, std::string_view) override {
      check(stream != nullptr, "what is over is not reset");
      stream = nullptr;
    }
    void on_invalid(int status, std::string_view) override {
      code = status;
      finish();
    }
    void on_drained() override {}
    static void check(bool holds, const char* rule) {
      if (!holds) fuzz::broken(rule);
    }
    void drop() { std::exchange(stream, nullptr)->reset(ResetReason::kLocal); }
    void respond(bool end) {
      Head answer(pool);
      answer.set_status(code);
      if (end) answer.add("x-answer", head.path());
      stream->send_head(answer, end);
    }
    void finish() {
      if (!stream) return;
      Stream* const to = stream;
      if (what == 'p') to->resume();
      if (what == 'e') {
        to->send_body({}, true);
      } else {
        respond(true);
      }
      stream = nullptr;
    }
    Stream* stream;
    SlabPool& pool;
    Head head, trailers;
    int code = 200;
    char what = ' ';
  };

  StreamReceiver& on_new_stream(Stream& stream) override {
    exchanges_.push_back(std::make_unique<Exchange>(stream, pool_));
    return *exchanges_.back();
  }

  SlabPool pool_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::unique_ptr<Codec> codec_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  Server().run(bytes, 0, data[0] & 1);
  Server().run(bytes, 1 + data[1], data[0] & 1);
  return 0;
}
