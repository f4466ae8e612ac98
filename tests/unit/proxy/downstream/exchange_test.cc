// The exchange in each of its states: what client, host and filter may do there, in which order, and that nothing is left behind.
#include "tests/unit/proxy/downstream/exchange_world.h"

namespace weft::downstream {
namespace {

using filters::Verdict;
using observe::ClusterStat;
using observe::HttpStat;
using observe::ResponseFlag;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
constexpr std::string_view kPost = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view kBad = "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno";
// Over with its head, so that its connection may be used again.
constexpr std::string_view kBare = "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n";
constexpr std::string_view kWebSocket = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
constexpr std::string_view kSwitched = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

class ExchangeTest : public ExchangeWorld {
 protected:
  bool flagged(ResponseFlag flag, size_t index = 0) { return over(index).flags.has(flag); }
  void offer_websockets() { manager_.upgrades = std::make_shared<const routing::Upgrades>(routing::Upgrades{{"websocket"}}); }
};

// --- the plain way ---

TEST_F(ExchangeTest, ARequestAndItsAnswer) {
  Peer& client = ask(kGet);
  Peer& back = host();
  EXPECT_TRUE(gets(back, "GET / HTTP/1.1\r\nhost: a\r\n"));
  say(back, kOk);
  EXPECT_TRUE(gets(client, "\r\n\r\nok"));
  EXPECT_EQ(over().code, 200);
  EXPECT_EQ(over().details, "via_upstream");
  EXPECT_EQ(over().sent, 2u);
  EXPECT_EQ(script_.seen, (std::vector<std::string>{"head.", "answer 200", "gets ok."}));
  nothing_is_left();
}

TEST_F(ExchangeTest, BodiesPassBeforeTheyEnd) {
  Peer& client = ask(kPost);
  Peer& back = host();
  say(client, "12345");
  EXPECT_TRUE(gets(back, "12345"));
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  EXPECT_TRUE(gets(client, "ab"));
  say(client, "67890");
  EXPECT_TRUE(gets(back, "1234567890"));
  say(back, "cd");
  EXPECT_TRUE(gets(client, "abcd"));
  EXPECT_EQ(over().received, 10u);
  nothing_is_left();
}

TEST_F(ExchangeTest, OneAfterTheOtherLeavesNothingBehind) {
  retry("5xx");
  Peer& client = ask(kPost);
  say(client, "1234567890");
  Peer& back = host();
  say(back, kBare);
  EXPECT_TRUE(until([&] { return stat(ClusterStat::kUpstreamRqRetry) == 1; }));
  EXPECT_TRUE(until([&] { return stat(ClusterStat::kUpstreamRqTotal) == 2; }));
  turn();
  say(back, kOk);
  EXPECT_TRUE(gets(client, "ok"));
  for (size_t i = 1; i < 10; ++i) {
    client.got.clear();
    say(client, kGet);
    say(back, kOk);
    EXPECT_TRUE(gets(client, "ok")) << i;
    EXPECT_EQ(over(i).attempts, 1u);
    EXPECT_EQ(over(i).received, 0u);
  }
  EXPECT_EQ(over(0).attempts, 2u);
  nothing_is_left();
}

TEST_F(ExchangeTest, AnAnswerBeforeTheRequestIsOver) {
  Peer& client = ask(kPost);
  Peer& back = host();
  say(client, "123");
  say(back, "HTTP/1.1 413 Too Much\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(gets(client, "413"));
  EXPECT_TRUE(gets(client, "connection: close"));
  EXPECT_EQ(over().code, 413);
  EXPECT_EQ(http(HttpStat::kDownstreamRqResponseBeforeRqComplete), 1);
  nothing_is_left();
}

TEST_F(ExchangeTest, AnswersOfItsOwn) {
  routes_.insert(routes_.begin(), testing::route_to("nobody", "/nobody"));
  routes_.insert(routes_.begin(), testing::route_to("empty", "/empty"));
  add_cluster("empty", 0);
  auto direct = std::make_shared<routing::DirectResponse>();
  direct->status = 418;
  direct->body = "short";
  routing::Route route;
  route.path = {routing::PathMatcher::Kind::kPrefix, "/direct"};
  route.action = std::shared_ptr<const routing::DirectResponse>(direct);
  routes_.insert(routes_.begin(), route);
  routes_.back().path = {routing::PathMatcher::Kind::kPrefix, "/only"};
  Peer& client = connect();
  struct Case {
    std::string path;
    int status;
    std::string details;
    std::optional<ResponseFlag> flag;
  } cases[] = {{"/direct", 418, "direct_response", std::nullopt},
               {"/nobody", 503, "cluster_not_found", ResponseFlag::kNoClusterFound},
               {"/empty", 503, "no_healthy_upstream", ResponseFlag::kNoHealthyUpstream},
               {"/else", 404, "route_not_found", ResponseFlag::kNoRouteFound}};
  size_t index = 0;
  for (const Case& c : cases) {
    client.got.clear();
    say(client, "GET " + c.path + " HTTP/1.1\r\nhost: a\r\n\r\n");
    EXPECT_TRUE(gets(client, "HTTP/1.1 " + std::to_string(c.status))) << c.path;
    EXPECT_EQ(over(index).details, c.details);
    EXPECT_TRUE(!c.flag || flagged(*c.flag, index)) << c.path;
    ++index;
  }
  nothing_is_left();
}

// --- retries ---

TEST_F(ExchangeTest, AFailureIsTriedAgain) {
  retry("5xx");
  Peer& client = ask(kGet);
  Peer& back = host();
  say(back, kBare);
  EXPECT_TRUE(until([&] { return stat(ClusterStat::kUpstreamRqTotal) == 2; }));
  EXPECT_TRUE(client.got.empty());
  turn();
  say(back, kOk);  // the connection was fit to be used again
  EXPECT_TRUE(gets(client, "200 OK"));
  EXPECT_EQ(over().attempts, 2u);
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqRetrySuccess), 1);
  EXPECT_EQ(script_.seen, (std::vector<std::string>{"head.", "answer 200", "gets ok."}));
  nothing_is_left();
}

TEST_F(ExchangeTest, TheLastFailureIsTheAnswer) {
  retry("5xx", 2);
  Peer& client = ask(kGet);
  Peer& back = host();
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(until([&] { return stat(ClusterStat::kUpstreamRqTotal) == i; }));
    turn();
    say(back, kBare);
  }
  EXPECT_TRUE(gets(client, "503"));
  EXPECT_EQ(over().attempts, 3u);
  EXPECT_TRUE(flagged(ResponseFlag::kUpstreamRetryLimitExceeded));
  nothing_is_left();
}

