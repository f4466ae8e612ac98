// The pool of one host, over real sockets on loopback: a peer that accepts and answers when the test says so. Nothing waits but
// for events of the loop.
#include "proxy/upstream/pool.h"

#include "common/net/listener_socket.h"
#include "proxy/upstream/client_connection.h"
#include "proxy/upstream/cluster.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <vector>

namespace weft::upstream {
namespace {

using observe::ClusterStat;

// A request of the pool: takes its stream, sends a head without a body and notes what comes of it.
struct Asker final : PoolWaiter, http::StreamReceiver {
  explicit Asker(SlabPool& slabs) : head(slabs), trailers(slabs), request(slabs) {
    request.set_method("GET");
    request.set_path("/");
    request.set_authority("x");
  }
  // PoolWaiter
  http::StreamReceiver& receiver() override { return *this; }
  bool admit() override { return admitted; }
  void on_stream(http::Stream& given, ClientConnection& lent) override {
    stream = &given;
    connection = lent.id();
    given.send_head(request, true);
  }
  void on_pool_failure(PoolFailure why, std::string_view text) override {
    failure = why;
    detail = text;
  }
  // http::StreamReceiver
  http::Head& incoming_head() override { return head; }
  http::Head& incoming_trailers() override { return trailers; }
  void on_head(bool end) override { answered = end; }
  void on_informational() override {}
  void on_body(Slice, bool end) override { answered = end; }
  void on_trailers() override { answered = true; }
  void on_reset(http::ResetReason, std::string_view) override { was_reset = true; }
  void on_invalid(int, std::string_view) override {}
  void on_drained() override {}

  bool lent() const { return connection != 0; }
  http::Head head, trailers, request;
  http::Stream* stream = nullptr;
  uint64_t connection = 0;  // 0: none lent yet
  bool admitted = true, answered = false, was_reset = false;
  std::optional<PoolFailure> failure;
  std::string detail;
};

class PoolTest : public testing::Test {
 protected:
  PoolTest() : listening_(*net::open_listeners({asio::ip::address_v4::loopback(), 0}, 1, 64)) {
    config_.name = "c";
    const timeval patience{20, 0};
    ::setsockopt(listening_.fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);  // accept() fails rather than hang
  }
  ~PoolTest() override {
    pool_.reset();
    cluster_.reset();
    loop_.end_event();
    for (int fd : peers_) ::close(fd);
    if (!closed_) net::close_sockets(listening_);
  }

  HostPool& pool(http::Protocol protocol = http::Protocol::kHttp11) {
    if (pool_) return *pool_;
    auto shared = std::make_shared<SharedCluster>();
    shared->config = std::make_shared<const ClusterConfig>(config_);
    shared->budget = std::make_shared<Budget>(config_.thresholds);
    shared->stats = observe::cluster_scope(metrics_, "c");
    EndpointSet set;
    set.cluster_name = "c";
    Host host;
    host.address = listening_.address;
    set.localities.push_back({});
    set.localities[0].hosts.push_back(std::move(host));
    auto endpoints = make_endpoint_set(std::move(set), "c", states_);
    cluster_ = std::make_unique<Cluster>(loop_, shared, endpoints);
    pool_ = std::make_unique<HostPool>(*cluster_, endpoints->localities[0].hosts[0], protocol, priority_);
    return *pool_;
  }

  Asker& ask() {
    askers_.push_back(std::make_unique<Asker>(loop_.slabs()));
    pool().request(*askers_.back());
    loop_.end_event();
    return *askers_.back();
  }
  Asker& ask_and_get() {
    Asker& asker = ask();
    EXPECT_TRUE(until([&] { return asker.lent(); }));
    return asker;
  }

  // Runs the loop until it is so.
  template <class Condition>
  bool until(Condition condition) {
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < last) loop_.io().run_one_for(std::chrono::milliseconds(50));
    return condition();
  }

  // The peer's side of the next connection, in the order in which they were made.
  int accept_peer() {
    const int fd = ::accept(listening_.fds[0], nullptr, nullptr);
    EXPECT_GE(fd, 0);
    peers_.push_back(fd);
    return fd;
  }
  // The peer answers; the asker has heard it when this returns.
  void answer(int peer, Asker& asker) {
    const std::string_view text = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    EXPECT_EQ(::send(peer, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    EXPECT_TRUE(until([&] { return asker.answered; }));
  }
  void stop_listening() {
    net::close_sockets(listening_);
    closed_ = true;
  }

  int64_t stat(unsigned which) { return cluster_->stats().value(which); }
  uint64_t connections() { return cluster_->budget().connections(Priority::kDefault).used(); }
  uint64_t pending() { return cluster_->budget().pending(Priority::kDefault).used(); }
  uint32_t open_connections() { return pool_->state().active_connections.load(); }

  ClusterConfig config_;
  observe::Registry metrics_{2};
  HostStates states_;
  net::Loop loop_{1};
  net::ListeningSockets listening_;
  std::unique_ptr<Cluster> cluster_;
  std::vector<std::unique_ptr<Asker>> askers_;
  std::unique_ptr<HostPool> pool_;
  Priority priority_ = Priority::kDefault;
  std::vector<int> peers_;
  bool closed_ = false;
};

// --- lending ---

TEST_F(PoolTest, Http1LendsAConnectionToOneAtATimeLastInFirstOut) {
  Asker& first = ask_and_get();
  const int first_peer = accept_peer();
  Asker& second = ask_and_get();
  const int second_peer = accept_peer();
  EXPECT_NE(first.connection, second.connection);
  EXPECT_EQ(connections(), 2u);

  answer(second_peer, second);
  answer(first_peer, first);
  Asker& third = ask();
  EXPECT_EQ(third.connection, first.connection);  // at once, and the one that came back last
  Asker& fourth = ask();
  EXPECT_EQ(fourth.connection, second.connection);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxTotal), 2);
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqPendingTotal), 2);  // the later two never waited
}

