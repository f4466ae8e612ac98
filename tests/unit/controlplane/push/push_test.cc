#include "controlplane/push/pusher.h"
#include "controlplane/validation/validation.h"
#include "controlplane/xds/metrics.h"

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <fstream>
#include <future>
#include <set>
#include <sstream>
#include <thread>

namespace weft::push {
namespace {

using namespace std::chrono_literals;
namespace discovery = envoy::service::discovery::v3;
using xds::ResourceType;

TEST(Debouncer, GathersUntilQuietButNotForEver) {
  asio::io_context context(1);
  int fired = 0;
  Debouncer debouncer(context.get_executor(), 30ms, [&](auto) { ++fired; });
  debouncer.note(5ms);
  debouncer.note(5ms);
  context.run();
  EXPECT_EQ(fired, 1);
  context.restart();
  debouncer.note(1h);  // the bound counts from the first
  context.run();
  EXPECT_EQ(fired, 2);
  debouncer.note(1h);
  debouncer.note(0ms);
  EXPECT_EQ(fired, 2) << "haste does not overtake the one that asked for quiet";
  context.restart();
  context.run();
  EXPECT_EQ(fired, 3);
  debouncer.note(0ms);
  EXPECT_EQ(fired, 4);
}

TEST(PushQueue, HoldsEachProxyOnceAndMerges) {
  PushQueue queue;
  PendingPush narrow, other;
  narrow.changed[1] = {7};
  other.changed[1] = {8};
  queue.add(1, narrow);
  queue.add(2, narrow);
  queue.add(1, other);
  EXPECT_EQ(queue.size(), 2u);
  auto first = queue.take();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, 1u);
  EXPECT_EQ(first->second.changed[1], (std::vector<xds::NameId>{7, 8}));
  queue.remove(2);
  EXPECT_FALSE(queue.take());
}

// A world of services app-0, app-1, ... in namespace default, each with endpoints at the addresses given.
std::string service(const std::string& name, const std::vector<std::string>& addresses) {
  std::string text = "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  selector: {app: " + name +
                     "}\n  ports: [{name: http, port: 8080}]\n---\napiVersion: discovery.k8s.io/v1\n" +
                     "kind: EndpointSlice\nmetadata:\n  name: " + name + "-1\n  labels: {kubernetes.io/service-name: " + name +
                     "}\naddressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n";
  for (const std::string& address : addresses) text += "- {addresses: [" + address + "], conditions: {ready: true}}\n";
  return text;
}

std::shared_ptr<const model::View> view_of(uint64_t revision, const std::string& text) {
  auto verdicts = validation::validate_text(text, "world.yaml");
  EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
  std::vector<model::ResourcePtr> resources;
  for (model::Resource& resource : verdicts.resources) {
    resource.created = 1;
    resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  }
  return model::View::build(revision, std::move(resources));
}

Snapshots::Held proxy(const std::string& ip, const std::string& ns = "default", const std::string& mode = "NONE") {
  Snapshots::Held held;
  auto node =
      model::parse_node("sidecar~" + ip + "~p." + ns + "~" + ns + ".svc.cluster.local", "", "{\"INTERCEPTION_MODE\":\"" + mode + "\"}");
  held.node = std::make_shared<const model::Node>(*node);
  return held;
}

class SnapshotsTest : public testing::Test {
 protected:
  std::optional<std::vector<xds::NameId>> change(const std::string& text) {
    auto next = view_of(++revision_, text);
    std::optional<model::Changes> changes;
    if (snapshots_.view()) changes = model::difference(*snapshots_.view(), *next);
    return snapshots_.set_view(next, changes ? &*changes : nullptr, {});
  }
  std::shared_ptr<xds::NameTable> names_ = std::make_shared<xds::NameTable>();
  Snapshots snapshots_{names_};
  uint64_t revision_ = 0;
};

TEST_F(SnapshotsTest, ProxiesWithEqualArgumentsShareEverythingButListeners) {
  change(service("a", {"10.0.0.1"}) + service("b", {"10.0.0.2"}));
  auto first = proxy("10.1.0.1"), second = proxy("10.1.0.2"), same = proxy("10.1.0.1");
  auto one = snapshots_.snapshot_of(first), two = snapshots_.snapshot_of(second);
  EXPECT_EQ(snapshots_.snapshot_of(same), one);
  for (ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoint, ResourceType::kRoute}) {
    EXPECT_EQ(one->maps[index_of(type)], two->maps[index_of(type)]);
  }
  EXPECT_NE(one->maps[index_of(ResourceType::kListener)], two->maps[index_of(ResourceType::kListener)]);
}

