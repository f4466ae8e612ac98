// Whole commands: arguments in, requests and text and exit code out.
#include "ctl/commands.h"
#include "ctl/exit_code.h"
#include "tests/unit/ctl/scripted_server.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::ctl {
namespace {

constexpr const char* kGood = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{name: http, port: 80}]\n";
constexpr const char* kDangling =
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [a]\n  http:\n"
    "  - route:\n    - destination: {host: a, subset: v9}\n";
constexpr const char* kFinding =
    R"({"severity":"warning","code":"WEFT0202","alias":"IST0101","message":"no such subset","file":"a.yaml","line":8,"column":3,"source_line":"  x","fix":"add it"})";

class CommandTest : public testing::Test {
 protected:
  CommandTest() {
    char name[] = "/tmp/weft-ctl-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~CommandTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }
  int run(const std::vector<std::string>& args, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out, err;
    const Environment environment{in, out, err, terminal_, terminal_, [this](const char* name) { return variables_[name]; }};
    const int code = ctl::run(args, environment);
    out_ = out.str();
    err_ = err.str();
    return code;
  }
  int ask(std::vector<std::string> args, const std::string& input = "") {
    variables_["WEFT_SERVER"] = server_.url();
    return run(args, input);
  }

  ScriptedServer server_;
  std::string folder_, out_, err_;
  std::map<std::string, std::string> variables_;
  bool terminal_ = false;
};

TEST_F(CommandTest, ApplySendsAllFilesAtOnceAndTellsEachObject) {
  server_.answer("POST /v1/apply", 200,
                 R"({"revision":7,"changed":[{"kind":"Service","namespace":"default","name":"a","change":"created"},
                     {"kind":"VirtualService","namespace":"shop","name":"v","change":"changed"}],
                     "unchanged":[{"kind":"Pod","namespace":"default","name":"p"}],"warnings":[)" +
                     std::string(kFinding) + "]}");
  const std::string a = file("dir/a.yaml", kGood);
  file("dir/b.json", "{}");
  file("dir/notes.txt", "no");
  file("dir/below/c.yaml", "c: 1");
  EXPECT_EQ(ask({"apply", "-f", folder_ + "/dir", "-f", "-"}, "standard: input"), kOk);
  EXPECT_EQ(out_, "service/a created\nvirtualservice/v in shop changed\npod/p unchanged\n");
  EXPECT_NE(err_.find("warning[WEFT0202]: no such subset (# IST0101)\n  --> a.yaml:8:3"), std::string::npos) << err_;
  EXPECT_NE(err_.find("revision 7"), std::string::npos);
  ASSERT_EQ(server_.asked().size(), 1u);
  const json::value body = json::parse(server_.asked().front().body);
  ASSERT_EQ(body.at("files").as_array().size(), 3u);
  EXPECT_EQ(std::string(body.at("files").at(0).at("name").as_string()), a);
  EXPECT_EQ(body.at("files").at(2).at("text"), "standard: input");

  EXPECT_EQ(ask({"apply", "-f", a, "-q", "-o", "name"}), kOk);
  EXPECT_EQ(out_, "service/a\nvirtualservice/v\npod/p\n");
  EXPECT_EQ(err_, "");
  EXPECT_EQ(ask({"apply", "-f", a, "--dry-run"}), kOk);
  EXPECT_NE(out_.find("service/a created (dry run)"), std::string::npos);
  EXPECT_EQ(server_.asked().back().line, "POST /v1/apply?dry_run=true");
  EXPECT_EQ(ask({"apply", "-R", "-f", folder_ + "/dir", "-o", "json"}), kOk);
  EXPECT_EQ(json::parse(server_.asked().back().body).at("files").as_array().size(), 3u);
  EXPECT_EQ(json::parse(out_).at("revision"), 7);
}

