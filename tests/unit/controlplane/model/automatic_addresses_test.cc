// Addresses for hosts that have none: the same for the same hosts, and a newcomer moves nobody.
#include "controlplane/model/automatic_addresses.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>

namespace weft::model {
namespace {

class Assigning : public ::testing::Test {
 protected:
  const ServiceInfo* add(const std::string& hostname, const std::string& ns = "default") {
    ServiceInfo& info = all_.emplace_back();
    info.hostname = hostname;
    info.ns = ns;
    list_.push_back(&info);
    return &info;
  }
  std::deque<ServiceInfo> all_;
  std::vector<const ServiceInfo*> list_;
};

TEST_F(Assigning, OnlyWhoHasNone) {
  const ServiceInfo* plain = add("a.example");
  add("*.example");
  all_.back().hostname = "*.example";
  add("own.example");
  all_.back().addresses = {"10.0.0.1"};
  add("kube.default.svc.cluster.local");
  all_.back().kubernetes = true;
  const auto assigned = assign_addresses(list_);
  ASSERT_EQ(assigned.size(), 1u);
  EXPECT_TRUE(assigned.at(plain).v4.starts_with("240.240."));
  EXPECT_TRUE(assigned.at(plain).v6.starts_with("2001:2::f0f0:"));
}

TEST_F(Assigning, OneHostOfTwoNamespacesHasOneAddress) {
  const ServiceInfo *one = add("a.example", "x"), *two = add("a.example", "y"), *other = add("b.example", "y");
  const auto assigned = assign_addresses(list_);
  EXPECT_EQ(assigned.at(one).v4, assigned.at(two).v4);
  EXPECT_NE(assigned.at(one).v4, assigned.at(other).v4);
}

TEST_F(Assigning, NewcomersMoveNobodyAndAllDiffer) {
  for (int i = 0; i < 3000; ++i) add("host-" + std::to_string(i) + ".example");
  const auto before = assign_addresses(list_);
  add("late.example");
  const auto after = assign_addresses(list_);
  std::set<std::string> v4, v6;
  for (const auto& [service, given] : before) {
    EXPECT_EQ(after.at(service).v4, given.v4);
    EXPECT_FALSE(given.v4.ends_with(".0")) << given.v4;
    v4.insert(given.v4);
    v6.insert(given.v6);
  }
  EXPECT_EQ(v4.size(), 3000u);
  EXPECT_EQ(v6.size(), 3000u);
}

TEST_F(Assigning, SomeAreLeftOutWhenAllPlacesAreTaken) {
  for (int i = 0; i < 65'100; ++i) add("host-" + std::to_string(i) + ".example");
  EXPECT_EQ(assign_addresses(list_).size(), 255u * 255u - 255u);
}

}  // namespace
}  // namespace weft::model