TEST_F(ExchangeTest, ABodyIsHeldAndReplayed) {
  retry("reset");
  Peer& client = ask(kPost);
  say(client, "12345");
  Peer& first = host();
  EXPECT_TRUE(gets(first, "12345"));
  say(client, "67890");
  EXPECT_TRUE(gets(first, "1234567890"));
  leave(first);
  Peer& second = host();
  EXPECT_TRUE(gets(second, "1234567890"));
  say(second, kOk);
  EXPECT_TRUE(gets(client, "200 OK"));
  EXPECT_EQ(over().received, 10u);
  nothing_is_left();
}

TEST_F(ExchangeTest, ABodyThatIsStillComingIsReplayedAsFarAsItIs) {
  retry("reset");
  Peer& client = ask(kPost);
  say(client, "12345");
  Peer& first = host();
  EXPECT_TRUE(gets(first, "12345"));
  leave(first, true);
  Peer& second = host();
  EXPECT_TRUE(gets(second, "12345"));
  say(client, "67890");
  EXPECT_TRUE(gets(second, "1234567890"));
  say(second, kOk);
  EXPECT_TRUE(gets(client, "200 OK"));
  nothing_is_left();
}

TEST_F(ExchangeTest, ABodyBeyondTheLimitIsSentOnce) {
  retry("5xx,reset");
  buffer_limit_ = 1000;
  Peer& client = ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n");
  Peer& back = host();
  say(client, std::string(5000, 'x'));
  EXPECT_TRUE(gets(back, std::string(5000, 'x')));
  say(back, kBad);
  EXPECT_TRUE(gets(client, "503"));
  EXPECT_EQ(over().attempts, 1u);
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqRetry), 0);
  nothing_is_left();
}

