// The server over a real gRPC channel: what a client of the generated stubs sees.
#include "controlplane/xds/ads_server.h"
#include "controlplane/xds/metrics.h"

#include "envoy/service/discovery/v3/ads.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <thread>

namespace weft::xds {
namespace {

using namespace std::chrono_literals;
namespace discovery = envoy::service::discovery::v3;
using Ads = discovery::AggregatedDiscoveryService;

constexpr const char* kNode = "sidecar~127.0.0.5~app-1.default~default.svc.cluster.local";

class AdsServerTest : public testing::Test, public ProxyObserver {
 protected:
  AdsServerTest() {
    declare_metrics(registry_, "test");
    start({});
    loop_ = std::thread([this] { context_.run(); });
  }
  // Not the destructor: until the server is gone its thread calls this observer.
  void TearDown() override {
    on_loop([this] { server_.reset(); });
    work_.reset();
    loop_.join();
  }
  void start(AdsServerOptions options) {
    options.removal_delay = 1ms;
    auto server = AdsServer::start(options, context_.get_executor(), table_, *this, registry_);
    ASSERT_TRUE(server) << server.error().detail;
    server_ = std::move(*server);
    channel_ =
        grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials(), local_channel());
    stub_ = Ads::NewStub(channel_);
  }
  static grpc::ChannelArguments local_channel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return arguments;
  }
  void on_connect(StreamId stream, std::shared_ptr<const model::Node> node) override {
    nodes_[stream] = node->name;
    if (current_) server_->update(stream, current_);
  }
  void on_disconnect(StreamId stream) override { nodes_.erase(stream); }

  template <class F>
  void on_loop(F f) {
    std::promise<void> done;
    asio::post(context_, [&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }
  void set(std::vector<std::tuple<ResourceType, std::string, std::string>> items) {
    on_loop([&] {
      auto made = std::make_shared<Snapshot>();
      made->revision = ++revision_;
      made->since = std::chrono::steady_clock::now();
      std::array<std::vector<ResourcePtr>, kTypeCount> lists;
      for (auto& [type, name, content] : items) lists[index_of(type)].push_back(maker_.make(type, name, content));
      for (size_t i = 0; i < kTypeCount; ++i) made->maps[i] = std::make_shared<const ResourceMap>(std::move(lists[i]));
      current_ = made;
      for (const auto& [stream, name] : std::map(nodes_)) server_->update(stream, current_);
    });
  }
  bool eventually(const std::function<bool()>& condition) {
    for (auto end = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < end; std::this_thread::yield()) {
      if (condition()) return true;
    }
    return false;
  }
  static discovery::DiscoveryRequest sotw(ResourceType type) {
    discovery::DiscoveryRequest request;
    request.mutable_node()->set_id(kNode);
    request.set_type_url(std::string(type_url(type)));
    return request;
  }
  static discovery::DeltaDiscoveryRequest delta(ResourceType type) {
    discovery::DeltaDiscoveryRequest request;
    request.mutable_node()->set_id(kNode);
    (*request.mutable_node()->mutable_metadata()->mutable_fields())["INTERCEPTION_MODE"].set_string_value("NONE");
    request.set_type_url(std::string(type_url(type)));
    return request;
  }

  asio::io_context context_{1};
  asio::executor_work_guard<Executor> work_{context_.get_executor()};
  std::thread loop_;
  std::shared_ptr<NameTable> table_ = std::make_shared<NameTable>();
  ResourceMaker maker_{table_};
  observe::PrometheusRegistry registry_;
  std::unique_ptr<AdsServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Ads::Stub> stub_;
  std::map<StreamId, std::string> nodes_;
  SnapshotPtr current_;
  uint64_t revision_ = 0;
};

constexpr ResourceType kCds = ResourceType::kCluster, kEds = ResourceType::kEndpoint;

TEST_F(AdsServerTest, SotwGetsResourcesAcksAndChanges) {
  set({{kCds, "a", "content a"}, {kCds, "big", std::string(5000, 'x')}});
  grpc::ClientContext context;
  auto stream = stub_->StreamAggregatedResources(&context);
  auto request = sotw(kCds);
  ASSERT_TRUE(stream->Write(request));
  discovery::DiscoveryResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.resources_size(), 2);
  EXPECT_EQ(response.type_url(), type_url(kCds));
  EXPECT_EQ(response.resources(0).type_url(), type_url(kCds));
  EXPECT_EQ(response.resources(0).value(), "content a");
  EXPECT_EQ(response.resources(1).value(), std::string(5000, 'x'));
  EXPECT_EQ(response.version_info().size(), 16u);
  request.clear_node();
  request.set_version_info(response.version_info());
  request.set_response_nonce(response.nonce());
  ASSERT_TRUE(stream->Write(request));
  EXPECT_TRUE(server_->status().wait(1, 10s).empty());
  auto status = server_->status().find(kNode);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->node->name, "app-1");
  EXPECT_EQ(status->types[0].acked_revision, 1u);
  EXPECT_EQ(status->snapshot->map(kCds).all().size(), 2u);

