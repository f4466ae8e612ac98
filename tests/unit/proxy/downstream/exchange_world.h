// An exchange with all that it needs around it, on one loop: a client's socket before it, hosts' sockets behind it, and one filter of
// the test's own between them. What each side says is text, so a case reads like what is on the wires.
#pragma once
#include "common/net/listener_socket.h"
#include "common/observe/shapes.h"
#include "proxy/downstream/exchange.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/mirror.h"
#include "proxy/upstream/pool_caller.h"
#include "tests/unit/proxy/routing/routes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft::downstream {

// What the test's filter does, and what it saw.
struct Script {
  std::function<filters::Verdict(filters::FilterContext&)> at_request_head, at_response_head;
  std::vector<std::string> seen;
  filters::FilterContext* context = nullptr;  // of the exchange under way
  // Told by on_done.
  struct Over {
    int code;
    std::string details;
    observe::ResponseFlags flags;
    uint32_t attempts;
    uint64_t received, sent;
  };
  std::vector<Over> over;
};

class ScriptedFilter final : public filters::HttpFilter {
 public:
  using Options = Script*;
  static constexpr unsigned kHooks = filters::kOnRequestHead | filters::kOnRequestBody | filters::kOnRequestTrailers |
                                     filters::kOnResponseHead | filters::kOnResponseBody | filters::kOnResponseTrailers | filters::kOnDone;
  ScriptedFilter(Script* script, const std::string&) : script_(*script) {}
  filters::Verdict on_request_head(filters::FilterContext& context, bool end) override {
    script_.context = &context;
    note("head", end);
    return script_.at_request_head ? script_.at_request_head(context) : filters::Verdict::kContinue;
  }
  void on_request_body(filters::FilterContext&, filters::Body& body, bool end) override { note("body " + text_of(body), end); }
  void on_request_trailers(filters::FilterContext&, http::Head&) override { note("trailers", true); }
  filters::Verdict on_response_head(filters::FilterContext& context, bool end) override {
    note("answer " + std::to_string(context.response().status()), end);
    return script_.at_response_head ? script_.at_response_head(context) : filters::Verdict::kContinue;
  }
  void on_response_body(filters::FilterContext&, filters::Body& body, bool end) override { note("gets " + text_of(body), end); }
  void on_response_trailers(filters::FilterContext&, http::Head&) override { note("gets trailers", true); }
  void on_done(filters::FilterContext& context) override {
    const format::RequestInfo& info = context.info();
    script_.over.push_back({info.response_code, std::string(info.response_code_details), info.flags, info.attempt_count,
                            info.bytes_received, info.bytes_sent});
    script_.context = nullptr;
  }

 private:
  static std::string text_of(const filters::Body& body) {
    std::string text;
    for (const Slice& slice : body.slices) text += slice.view();
    return text.size() > 40 ? std::to_string(text.size()) : text;
  }
  void note(std::string what, bool end) { script_.seen.push_back(what + (end ? "." : "")); }
  Script& script_;
};

// One end of a connection that the test holds.
struct Peer {
  int fd = -1;
  std::string got;     // not yet looked at
  bool ended = false;  // the proxy has closed its half, or reset
  bool reset = false;
  bool reads = true;
};

class ExchangeWorld : public ::testing::Test, public ConnectionOwner, public upstream::ClusterTable {
 protected:
  ExchangeWorld() : front_(*net::open_listeners({asio::ip::address_v4::loopback(), 0}, 1, 64)) {
    manager_.stat_prefix = "test";
    add_cluster("host");
    routes_.push_back(testing::route_to("host"));
  }
  ~ExchangeWorld() override {
    for (auto& [key, connection] : connections_) {
      auto* http = static_cast<HttpConnection*>(connection.get());
      leaving_.push_back(http);
    }
    for (HttpConnection* http : leaving_) http->abort();
    loop_.end_event();
    mirrors_.clear();
    clusters_.clear();
    loop_.end_event();
    loop_.io().poll();
    for (auto& peer : peers_)
      if (peer->fd >= 0) ::close(peer->fd);
    net::close_sockets(front_);
    for (auto& [name, sockets] : backs_) net::close_sockets(sockets);
  }

