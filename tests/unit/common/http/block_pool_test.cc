#include "common/http/http2/block_pool.h"

#include <gtest/gtest.h>

#include <malloc.h>

#include <set>
#include <vector>

namespace weft::http::http2 {
namespace {

// Under a sanitizer there is no pool.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

std::vector<void*> take(size_t count, size_t size) {
  std::vector<void*> blocks;
  blocks.reserve(count);
  for (size_t i = 0; i < count; ++i) blocks.push_back(take_block(size));
  return blocks;
}

TEST(BlockPool, GivesBackWhatABusyHourNeeded) {
  constexpr size_t kCount = 8192, kSize = 512;  // 4 MiB
  std::vector<void*> blocks = take(kCount, kSize);
  const size_t busy = mallinfo2().uordblks;
  for (void* block : blocks) give_block(block);
  const size_t given = busy - mallinfo2().uordblks;
  EXPECT_GT(given, (kCount * kSize) - (1u << 20));  // all but half a mebibyte, and its headers
}

TEST(BlockPool, KeepsSomeForTheNextOne) {
  void* const block = take_block(200);
  give_block(block);
  void* const next = take_block(193);  // of the same class
  EXPECT_EQ(next, block);
  give_block(next);
}

TEST(BlockPool, LargeBlocksAreNotKept) {
  const size_t before = mallinfo2().uordblks;
  std::vector<void*> blocks = take(64, 100'000);
  for (void* block : blocks) give_block(block);
  EXPECT_LT(mallinfo2().uordblks, before + (64u << 10));
}

#endif

TEST(BlockPool, BlocksDoNotOverlap) {
  std::set<char*> taken;
  for (size_t size : {0u, 1u, 31u, 32u, 33u, 1000u, 1024u, 1025u, 5000u}) {
    auto* const block = static_cast<char*>(take_block(size));
    for (size_t i = 0; i < size; ++i) block[i] = static_cast<char>(size);
    taken.insert(block);
  }
  EXPECT_EQ(taken.size(), 9u);
  for (char* block : taken) give_block(block);
}

}  // namespace
}  // namespace weft::http::http2
