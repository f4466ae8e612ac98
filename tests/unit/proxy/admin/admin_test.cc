// The pages over a real socket, with a source that tells what a running Envoy 1.40 was asked about; what is expected was
// printed by that Envoy.
#include "common/base/log.h"
#include "common/observe/metrics.h"
#include "common/observe/shapes.h"
#include "envoy/admin/v3/server_info.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "proxy/admin/admin_server.h"
#include "proxy/admin/admin_source.h"

#include <gtest/gtest.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <thread>

namespace weft::admin {
namespace {

struct FakeSource final : AdminSource {
  ServerView server_view;
  std::vector<ClusterView> cluster_views;
  ConfigView config_view;
  std::vector<std::string> calls;

  ServerView server() override { return server_view; }
  std::vector<ClusterView> clusters() override { return cluster_views; }
  std::vector<ListenerView> listeners() override { return {{"web", {"127.0.0.1:43303"}}, {"tcp", {"127.0.0.1:40513"}}}; }
  ConfigView config(bool with_endpoints) override {
    ConfigView view = config_view;
    if (!with_endpoints) std::erase_if(view.entries, [](const ConfigEntry& e) { return e.kind == ConfigEntry::Kind::kEndpoint; });
    return view;
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> unready() override { return unready_targets; }
  RuntimeView runtime() override { return runtime_view; }
  std::string modify_runtime(const std::vector<std::pair<std::string, std::string>>& texts) override {
    modified = texts;
    return why_not;
  }
  RuntimeView runtime_view;
  std::vector<std::pair<std::string, std::string>> modified;
  std::string why_not;
  void refresh_stats() override { calls.push_back("refresh"); }
  void drain_listeners(bool graceful, bool skip_exit, bool inbound_only) override {
    calls.push_back("drain" + std::string(graceful ? " graceful" : "") + (skip_exit ? " skip_exit" : "") +
                    (inbound_only ? " inbound" : ""));
  }
  void fail_health_check(bool fail) override { server_view.state = fail ? ServerState::kDraining : ServerState::kLive; }
  void reopen_logs() override { calls.push_back("reopen"); }
  void quit() override { calls.push_back("quit"); }
  std::vector<std::pair<std::string, std::vector<std::string>>> unready_targets;
};

struct Answer {
  int status = 0;
  std::string head, body;
};

class AdminTest : public testing::Test {
 protected:
  void SetUp() override {
    ClusterView svc;
    svc.name = svc.observability_name = "svc";
    svc.outlier_detection = true;
    svc.default_priority.max_retries = 5;
    HostView host;
    host.address = "127.0.0.1:18080";
    host.cx_active = host.cx_total = 1;
    host.rq_success = host.rq_total = 3;
    svc.hosts.push_back(host);
    source_.cluster_views.push_back(svc);
    start({});
  }
  void start(AdminOptions options) {
    server_ = std::make_unique<AdminServer>(io_.get_executor(), source_, registry_, options);
    auto status = server_->listen();
    ASSERT_TRUE(status) << status.error().detail;
  }
  void TearDown() override {
    server_->stop();
    io_.restart();
    io_.run();
  }

