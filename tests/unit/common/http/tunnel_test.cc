// Tunnels in the codecs: what opens one, that nothing else does, and that its sides end one by one.
#include "codec_peers.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

constexpr std::string_view kAsk = "GET /chat HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n";
constexpr std::string_view kConnect = "CONNECT far:80 HTTP/1.1\r\nhost: far:80\r\n\r\n";

// A server codec that has read `bytes`.
struct Server {
  explicit Server(std::string_view bytes) : codec(make_http1_server(events, {}, pool)) { receive(bytes); }
  ~Server() { codec->on_connection_lost(); }
  void receive(std::string_view bytes) {
    in.append(bytes);
    EXPECT_TRUE(codec->receive(in));
  }
  Recorder& to() { return *events.streams.front(); }
  std::string answer(int status, bool upgrade, bool end = false) {
    Head head(pool);
    head.set_status(status);
    if (upgrade) set_upgrade(head, "websocket");
    to().stream->send_head(head, end);
    return take_output(*codec);
  }
  SlabPool pool;
  Events events{pool};
  std::unique_ptr<Codec> codec;
  ReadBuffer in{pool};
};

TEST(Tunnel, AnUpgradeIsARequestWithoutEnd) {
  Server server(kAsk);
  EXPECT_TRUE(server.to().has_head);
  EXPECT_FALSE(server.to().ended);
  EXPECT_EQ(wanted_upgrade(server.to().head), "websocket");
  server.receive("GET /not-a-request");
  EXPECT_EQ(server.to().body, "GET /not-a-request");
  EXPECT_EQ(server.events.streams.size(), 1u);
  EXPECT_EQ(server.answer(101, true), "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  EXPECT_TRUE(server.codec->is_tunnel());
  server.to().stream->send_body(slice_of(server.pool, "raw"), false);
  EXPECT_EQ(take_output(*server.codec), "raw");
}

TEST(Tunnel, EachSideEndsOnItsOwn) {
  Server server(kAsk);
  server.answer(101, true);
  EXPECT_TRUE(server.codec->on_peer_ended());
  EXPECT_TRUE(server.to().ended);
  EXPECT_EQ(server.codec->active_streams(), 1u);
  server.to().stream->send_body(slice_of(server.pool, "last"), true);
  EXPECT_EQ(server.events.output_over, 1);
  EXPECT_EQ(take_output(*server.codec), "last");
  EXPECT_TRUE(server.codec->wants_close());
  EXPECT_FALSE(server.codec->wants_reset());
}

TEST(Tunnel, AClientThatLeavesBeforeTheAnswerIsGone) {
  Server server(kAsk);
  EXPECT_FALSE(server.codec->on_peer_ended());
  EXPECT_TRUE(server.to().was_reset);
}

TEST(Tunnel, ARefusalIsTheLastAnswer) {
  for (std::string_view request : {kAsk, kConnect}) {
    Server server(std::string(request) + "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n");
    EXPECT_EQ(server.answer(403, false, true), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    server.to().stream->reset(ResetReason::kLocal);
    EXPECT_TRUE(server.codec->wants_close());
    EXPECT_EQ(server.events.streams.size(), 1u);
  }
}

TEST(Tunnel, ACutIsAReset) {
  Server server(kConnect);
  EXPECT_EQ(server.answer(200, false), "HTTP/1.1 200 OK\r\n\r\n");
  server.to().stream->reset(ResetReason::kLocal);
  EXPECT_TRUE(server.codec->wants_reset());
}

TEST(Tunnel, WhatIsNone) {
  for (std::string_view request :
       {"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 1\r\n\r\nx"}) {
    Server server(request);
    EXPECT_TRUE(server.to().ended) << request;
  }
}

// A client codec that has asked.
struct Client {
  explicit Client(std::string_view upgrade) : codec(make_http1_client(events, {}, pool)) {
    stream = &codec->open(to);
    Head head(pool);
    head.set_method(upgrade.empty() ? "CONNECT" : "GET");
    if (!upgrade.empty()) head.set_path("/"), set_upgrade(head, upgrade);
    head.set_authority("far:80");
    head.ask_for_tunnel(true);
    stream->send_head(head, false);
    asked = take_output(*codec);
  }
  ~Client() { codec->on_connection_lost(); }
  void receive(std::string_view bytes) {
    in.append(bytes);
    EXPECT_TRUE(codec->receive(in));
  }
  SlabPool pool;
  Events events{pool};
  Recorder to{pool};
  std::unique_ptr<ClientCodec> codec;
  Stream* stream = nullptr;
  std::string asked;
  ReadBuffer in{pool};
};

TEST(Tunnel, AClientAsks) {
  EXPECT_EQ(Client("websocket").asked, "GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nhost: far:80\r\n\r\n");
  EXPECT_EQ(Client("").asked, "CONNECT far:80 HTTP/1.1\r\nhost: far:80\r\n\r\n");
}

TEST(Tunnel, TheServerSwitches) {
  Client client("WebSocket");
  client.receive("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst");
  EXPECT_FALSE(client.to.ended || client.to.was_reset);
  EXPECT_EQ(client.to.body, "first");
  EXPECT_EQ(client.codec->available_streams(), 0u);
  EXPECT_TRUE(client.codec->on_peer_ended());
  EXPECT_TRUE(client.to.ended);
  client.stream->send_body(slice_of(client.pool, "x"), true);
  EXPECT_EQ(client.events.output_over, 1);
  EXPECT_EQ(client.codec->active_streams(), 0u);
  EXPECT_EQ(take_output(*client.codec), "x");
}

TEST(Tunnel, TheServerAnswersSomethingElse) {
  for (std::string_view bad : {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chess\r\nConnection: Upgrade\r\n\r\n",
                               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"}) {
    Client client("websocket");
    client.receive(bad);
    EXPECT_TRUE(client.to.was_reset) << bad;
  }
  Client client("");
  client.receive("HTTP/1.1 407 Who\r\ncontent-length: 3\r\n\r\nwho");
  EXPECT_TRUE(client.to.ended);
  EXPECT_FALSE(client.codec->is_tunnel());
  client.stream->reset(ResetReason::kLocal);
  EXPECT_TRUE(client.codec->wants_close());
  Client tunnel("");
  tunnel.receive("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nraw bytes");
  EXPECT_EQ(tunnel.to.body, "raw bytes");
  EXPECT_FALSE(tunnel.to.head.has(HeaderId::kContentLength));
}

// What configuration adds to a head opens nothing: the forwarder has not asked.
TEST(Tunnel, AnUpgradeLineAloneOpensNothing) {
  SlabPool pool;
  Events events(pool);
  Recorder to(pool);
  Head head(pool);
  head.set_method("POST");
  head.set_path("/");
  head.set_authority("x");
  set_upgrade(head, "websocket");
  auto h1 = make_http1_client(events, {}, pool);
  Stream& stream = h1->open(to);
  stream.send_head(head, false);
  stream.send_body(slice_of(pool, "body"), true);
  EXPECT_EQ(take_output(*h1),
            "POST / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\ntransfer-encoding: "
            "chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
  ReadBuffer in(pool);
  in.append("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nfree bytes");
  EXPECT_TRUE(h1->receive(in));
  EXPECT_TRUE(to.was_reset);
  EXPECT_EQ(to.reset_reason, ResetReason::kProtocolError);
  EXPECT_EQ(to.body, "");
  EXPECT_TRUE(h1->wants_close());
}

TEST(Tunnel, AnUpgradeIsNoLineOfHttp2) {
  SlabPool pool;
  Events events(pool), server_events(pool);
  Recorder to(pool);
  Head head(pool);
  head.set_method("GET");
  head.set_path("/");
  head.set_authority("x");
  set_upgrade(head, "websocket");
  auto client = make_http2_client(events, {}, pool);
  auto server = make_http2_server(server_events, {}, pool);
  client->open(to).send_head(head, true);
  ReadBuffer in(pool);
  in.append(take_output(*client));
  EXPECT_TRUE(server->receive(in));
  EXPECT_EQ(server_events.streams.front()->lines, "GET /\nhost: x\n");
  client->on_connection_lost();
  server->on_connection_lost();
}

TEST(Tunnel, PlainBytesInTheClothesOfACodec) {
  SlabPool pool;
  Events events(pool);
  Recorder to(pool);
  ReadBuffer in(pool);
  auto codec = make_tcp_client(events, {}, pool);
  in.append("banner");
  EXPECT_TRUE(codec->receive(in));
  Stream& stream = codec->open(to);
  Head head(pool);
  stream.send_head(head, false);
  EXPECT_EQ(to.head.status(), 200);
  EXPECT_TRUE(codec->receive(in));
  stream.send_body(slice_of(pool, "to the host"), true);
  EXPECT_EQ(take_output(*codec), "to the host");
  EXPECT_EQ(events.output_over, 1);
  EXPECT_TRUE(codec->is_tunnel());
  EXPECT_TRUE(codec->on_peer_ended() || codec->active_streams() == 0);
  EXPECT_TRUE(to.ended);
  EXPECT_TRUE(codec->wants_close());
}

}  // namespace
}  // namespace weft::http