  // --- what is configured, before connect() ---
  upstream::ClusterConfig& add_cluster(const std::string& name, size_t hosts = 1) {
    if (hosts) backs_[name] = *net::open_listeners({asio::ip::address_v4::loopback(), 0}, 1, 64);
    configs_[name].name = name;
    return configs_[name];
  }
  routing::Forward& forward(size_t route = 0) { return const_cast<routing::Forward&>(*routes_[route].forward()); }
  routing::RetryPolicy& retry(std::string_view on, uint32_t times = 1) {
    auto policy = std::make_shared<routing::RetryPolicy>();
    policy->retry_on = routing::parse_retry_on_config(on).bits;
    policy->num_retries = times;
    policy->base_interval = std::chrono::milliseconds(1);
    routing::RetryPolicy& made = *policy;
    forward().retry = std::move(policy);
    return made;
  }

  // --- the client ---
  Peer& connect() {
    if (!service_) begin();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(front_.address.port());
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    net::Socket socket(loop_.executor(), asio::ip::tcp::v4(), ::accept(front_.fds[0], nullptr, nullptr));
    auto connection = std::make_unique<HttpConnection>(*this, service_, net::make_tcp_stream(std::move(socket)));
    HttpConnection* http = connection.get();
    connections_[http] = std::move(connection);
    http->begin();
    return hold(fd);
  }
  // A client that has said this.
  Peer& ask(std::string_view text) {
    Peer& client = connect();
    say(client, text);
    return client;
  }
  // The next connection to a host of that cluster.
  Peer& host(const std::string& cluster = "host") {
    int fd = -1;
    EXPECT_TRUE(until([&] { return (fd = ::accept(backs_.at(cluster).fds[0], nullptr, nullptr)) >= 0; })) << "nobody came to " << cluster;
    return hold(fd);
  }
  bool nobody_came(const std::string& cluster = "host") {
    turn();
    const int fd = ::accept(backs_.at(cluster).fds[0], nullptr, nullptr);
    if (fd >= 0) ::close(fd);
    return fd < 0;
  }

  void close_hosts(const std::string& cluster) {
    net::close_sockets(backs_.at(cluster));
    backs_.erase(cluster);
  }

