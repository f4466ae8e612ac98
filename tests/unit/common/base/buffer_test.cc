#include "common/base/buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace weft {
namespace {

std::string text_of(const Output& out) {
  iovec vectors[256];
  std::string text;
  for (int i = 0, n = out.gather(vectors, 256); i < n; ++i) text.append(static_cast<char*>(vectors[i].iov_base), vectors[i].iov_len);
  return text;
}

TEST(ReadBuffer, GrowsToALargeSlabOnceFilledAndGivesAllBack) {
  SlabPool pool;
  ReadBuffer in(pool);
  EXPECT_EQ(pool.in_use(), 0u);
  in.append(std::string(10'000, 'x'));
  EXPECT_EQ(in.size(), 10'000u);
  EXPECT_EQ(in.slab()->capacity, SlabPool::kLarge);
  in.consume(10'000);
  in.release();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(ReadBuffer, SlicesSurviveTheBuffer) {
  SlabPool pool;
  ReadBuffer in(pool);
  in.append("hello world");
  Slice slice = in.take(5);
  in.append(std::string(8000, 'y'));
  in.release();
  EXPECT_EQ(slice.view(), "hello");
}

TEST(Output, JoinsPiecesAndConsumesAcrossThem) {
  SlabPool pool;
  {
    Output out(pool);
    std::string big(5000, 'b');
    out.append("head;");
    out.append(copy_to_slice(pool, big));
    out.append("tail");
    char* at = out.reserve(3);
    at[0] = 'e', at[1] = 'n', at[2] = 'd';
    out.commit(3);
    EXPECT_EQ(text_of(out), "head;" + big.substr(0, big.size()) + "tailend");
    out.consume(7);
    EXPECT_EQ(out.size(), 5 + 5000 + 7 - 7u);
    EXPECT_EQ(text_of(out), big.substr(2) + "tailend");
    Output other(pool);
    other.append("x");
    other.append(std::move(out));
    EXPECT_TRUE(out.empty());
    EXPECT_EQ(other.size(), 1 + 4998 + 7u);
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace weft
