#include "proxy/filters/http/buffer/filter.h"

#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::buffer::v3;

v3::Buffer at_most(uint32_t bytes) {
  v3::Buffer buffer;
  buffer.mutable_max_request_bytes()->set_value(bytes);
  return buffer;
}

TEST(Buffer, WaitsForABodyWithinTheLimit) {
  auto factory = factory_of(buffer_type(), at_most(100));
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, false), Verdict::kWait);
  EXPECT_EQ(context.body_limit, 100u);
}

TEST(Buffer, NothingToWaitFor) {
  auto factory = factory_of(buffer_type(), at_most(100));
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
  EXPECT_FALSE(context.body_limit.has_value());
}

TEST(Buffer, TheRouteSaysOtherwise) {
  auto factory = factory_of(buffer_type(), at_most(100));
  v3::BufferPerRoute off, more;
  off.set_disabled(true);
  *more.mutable_buffer() = at_most(7000);
  FakeContext without, with;
  without.configs["envoy.filters.http.buffer"] = route_config_of(buffer_type(), off);
  with.configs["envoy.filters.http.buffer"] = route_config_of(buffer_type(), more);
  MadeFilter a(*factory), b(*factory);
  EXPECT_EQ(a->on_request_head(without, false), Verdict::kContinue);
  EXPECT_EQ(b->on_request_head(with, false), Verdict::kWait);
  EXPECT_EQ(with.body_limit, 7000u);
}

TEST(Buffer, DisabledCannotBeFalse) {
  v3::BufferPerRoute route;
  route.set_disabled(false);
  Diagnostics problems;
  const Runtime runtime;
  const Where where(problems, "f");
  EXPECT_EQ(buffer_type().make_for_route(route.SerializeAsString(), {runtime, nullptr, {}}, where), nullptr);
  EXPECT_NE(render(problems).find("f.disabled"), std::string::npos) << render(problems);
}

}  // namespace
}  // namespace weft::filters