  void say(Peer& peer, std::string_view text) {
    EXPECT_EQ(::send(peer.fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    turn();
  }
  // Sends for as long as somebody takes it; how much that was.
  size_t flood(Peer& peer, size_t most) {
    const std::string block(65536, 'x');
    size_t sent = 0;
    for (int idle = 0; sent < most && idle < 20;) {
      const ssize_t n = ::send(peer.fd, block.data(), std::min(block.size(), most - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
      idle = n > 0 ? 0 : idle + 1;
      if (n > 0) sent += static_cast<size_t>(n);
      turn();
    }
    return sent;
  }
  void finish_sending(Peer& peer) { ::shutdown(peer.fd, SHUT_WR), turn(); }
  void leave(Peer& peer, bool reset = false) {
    const linger now{1, 0};
    if (reset) ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(peer.fd, -1));
    turn();
  }

  // --- time ---
  // Lets happen what can without anybody saying more.
  void turn() {
    for (int idle = 0; idle < 3;) {
      const bool moved = loop_.io().poll() > 0;
      idle = moved | read_all() ? 0 : idle + 1;
    }
  }
  template <class Condition>
  bool until(Condition condition) {
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      read_all();
      if (condition()) return true;
      if (std::chrono::steady_clock::now() > last) return false;
      loop_.io().run_one_for(std::chrono::milliseconds(5));
    }
  }
  // Whether that peer gets (or has got) a text that has this in it.
  bool gets(Peer& peer, std::string_view text) {
    return until([&] { return peer.got.find(text) != std::string::npos; });
  }
  bool ends(Peer& peer) {
    return until([&] { return peer.ended; });
  }

  // --- what is left ---
  const Script::Over& over(size_t index = 0) {
    static const Script::Over none{};
    EXPECT_TRUE(until([&] { return script_.over.size() > index; })) << "the exchange is not over";
    return script_.over.size() > index ? script_.over[index] : none;
  }
  int64_t http(unsigned stat) { return service_->http.value(stat); }
  int64_t stat(unsigned which, const std::string& cluster = "host") { return find(cluster)->stats().value(which); }
  void nothing_is_left() {
    EXPECT_TRUE(until([&] { return http(observe::HttpStat::kDownstreamRqActive) == 0; }));
    EXPECT_EQ(http(observe::HttpStat::kDownstreamCxUpgradesActive), 0);
    for (auto& [name, cluster] : clusters_) {
      EXPECT_EQ(cluster->budget().requests(upstream::Priority::kDefault).used(), 0u) << name;
      EXPECT_EQ(cluster->budget().pending(upstream::Priority::kDefault).used(), 0u) << name;
      EXPECT_EQ(cluster->budget().retries(upstream::Priority::kDefault), 0u) << name;
    }
  }

  Script script_;
  config::HttpConnectionManager manager_;
  std::vector<routing::Route> routes_;
  uint32_t buffer_limit_ = 1 << 20;
  net::Loop loop_{1};

 private:
  void begin() {
    std::vector<std::unique_ptr<const filters::FilterFactory>> factories;
    factories.push_back(std::make_unique<filters::FactoryOf<ScriptedFilter, Script*>>("scripted", ScriptedFilter::kHooks, &script_));
    manager_.chain = filters::ChainPlan(std::move(factories), {});
    manager_.http1.buffer = {buffer_limit_, buffer_limit_ / 2};
    manager_.routes = testing::table_of(routes_);
    for (auto& [name, config] : configs_) {
      config.http1.buffer = {config.buffer_limit, config.buffer_limit / 2};
      auto shared = std::make_shared<upstream::SharedCluster>();
      shared->config = std::make_shared<const upstream::ClusterConfig>(config);
      shared->budget = std::make_shared<upstream::Budget>(config.thresholds);
      shared->stats = observe::cluster_scope(metrics_, name);
      upstream::EndpointSet set;
      set.cluster_name = name;
      set.localities.push_back({});
      if (auto found = backs_.find(name); found != backs_.end()) {
        upstream::Host host;
        host.address = found->second.address;
        set.localities[0].hosts.push_back(std::move(host));
      }
      clusters_[name] = std::shared_ptr<upstream::Cluster>(
          new upstream::Cluster(loop_, shared, upstream::make_endpoint_set(std::move(set), name, states_)),
          [this](upstream::Cluster* dead) { loop_.retire(std::unique_ptr<net::Retirable>(dead)); });
    }
    auto slot = std::make_shared<RouteSlot>();
    slot->table = manager_.routes;
    auto scope = observe::http_scope(metrics_, "test"), http1 = observe::http1_scope(metrics_), http2 = observe::http2_scope(metrics_),
         listener = observe::listener_scope(metrics_, "here"), listener_http = observe::listener_http_scope(metrics_, "here", "test");
    service_ =
        std::make_shared<HttpService>(HttpService{environment_, std::make_shared<const config::HttpConnectionManager>(std::move(manager_)),
                                                  slot, scope, http1, http2, listener, listener_http, scope->cells(1), http1->cells(1),
                                                  http2->cells(1), listener->cells(1), listener_http->cells(1), "here", buffer_limit_});
  }
  Peer& hold(int fd) {
    peers_.push_back(std::make_unique<Peer>());
    peers_.back()->fd = fd;
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return *peers_.back();
  }
  bool read_all() {
    bool moved = false;
    for (auto& peer : peers_) {
      if (peer->fd < 0 || peer->ended || !peer->reads) continue;
      char block[65536];
      ssize_t n = 0;
      while ((n = ::recv(peer->fd, block, sizeof block, MSG_DONTWAIT)) > 0) {
        peer->got.append(block, static_cast<size_t>(n));
        moved = true;
      }
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        peer->ended = moved = true;
        peer->reset = n < 0;
      }
    }
    return moved;
  }

  void on_connection_over(net::Connection& connection) override {
    auto found = connections_.find(&connection);
    if (found == connections_.end()) return;
    loop_.retire(std::move(found->second));
    connections_.erase(found);
  }
  std::shared_ptr<upstream::Cluster> find(std::string_view name) override {
    auto found = clusters_.find(std::string(name));
    return found == clusters_.end() ? nullptr : found->second;
  }

  observe::Registry metrics_{2};
  upstream::HostStates states_;
  upstream::PoolCaller caller_{loop_, *this};
  ExchangePool exchanges_{loop_};
  MirrorPool mirrors_{loop_};
  Environment environment_{loop_, *this, caller_, exchanges_, mirrors_};
  net::ListeningSockets front_;
  std::map<std::string, net::ListeningSockets> backs_;
  std::map<std::string, upstream::ClusterConfig> configs_;
  std::map<std::string, std::shared_ptr<upstream::Cluster>> clusters_;
  std::shared_ptr<HttpService> service_;
  std::map<net::Connection*, std::unique_ptr<net::Connection>> connections_;
  std::vector<HttpConnection*> leaving_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace weft::downstream