TEST_F(SnapshotsTest, AnEndpointChangeTouchesOneResource) {
  change(service("a", {"10.0.0.1"}) + service("b", {"10.0.0.2"}));
  auto held = proxy("10.1.0.1");
  auto before = snapshots_.snapshot_of(held);
  const size_t translations = snapshots_.translations();
  auto names = change(service("a", {"10.0.0.1"}) + service("b", {"10.0.0.2", "10.0.0.3"}));
  ASSERT_TRUE(names);
  ASSERT_EQ(names->size(), 1u);
  EXPECT_EQ(names_->text(names->front()), "outbound|8080||b.default.svc.cluster.local");
  auto after = snapshots_.snapshot_of(held);
  EXPECT_EQ(snapshots_.translations(), translations + 1);
  EXPECT_EQ(after->revision, 2u);
  for (ResourceType type : {ResourceType::kCluster, ResourceType::kListener, ResourceType::kRoute}) {
    EXPECT_EQ(before->maps[index_of(type)], after->maps[index_of(type)]);
  }
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  const auto* resource = after->map(ResourceType::kEndpoint).find(names->front());
  ASSERT_TRUE(assignment.ParseFromString(std::string((*resource)->message())));
  EXPECT_EQ(assignment.endpoints(0).lb_endpoints_size(), 2);
}

Snapshots::Held capturing(const std::string& ip) {
  Snapshots::Held held;
  auto node = model::parse_node("sidecar~" + ip + "~p.default~default.svc.cluster.local", "", R"({"DNS_CAPTURE":"true"})");
  held.node = std::make_shared<const model::Node>(*node);
  return held;
}

// A headless service's addresses are its endpoints', so a change of those is one of names; for all others it is not.
TEST_F(SnapshotsTest, NamesFollowServicesAndTheEndpointsOfHeadlessOnes) {
  const auto headless = [](const std::vector<std::string>& addresses) {
    std::string text = service("h", addresses);
    return text.insert(text.find("spec:\n") + 6, "  clusterIP: None\n");
  };
  change(service("a", {"10.0.0.1"}) + headless({"10.0.0.2"}));
  auto one = capturing("10.1.0.1"), two = capturing("10.1.0.2"), none = proxy("10.1.0.3");
  const auto names_of = [&](Snapshots::Held& held) { return snapshots_.snapshot_of(held)->maps[index_of(ResourceType::kNameTable)]; };
  const auto before = names_of(one);
  ASSERT_EQ(before->all().size(), 1u);
  EXPECT_EQ(before->all()[0]->name, "") << "there is but one";
  EXPECT_EQ(names_of(two), before);
  EXPECT_TRUE(names_of(none)->all().empty());
  EXPECT_TRUE(change(service("a", {"10.0.0.1", "10.0.0.9"}) + headless({"10.0.0.2"}))) << "nothing but endpoints";
  EXPECT_EQ(names_of(one), before);
  EXPECT_FALSE(change(service("a", {"10.0.0.1", "10.0.0.9"}) + headless({"10.0.0.2", "10.0.0.3"}))) << "names, too";
  EXPECT_NE(names_of(one), before);
  EXPECT_EQ(names_of(two), names_of(one));
}

