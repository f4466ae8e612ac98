// The API over a real loopback socket, with a store in memory and proxies that only a table knows.
#include "controlplane/api/api.h"

#include "envoy/config/cluster/v3/cluster.pb.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/post.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <thread>

namespace weft::api {
namespace {

namespace json = boost::json;

struct Answered {
  int status = 0;
  std::string head, body;
  json::value value;
};

constexpr const char* kYaml = "application/yaml";

std::string virtual_service(const std::string& name, int weight = 100, const std::string& subset = "") {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name + "}\nspec:\n  hosts: [" + name +
         "]\n  http:\n  - route:\n    - destination: {host: " + name + (subset.empty() ? "" : ", subset: " + subset) +
         "}\n      weight: " + std::to_string(weight) + "\n";
}
std::string service(const std::string& name) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  ports: [{name: http, port: 80}]\n";
}

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::Store::open(":memory:");
    ASSERT_TRUE(opened) << opened.error().detail;
    store_ = std::move(*opened);
    api_ = std::make_unique<Api>(Services{*store_, acks_, registry_, "1.2.3", [] {
                                            Diagnostic finding;
                                            finding.message = "a fault";
                                            return std::vector<SourceStatus>{{"file", "/mesh", {finding}}};
                                          }});
    HttpOptions options;
    options.max_body = 100'000;
    options.max_connections = 4;
    server_ = std::make_unique<HttpServer>(
        loop_.get_executor(), [this](Request request) { return api_->answer(std::move(request)); }, options);
    ASSERT_TRUE(server_->listen());
    port_ = static_cast<unsigned short>(std::stoi(server_->address().substr(server_->address().rfind(':') + 1)));
    thread_ = std::thread([this] { loop_.run(); });
  }
  void TearDown() override {
    api_->close();
    asio::post(loop_, [this] { server_->stop(); });
    thread_.join();
  }

  int open_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval patience{20, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  // Sends bytes, reads until the end.
  std::string raw(const std::string& text) {
    const int fd = open_socket();
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    std::string answer;
    char buffer[65536];
    for (ssize_t size; (size = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<size_t>(size));
    close(fd);
    return answer;
  }
  Answered ask(const std::string& method, const std::string& target, const std::string& body = "", const std::string& type = "",
               const std::string& more = "") {
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nUser-Agent: test/1\r\n" + more;
    if (!type.empty()) text += "Content-Type: " + type + "\r\n";
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    const std::string all = raw(text + "\r\n" + body);
    Answered answered;
    const size_t end = all.find("\r\n\r\n");
    if (end == std::string::npos) return answered;
    answered.status = std::stoi(all.substr(9, 3));
    answered.head = all.substr(0, end);
    answered.body = all.substr(end + 4);
    boost::system::error_code error;
    answered.value = json::parse(answered.body, error);
    return answered;
  }
  Answered apply(const std::string& text, const std::string& query = "") { return ask("POST", "/v1/apply" + query, text, kYaml); }

  void proxy(uint64_t stream, const std::string& name, uint64_t acked, const std::string& nack = "", uint64_t nack_revision = 0,
             xds::SnapshotPtr snapshot = {}) {
    xds::ProxyStatus status;
    status.stream = stream;
    auto node = model::parse_node("sidecar~10.0.0.1~" + name + ".default~default.svc.cluster.local", "", "");
    ASSERT_TRUE(node);
    node->software = "envoy 1.40.0";
    status.node = std::make_shared<const model::Node>(*node);
    status.sent_revision = store_->view()->revision();
    status.acked_revision = acked;
    status.connected = status.last_ack = std::chrono::system_clock::now();
    status.snapshot = std::move(snapshot);
    if (!nack.empty()) {
      xds::ProxyStatus::Type& type = status.types[index_of(xds::ResourceType::kListener)];
      type.rejected = true;
      type.nack = {nack, nack_revision, 1};
    }
    acks_.connected(std::move(status));
  }

  asio::io_context loop_{1};
  observe::PrometheusRegistry registry_;
  xds::AckStatus acks_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> server_;
  unsigned short port_ = 0;
  std::thread thread_;
};

TEST_F(ApiTest, ApplyCreatesChangesAndLeavesAlone) {
  Answered first = apply(service("a") + "---\n" + virtual_service("a"), "?name=a.yaml");
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(first.value.at("revision"), 1);
  EXPECT_EQ(first.value.at("changed").as_array().size(), 2u);
  EXPECT_EQ(first.value.at("changed").at(0).at("change"), "created");
  EXPECT_TRUE(first.value.at("warnings").as_array().empty()) << first.body;

  Answered second = apply(service("a") + "---\n" + virtual_service("a", 50), "?name=a.yaml");
  EXPECT_EQ(second.value.at("revision"), 2) << second.body;
  ASSERT_EQ(second.value.at("changed").as_array().size(), 1u);
  EXPECT_EQ(second.value.at("changed").at(0).at("change"), "changed");
  EXPECT_EQ(second.value.at("unchanged").at(0).at("kind"), "Service");

  Answered third = apply(virtual_service("a", 50));
  EXPECT_EQ(third.value.at("revision"), 2);
  EXPECT_TRUE(third.value.at("changed").as_array().empty());
  EXPECT_EQ(registry_.value("galley_validation_passed"), 3);

  Answered history = ask("GET", "/v1/history");
  EXPECT_EQ(history.value.at("revisions").at(0).at("revision"), 2);
  EXPECT_EQ(history.value.at("revisions").at(0).at("cause"), "apply by test: a.yaml");
  EXPECT_EQ(history.value.at("revisions").at(0).at("changes").at(0).at("change"), "changed");
  EXPECT_EQ(ask("GET", "/v1/history?limit=1").value.at("revisions").as_array().size(), 1u);
  EXPECT_EQ(ask("GET", "/v1/history?limit=x").status, 400);
}

TEST_F(ApiTest, OneBadObjectRefusesAll) {
  Answered answer = apply(service("a") + "---\n" + virtual_service("b", -1), "?name=mesh.yaml");
  ASSERT_EQ(answer.status, 422) << answer.body;
  EXPECT_EQ(answer.value.at("error").at("code"), "invalid");
  const json::value& finding = answer.value.at("errors").at(0);
  EXPECT_EQ(finding.at("file"), "mesh.yaml");
  EXPECT_GT(finding.at("line").as_int64(), 6);
  EXPECT_NE(finding.at("rendered").as_string().find("--> mesh.yaml:"), std::string::npos);
  EXPECT_EQ(store_->view()->revision(), 0u);
  EXPECT_EQ(registry_.value("galley_validation_failed"), 1);
  EXPECT_EQ(apply("").status, 422);
  EXPECT_EQ(apply("a: [").status, 422);
}

TEST_F(ApiTest, JsonCarriesSeveralNamedFiles) {
  json::object body;
  body["files"] = json::array{json::object{{"name", "one.yaml"}, {"text", service("a")}},
                              json::object{{"name", "two.yaml"}, {"text", virtual_service("a")}}};
  Answered answer = ask("POST", "/v1/apply", json::serialize(body), "application/json; charset=utf-8");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(ask("GET", "/v1/resources/virtualservice/default/a").value.at("about").at("file"), "two.yaml");
  // An object in JSON is YAML as well.
  EXPECT_EQ(ask("POST", "/v1/apply", R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"b"},"spec":{"ports":[{"port":80}]}})",
                "application/json")
                .status,
            200);
  EXPECT_EQ(ask("POST", "/v1/apply", R"({"files":[{"name":"x"}]})", "application/json").status, 400);
  EXPECT_EQ(ask("POST", "/v1/apply", R"({"files":{}})", "application/json").status, 400);
  EXPECT_EQ(ask("POST", "/v1/apply", "a=b", "application/x-www-form-urlencoded").status, 415);
}