  asio::ip::tcp::endpoint endpoint() {
    std::string address = server_->address();
    return {asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))};
  }
  // Sends the bytes and reads until the server closes; the server runs on this thread meanwhile.
  std::string talk(const std::string& bytes) {
    std::string got;
    std::thread client([&] {
      asio::io_context io;
      asio::ip::tcp::socket socket(io);
      socket.connect(endpoint());
      boost::system::error_code error;
      asio::write(socket, asio::buffer(bytes), error);
      asio::read(socket, asio::dynamic_buffer(got), error);
      asio::post(io_, [this] { io_.stop(); });
    });
    io_.restart();
    io_.run();
    client.join();
    return got;
  }
  Answer ask(const std::string& method, const std::string& target, const std::string& extra = "") {
    std::string got = talk(method + " " + target + " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + extra + "\r\n");
    Answer answer;
    size_t end = got.find("\r\n\r\n");
    if (end == std::string::npos) return answer;
    answer.head = got.substr(0, end);
    answer.body = got.substr(end + 4);
    answer.status = std::stoi(got.substr(9, 3));
    return answer;
  }
  Answer get(const std::string& target) { return ask("GET", target); }
  Answer post(const std::string& target) { return ask("POST", target, "content-length: 0\r\n"); }

  asio::io_context io_{1};
  FakeSource source_;
  observe::Registry registry_{2};
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminTest, UnknownPathsTellThePages) {
  Answer answer = get("/nope");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body.rfind("invalid path. admin commands are:\n  /: Admin home page\n  /certs: print certs on machine\n", 0), 0u);
  EXPECT_EQ(get("/help").body, answer.body.substr(std::string("invalid path. ").size()));
  EXPECT_NE(answer.head.find("x-content-type-options: nosniff"), std::string::npos);
  EXPECT_NE(answer.head.find("Content-Type: text/plain; charset=UTF-8"), std::string::npos);
  EXPECT_NE(get("/").body.find("<form action='quitquitquit' method='post'>"), std::string::npos);
}

TEST_F(AdminTest, MutationsNeedPost) {
  for (const char* path :
       {"/healthcheck/fail", "/healthcheck/ok", "/quitquitquit", "/drain_listeners", "/reset_counters", "/logging", "/reopen_logs"}) {
    Answer answer = get(path);
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_EQ(answer.body, "Method GET not allowed, POST required.") << path;
  }
  EXPECT_TRUE(source_.calls.empty());
  EXPECT_EQ(post("/drain_listeners?graceful&skip_exit").body, "OK\n");
  EXPECT_EQ(post("/quitquitquit").body, "OK\n");
  EXPECT_EQ(post("/reopen_logs").body, "OK\n");
  EXPECT_EQ(source_.calls, (std::vector<std::string>{"drain graceful skip_exit", "quit", "reopen"}));
}

TEST_F(AdminTest, ReadinessFollowsTheHealthCheckSwitch) {
  EXPECT_EQ(get("/ready").body, "LIVE\n");
  EXPECT_EQ(post("/healthcheck/fail").body, "OK\n");
  Answer answer = get("/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "DRAINING\n");
  EXPECT_EQ(post("/healthcheck/ok").body, "OK\n");
  EXPECT_EQ(get("/ready").status, 200);
  Answer head = ask("HEAD", "/ready");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(AdminTest, ListsListeners) {
  EXPECT_EQ(get("/listeners").body, "web::127.0.0.1:43303\ntcp::127.0.0.1:40513\n");
  EXPECT_EQ(get("/listeners?format=json").body,
            "{\n \"listener_statuses\": [\n  {\n   \"name\": \"web\",\n   \"local_address\": {\n    \"socket_address\": {\n"
            "     \"address\": \"127.0.0.1\",\n     \"port_value\": 43303\n    }\n   }\n  },\n  {\n   \"name\": \"tcp\",\n"
            "   \"local_address\": {\n    \"socket_address\": {\n     \"address\": \"127.0.0.1\",\n     \"port_value\": 40513\n    }\n"
            "   }\n  }\n ]\n}\n");
}

TEST_F(AdminTest, ShowsClustersAsText) {
  EXPECT_EQ(get("/clusters").body,
            "svc::observability_name::svc\n"
            "svc::outlier::success_rate_average::-1\nsvc::outlier::success_rate_ejection_threshold::-1\n"
            "svc::outlier::local_origin_success_rate_average::-1\nsvc::outlier::local_origin_success_rate_ejection_threshold::-1\n"
            "svc::default_priority::max_connections::1024\nsvc::default_priority::max_pending_requests::1024\n"
            "svc::default_priority::max_requests::1024\nsvc::default_priority::max_retries::5\n"
            "svc::high_priority::max_connections::1024\nsvc::high_priority::max_pending_requests::1024\n"
            "svc::high_priority::max_requests::1024\nsvc::high_priority::max_retries::3\nsvc::added_via_api::false\n"
            "svc::127.0.0.1:18080::cx_active::1\nsvc::127.0.0.1:18080::cx_connect_fail::0\nsvc::127.0.0.1:18080::cx_total::1\n"
            "svc::127.0.0.1:18080::rq_active::0\nsvc::127.0.0.1:18080::rq_error::0\nsvc::127.0.0.1:18080::rq_pending_active::0\n"
            "svc::127.0.0.1:18080::rq_success::3\nsvc::127.0.0.1:18080::rq_timeout::0\nsvc::127.0.0.1:18080::rq_total::3\n"
            "svc::127.0.0.1:18080::hostname::\nsvc::127.0.0.1:18080::health_flags::healthy\nsvc::127.0.0.1:18080::weight::1\n"
            "svc::127.0.0.1:18080::region::\nsvc::127.0.0.1:18080::zone::\nsvc::127.0.0.1:18080::sub_zone::\n"
            "svc::127.0.0.1:18080::canary::false\nsvc::127.0.0.1:18080::priority::0\nsvc::127.0.0.1:18080::success_rate::-1\n"
            "svc::127.0.0.1:18080::local_origin_success_rate::-1\n");
  source_.cluster_views[0].hosts[0].failed_outlier_check = true;
  source_.cluster_views[0].hosts[0].eds_health = 2;
  EXPECT_NE(get("/clusters").body.find("health_flags::/failed_outlier_check/failed_eds_health\n"), std::string::npos);
  EXPECT_EQ(get("/clusters?filter=other").body, "");
}

TEST_F(AdminTest, ShowsClustersAsJson) {
  std::string body = get("/clusters?format=json").body;
  EXPECT_EQ(body.rfind("{\n \"cluster_statuses\": [\n  {\n   \"name\": \"svc\",\n   \"host_statuses\": [\n    {\n     \"address\": {\n", 0),
            0u)
      << body;
  EXPECT_NE(body.find("      {\n       \"value\": \"3\",\n       \"name\": \"rq_total\"\n      },\n"
                      "      {\n       \"type\": \"GAUGE\",\n       \"value\": \"1\",\n       \"name\": \"cx_active\"\n      },\n"),
            std::string::npos)
      << body;
  EXPECT_NE(
      body.find(
          "     \"health_status\": {\n      \"eds_health_status\": \"HEALTHY\"\n     },\n     \"weight\": 1,\n     \"locality\": {}\n"),
      std::string::npos)
      << body;
  EXPECT_NE(body.find("   \"observability_name\": \"svc\"\n"), std::string::npos);
}

TEST_F(AdminTest, StatsAreRefreshedAndReset) {
  auto cluster = observe::cluster_scope(registry_, "svc");
  cluster->cells(1).add(observe::ClusterStat::kUpstreamRqTotal, 3);
  EXPECT_EQ(get("/stats?filter=%5Ecluster.svc.upstream_rq_total%24").body, "cluster.svc.upstream_rq_total: 3\n");
  EXPECT_EQ(source_.calls, std::vector<std::string>{"refresh"});
  Answer json = get("/stats?filter=upstream_rq_total&format=json");
  EXPECT_EQ(json.body, "{\"stats\":[{\"name\":\"cluster.svc.upstream_rq_total\",\"value\":3}]}");
  EXPECT_NE(json.head.find("application/json"), std::string::npos);
  EXPECT_NE(get("/stats/prometheus").body.find("envoy_cluster_upstream_rq_total{envoy_cluster_name=\"svc\"} 3\n"), std::string::npos);
  Answer bad = get("/stats?filter=%5B");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.body, "Invalid re2 regex: missing ]: [");
  EXPECT_EQ(get("/stats?format=bogus").status, 400);
  EXPECT_EQ(post("/reset_counters").body, "OK\n");
  EXPECT_EQ(get("/stats?filter=svc.upstream_rq_total").body, "cluster.svc.upstream_rq_total: 0\n");
}

TEST_F(AdminTest, ChangesLogLevels) {
  Answer shown = post("/logging");
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.body.rfind("active loggers:\n  admin: info\n", 0), 0u);
  EXPECT_NE(post("/logging?pool=debug").body.find("  pool: debug\n"), std::string::npos);
  EXPECT_NE(post("/logging?paths=pool:warning,http:trace").body.find("  pool: warning\n"), std::string::npos);
  Answer bad = post("/logging?pool=loud");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.body.rfind("error: unknown logger level\n\nusage: /logging?<name>=<level> (change single level)\n", 0), 0u);
  EXPECT_EQ(post("/logging?bogus=info").body.rfind("error: unknown logger name\n", 0), 0u);
  EXPECT_EQ(post("/logging?level=info&pool=info").body.rfind("error: invalid number of parameters\n", 0), 0u);
  EXPECT_EQ(ask("POST", "/logging", "content-type: application/x-www-form-urlencoded\r\ncontent-length: 10\r\n\r\nlevel=info").status, 200);
  EXPECT_EQ(post("/logging?level=info").status, 200);
}

