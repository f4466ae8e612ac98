// Rings and Maglev tables. The placements are Envoy's (tests/integration/proxy_hashing_test.py holds the same against both proxies).
#include "proxy/upstream/balancing/hash_balancer.h"
#include "proxy/upstream/balancing/murmur_hash.h"
#include "tests/unit/proxy/upstream/endpoints.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <functional>
#include <map>
#include <string>

namespace weft::upstream {
namespace {

using testing::endpoints;
using testing::HostSpec;
using Policy = ClusterConfig::Policy;
using Function = HashingOptions::Function;

uint64_t key(int number) {
  const std::string text = "user-" + std::to_string(number);
  return XXH64(text.data(), text.size(), 0);
}

// Hosts named a, b, c, ... by their hash_key.
std::shared_ptr<const EndpointSet> named(const std::vector<HostSpec>& specs, HostStates& states) {
  EndpointSet set = *endpoints(specs, states);
  char name = 'a';
  for (Locality& locality : set.localities)
    for (Host& host : locality.hosts) host.hash_key = std::string(1, name++);
  return make_endpoint_set(std::move(set), "c", states);
}

std::unique_ptr<LoadBalancer> balancer(Policy policy, std::shared_ptr<const EndpointSet> set, HashingOptions options = {},
                                       std::shared_ptr<HashTables> tables = nullptr) {
  ClusterConfig config;
  config.policy = policy;
  config.hashing = std::make_shared<const HashingOptions>(std::move(options));
  return make_load_balancer(config, std::move(set), 0, std::move(tables));
}

std::string placed(LoadBalancer& lb, int keys = 40) {
  std::string hosts;
  for (int i = 0; i < keys; ++i) {
    const Pick pick = lb.pick({.random = 1, .hash = key(i)});
    hosts += pick.host ? pick.host->hash_key : "-";
  }
  return hosts;
}

const std::vector<HostSpec> kFive(5);
const std::vector<HostSpec> kWeighted = {{.weight = 1}, {.weight = 1}, {.weight = 2}, {.weight = 3}, {.weight = 5}};

TEST(Hashing, PlacesKeysWhereEnvoyDoes) {
  HostStates states;
  HashingOptions murmur, small_ring, small_table;
  murmur.function = Function::kMurmurHash2;
  small_ring.minimum_ring_size = 64;
  small_table.table_size = 251;
  EXPECT_EQ(placed(*balancer(Policy::kRingHash, named(kFive, states))), "ebadcebbaeeeedededbeaaeecccdbcbaededeecb");
  EXPECT_EQ(placed(*balancer(Policy::kRingHash, named(kFive, states), murmur)), "acdacedddbbeaebbcccabaadcbbbcaeadccabeea");
  EXPECT_EQ(placed(*balancer(Policy::kRingHash, named(kWeighted, states), small_ring)), "edceecceeddeebdeceeadedcededdeadcedceaee");
  EXPECT_EQ(placed(*balancer(Policy::kMaglev, named(kFive, states))), "deeacddbcaaceceabeebeeccbcdaecdeaacedcba");
  EXPECT_EQ(placed(*balancer(Policy::kMaglev, named(kWeighted, states), small_table)), "cccdeceeaddbdeceeeedcdecedbdadeccdebedda");
}

TEST(Hashing, KeyIsTheAddressUnlessToldOtherwise) {
  HostStates states;
  EndpointSet set = *endpoints({{}}, states);
  Host& host = set.localities[0].hosts[0];
  host.hostname = "name";
  EXPECT_EQ(hash_key(host, false), "10.0.0.0:80");
  EXPECT_EQ(hash_key(host, true), "name");
  host.hash_key = "own";
  EXPECT_EQ(hash_key(host, true), "own");
}

TEST(Hashing, MurmurHashIsThatOfTheStandardLibrary) {
#ifdef __GLIBCXX__
  for (std::string text : {"", "a", "1234567", "12345678", "123456789", "10.0.0.1:80_1023", "0123456789abcdef0123456789abcdef"})
    EXPECT_EQ(murmur_hash_2(text), std::hash<std::string>()(text)) << text;
#endif
  EXPECT_EQ(murmur_hash_2("lru_cache"), murmur_hash_2("lru_cache"));
}

TEST(Hashing, WithoutAHashChanceDecides) {
  HostStates states;
  for (Policy policy : {Policy::kRingHash, Policy::kMaglev}) {
    auto lb = balancer(policy, named(kFive, states));
    std::map<std::string, int> seen;
    for (int i = 0; i < 2000; ++i) ++seen[lb->pick({.random = key(i)}).host->hash_key];
    EXPECT_EQ(seen.size(), 5u);
    for (const auto& [name, count] : seen) EXPECT_GT(count, 200) << name;
  }
}

TEST(Hashing, WeightsSayHowManyPlacesAHostHas) {
  HostStates states;
  const auto set = named(kWeighted, states);
  HashTables ring, table;
  balancer(Policy::kRingHash, set, {}, std::shared_ptr<HashTables>(&ring, [](HashTables*) {}));
  EXPECT_EQ(ring.spread().size, 1032u);  // the lightest have 86 each
  EXPECT_EQ(ring.spread().least, 86u);
  EXPECT_EQ(ring.spread().most, 430u);
  balancer(Policy::kMaglev, set, {}, std::shared_ptr<HashTables>(&table, [](HashTables*) {}));
  EXPECT_EQ(table.spread().size, 65537u);
  EXPECT_NEAR(static_cast<double>(table.spread().least), 65537.0 / 12, 3);
  EXPECT_NEAR(static_cast<double>(table.spread().most), 65537.0 * 5 / 12, 3);
}

TEST(Hashing, TheRingKeepsWithinItsBounds) {
  HostStates states;
  HashingOptions options;
  options.minimum_ring_size = 1;
  options.maximum_ring_size = 3;
  const auto tables = std::make_shared<HashTables>();
  auto few = balancer(Policy::kRingHash, named(kFive, states), options, tables);
  EXPECT_EQ(tables->spread().size, 3u);
  EXPECT_EQ(tables->spread().least, 0u);
  EXPECT_NE(few->pick({.hash = 5}).host, nullptr);
  options.minimum_ring_size = options.maximum_ring_size = 0;
  EXPECT_EQ(balancer(Policy::kRingHash, named(kFive, states), options)->pick({.hash = 5}).host, nullptr);
}

TEST(Hashing, OnlyKeysOfAnEjectedHostMove) {
  HostStates states;
  for (Policy policy : {Policy::kRingHash, Policy::kMaglev}) {
    auto set = named(kFive, states);
    auto lb = balancer(policy, set);
    const std::string before = placed(*lb, 1000);
    HostState& c = *set->localities[0].hosts[2].state;
    c.ejected = true;
    lb->refresh();
    const std::string after = placed(*lb, 1000);
    int moved = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_NE(after[i], 'c');
      if (before[i] != 'c' && before[i] != after[i]) ++moved;
    }
    EXPECT_LT(moved, 200);
    c.ejected = false;
    lb->refresh();
    EXPECT_EQ(placed(*lb, 1000), before);
  }
}

TEST(Hashing, PrioritiesPanicAndDegradedHosts) {
  HostStates states;
  constexpr Health kDown = Health::kUnhealthy, kDegraded = Health::kDegraded;
  const auto all = [](LoadBalancer& lb) {
    std::map<char, int> seen;
    for (char host : placed(lb, 300)) ++seen[host];
    return seen;
  };
  auto two = all(*balancer(Policy::kRingHash, named({{}, {.health = kDown}, {.priority = 1}, {.priority = 1}}, states)));
  EXPECT_EQ(two.count('b'), 0u);
  EXPECT_NEAR(two['a'], 210, 40);  // half of priority 0, times 1.4
  auto panic = balancer(Policy::kMaglev, named({{}, {.health = kDown}, {.health = kDown}, {.health = Health::kDraining}}, states));
  EXPECT_EQ(all(*panic).size(), 4u);
  EXPECT_TRUE(panic->pick({.hash = 1}).panic);
  EXPECT_EQ(all(*balancer(Policy::kMaglev, named({{}, {.health = kDegraded}}, states))), (std::map<char, int>{{'a', 300}}));
  EXPECT_EQ(all(*balancer(Policy::kRingHash, named({{.health = kDegraded}, {.health = kDegraded}}, states))).size(), 2u);
  for (Policy policy : {Policy::kRingHash, Policy::kMaglev})
    EXPECT_EQ(balancer(policy, make_endpoint_set({}, "c", states))->pick({.hash = 1}).host, nullptr);
}

TEST(Hashing, LocalitiesHaveTheirShares) {
  HostStates states;
  EndpointSet set = *endpoints(kFive, states);
  const std::vector<Host> hosts = set.localities[0].hosts;
  set.localities.clear();
  set.localities.push_back({.zone = "z", .weight = 3, .hosts = {hosts[0], hosts[1]}});
  set.localities.push_back({.zone = "a", .weight = 1, .hosts = {hosts[2]}});
  set.localities.push_back({.zone = "m", .weight = 0, .hosts = {hosts[3]}});  // gets nothing
  set.localities.push_back({.zone = "z", .weight = 1, .hosts = {hosts[4]}});  // the same again: its weight is the last
  const auto made = make_endpoint_set(std::move(set), "c", states);
  HashingOptions options;
  EXPECT_EQ(shares_of(*made, 0, Eligible::kHealthy, options).size(), 5u);
  options.by_locality = true;
  const Shares shares = shares_of(*made, 0, Eligible::kHealthy, options);
  ASSERT_EQ(shares.size(), 4u);
  EXPECT_EQ(shares[0].host->address, hosts[2].address);
  EXPECT_DOUBLE_EQ(shares[0].weight, 0.5);
  for (int i = 1; i < 4; ++i) EXPECT_DOUBLE_EQ(shares[i].weight, 0.5 / 3);
  options.home.zone = "z";
  EXPECT_EQ(shares_of(*made, 0, Eligible::kHealthy, options).back(), shares.front()) << "where the proxy itself is comes first";
  // Without any weight nobody has a share.
  EXPECT_TRUE(shares_of(*named(kFive, states), 0, Eligible::kHealthy, options).empty());
}

TEST(Hashing, AvoidsTriedHosts) {
  HostStates states;
  for (Policy policy : {Policy::kRingHash, Policy::kMaglev}) {
    auto lb = balancer(policy, named(kFive, states));
    int elsewhere = 0;
    for (int i = 0; i < 100; ++i) {
      const HostState* first = lb->pick({.hash = key(i)}).host->state.get();
      const Host* second = lb->pick({.tried = {&first, 1}, .max_host_attempts = 8, .hash = key(i)}).host;
      if (second->state.get() != first) ++elsewhere;
    }
    EXPECT_GT(elsewhere, 95);
  }
}

TEST(Hashing, AFullHostGivesWay) {
  HostStates states;
  HashingOptions options;
  options.balance_factor = 150;
  for (Policy policy : {Policy::kRingHash, Policy::kMaglev}) {
    auto set = named(kFive, states);
    auto lb = balancer(policy, set, options);
    const std::string own = placed(*lb, 1);
    std::map<std::string, uint32_t> load;
    for (int i = 0; i < 100; ++i) {
      const Host* host = lb->pick({.hash = key(0)}).host;
      host->state->active_requests.fetch_add(1);
      ++load[host->hash_key];
    }
    EXPECT_GE(load[own], 30u);
    for (const auto& [name, requests] : load) EXPECT_LE(requests, 32u) << name;
    set->for_each([](const Locality&, const Host& host) { host.state->active_requests = 0; });
    EXPECT_EQ(placed(*lb, 1), own);
  }
}

TEST(Hashing, WorkersShareATable) {
  HostStates states;
  const auto set = named(kFive, states);
  HashTables tables;
  HashingOptions options;
  const Shares shares = shares_of(*set, 0, Eligible::kHealthy, options);
  const auto first = tables.get(Policy::kMaglev, options, set, 0, shares);
  EXPECT_EQ(tables.get(Policy::kMaglev, options, set, 0, shares), first);
  Shares fewer = shares;
  fewer.pop_back();
  EXPECT_NE(tables.get(Policy::kMaglev, options, set, 0, fewer), first);
  EXPECT_NE(tables.get(Policy::kMaglev, options, named(kFive, states), 0, shares), first);
}

}  // namespace
}  // namespace weft::upstream
