#include "proxy/filters/compression/streams.h"

#include "proxy/filters/compression/output.h"

#include <algorithm>

namespace weft::filters {

void CompressionStream::compress(Body& body, bool end, SlabPool& pool) {
  Body out;
  {
    const size_t size = body.size();
    SlabOutput to(out, pool, size > SlabPool::kSmall);
    for (const Slice& slice : body.slices) run(slice.view(), Step::kMore, to);
    if (end)
      run({}, Step::kEnd, to);
    else if (size > 0)
      run({}, Step::kFlush, to);
  }
  body = std::move(out);
}

Unpacked DecompressionStream::decompress(Body& body, bool end, SlabPool& pool) {
  Body out;
  const size_t size = body.size();
  in_ += size;
  Unpacked result = Unpacked::kGood;
  {
    SlabOutput to(out, pool, size > SlabPool::kSmall);
    for (const Slice& slice : body.slices) {
      result = run(slice.view(), to);
      if (result != Unpacked::kGood) break;
    }
    out_ += to.total();
  }
  if (result == Unpacked::kGood && end && in_ > 0 && !finished()) result = Unpacked::kCut;
  body = std::move(out);
  return result;
}

bool DecompressionStream::excessive(const SlabOutput& to) const { return out_ + to.total() > std::max<uint64_t>(in_, 64) * max_ratio_; }

}  // namespace weft::filters