  set({{kCds, "a", "other"}});
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.resources_size(), 2) << "the one that goes is kept until routes are settled";
  request.set_version_info(response.version_info());
  request.set_response_nonce(response.nonce());
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.resources_size(), 1);
  context.TryCancel();
  EXPECT_TRUE(eventually([&] { return server_->status().size() == 0; }));
  EXPECT_EQ(registry_.value("pilot_xds", {{"version", "0.1.0"}}), 0);
  EXPECT_EQ(registry_.value("pilot_xds_pushes", {{"type", "cds"}}), 3);
}

TEST_F(AdsServerTest, DeltaNamesVersionsNacksAndReconnect) {
  set({{kCds, "a", "1"}, {kEds, "a", "e1"}});
  std::string version;
  {
    grpc::ClientContext context;
    auto stream = stub_->DeltaAggregatedResources(&context);
    ASSERT_TRUE(stream->Write(delta(kCds)));
    discovery::DeltaDiscoveryResponse response;
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.resources_size(), 1);
    EXPECT_EQ(response.resources(0).name(), "a");
    EXPECT_EQ(response.resources(0).resource().value(), "1");
    version = response.resources(0).version();
    discovery::DeltaDiscoveryRequest answer;
    answer.set_type_url(std::string(type_url(kCds)));
    answer.set_response_nonce(response.nonce());
    ASSERT_TRUE(stream->Write(answer));
    EXPECT_TRUE(server_->status().wait(1, 10s).empty());
    set({{kCds, "a", "bad"}, {kEds, "a", "e1"}});
    ASSERT_TRUE(stream->Read(&response));
    answer.set_response_nonce(response.nonce());
    answer.mutable_error_detail()->set_message("a: cannot be");
    ASSERT_TRUE(stream->Write(answer));
    auto behind = server_->status().wait(2, 10s);
    ASSERT_EQ(behind.size(), 1u);
    EXPECT_EQ(behind[0].node->id, kNode);
    EXPECT_EQ(behind[0].refusals(), "cds: a: cannot be");
    EXPECT_EQ(registry_.value("pilot_total_xds_rejects", {{"type", "cds"}}), 1);
    EXPECT_EQ(registry_.value("pilot_xds_cds_reject", {{"node", kNode}}), 1);
    set({{kCds, "a", "1"}, {kEds, "a", "e1"}});
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.resources(0).version(), version);
    answer.clear_error_detail();
    answer.set_response_nonce(response.nonce());
    ASSERT_TRUE(stream->Write(answer));
    EXPECT_TRUE(server_->status().wait(3, 10s).empty());
    context.TryCancel();
    stream->Finish();
  }
  grpc::ClientContext context;
  auto stream = stub_->DeltaAggregatedResources(&context);
  auto request = delta(kCds);
  (*request.mutable_initial_resource_versions())["a"] = version;
  (*request.mutable_initial_resource_versions())["gone"] = "0123456789abcdef";
  ASSERT_TRUE(stream->Write(request));
  discovery::DeltaDiscoveryResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.resources_size(), 0);
  ASSERT_EQ(response.removed_resources_size(), 1);
  EXPECT_EQ(response.removed_resources(0), "gone");
  context.TryCancel();
}

TEST_F(AdsServerTest, AClientThatNeverReadsHoldsNobodyUp) {
  set({{kCds, "a", std::string(3 << 20, 'x')}});
  grpc::ClientContext slow_context, context;
  auto slow = stub_->StreamAggregatedResources(&slow_context);
  ASSERT_TRUE(slow->Write(sotw(kCds)));
  auto channel =
      grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials(), local_channel());
  auto stub = Ads::NewStub(channel);
  auto stream = stub->DeltaAggregatedResources(&context);
  ASSERT_TRUE(stream->Write(delta(kCds)));
  discovery::DeltaDiscoveryResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(eventually([&] { return server_->status().size() == 2; }));
  for (int i = 0; i < 20; ++i) {
    set({{kCds, "a", std::string(3 << 20, static_cast<char>('a' + i))}});
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.resources(0).resource().value()[0], 'a' + i);
  }
  // At most what the transport had room for went to the slow one; all the rest was merged into one pending push.
  EXPECT_LT(registry_.value("pilot_xds_pushes", {{"type", "cds"}}), 40);
  discovery::DiscoveryResponse last;
  do {
    ASSERT_TRUE(slow->Read(&last));
  } while (last.resources(0).value()[0] != 't');
  slow_context.TryCancel();
  context.TryCancel();
}

