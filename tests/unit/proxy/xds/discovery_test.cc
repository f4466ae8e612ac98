// Discovery from watched files into a target that only notes: order, warming, refusals, without a socket.
#include "proxy/xds/discovery.h"

#include "common/observe/text.h"
#include "proxy/config/values.h"
#include "proxy/telemetry/log_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weft::xds {
namespace {

using namespace std::string_literals;

struct NoClusters final : upstream::ClusterTable {
  std::shared_ptr<upstream::Cluster> find(std::string_view) override { return nullptr; }
};

struct Notes final : Target {
  std::vector<std::string> all;
  std::string taken_port;  // listeners of this name cannot have theirs
  Status reserve(const config::Listener& listener, const std::vector<std::string>&) override {
    if (listener.name == taken_port) return Error{Error::Kind::kRefused, "Address already in use"};
    return {};
  }
  std::function<void()> names_known;  // of the cluster of names that came last
  bool begin_names(const std::shared_ptr<const upstream::ClusterConfig>& cluster, std::function<void()> ready) override {
    if (cluster->naming) names_known = std::move(ready);
    return !cluster->naming;
  }
  std::vector<std::pair<std::string, std::string>> apply(const config::Update& update) override {
    for (const auto& one : update.clusters) all.push_back("cluster " + one->name);
    for (const auto& [name, set] : update.endpoints) all.push_back("endpoints " + name);
    for (const auto& one : update.listeners) all.push_back("listener " + one->name);
    for (const auto& name : update.removed_listeners) all.push_back("no listener " + name);
    for (const auto& name : update.removed_clusters) all.push_back("no cluster " + name);
    return {};
  }
};

std::string cluster(const std::string& name) {
  return "{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: " + name + "}";
}

std::string listener(const std::string& name, const std::string& to, const std::string& more = "") {
  return "{'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: " + name +
         ", address: {socket_address: {address: 127.0.0.1, port_value: 0}}, filter_chains: [{filters: [{name: hcm, typed_config: {"
         "'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: s, "
         "route_config: {" +
         more + "virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: " + to +
         "}}]}]}, http_filters: [{name: router, typed_config: {'@type': "
         "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]}";
}

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() {
    folder = testing::TempDir() + "/weft-discovery-" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder);
  }
  ~DiscoveryTest() override {
    discovery.reset();
    loop.stop();
    loop.run();
    std::filesystem::remove_all(folder);
  }
  // A new file moved over the old one, as Envoy wants it.
  void write(const std::string& name, const std::vector<std::string>& resources) {
    std::string text = "resources:\n";
    for (const std::string& one : resources) text += "- " + one + "\n";
    write_text(name, resources.empty() ? "resources: []\n" : text);
  }
  void write_text(const std::string& name, const std::string& text) {
    std::ofstream(folder + "/new") << text;
    std::filesystem::rename(folder + "/new", folder + "/" + name);
  }
  void start() {
    config::BootstrapSources sources;
    auto source = [&](const std::string& kind) {
      return "  " + kind + "_config: {path_config_source: {path: " + folder + "/" + kind + ".yaml}}\n";
    };
    sources.inline_yaml = "node: {id: n, cluster: c}\ndynamic_resources:\n" + source("cds") + source("lds");
    Diagnostics problems;
    bootstrap = config::load_bootstrap(sources, problems);
    ASSERT_TRUE(bootstrap) << render(problems);
    discovery = std::make_unique<Discovery>(loop, clusters, *bootstrap, metrics, logs, target);
    discovery->start([this] { target.all.push_back("complete"); });
  }
  template <class F>
  void until(F done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) loop.io().run_one_for(std::chrono::milliseconds(50));
    ASSERT_TRUE(done()) << testing::PrintToString(target.all);
  }
  size_t place(const std::string& what) const {
    return static_cast<size_t>(std::find(target.all.begin(), target.all.end(), what) - target.all.begin());
  }
  bool noted(const std::string& what) const { return place(what) < target.all.size(); }
  int64_t stat(const std::string& name) const {
    observe::StatsQuery query;
    query.filter = "^" + name + "$";
    auto text = observe::print_stats(metrics, query);
    return text && !text->empty() ? std::stoll(text->substr(text->find(": ") + 2)) : -1;
  }
  ResourceState state(const std::string& name) const {
    for (const ResourceState& one : discovery->resources())
      if (one.name == name) return one;
    return {};
  }

  std::string folder;
  net::Loop loop{0};
  NoClusters clusters;
  observe::Registry metrics{1};
  telemetry::LogWriter logs{1};
  Notes target;
  std::unique_ptr<const config::Bootstrap> bootstrap;
  std::unique_ptr<Discovery> discovery;
};

TEST_F(DiscoveryTest, ListenersWaitForTheWholeFirstConfiguration) {
  write("cds.yaml", {cluster("a")});
  write("lds.yaml", {listener("l", "a")});
  start();
  until([&] { return noted("listener l"); });
  EXPECT_LT(place("cluster a"), place("complete"));
  EXPECT_LT(place("complete"), place("listener l"));
  EXPECT_EQ(std::count(target.all.begin(), target.all.end(), "complete"), 1);
  EXPECT_EQ(stat("listener_manager.lds.update_success"), 1);
}