TEST_F(ExchangeTest, NothingIsTriedAgainOnceAnAnswerHasBegun) {
  retry("5xx,reset");
  Peer& client = ask(kGet);
  Peer& back = host();
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123");
  EXPECT_TRUE(gets(client, "123"));
  leave(back);
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(flagged(ResponseFlag::kUpstreamConnectionTermination));
  EXPECT_EQ(over().attempts, 1u);
  EXPECT_TRUE(nobody_came());
  nothing_is_left();
}

TEST_F(ExchangeTest, ATryThatTakesTooLongIsGivenUp) {
  retry("5xx").per_try_timeout = std::chrono::milliseconds(150);
  Peer& client = ask(kGet);
  Peer& first = host();
  EXPECT_TRUE(gets(first, "GET"));
  Peer& second = host();
  EXPECT_TRUE(ends(first));
  say(second, kOk);
  EXPECT_TRUE(gets(client, "200 OK"));
  EXPECT_EQ(stat(ClusterStat::kUpstreamRqPerTryTimeout), 1);
  nothing_is_left();
}

TEST_F(ExchangeTest, TheTimeIsOverWhileItWaitsForTheNextTry) {
  routing::RetryPolicy& policy = retry("5xx");
  policy.base_interval = std::chrono::milliseconds(60'000);
  policy.max_interval = std::chrono::milliseconds(120'000);
  forward().timeout = std::chrono::milliseconds(50);
  Peer& client = ask(kGet);
  say(host(), kBad);
  EXPECT_TRUE(gets(client, "504"));
  EXPECT_TRUE(flagged(ResponseFlag::kUpstreamRequestTimeout));
  EXPECT_EQ(over().details, "response_timeout");
  nothing_is_left();
}

TEST_F(ExchangeTest, AClientThatLeavesBetweenTwoTries) {
  routing::RetryPolicy& policy = retry("5xx");
  policy.base_interval = policy.max_interval = std::chrono::milliseconds(60'000);
  Peer& client = ask(kGet);
  say(host(), kBad);
  EXPECT_TRUE(until([&] { return stat(ClusterStat::kUpstreamRqRetry) == 1; }));
  leave(client, true);
  EXPECT_TRUE(flagged(ResponseFlag::kDownstreamConnectionTermination));
  nothing_is_left();
}

// --- pauses ---

TEST_F(ExchangeTest, AClientThatDoesNotReadStopsTheHost) {
  buffer_limit_ = 1 << 14;
  constexpr size_t kWhole = 64 << 20;
  Peer& client = ask(kGet);
  Peer& back = host();
  client.reads = false;
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(kWhole) + "\r\n\r\n");
  const size_t taken = flood(back, kWhole);
  EXPECT_LT(taken, kWhole);
  client.reads = true;
  size_t got = 0;
  EXPECT_TRUE(until([&] {
    got += client.got.size();
    client.got.clear();
    return got > taken;
  }));
  leave(client, true);
  EXPECT_TRUE(ends(back));
  nothing_is_left();
}

TEST_F(ExchangeTest, AHostThatDoesNotReadStopsTheClient) {
  buffer_limit_ = 1 << 14;
  constexpr size_t kWhole = 64 << 20;
  Peer& client = ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(kWhole) + "\r\n\r\n");
  Peer& back = host();
  back.reads = false;
  const size_t taken = flood(client, kWhole);
  EXPECT_LT(taken, kWhole);
  back.reads = true;
  EXPECT_TRUE(until([&] { return back.got.size() >= taken; }));
  leave(back);
  EXPECT_TRUE(gets(client, "503"));
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterThatWaitsHoldsTheBody) {
  script_.at_request_head = [](auto&) { return Verdict::kWait; };
  Peer& client = ask(kPost);
  say(client, "12345");
  say(client, "67890");
  EXPECT_TRUE(nobody_came());
  script_.context->resume_request();
  loop_.end_event();
  Peer& back = host();
  EXPECT_TRUE(gets(back, "1234567890"));
  say(back, kOk);
  EXPECT_TRUE(gets(client, "200 OK"));
  EXPECT_EQ(script_.seen.front(), "head");
  nothing_is_left();
}

TEST_F(ExchangeTest, WhatIsHeldForAFilterIsBounded) {
  buffer_limit_ = 1 << 14;
  script_.at_request_head = [](auto&) { return Verdict::kWait; };
  constexpr size_t kWhole = 64 << 20;
  Peer& client = ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(kWhole) + "\r\n\r\n");
  EXPECT_LT(flood(client, kWhole), kWhole);
  EXPECT_LT(script_.context->info().bytes_received, size_t{1} << 20);
  script_.context->reply({413, "", "by_filter", std::nullopt, {}});
  loop_.end_event();
  EXPECT_TRUE(gets(client, "413"));
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterThatWantsTheWholeBodyGetsIt) {
  script_.at_request_head = [](filters::FilterContext& context) {
    context.wait_for_body(10);
    return Verdict::kWait;
  };
  Peer& client = ask("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n");
  EXPECT_TRUE(nobody_came());
  say(client, "5\r\n67890\r\n0\r\n\r\n");
  Peer& back = host();
  EXPECT_TRUE(gets(back, "1234567890"));
  EXPECT_NE(back.got.find("content-length: 10\r\n"), std::string::npos);
  say(back, kOk);
  EXPECT_TRUE(gets(client, "200 OK"));
  client.got.clear();
  say(client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n12345678901");
  EXPECT_TRUE(gets(client, "413"));
  EXPECT_EQ(over(1).details, "request_payload_too_large");
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterThatWaitsHoldsTheAnswer) {
  script_.at_response_head = [](auto&) { return Verdict::kWait; };
  Peer& client = ask(kGet);
  Peer& back = host();
  say(back, kOk);
  EXPECT_TRUE(client.got.empty());
  script_.context->resume_response();
  loop_.end_event();
  EXPECT_TRUE(gets(client, "ok"));
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterThatWantsTheWholeAnswerGetsIt) {
  buffer_limit_ = 1000;
  script_.at_response_head = [](filters::FilterContext& context) {
    if (context.response().status() != 200) return Verdict::kContinue;
    context.wait_for_response();
    return Verdict::kWait;
  };
  Peer& client = ask(kGet);
  Peer& back = host();
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
  EXPECT_TRUE(client.got.empty());
  say(back, "67890");
  EXPECT_TRUE(gets(client, "1234567890"));
  client.got.clear();
  say(client, kGet);
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + std::string(2000, 'x'));
  EXPECT_TRUE(gets(client, "500 Internal Server Error"));
  EXPECT_EQ(over(1).details, "response_payload_too_large");
  nothing_is_left();
}

