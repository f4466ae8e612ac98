#include "common/base/base64.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

// RFC 4648 section 10.
TEST(Base64, TheVectorsOfTheRfc) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("\xff\xfe\xfb"), "//77");
}

}  // namespace
}  // namespace weft
