#include "controlplane/server/server.h"

#include "controlplane/server/options.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <filesystem>
#include <fstream>

namespace weft::control {
namespace {

namespace asio = boost::asio;

ParsedOptions parse(std::vector<const char*> args) {
  args.insert(args.begin(), "weft-control");
  return parse_options(static_cast<int>(args.size()), args.data());
}

TEST(Options, DefaultsAreLoopback) {
  const ParsedOptions parsed = parse({});
  ASSERT_TRUE(parsed.run);
  EXPECT_EQ(parsed.options.xds.text(), "127.0.0.1:15010");
  EXPECT_EQ(parsed.options.http.text(), "127.0.0.1:15014");
  EXPECT_EQ(parsed.options.store, ":memory:");
}

TEST(Options, ReadsAddressesAndDurations) {
  const ParsedOptions parsed =
      parse({"--xds-address", "[::1]:0", "--http-address=localhost:7", "--debounce-after", "5ms", "--debounce-max", "1s", "-l", "debug"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.xds.text(), "[::1]:0");
  EXPECT_EQ(parsed.options.http.text(), "127.0.0.1:7");
  EXPECT_EQ(parsed.options.debounce_after.count(), 5);
}

TEST(Options, RefusesWithTheFlagsName) {
  for (const auto& [flag, value] : {std::pair{"--xds-address", "15010"},
                                    {"--xds-address", "host:1"},
                                    {"--http-address", "127.0.0.1:70000"},
                                    {"--http-address", "::1:5"},
                                    {"--debounce-after", "soon"},
                                    {"--log-level", "loud"}}) {
    const ParsedOptions parsed = parse({flag, value});
    EXPECT_FALSE(parsed.run) << flag << value;
    EXPECT_EQ(parsed.exit_code, 2);
    EXPECT_NE(parsed.text.find(flag), std::string::npos) << parsed.text;
  }
  EXPECT_EQ(parse({"--frob"}).exit_code, 2);
  EXPECT_EQ(parse({"--version"}).exit_code, 0);
  EXPECT_NE(parse({"--help"}).text.find("--config-dir"), std::string::npos);
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    char name[] = "/tmp/weft-server-XXXXXX";
    folder_ = mkdtemp(name);
    std::filesystem::create_directory(folder_ + "/config");
    options_.config_dir = folder_ + "/config";
    options_.store = folder_ + "/store.db";
    options_.xds.port = options_.http.port = 0;
    options_.address_path = folder_ + "/addresses.json";
    options_.log_level = "off";
  }
  ~ServerTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Server> start() {
    auto server = Server::start(options_);
    EXPECT_TRUE(server) << (server ? "" : server.error().detail);
    return server ? std::move(*server) : nullptr;
  }
  std::string failure() {
    auto server = Server::start(options_);
    return server ? "started" : server.error().detail;
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(options_.config_dir + "/" + name) << text; }
  std::string get(const std::string& address, const std::string& target) {
    asio::io_context context;
    asio::ip::tcp::socket socket(context);
    const size_t colon = address.rfind(':');
    socket.connect({asio::ip::make_address(address.substr(0, colon)), static_cast<unsigned short>(std::stoi(address.substr(colon + 1)))});
    asio::write(socket, asio::buffer("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }

  std::string folder_;
  Options options_;
};

constexpr const char* kService = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{name: http, port: 80}]\n";

TEST_F(ServerTest, ServesWhatTheDirectoryHoldsFromTheFirstAnswerOn) {
  write("a.yaml", kService);
  auto server = start();
  ASSERT_TRUE(server);
  EXPECT_NE(get(server->http_address(), "/ready").find("\"revision\":1"), std::string::npos);
  EXPECT_NE(get(server->http_address(), "/v1/resources?kind=Service").find("\"name\":\"a\""), std::string::npos);
  const std::string metrics = get(server->http_address(), "/metrics");
  for (const char* line : {"pilot_k8s_reg_events{type=\"Services\",event=\"add\"} 1", "\npilot_services 1\n", "\npilot_virt_services 0\n",
                           "\npilot_eds_no_instances 1\n", "\npilot_xds_write_timeout 0\n"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  }
  std::ifstream told(options_.address_path);
  std::string text((std::istreambuf_iterator<char>(told)), {});
  EXPECT_EQ(text, "{\"xds\":\"" + server->xds_address() + "\",\"http\":\"" + server->http_address() + "\"}\n");
}

TEST_F(ServerTest, ComesBackWithTheSameRevision) {
  write("a.yaml", kService);
  start().reset();
  auto again = start();
  ASSERT_TRUE(again);
  EXPECT_NE(get(again->http_address(), "/ready").find("\"revision\":1"), std::string::npos);
}

TEST_F(ServerTest, BadFilesAreToldAndDisturbNothing) {
  write("a.yaml", kService);
  write("bad.yaml", "kind: [");
  auto server = start();
  ASSERT_TRUE(server);
  const std::string status = get(server->http_address(), "/v1/status");
  EXPECT_NE(status.find("bad.yaml"), std::string::npos);
  EXPECT_NE(status.find("\"objects\":1"), std::string::npos);
}

TEST_F(ServerTest, WhatCannotBeHadIsNamed) {
  auto server = start();
  ASSERT_TRUE(server);
  const std::string xds = server->xds_address(), http = server->http_address();
  options_.store = ":memory:";
  options_.address_path.clear();
  const auto port = [](const std::string& address) {
    return static_cast<unsigned short>(std::stoi(address.substr(address.rfind(':') + 1)));
  };
  options_.http.port = port(http);
  EXPECT_EQ(failure(), "HTTP API on " + http + ": Address already in use");
  options_.http.port = 0;
  options_.xds.port = port(xds);
  EXPECT_NE(failure().find(xds), std::string::npos) << failure();
  options_.xds.port = 0;
  options_.config_dir = folder_ + "/nowhere";
  EXPECT_NE(failure().find("nowhere"), std::string::npos);
  options_.config_dir.clear();
  options_.store = folder_ + "/nowhere/store.db";
  EXPECT_NE(failure().find("nowhere"), std::string::npos);
  options_.store = ":memory:";
  options_.address_path = folder_ + "/nowhere/a.json";
  EXPECT_NE(failure().find("nowhere"), std::string::npos);
}

}  // namespace
}  // namespace weft::control
