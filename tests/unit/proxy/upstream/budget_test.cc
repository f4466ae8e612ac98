#include "proxy/upstream/budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weft::upstream {
namespace {

constexpr Priority kDefault = Priority::kDefault, kHigh = Priority::kHigh;

TEST(Budget, StopsAtItsLimits) {
  Budget budget({Thresholds{.max_connections = 1, .max_pending_requests = 0, .max_requests = 2}, Thresholds{}});
  EXPECT_TRUE(budget.connections(kDefault).try_acquire());
  EXPECT_FALSE(budget.connections(kDefault).try_acquire());
  EXPECT_TRUE(budget.connections(kDefault).open());
  budget.connections(kDefault).force_acquire();
  EXPECT_EQ(budget.connections(kDefault).used(), 2u);
  EXPECT_EQ(budget.connections(kDefault).remaining(), 0u);
  budget.connections(kDefault).release();
  budget.connections(kDefault).release();
  EXPECT_EQ(budget.connections(kDefault).remaining(), 1u);
  EXPECT_FALSE(budget.pending(kDefault).try_acquire());
  EXPECT_TRUE(budget.requests(kDefault).try_acquire());
  EXPECT_TRUE(budget.requests(kDefault).try_acquire());
  EXPECT_FALSE(budget.requests(kDefault).try_acquire());
  EXPECT_TRUE(budget.requests(kHigh).try_acquire());  // another priority, another budget
}

TEST(Budget, CountsRetries) {
  Budget budget({Thresholds{.max_retries = 1}, Thresholds{}});
  EXPECT_FALSE(budget.retry_open(kDefault));
  EXPECT_TRUE(budget.try_acquire_retry(kDefault));
  EXPECT_TRUE(budget.retry_open(kDefault));
  EXPECT_FALSE(budget.try_acquire_retry(kDefault));
  budget.release_retry(kDefault);
  EXPECT_TRUE(budget.try_acquire_retry(kDefault));
}

TEST(Budget, LetsRetriesBeAShareOfWhatIsActive) {
  Budget budget({Thresholds{.max_retries = 0, .retry_budget = Thresholds::RetryBudget{20, 3}}, Thresholds{}});
  EXPECT_EQ(budget.max_retries(kDefault), 3u);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(budget.requests(kDefault).try_acquire());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.pending(kDefault).try_acquire());
  EXPECT_EQ(budget.max_retries(kDefault), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.try_acquire_retry(kDefault));
  EXPECT_FALSE(budget.try_acquire_retry(kDefault));
}

TEST(Budget, HoldsWhenManyThreadsAsk) {
  Budget budget({Thresholds{.max_requests = 3}, Thresholds{}});
  std::atomic<int> inside{0}, most{0}, granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (!budget.requests(kDefault).try_acquire()) continue;
        int now = inside.fetch_add(1) + 1;
        for (int seen = most.load(); now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        ++granted;
        inside.fetch_sub(1);
        budget.requests(kDefault).release();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3);
  EXPECT_GT(granted.load(), 0);
  EXPECT_EQ(budget.requests(kDefault).used(), 0u);
}

}  // namespace
}  // namespace weft::upstream