TEST_F(CommandTest, ApplyRefusedIsBadInputAndShowsTheFinding) {
  std::string finding = kFinding;
  finding.replace(finding.find("warning"), 7, "error");
  server_.answer("POST /v1/apply", 422,
                 R"({"error":{"code":"invalid","message":"1 error; nothing was changed"},"errors":[)" + finding + R"(],"warnings":[]})");
  const std::string path = file("a.yaml", "x: 1");
  EXPECT_EQ(ask({"apply", "-f", path}), kBadInput);
  EXPECT_EQ(out_, "");
  EXPECT_NE(err_.find("error[WEFT0202]: no such subset"), std::string::npos) << err_;
  EXPECT_NE(err_.find("error: 1 error; nothing was changed"), std::string::npos) << err_;
  server_.answer("POST /v1/apply", 409, R"({"error":{"code":"conflict","message":"comes from the file x"},"errors":[],"warnings":[]})");
  EXPECT_EQ(ask({"apply", "-f", path}), kFailed);
  EXPECT_NE(err_.find("comes from the file x"), std::string::npos);
}

TEST_F(CommandTest, ApplyWaitsAndNamesWhoIsBehind) {
  server_.answer("POST /v1/apply", 200, R"({"revision":7,"changed":[],"unchanged":[],"warnings":[]})");
  server_.answer("GET /v1/wait", 200, R"({"revision":7,"acked":true,"proxies":5,"affected":3,"seconds":0.25,"behind":[]})");
  const std::string path = file("a.yaml", kGood);
  EXPECT_EQ(ask({"apply", "-f", path, "--wait", "--timeout", "3s"}), kOk);
  EXPECT_EQ(server_.asked().back().line, "GET /v1/wait?revision=7&timeout=3000ms");
  EXPECT_NE(err_.find("accepted by 3 affected proxies after 0.25 s"), std::string::npos) << err_;

  server_.answer(
      "GET /v1/wait", 504,
      R"({"error":{"code":"timeout","message":"revision 7 is not accepted yet by n1"},"behind":[{"node":"n1","acked_revision":5,"nack":""}]})");
  EXPECT_EQ(ask({"apply", "-f", path, "--wait"}), kTimedOut);
  EXPECT_NE(err_.find("n1 has revision 5 and has not answered"), std::string::npos) << err_;
  server_.answer(
      "GET /v1/wait", 409,
      R"({"error":{"code":"refused","message":"revision 7 is refused by n1"},"behind":[{"node":"n1","acked_revision":5,"nack":"lds: bad"}]})");
  EXPECT_EQ(ask({"apply", "-f", path, "--wait"}), kFailed);
  EXPECT_NE(err_.find("refuses: lds: bad"), std::string::npos) << err_;
}

TEST_F(CommandTest, UnreadableFilesAreBadInput) {
  EXPECT_EQ(ask({"apply", "-f", folder_ + "/none.yaml"}), kBadInput);
  EXPECT_NE(err_.find("none.yaml: No such file"), std::string::npos) << err_;
  std::filesystem::create_directories(folder_ + "/empty/below");
  file("empty/below/a.yaml", kGood);
  EXPECT_EQ(ask({"apply", "-f", folder_ + "/empty"}), kBadInput);
  EXPECT_NE(err_.find("-R"), std::string::npos) << err_;
  EXPECT_TRUE(server_.asked().empty());
  const std::string blank = file("blank.yaml", "");
  server_.answer("POST /v1/apply", 422, R"({"error":{"code":"invalid","message":"found no object in the text"}})");
  EXPECT_EQ(ask({"apply", "-f", blank}), kBadInput);
  EXPECT_EQ(server_.asked().size(), 1u) << "an empty file can be read";
}

TEST_F(CommandTest, NobodyThereIsThree) {
  variables_["WEFT_SERVER"] = "http://127.0.0.1:1";
  EXPECT_EQ(run({"status"}), kNotReachable);
  EXPECT_NE(err_.find("127.0.0.1:1: Connection refused"), std::string::npos) << err_;
  EXPECT_NE(err_.find("--server"), std::string::npos);
  server_.answer("GET /v1/status", 0, "");
  EXPECT_EQ(run({"status", "--server", server_.url()}), kNotReachable) << "the flag wins over the environment";
  server_.answer("GET /v1/status", 200, "<html>");
  EXPECT_EQ(ask({"status"}), kFailed);
  EXPECT_NE(err_.find("is it weft-control?"), std::string::npos) << err_;
  variables_["WEFT_SERVER"] = "nonsense";
  EXPECT_EQ(run({"status"}), kUsage);
  EXPECT_NE(err_.find("WEFT_SERVER"), std::string::npos);
}

