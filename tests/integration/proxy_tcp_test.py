"""tcp_proxy and the network filters around it: how sessions begin and end and what the log says of that, connection attempts, timeouts,
tunnels through HTTP proxies, slow readers, storms of connections, and the filters that turn connections away."""
import os
import socket
import ssl
import struct
import threading
import time
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, http2, listener, routes
from meshtest.data_plane import DataPlane, data_plane_kind, validate, weft_only
from meshtest.tunnel import TcpEcho, TunnelUpstream, TunnelUpstream2
from meshtest.upstream import refused_address
from meshtest.wait import steady, wait_for

NETWORK = "type.googleapis.com/envoy.extensions.filters.network"
FLAGS = ("--file-flush-interval-msec", "50") if data_plane_kind() == "envoy" else ()


INSPECTED = {"listener_filters": [{"name": "envoy.filters.listener.tls_inspector", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}]}


def client_hello(server_name):
    """The first bytes of a TLS client that asks for that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=server_name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


def tcp(name, to=None, log=True, **fields):
    line = (f"LOG {name} %ACCESS_LOG_TYPE% flags=%RESPONSE_FLAGS% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% rx=%BYTES_RECEIVED% tx=%BYTES_SENT% "
            "cluster=%UPSTREAM_CLUSTER% why=%UPSTREAM_TRANSPORT_FAILURE_REASON%\n")
    logs = [{"name": "out", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": line}}}}]
    config = {"@type": f"{NETWORK}.tcp_proxy.v3.TcpProxy", "stat_prefix": name, **({"cluster": to} if to else {}),
              **({"access_log": logs} if log else {}), **fields}
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def network(name, message, **fields):
    return {"name": f"envoy.filters.network.{name}", "typed_config": {"@type": f"{NETWORK}.{name}.v3.{message}", **fields}}


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class World(unittest.TestCase):
    """One proxy with all listeners. A session's line in the log is found by its listener."""

    @classmethod
    def setUpClass(cls):
        cls.echo, cls.h1, cls.h2 = TcpEcho(), TunnelUpstream(), TunnelUpstream2()
        cls.server = socket.create_server(("127.0.0.1", 0), backlog=1024)
        dead, keeper = refused_address()
        for peer in (cls.echo, cls.h1, cls.h2, cls.server, keeper):
            cls.addClassCleanup(peer.close)
        cls.h1.answers["refused:1"] = b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"
        options = {"flush_access_log_on_connected": True}
        listeners = {
            "plain": [tcp("plain", "echo")],
            "scripted": [tcp("scripted", "scripted")],
            "missing": [tcp("missing", "nobody")], "empty": [tcp("empty", "empty")], "full": [tcp("full", "full")],
            "dead": [tcp("dead", "dead")], "dead3": [tcp("dead3", "dead", max_connect_attempts=3)],
            "patient": [tcp("patient", "dead", max_connect_attempts=3, backoff_options={"base_interval": "0.01s", "max_interval": "0.05s"})],
            "idle": [tcp("idle", "echo", idle_timeout="0.2s")],
            "old": [tcp("old", "echo", max_downstream_connection_duration="0.2s")],
            "logged": [tcp("logged", "echo", access_log_options={**options, "access_log_flush_interval": "0.1s"})],
            "connect": [tcp("connect", "h1", tunneling_config={
                "hostname": "host-%DOWNSTREAM_LOCAL_PORT%:1",
                "headers_to_add": [{"header": {"key": "x-from", "value": "%DOWNSTREAM_REMOTE_PORT%"}}]})],
            "connect2": [tcp("connect2", "h2", tunneling_config={"hostname": "over.two:443"})],
            "post": [tcp("post", "h1", tunneling_config={"hostname": "posted:1", "use_post": True, "post_path": "/tunnel"})],
            "refused": [tcp("refused", "h1", tunneling_config={"hostname": "refused:1"})],
            "unreachable": [tcp("unreachable", "dead", tunneling_config={"hostname": "a:1"})],
            "limited": [network("connection_limit", "ConnectionLimit", stat_prefix="few", max_connections=1, delay="0.2s"),
                        tcp("limited", "echo")],
            "rated": [network("local_ratelimit", "LocalRateLimit", stat_prefix="rare", token_bucket={
                "max_tokens": 2, "fill_interval": "1000s"}), tcp("rated", "echo")],
            "off": [network("local_ratelimit", "LocalRateLimit", stat_prefix="off", runtime_enabled={
                "default_value": False, "runtime_key": "some.key"}, token_bucket={"max_tokens": 1, "fill_interval": "1000s"}), tcp("off", "echo")],
            "nameless": [network("sni_cluster", "SniCluster"), tcp("nameless", "echo")],
            "named": [network("sni_cluster", "SniCluster"), tcp("named", "dead")],
            "mirror": [network("echo", "Echo")],
            "said": [network("direct_response", "Config", response={"inline_string": "go away\n"})],
            "silent": [network("direct_response", "Config")],
            "web": [network("connection_limit", "ConnectionLimit", stat_prefix="web", max_connections=1, delay="0.1s"),
                    hcm(routes({"match": {"prefix": "/"}, "direct_response": {"status": 200}}))],
            "guarded": [network("connection_limit", "ConnectionLimit", stat_prefix="guard", max_connections=1),
                        network("echo", "Echo")],
        }
        cls.proxy = DataPlane(bootstrap(
            [listener(*filters, name=name, per_connection_buffer_limit_bytes=65536, **(INSPECTED if name == "named" else {}))
             for name, filters in listeners.items()],
            [cluster("echo", cls.echo.address), cluster("scripted", cls.server.getsockname()), cluster("dead", dead), cluster("empty"),
             cluster("full", cls.echo.address, circuit_breakers={"thresholds": [{"max_connections": 0}]}),
             cluster("h1", cls.h1.address),
             cluster("h2", cls.h2.address, typed_extension_protocol_options=http2())]), flags=FLAGS)
        cls.addClassCleanup(cls.proxy.stop)

    def connect(self, name):
        sock = socket.create_connection(self.proxy.address(name), timeout=20)
        self.addCleanup(sock.close)
        return sock

    def accept(self):
        self.server.settimeout(20)
        peer, _ = self.server.accept()
        peer.settimeout(20)
        self.addCleanup(peer.close)
        return peer

    def lines(self, name, kind="TcpConnectionEnd"):
        start = f"LOG {name} {kind} "
        return [line[len(start):].partition(" why=")[0] for line in self.proxy.program.output().splitlines() if line.startswith(start)]

    def reasons(self, name):
        start = f"LOG {name} TcpConnectionEnd "
        return [line.partition(" why=")[2] for line in self.proxy.program.output().splitlines() if line.startswith(start)]

    def ended(self, name, line, count=1):
        wait_for(lambda: len(self.lines(name)) >= count, f"the end of {name}")
        self.assertEqual([line] * count, self.lines(name)[-count:])

    def to_end(self, sock):
        data = b""
        while piece := sock.recv(65536):
            data += piece
        return data