// --- replies of a filter, in each state ---

TEST_F(ExchangeTest, AReplyAtTheHead) {
  script_.at_request_head = [](filters::FilterContext& context) {
    context.reply({403, "no", "by_filter", std::nullopt, {}});
    return Verdict::kReplied;
  };
  Peer& client = ask(kGet);
  EXPECT_TRUE(gets(client, "\r\n\r\nno"));
  EXPECT_EQ(over().details, "by_filter");
  EXPECT_TRUE(nobody_came());
  nothing_is_left();
}

TEST_F(ExchangeTest, AReplyWhileTheBodyIsHeld) {
  script_.at_request_head = [](auto&) { return Verdict::kWait; };
  Peer& client = ask(kPost);
  say(client, "12345");
  script_.context->reply({403, "no", "by_filter", std::nullopt, {}});
  loop_.end_event();
  EXPECT_TRUE(gets(client, "connection: close"));
  EXPECT_EQ(over().code, 403);
  nothing_is_left();
}

TEST_F(ExchangeTest, AReplyWhileAHostHasTheRequest) {
  Peer& client = ask(kGet);
  Peer& back = host();
  EXPECT_TRUE(gets(back, "GET"));
  script_.context->reply({403, "no", "by_filter", std::nullopt, {}});
  loop_.end_event();
  EXPECT_TRUE(gets(client, "403"));
  EXPECT_TRUE(ends(back));
  nothing_is_left();
}

