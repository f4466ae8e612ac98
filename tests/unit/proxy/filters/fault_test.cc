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

TEST(Fault, TheRuntimeIsFollowedWhileRunning) {
  Runtime runtime;
  auto factory = factory_of(fault_type(), abort_all(500), nullptr, runtime);
  auto verdict = [&] {
    FakeContext context;
    MadeFilter filter(*factory);
    const Verdict verdict = filter->on_request_head(context, true);
    filter->on_done(context);
    return std::pair(verdict, context.replied ? context.replied->status : 0);
  };
  EXPECT_EQ(verdict(), std::pair(Verdict::kReplied, 500));
  runtime.set("fault.http.abort.abort_percent", "0");
  EXPECT_EQ(verdict(), std::pair(Verdict::kContinue, 0));
  runtime.set("fault.http.abort.abort_percent", "100");
  runtime.set("fault.http.abort.http_status", "418");
  EXPECT_EQ(verdict(), std::pair(Verdict::kReplied, 418));
  runtime.set("fault.http.abort.http_status", "1000");
  EXPECT_EQ(verdict(), std::pair(Verdict::kReplied, 500)) << "no status";
}

TEST(Fault, OfAGrpcStatus) {
  HTTPFault fault;
  fault.mutable_abort()->set_grpc_status(5);
  fault.mutable_abort()->mutable_percentage()->set_numerator(100);
  auto factory = factory_of(fault_type(), fault);
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kReplied);
  EXPECT_EQ(context.replied->status, 200);
  EXPECT_EQ(context.replied->grpc_status, 5);
  filter->on_done(context);
}

TEST(Fault, AsTheRequestAsks) {
  HTTPFault fault;
  fault.mutable_abort()->mutable_header_abort();
  fault.mutable_abort()->mutable_percentage()->set_numerator(100);
  fault.mutable_delay()->mutable_header_delay();
  fault.mutable_delay()->mutable_percentage()->set_numerator(100);
  auto factory = factory_of(fault_type(), fault);
  struct Case {
    std::vector<std::pair<const char*, const char*>> headers;
    Verdict verdict;
    int status = 0;
    std::optional<int> grpc = {};
  };
  const Case cases[] = {
      {{}, Verdict::kContinue},
      {{{"x-envoy-fault-abort-request", "418"}}, Verdict::kReplied, 418},
      {{{"x-envoy-fault-abort-request", "199"}}, Verdict::kContinue},
      {{{"x-envoy-fault-abort-request", "x"}}, Verdict::kContinue},
      {{{"x-envoy-fault-abort-grpc-request", "7"}}, Verdict::kReplied, 200, 7},
      {{{"x-envoy-fault-abort-request", "418"}, {"x-envoy-fault-abort-request-percentage", "0"}}, Verdict::kContinue},
      {{{"x-envoy-fault-delay-request", "50"}}, Verdict::kWait},
      {{{"x-envoy-fault-delay-request", "50"}, {"x-envoy-fault-delay-request-percentage", "0"}}, Verdict::kContinue},
      {{{"x-envoy-fault-delay-request", "0"}}, Verdict::kContinue},
  };
  for (const Case& one : cases) {
    FakeContext context;
    for (const auto& [name, value] : one.headers) context.request_.add(name, value);
    MadeFilter filter(*factory);
    const char* first = one.headers.empty() ? "" : one.headers[0].second;
    EXPECT_EQ(filter->on_request_head(context, true), one.verdict) << first;
    if (one.verdict == Verdict::kReplied) {
      EXPECT_EQ(context.replied->status, one.status) << first;
      EXPECT_EQ(context.replied->grpc_status, one.grpc) << first;
    }
    filter->on_done(context);
  }
}