class Sessions(World):
    def test_both_halves_end_on_their_own(self):
        client, host = self.connect("scripted"), self.accept()
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(b"question", self.to_end(host))
        host.sendall(b"a late answer")
        host.close()
        self.assertEqual(b"a late answer", self.to_end(client))

    def test_the_host_ends_first(self):
        client, host = self.connect("scripted"), self.accept()
        host.sendall(b"220 hello\r\n")  # a server that speaks first
        host.shutdown(socket.SHUT_WR)
        self.assertEqual(b"220 hello\r\n", self.to_end(client))
        client.sendall(b"still there")
        client.close()
        self.assertEqual(b"still there", self.to_end(host))

    def test_a_reset_is_passed_on(self):
        client, host = self.connect("scripted"), self.accept()
        client.sendall(b"x")
        self.assertEqual(b"x", host.recv(10))
        reset(host)
        with self.assertRaises(ConnectionResetError):
            self.to_end(client)
        wait_for(lambda: any(line.startswith("flags=UR ") for line in self.lines("scripted")), "a line with UR")
        client, host = self.connect("scripted"), self.accept()
        client.sendall(b"x")
        self.assertEqual(b"x", host.recv(10))
        reset(client)
        with self.assertRaises(ConnectionResetError):
            self.to_end(host)

    def test_half_open_peers_cost_no_more_than_themselves(self):
        """Clients that say nothing for ever beside one that is served."""
        silent = [(self.connect("scripted"), self.accept()) for _ in range(20)]
        with self.connect("plain") as client:
            client.sendall(b"ping")
            self.assertEqual(b"ping", client.recv(10))
        for client, host in silent:
            client.sendall(b"late")
            self.assertEqual(b"late", host.recv(10))

    def test_what_cannot_be_reached(self):
        cases = {"missing": "flags=NC attempts=0 rx=0 tx=0 cluster=-",
                 "empty": "flags=UH attempts=0 rx=0 tx=0 cluster=empty",
                 "full": "flags=UO attempts=0 rx=0 tx=0 cluster=full",
                 "dead": "flags=UF,URX attempts=1 rx=0 tx=0 cluster=dead",
                 "dead3": "flags=UF,URX attempts=3 rx=0 tx=0 cluster=dead",
                 "patient": "flags=UF,URX attempts=3 rx=0 tx=0 cluster=dead",
                 "unreachable": "flags=UF,URX attempts=1 rx=0 tx=0 cluster=dead",
                 "refused": "flags=UF,URX attempts=1 rx=0 tx=0 cluster=h1"}
        for name in cases:
            self.assertEqual(b"", self.to_end(self.connect(name)), name)
        for name, line in cases.items():
            with self.subTest(name):
                self.ended(name, line)
        for name in ("dead", "dead3", "unreachable"):
            self.assertEqual(["delayed_connect_error:_Connection_refused"], self.reasons(name))
        self.assertEqual(["tunnel_response:503"], self.reasons("refused"))
        self.assertEqual(1, self.proxy.stat("tcp.missing.downstream_cx_no_route"))
        self.assertEqual(1, self.proxy.stat("cluster.full.upstream_cx_overflow"))
        self.assertEqual(4, self.proxy.stat("cluster.dead.upstream_cx_connect_attempts_exceeded"))

    def test_time_ends_sessions(self):
        for name in ("idle", "old"):
            self.assertEqual(b"", self.to_end(self.connect(name)))
        self.ended("idle", "flags=- attempts=1 rx=0 tx=0 cluster=echo")
        self.assertEqual(1, self.proxy.stat("tcp.idle.idle_timeout"))
        self.ended("old", "flags=DT attempts=1 rx=0 tx=0 cluster=echo")
        self.assertEqual(1, self.proxy.stat("tcp.old.max_downstream_connection_duration"))

    def test_lines_while_a_session_runs(self):
        client = self.connect("logged")
        wait_for(lambda: self.lines("logged", "TcpUpstreamConnected"), "a line when the host is connected")
        client.sendall(b"abc")
        self.assertEqual(b"abc", client.recv(10))
        wait_for(lambda: any("rx=3 tx=3" in line for line in self.lines("logged", "TcpPeriodic")), "a line while it runs")
        client.close()
        wait_for(lambda: self.lines("logged"), "a line at the end")

    def test_a_slow_reader_stops_its_host(self):
        client, host = self.connect("scripted"), self.accept()
        host.setblocking(False)
        piece, sent = b"s" * 65536, 0

        def push():
            nonlocal sent
            try:
                while True:
                    sent += host.send(piece)
            except BlockingIOError:
                return sent
        steady(push, "the host can send no more")
        # What the kernels of four sockets hold, and 64 KiB: not all that the host would say.
        self.assertLess(sent, 64 << 20)
        host.setblocking(True)
        received = 0
        while received < sent:
            received += len(client.recv(1 << 20))
        host.close()
        self.assertEqual(b"", self.to_end(client))
        self.assertEqual(sent, received)

    def test_a_slow_host_stops_its_client(self):
        client, host = self.connect("scripted"), self.accept()
        client.setblocking(False)
        piece, sent = b"c" * 65536, 0

        def push():
            nonlocal sent
            try:
                while True:
                    sent += client.send(piece)
            except BlockingIOError:
                return sent
        steady(push, "the client can send no more")
        self.assertLess(sent, 64 << 20)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(sent, len(self.to_end(host)))

    def test_a_storm_of_connections(self):
        address, count = self.proxy.address("scripted"), 300
        sockets = []
        for _ in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            sockets.append(sock)
            self.addCleanup(sock.close)
        for number, sock in enumerate(sockets):
            sock.settimeout(20)
            wait_for(lambda s=sock: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and s.getpeername(), "a connection")
            sock.sendall(b"%d" % number)
        for _ in range(count):
            peer = self.accept()
            peer.sendall(b"you are " + peer.recv(10))
        for number, sock in enumerate(sockets):
            self.assertEqual(b"you are %d" % number, sock.recv(100))