constexpr const char* kList = R"({"revision":3,"items":[
  {"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"canary"},"spec":{"hosts":["a","b","c","d"],"gateways":["gw"]}},
  {"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"name":"http","port":80}]}}],
  "about":[{"kind":"VirtualService","namespace":"default","name":"canary","owner":"api","file":"c.yaml","line":4,"created":2,"revision":3},
  {"kind":"Service","namespace":"default","name":"a","owner":"file","created":1,"revision":1}]})";

TEST_F(CommandTest, GetShowsTablesAndTexts) {
  server_.answer("GET /v1/resources", 200, kList);
  EXPECT_EQ(ask({"get", "all", "-A"}), kOk);
  EXPECT_EQ(out_,
            "NAMESPACE  KIND            NAME    WHAT             REVISION\n"
            "default    VirtualService  canary  a,b,c,+1 via gw  3\n"
            "default    Service         a       80/http          1\n");
  EXPECT_EQ(ask({"get", "vs", "-n", "x y", "-o", "wide"}), kOk);
  EXPECT_EQ(server_.asked().back().line, "GET /v1/resources?kind=VirtualService&name=&namespace=x%20y");
  EXPECT_NE(out_.find("api    c.yaml:4"), std::string::npos) << out_;
  EXPECT_EQ(ask({"get", "all", "-o", "name"}), kOk);
  EXPECT_EQ(out_, "virtualservice/canary\nservice/a\n");
  EXPECT_EQ(ask({"get", "all", "-o", "yaml"}), kOk);
  EXPECT_NE(out_.find("---\napiVersion: v1\nkind: Service\n"), std::string::npos) << out_;
  EXPECT_EQ(ask({"get", "all", "-o", "json"}), kOk);
  EXPECT_EQ(json::parse(out_).at("kind"), "List");

  server_.answer("GET /v1/resources", 200, R"({"items":[],"about":[]})");
  EXPECT_EQ(ask({"get", "vs"}), kOk);
  EXPECT_EQ(out_, "");
  EXPECT_NE(err_.find("no VirtualService in namespace default"), std::string::npos);
  EXPECT_EQ(ask({"get", "vs", "nobody"}), kFailed);
}

TEST_F(CommandTest, DeleteByNameAndByFile) {
  server_.answer("DELETE /v1/resources/VirtualService/default/canary", 200,
                 R"({"revision":9,"changed":[{"kind":"VirtualService","namespace":"default","name":"canary","change":"removed"}]})");
  EXPECT_EQ(ask({"delete", "vs", "canary"}), kOk);
  EXPECT_EQ(out_, "virtualservice/canary removed\n");
  EXPECT_EQ(ask({"delete", "vs", "other"}), kFailed);
  server_.answer("DELETE /v1/resources/Namespace/-/n", 200, R"({"revision":9,"changed":[]})");
  EXPECT_EQ(ask({"delete", "ns/n"}), kOk);
  server_.answer("POST /v1/delete", 200, R"({"revision":9,"changed":[]})");
  EXPECT_EQ(ask({"delete", "-f", file("a.yaml", kGood)}), kOk);
}

