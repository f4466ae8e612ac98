// The API's answers about change: diff, rollback, route tests, analysis. Asked without a socket.
#include "controlplane/api/api.h"
#include "controlplane/api/line_diff.h"
#include "controlplane/push/snapshots.h"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace weft::api {
namespace {

namespace json = boost::json;

std::string service(const std::string& name, int port = 8080) {
  return "apiVersion: v1\nkind: Service\nmetadata:\n  name: " + name +
         "\nspec:\n  ports:\n  - name: http\n    port: " + std::to_string(port) + "\n";
}
std::string rule(const std::string& name, const std::string& timeout) {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: " + name +
         "\nspec:\n  hosts: [shop]\n  http:\n  - name: users\n    match: [{headers: {x-user: {exact: jo}}}]\n    route: [{destination: "
         "{host: shop}}]\n"
         "  - name: rest\n    timeout: " +
         timeout + "\n    route: [{destination: {host: shop, subset: v9}}]\n";
}

class ChangesApi : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::Store::open(":memory:");
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    api_ = std::make_unique<Api>(Services{*store_, acks_, registry_, "1.2.3", {}});
  }

  Task<void> answer(Request request, Reply& out) { out = co_await api_->answer(std::move(request)); }
  json::value ask(const std::string& method, const std::string& target, const std::string& body = "", int status = 200) {
    Request request;
    request.method = method;
    EXPECT_TRUE(parse_target(target, request));
    request.body = body;
    request.content_type = body.starts_with("{") ? "application/json" : "application/yaml";
    request.user_agent = "test/1";
    request.user = "ada@laptop";
    Reply reply;
    asio::io_context loop;
    spawn(loop.get_executor(), "ask", answer(std::move(request), reply));
    loop.run();
    EXPECT_EQ(reply.status, status) << target << "\n" << reply.body;
    return json::parse(reply.body);
  }
  // A connected proxy that has been sent what stands now.
  void connect(const std::string& name, const std::string& ns = "default") {
    xds::ProxyStatus status;
    status.stream = ++streams_;
    auto node =
        model::parse_node("sidecar~127.0.0.7~" + name + "." + ns + "~" + ns + ".svc.cluster.local", "", R"({"INTERCEPTION_MODE":"NONE"})");
    ASSERT_TRUE(node);
    status.node = std::make_shared<const model::Node>(*node);
    snapshots_.set_view(store_->view(), nullptr, {});
    push::Snapshots::Held held;
    held.node = status.node;
    status.snapshot = snapshots_.snapshot_of(held);
    acks_.connected(status);
  }

  xds::AckStatus acks_;
  observe::PrometheusRegistry registry_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Api> api_;
  push::Snapshots snapshots_{std::make_shared<xds::NameTable>()};
  xds::StreamId streams_ = 0;
};

