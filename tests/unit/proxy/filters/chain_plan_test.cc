#include "proxy/filters/filter.h"

#include <gtest/gtest.h>

namespace weft::filters {
namespace {

class TestFactory final : public FilterFactory {
 public:
  TestFactory(std::string name, unsigned hooks, size_t size, size_t alignment)
      : FilterFactory(std::move(name)), hooks_(hooks), size_(size), alignment_(alignment) {}
  unsigned hooks() const override { return hooks_; }
  size_t size() const override { return size_; }
  size_t alignment() const override { return alignment_; }
  HttpFilter* create(void*) const override { return nullptr; }

 private:
  unsigned hooks_;
  size_t size_, alignment_;
};

TEST(ChainPlan, MasksHooksAndLaysFiltersOut) {
  std::vector<std::unique_ptr<const FilterFactory>> factories;
  factories.push_back(std::make_unique<TestFactory>("a", kOnRequestHead | kOnResponseHead | kOnDone, 5, 1));
  factories.push_back(std::make_unique<TestFactory>("b", kOnRequestBody, 24, 8));
  factories.push_back(std::make_unique<TestFactory>("c", kOnRequestHead | kOnResponseHead | kOnResponseBody, 1, 16));
  const ChainPlan plan(std::move(factories), {.suppress_envoy_headers = true});
  EXPECT_EQ(plan.request_head(), (std::vector<uint8_t>{0, 2}));
  EXPECT_EQ(plan.request_body(), (std::vector<uint8_t>{1}));
  EXPECT_EQ(plan.response_head(), (std::vector<uint8_t>{2, 0}));
  EXPECT_EQ(plan.response_body(), (std::vector<uint8_t>{2}));
  EXPECT_EQ(plan.done(), (std::vector<uint8_t>{0}));
  EXPECT_TRUE(plan.request_trailers().empty());
  EXPECT_EQ(plan.entries()[0].offset, 0u);
  EXPECT_EQ(plan.entries()[1].offset, 8u);
  EXPECT_EQ(plan.entries()[2].offset, 32u);
  EXPECT_EQ(plan.arena_size(), 33u);
  EXPECT_TRUE(plan.router().suppress_envoy_headers);
  EXPECT_EQ(plan.entries()[2].factory->name(), "c");
}

}  // namespace
}  // namespace weft::filters