TEST_F(CommandTest, ValidateOfflineNeedsNoServer) {
  variables_["WEFT_SERVER"] = "http://127.0.0.1:1";
  const std::string good = file("good.yaml", kGood), dangling = file("dangling.yaml", kDangling),
                    bad = file("bad.yaml", "apiVersion: v1\nkind: Service\nmetadat: {}\n");
  EXPECT_EQ(run({"validate", "--offline", "-f", good}), kOk);
  EXPECT_EQ(out_, "");
  EXPECT_NE(err_.find("1 good object, 0 errors, 0 warnings"), std::string::npos) << err_;
  EXPECT_EQ(run({"validate", "--offline", "-f", good, "-f", dangling}), kOk);
  EXPECT_NE(out_.find("IST0101"), std::string::npos) << out_;
  EXPECT_NE(out_.find("dangling.yaml:8:"), std::string::npos) << out_;
  EXPECT_EQ(run({"validate", "--offline", "-f", good, "-f", dangling, "--fail-on", "warning"}), kFindings);
  EXPECT_EQ(run({"validate", "--offline", "-f", bad, "--fail-on", "warning"}), kBadInput);
  EXPECT_NE(out_.find("bad.yaml:"), std::string::npos) << out_;
  EXPECT_EQ(run({"validate", "--offline", "-f", dangling, "-o", "json", "-q"}), kOk);
  EXPECT_EQ(json::parse(out_).at("valid"), true);
  EXPECT_FALSE(json::parse(out_).at("findings").as_array().empty());
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run({"validate", "-f", good}), kNotReachable);
  EXPECT_NE(err_.find("--offline"), std::string::npos);
}

TEST_F(CommandTest, ValidateOnlineAsksTheServer) {
  server_.answer("POST /v1/validate", 200,
                 R"({"valid":true,"objects":[{"kind":"Service"}],"errors":[],"warnings":[)" + std::string(kFinding) + "]}");
  const std::string path = file("a.yaml", kGood);
  EXPECT_EQ(ask({"validate", "-f", path}), kOk);
  EXPECT_NE(out_.find("warning[WEFT0202]"), std::string::npos);
  EXPECT_EQ(ask({"validate", "-f", path, "--fail-on", "warning"}), kFindings);
}

constexpr const char* kStatus = R"({"name":"weft-control","version":"0.1.0","revision":12,"objects":20,"proxies":[
  {"node":"sidecar~1~a-1.default~x","name":"a-1","namespace":"default","type":"sidecar","state":"SYNCED","sent_revision":12,"acked_revision":12,
   "ack_age_seconds":75.2,"software":"envoy 1.40.0","nack":"","types":{}},
  {"node":"router~1~gw.edge~x","name":"gw","namespace":"edge","type":"router","state":"NACK","sent_revision":12,"acked_revision":11,
   "ack_age_seconds":null,"software":"weft-proxy 0.0.9","nack":"lds: Error adding listener","types":{"lds":{"requested":true,"rejected":true,"acked_revision":11}}}],
  "sources":[{"name":"file","path":"/m","findings":[{"severity":"error","message":"a fault","file":"/m/x.yaml"}]}]})";

TEST_F(CommandTest, StatusIsATableWithWhatIsRefused) {
  server_.answer("GET /v1/status", 200, kStatus);
  EXPECT_EQ(ask({"status"}), kOk);
  EXPECT_EQ(out_,
            "NAME         TYPE     REVISION  ACK AGE  STATE\n"
            "a-1.default  sidecar  12        1m15s    SYNCED\n"
            "gw.edge      router   11 of 12  -        NACK\n"
            "\ngw.edge refuses: lds: Error adding listener\n");
  EXPECT_NE(err_.find("revision 12, 20 objects, 2 proxies"), std::string::npos) << err_;
  EXPECT_NE(err_.find("a fault"), std::string::npos);
  EXPECT_EQ(ask({"status", "gw.edge", "-o", "wide"}), kOk);
  EXPECT_EQ(out_.find("a-1"), std::string::npos);
  EXPECT_NE(out_.find("weft-proxy 0.0.9"), std::string::npos);
  EXPECT_EQ(ask({"status", "nobody"}), kFailed);
  EXPECT_EQ(ask({"status", "a-1", "-o", "json"}), kOk);
  EXPECT_EQ(json::parse(out_).at("proxies").as_array().size(), 1u);
}

TEST_F(CommandTest, ColourOnlyWhereItIsWanted) {
  server_.answer("GET /v1/status", 200, kStatus);
  const auto coloured = [&](std::vector<std::string> args) {
    args.insert(args.begin(), "status");
    ask(args);
    return out_.find("\x1b[32mSYNCED\x1b[0m") != std::string::npos;
  };
  EXPECT_FALSE(coloured({}));
  EXPECT_TRUE(coloured({"--color=always"}));
  terminal_ = true;
  EXPECT_TRUE(coloured({}));
  EXPECT_FALSE(coloured({"--color=never"}));
  variables_["NO_COLOR"] = "1";
  EXPECT_FALSE(coloured({}));
  variables_.erase("NO_COLOR");
  variables_["TERM"] = "dumb";
  EXPECT_FALSE(coloured({}));
}