class Tunnels(World):
    def through(self, name, upstream):
        client = self.connect(name)
        client.sendall(b"early")
        self.assertEqual(b"early", client.recv(100))
        client.sendall(b"later")
        self.assertEqual(b"later", client.recv(100))
        client.shutdown(socket.SHUT_WR)
        # Over HTTP/1 Envoy takes the end of one half for the end of both.
        farewell = b"" if upstream == "h1" and data_plane_kind() == "envoy" else b"good-bye"
        self.assertEqual(farewell, self.to_end(client))
        line = f"flags=- attempts=1 rx=10 tx={10 + len(farewell)} cluster={upstream}"
        wait_for(lambda: line in self.lines(name), f"{line} among {self.lines(name)}")

    def test_connect_over_http1(self):
        before = len(self.h1.heads)
        self.through("connect", "h1")
        line, fields = self.h1.heads[before]
        port = self.proxy.address("connect")[1]
        self.assertEqual(f"CONNECT host-{port}:1 HTTP/1.1", line)
        self.assertIn(("host", f"host-{port}:1"), fields)
        self.assertTrue(any(name == "x-from" and value.isdigit() for name, value in fields))

    def test_connect_over_http2(self):
        self.through("connect2", "h2")
        method, head = self.h2.heads[-1]
        self.assertEqual(("CONNECT", "over.two:443"), (method, head[":authority"]))
        self.assertNotIn(":path", head)

    def test_post(self):
        client = self.connect("post")
        client.sendall(b"x")
        wait_for(lambda: any(line == "POST /tunnel HTTP/1.1" for line, _ in self.h1.heads), "the request")
        fields = next(fields for line, fields in self.h1.heads if line.startswith("POST"))
        self.assertIn(("transfer-encoding", "chunked"), fields)
        self.assertIn(("host", "posted:1"), fields)

    def test_much_goes_through(self):
        for name in ("connect", "connect2"):
            with self.subTest(name):
                client = self.connect(name)
                body = os.urandom(1 << 20)
                sender = threading.Thread(target=client.sendall, args=(body,), daemon=True)
                sender.start()
                received = b""
                while len(received) < len(body):
                    piece = client.recv(1 << 16)
                    self.assertTrue(piece)
                    received += piece
                sender.join()
                self.assertEqual(body, received)

    def test_a_host_that_resets_the_tunnel(self):
        for name in ("connect", "connect2"):
            with self.subTest(name):
                client = self.connect(name)
                client.sendall(b"reset!")
                try:
                    self.assertNotIn(b"good-bye", self.to_end(client))
                except ConnectionResetError:
                    pass


