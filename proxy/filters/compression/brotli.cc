#include "proxy/filters/compression/output.h"
#include "proxy/filters/compression/streams.h"

#include <brotli/decode.h>
#include <brotli/encode.h>

namespace weft::filters {
namespace {

class BrotliCompression final : public CompressionStream {
 public:
  explicit BrotliCompression(const BrotliOptions& options) : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, options.quality);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_MODE, options.mode);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, options.window_bits);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGBLOCK, options.input_block_bits);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING, options.literal_context_modeling ? 0 : 1);
  }
  ~BrotliCompression() override { BrotliEncoderDestroyInstance(state_); }

 private:
  void run(std::string_view in, Step step, SlabOutput& to) override {
    const BrotliEncoderOperation operation = step == Step::kMore    ? BROTLI_OPERATION_PROCESS
                                             : step == Step::kFlush ? BROTLI_OPERATION_FLUSH
                                                                    : BROTLI_OPERATION_FINISH;
    auto* next_in = reinterpret_cast<const uint8_t*>(in.data());
    size_t left = in.size();
    do {
      auto* next_out = reinterpret_cast<uint8_t*>(to.at());
      size_t room = to.room();
      const size_t before = room;
      if (!BrotliEncoderCompressStream(state_, operation, &left, &next_in, &room, &next_out, nullptr)) return;
      to.wrote(before - room);
    } while (left > 0 || BrotliEncoderHasMoreOutput(state_));
  }
  BrotliEncoderState* state_;
};

class BrotliDecompression final : public DecompressionStream {
 public:
  explicit BrotliDecompression(bool ring_buffer_reallocation)
      : DecompressionStream(kMaxInflateRatio), state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!ring_buffer_reallocation) BrotliDecoderSetParameter(state_, BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION, 1);
  }
  ~BrotliDecompression() override { BrotliDecoderDestroyInstance(state_); }

 private:
  Unpacked run(std::string_view in, SlabOutput& to) override {
    auto* next_in = reinterpret_cast<const uint8_t*>(in.data());
    size_t left = in.size();
    if (left > 0 && BrotliDecoderIsFinished(state_)) return Unpacked::kBroken;
    for (;;) {
      auto* next_out = reinterpret_cast<uint8_t*>(to.at());
      size_t room = to.room();
      const size_t before = room;
      const BrotliDecoderResult result = BrotliDecoderDecompressStream(state_, &left, &next_in, &room, &next_out, nullptr);
      to.wrote(before - room);
      if (excessive(to)) return Unpacked::kExcessive;
      switch (result) {
        case BROTLI_DECODER_RESULT_ERROR: return Unpacked::kBroken;
        case BROTLI_DECODER_RESULT_SUCCESS: return left > 0 ? Unpacked::kBroken : Unpacked::kGood;
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
          if (!BrotliDecoderHasMoreOutput(state_)) return Unpacked::kGood;
          break;  // said even when what is decoded found no room
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: break;
      }
    }
  }
  bool finished() const override { return BrotliDecoderIsFinished(state_); }
  BrotliDecoderState* state_;
};

}  // namespace

std::unique_ptr<CompressionStream> compress_brotli(const BrotliOptions& options) { return std::make_unique<BrotliCompression>(options); }
std::unique_ptr<DecompressionStream> decompress_brotli(bool ring_buffer_reallocation) {
  return std::make_unique<BrotliDecompression>(ring_buffer_reallocation);
}

}  // namespace weft::filters