TEST_F(PoolTest, Http1ConnectsForEachThatWaitsInTheirOrder) {
  Asker& first = ask();
  Asker& second = ask();
  EXPECT_EQ(connections(), 2u);
  EXPECT_EQ(pending(), 2u);
  ASSERT_TRUE(until([&] { return second.lent(); }));
  EXPECT_TRUE(first.lent());
  EXPECT_LT(first.connection, second.connection);
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqPendingActive), 0);
}

TEST_F(PoolTest, Http2FillsAConnectionBeforeItOpensAnother) {
  config_.http2.max_concurrent_streams = 2;
  pool(http::Protocol::kHttp2);
  Asker& first = ask();
  Asker& second = ask();
  EXPECT_EQ(connections(), 1u);  // one will serve many
  ASSERT_TRUE(until([&] { return second.lent(); }));
  EXPECT_EQ(first.connection, second.connection);
  Asker& third = ask_and_get();
  EXPECT_NE(third.connection, first.connection);
  EXPECT_EQ(connections(), 2u);
  Asker& fourth = ask();
  EXPECT_EQ(fourth.connection, third.connection);
}

TEST_F(PoolTest, WhoCancelsIsNotCalledAndFreesItsPlace) {
  Asker& gone = ask();
  Asker& stays = ask();
  pool().cancel(gone);
  EXPECT_EQ(pending(), 1u);
  ASSERT_TRUE(until([&] { return stays.lent() && open_connections() == 2; }));
  EXPECT_FALSE(gone.lent());
  EXPECT_FALSE(gone.failure);
  EXPECT_EQ(pending(), 0u);
  Asker& next = ask();  // the connection that was made for the other one
  EXPECT_TRUE(next.lent());
}

TEST_F(PoolTest, WhoIsNotAdmittedLeavesTheConnectionToOthers) {
  Asker& refused = ask();
  refused.admitted = false;
  ASSERT_TRUE(until([&] { return refused.failure.has_value(); }));
  EXPECT_EQ(*refused.failure, PoolFailure::kOverflow);
  EXPECT_FALSE(refused.lent());
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqPendingActive), 0);
  EXPECT_EQ(connections(), 1u);
  EXPECT_TRUE(ask().lent());
}

TEST_F(PoolTest, EachPriorityHasLimitsOfItsOwn) {
  config_.thresholds[static_cast<size_t>(Priority::kHigh)].max_pending_requests = 0;
  priority_ = Priority::kHigh;
  Asker& refused = ask();
  ASSERT_TRUE(refused.failure.has_value());
  EXPECT_EQ(*refused.failure, PoolFailure::kOverflow);
}

TEST_F(PoolTest, AClosedConnectionIsNotLentAgain) {
  Asker& first = ask_and_get();
  const int peer = accept_peer();
  answer(peer, first);
  ::shutdown(peer, SHUT_RDWR);
  ASSERT_TRUE(until([&] { return connections() == 0; }));
  Asker& second = ask_and_get();
  EXPECT_NE(second.connection, first.connection);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxDestroyRemote), 1);
}

TEST_F(PoolTest, AllWhoWaitHearThatTheHostCannotBeReached) {
  pool();
  stop_listening();
  Asker& first = ask();
  Asker& second = ask();
  ASSERT_TRUE(until([&] { return first.failure && second.failure && connections() == 0; }));
  EXPECT_EQ(*first.failure, PoolFailure::kConnectFailed);
  EXPECT_EQ(first.detail, "delayed connect error: Connection refused");
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqPendingFailureEject), 2);
  EXPECT_GE(stat(ClusterStat::kUpstreamCxConnectFail), 1);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxActive), 0);
}

// --- limits ---

TEST_F(PoolTest, BeyondMaxPendingARequestFailsAtOnce) {
  config_.thresholds[0].max_pending_requests = 1;
  Asker& waits = ask();
  Asker& refused = ask();
  ASSERT_TRUE(refused.failure);
  EXPECT_EQ(*refused.failure, PoolFailure::kOverflow);
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqPendingOverflow), 1);
  EXPECT_EQ(pending(), 1u);
  ASSERT_TRUE(until([&] { return waits.lent(); }));
  EXPECT_EQ(pending(), 0u);
  Asker& later = ask_and_get();  // there is room again
  EXPECT_FALSE(later.failure);
}

