#include "proxy/filters/compression/output.h"
#include "proxy/filters/compression/streams.h"

#include <zstd.h>

namespace weft::filters {
namespace {

class ZstdCompression final : public CompressionStream {
 public:
  explicit ZstdCompression(const ZstdOptions& options) : state_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(state_, ZSTD_c_compressionLevel, options.level);
    ZSTD_CCtx_setParameter(state_, ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
    ZSTD_CCtx_setParameter(state_, ZSTD_c_strategy, options.strategy);
  }
  ~ZstdCompression() override { ZSTD_freeCCtx(state_); }

  void compress(Body& body, bool end, SlabPool& pool) override {
    Body out;
    {
      const size_t size = body.size();
      SlabOutput to(out, pool, size > SlabPool::kSmall);
      for (const Slice& slice : body.slices) run(slice.view(), ZSTD_e_continue, to);
      if (end)
        run({}, ZSTD_e_end, to);
      else if (size > 0)
        run({}, ZSTD_e_flush, to);
    }
    body = std::move(out);
  }

 private:
  void run(std::string_view in, ZSTD_EndDirective directive, SlabOutput& to) {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (;;) {
      char* at = to.at();
      ZSTD_outBuffer into{at, to.room(), 0};
      const size_t left = ZSTD_compressStream2(state_, &into, &from, directive);
      to.wrote(into.pos);
      if (ZSTD_isError(left)) return;
      if (directive == ZSTD_e_continue ? from.pos == from.size : left == 0) return;
    }
  }
  ZSTD_CCtx* state_;
};

class ZstdDecompression final : public DecompressionStream {
 public:
  ZstdDecompression() : state_(ZSTD_createDCtx()) { ZSTD_DCtx_setParameter(state_, ZSTD_d_windowLogMax, kMaxWindowBits); }
  ~ZstdDecompression() override { ZSTD_freeDCtx(state_); }

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
    if (result == Unpacked::kGood && end && begun_ && !finished_) result = Unpacked::kCut;
    body = std::move(out);
    return result;
  }

 private:
  static constexpr int kMaxWindowBits = 23;  // RFC 9659: 8 MiB for HTTP

  Unpacked run(std::string_view in, SlabOutput& to) {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (;;) {
      char* at = to.at();
      ZSTD_outBuffer into{at, to.room(), 0};
      const size_t left = ZSTD_decompressStream(state_, &into, &from);
      to.wrote(into.pos);
      if (ZSTD_isError(left)) return Unpacked::kBroken;
      if (growth_.excessive(to, kMaxInflateRatio)) return Unpacked::kExcessive;
      finished_ = left == 0;
      if (from.pos == from.size && into.pos < into.size) return Unpacked::kGood;
      if (from.pos == from.size && finished_) return Unpacked::kGood;
    }
  }
  ZSTD_DCtx* state_;
  Growth growth_;
  bool begun_ = false, finished_ = false;
};

}  // namespace

std::unique_ptr<CompressionStream> compress_zstd(const ZstdOptions& options) { return std::make_unique<ZstdCompression>(options); }
std::unique_ptr<DecompressionStream> decompress_zstd() { return std::make_unique<ZstdDecompression>(); }

}  // namespace weft::filters
