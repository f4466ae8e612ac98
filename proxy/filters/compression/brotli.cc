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

  void compress(Body& body, bool end, SlabPool& pool) override {
    Body out;
    {
      const size_t size = body.size();
      SlabOutput to(out, pool, size > SlabPool::kSmall);
      for (const Slice& slice : body.slices) run(slice.view(), BROTLI_OPERATION_PROCESS, to);
      if (end)
        run({}, BROTLI_OPERATION_FINISH, to);
      else if (size > 0)
        run({}, BROTLI_OPERATION_FLUSH, to);
    }
    body = std::move(out);
  }

 private:
  void run(std::string_view in, BrotliEncoderOperation operation, SlabOutput& to) {
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
  explicit BrotliDecompression(bool ring_buffer_reallocation) : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!ring_buffer_reallocation) BrotliDecoderSetParameter(state_, BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION, 1);
  }
  ~BrotliDecompression() override { BrotliDecoderDestroyInstance(state_); }

  Unpacked decompress(Body& body, bool end, SlabPool& pool) override {
    Body out;
    const size_t size = body.size();
    Unpacked result = Unpacked::kGood;
    {
      SlabOutput to(out, pool, size > SlabPool::kSmall);
      growth_.in += size;
      for (const Slice& slice : body.slices) {
        result = run(slice.view(), to);
        if (result != Unpacked::kGood) break;
      }
      growth_.out += to.total();
    }
    if (size > 0) begun_ = true;
    if (result == Unpacked::kGood && end && begun_ && !BrotliDecoderIsFinished(state_)) result = Unpacked::kCut;
    body = std::move(out);
    return result;
  }

 private:
  Unpacked run(std::string_view in, SlabOutput& to) {
    auto* next_in = reinterpret_cast<const uint8_t*>(in.data());
    size_t left = in.size();
    if (left > 0 && BrotliDecoderIsFinished(state_)) return Unpacked::kBroken;
    for (;;) {
      auto* next_out = reinterpret_cast<uint8_t*>(to.at());
      size_t room = to.room();
      const size_t before = room;
      const BrotliDecoderResult result = BrotliDecoderDecompressStream(state_, &left, &next_in, &room, &next_out, nullptr);
      to.wrote(before - room);
      if (growth_.excessive(to, kMaxInflateRatio)) return Unpacked::kExcessive;
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
  BrotliDecoderState* state_;
  Growth growth_;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<CompressionStream> compress_brotli(const BrotliOptions& options) { return std::make_unique<BrotliCompression>(options); }
std::unique_ptr<DecompressionStream> decompress_brotli(bool ring_buffer_reallocation) {
  return std::make_unique<BrotliDecompression>(ring_buffer_reallocation);
}

}  // namespace weft::filters