TEST_F(AdsServerTest, AWaitIsForTheAffectedOnly) {
  set({{kCds, "a", "1"}, {kEds, "a", "1"}, {kEds, "b", "1"}});
  grpc::ClientContext hung_context, context;
  auto hung = stub_->DeltaAggregatedResources(&hung_context);
  auto request = delta(kEds);
  request.add_resource_names_subscribe("b");
  request.mutable_node()->set_id("sidecar~127.0.0.6~hung.default~default.svc.cluster.local");
  ASSERT_TRUE(hung->Write(request));
  discovery::DeltaDiscoveryResponse response;
  ASSERT_TRUE(hung->Read(&response));  // and never answers
  auto stream = stub_->DeltaAggregatedResources(&context);
  ASSERT_TRUE(stream->Write(delta(kCds)));
  ASSERT_TRUE(stream->Read(&response));
  discovery::DeltaDiscoveryRequest answer;
  answer.set_type_url(std::string(type_url(kCds)));
  answer.set_response_nonce(response.nonce());
  ASSERT_TRUE(stream->Write(answer));
  std::vector<ProxyStatus> behind;
  ASSERT_TRUE(eventually([&] { return (behind = server_->status().wait(1, 1ms)).size() == 1; }));
  EXPECT_EQ(behind[0].node->name, "hung");

  set({{kCds, "a", "2"}, {kEds, "a", "2"}, {kEds, "b", "1"}});  // nothing of it is for the hung one
  ASSERT_TRUE(stream->Read(&response));
  behind = server_->status().wait(2, 1ms);
  ASSERT_EQ(behind.size(), 1u);
  EXPECT_EQ(behind[0].node->name, "app-1");
  answer.set_response_nonce(response.nonce());
  ASSERT_TRUE(stream->Write(answer));
  EXPECT_TRUE(server_->status().wait(2, 10s).empty());
  EXPECT_EQ(server_->status().find("sidecar~127.0.0.6~hung.default~default.svc.cluster.local")->acked_revision, 0u);

  set({{kCds, "a", "2"}, {kEds, "a", "2"}, {kEds, "b", "2"}});  // this one is
  behind = server_->status().wait(3, 10ms);
  ASSERT_EQ(behind.size(), 1u);
  EXPECT_EQ(behind[0].node->name, "hung");
  hung_context.TryCancel();
  context.TryCancel();
}

TEST_F(AdsServerTest, HeldRoutesAreLetGoAfterABound) {
  constexpr ResourceType kRds = ResourceType::kRoute;
  on_loop([&] { server_.reset(); });
  AdsServerOptions options;
  options.route_delay = 20ms;
  start(options);
  set({{kCds, "a", "1"}, {kRds, "80", "1"}});
  grpc::ClientContext context;
  auto stream = stub_->DeltaAggregatedResources(&context);
  discovery::DeltaDiscoveryResponse response;
  ASSERT_TRUE(stream->Write(delta(kCds)));
  ASSERT_TRUE(stream->Read(&response));
  discovery::DeltaDiscoveryRequest answer;
  answer.set_type_url(std::string(type_url(kCds)));
  answer.set_response_nonce(response.nonce());
  ASSERT_TRUE(stream->Write(answer));
  answer.Clear();
  answer.set_type_url(std::string(type_url(kRds)));
  answer.add_resource_names_subscribe("80");
  ASSERT_TRUE(stream->Write(answer));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.type_url(), type_url(kRds));
  set({{kCds, "a", "2"}, {kRds, "80", "2"}});
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.type_url(), type_url(kCds));  // stays unanswered, as if it warmed for ever
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.type_url(), type_url(kRds));
  context.TryCancel();
}

TEST_F(AdsServerTest, AClientThatTakesNothingIsLetGo) {
  on_loop([&] { server_.reset(); });
  AdsServerOptions options;
  options.send_timeout = 50ms;
  start(options);
  set({{kCds, "a", std::string(3 << 20, 'x')}, {kCds, "b", std::string(3 << 20, 'x')}, {kCds, "c", std::string(3 << 20, 'x')}});
  grpc::ClientContext context;
  auto stream = stub_->DeltaAggregatedResources(&context);
  ASSERT_TRUE(stream->Write(delta(kCds)));
  EXPECT_TRUE(eventually([&] { return registry_.value("pilot_xds_pushes", {{"type", "cds"}}) > 0; }));
  EXPECT_TRUE(eventually([&] { return server_->status().size() == 0; }));
  discovery::DeltaDiscoveryResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(AdsServerTest, BadRequestsEndTheStreamWithAReason) {
  auto refusal = [&](const discovery::DiscoveryRequest& request) {
    grpc::ClientContext context;
    auto stream = stub_->StreamAggregatedResources(&context);
    stream->Write(request);
    discovery::DiscoveryResponse response;
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  };
  auto request = sotw(kCds);
  request.clear_node();
  EXPECT_EQ(refusal(request).error_message(), "node: the first request of a stream must carry it");
  request = sotw(kCds);
  request.clear_type_url();
  EXPECT_EQ(refusal(request).error_message(), "type_url: required on an aggregated stream");
  request = sotw(kCds);
  request.mutable_node()->set_id("nonsense");
  EXPECT_EQ(refusal(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request = sotw(kCds);
  request.add_resource_names(std::string(5 << 20, 'x'));
  EXPECT_EQ(refusal(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(AdsServerTest, APortInUseIsNamed) {
  AdsServerOptions options;
  options.address = "127.0.0.1:" + std::to_string(server_->port());
  auto second = AdsServer::start(options, context_.get_executor(), table_, *this, registry_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().detail.find(options.address), std::string::npos);
}

}  // namespace
}  // namespace weft::xds
