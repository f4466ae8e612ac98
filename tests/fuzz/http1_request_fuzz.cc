// links: common_http
// Any bytes as HTTP/1 requests, whole and cut: the same requests must come out, none after a malformed one, and no memory stay.
#include "http_fuzz_peer.h"

#include <memory>
#include <string_view>
#include <vector>

namespace {
using namespace weft;
using namespace weft::http;

class Connection final : public fuzz::Events {
 public:
  explicit Connection(bool options) : codec_(make_http1_server(*this, options_for(options), pool_)) {}

  std::string serve(std::string_view bytes, uint32_t seed) {
    {
      ReadBuffer in(pool_);
      while (!bytes.empty()) {
        const size_t n = fuzz::piece(seed, bytes.size());
        in.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        receive(in);
        if (in.size() > 65536) fuzz::broken("the buffer is bounded");
      }
    }
    codec_->on_peer_ended();
    codec_->on_connection_lost();
    std::string all;
    for (const auto& request : requests_) all += request->log + request->body + "\n";
    requests_.clear();
    codec_.reset();
    if (pool_.in_use() != 0) fuzz::broken("memory is given back");
    return all;
  }

 private:
  static Http1Options options_for(bool lenient) {
    Http1Options options;
    options.max_headers_kib = 8;
    options.max_headers_count = 20;
    options.accept_http_10 = options.enable_trailers = options.allow_custom_methods = lenient;
    return options;
  }
  // Answers all that is over, until nothing more is there to read.
  void receive(ReadBuffer& in) {
    for (;;) {
      readable_ = false;
      if (!codec_->receive(in)) fuzz::broken("a server answers, it does not fail");
      fuzz::Receiver* const last = requests_.empty() ? nullptr : requests_.back().get();
      if (!last || !stream_ || !(last->ended || last->invalid)) break;
      Head head(pool_);
      head.set_status(last->invalid ? last->invalid : 200);
      if (last->invalid && last->has_head) {
        stream_->reset(ResetReason::kLocal);
      } else {
        stream_->send_head(head, true);
      }
      stream_ = nullptr;
      fuzz::discard(*codec_);
      if (!readable_) break;
    }
    if (in.empty()) in.release();
  }
  StreamReceiver& on_new_stream(Stream& stream) override {
    if (!requests_.empty() && requests_.back()->invalid) fuzz::broken("nothing follows a malformed request");
    stream_ = &stream;
    requests_.push_back(std::make_unique<fuzz::Receiver>(pool_));
    return *requests_.back();
  }
  void on_readable_again() override { readable_ = true; }

  SlabPool pool_;
  std::vector<std::unique_ptr<fuzz::Receiver>> requests_;
  Stream* stream_ = nullptr;
  bool readable_ = false;
  std::unique_ptr<Codec> codec_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool lenient = data[0] & 1;
  const uint32_t seed = 1 + data[0] + data[1];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = Connection(lenient).serve(bytes, 0);
  const std::string cut = Connection(lenient).serve(bytes, seed);
  if (whole != cut) fuzz::broken("how bytes are cut means nothing", whole + "\n--- cut ---\n" + cut);
  return 0;
}
