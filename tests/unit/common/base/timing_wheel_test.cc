#include "common/base/timing_wheel.h"

#include <gtest/gtest.h>

#include <vector>

namespace weft {
namespace {

using std::chrono::milliseconds;

struct Node : TimeoutNode {
  std::function<void()> then;
  void on_timeout() override { then(); }
};

TEST(TimingWheel, FiresInOrderAndNeverEarly) {
  asio::io_context io{1};
  EventClock clock;
  TimingWheel wheel(io.get_executor(), clock);
  std::vector<int> fired;
  Node a, b, c;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration a_took{};
  a.then = [&] { fired.push_back(1), a_took = std::chrono::steady_clock::now() - start; };
  b.then = [&] { fired.push_back(2); };
  c.then = [&] { fired.push_back(3); };
  wheel.arm(b, milliseconds(60));
  wheel.arm(a, milliseconds(20));
  wheel.arm(c, milliseconds(200));
  c.disarm();
  io.run();  // ends by itself once nothing is armed
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  EXPECT_GE(a_took, milliseconds(20));
  EXPECT_EQ(wheel.armed(), 0u);
}

TEST(TimingWheel, HandlersMayArmAndDisarmOthersOfTheSameSlot) {
  asio::io_context io{1};
  EventClock clock;
  TimingWheel wheel(io.get_executor(), clock);
  int fired = 0, again = 0;
  Node a, b, c;
  a.then = [&] { ++fired, b.disarm(), wheel.arm(c, milliseconds(10)); };
  b.then = [&] { ++fired, a.disarm(), wheel.arm(c, milliseconds(10)); };
  c.then = [&] {
    if (++again < 3) wheel.arm(c, milliseconds(1));
  };
  wheel.arm(a, milliseconds(10));
  wheel.arm(b, milliseconds(10));
  io.run();
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(again, 3);
}

TEST(TimingWheel, NodeBeyondOneTurnWaits) {
  asio::io_context io{1};
  EventClock clock;
  TimingWheel wheel(io.get_executor(), clock);
  bool far = false;
  Node near_one, far_one;
  near_one.then = [&] { far_one.disarm(); };
  far_one.then = [&] { far = true; };
  wheel.arm(far_one, TimingWheel::kTick * TimingWheel::kSlots + milliseconds(20));  // the same slot as a node at 20 ms
  wheel.arm(near_one, milliseconds(60));
  io.run();
  EXPECT_FALSE(far);
}

TEST(TimingWheel, ATimeoutThatIsPutOffFiresOnceAndNotEarly) {
  asio::io_context io{1};
  EventClock clock;
  TimingWheel wheel(io.get_executor(), clock);
  int fired = 0;
  Node late, early, other;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration late_took{}, early_took{};
  late.then = [&] { ++fired, late_took = std::chrono::steady_clock::now() - start; };
  early.then = [&] { ++fired, early_took = std::chrono::steady_clock::now() - start; };
  other.then = [&] { wheel.arm(late, milliseconds(80)); };  // from within a turn, too
  wheel.arm(late, milliseconds(20));
  wheel.arm(late, milliseconds(60));
  wheel.arm(other, milliseconds(40));
  wheel.arm(early, milliseconds(60000));
  wheel.arm(early, milliseconds(20));
  io.run();
  EXPECT_EQ(fired, 2);
  EXPECT_GE(late_took, milliseconds(120));
  EXPECT_GE(early_took, milliseconds(20));
  EXPECT_LT(early_took, late_took);
}

TEST(TimingWheel, NodesMayDieArmed) {
  asio::io_context io{1};
  EventClock clock;
  TimingWheel wheel(io.get_executor(), clock);
  {
    Node gone;
    wheel.arm(gone, milliseconds(10));
  }
  EXPECT_EQ(wheel.armed(), 0u);
  io.run();
}

}  // namespace
}  // namespace weft