TEST_F(CommandTest, TextOfOthersCannotDriveTheTerminal) {
  server_.answer("GET /v1/status", 500, R"({"error":{"code":"x","message":"evil \u001b]0;title\u0007"}})");
  EXPECT_EQ(ask({"status"}), kFailed);
  EXPECT_EQ(err_.find('\x1b'), std::string::npos);
}

TEST_F(CommandTest, VersionTellsSkew) {
  server_.answer("GET /v1/status", 200, kStatus);
  EXPECT_EQ(ask({"version"}), kOk);
  EXPECT_EQ(out_, "client   weftctl 0.1.0\nserver   weft-control 0.1.0 at " + server_.url() +
                      "\nproxies  1 x envoy 1.40.0\nproxies  1 x weft-proxy 0.0.9\n");
  EXPECT_NE(err_.find("1 proxy runs weft-proxy 0.0.9"), std::string::npos) << err_;
  std::string old = kStatus;
  old.replace(old.find("0.1.0"), 5, "0.0.1");
  server_.answer("GET /v1/status", 200, old);
  EXPECT_EQ(ask({"version", "-o", "json"}), kOk);
  EXPECT_EQ(json::parse(out_).at("server"), "0.0.1");
  EXPECT_NE(err_.find("use the same version"), std::string::npos) << err_;
}

TEST_F(CommandTest, ProxyConfigOfTheControlPlane) {
  server_.answer(
      "GET /v1/proxies/a-1/config/clusters", 200,
      R"({"revision":3,"items":[{"name":"n","resource":{"name":"outbound|8080|v2|a.default.svc.cluster.local","type":"EDS","lb_policy":"LEAST_REQUEST",
                     "circuit_breakers":{"thresholds":[{"max_connections":100}]},"outlier_detection":{"consecutive_5xx":5}}}]})");
  EXPECT_EQ(ask({"proxy", "config", "clusters", "a-1"}), kOk);
  EXPECT_EQ(out_,
            "SERVICE                      PORT  SUBSET  DIRECTION  TYPE  LB             MAX CONN  OUTLIER\n"
            "a.default.svc.cluster.local  8080  v2      outbound   EDS   LEAST_REQUEST  100       after 5\n");
  server_.answer(
      "GET /v1/proxies/a-1/config/endpoints", 200,
      R"({"revision":3,"items":[{"resource":{"cluster_name":"c","endpoints":[{"locality":{"region":"r","zone":"z"},"lb_endpoints":[
                     {"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":80}}},"health_status":"HEALTHY","load_balancing_weight":3}]}]}}]})");
  EXPECT_EQ(ask({"proxy", "config", "endpoints", "a-1"}), kOk);
  EXPECT_EQ(out_, "ENDPOINT     HEALTH   WEIGHT  LOCALITY  CLUSTER\n10.0.0.1:80  HEALTHY  3       r/z       c\n");
  EXPECT_EQ(ask({"proxy", "config", "endpoints", "a-1", "-o", "yaml"}), kOk);
  EXPECT_NE(out_.find("- cluster_name: c"), std::string::npos) << out_;
  EXPECT_EQ(ask({"proxy", "config", "routes", "nobody"}), kFailed);
}