TEST_F(ApiTest, DanglingReferencesWarnAndAreToldOnce) {
  Answered answer = apply(service("a") + "---\n" + virtual_service("a", 100, "v9"), "?name=a.yaml");
  ASSERT_EQ(answer.status, 200) << answer.body;
  ASSERT_EQ(answer.value.at("warnings").as_array().size(), 1u) << answer.body;
  EXPECT_EQ(answer.value.at("warnings").at(0).at("alias"), "IST0101");
  EXPECT_TRUE(apply(service("other")).value.at("warnings").as_array().empty()) << "known, and of another object";
}

TEST_F(ApiTest, DryRunSaysWhatWouldChangeAndChangesNothing) {
  apply(service("a"));
  Answered answer = apply(service("a") + "---\n" + virtual_service("a", 100, "v9"), "?dry_run=true");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.value.at("dry_run"), true);
  ASSERT_EQ(answer.value.at("changed").as_array().size(), 1u);
  EXPECT_EQ(answer.value.at("changed").at(0).at("change"), "created");
  EXPECT_EQ(answer.value.at("warnings").as_array().size(), 1u) << "of the world as it would be";
  EXPECT_EQ(store_->view()->revision(), 1u);
  EXPECT_EQ(apply(service("a"), "?dry_run=maybe").status, 400);
}