ConfigEntry entry(ConfigEntry::Kind kind, const google::protobuf::Message& message, std::string name, std::string version) {
  ConfigEntry e;
  e.kind = kind;
  e.name = std::move(name);
  e.type_url = "type.googleapis.com/" + message.GetTypeName();
  e.bytes = message.SerializeAsString();
  e.version = std::move(version);
  e.from_bootstrap = e.version.empty();
  e.last_updated = WallTime(std::chrono::milliseconds(1795259208996));
  return e;
}

TEST_F(AdminTest, DumpsConfiguration) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name("svc");
  source_.config_view.entries.push_back(entry(ConfigEntry::Kind::kCluster, cluster, "svc", ""));
  envoy::config::listener::v3::Listener listener;
  listener.set_name("web");
  listener.set_stat_prefix("p");
  ConfigEntry dynamic = entry(ConfigEntry::Kind::kListener, listener, "web", "7");
  dynamic.error_details = "no such filter";
  dynamic.error_version = "8";
  source_.config_view.entries.push_back(dynamic);

  Answer all = get("/config_dump");
  EXPECT_EQ(all.status, 200);
  EXPECT_NE(all.body.find("   \"@type\": \"type.googleapis.com/envoy.admin.v3.ClustersConfigDump\",\n   \"static_clusters\": [\n    {\n"
                          "     \"cluster\": {\n      \"@type\": \"type.googleapis.com/envoy.config.cluster.v3.Cluster\",\n"
                          "      \"name\": \"svc\"\n     },\n     \"last_updated\": \"2026-11-21T11:06:48.996Z\"\n    }\n   ]\n"),
            std::string::npos)
      << all.body;
  EXPECT_NE(all.body.find("\"details\": \"no such filter\""), std::string::npos);
  EXPECT_NE(all.body.find("\"client_status\": \"NACKED\""), std::string::npos);

  EXPECT_EQ(
      get("/config_dump?resource=dynamic_listeners&mask=name,active_state.listener.name").body,
      "{\n \"configs\": [\n  {\n   \"@type\": \"type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener\",\n"
      "   \"name\": \"web\",\n   \"active_state\": {\n    \"listener\": {\n"
      "     \"@type\": \"type.googleapis.com/envoy.config.listener.v3.Listener\",\n     \"name\": \"web\"\n    }\n   }\n  }\n ]\n}\n");
  EXPECT_EQ(get("/config_dump?resource=static_clusters&name_regex=other").body, "{}\n");
  Answer unknown = get("/config_dump?resource=bogus");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, "bogus not found in config dump");
  Answer mask = get("/config_dump?mask=bogus");
  EXPECT_EQ(mask.status, 400);
  EXPECT_EQ(mask.body, "FieldMask bogus could not be successfully applied to any configs.");
  EXPECT_EQ(get("/config_dump?name_regex=%5B").body, "INVALID_ARGUMENT: Error while parsing name_regex from [: missing ]: [");
}

