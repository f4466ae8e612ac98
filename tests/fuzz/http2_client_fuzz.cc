// links: common_http
// Any bytes as frames to an HTTP/2 client with some requests under way, which pauses, resets and sends bodies by what it is told. No crash,
// bounded output, every stream told its end once, no memory kept.
#include "http_fuzz_peer.h"

#include <memory>
#include <string_view>
#include <vector>

namespace {
using namespace weft;
using namespace weft::http;

class Client final : public fuzz::Events {
 public:
  void run(std::string_view bytes, uint32_t seed, uint8_t habits) {
    codec_ = make_http2_client(*this, fuzz::small_http2(), pool_);
    open(habits);
    ReadBuffer in(pool_);
    const auto feed = [&](std::string_view text) { return fuzz::feed_frames(*codec_, in, text, seed, habits & 1); };
    const std::string_view settings("\0\0\0\4\0\0\0\0\0", 9);
    if (feed(settings) && feed(bytes.substr(0, bytes.size() / 2))) {
      open(habits);
      feed(bytes.substr(bytes.size() / 2));
    }
    if (codec_->active_streams() > exchanges_.size()) fuzz::broken("streams are those that were opened");
    codec_->on_peer_ended();
    codec_->on_connection_lost();
    if (codec_->active_streams() != 0) fuzz::broken("every stream ends");
    for (const auto& exchange : exchanges_)
      if (exchange->stream && !exchange->over) fuzz::broken("every receiver is told");
    codec_.reset();
    in.release();
    exchanges_.clear();
    if (pool_.in_use() != 0) fuzz::broken("memory is given back");
  }

 private:
  struct Exchange final : StreamReceiver {
    explicit Exchange(SlabPool& slabs) : pool(slabs), head(slabs), trailers(slabs) {}
    Head& incoming_head() override { return head; }
    Head& incoming_trailers() override { return trailers; }
    void on_head(bool end) override {
      check(!over && !has_head, "one head, before the end");
      check(head.status() >= 200 || head.status() == 101, "a final answer has a final status");
      has_head = true;
      if (head.status() == 500 && stream) return drop();
      if (head.status() == 503 && stream) stream->pause();
      over |= end;
    }
    void on_informational() override { check(!has_head && !over && head.status() < 200, "interim answers come first"); }
    void on_body(Slice slice, bool end) override {
      check(has_head && !over, "a body has a head and one end");
      received += slice.size;
      if (stream && sends) stream->send_body(std::move(slice), false);
      over |= end;
    }
    void on_trailers() override {
      check(has_head && !over, "trailers end an answer");
      over = true;
    }
    void on_reset(ResetReason, std::string_view) override {
      check(!reset, "a reset is the last word");
      reset = over = true;
      stream = nullptr;
    }
    void on_invalid(int, std::string_view) override { fuzz::broken("a client is not asked for an answer"); }
    void on_drained() override { check(!reset, "nothing follows a reset"); }
    static void check(bool holds, const char* rule) {
      if (!holds) fuzz::broken(rule);
    }
    void drop() {
      over = true;
      std::exchange(stream, nullptr)->reset(ResetReason::kLocal);
    }
    SlabPool& pool;
    Head head, trailers;
    Stream* stream = nullptr;
    size_t received = 0;
    bool has_head = false, over = false, reset = false, sends = false;
  };

  // As many as may be: some without a body, some whose body goes on, some with a whole one.
  void open(uint8_t habits) {
    for (int i = 0; i < 6 && codec_->available_streams() > 0; ++i) {
      exchanges_.push_back(std::make_unique<Exchange>(pool_));
      Exchange& exchange = *exchanges_.back();
      Stream& stream = codec_->open(exchange);
      const int kind = (habits >> 1) % 3 + i;
      Head head(pool_);
      head.set_method(kind % 3 == 0 ? "GET" : kind % 3 == 1 ? "POST" : "HEAD");
      head.set_path("/");
      head.set_authority("x");
      exchange.stream = &stream;
      exchange.sends = kind % 3 == 1;
      stream.send_head(head, kind % 3 != 1);
      if (exchange.stream && exchange.sends) stream.send_body(copy_to_slice(pool_, std::string(1000, 'b')), false);
    }
  }

  SlabPool pool_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::unique_ptr<ClientCodec> codec_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  Client().run(bytes, 0, data[0]);
  Client().run(bytes, 1 + data[1], data[0]);
  return 0;
}