TEST_F(ApiTest, ObjectsOfFilesBelongToFiles) {
  ASSERT_EQ(apply(service("a")).status, 200);
  model::Batch batch;
  batch.changes.push_back(model::Change::upsert(*store_->view()->find({"Service", "default", "a"})));
  ASSERT_TRUE(store_->apply(batch, store::kOwnerFile));
  for (const char* query : {"", "?dry_run=true"}) {
    Answered answer = apply(service("a") + "  type: ClusterIP\n---\n" + service("b"), query);
    EXPECT_EQ(answer.status, 409) << answer.body;
    EXPECT_NE(answer.value.at("error").at("message").as_string().find("change that file"), std::string::npos);
  }
  EXPECT_EQ(ask("DELETE", "/v1/resources/Service/default/a").status, 409);
  EXPECT_EQ(store_->view()->find({"Service", "default", "b"}), nullptr);
}

TEST_F(ApiTest, ResourcesAreFoundByKindNamespaceAndName) {
  apply(service("a") + "---\n" + virtual_service("a") +
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\nspec:\n  ports: [{port: 80}]\n");
  EXPECT_EQ(ask("GET", "/v1/resources").value.at("items").as_array().size(), 3u);
  EXPECT_EQ(ask("GET", "/v1/resources?kind=service").value.at("items").as_array().size(), 2u);
  EXPECT_EQ(ask("GET", "/v1/resources?kind=Service&namespace=shop").value.at("items").as_array().size(), 1u);
  EXPECT_EQ(ask("GET", "/v1/resources?name=nobody").value.at("items").as_array().size(), 0u);
  EXPECT_EQ(ask("GET", "/v1/resources?kind=Servic").status, 400);
  Answered one = ask("GET", "/v1/resources/VirtualService/default/a");
  EXPECT_EQ(one.value.at("object").at("spec").at("hosts").at(0), "a");
  EXPECT_EQ(one.value.at("about").at("owner"), "api");
  EXPECT_EQ(std::string(one.value.at("text").as_string()), virtual_service("a"));
  EXPECT_EQ(ask("GET", "/v1/resources/VirtualService/default/b").status, 404);
  EXPECT_EQ(ask("GET", "/v1/resources/VirtualService/default").status, 404);
  EXPECT_EQ(ask("GET", "/v1/resources/").status, 404);
}

TEST_F(ApiTest, DeleteRemovesOneOrManyOrNothing) {
  apply(service("a") + "---\n" + service("b") + "---\n" + service("c"));
  Answered one = ask("DELETE", "/v1/resources/service/default/a");
  EXPECT_EQ(one.value.at("revision"), 2) << one.body;
  EXPECT_EQ(ask("DELETE", "/v1/resources/Service/default/a").status, 404);
  EXPECT_EQ(ask("POST", "/v1/delete", service("b") + "---\n" + service("a"), kYaml).status, 404);
  EXPECT_NE(store_->view()->find({"Service", "default", "b"}), nullptr) << "all or none";
  Answered many = ask("POST", "/v1/delete", service("b") + "---\nkind: Service\nmetadata: {name: c}\nspec: {no: longer valid}\n", kYaml);
  EXPECT_EQ(many.status, 200) << many.body;
  EXPECT_TRUE(store_->view()->resources().empty());
  EXPECT_EQ(ask("POST", "/v1/delete", "a: 1", kYaml).status, 422);
}

TEST_F(ApiTest, TheGatewayApisGatewayIsNotIstiosAndHasAStatus) {
  const std::string theirs =
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: web}\nspec:\n  gatewayClassName: istio\n"
      "  listeners: [{name: http, port: 80, protocol: HTTP}]\n";
  const std::string istios =
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: web}\nspec:\n"
      "  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]\n";
  EXPECT_EQ(apply(theirs + "---\n" + istios).status, 200);
  const Answered one = ask("GET", "/v1/resources/gateway.gateway.networking.k8s.io/default/web");
  ASSERT_EQ(one.status, 200) << one.body;
  EXPECT_NE(one.body.find(R"("type":"Programmed","status":"True")"), std::string::npos) << one.body;
  EXPECT_NE(one.body.find(R"("attachedRoutes":0)"), std::string::npos) << one.body;
  EXPECT_EQ(ask("POST", "/v1/delete", theirs, kYaml).status, 200);
  EXPECT_EQ(ask("GET", "/v1/resources/gateway.gateway.networking.k8s.io/default/web").status, 404);
  EXPECT_EQ(ask("GET", "/v1/resources/gateway/default/web").status, 200);
}