TEST_F(AdminTest, NeverShowsSecrets) {
  envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext tls;
  auto& certificate = *tls.mutable_common_tls_context()->add_tls_certificates();
  certificate.mutable_private_key()->set_inline_string("VERY-PRIVATE");
  certificate.mutable_password()->set_inline_bytes("SESAME-OPEN");
  certificate.mutable_certificate_chain()->set_inline_string("public chain");
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name("tls");
  cluster.mutable_transport_socket()->set_name("envoy.transport_sockets.tls");
  cluster.mutable_transport_socket()->mutable_typed_config()->PackFrom(tls);
  source_.config_view.entries.push_back(entry(ConfigEntry::Kind::kCluster, cluster, "tls", "1"));
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  *bootstrap.mutable_static_resources()->add_clusters() = cluster;
  source_.config_view.bootstrap_bytes = bootstrap.SerializeAsString();

  for (const char* target : {"/config_dump", "/config_dump?resource=dynamic_active_clusters", "/config_dump?mask=bootstrap"}) {
    std::string body = get(target).body;
    EXPECT_EQ(body.find("VERY-PRIVATE"), std::string::npos) << target;
    EXPECT_EQ(body.find("U0VTQU1FLU9QRU4"), std::string::npos) << target;  // "SESAME-OPEN" in base64
    EXPECT_NE(body.find("\"inline_string\": \"[redacted]\""), std::string::npos) << body;
    EXPECT_NE(body.find("public chain"), std::string::npos) << target;
  }
}