TEST_F(ExchangeTest, AReplyBetweenTwoTries) {
  routing::RetryPolicy& policy = retry("5xx");
  policy.base_interval = policy.max_interval = std::chrono::milliseconds(60'000);
  Peer& client = ask(kGet);
  say(host(), kBad);
  EXPECT_TRUE(until([&] { return stat(ClusterStat::kUpstreamRqRetry) == 1; }));
  script_.context->reply({403, "no", "by_filter", std::nullopt, {}});
  loop_.end_event();
  EXPECT_TRUE(gets(client, "403"));
  nothing_is_left();
}

TEST_F(ExchangeTest, AReplyComesTooLateOnceTheAnswerHasBegun) {
  Peer& client = ask(kGet);
  Peer& back = host();
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  EXPECT_TRUE(gets(client, "ab"));
  script_.context->reply({403, "no", "by_filter", std::nullopt, {}});
  say(back, "cd");
  EXPECT_TRUE(gets(client, "abcd"));
  EXPECT_EQ(over().code, 200);
  nothing_is_left();
}

// --- resets and silence, in each state ---

TEST_F(ExchangeTest, AClientLeavesWhereverItIs) {
  for (const bool reset : {false, true}) {
    SCOPED_TRACE(reset ? "reset" : "end");
    script_.over.clear();
    leave(ask("POST / HTTP/1.1\r\nhost: a\r\n"), reset);  // in its head: no filter has seen it
    nothing_is_left();
    script_.at_request_head = [](auto&) { return Verdict::kWait; };
    leave(ask(kPost), reset);  // while a filter waits
    EXPECT_EQ(over().details, "downstream_remote_disconnect");
    script_.at_request_head = nullptr;
    Peer& half = ask(kPost);  // half of its body sent
    Peer& first = host();
    say(half, "12345");
    leave(half, reset);
    EXPECT_TRUE(flagged(ResponseFlag::kDownstreamConnectionTermination, 1));
    EXPECT_TRUE(ends(first));
    Peer& waiting = ask(kGet);  // while the host thinks
    Peer& second = host();
    EXPECT_TRUE(gets(second, "GET"));
    leave(waiting, true);
    EXPECT_TRUE(flagged(ResponseFlag::kDownstreamConnectionTermination, 2));
    EXPECT_TRUE(ends(second));
    Peer& reading = ask(kGet);  // inside of the answer
    Peer& third = host();
    say(third, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123");
    EXPECT_TRUE(gets(reading, "123"));
    leave(reading, true);
    EXPECT_TRUE(flagged(ResponseFlag::kDownstreamConnectionTermination, 3));
    EXPECT_TRUE(ends(third));
    nothing_is_left();
  }
}

TEST_F(ExchangeTest, AHostLeavesBeforeItAnswers) {
  for (const bool reset : {false, true}) {
    Peer& client = ask(kGet);
    Peer& back = host();
    EXPECT_TRUE(gets(back, "GET"));
    leave(back, reset);
    EXPECT_TRUE(gets(client, "503"));
    EXPECT_EQ(over(reset).details, "upstream_reset_before_response_started{connection_termination}");
    EXPECT_TRUE(flagged(ResponseFlag::kUpstreamConnectionTermination, reset));
  }
  nothing_is_left();
}

TEST_F(ExchangeTest, AHostTalksNonsense) {
  Peer& client = ask(kGet);
  Peer& back = host();
  say(back, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n");
  EXPECT_TRUE(gets(client, "502"));
  EXPECT_TRUE(flagged(ResponseFlag::kUpstreamProtocolError));
  EXPECT_TRUE(ends(back));
  nothing_is_left();
}

TEST_F(ExchangeTest, NobodyListensAnyMore) {
  routes_[0] = testing::route_to("gone");
  add_cluster("gone");
  Peer& client = connect();
  close_hosts("gone");
  say(client, kGet);
  EXPECT_TRUE(gets(client, "503"));
  EXPECT_TRUE(flagged(ResponseFlag::kUpstreamConnectionFailure));
  nothing_is_left();
}

TEST_F(ExchangeTest, SilenceIsBounded) {
  manager_.stream_idle_timeout = std::chrono::milliseconds(30);
  Peer& slow = ask(kPost);
  EXPECT_TRUE(gets(slow, "408"));
  EXPECT_TRUE(flagged(ResponseFlag::kStreamIdleTimeout));
  Peer& waiting = ask(kGet);
  EXPECT_TRUE(gets(waiting, "504"));
  nothing_is_left();
}

TEST_F(ExchangeTest, AStreamLivesNoLongerThanItMay) {
  forward().max_stream_duration = std::chrono::milliseconds(30);
  Peer& client = ask(kGet);
  EXPECT_TRUE(gets(client, "504 Gateway Timeout"));
  EXPECT_EQ(over().details, "max_duration_timeout");
  Peer& half = ask(kPost);
  EXPECT_TRUE(gets(half, "408 Request Timeout"));
  EXPECT_EQ(http(HttpStat::kDownstreamRqMaxDurationReached), 2);
  nothing_is_left();
}

TEST_F(ExchangeTest, ADeadlineThatHasPassedReachesNobody) {
  forward().grpc_timeout_header_max = std::chrono::milliseconds(0);
  Peer& client = ask("GET / HTTP/1.1\r\nhost: a\r\ngrpc-timeout: 0S\r\n\r\n");
  EXPECT_TRUE(gets(client, "504"));
  EXPECT_TRUE(nobody_came());
  nothing_is_left();
}

// --- tunnels ---

TEST_F(ExchangeTest, ATunnelOpensAndEndsSideBySide) {
  offer_websockets();
  Peer& client = ask(kWebSocket);
  say(client, "early");
  Peer& back = host();
  EXPECT_TRUE(gets(back, "upgrade: websocket"));
  EXPECT_EQ(back.got.find("early"), std::string::npos);
  EXPECT_EQ(http(HttpStat::kDownstreamCxUpgradesActive), 1);
  say(back, std::string(kSwitched) + "first");
  EXPECT_TRUE(gets(client, "first"));
  EXPECT_TRUE(gets(back, "early"));
  say(client, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(gets(back, "earlyGET / HTTP/1.1\r\n\r\n"));
  finish_sending(client);
  EXPECT_TRUE(ends(back));
  say(back, "last");
  EXPECT_TRUE(gets(client, "firstlast"));
  leave(back);
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(over().code, 101);
  nothing_is_left();
}

TEST_F(ExchangeTest, ATunnelThatNobodyOffers) {
  Peer& client = ask(std::string(kWebSocket) + "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(gets(client, "403"));
  EXPECT_TRUE(nobody_came());
  EXPECT_EQ(http(HttpStat::kDownstreamRqWsOnNonWsRoute), 1);
  EXPECT_EQ(script_.seen, (std::vector<std::string>{"answer 403."}));  // as in Envoy, filters see the refusal
  nothing_is_left();
}

TEST_F(ExchangeTest, ATunnelThatTheHostRefuses) {
  offer_websockets();
  Peer& client = ask(std::string(kWebSocket) + "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n");
  Peer& back = host();
  say(back, "HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno");
  EXPECT_TRUE(gets(client, "connection: close"));
  EXPECT_TRUE(ends(back));
  EXPECT_EQ(back.got.find("hidden"), std::string::npos);
  nothing_is_left();
}

TEST_F(ExchangeTest, ATunnelIsTriedAgainBeforeItOpens) {
  offer_websockets();
  retry("5xx");
  Peer& client = ask(kWebSocket);
  say(client, "early");
  say(host(), kBad);
  Peer& second = host();
  EXPECT_TRUE(gets(second, "upgrade: websocket"));
  say(second, kSwitched);
  EXPECT_TRUE(gets(client, "101"));
  EXPECT_TRUE(gets(second, "early"));
  EXPECT_EQ(http(HttpStat::kDownstreamCxUpgradesActive), 1);
  leave(client, true);
  EXPECT_TRUE(ends(second));
  nothing_is_left();
}

TEST_F(ExchangeTest, AClientLeavesATunnelThatIsAskedFor) {
  offer_websockets();
  Peer& client = ask(kWebSocket);
  Peer& back = host();
  EXPECT_TRUE(gets(back, "websocket"));
  leave(client);
  EXPECT_TRUE(ends(back));
  EXPECT_EQ(over().code, 0);
  nothing_is_left();
}

TEST_F(ExchangeTest, AHostLeavesATunnelThatIsAskedFor) {
  offer_websockets();
  Peer& client = ask(kWebSocket);
  leave(host());
  EXPECT_TRUE(gets(client, "503"));
  nothing_is_left();
}

TEST_F(ExchangeTest, AResetPassesThroughATunnel) {
  offer_websockets();
  Peer& client = ask(kWebSocket);
  Peer& back = host();
  say(back, kSwitched);
  EXPECT_TRUE(gets(client, "101"));
  leave(back, true);
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(client.reset);
  EXPECT_TRUE(flagged(ResponseFlag::kUpstreamConnectionTermination));
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterWaitsBeforeATunnel) {
  offer_websockets();
  script_.at_request_head = [](auto&) { return Verdict::kWait; };
  Peer& client = ask(kWebSocket);
  say(client, "early");
  EXPECT_TRUE(nobody_came());
  script_.context->resume_request();
  loop_.end_event();
  Peer& back = host();
  say(back, kSwitched);
  EXPECT_TRUE(gets(back, "early"));
  leave(client, true);
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterTakesTheUpgradeAway) {
  offer_websockets();
  script_.at_request_head = [](filters::FilterContext& context) {
    context.request().remove(http::HeaderId::kUpgrade);
    return Verdict::kContinue;
  };
  Peer& client = ask(kWebSocket);
  EXPECT_TRUE(gets(client, "403"));
  EXPECT_TRUE(nobody_came());
  nothing_is_left();
}

TEST_F(ExchangeTest, AFilterAddsAnUpgrade) {
  script_.at_request_head = [](filters::FilterContext& context) {
    http::set_upgrade(context.request(), "websocket");
    return Verdict::kContinue;
  };
  Peer& client = ask(kPost);
  say(client, "1234567890");
  Peer& back = host();
  EXPECT_TRUE(gets(back, "\r\n\r\n1234567890"));
  say(back, std::string(kSwitched) + "hidden");
  EXPECT_TRUE(gets(client, "502"));
  EXPECT_EQ(client.got.find("hidden"), std::string::npos);
  EXPECT_TRUE(ends(back));
  nothing_is_left();
}

}  // namespace
}  // namespace weft::downstream