class Filters(World):
    def test_a_limit_of_connections(self):
        first = self.connect("limited")
        first.sendall(b"a")
        self.assertEqual(b"a", first.recv(10))
        second = self.connect("limited")
        began = time.monotonic()
        self.assertEqual(b"", self.to_end(second))
        self.assertGreater(time.monotonic() - began, 0.15)
        self.assertEqual(1, self.proxy.stat("connection_limit.few.limited_connections"))
        self.assertEqual(["flags=- attempts=0 rx=0 tx=0 cluster=-"], wait_for(lambda: self.lines("limited"), "a line of the second"))
        first.close()
        wait_for(lambda: self.proxy.stat("connection_limit.few.active_connections") == 0, "no connection left")
        third = self.connect("limited")
        third.sendall(b"b")
        self.assertEqual(b"b", third.recv(10))

    def test_a_rate_of_connections(self):
        for _ in range(2):
            with self.connect("rated") as client:
                client.sendall(b"a")
                self.assertEqual(b"a", client.recv(10))
        self.assertEqual(b"", self.to_end(self.connect("rated")))
        self.assertEqual(1, self.proxy.stat("local_rate_limit.rare.rate_limited"))
        wait_for(lambda: "flags=URX attempts=0 rx=0 tx=0 cluster=-" in self.lines("rated"), "a line of the third")

    def test_a_limit_that_the_runtime_has_off(self):
        for _ in range(3):
            with self.connect("off") as client:
                client.sendall(b"a")
                self.assertEqual(b"a", client.recv(10))

    def test_no_name_is_no_choice(self):
        with self.connect("nameless") as client:
            client.sendall(b"a")
            self.assertEqual(b"a", client.recv(10))

    def test_the_name_that_a_client_asks_for_is_the_cluster(self):
        hello = client_hello("Echo")
        with self.connect("named") as client:
            for byte in (hello[:1], hello[1:100], hello[100:]):
                client.sendall(byte)
            received = b""
            while len(received) < len(hello):
                piece = client.recv(65536)
                self.assertTrue(piece)
                received += piece
            self.assertEqual(hello, received)
        with self.connect("named") as client:
            client.sendall(client_hello("nobody.example"))
            try:
                self.assertEqual(b"", self.to_end(client))
            except ConnectionResetError:
                pass
        wait_for(lambda: any("flags=NC " in line for line in self.lines("named")), "a line with NC")

    def test_echo(self):
        client, body = self.connect("mirror"), os.urandom(1 << 20)
        threading.Thread(target=client.sendall, args=(body,), daemon=True).start()
        received = b""
        while len(received) < len(body):
            piece = client.recv(1 << 16)
            self.assertTrue(piece)
            received += piece
        self.assertEqual(body, received)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(b"", self.to_end(client))

    def test_a_direct_response(self):
        self.assertEqual(b"go away\n", self.to_end(self.connect("said")))
        self.assertEqual(b"", self.to_end(self.connect("silent")))

    def test_filters_before_http(self):
        with self.connect("web") as first:
            first.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            self.assertTrue(first.recv(1000).startswith(b"HTTP/1.1 200"))
            second = self.connect("web")
            self.assertEqual(b"", self.to_end(second))
        wait_for(lambda: self.proxy.stat("connection_limit.web.active_connections") == 0, "no connection left")
        with self.connect("web") as third:
            third.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            self.assertTrue(third.recv(1000).startswith(b"HTTP/1.1 200"))

    def test_filters_before_another_terminal(self):
        first = self.connect("guarded")
        first.sendall(b"a")
        self.assertEqual(b"a", first.recv(10))
        self.assertEqual(b"", self.to_end(self.connect("guarded")))


