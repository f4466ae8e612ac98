#include "proxy/upstream/endpoint_set.h"

#include "tests/unit/proxy/upstream/endpoints.h"

#include <gtest/gtest.h>

namespace weft::upstream {
namespace {

using testing::address;
using testing::endpoints;

TEST(EndpointSet, KeepsTheStateOfHostsThatStay) {
  HostStates states;
  auto before = endpoints({{}, {}}, states);
  const auto kept = before->localities[0].hosts[1].state;
  kept->active_requests = 7;
  auto after = endpoints({{}, {}, {}}, states);
  EXPECT_EQ(after->localities[0].hosts[1].state, kept);
  EXPECT_EQ(after->size, 3u);
  auto other = endpoints({{}, {}}, states, "another cluster");
  EXPECT_NE(other->localities[0].hosts[1].state, kept);
}

TEST(EndpointSet, ForgetsHostsThatNobodyHolds) {
  HostStates states;
  auto first = endpoints({{}, {}}, states);
  EXPECT_EQ(states.size(), 2u);
  first = nullptr;
  states.sweep();
  EXPECT_EQ(states.size(), 0u);
}

TEST(HostStates, SweepsByItself) {
  HostStates states;
  for (int i = 0; i < 10'000; ++i) states.get("c" + std::to_string(i), address(0, 1));
  EXPECT_LT(states.size(), 2'000u);
}

EndpointSet with_doubles() {
  EndpointSet set;
  set.localities.push_back({.zone = "b", .priority = 2, .hosts = {Host{.address = address(0, 1)}, Host{.address = address(0, 3)}}});
  set.localities.push_back({.zone = "a",
                            .priority = 0,
                            .hosts = {Host{.address = address(0, 1), .weight = 1}, Host{.address = address(0, 2)},
                                      Host{.address = address(0, 1), .weight = 9}}});
  return set;
}

TEST(EndpointSet, OrdersPrioritiesAndTakesAnAddressOnce) {
  HostStates states;
  auto built = make_endpoint_set(with_doubles(), "c", states);
  ASSERT_EQ(built->localities.size(), 2u);
  EXPECT_EQ(built->localities[0].zone, "a");
  ASSERT_EQ(built->localities[0].hosts.size(), 2u);
  EXPECT_EQ(built->localities[0].hosts[0].address, address(0, 1));
  EXPECT_EQ(built->localities[0].hosts[0].weight, 1u);
  EXPECT_EQ(built->localities[0].hosts[1].address, address(0, 2));
  ASSERT_EQ(built->localities[1].hosts.size(), 1u);
  EXPECT_EQ(built->localities[1].hosts[0].address, address(0, 3));
  EXPECT_EQ(built->size, 3u);
  EXPECT_EQ(built->priorities, 3u);
  EXPECT_EQ(built->find(address(0, 2))->address, address(0, 2));
  EXPECT_EQ(built->find(address(5, 5)), nullptr);
}

TEST(EndpointSet, KeepsDoublesOfAStaticCluster) {
  HostStates states;
  auto built = make_endpoint_set(with_doubles(), "c", states, Doubles::kKeep);
  EXPECT_EQ(built->size, 5u);
  EXPECT_EQ(built->localities[0].hosts[0].state, built->localities[0].hosts[2].state);
  EXPECT_EQ(states.size(), 3u);
}

TEST(EndpointSet, TriesTheAddressesOfAHostByTurnsOfTheFamilies) {
  const auto v4 = [](unsigned n) { return net::Endpoint(boost::asio::ip::address_v4(n), 80); };
  const auto v6 = [](unsigned char n) {
    boost::asio::ip::address_v6::bytes_type bytes{};
    bytes[15] = n;
    return net::Endpoint(boost::asio::ip::address_v6(bytes), 80);
  };
  const net::Addresses all{v4(1), v4(2), v4(3), v6(1), v6(2)};
  using First = AddressOrder::First;
  EXPECT_EQ(*in_order(all, {}), (net::Addresses{v4(1), v6(1), v4(2), v6(2), v4(3)}));
  EXPECT_EQ(*in_order(all, {First::kV6, 1}), (net::Addresses{v6(1), v4(1), v6(2), v4(2), v4(3)}));
  EXPECT_EQ(*in_order(all, {First::kV4, 2}), (net::Addresses{v4(1), v4(2), v6(1), v4(3), v6(2)}));
  EXPECT_EQ(*in_order({v4(1)}, {First::kV6, 3}), (net::Addresses{v4(1)}));
  EXPECT_TRUE(in_order({}, {})->empty());
}

TEST(EndpointSet, CountsItsMembersAsEnvoyDoes) {
  HostStates states;
  auto set = endpoints({{.health = Health::kHealthy},
                        {.health = Health::kDraining},
                        {.health = Health::kUnhealthy},
                        {.health = Health::kTimeout},
                        {.health = Health::kDegraded},
                        {.health = Health::kUnknown}},
                       states);
  Membership members = membership(*set);
  EXPECT_EQ(members.total, 6u);
  EXPECT_EQ(members.healthy, 2u);
  EXPECT_EQ(members.degraded, 1u);
  EXPECT_EQ(members.excluded, 1u);
  set->localities[0].hosts[0].state->ejected = true;
  EXPECT_EQ(membership(*set).healthy, 1u);
}

}  // namespace
}  // namespace weft::upstream