TEST_F(CommandTest, ProxyConfigOfAnAdminPage) {
  server_.answer("GET /config_dump", 200, R"({"configs":[
    {"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","static_listeners":[{"listener":{"name":"s","address":{"socket_address":{"address":"127.0.0.1","port_value":1}}}}],
     "dynamic_listeners":[{"name":"d","active_state":{"listener":{"name":"d","traffic_direction":"INBOUND","address":{"socket_address":{"address":"127.0.0.1","port_value":2}},
       "filter_chains":[{"filters":[{"typed_config":{"@type":"x/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy","cluster":"inbound|2||"}}]}]}}}]},
    {"@type":"type.googleapis.com/envoy.admin.v3.RoutesConfigDump","dynamic_route_configs":[{"route_config":{"name":"8080","virtual_hosts":[{"domains":["a","a:8080"],"routes":[
      {"match":{"prefix":"/","headers":[{"name":"end-user","string_match":{"exact":"jason"}}]},"route":{"cluster":"c","timeout":"3s"},
       "metadata":{"filter_metadata":{"istio":{"config":"/apis/x/namespaces/default/virtual-service/v"}}}},
      {"match":{"path":"/x"},"direct_response":{"status":418}}]}]}}]}]})");
  EXPECT_EQ(run({"proxy", "config", "listeners", server_.url()}), kOk);
  EXPECT_EQ(out_,
            "NAME  ADDRESS      DIRECTION  DESTINATION\n"
            "s     127.0.0.1:1  -          -\n"
            "d     127.0.0.1:2  INBOUND    cluster inbound|2||\n");
  EXPECT_EQ(run({"proxy", "config", "routes", server_.url() + "/"}), kOk);
  EXPECT_EQ(out_,
            "ROUTES  DOMAIN  MATCH              ACTION        RULE\n"
            "8080    a +1    /* end-user=jason  c timeout 3s  default/virtual-service/v\n"
            "8080    a +1    /x                 answer 418    -\n");
  EXPECT_EQ(run({"proxy", "config", "endpoints", server_.url()}), kOk);
  EXPECT_EQ(server_.asked().back().line, "GET /config_dump?include_eds");
  EXPECT_EQ(run({"proxy", "config", "clusters", "https://127.0.0.1:1"}), kUsage);
}

TEST_F(CommandTest, DiffTellsObjectsAndProxies) {
  const std::string path = file("a.yaml", kGood);
  server_.answer(
      "POST /v1/diff", 200,
      R"({"revision":3,"connected":2,"warnings":[],"objects":[{"kind":"Service","namespace":"default","name":"a","change":"changed",
                     "diff":"@@ -1,1 +1,1 @@\n-x\n+y\n"}],"proxies":[{"node":"n","name":"app-1","namespace":"default",
                     "changes":{"routes":{"added":["90"],"changed":["80"],"removed":[]}}}]})");
  EXPECT_EQ(ask({"diff", "-f", path}), kFailed) << "as kubectl: 1 is a difference";
  EXPECT_EQ(out_,
            "changed Service default/a\n@@ -1,1 +1,1 @@\n-x\n+y\n1 of 2 proxies are sent something: + added, ~ changed, - removed\n"
            "  app-1.default\n    routes  +90 ~80\n");
  EXPECT_EQ(ask({"diff", "-f", path, "-o", "json"}), kFailed);
  EXPECT_EQ(server_.asked().back().line, "POST /v1/diff?detail=true");
  server_.answer("POST /v1/diff", 200, R"({"revision":3,"connected":2,"warnings":[],"objects":[],"proxies":[]})");
  EXPECT_EQ(ask({"diff", "-f", path}), kOk);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(ask({"diff", "-f", folder_ + "/none.yaml"}), kBadInput);
}

TEST_F(CommandTest, RollbackTellsWhatCameBack) {
  server_.answer(
      "POST /v1/rollback", 200,
      R"({"revision":9,"dry_run":false,"warnings":[],"changed":[{"kind":"Service","namespace":"default","name":"a","change":"removed"}]})");
  EXPECT_EQ(ask({"rollback", "7"}), kOk);
  EXPECT_EQ(server_.asked().back().line, "POST /v1/rollback?to=7");
  EXPECT_EQ(out_, "service/a removed\n");
  EXPECT_NE(err_.find("revision 9 has the objects of 7"), std::string::npos);
  server_.answer("POST /v1/rollback", 409, R"({"error":{"code":"conflict","message":"comes from the file x"},"errors":[],"warnings":[]})");
  EXPECT_EQ(ask({"rollback", "7"}), kFailed);
  EXPECT_NE(err_.find("comes from the file x"), std::string::npos);
  EXPECT_EQ(ask({"rollback"}), kUsage);
}