TEST_F(PoolTest, AtMaxConnectionsARequestWaitsForOneToComeBack) {
  config_.thresholds[0].max_connections = 1;
  Asker& first = ask_and_get();
  const int peer = accept_peer();
  Asker& second = ask();
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxOverflow), 1);
  EXPECT_EQ(connections(), 1u);
  EXPECT_FALSE(second.lent());
  EXPECT_FALSE(second.failure);
  answer(peer, first);
  EXPECT_EQ(second.connection, first.connection);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxTotal), 1);
}

TEST_F(PoolTest, AHostWithoutAConnectionGetsItsFirstBeyondTheLimit) {
  config_.thresholds[0].max_connections = 1;
  pool();
  cluster_->budget().connections(Priority::kDefault).force_acquire();  // another host's
  Asker& first = ask_and_get();
  EXPECT_FALSE(first.failure);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxOverflow), 1);
  EXPECT_EQ(connections(), 2u);
  Asker& second = ask();  // but no second one
  EXPECT_FALSE(second.lent());
  EXPECT_EQ(connections(), 2u);
}

// --- retiring ---

TEST_F(PoolTest, AConnectionRetiresAfterItsRequests) {
  config_.max_requests_per_connection = 2;
  Asker& first = ask_and_get();
  const int peer = accept_peer();
  answer(peer, first);
  Asker& second = ask();
  EXPECT_EQ(second.connection, first.connection);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxMaxRequests), 1);
  EXPECT_EQ(open_connections(), 1u);  // its last request is not cut
  answer(peer, second);
  ASSERT_TRUE(until([&] { return connections() == 0; }));
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxDestroyLocal), 1);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxActive), 0);
  Asker& third = ask_and_get();
  EXPECT_NE(third.connection, first.connection);
  EXPECT_EQ(connections(), 1u);
}

TEST_F(PoolTest, ARetiringHttp2ConnectionIsNotLentWhenOneOfItsStreamsEnds) {
  config_.max_requests_per_connection = 2;
  pool(http::Protocol::kHttp2);
  Asker& first = ask_and_get();
  Asker& second = ask();
  EXPECT_EQ(second.connection, first.connection);
  first.stream->reset(http::ResetReason::kLocal);
  loop_.end_event();
  Asker& third = ask_and_get();
  EXPECT_NE(third.connection, first.connection);
  second.stream->reset(http::ResetReason::kLocal);  // its last one
  ASSERT_TRUE(until([&] { return connections() == 1; }));
  EXPECT_EQ(open_connections(), 1u);
}

TEST_F(PoolTest, DrainingClosesIdleConnectionsAndLetsTheOthersFinish) {
  Asker& busy = ask_and_get();
  const int busy_peer = accept_peer();
  Asker& done = ask_and_get();
  answer(accept_peer(), done);
  EXPECT_EQ(connections(), 2u);

  pool().drain();
  loop_.end_event();
  EXPECT_EQ(connections(), 1u);
  EXPECT_FALSE(pool().finished());
  EXPECT_FALSE(busy.was_reset);
  answer(busy_peer, busy);
  ASSERT_TRUE(until([&] { return pool().finished(); }));
  EXPECT_EQ(connections(), 0u);
  EXPECT_FALSE(busy.was_reset);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxActive), 0);
}

TEST_F(PoolTest, DrainingServesThoseWhoWait) {
  Asker& waits = ask();
  pool().drain();
  EXPECT_FALSE(pool().finished());
  ASSERT_TRUE(until([&] { return waits.lent(); }));
  answer(accept_peer(), waits);
  ASSERT_TRUE(until([&] { return pool().finished(); }));
  EXPECT_EQ(connections(), 0u);
  EXPECT_EQ(stat(ClusterStat::kUpstreamCxActive), 0);
}

TEST_F(PoolTest, DrainingKeepsTheConnectionThatSomebodyWaitsFor) {
  config_.thresholds[0].max_connections = 1;
  Asker& first = ask_and_get();
  const int peer = accept_peer();
  Asker& second = ask();
  pool().drain();
  answer(peer, first);
  EXPECT_EQ(second.connection, first.connection);
  EXPECT_FALSE(pool().finished());
  answer(peer, second);
  ASSERT_TRUE(until([&] { return pool().finished(); }));
  EXPECT_EQ(connections(), 0u);
}

// Whoever asked pins the cluster, so nobody is left to be told.
TEST_F(PoolTest, TheEndOfAPoolGivesEveryPlaceBack) {
  ask_and_get();
  Asker& waits = ask();
  EXPECT_EQ(connections(), 2u);  // one of them connects still
  pool().cancel(waits);
  pool_.reset();
  EXPECT_EQ(connections(), 0u);
  EXPECT_EQ(pending(), 0u);
}

}  // namespace
}  // namespace weft::upstream
