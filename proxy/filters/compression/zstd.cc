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

 private:
  void run(std::string_view in, Step step, SlabOutput& to) override {
    const ZSTD_EndDirective directive = step == Step::kMore ? ZSTD_e_continue : step == Step::kFlush ? ZSTD_e_flush : ZSTD_e_end;
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
  ZstdDecompression() : DecompressionStream(kMaxInflateRatio), state_(ZSTD_createDCtx()) {
    ZSTD_DCtx_setParameter(state_, ZSTD_d_windowLogMax, kMaxWindowBits);
  }
  ~ZstdDecompression() override { ZSTD_freeDCtx(state_); }

 private:
  static constexpr int kMaxWindowBits = 23;  // RFC 9659: 8 MiB for HTTP

  Unpacked run(std::string_view in, SlabOutput& to) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (;;) {
      char* at = to.at();
      ZSTD_outBuffer into{at, to.room(), 0};
      const size_t left = ZSTD_decompressStream(state_, &into, &from);
      to.wrote(into.pos);
      if (ZSTD_isError(left)) return Unpacked::kBroken;
      if (excessive(to)) return Unpacked::kExcessive;
      finished_ = left == 0;
      if (from.pos == from.size && into.pos < into.size) return Unpacked::kGood;
      if (from.pos == from.size && finished_) return Unpacked::kGood;
    }
  }
  bool finished() const override { return finished_; }
  ZSTD_DCtx* state_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<CompressionStream> compress_zstd(const ZstdOptions& options) { return std::make_unique<ZstdCompression>(options); }
std::unique_ptr<DecompressionStream> decompress_zstd() { return std::make_unique<ZstdDecompression>(); }

}  // namespace weft::filters