TEST_F(SnapshotsTest, ARuleChangeKeepsWhatIsEqual) {
  const std::string world = service("a", {"10.0.0.1"}) + service("b", {"10.0.0.2"});
  change(world);
  auto held = proxy("10.1.0.1");
  auto before = snapshots_.snapshot_of(held);
  EXPECT_FALSE(change(world + "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r}\n"
                              "spec: {host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n"));
  auto after = snapshots_.snapshot_of(held);
  EXPECT_EQ(before->maps[index_of(ResourceType::kRoute)], after->maps[index_of(ResourceType::kRoute)]);
  EXPECT_EQ(before->maps[index_of(ResourceType::kListener)], after->maps[index_of(ResourceType::kListener)]);
  size_t same = 0;
  for (const auto& cluster : after->map(ResourceType::kCluster).all()) {
    const auto* old = before->map(ResourceType::kCluster).find(cluster->id);
    same += old != nullptr && *old == cluster;
  }
  EXPECT_EQ(same, 2u) << "b's and the black hole are the very same objects";
}

TEST_F(SnapshotsTest, CapturedProxiesShareTheirListeners) {
  const std::string world = service("a", {"10.0.0.1"}) + service("b", {"10.0.0.2"});
  change(world);
  auto first = proxy("10.1.0.1", "default", "REDIRECT"), second = proxy("10.1.0.2", "default", "REDIRECT");
  auto one = snapshots_.snapshot_of(first);
  const size_t translations = snapshots_.translations();
  EXPECT_EQ(snapshots_.snapshot_of(second), one) << "neither serves anything: all is the same";
  EXPECT_EQ(snapshots_.translations(), translations + 1) << "its own listeners";
  auto serving = proxy("10.0.0.1", "default", "REDIRECT");
  auto its = snapshots_.snapshot_of(serving);
  size_t same = 0, count = 0;
  for (const auto& listener : its->map(ResourceType::kListener).all()) {
    const auto* other = one->map(ResourceType::kListener).find(listener->id);
    same += other != nullptr && *other == listener;
    ++count;
  }
  EXPECT_EQ(same + 1, count) << "but for virtualInbound";
  change(world +
         "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r}\n"
         "spec: {host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n");
  EXPECT_EQ(snapshots_.snapshot_of(first)->maps[index_of(ResourceType::kListener)], one->maps[index_of(ResourceType::kListener)]);
}

TEST_F(SnapshotsTest, PodsOfAHeadlessServiceAreListenedFor) {
  auto headless = [](const std::vector<std::string>& addresses) {
    std::string text = service("db", addresses);
    for (size_t at; (at = text.find("{name: http")) != std::string::npos;) text.replace(at, 11, "{name: tcp");
    return text.replace(text.find("spec:"), 5, "spec:\n  clusterIP: None");
  };
  change(headless({"10.0.0.1"}));
  auto held = proxy("10.1.0.1", "default", "REDIRECT"), itself = proxy("10.0.0.1", "default", "REDIRECT");
  auto names = [&](Snapshots::Held& of) {
    std::set<std::string> all;
    for (const auto& listener : snapshots_.snapshot_of(of)->map(ResourceType::kListener).all()) all.insert(listener->name);
    return all;
  };
  EXPECT_EQ(names(held), (std::set<std::string>{"10.0.0.1_8080", "virtualInbound", "virtualOutbound"}));
  EXPECT_EQ(names(itself), (std::set<std::string>{"virtualInbound", "virtualOutbound"}));
  EXPECT_FALSE(change(headless({"10.0.0.1", "10.0.0.2"}))) << "not only endpoints";
  EXPECT_EQ(names(held), (std::set<std::string>{"10.0.0.1_8080", "10.0.0.2_8080", "virtualInbound", "virtualOutbound"}));
  EXPECT_EQ(names(itself), (std::set<std::string>{"10.0.0.2_8080", "virtualInbound", "virtualOutbound"}));
}

