#include "proxy/filters/http/fault/filter.h"

#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

using HTTPFault = envoy::extensions::filters::http::fault::v3::HTTPFault;
using observe::FaultStat;

HTTPFault abort_all(uint32_t status) {
  HTTPFault fault;
  fault.mutable_abort()->set_http_status(status);
  fault.mutable_abort()->mutable_percentage()->set_numerator(100);
  return fault;
}
HTTPFault delay_all(int milliseconds) {
  HTTPFault fault;
  fault.mutable_delay()->mutable_fixed_delay()->set_nanos(milliseconds * 1'000'000);
  fault.mutable_delay()->mutable_percentage()->set_numerator(100);
  return fault;
}

TEST(Fault, AbortsWithEnvoysWords) {
  observe::Registry registry(1);
  auto factory = factory_of(fault_type(), abort_all(418), &registry);
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kReplied);
  ASSERT_TRUE(context.replied.has_value());
  EXPECT_EQ(context.replied->status, 418);
  EXPECT_EQ(context.replied->body, "fault filter abort");
  EXPECT_EQ(context.replied->details, "fault_filter_abort");
  EXPECT_EQ(context.replied->flag, observe::ResponseFlag::kFaultInjected);
  auto stats = observe::fault_scope(registry, "main");
  EXPECT_EQ(stats->sum(FaultStat::kAbortsInjected), 1);
  EXPECT_EQ(stats->sum(FaultStat::kActiveFaults), 1);
  filter->on_done(context);
  EXPECT_EQ(stats->sum(FaultStat::kActiveFaults), 0);
}

TEST(Fault, TheShareDecides) {
  HTTPFault fault = abort_all(500);
  fault.mutable_abort()->mutable_percentage()->set_numerator(25);
  auto factory = factory_of(fault_type(), fault);
  int aborted = 0;
  for (uint64_t random = 0; random < 1000; ++random) {
    FakeContext context;
    context.next_random = random;
    MadeFilter filter(*factory);
    if (filter->on_request_head(context, true) == Verdict::kReplied) ++aborted;
    filter->on_done(context);
  }
  EXPECT_EQ(aborted, 250);
}

TEST(Fault, DelaysThenGoesOn) {
  auto factory = factory_of(fault_type(), delay_all(20));
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kWait);
  EXPECT_TRUE(context.info_.flags.has(observe::ResponseFlag::kDelayInjected));
  EXPECT_EQ(context.resumed, 0);
  EXPECT_TRUE(context.run_until([&] { return context.resumed == 1; }));
  EXPECT_FALSE(context.replied.has_value());
  filter->on_done(context);
}

TEST(Fault, ADelayMayEndInAnAbort) {
  HTTPFault fault = delay_all(10);
  *fault.mutable_abort() = abort_all(503).abort();
  auto factory = factory_of(fault_type(), fault);
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kWait);
  EXPECT_TRUE(context.run_until([&] { return context.replied.has_value(); }));
  EXPECT_EQ(context.replied->status, 503);
  EXPECT_EQ(context.resumed, 0);
  filter->on_done(context);
}

TEST(Fault, AClientThatLeavesEndsTheDelay) {
  auto factory = factory_of(fault_type(), delay_all(10));
  FakeContext context;
  {
    MadeFilter filter(*factory);
    EXPECT_EQ(filter->on_request_head(context, true), Verdict::kWait);
    filter->on_done(context);
    EXPECT_EQ(context.wheel_.armed(), 0u);
  }
  EXPECT_EQ(context.resumed, 0);
}

TEST(Fault, HeadersChooseTheRequests) {
  HTTPFault fault = abort_all(500);
  auto* header = fault.add_headers();
  header->set_name("x-chaos");
  header->mutable_string_match()->set_exact("true");
  auto factory = factory_of(fault_type(), fault);
  FakeContext without, with;
  with.request_.add("x-chaos", "true");
  MadeFilter a(*factory), b(*factory);
  EXPECT_EQ(a->on_request_head(without, true), Verdict::kContinue);
  EXPECT_EQ(b->on_request_head(with, true), Verdict::kReplied);
  a->on_done(without);
  b->on_done(with);
}

TEST(Fault, TheRouteSaysOtherwise) {
  auto factory = factory_of(fault_type(), abort_all(500));
  FakeContext context;
  context.configs["envoy.filters.http.fault"] = route_config_of(fault_type(), HTTPFault());
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
  filter->on_done(context);
}

TEST(Fault, AtMostSoManyAtOnce) {
  observe::Registry registry(1);
  HTTPFault fault = delay_all(1000);
  fault.mutable_max_active_faults()->set_value(1);
  auto factory = factory_of(fault_type(), fault, &registry);
  FakeContext first, second, third;
  MadeFilter a(*factory), b(*factory), c(*factory);
  EXPECT_EQ(a->on_request_head(first, true), Verdict::kWait);
  EXPECT_EQ(b->on_request_head(second, true), Verdict::kContinue);
  EXPECT_EQ(observe::fault_scope(registry, "main")->sum(FaultStat::kFaultsOverflow), 1);
  a->on_done(first);
  EXPECT_EQ(c->on_request_head(third, true), Verdict::kWait);
  b->on_done(second);
  c->on_done(third);
}

TEST(Fault, OnlyForOneCluster) {
  HTTPFault fault = abort_all(500);
  fault.set_upstream_cluster("b");
  auto factory = factory_of(fault_type(), fault);
  for (const auto& [cluster, verdict] : {std::pair{"a", Verdict::kContinue}, std::pair{"b", Verdict::kReplied}}) {
    FakeContext context;
    auto forward = std::make_shared<routing::Forward>();
    forward->cluster = cluster;
    context.route_.action = std::shared_ptr<const routing::Forward>(forward);
    MadeFilter filter(*factory);
    EXPECT_EQ(filter->on_request_head(context, true), verdict) << cluster;
    filter->on_done(context);
  }
}

TEST(Fault, StaticRuntimeOverridesTheShare) {
  Runtime runtime;
  runtime.set("fault.http.abort.abort_percent", "0");
  auto factory = factory_of(fault_type(), abort_all(500), nullptr, runtime);
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
  filter->on_done(context);
}

}  // namespace
}  // namespace weft::filters