TEST_F(ApiTest, ValidateReportsAndChangesNothing) {
  Answered bad = ask("POST", "/v1/validate?name=x.yaml", virtual_service("a", -5), kYaml);
  EXPECT_EQ(bad.status, 200);
  EXPECT_EQ(bad.value.at("valid"), false);
  EXPECT_FALSE(bad.value.at("errors").as_array().empty());
  Answered good = ask("POST", "/v1/validate", service("a") + "---\n" + virtual_service("a"), kYaml);
  EXPECT_EQ(good.value.at("valid"), true);
  EXPECT_EQ(good.value.at("objects").as_array().size(), 2u);
  EXPECT_EQ(store_->view()->revision(), 0u);
}

TEST_F(ApiTest, StatusTellsWhoRunsWhat) {
  apply(service("a"));
  proxy(1, "synced", 1);
  proxy(2, "late", 0);
  proxy(3, "refusing", 0, "Error adding listener: no", 1);
  Answered answer = ask("GET", "/v1/status");
  EXPECT_EQ(answer.value.at("revision"), 1);
  EXPECT_EQ(answer.value.at("version"), "1.2.3");
  EXPECT_EQ(answer.value.at("sources").at(0).at("findings").at(0).at("message"), "a fault");
  std::map<std::string, std::string> states;
  for (const json::value& proxy : answer.value.at("proxies").as_array())
    states[std::string(proxy.at("name").as_string())] = std::string(proxy.at("state").as_string());
  EXPECT_EQ(states, (std::map<std::string, std::string>{{"synced", "SYNCED"}, {"late", "STALE"}, {"refusing", "NACK"}}));
  const json::value& refusing = answer.value.at("proxies").at(1);
  EXPECT_EQ(refusing.at("nack"), "lds: Error adding listener: no") << answer.body;
  EXPECT_EQ(refusing.at("types").at("lds").at("nack_revision"), 1);
  EXPECT_EQ(refusing.at("software"), "envoy 1.40.0");
  EXPECT_EQ(ask("GET", "/debug/syncz").value.at(0).at("proxy"), "late.default");
}

TEST_F(ApiTest, WaitEndsWhenAllHaveAcceptedOrOneRefuses) {
  apply(service("a"));
  EXPECT_EQ(ask("GET", "/v1/wait").value.at("proxies"), 0);
  proxy(1, "slow", 0);
  Answered late = ask("GET", "/v1/wait?revision=1&timeout=30ms");
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(late.value.at("error").at("code"), "timeout");
  EXPECT_EQ(late.value.at("behind").at(0).at("name"), "slow");

  Answered waited;
  std::thread waiter([&] { waited = ask("GET", "/v1/wait?revision=1&timeout=20s"); });
  EXPECT_EQ(ask("GET", "/ready").status, 200) << "a wait holds nobody up";
  proxy(1, "slow", 1);
  waiter.join();
  EXPECT_EQ(waited.status, 200) << waited.body;
  EXPECT_EQ(waited.value.at("acked"), true);

  proxy(1, "slow", 0, "no such thing", 1);
  Answered refused = ask("GET", "/v1/wait?revision=1&timeout=20s");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.value.at("behind").at(0).at("nack"), "lds: no such thing");

  xds::ProxyStatus elsewhere;  // hangs, and the revision holds nothing for it
  elsewhere.stream = 1;
  elsewhere.node = acks_.proxies().front().node;
  elsewhere.considered_revision = 1;
  acks_.connected(std::move(elsewhere));
  Answered unaffected = ask("GET", "/v1/wait?revision=1&timeout=20s");
  EXPECT_EQ(unaffected.status, 200) << unaffected.body;
  EXPECT_EQ(unaffected.value.at("affected"), 0);
  EXPECT_EQ(unaffected.value.at("proxies"), 1);
  EXPECT_EQ(ask("GET", "/v1/wait?revision=7").status, 404);
  EXPECT_EQ(ask("GET", "/v1/wait?revision=x").status, 400);
  EXPECT_EQ(ask("GET", "/v1/wait?timeout=1h").status, 400);
}

