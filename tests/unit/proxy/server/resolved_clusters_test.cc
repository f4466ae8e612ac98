// Clusters of names with a resolver that answers what the test says, when it says so.
#include "proxy/server/resolved_clusters.h"

#include "common/observe/text.h"

#include <gtest/gtest.h>

#include <deque>

namespace weft::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using upstream::ClusterConfig;
using upstream::Naming;

class ResolvedClustersTest : public testing::Test {
 protected:
  struct Asked {
    std::string name;
    resolve::Family family;
    resolve::Resolver::Done done;
  };
  struct Scripted final : resolve::Resolver {
    explicit Scripted(std::deque<Asked>& asked) : asked(asked) {}
    std::unique_ptr<resolve::Question> ask(const std::string& name, resolve::Family family, Done done) override {
      asked.push_back({name, family, std::move(done)});
      return std::make_unique<resolve::Question>();
    }
    std::deque<Asked>& asked;
  };

  ~ResolvedClustersTest() override {
    clusters.stop();
    loop.stop();
    loop.run();
  }
  std::shared_ptr<ClusterConfig> config(std::vector<std::string> names, bool logical = false) {
    auto naming = std::make_shared<Naming>();
    naming->logical = logical;
    naming->frame.localities.push_back({.zone = "z"});
    naming->refresh = milliseconds(30);
    for (const std::string& name : names) naming->targets.push_back({name, 80, 0, {.hostname = name, .weight = 7}});
    naming_ = naming;
    auto config = std::make_shared<ClusterConfig>();
    config->name = "c";
    config->discovery = ClusterConfig::Discovery::kNames;
    config->naming = naming;
    return config;
  }
  bool begin(const std::shared_ptr<ClusterConfig>& config) {
    return clusters.begin(config, [this] { ++ready; });
  }
  static resolve::Answer good(std::vector<std::string> addresses, seconds ttl = seconds(0)) {
    resolve::Answer answer;
    for (const std::string& one : addresses) answer.addresses.push_back({asio::ip::make_address(one), ttl});
    return answer;
  }
  static resolve::Answer bad() { return {true, "no", {}}; }
  // Answers the question that has waited longest, once there is one.
  void answer(resolve::Answer answer) {
    const auto last = std::chrono::steady_clock::now() + seconds(20);
    while (asked.empty() && std::chrono::steady_clock::now() < last) loop.io().run_one_for(milliseconds(50));
    ASSERT_FALSE(asked.empty());
    const auto done = std::move(asked.front().done);
    asked.pop_front();
    done(std::move(answer));
  }
  std::string hosts() const {
    if (published.empty()) return "nothing";
    std::string out;
    published.back()->for_each(
        [&](const upstream::Locality&, const upstream::Host& host) { out += (out.empty() ? "" : " ") + net::to_string(host.address); });
    return out;
  }
  int64_t stat(const std::string& name) const {
    observe::StatsQuery query;
    query.filter = "^cluster.c." + name + "$";
    auto text = observe::print_stats(metrics, query);
    return text && !text->empty() ? std::stoll(text->substr(text->find(": ") + 2)) : -1;
  }

  net::Loop loop{0};
  observe::Registry metrics{1};
  std::deque<Asked> asked;
  std::vector<std::shared_ptr<const upstream::EndpointSet>> published;
  int made = 0, ready = 0;
  std::shared_ptr<Naming> naming_;
  ResolvedClusters clusters{loop, metrics, [this](const auto&, auto set) { published.push_back(std::move(set)); },
                            [this](const resolve::Options&) {
                              ++made;
                              return std::make_shared<Scripted>(asked);
                            }};
};

TEST_F(ResolvedClustersTest, EachAddressOfEachNameIsAHost) {
  EXPECT_FALSE(begin(config({"a", "b"})));
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].name, "b");
  answer(good({"10.0.0.2", "10.0.0.1", "10.0.0.2"}));
  EXPECT_EQ(ready, 1);  // the first of the names is enough
  EXPECT_EQ(hosts(), "10.0.0.2:80 10.0.0.1:80");
  answer(good({"::1"}));
  EXPECT_EQ(ready, 1);
  EXPECT_EQ(hosts(), "10.0.0.2:80 10.0.0.1:80 [::1]:80");
  const upstream::Locality& locality = published.back()->localities.at(0);
  EXPECT_EQ(locality.zone, "z");
  EXPECT_EQ(locality.hosts[2].hostname, "b");
  EXPECT_EQ(locality.hosts[2].weight, 7u);
  EXPECT_EQ(made, 1);
}