TEST_F(AdminTest, TellsAboutTheServer) {
  envoy::admin::v3::CommandLineOptions options;
  options.set_concurrency(2);
  options.set_config_path("envoy.yaml");
  source_.server_view.version = "abc/0.1.0/Clean/RELEASE/OpenSSL";
  source_.server_view.uptime = std::chrono::seconds(385);
  source_.server_view.options_bytes = options.SerializeAsString();
  std::string body = get("/server_info").body;
  for (const char* line :
       {"{\n \"version\": \"abc/0.1.0/Clean/RELEASE/OpenSSL\",\n \"state\": \"LIVE\",\n", "\n \"uptime_current_epoch\": \"385s\"",
        "\n \"uptime_all_epochs\": \"385s\"", "\n \"hot_restart_version\": \"disabled\",\n",
        " \"command_line_options\": {\n  \"base_id\": \"0\",\n  \"concurrency\": 2,\n  \"config_path\": \"envoy.yaml\",\n"
        "  \"config_yaml\": \"\",\n"})
    EXPECT_NE(body.find(line), std::string::npos) << line << body;
  EXPECT_EQ(get("/certs").body, "{\n \"certificates\": []\n}\n");
  EXPECT_EQ(get("/init_dump").body, "{}\n");
  std::string runtime = get("/runtime").body;
  EXPECT_NE(runtime.find("\n \"entries\": {}"), std::string::npos) << runtime;
  EXPECT_NE(runtime.find("\n \"layers\": []"), std::string::npos) << runtime;
  EXPECT_EQ(get("/hot_restart_version").body, "disabled");
  EXPECT_NE(get("/memory").body.find("\"total_physical_bytes\": \""), std::string::npos);
  source_.unready_targets = {{"listener web", {"RDS routes"}}};
  EXPECT_NE(get("/init_dump").body.find("\"RDS routes\""), std::string::npos);
}

TEST_F(AdminTest, BoundsWhatAClientMaySend) {
  EXPECT_EQ(talk("nonsense\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(talk("GET /ready HTTP/1.1\r\nx: " + std::string(20'000, 'a') + "\r\n\r\n").substr(0, 12), "HTTP/1.1 431");
  EXPECT_EQ(talk("POST /logging HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  // Two requests on one connection.
  std::string both = talk("GET /ready HTTP/1.1\r\nhost: x\r\n\r\nGET /certs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  EXPECT_NE(both.find("LIVE\n"), std::string::npos);
  EXPECT_NE(both.find("certificates"), std::string::npos);
}

TEST_F(AdminTest, ClosesSlowClients) {
  server_->stop();
  AdminOptions options;
  options.timeout = std::chrono::seconds(1);
  start(options);
  EXPECT_EQ(talk("GET /rea"), "");  // returns once the server has given up
}

TEST_F(AdminTest, ABusyPortIsNamed) {
  AdminOptions options;
  options.port = endpoint().port();
  AdminServer second(io_.get_executor(), source_, registry_, options);
  auto status = second.listen();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().detail, "admin listener 127.0.0.1:" + std::to_string(options.port) + ": Address already in use");
}

}  // namespace
}  // namespace weft::admin