class Refused(unittest.TestCase):
    @weft_only("its messages")
    def test_what_is_not_there_is_refused_by_name(self):
        redis = {"name": "envoy.filters.network.redis_proxy",
                 "typed_config": {"@type": f"{NETWORK}.redis_proxy.v3.RedisProxy", "stat_prefix": "r"}}
        mysql = {"name": "m", "typed_config": {"@type": f"{NETWORK}.mysql_proxy.v3.MySQLProxy", "stat_prefix": "m"}}
        for filters, words in (([redis], ("redis_proxy.v3.RedisProxy", "put a TcpProxy in its place")),
                               ([mysql, tcp("a", "b")], ("mysql_proxy.v3.MySQLProxy", "put a TcpProxy in its place")),
                               ([tcp("a", "b", on_demand={})], ("TcpProxy.on_demand", "is not supported")),
                               ([tcp("a", "b", metadata_match={"filter_metadata": {"envoy.lb": {"a": "b"}}})], ("TcpProxy.metadata_match",)),
                               ([tcp("a", "b", tunneling_config={"hostname": "a:1", "post_path": "/x"})], ("post_path", "use_post")),
                               ([tcp("a", "b", tunneling_config={"hostname": "%NO_SUCH%"})], ("hostname",)),
                               ([network("echo", "Echo"), tcp("a", "b")], ("must be the last filter of its chain",)),
                               ([network("connection_limit", "ConnectionLimit", stat_prefix="a", max_connections=1)],
                                ("cannot be the last filter of a chain",)),
                               ([network("connection_limit", "ConnectionLimit", stat_prefix="a"), tcp("a", "b")], ("max_connections",))):
            with self.subTest(words=words):
                code, output = validate(bootstrap([listener(*filters)], [cluster("b", ("127.0.0.1", 1))]))
                self.assertNotEqual(0, code)
                for word in words:
                    self.assertIn(word, output)



if __name__ == "__main__":
    unittest.main()