TEST_F(ResolvedClustersTest, TheSameAnswerInAnotherOrderIsNoChange) {
  begin(config({"a"}));
  answer(good({"10.0.0.1", "10.0.0.2"}));
  answer(good({"10.0.0.2", "10.0.0.1"}));
  EXPECT_EQ(published.size(), 1u);
  EXPECT_EQ(stat("update_no_rebuild"), 1);
  answer(good({"10.0.0.2"}));
  EXPECT_EQ(hosts(), "10.0.0.2:80");
  EXPECT_EQ(stat("update_success"), 3);
  EXPECT_EQ(stat("update_attempt"), 3);
}

TEST_F(ResolvedClustersTest, AFailureKeepsWhatIsKnown) {
  begin(config({"a"}));
  answer(good({"10.0.0.1"}));
  answer(bad());
  answer(bad());
  EXPECT_EQ(published.size(), 1u);
  EXPECT_EQ(stat("update_failure"), 2);
  answer(good({}));  // a name without addresses is an answer
  EXPECT_EQ(hosts(), "");
}

TEST_F(ResolvedClustersTest, AFailureMakesReadyToo) {
  EXPECT_FALSE(begin(config({"a"})));
  answer(bad());
  EXPECT_EQ(ready, 1);
  EXPECT_TRUE(published.empty());
}

TEST_F(ResolvedClustersTest, NobodyWaitsWhereThatIsSaidOrNothingIsToBeAsked) {
  auto unawaited = config({"a"});
  naming_->wait = false;
  EXPECT_TRUE(begin(unawaited));
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_TRUE(begin(config({})));
  EXPECT_TRUE(begin(std::make_shared<ClusterConfig>()));
  answer(good({"10.0.0.1"}));
  EXPECT_EQ(ready, 0);
}

TEST_F(ResolvedClustersTest, ALogicalHostHasAllAddressesAndKeepsTheLastOnes) {
  begin(config({"a"}, true));
  answer(good({"10.0.0.1", "10.0.0.2", "::1"}));
  ASSERT_EQ(hosts(), "10.0.0.1:80");
  const upstream::Host& host = published.back()->localities.at(0).hosts.at(0);
  ASSERT_TRUE(host.addresses);
  ASSERT_EQ(host.addresses->size(), 3u);
  EXPECT_EQ(net::to_string((*host.addresses)[1]), "[::1]:80");
  answer(good({"10.0.0.1", "::1"}));
  EXPECT_EQ(published.size(), 2u);
  answer(good({}));
  EXPECT_EQ(published.size(), 2u);
  EXPECT_EQ(stat("update_failure"), 1);
  answer(good({"10.0.0.9"}));
  EXPECT_EQ(hosts(), "10.0.0.9:80");
  EXPECT_FALSE(published.back()->localities.at(0).hosts.at(0).addresses);
}

TEST_F(ResolvedClustersTest, WhoIsSupersededEndsWhenTheNextOneIsInForce) {
  auto first = config({"a"}), second = config({"b"});
  begin(first);
  answer(good({"10.0.0.1"}));
  begin(second);
  clusters.keep_only(second);
  loop.io().poll();
  answer(good({"10.0.0.2"}));  // to whoever asks: "a" asks no more
  EXPECT_EQ(hosts(), "10.0.0.2:80");
  for (int i = 0; i < 3; ++i) {
    answer(bad());
    EXPECT_EQ(stat("update_failure"), i + 1);
  }
  clusters.forget("c");
  loop.io().poll();
  EXPECT_TRUE(asked.empty());
}

TEST_F(ResolvedClustersTest, ATimeToLiveIsRespectedIfSo) {
  auto respectful = config({"a"});
  naming_->refresh = std::chrono::hours(1);
  naming_->respect_ttl = true;
  begin(respectful);
  answer(good({"10.0.0.1"}, seconds(1)));
  answer(good({"10.0.0.2"}, seconds(600)));  // asked again: the hour was not waited for
  EXPECT_EQ(hosts(), "10.0.0.2:80");
}

TEST_F(ResolvedClustersTest, FailuresAreRepeatedByTheirOwnTime) {
  auto failing = config({"a"});
  naming_->refresh = std::chrono::hours(1);
  naming_->failure_base = milliseconds(5);
  naming_->failure_max = milliseconds(20);
  begin(failing);
  for (int i = 0; i < 5; ++i) answer(bad());
  EXPECT_EQ(stat("update_failure"), 5);
}

}  // namespace
}  // namespace weft::server