TEST_F(ApiTest, ProxyConfigShowsWhatWasSent) {
  auto names = std::make_shared<xds::NameTable>();
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name("outbound|80||a");
  cluster.mutable_connect_timeout()->set_seconds(10);
  auto snapshot = std::make_shared<xds::Snapshot>();
  snapshot->revision = 1;
  for (auto& map : snapshot->maps) map = std::make_shared<const xds::ResourceMap>();
  snapshot->maps[index_of(xds::ResourceType::kCluster)] = std::make_shared<const xds::ResourceMap>(std::vector<xds::ResourcePtr>{
      std::make_shared<const xds::Resource>(names, xds::ResourceType::kCluster, cluster.name(), cluster.SerializeAsString())});
  proxy(1, "a-1", 0, "", 0, snapshot);

  for (const char* name : {"a-1", "a-1.default", "sidecar~10.0.0.1~a-1.default~default.svc.cluster.local"}) {
    Answered answer = ask("GET", "/v1/proxies/" + std::string(name) + "/config/clusters");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.value.at("items").at(0).at("resource").at("connect_timeout"), "10s");
  }
  EXPECT_TRUE(ask("GET", "/v1/proxies/a-1/config/routes").value.at("items").as_array().empty());
  EXPECT_TRUE(ask("GET", "/v1/proxies/a-1/config/names").value.at("items").as_array().empty());
  EXPECT_EQ(ask("GET", "/v1/proxies/a-1/config/secrets").status, 404);
  EXPECT_EQ(ask("GET", "/v1/proxies/b/config/routes").status, 404);
  proxy(2, "a-1", 0);
  EXPECT_EQ(ask("GET", "/v1/proxies/a-1/config/routes").status, 200) << "two streams of one node are one proxy";
  proxy(3, "pending", 0);
  EXPECT_TRUE(ask("GET", "/v1/proxies/pending/config/routes").value.at("items").as_array().empty());
}

TEST_F(ApiTest, PagesForMachinesAndUnknownOnes) {
  registry_.declare_gauge("pilot_services", "Services.");
  registry_.set("pilot_services", {}, 3);
  Answered metrics = ask("GET", "/metrics");
  EXPECT_NE(metrics.body.find("pilot_services 3"), std::string::npos);
  EXPECT_NE(metrics.head.find("text/plain; version=0.0.4"), std::string::npos);
  EXPECT_EQ(ask("GET", "/version").value.at("version"), "1.2.3");
  EXPECT_NE(ask("GET", "/").body.find("/v1/apply"), std::string::npos);
  EXPECT_EQ(ask("GET", "/v2").status, 404);
  Answered wrong = ask("DELETE", "/v1/apply");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_NE(wrong.head.find("Allow: POST"), std::string::npos);
  Answered head = ask("HEAD", "/ready");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  api_->close();
  EXPECT_EQ(ask("GET", "/ready").status, 503);
}

TEST_F(ApiTest, BoundsAndStrangers) {
  EXPECT_EQ(ask("POST", "/v1/apply", std::string(100'001, '#'), kYaml).status, 413);
  EXPECT_EQ(ask("GET", "/ready", "", "", "X: " + std::string(20'000, 'x') + "\r\n").status, 431);
  EXPECT_EQ(ask("POST", "/v1/apply", service("a"), kYaml, "Origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(ask("GET", "/ready", "", "", "Host: b\r\n").status, 400) << "two Hosts";
  EXPECT_EQ(raw("GET /ready HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").substr(9, 3), "403");
  EXPECT_EQ(raw("GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n").substr(9, 3), "400");
  EXPECT_EQ(raw("nonsense\r\n\r\n").substr(9, 3), "400");
  EXPECT_EQ(store_->view()->revision(), 0u);
}

TEST_F(ApiTest, ConnectionsAreKeptAndCounted) {
  const std::string two =
      "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\nGET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const std::string answer = raw(two);
  EXPECT_NE(answer.find("\"ready\":true"), std::string::npos);
  EXPECT_NE(answer.find("\"version\":\"1.2.3\""), std::string::npos);
  // Four idle connections take all places; the fifth is closed without an answer.
  std::vector<int> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(open_socket());
    const std::string one = "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send(idle.back(), one.data(), one.size(), MSG_NOSIGNAL);
    char byte;
    EXPECT_EQ(recv(idle.back(), &byte, 1, 0), 1);
  }
  const int fifth = open_socket();
  char byte;
  EXPECT_LE(recv(fifth, &byte, 1, 0), 0);
  close(fifth);
  for (const int fd : idle) close(fd);
}

}  // namespace
}  // namespace weft::api
