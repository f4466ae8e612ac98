#include "proxy/filters/compression/output.h"
#include "proxy/filters/compression/streams.h"

#include <zlib.h>

namespace weft::filters {
namespace {

constexpr int kGzipHeader = 16;  // added to the window's bits

class GzipCompression final : public CompressionStream {
 public:
  explicit GzipCompression(const GzipOptions& options) {
    deflateInit2(&stream_, options.level, Z_DEFLATED, options.window_bits | kGzipHeader, options.memory_level, options.strategy);
  }
  ~GzipCompression() override { deflateEnd(&stream_); }

 private:
  void run(std::string_view in, Step step, SlabOutput& to) override {
    const int flush = step == Step::kMore ? Z_NO_FLUSH : step == Step::kFlush ? Z_SYNC_FLUSH : Z_FINISH;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    for (;;) {
      if (flush == Z_NO_FLUSH && stream_.avail_in == 0) return;
      stream_.next_out = reinterpret_cast<Bytef*>(to.at());
      const size_t room = to.room();
      stream_.avail_out = static_cast<uInt>(room);
      const int result = deflate(&stream_, flush);
      to.wrote(room - stream_.avail_out);
      if (result != Z_OK && result != Z_BUF_ERROR) return;  // Z_STREAM_END: finished
      if (stream_.avail_out > 0 && stream_.avail_in == 0) return;
    }
  }
  z_stream stream_{};
};

class GzipDecompression final : public DecompressionStream {
 public:
  GzipDecompression(int window_bits, uint32_t max_ratio) : DecompressionStream(max_ratio) {
    inflateInit2(&stream_, window_bits | kGzipHeader);
  }
  ~GzipDecompression() override { inflateEnd(&stream_); }

 private:
  Unpacked run(std::string_view in, SlabOutput& to) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    while (stream_.avail_in > 0) {
      // Streams may follow each other (RFC 1952 2.2).
      if (finished_) {
        if (inflateReset(&stream_) != Z_OK) return Unpacked::kBroken;
        finished_ = false;
      }
      int result = Z_OK;
      do {
        stream_.next_out = reinterpret_cast<Bytef*>(to.at());
        const size_t room = to.room();
        stream_.avail_out = static_cast<uInt>(room);
        result = inflate(&stream_, Z_NO_FLUSH);
        to.wrote(room - stream_.avail_out);
        if (excessive(to)) return Unpacked::kExcessive;
      } while (result == Z_OK && stream_.avail_out == 0);
      if (result == Z_STREAM_END) {
        finished_ = true;
      } else if (result == Z_BUF_ERROR && stream_.avail_in == 0) {
        return Unpacked::kGood;
      } else if (result != Z_OK) {
        return Unpacked::kBroken;
      }
    }
    return Unpacked::kGood;
  }
  bool finished() const override { return finished_; }

  z_stream stream_{};
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<CompressionStream> compress_gzip(const GzipOptions& options) { return std::make_unique<GzipCompression>(options); }
std::unique_ptr<DecompressionStream> decompress_gzip(int window_bits, uint32_t max_ratio) {
  return std::make_unique<GzipDecompression>(window_bits, max_ratio);
}

}  // namespace weft::filters
