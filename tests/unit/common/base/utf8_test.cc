#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(Utf8, FindsWhatIsNoCharacter) {
  constexpr size_t kNone = std::string_view::npos;
  EXPECT_EQ(find_invalid_utf8(""), kNone);
  EXPECT_EQ(find_invalid_utf8("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"), kNone);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(find_invalid_utf8("\xc3"), 0u) << "cut";
  EXPECT_EQ(find_invalid_utf8("\x80"), 0u) << "a follower without a leader";
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0u) << "overlong";
  EXPECT_EQ(find_invalid_utf8("\xe0\x80\xaf"), 0u) << "overlong";
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u) << "a surrogate";
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u) << "above U+10FFFF";
}

TEST(Utf8, RepairsByteByByte) {
  EXPECT_EQ(repair_utf8("good"), "good");
  EXPECT_EQ(repair_utf8("a\xff\xfe b\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd b\xef\xbf\xbd");
}

}  // namespace
}  // namespace weft
