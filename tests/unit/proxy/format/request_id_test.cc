#include "proxy/format/request_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

namespace weft::format {
namespace {

TEST(RequestId, IsAVersion4Uuid) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    Uuid id = make_uuid();
    std::string text(id.view());
    ASSERT_EQ(text.size(), 36u);
    for (size_t at = 0; at < 36; ++at) {
      bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      ASSERT_EQ(text[at] == '-', dash) << text;
      if (!dash) {
        ASSERT_NE(std::string_view("0123456789abcdef").find(text[at]), std::string_view::npos) << text;
      }
    }
    ASSERT_EQ(text[14], '4');
    ASSERT_NE(std::string_view("89ab").find(text[19]), std::string_view::npos) << text;
    ASSERT_TRUE(seen.insert(text).second);
  }
}

TEST(RequestId, DiffersBetweenThreads) {
  std::string other;
  std::thread([&other] { other = make_uuid().view(); }).join();
  EXPECT_NE(other, make_uuid().view());
}

TEST(RequestId, CarriesTheTraceReason) {
  Uuid id = make_uuid();
  EXPECT_EQ(trace_reason(id.view()), TraceReason::kNotTraceable);
  for (TraceReason reason : {TraceReason::kSampled, TraceReason::kServerForced, TraceReason::kClientForced, TraceReason::kNotTraceable}) {
    set_trace_reason(id.text.data(), id.text.size(), reason);
    EXPECT_EQ(trace_reason(id.view()), reason);
  }
  EXPECT_EQ(trace_reason("short"), std::nullopt);
}

}  // namespace
}  // namespace weft::format
