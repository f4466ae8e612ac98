// Compressed streams into and out of slabs: gzip, brotli, zstd behind one face each way. Each piece that arrives is flushed so that
// the peer can read all of it; nothing waits, and memory is bounded by the library's window. Lives with its exchange.
#pragma once
#include "proxy/filters/filter.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

struct GzipOptions {
  int level = -1;  // zlib's own choice
  int strategy = 0;
  int memory_level = 5;
  int window_bits = 12;
};
struct BrotliOptions {
  uint32_t quality = 3;
  uint32_t mode = 0;  // BROTLI_MODE_GENERIC
  uint32_t window_bits = 18;
  uint32_t input_block_bits = 24;
  bool literal_context_modeling = true;
};
// What both sides know beforehand, prepared once for all streams: the first of them packs, that of a frame's id unpacks.
class ZstdDictionaries {
 public:
  virtual ~ZstdDictionaries() = default;
};
// Nothing: one of them is no dictionary (RFC 8878 5). `level` is of what packs with it; nothing: they unpack.
std::shared_ptr<const ZstdDictionaries> zstd_dictionaries(const std::vector<std::string>& bytes, std::optional<int> level);

struct ZstdOptions {
  int level = 3;
  bool checksum = false;
  int strategy = 0;  // 0: as the level says
  std::shared_ptr<const ZstdDictionaries> dictionary;
};

class SlabOutput;

// What the libraries share is here: pieces go in, and all that they make comes out at once.
class CompressionStream {
 public:
  virtual ~CompressionStream() = default;
  // Replaces the body's slices by their compressed form; with `end`, the stream is finished.
  void compress(Body& body, bool end, SlabPool& pool);

 protected:
  enum class Step : uint8_t { kMore, kFlush, kEnd };

 private:
  virtual void run(std::string_view in, Step step, SlabOutput& to) = 0;
};
std::unique_ptr<CompressionStream> compress_gzip(const GzipOptions& options);
std::unique_ptr<CompressionStream> compress_brotli(const BrotliOptions& options);
std::unique_ptr<CompressionStream> compress_zstd(const ZstdOptions& options);

enum class Unpacked : uint8_t {
  kGood,
  kBroken,     // no such stream, or what follows its end is none either
  kExcessive,  // grows beyond its bound: made to exhaust whoever unpacks it
  kCut,        // the message is over, the stream is not
};

class DecompressionStream {
 public:
  virtual ~DecompressionStream() = default;
  // Replaces the body's slices by what they hold. After anything but kGood the stream is of no use.
  Unpacked decompress(Body& body, bool end, SlabPool& pool);

 protected:
  explicit DecompressionStream(uint32_t max_ratio) : max_ratio_(max_ratio) {}
  // Whether it grew beyond its bound. All pieces count together: one that is all blanks may well be a thousandth of its size.
  bool excessive(const SlabOutput& to) const;

 private:
  virtual Unpacked run(std::string_view in, SlabOutput& to) = 0;
  virtual bool finished() const = 0;
  const uint32_t max_ratio_;
  uint64_t in_ = 0, out_ = 0;
};
// What comes out of a stream may be so many times as long as what went in so far.
inline constexpr uint32_t kMaxInflateRatio = 100;
std::unique_ptr<DecompressionStream> decompress_gzip(int window_bits, uint32_t max_ratio);
std::unique_ptr<DecompressionStream> decompress_brotli(bool ring_buffer_reallocation);
std::unique_ptr<DecompressionStream> decompress_zstd(std::shared_ptr<const ZstdDictionaries> dictionaries = {});

}  // namespace weft::filters
