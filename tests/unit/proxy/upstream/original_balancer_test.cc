// ORIGINAL_DST: where a pick goes, what hosts are made and when they are forgotten.
#include "proxy/upstream/balancing/original_balancer.h"

#include "common/base/buffer.h"
#include "common/http/head.h"
#include "common/net/connection_facts.h"
#include "proxy/format/filter_state.h"
#include "proxy/format/metadata.h"
#include "proxy/format/request_info.h"

#include <gtest/gtest.h>

namespace weft::upstream {
namespace {

TEST(OriginalDestination, ReadsAddressesWithPorts) {
  EXPECT_EQ(net::to_string(*parse_destination("1.2.3.4:80")), "1.2.3.4:80");
  EXPECT_EQ(net::to_string(*parse_destination("[::1]:65535")), "[::1]:65535");
  for (const char* wrong : {"", "1.2.3.4", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4:80 ", "::1:80", "[1.2.3.4]:80", "[::1]",
                            "[::1]80", "host:80", "1.2.3:80", ":80", "1.2.3.4:-1"})
    EXPECT_FALSE(parse_destination(wrong)) << wrong;
}

class OriginalBalancerTest : public testing::Test {
 protected:
  OriginalBalancerTest() {
    info.request = &head;
    facts.local_restored = true;
    facts.local = *parse_destination("10.0.0.1:80");
  }
  std::string picked(bool with_request = true) {
    OriginalBalancer& balancer = this->balancer();
    last = balancer.pick({.connection = &facts, .request = with_request ? &info : nullptr});
    return last.host ? last.host->state->address : "none";
  }
  OriginalBalancer& balancer() {
    if (!balancer_) {
      balancer_ =
          std::make_unique<OriginalBalancer>(std::make_shared<OriginalDestination>(options), std::make_shared<EndpointSet>(), hosts);
    }
    return *balancer_;
  }

  SlabPool slabs;
  http::Head head{slabs};
  format::RequestInfo info;
  net::ConnectionFacts facts;
  OriginalDestination options;
  int told = 0;
  std::shared_ptr<OriginalHosts> hosts = std::make_shared<OriginalHosts>("c", [this] { ++told; });
  Pick last;

 private:
  std::unique_ptr<OriginalBalancer> balancer_;
};

TEST_F(OriginalBalancerTest, GoesWhereTheConnectionWasGoing) {
  EXPECT_EQ(picked(), "10.0.0.1:80");
  EXPECT_EQ(last.host->hostname, "c10.0.0.1:80");
  EXPECT_EQ(picked(false), "10.0.0.1:80");
  facts.local_restored = false;
  EXPECT_EQ(picked(), "none");
  EXPECT_EQ(balancer().pick({}).host, nullptr);
}

TEST_F(OriginalBalancerTest, ADestinationIsOneHostForAllWorkers) {
  picked();
  const std::shared_ptr<HostState> state = last.host->state;
  picked();
  EXPECT_EQ(last.host->state, state);
  OriginalBalancer other(std::make_shared<OriginalDestination>(), std::make_shared<EndpointSet>(), hosts);
  EXPECT_EQ(other.pick({.connection = &facts}).host->state, state);
  EXPECT_TRUE(balancer().holds(*state));
  EXPECT_FALSE(balancer().holds(HostState{}));
}

TEST_F(OriginalBalancerTest, OverridesGoFromFilterStateByMetadataToTheHeader) {
  options.header = "x-envoy-original-dst-host";
  options.metadata_space = "n";
  options.metadata_path = {"to"};
  head.add("x-envoy-original-dst-host", "10.0.0.2:1");
  head.add("x-envoy-original-dst-host", "10.0.0.3:1");
  EXPECT_EQ(picked(), "10.0.0.2:1");
  metadata_of(info).set("n", "to", {format::MetadataList{{std::string("10.0.0.4:1")}, {std::string("10.0.0.5:1")}}});
  EXPECT_EQ(picked(), "10.0.0.4:1");
  metadata_of(info).set("n", "to", {std::string("10.0.0.6:1")});
  EXPECT_EQ(picked(), "10.0.0.6:1");
  filter_state_of(info).set("envoy.network.transport_socket.original_dst_address", {"10.0.0.7:1"});
  EXPECT_EQ(picked(), "10.0.0.7:1");
  EXPECT_FALSE(last.misnamed);
}

TEST_F(OriginalBalancerTest, WhatMakesNoSenseIsToldAndPassedOver) {
  options.header = "x-envoy-original-dst-host";
  options.metadata_space = "n";
  options.metadata_path = {"to"};
  head.add("x-envoy-original-dst-host", "nowhere");
  EXPECT_EQ(picked(), "10.0.0.1:80");
  EXPECT_TRUE(last.misnamed);
  head.clear();
  metadata_of(info).set("n", "to", {std::string("x")});
  EXPECT_EQ(picked(), "10.0.0.1:80");
  EXPECT_TRUE(last.misnamed);
  metadata_of(info).set("n", "to", {5.0});  // no text: nobody has named a host
  EXPECT_EQ(picked(), "10.0.0.1:80");
  EXPECT_FALSE(last.misnamed);
}

TEST_F(OriginalBalancerTest, OnlyWhatIsConfiguredIsLookedAt) {
  head.add("x-envoy-original-dst-host", "10.0.0.2:1");
  metadata_of(info).set("n", "to", {std::string("10.0.0.6:1")});
  EXPECT_EQ(picked(), "10.0.0.1:80");
}

TEST_F(OriginalBalancerTest, ThePortMayBeAnother) {
  options.port = 15088;
  EXPECT_EQ(picked(), "10.0.0.1:15088");
}

TEST_F(OriginalBalancerTest, WhatNobodyUsesIsForgottenWithTheSecondSweep) {
  picked();
  const std::shared_ptr<HostState> state = last.host->state;
  EXPECT_FALSE(hosts->sweep());  // used since the last one
  state->active_connections = 1;
  EXPECT_FALSE(hosts->sweep());
  state->active_connections = 0;
  state->active_requests = 1;
  EXPECT_FALSE(hosts->sweep());
  state->active_requests = 0;
  EXPECT_EQ(hosts->all().localities[0].hosts.size(), 1u);
  EXPECT_TRUE(hosts->sweep());
  EXPECT_FALSE(balancer().holds(*state));
  EXPECT_TRUE(hosts->all().localities[0].hosts.empty());
  EXPECT_EQ(last.host->state, state);  // a pick keeps its host
  EXPECT_EQ(picked(), "10.0.0.1:80");
  EXPECT_NE(last.host->state, state);
  // A pick counts as use.
  EXPECT_FALSE(hosts->sweep());
  picked();
  EXPECT_FALSE(hosts->sweep());
}

TEST_F(OriginalBalancerTest, TheControlThreadIsToldOnceUntilItHasLooked) {
  picked();
  facts.local.port(81);
  picked();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(hosts->all().localities[0].hosts.size(), 2u);
  facts.local.port(82);
  picked();
  picked();
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace weft::upstream
