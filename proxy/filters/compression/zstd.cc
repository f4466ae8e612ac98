#include "proxy/filters/compression/output.h"
#include "proxy/filters/compression/streams.h"

#include <zstd.h>

#include <map>
#include <utility>

namespace weft::filters {
namespace {

struct Free {
  void operator()(ZSTD_CDict* one) const { ZSTD_freeCDict(one); }
  void operator()(ZSTD_DDict* one) const { ZSTD_freeDDict(one); }
};

struct Dictionaries final : ZstdDictionaries {
  std::unique_ptr<ZSTD_CDict, Free> packs;
  std::map<unsigned, std::unique_ptr<ZSTD_DDict, Free>> unpack;  // by id
};

class ZstdCompression final : public CompressionStream {
 public:
  explicit ZstdCompression(const ZstdOptions& options) : state_(ZSTD_createCCtx()), dictionary_(options.dictionary) {
    ZSTD_CCtx_setParameter(state_, ZSTD_c_compressionLevel, options.level);
    ZSTD_CCtx_setParameter(state_, ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
    ZSTD_CCtx_setParameter(state_, ZSTD_c_strategy, options.strategy);
    if (dictionary_) ZSTD_CCtx_refCDict(state_, static_cast<const Dictionaries&>(*dictionary_).packs.get());
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
  const std::shared_ptr<const ZstdDictionaries> dictionary_;
};

class ZstdDecompression final : public DecompressionStream {
 public:
  explicit ZstdDecompression(std::shared_ptr<const ZstdDictionaries> dictionaries)
      : DecompressionStream(kMaxInflateRatio), state_(ZSTD_createDCtx()), dictionaries_(std::move(dictionaries)) {
    ZSTD_DCtx_setParameter(state_, ZSTD_d_windowLogMax, kMaxWindowBits);
  }
  ~ZstdDecompression() override { ZSTD_freeDCtx(state_); }

 private:
  static constexpr int kMaxWindowBits = 23;  // RFC 9659: 8 MiB for HTTP

  Unpacked run(std::string_view in, SlabOutput& to) override {
    if (dictionaries_ && !chosen_) {
      // The frame's head says which dictionary, and may come in pieces.
      head_ += in;
      if (!choose()) return chosen_ ? Unpacked::kBroken : Unpacked::kGood;
      in = head_;
    }
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

  // RFC 8878 3.1.1.1: after the magic number a descriptor, perhaps the window, and the dictionary's id of up to four bytes. True: the
  // frame can be read, with the dictionary that it names or with none; false: not yet, or (chosen_) never.
  bool choose() {
    constexpr size_t kMagic = 4, kSizes[] = {0, 1, 2, 4};
    if (head_.size() <= kMagic) return false;
    const auto descriptor = static_cast<unsigned char>(head_[kMagic]);
    const size_t at = kMagic + 1 + (descriptor & 0x20 ? 0 : 1), size = kSizes[descriptor & 3];
    if (head_.size() < at + size) return false;
    chosen_ = true;
    unsigned id = 0;
    for (size_t i = size; i-- > 0;) id = id << 8 | static_cast<unsigned char>(head_[at + i]);
    if (id == 0) return true;
    const auto& known = static_cast<const Dictionaries&>(*dictionaries_).unpack;
    const auto found = known.find(id);
    return found != known.end() && !ZSTD_isError(ZSTD_DCtx_refDDict(state_, found->second.get()));
  }

  ZSTD_DCtx* state_;
  const std::shared_ptr<const ZstdDictionaries> dictionaries_;
  std::string head_;  // what came before the dictionary was chosen
  bool chosen_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<CompressionStream> compress_zstd(const ZstdOptions& options) { return std::make_unique<ZstdCompression>(options); }
std::unique_ptr<DecompressionStream> decompress_zstd(std::shared_ptr<const ZstdDictionaries> dictionaries) {
  return std::make_unique<ZstdDecompression>(std::move(dictionaries));
}

std::shared_ptr<const ZstdDictionaries> zstd_dictionaries(const std::vector<std::string>& bytes, std::optional<int> level) {
  auto to = std::make_shared<Dictionaries>();
  for (const std::string& one : bytes) {
    const unsigned id = ZSTD_getDictID_fromDict(one.data(), one.size());
    if (id == 0) return nullptr;  // plain text would do for the library, but no frame could name it
    if (level && !to->packs)
      to->packs.reset(ZSTD_createCDict(one.data(), one.size(), *level));
    else if (!level)
      to->unpack[id].reset(ZSTD_createDDict(one.data(), one.size()));
    if (level ? !to->packs : !to->unpack[id]) return nullptr;
  }
  return to;
}

}  // namespace weft::filters