TEST_F(CommandTest, RouteTestShowsWhatStandsInTheWay) {
  server_.answer(
      "POST /v1/route-test", 200,
      R"({"node":"n1","revision":4,"configuration":"80","request":{"method":"GET","authority":"shop","path":"/a"},"virtual_host":"shop:80",
                     "domain":"shop","notes":[],"routes":[{"name":"x","matches":false,"rule":{"kind":"VirtualService","namespace":"default",
                     "name":"shop","field":"spec.http[0].match[0]","file":"shop.yaml","line":12},"conditions":[{"text":"path is /a","found":"/a",
                     "holds":true,"certain":true},{"text":"header h is \"1\"","found":"absent","holds":false,"certain":true}]},{"name":"y",
                     "matches":true,"rule":null,"conditions":[]}],"action":{"kind":"forward","path":"/b","authority":"shop","settings":["timeout 1s"],
                     "mirrors":[],"destinations":[{"cluster":"outbound|80|v1|shop","percent":100,"host":"shop","port":"80","subset":"v1",
                     "exists":true,"healthy_endpoints":2}]}})");
  EXPECT_EQ(ask({"route", "test", "GET", "http://shop/a", "-H", "x: y: z", "-H", ":authority: b", "--from", "app-1"}), kOk);
  const json::value body = json::parse(server_.asked().back().body);
  EXPECT_EQ(json::serialize(body.at("headers")), R"([["x","y: z"],[":authority","b"]])");
  EXPECT_EQ(out_,
            "GET http://shop/a from n1, revision 4\nvirtual host shop:80 (by shop)\n"
            "- x  shop.yaml:12  VirtualService default/shop  spec.http[0].match[0]\n    no   header h is \"1\"; it is absent\n+ y\n"
            "  to shop:80 subset v1  100 %  2 healthy endpoints\n  path /b\n  timeout 1s\n");
  EXPECT_EQ(ask({"route", "test", "GET", "http://shop/a", "-H", "nocolon", "--from", "app-1"}), kUsage);
  EXPECT_EQ(ask({"route", "test", "GET", "http://shop/a"}), kUsage);
}

TEST_F(CommandTest, AnalyzeAsksForAllOrLooksAtFiles) {
  server_.answer("GET /v1/analyze", 200, R"({"revision":4,"objects":3,"errors":[],"warnings":[)" + std::string(kFinding) + "]}");
  EXPECT_EQ(ask({"analyze"}), kOk);
  EXPECT_NE(out_.find("warning[WEFT0202]: no such subset (# IST0101)"), std::string::npos);
  EXPECT_EQ(ask({"analyze", "--fail-on", "warning"}), kFindings);
  EXPECT_EQ(run({"analyze", "--offline", "-f", file("v.yaml", kDangling)}), kOk);
  EXPECT_NE(out_.find("IST0101"), std::string::npos);
  EXPECT_EQ(run({"analyze", "--offline"}), kUsage);
}

TEST_F(CommandTest, HistoryTellsCauses) {
  server_.answer(
      "GET /v1/history?limit=2", 200,
      R"({"revisions":[{"revision":2,"time":"T","cause":"apply by weftctl: a.yaml","changes":[{"kind":"Service","name":"a","change":"created"}]}]})");
  EXPECT_EQ(ask({"history", "--limit", "2", "-v"}), kOk);
  EXPECT_EQ(out_,
            "REVISION  TIME  WHO  CAUSE                     CHANGES\n2         T     -    apply by weftctl: a.yaml  service/a created\n");
  EXPECT_NE(err_.find("GET " + server_.url() + "/v1/history?limit=2 -> 200"), std::string::npos) << err_;
}

TEST(AgeText, IsShort) {
  EXPECT_EQ(age_text(0.24), "0.2s");
  EXPECT_EQ(age_text(59), "59s");
  EXPECT_EQ(age_text(190), "3m10s");
  EXPECT_EQ(age_text(7500), "2h5m");
  EXPECT_EQ(age_text(526000), "6d2h");
  EXPECT_EQ(age_text(-1), "-");
}

}  // namespace
}  // namespace weft::ctl