TEST(LineDiff, IsThatOfDiffU) {
  EXPECT_EQ(line_diff("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(line_diff("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
  EXPECT_EQ(line_diff("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
  EXPECT_EQ(line_diff("1\n2\n3\n4\n5\n6\n", "1\n2\n3\nx\n5\n6\n"), "@@ -1,6 +1,6 @@\n 1\n 2\n 3\n-4\n+x\n 5\n 6\n");
  std::string before, after;
  for (int i = 0; i < 30; ++i) {
    before += std::to_string(i) + "\n";
    after += (i == 2 || i == 25 ? "x" : std::to_string(i)) + "\n";
  }
  EXPECT_EQ(line_diff(before, after),
            "@@ -1,6 +1,6 @@\n 0\n 1\n-2\n+x\n 3\n 4\n 5\n@@ -23,7 +23,7 @@\n 22\n 23\n 24\n-25\n+x\n 26\n 27\n 28\n");
}

TEST_F(ChangesApi, DiffTellsObjectsAndProxies) {
  ask("POST", "/v1/apply", service("shop") + "---\n" + rule("r", "1s"));
  connect("a");
  connect("b", "other");
  auto diff = ask("POST", "/v1/diff?detail=true", rule("r", "2s") + "---\n" + service("new", 7070));
  const json::array& objects = diff.at("objects").as_array();
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0].at("change"), "created");
  EXPECT_EQ(objects[1].at("change"), "changed");
  EXPECT_NE(std::string(objects[1].at("diff").as_string()).find("-    timeout: 1s\n+    timeout: 2s\n"), std::string::npos);
  ASSERT_EQ(diff.at("proxies").as_array().size(), 2u);
  const json::value& changes = diff.at("proxies").at(0).at("changes");
  EXPECT_EQ(json::serialize(changes.at("routes")), R"({"added":["7070"],"changed":["8080"],"removed":[]})");
  EXPECT_EQ(json::serialize(changes.at("clusters").at("added")), R"(["outbound|7070||new.default.svc.cluster.local"])");
  bool told = false;
  for (const json::value& resource : diff.at("resources").as_array())
    told = told || std::string(resource.at("diff").as_string()).find("+      \"timeout\": \"2s\"") != std::string::npos ||
           std::string(resource.at("diff").as_string()).find("\"timeout\": \"2s\"") != std::string::npos;
  EXPECT_TRUE(told);
  EXPECT_EQ(store_->view()->revision(), 1u) << "nothing changed";
  diff = ask("POST", "/v1/diff", service("shop"));
  EXPECT_TRUE(diff.at("objects").as_array().empty());
  EXPECT_TRUE(diff.at("proxies").as_array().empty());
  ask("POST", "/v1/diff", "kind: Service\n", 422);
}

TEST_F(ChangesApi, RollbackGoesBackWholeAndSaysWho) {
  ask("POST", "/v1/apply", service("shop"));
  ask("POST", "/v1/apply", service("shop", 9090) + "---\n" + service("second"));
  auto back = ask("POST", "/v1/rollback?to=1&dry_run=true");
  EXPECT_EQ(back.at("objects").as_array().size(), 2u);
  EXPECT_EQ(store_->view()->revision(), 2u);
  back = ask("POST", "/v1/rollback?to=1");
  EXPECT_EQ(back.at("revision"), 3);
  EXPECT_EQ(json::serialize(back.at("changed")), R"([{"kind":"Service","namespace":"default","name":"second","change":"removed"},)"
                                                 R"({"kind":"Service","namespace":"default","name":"shop","change":"changed"}])");
  EXPECT_EQ(store_->view()->services().size(), 1u);
  EXPECT_EQ(store_->view()->services()[0]->ports[0].number, 8080u);
  const json::value newest = ask("GET", "/v1/history?limit=1").at("revisions").at(0);
  EXPECT_EQ(newest.at("cause"), "rollback to revision 1 by test");
  EXPECT_EQ(newest.at("author"), "ada@laptop");
  EXPECT_TRUE(ask("POST", "/v1/rollback?to=3").at("changed").as_array().empty());
  ask("POST", "/v1/rollback?to=9", "", 404);
  ask("POST", "/v1/rollback?to=x", "", 400);
}

TEST_F(ChangesApi, RouteTestNamesTheRuleAndItsLine) {
  const std::string file = json::serialize(
      json::object{{"files", json::array{json::object{{"name", "shop.yaml"}, {"text", service("shop") + "---\n" + rule("r", "1s")}}}}});
  ask("POST", "/v1/apply", file);
  connect("a");
  auto tried = ask("POST", "/v1/route-test", R"({"from":"a.default","url":"http://shop:8080/x?y","headers":[["X-User","ann"]]})");
  EXPECT_EQ(tried.at("virtual_host"), "shop.default.svc.cluster.local:8080");
  ASSERT_EQ(tried.at("routes").as_array().size(), 2u);
  EXPECT_EQ(tried.at("routes").at(0).at("matches"), false);
  EXPECT_EQ(tried.at("routes").at(0).at("conditions").at(1).at("text"), "header x-user is \"jo\"");
  EXPECT_EQ(tried.at("routes").at(0).at("conditions").at(1).at("found"), "\"ann\"");
  EXPECT_EQ(tried.at("routes").at(1).at("matches"), true);
  EXPECT_EQ(tried.at("routes").at(1).at("rule").at("field"), "spec.http[1]");
  EXPECT_EQ(tried.at("routes").at(1).at("rule").at("file"), "shop.yaml");
  EXPECT_EQ(tried.at("routes").at(1).at("rule").at("line"), 20);
  const json::value& to = tried.at("action").at("destinations").at(0);
  EXPECT_EQ(to.at("subset"), "v9");
  EXPECT_EQ(to.at("exists"), false) << "nobody defines the subset";
  EXPECT_TRUE(tried.at("notes").as_array().empty());

  tried = ask("POST", "/v1/route-test", R"({"from":"a","url":"http://shop/","headers":[["x-user","jo"]]})");
  EXPECT_NE(std::string(tried.at("notes").at(0).as_string()).find("the URL names no port; 8080 is the only one"), std::string::npos);
  EXPECT_EQ(tried.at("action").at("destinations").at(0).at("exists"), true);
  EXPECT_EQ(tried.at("action").at("destinations").at(0).at("healthy_endpoints"), 0);

  ask("POST", "/v1/apply", rule("r", "9s"));
  tried = ask("POST", "/v1/route-test", R"({"from":"a","url":"http://shop:8080/"})");
  EXPECT_EQ(tried.at("action").at("settings").at(0), "timeout 1s") << "what the proxy runs, not what it will";
  EXPECT_TRUE(tried.at("routes").at(0).at("rule").is_null());
  EXPECT_NE(std::string(tried.at("notes").at(0).as_string()).find("revision 2 is not sent yet"), std::string::npos);

  ask("POST", "/v1/route-test", R"({"from":"nobody","url":"http://shop:8080/"})", 404);
  ask("POST", "/v1/route-test", R"({"from":"a","url":"http://shop:99/"})", 422);
  ask("POST", "/v1/route-test", R"({"from":"a","url":"shop"})", 400);
  ask("POST", "/v1/route-test", R"({"from":"a","url":"http://shop:8080/","headers":{"a":"b"}})", 400);
  ask("POST", "/v1/route-test", "[", 400);
}

TEST_F(ChangesApi, AnalyzeLooksAtAllObjects) {
  ask("POST", "/v1/apply", service("shop") + "---\n" + rule("r", "1s"));
  const auto found = ask("GET", "/v1/analyze");
  EXPECT_EQ(found.at("objects"), 2);
  ASSERT_EQ(found.at("warnings").as_array().size(), 1u);
  EXPECT_EQ(found.at("warnings").at(0).at("alias"), "IST0101");
}

}  // namespace
}  // namespace weft::api