// The whole room with a real server and a real client.
class PusherTest : public testing::Test {
 protected:
  PusherTest() {
    xds::declare_metrics(registry_, "test");
    boot();
    loop_ = std::thread([this] { context_.run(); });
  }
  ~PusherTest() override {
    on_loop([this] { halt(); });
    work_.reset();
    loop_.join();
  }
  void boot() {
    PushOptions options;
    options.quiet = options.endpoint_quiet = 0ms;
    names_ = std::make_shared<xds::NameTable>();
    pusher_ = std::make_unique<Pusher>(options, context_.get_executor(), names_, registry_);
    xds::AdsServerOptions server_options;
    server_options.removal_delay = 0ms;
    auto server = xds::AdsServer::start(server_options, context_.get_executor(), names_, *pusher_, registry_);
    ASSERT_TRUE(server) << server.error().detail;
    server_ = std::move(*server);
    pusher_->attach(*server_);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = discovery::AggregatedDiscoveryService::NewStub(
        grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials(), arguments));
  }
  void halt() {
    pusher_->detach();
    server_.reset();
    pusher_.reset();
  }
  template <class F>
  void on_loop(F f) {
    std::promise<void> done;
    asio::post(context_, [&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }
  void apply(const std::string& text) {
    auto next = view_of(++revision_, text);
    std::shared_ptr<model::Changes> changes;
    if (view_) changes = std::make_shared<model::Changes>(model::difference(*view_, *next));
    view_ = next;
    pusher_->on_view(next, changes);
  }
  bool eventually(const std::function<bool()>& condition) {
    for (auto end = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < end; std::this_thread::yield()) {
      if (condition()) return true;
    }
    return false;
  }

  // A delta client that takes what comes and remembers versions, as Envoy does.
  struct Client {
    explicit Client(discovery::AggregatedDiscoveryService::Stub& stub) : stream(stub.DeltaAggregatedResources(&context)) {}
    ~Client() {
      context.TryCancel();
      stream->Finish();
    }
    void ask(ResourceType type, const std::vector<std::string>& names, const std::map<std::string, std::string>& versions = {}) {
      discovery::DeltaDiscoveryRequest request;
      request.mutable_node()->set_id("sidecar~127.0.0.9~p.default~default.svc.cluster.local");
      (*request.mutable_node()->mutable_metadata()->mutable_fields())["INTERCEPTION_MODE"].set_string_value("NONE");
      request.set_type_url(std::string(type_url(type)));
      for (const auto& name : names) request.add_resource_names_subscribe(name);
      for (const auto& [name, version] : versions) (*request.mutable_initial_resource_versions())[name] = version;
      ASSERT_TRUE(stream->Write(request));
    }
    // "eds outbound|8080||b...": what the next response holds.
    std::vector<std::string> take() {
      discovery::DeltaDiscoveryResponse response;
      if (!stream->Read(&response)) return {"the stream is over"};
      discovery::DeltaDiscoveryRequest request;
      request.set_type_url(response.type_url());
      request.set_response_nonce(response.nonce());
      stream->Write(request);
      std::vector<std::string> names = {response.type_url().substr(response.type_url().rfind('.') + 1)};
      for (const auto& resource : response.resources()) {
        names.push_back(resource.name());
        held[response.type_url()][resource.name()] = resource.version();
      }
      for (const auto& name : response.removed_resources()) names.push_back("-" + name);
      std::sort(names.begin() + 1, names.end());
      return names;
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<discovery::DeltaDiscoveryRequest, discovery::DeltaDiscoveryResponse>> stream;
    std::map<std::string, std::map<std::string, std::string>> held;
  };
  using Names = std::vector<std::string>;

  asio::io_context context_{1};
  asio::executor_work_guard<Executor> work_{context_.get_executor()};
  std::thread loop_;
  observe::PrometheusRegistry registry_;
  std::shared_ptr<xds::NameTable> names_;
  std::unique_ptr<Pusher> pusher_;
  std::unique_ptr<xds::AdsServer> server_;
  std::unique_ptr<discovery::AggregatedDiscoveryService::Stub> stub_;
  std::shared_ptr<const model::View> view_;
  uint64_t revision_ = 0;
};

const std::string kA = "outbound|8080||a.default.svc.cluster.local", kB = "outbound|8080||b.default.svc.cluster.local";

TEST_F(PusherTest, WaitsForTheFirstViewThenPushesNarrowly) {
  auto client = std::make_unique<Client>(*stub_);
  client->ask(ResourceType::kCluster, {});
  ASSERT_TRUE(eventually([&] { return server_->status().size() == 1; }));
  EXPECT_EQ(registry_.value("pilot_xds_pushes", {{"type", "cds"}}), 0) << "no empty world before the store is loaded";
  apply(service("a", {"10.0.0.1"}));
  EXPECT_EQ(client->take(), (Names{"Cluster", "BlackHoleCluster", kA}));
  client->ask(ResourceType::kEndpoint, {kA});
  EXPECT_EQ(client->take(), (Names{"ClusterLoadAssignment", kA}));
  client->ask(ResourceType::kListener, {});
  EXPECT_EQ(client->take(), (Names{"Listener", "127.0.0.9_8080"}));
  client->ask(ResourceType::kRoute, {"8080"});
  EXPECT_EQ(client->take(), (Names{"RouteConfiguration", "8080"}));

  apply(service("a", {"10.0.0.1", "10.0.0.2"}));
  EXPECT_EQ(client->take(), (Names{"ClusterLoadAssignment", kA}));
  apply(service("a", {"10.0.0.1", "10.0.0.2"}) + service("b", {"10.0.0.3"}));
  EXPECT_EQ(client->take(), (Names{"Cluster", kB}));
  client->ask(ResourceType::kEndpoint, {kB});
  auto next = client->take(), last = client->take();
  if (next[0] != "ClusterLoadAssignment") std::swap(next, last);
  EXPECT_EQ(next, (Names{"ClusterLoadAssignment", kB}));
  EXPECT_EQ(last, (Names{"RouteConfiguration", "8080"}));
  apply(service("b", {"10.0.0.3"}));
  EXPECT_EQ(client->take(), (Names{"RouteConfiguration", "8080"}));
  EXPECT_EQ(client->take(), (Names{"Cluster", "-" + kA})) << "after the routes";
  EXPECT_EQ(client->take(), (Names{"ClusterLoadAssignment", "-" + kA}));
  EXPECT_TRUE(server_->status().wait(4, 10s).empty());

  // A restart: another process, the same content; the proxy holds everything already.
  auto held = client->held;
  held[std::string(type_url(ResourceType::kCluster))].erase(kA);
  held[std::string(type_url(ResourceType::kEndpoint))].erase(kA);
  client.reset();
  on_loop([this] { halt(); });
  on_loop([this] { boot(); });
  view_.reset();
  --revision_;
  const double pushes = registry_.value("pilot_xds_pushes", {{"type", "cds"}}) + registry_.value("pilot_xds_pushes", {{"type", "eds"}}) +
                        registry_.value("pilot_xds_pushes", {{"type", "lds"}}) + registry_.value("pilot_xds_pushes", {{"type", "rds"}});
  Client again(*stub_);
  again.ask(ResourceType::kCluster, {}, held[std::string(type_url(ResourceType::kCluster))]);
  again.ask(ResourceType::kEndpoint, {kB}, held[std::string(type_url(ResourceType::kEndpoint))]);
  again.ask(ResourceType::kListener, {}, held[std::string(type_url(ResourceType::kListener))]);
  again.ask(ResourceType::kRoute, {"8080"}, held[std::string(type_url(ResourceType::kRoute))]);
  ASSERT_TRUE(eventually([&] {
    auto all = server_->status().proxies();
    return all.size() == 1 && all[0].types[index_of(ResourceType::kRoute)].requested;
  }));
  apply(service("b", {"10.0.0.3"}));
  ASSERT_TRUE(eventually([&] { return server_->status().proxies()[0].acked_revision == 4; }));
  EXPECT_EQ(registry_.value("pilot_xds_pushes", {{"type", "cds"}}) + registry_.value("pilot_xds_pushes", {{"type", "eds"}}) +
                registry_.value("pilot_xds_pushes", {{"type", "lds"}}) + registry_.value("pilot_xds_pushes", {{"type", "rds"}}),
            pushes)
      << "nothing is sent again";
}

}  // namespace
}  // namespace weft::push