TEST_F(DiscoveryTest, AClusterOfNamesWaitsForItsFirstAnswer) {
  write("cds.yaml", {cluster("a"), cluster("n, type: STRICT_DNS")});
  write("lds.yaml", {listener("l", "n")});
  start();
  until([&] { return noted("cluster a") && target.names_known; });
  EXPECT_FALSE(noted("cluster n"));
  EXPECT_FALSE(noted("complete"));
  EXPECT_EQ(stat("cluster_manager.warming_clusters"), 1);
  const auto former = std::exchange(target.names_known, nullptr);
  write("cds.yaml", {cluster("a"), cluster("n, type: STRICT_DNS, connect_timeout: 2s")});
  until([&] { return static_cast<bool>(target.names_known); });
  former();  // whoever has been replaced meanwhile makes nothing ready
  EXPECT_FALSE(noted("cluster n"));
  target.names_known();
  EXPECT_TRUE(noted("cluster n"));
  until([&] { return noted("listener l"); });
  EXPECT_EQ(stat("cluster_manager.warming_clusters"), 0);
}

TEST_F(DiscoveryTest, AFileThatCannotBeReadChangesNothingAndHoldsNobodyUp) {
  write_text("cds.yaml", "{ this is not");
  write("lds.yaml", {});
  start();
  until([&] { return noted("complete"); });  // long before initial_fetch_timeout
  EXPECT_EQ(stat("cluster_manager.cds.update_failure"), 1);
  write("cds.yaml", {cluster("a")});
  until([&] { return noted("cluster a"); });
  write_text("cds.yaml", "resources: [{no_such_field: 1}]");
  until([&] { return stat("cluster_manager.cds.update_failure") == 2; });
  EXPECT_FALSE(noted("no cluster a"));
  write("cds.yaml", {});
  until([&] { return noted("no cluster a"); });
}

TEST_F(DiscoveryTest, OneBadResourceLeavesTheOthersAndItsPredecessor) {
  write("cds.yaml", {cluster("a"), cluster("b")});
  write("lds.yaml", {});
  start();
  until([&] { return noted("complete"); });
  target.all.clear();
  write("cds.yaml", {cluster("a, track_timeout_budgets: true"), cluster("b, connect_timeout: 2s"), cluster("c")});
  until([&] { return noted("cluster c"); });
  EXPECT_TRUE(noted("cluster b"));
  EXPECT_FALSE(noted("cluster a"));
  EXPECT_FALSE(noted("no cluster a"));
  EXPECT_NE(state("a").error.find("track_timeout_budgets"), std::string::npos) << state("a").error;
  EXPECT_NE(state("a").bytes, nullptr);
  EXPECT_EQ(stat("cluster_manager.cds.update_rejected"), 1);
}

TEST_F(DiscoveryTest, WhatWasRefusedIsForgottenWithItsWithdrawal) {
  write("cds.yaml", {cluster("a"), cluster("bad, track_timeout_budgets: true")});
  write("lds.yaml", {});
  start();
  until([&] { return noted("complete"); });
  EXPECT_FALSE(state("bad").error.empty());
  write("cds.yaml", {cluster("a"), cluster("b")});
  until([&] { return noted("cluster b"); });
  EXPECT_EQ(state("bad").name, "");
  EXPECT_EQ(discovery->resources().size(), 2u);
}

TEST_F(DiscoveryTest, APortThatSomebodyHoldsIsARefusal) {
  target.taken_port = "busy";
  write("cds.yaml", {cluster("a")});
  write("lds.yaml", {listener("busy", "a"), listener("free", "a")});
  start();
  until([&] { return noted("listener free"); });
  EXPECT_FALSE(noted("listener busy"));
  EXPECT_EQ(state("busy").error, "busy: Address already in use");
}

TEST_F(DiscoveryTest, RoutesAreHeldAgainstTheClustersThatAreThere) {
  write("cds.yaml", {cluster("a")});
  write("lds.yaml", {});
  start();
  until([&] { return noted("complete"); });
  write("lds.yaml", {listener("strict", "nowhere"), listener("lenient", "nowhere", "validate_clusters: false, "), listener("good", "a")});
  until([&] { return noted("listener good"); });
  EXPECT_TRUE(noted("listener lenient"));
  EXPECT_FALSE(noted("listener strict"));
  EXPECT_NE(state("strict").error.find("unknown cluster 'nowhere'"), std::string::npos) << state("strict").error;
}

TEST_F(DiscoveryTest, AClusterWarmsUntilItsEndpointsAreThere) {
  write("lds.yaml", {});
  write("eds.yaml", {});
  write("cds.yaml", {"{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: e, type: EDS, eds_cluster_config: {eds_config: "
                     "{initial_fetch_timeout: 0s, path_config_source: {path: " +
                     folder + "/eds.yaml}}}}"});
  start();
  until([&] { return stat("cluster_manager.warming_clusters") == 1; });
  EXPECT_TRUE(state("e").warming);
  EXPECT_FALSE(discovery->unready().empty());
  EXPECT_FALSE(noted("complete"));
  write("eds.yaml", {"{'@type': type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment, cluster_name: e}"});
  until([&] { return noted("complete"); });
  EXPECT_TRUE(noted("cluster e"));
  EXPECT_EQ(stat("cluster_manager.warming_clusters"), 0);
  EXPECT_EQ(stat("cluster.e.update_success"), 1);
}

}  // namespace
}  // namespace weft::xds
