#include "proxy/upstream/balancing/load_balancer.h"

#include "proxy/upstream/balancing/host_lists.h"
#include "proxy/upstream/balancing/priority_balancer.h"
#include "tests/unit/proxy/upstream/endpoints.h"

#include <gtest/gtest.h>

#include <map>

namespace weft::upstream {
namespace {

using testing::address;
using testing::endpoints;
using testing::HostSpec;
using Policy = ClusterConfig::Policy;

constexpr Health kDown = Health::kUnhealthy;

std::unique_ptr<LoadBalancer> balancer(Policy policy, std::shared_ptr<const EndpointSet> set, uint64_t seed = 0, double panic = 50) {
  ClusterConfig config;
  config.policy = policy;
  config.panic_threshold = panic;
  return make_load_balancer(config, std::move(set), seed);
}

using Counts = std::map<net::Endpoint, int>;
Counts pick_many(LoadBalancer& balancer, int picks, uint64_t seed = 42) {
  PickRandom random(seed);
  Counts counts;
  for (int i = 0; i < picks; ++i) {
    Pick pick = balancer.pick({.random = random.next()});
    if (pick.host) ++counts[pick.host->address];
  }
  return counts;
}

TEST(RoundRobin, GoesAroundWithEqualWeights) {
  HostStates states;
  for (uint64_t seed : {0, 1, 2, 5}) {
    auto lb = balancer(Policy::kRoundRobin, endpoints({{}, {}, {}}, states), seed);
    for (uint64_t i = 0; i < 9; ++i) EXPECT_EQ(lb->pick({.random = i * 977}).host->address, address(0, (seed + i) % 3));
  }
}

TEST(RoundRobin, FollowsWeightsExactlyAndEvenly) {
  HostStates states;
  auto lb = balancer(Policy::kRoundRobin, endpoints({{.weight = 5}, {.weight = 3}, {.weight = 2}}, states));
  EXPECT_EQ(pick_many(*lb, 1000), (Counts{{address(0, 0), 500}, {address(0, 1), 300}, {address(0, 2), 200}}));
  // Spread, not in blocks: the heaviest never comes more than twice running.
  int run = 0, longest = 0;
  for (int i = 0; i < 1000; ++i) {
    run = lb->pick({}).host->address == address(0, 0) ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  EXPECT_LE(longest, 2);
}

TEST(RoundRobin, StartsElsewhereOnEachWorker) {
  HostStates states;
  auto set = endpoints({{.weight = 1}, {.weight = 1}, {.weight = 2}}, states);
  Counts first;
  for (uint64_t worker = 0; worker < 6; ++worker) ++first[balancer(Policy::kRoundRobin, set, worker)->pick({}).host->address];
  EXPECT_GT(first.size(), 1u);
}

TEST(LeastRequest, PrefersTheLessBusyOfTwo) {
  HostStates states;
  auto set = endpoints({{}, {}}, states);
  set->localities[0].hosts[0].state->active_requests = 100;
  auto lb = balancer(Policy::kLeastRequest, set);
  Counts counts = pick_many(*lb, 4000);
  // The busy one only when both choices fall on it: a quarter.
  EXPECT_NEAR(counts[address(0, 0)], 1000, 120);
}

TEST(LeastRequest, LevelsTheLoad) {
  HostStates states;
  std::vector<HostSpec> specs(100);
  auto set = endpoints(specs, states);
  auto lb = balancer(Policy::kLeastRequest, set);
  PickRandom random(7);
  for (int i = 0; i < 10'000; ++i) lb->pick({.random = random.next()}).host->state->active_requests.fetch_add(1);
  set->for_each([](const Locality&, const Host& host) {
    EXPECT_GE(host.state->active_requests.load(), 96u);
    EXPECT_LE(host.state->active_requests.load(), 104u);
  });
}

TEST(LeastRequest, WeighsWeightAgainstLoad) {
  HostStates states;
  auto set = endpoints({{.weight = 2}, {.weight = 1}}, states);
  auto lb = balancer(Policy::kLeastRequest, set);
  EXPECT_EQ(pick_many(*lb, 900), (Counts{{address(0, 0), 600}, {address(0, 1), 300}}));
  set->localities[0].hosts[0].state->active_requests = 3;  // 2 / 4 against 1 / 1
  Counts busy = pick_many(*lb, 900);
  EXPECT_NEAR(busy[address(0, 0)], 300, 5);
  EXPECT_NEAR(busy[address(0, 1)], 600, 5);
}

TEST(Random, SpreadsEvenlyWhateverTheWeights) {
  HostStates states;
  auto lb = balancer(Policy::kRandom, endpoints({{.weight = 9}, {}, {}, {}}, states));
  for (auto [host, count] : pick_many(*lb, 8000)) EXPECT_NEAR(count, 2000, 200);
}

TEST(LoadBalancer, HasNobodyInAnEmptySet) {
  HostStates states;
  auto set = make_endpoint_set({}, "c", states);
  for (Policy policy : {Policy::kRoundRobin, Policy::kLeastRequest, Policy::kRandom}) {
    EXPECT_EQ(balancer(policy, set)->pick({.random = 5}).host, nullptr);
    EXPECT_EQ(balancer(policy, set, 0, 0)->pick({.random = 5}).host, nullptr);
  }
}

TEST(LoadBalancer, LeavesUnhealthyAndEjectedHostsOut) {
  HostStates states;
  auto set = endpoints({{}, {}, {}, {.health = kDown}, {.health = Health::kDraining}}, states);
  for (Policy policy : {Policy::kRoundRobin, Policy::kLeastRequest, Policy::kRandom}) {
    set->localities[0].hosts[0].state->ejected = false;
    auto lb = balancer(policy, set);
    EXPECT_EQ(pick_many(*lb, 300).size(), 3u);
    set->localities[0].hosts[0].state->ejected = true;
    lb->refresh();
    Counts counts = pick_many(*lb, 300);
    EXPECT_EQ(counts.size(), 2u);
    EXPECT_FALSE(counts.contains(address(0, 0)));
    set->localities[0].hosts[0].state->ejected = false;
    lb->refresh();
    EXPECT_EQ(pick_many(*lb, 300).size(), 3u);
  }
}

TEST(LoadBalancer, PanicsBelowTheThreshold) {
  HostStates states;
  auto set = endpoints({{}, {.health = kDown}, {.health = kDown}}, states);
  auto lb = balancer(Policy::kRoundRobin, set);
  EXPECT_TRUE(lb->pick({}).panic);
  EXPECT_EQ(pick_many(*lb, 300).size(), 3u);
  auto calm = balancer(Policy::kRoundRobin, set, 0, 20);
  EXPECT_FALSE(calm->pick({}).panic);
  EXPECT_EQ(pick_many(*calm, 300).size(), 1u);
  auto off = balancer(Policy::kRoundRobin, endpoints({{.health = kDown}}, states), 0, 0);
  EXPECT_EQ(off->pick({}).host, nullptr);
}

TEST(LoadBalancer, PicksAgainWhenTheHostWasTried) {
  HostStates states;
  auto set = endpoints({{}, {}}, states);
  auto lb = balancer(Policy::kRoundRobin, set);
  const HostState* first = set->localities[0].hosts[0].state.get();
  const HostState* both[] = {first, set->localities[0].hosts[1].state.get()};
  for (int i = 0; i < 10; ++i) EXPECT_NE(lb->pick({.tried = {&first, 1}, .max_host_attempts = 1}).host->state.get(), first);
  // All were tried: one of them all the same.
  EXPECT_NE(lb->pick({.tried = both, .max_host_attempts = 3}).host, nullptr);
}

TEST(LoadBalancer, AvoidsCanariesAndLabels) {
  Host host;
  host.state = std::make_shared<HostState>();
  host.labels = std::make_shared<const Labels>(Labels{{"stage", "\"new\""}, {"version", "2"}});
  const Labels one{{"version", "2"}}, both{{"version", "2"}, {"stage", "\"new\""}}, other{{"version", "2"}, {"stage", "\"old\""}};
  EXPECT_FALSE(PickContext{}.avoids(host));
  EXPECT_TRUE(PickContext{.avoid_labels = &one}.avoids(host));
  EXPECT_TRUE(PickContext{.avoid_labels = &both}.avoids(host));
  EXPECT_FALSE(PickContext{.avoid_labels = &other}.avoids(host));
  EXPECT_FALSE(PickContext{.avoid_canaries = true}.avoids(host));
  host.canary = true;
  EXPECT_TRUE(PickContext{.avoid_canaries = true}.avoids(host));
  host.labels = nullptr;
  EXPECT_FALSE(PickContext{.avoid_labels = &one}.avoids(host));
}

TEST(LoadBalancer, LeavesOutThePrioritiesThatWereTried) {
  HostStates states;
  for (Policy policy : {Policy::kRoundRobin, Policy::kRandom, Policy::kRingHash}) {
    auto lb = balancer(policy, endpoints({{0}, {1}, {2, 1, kDown}, {3}}, states));
    TriedPriorities tried(2);
    std::vector<uint32_t> went;
    for (uint64_t i = 0; i < 8; ++i) {
      const Pick pick = lb->pick({.random = i * 7919, .priorities = &tried});
      ASSERT_NE(pick.host, nullptr);
      EXPECT_EQ(pick.host->address, address(pick.priority, 0));
      tried.note(pick.priority);
      went.push_back(pick.priority);
    }
    // Two tries each; the one without a healthy host is passed over; when none is left it begins anew.
    EXPECT_EQ(went, (std::vector<uint32_t>{0, 0, 1, 1, 3, 3, 0, 0}));
  }
}

struct LoadCase {
  const char* what;
  std::vector<HostSpec> hosts;
  std::vector<uint32_t> healthy, degraded;
  std::vector<bool> panic;
};

TEST(HostLists, SharesTheLoadAsEnvoyDocuments) {
  auto some = [](std::initializer_list<std::tuple<uint32_t, int, Health>> groups) {
    std::vector<HostSpec> specs;
    for (auto [priority, n, health] : groups)
      for (int i = 0; i < n; ++i) specs.push_back({priority, 1, health});
    return specs;
  };
  constexpr Health kUp = Health::kHealthy, kDegraded = Health::kDegraded;
  const LoadCase cases[] = {
      {"all up", some({{0, 10, kUp}, {1, 10, kUp}}), {100, 0}, {0, 0}, {false, false}},
      {"72 % up is enough", some({{0, 72, kUp}, {0, 28, kDown}, {1, 10, kUp}}), {100, 0}, {0, 0}, {false, false}},
      {"71 % up", some({{0, 71, kUp}, {0, 29, kDown}, {1, 100, kUp}}), {99, 1}, {0, 0}, {false, false}},
      {"50 % up", some({{0, 5, kUp}, {0, 5, kDown}, {1, 10, kUp}}), {70, 30}, {0, 0}, {false, false}},
      {"25 % up", some({{0, 25, kUp}, {0, 75, kDown}, {1, 100, kUp}}), {35, 65}, {0, 0}, {false, false}},
      {"none up", some({{0, 10, kDown}, {1, 10, kUp}}), {0, 100}, {0, 0}, {false, false}},
      {"both poor", some({{0, 25, kUp}, {0, 75, kDown}, {1, 25, kUp}, {1, 75, kDown}}), {50, 50}, {0, 0}, {true, true}},
      {"half each", some({{0, 5, kUp}, {0, 5, kDown}, {1, 5, kUp}, {1, 5, kDown}}), {70, 30}, {0, 0}, {false, false}},
      {"none at all", some({{0, 30, kDown}, {1, 70, kDown}}), {30, 70}, {0, 0}, {true, true}},
      {"degraded take the rest", some({{0, 5, kUp}, {0, 5, kDegraded}}), {70}, {30}, {false}},
      {"degraded alone", some({{0, 10, kDegraded}, {1, 10, kDown}}), {0, 0}, {100, 0}, {false, false}},
      {"healthy of the next before degraded", some({{0, 5, kUp}, {0, 5, kDegraded}, {1, 10, kUp}}), {70, 30}, {0, 0}, {false, false}},
      {"draining do not count", some({{0, 5, kUp}, {0, 95, Health::kDraining}, {1, 10, kUp}}), {100, 0}, {0, 0}, {false, false}},
      {"one panics alone", some({{0, 2, kUp}, {0, 8, kDown}, {1, 5, kUp}, {1, 5, kDown}}), {29, 71}, {0, 0}, {true, false}},
  };
  for (const LoadCase& c : cases) {
    HostStates states;
    HostLists lists(endpoints(c.hosts, states), 50);
    uint32_t sum = 0;
    for (uint32_t p = 0; p < c.healthy.size(); ++p) {
      EXPECT_EQ(lists.healthy_load(p), c.healthy[p]) << c.what << ", priority " << p;
      EXPECT_EQ(lists.degraded_load(p), c.degraded[p]) << c.what << ", priority " << p;
      EXPECT_EQ(lists.panic(p), c.panic[p]) << c.what << ", priority " << p;
      sum += lists.healthy_load(p) + lists.degraded_load(p);
    }
    EXPECT_EQ(sum, 100u) << c.what;
  }
}

TEST(HostLists, SendsWhereTheLoadSays) {
  HostStates states;
  std::vector<HostSpec> specs;
  for (int i = 0; i < 10; ++i) specs.push_back({0, 1, i < 5 ? Health::kHealthy : kDown});
  for (int i = 0; i < 10; ++i) specs.push_back({1});
  auto lb = balancer(Policy::kRandom, endpoints(specs, states));
  Counts counts = pick_many(*lb, 10'000);
  int first = 0;
  for (auto [host, count] : counts)
    if (host.address().to_v4().to_bytes()[1] == 0) first += count;
  EXPECT_NEAR(first, 7000, 200);
  EXPECT_EQ(counts.size(), 15u);
}

TEST(LoadBalancer, ServesTenThousandHosts) {
  HostStates states;
  std::vector<HostSpec> specs(10'000);
  for (size_t i = 0; i < specs.size(); ++i) specs[i].weight = 1 + i % 3;
  auto lb = balancer(Policy::kRoundRobin, endpoints(specs, states), 12345);
  Counts counts = pick_many(*lb, 19'999 * 2);  // about two rounds of the whole weight
  EXPECT_EQ(counts.size(), 10'000u);
  for (auto [host, count] : counts) EXPECT_LE(count, 7);
}

}  // namespace
}  // namespace weft::upstream