TEST(Fault, OfANodeAndACluster) {
  observe::Registry registry(1);
  Runtime runtime;
  runtime.set("fault.http.shop.abort.http_status", "418");
  runtime.set("fault.http.quiet.abort.abort_percent", "0");
  HTTPFault fault = abort_all(503);
  fault.add_downstream_nodes("here");
  auto factory = factory_of(fault_type(), fault, &registry, runtime);
  auto status = [&](const char* node, const char* cluster) {
    FakeContext context;
    if (*node) context.request_.add("x-envoy-downstream-service-node", node);
    if (*cluster) context.request_.add("x-envoy-downstream-service-cluster", cluster);
    MadeFilter filter(*factory);
    filter->on_request_head(context, true);
    filter->on_done(context);
    return context.replied ? context.replied->status : 0;
  };
  EXPECT_EQ(status("", ""), 0);
  EXPECT_EQ(status("elsewhere", ""), 0);
  EXPECT_EQ(status("here", ""), 503);
  EXPECT_EQ(status("here", "shop"), 418);
  EXPECT_EQ(status("here", "quiet"), 0);
  EXPECT_EQ(observe::fault_cluster_scope(registry, "main", "shop")->sum(observe::FaultClusterStat::kAbortsInjected), 1);
  EXPECT_EQ(observe::fault_scope(registry, "main")->sum(FaultStat::kAbortsInjected), 2);
}

class SlowFault : public testing::Test {
 protected:
  static HTTPFault slow(uint64_t kib) {
    HTTPFault fault;
    fault.mutable_response_rate_limit()->mutable_fixed_limit()->set_limit_kbps(kib);
    fault.mutable_response_rate_limit()->mutable_percentage()->set_numerator(100);
    return fault;
  }
  Body body(std::string_view text) {
    Body out;
    while (!text.empty()) {
      out.slices.push_back(copy_to_slice(context_.pool, text));
      text.remove_prefix(out.slices.back().size);
    }
    return out;
  }
  observe::Registry registry_{1};
  FakeContext context_;
};

TEST_F(SlowFault, PacesABody) {
  auto factory = factory_of(fault_type(), slow(64), &registry_);  // 4096 bytes at a time
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context_, true), Verdict::kContinue);
  EXPECT_TRUE(context_.body_asked);
  std::string plain;
  for (int i = 0; plain.size() < 10'000; ++i) plain += std::to_string(i) + ",";
  Body first = body(plain);
  filter->on_response_body(context_, first, true);
  EXPECT_EQ(first.size(), 4096u);
  EXPECT_TRUE(context_.end_held);
  std::string got(first.slices.at(0).view());
  for (size_t i = 1; i < first.slices.size(); ++i) got += first.slices[i].view();
  EXPECT_FALSE(context_.paced_end);
  EXPECT_TRUE(context_.run_until([&] { return context_.paced_end; }));
  EXPECT_EQ(got + context_.paced, plain);
  EXPECT_EQ(observe::fault_scope(registry_, "main")->sum(FaultStat::kResponseRlInjected), 1);
  filter->on_done(context_);
  EXPECT_EQ(context_.wheel_.armed(), 0u);
}

TEST_F(SlowFault, AsksTheSenderToStop) {
  auto factory = factory_of(fault_type(), slow(1));
  MadeFilter filter(*factory);
  filter->on_request_head(context_, true);
  Body much = body(std::string(200'000, 'x'));
  filter->on_response_body(context_, much, false);
  EXPECT_TRUE(context_.response_paused);
  EXPECT_FALSE(context_.end_held);
  filter->on_done(context_);
}

TEST_F(SlowFault, AsTheRequestAsks) {
  HTTPFault fault;
  fault.mutable_response_rate_limit()->mutable_header_limit();
  fault.mutable_response_rate_limit()->mutable_percentage()->set_numerator(100);
  auto factory = factory_of(fault_type(), fault);
  for (const char* rate : {"", "0", "x", "64"}) {
    FakeContext context;
    if (*rate) context.request_.add("x-envoy-fault-throughput-response", rate);
    MadeFilter filter(*factory);
    EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
    EXPECT_EQ(context.body_asked, std::string_view(rate) == "64") << rate;
    filter->on_done(context);
  }
}

}  // namespace
}  // namespace weft::filters
