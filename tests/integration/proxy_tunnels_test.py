"""Tunnels: WebSocket over HTTP/1 and HTTP/2 (RFC 8441) in every pairing, and CONNECT, passed on or terminated."""
import base64
import socket
import threading
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, weft_only
from meshtest.frames import CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, RawHttp2, RST_STREAM, frame, number, request, settings
from meshtest.raw_http import Closed, Connection, message
from meshtest.tunnel import SWITCHED, TcpEcho, TunnelUpstream, TunnelUpstream2
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

ADDED = {"request_headers_to_add": [{"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                                    for name, value in (("upgrade", "websocket"), ("connection", "upgrade"))]}
WEBSOCKET = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
CONNECT_ERROR = 10
CONNECT = b"CONNECT far.test:80 HTTP/1.1\r\nHost: far.test:80\r\n\r\n"
LOG = [{"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": (
    "LOG %REQ(X-CASE)% code=%RESPONSE_CODE% flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% received=%BYTES_RECEIVED% "
    "sent=%BYTES_SENT%\n")}}}}]
TUNNELED = {"http2_protocol_options": {"allow_connect": True}, "upgrade_configs": [{"upgrade_type": "websocket"}], "access_log": LOG}


def connect_route(name, **config):
    return {"match": {"connect_matcher": {}}, "route": {"cluster": name, "upgrade_configs": [{"upgrade_type": "CONNECT", **config}]}}


class Tunnels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.h1, cls.h2, cls.tcp, cls.plain = TunnelUpstream(), TunnelUpstream2(), TcpEcho(), Upstream()
        for server in (cls.h1, cls.h2, cls.tcp, cls.plain):
            cls.addClassCleanup(server.close)
        cls.silent = socket.create_server(("127.0.0.1", 0))
        cls.addClassCleanup(cls.silent.close)
        cls.h1.answers.update({
            "/refuse": b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 4\r\n\r\nnope", "/early": SWITCHED + b"early bird",
            "/other": SWITCHED.replace(b"websocket", b"chess"),
            "refused.test:80": b"HTTP/1.1 407 Who\r\nconnection: close\r\ncontent-length: 3\r\n\r\nwho"})
        cls.h2.statuses["/h2/refuse"] = "403"
        websockets = routes(
            route("/h2/added", "h2", **ADDED), route("/added", "h1-plain", **ADDED),
            route("/page", "h1-plain"), route("/taken", "h1", request_headers_to_remove=["upgrade"]),
            route("/h2", "h2"), route("/off", "h1", action={"upgrade_configs": [{"upgrade_type": "WebSocket", "enabled": False}]}),
            route("/timeout", "h1", action={"timeout": "0.3s"}), route("/silent", "silent", action={"timeout": "0.3s"}),
            route("/idle", "h1", action={"idle_timeout": "0.3s"}),
            route("/short", "h1", action={"max_stream_duration": {"max_stream_duration": "0.4s"}}), route("/dead", "dead"),
            route("/", "h1"))
        by_route = routes(route("/on", "h1", action={"upgrade_configs": [{"upgrade_type": "WEBSOCKET"}]}), route("/", "h1"))
        no_connect = routes({"match": {"connect_matcher": {}}, "route": {"cluster": "h1"}}, route("/", "h1"))
        patient = hcm(routes(connect_route("tcp", connect_config={})))
        patient["typed_config"]["http_filters"][-1]["typed_config"]["reject_connect_request_early_data"] = True
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(websockets, **TUNNELED)),
             listener(hcm(by_route, access_log=LOG, http2_protocol_options={"allow_connect": True}), name="by-route"),
             listener(hcm(by_route), name="no-extended"),
             listener(hcm(routes(connect_route("tcp", connect_config={}), route("/", "h1")), **TUNNELED), name="terminated"),
             listener(hcm(routes(connect_route("h1"))), name="passed-1"), listener(hcm(routes(connect_route("h2"))), name="passed-2"),
             listener(hcm(routes(connect_route("dead", connect_config={}))), name="dead-end"),
             listener(hcm(no_connect), name="no-connect"), listener(patient, name="patient"),
             listener(hcm(websockets, stat_prefix="slow", **TUNNELED), name="slow", per_connection_buffer_limit_bytes=65536)],
            [cluster("h1", cls.h1.address, per_connection_buffer_limit_bytes=65536), cluster("tcp", cls.tcp.address),
             cluster("h1-plain", cls.plain.address),
             cluster("silent", cls.silent.getsockname()), cluster("dead", ("127.0.0.1", 1)),
             cluster("h2", cls.h2.address, typed_extension_protocol_options=http2(allow_connect=True))]),
            flags=("--file-flush-interval-msec", "20") if data_plane_kind() == "envoy" else ())
        cls.addClassCleanup(cls.proxy.stop)

    def websocket(self, target="/echo", name="main", more=(), behind=b""):
        """A client that has asked for a WebSocket, and the head of the answer."""
        client = Connection(self.proxy.address(name))
        self.addCleanup(client.close)
        client.send(message("GET", target, [*WEBSOCKET, *more]) + behind)
        return client, client.read_head()

    def test_a_client_of_connect_that_does_not_wait(self):
        self.assertEqual(400, self.connect("patient", behind=b"early")[1].status)
        client, head = self.connect("patient")
        self.assertEqual(200, head.status)
        client.send(b"late")
        self.assertEqual(b"late", client.reader.exactly(4))

    def connect(self, name, head=CONNECT, behind=b""):
        client = Connection(self.proxy.address(name))
        self.addCleanup(client.close)
        client.send(head + behind)
        return client, client.read_head()

    def h2_client(self, name="main", first=settings()):
        client = RawHttp2(self.proxy.address(name), first)
        self.addCleanup(client.close)
        return client

    def h2_tunnel(self, fields, name="main", first=settings()):
        client = self.h2_client(name, first)
        client.send(frame(HEADERS, END_HEADERS, 1, fields))
        client.until(lambda kind, _, stream, __: (kind == HEADERS and stream == 1) or kind == RST_STREAM)
        return client

    @staticmethod
    def extended(path="/echo", *more):
        return request((":protocol", "websocket"), *more, method="CONNECT", path=path)

    def h2_exchange(self, client, sent, end=False):
        """Sends DATA and reads as much, or to the stream's end."""
        client.send(frame(DATA, END_STREAM if end else 0, 1, sent))
        got = b""
        while end or len(got) < len(sent):
            kind, flags, stream, payload = client.next()
            if (kind, stream) == (DATA, 1):
                got += payload
                if flags & END_STREAM:
                    break
            self.assertFalse(kind == RST_STREAM and stream == 1, "the tunnel was reset")
        return got

    def log_line(self, case):
        def find():
            lines = [line for line in self.proxy.program.output().splitlines() if f"LOG {case} " in line]
            return lines[0].split(f"LOG {case} ")[1] if lines else None
        return wait_for(find, f"the log line of {case}")

    # -- WebSocket over HTTP/1

    def test_bytes_pass_both_ways(self):
        client, answer = self.websocket(behind=b"at once")
        self.assertEqual((101, "websocket", "Upgrade"), (answer.status, answer.header("upgrade"), answer.header("connection")))
        self.assertIsNone(answer.header("content-length"))
        self.assertIsNone(answer.header("transfer-encoding"))
        self.assertEqual(b"at once", client.reader.exactly(7))
        for piece in (b"\x81\x05hello", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256))):
            client.send(piece)
            self.assertEqual(piece, client.reader.exactly(len(piece)))
        line, head = self.h1.heads[-1]
        self.assertEqual("GET /echo HTTP/1.1", line)
        self.assertEqual(("websocket", "Upgrade"), (dict(head)["upgrade"], dict(head)["connection"]))
        self.assertEqual("dGhlIHNhbXBsZSBub25jZQ==", dict(head)["sec-websocket-key"])

    def test_what_the_server_says_with_its_answer_arrives(self):
        client, answer = self.websocket("/early")
        self.assertEqual(101, answer.status)
        self.assertEqual(b"early bird", client.reader.exactly(10))

    def test_large_amounts_both_ways(self):
        client, _ = self.websocket()
        data = b"0123456789abcdef" * (1 << 16)
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        self.assertEqual(data, client.reader.exactly(len(data)))
        sender.join()

    def test_an_upgrade_must_be_offered(self):
        before = self.proxy.stat("http.main.downstream_rq_ws_on_non_ws_route")
        heads = len(self.h1.heads)
        self.assertEqual(403, self.websocket("/x", "by-route")[1].status)
        client, answer = self.websocket("/off", behind=b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(403, answer.status)
        self.assertEqual("close", answer.header("connection"))
        with self.assertRaises(Closed):
            client.reader.until(b"HTTP/1.1")
        self.assertEqual(101, self.websocket("/on", "by-route")[1].status)
        with Connection(self.proxy.address()) as other:
            other.send(message("GET", "/x", [("Upgrade", "websocket, chess"), ("Connection", "upgrade")]))
            self.assertEqual(403, other.read_head().status)
        self.assertEqual(heads + 1, len(self.h1.heads))
        self.assertEqual(before + 3, self.proxy.stat("http.main.downstream_rq_ws_on_non_ws_route"))

    def test_an_upgrade_that_connection_does_not_name_is_none(self):
        with Connection(self.proxy.address()) as client:
            client.send(message("GET", "/refuse", [("Upgrade", "websocket")]))
            self.assertEqual(403, client.read_response().status)
            self.assertNotIn("upgrade", dict(self.h1.heads[-1][1]))

    def test_case_does_not_matter(self):
        with Connection(self.proxy.address()) as client:
            client.send(message("GET", "/x", [("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade")]))
            self.assertEqual(101, client.read_head().status)

    def test_a_server_may_refuse(self):
        client, answer = self.websocket("/refuse", more=[("x-case", "refused")], behind=b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((403, "close"), (answer.status, answer.header("connection")))
        self.assertEqual(b"nope", client.reader.exactly(4))
        self.assertNotIn(b"smuggled", self.h1.received)
        self.assertIn("code=403 flags=- details=via_upstream", self.log_line("refused"))

    @weft_only("Envoy passes a switch to something else on")
    def test_a_server_must_switch_to_what_was_asked(self):
        self.assertEqual(502, self.websocket("/other")[1].status)

    @weft_only("Envoy takes a body for the first bytes of the tunnel")
    def test_no_body_before_a_tunnel(self):
        with Connection(self.proxy.address()) as client:
            client.send(message("POST", "/x", WEBSOCKET, b"12345"))
            self.assertEqual(400, client.read_head().status)

    @weft_only("Envoy ends both sides at once")
    def test_each_side_ends_on_its_own(self):
        client, _ = self.websocket(more=[("x-case", "halves")])
        client.send(b"last words")
        client.finish_sending()
        self.assertEqual(b"last wordsgood-bye", client.reader.to_end())
        self.assertIn("code=101 flags=DC details=downstream_remote_disconnect received=10 sent=18", self.log_line("halves"))
        client, _ = self.websocket()
        client.send(b"mute!")
        self.assertTrue(client.is_closed())
        client.send(b"still heard")
        wait_for(lambda: b"still heard" in self.h1.received, "what follows the server's end")

    def test_a_server_that_leaves_ends_the_client(self):
        client, _ = self.websocket()
        client.send(b"leave!")
        self.assertIn(client.is_closed(), (True,))

    def test_resets_pass(self):
        client, _ = self.websocket(more=[("x-case", "reset")])
        client.send(b"reset!")
        with self.assertRaises(Closed):
            client.reader.exactly(1)
        self.assertIn("code=101 flags=UC details=upstream_reset_after_response_started{connection_termination}", self.log_line("reset"))
        client, _ = self.websocket(more=[("x-case", "gone")])
        client.send(b"x")
        client.reader.exactly(1)
        client.abort()
        self.assertIn("code=101 flags=DC details=downstream_remote_disconnect received=1 sent=1", self.log_line("gone"))
        wait_for(lambda: self.proxy.stat("cluster.h1.upstream_rq_active") == 0, "no tunnel is left")

    def test_timeouts(self):
        client, answer = self.websocket("/timeout")  # the route's timeout is over with the answer
        self.assertEqual(101, answer.status)
        idle, answer = self.websocket("/idle", more=[("x-case", "idle")])
        self.assertEqual(101, answer.status)
        short, answer = self.websocket("/short", more=[("x-case", "short")])
        self.assertEqual(101, answer.status)
        for waits in (idle, short):
            with self.assertRaises(Closed):
                waits.reader.exactly(1)
        self.assertIn("flags=SI details=stream_idle_timeout", self.log_line("idle"))
        self.assertIn("code=101", self.log_line("short"))
        client.send(b"still there")
        self.assertEqual(b"still there", client.reader.exactly(11))
        self.assertEqual(504, self.websocket("/silent")[1].status)

    def test_no_host(self):
        self.assertEqual(503, self.websocket("/dead")[1].status)
        self.assertEqual(503, self.connect("dead-end")[1].status)

    def test_stats(self):
        total = self.proxy.stat("http.main.downstream_cx_upgrades_total")
        wait_for(lambda: self.proxy.stat("http.main.downstream_cx_upgrades_active") == 0, "no tunnel of an earlier test")
        client, _ = self.websocket()
        self.assertEqual(1, self.proxy.stat("http.main.downstream_cx_upgrades_active"))
        self.assertEqual(total + 1, self.proxy.stat("http.main.downstream_cx_upgrades_total"))
        client.close()
        wait_for(lambda: self.proxy.stat("http.main.downstream_cx_upgrades_active") == 0, "the tunnel's end")

    def test_a_slow_reader_stops_the_sender(self):
        """The server echoes into a client that does not read: what lies in between is bounded."""
        client, _ = self.websocket(name="slow")
        block, sent = bytes(1 << 16), 0
        raw = client._socket  # pylint: disable=protected-access
        raw.settimeout(0.5)
        try:
            while sent < 64 << 20:
                sent += raw.send(block)
        except socket.timeout:
            pass
        self.assertLess(sent, 48 << 20)
        raw.settimeout(10)
        got = 0
        while got < sent:
            piece = raw.recv(1 << 20)
            self.assertTrue(piece, f"the end after {got} of {sent} bytes")
            got += len(piece)

    # -- what only configuration asks for, or takes back

    @weft_only("Envoy opens a tunnel to the host, and loses bodies in it")
    def test_configuration_asks_for_no_tunnel(self):
        """An Upgrade that a route adds is a line like any other: bodies keep their framing, and what follows is the next request."""
        with Connection(self.proxy.address()) as client:
            for body, framing in ((None, "none"), (b"12345", "length"), ([b"123", b"45"], "chunked"), (b"GET /x HTTP/1.1\r\n\r\n", "length")):
                answer = client.request("POST" if body else "GET", "/added", body=body)
                self.assertEqual(200, answer.status)
                seen = self.plain.requests("/added")[-1]
                self.assertEqual((framing, "websocket", "upgrade"), (seen.framing, seen.header("upgrade"), seen.header("connection")))
                self.assertEqual(b"" if body is None else b"".join(body) if isinstance(body, list) else body, seen.body)
        self.assertEqual({seen.connection for seen in self.plain.requests("/added")}, {self.plain.requests("/added")[0].connection})
        self.plain.on("/added/switches", Reply(raw=SWITCHED + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhidden"))
        with Connection(self.proxy.address()) as client:
            self.assertEqual(502, client.request("GET", "/added/switches").status)
            self.assertNotIn(b"hidden", client.request("GET", "/added").body)
        heads = len(self.h2.heads)
        self.assertEqual(200, Connection(self.proxy.address()).request("GET", "/h2/added").status)
        method, head = self.h2.heads[heads]
        self.assertEqual("GET", method)
        self.assertFalse({":protocol", "upgrade", "connection"} & set(head))
        self.assertEqual(0, self.proxy.stat("cluster.h1-plain.upstream_rq_active"))

    @weft_only("Envoy sends a request without end")
    def test_configuration_takes_the_upgrade_away(self):
        heads = len(self.h1.heads)
        client, answer = self.websocket("/taken", behind=b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", more=[("x-case", "taken")])
        self.assertEqual((403, "close"), (answer.status, answer.header("connection")))
        self.assertIn("code=403 flags=- details=upgrade_failed", self.log_line("taken"))
        self.assertEqual(heads, len(self.h1.heads))
        client = self.h2_tunnel(self.extended("/taken"))
        self.assertEqual(403, client.status(1))
        wait_for(lambda: self.proxy.stat("http.main.downstream_rq_active") == self.proxy.stat("http.main.downstream_cx_upgrades_active"), "the gauges")

    # -- WebSocket over HTTP/2

    def test_from_http2_to_http1(self):
        client = self.h2_tunnel(self.extended("/echo", ("x-case", "h2h1")))
        self.assertEqual(200, client.status(1))
        self.assertNotIn("upgrade", client.heads[1][0])
        self.assertEqual(b"hello", self.h2_exchange(client, b"hello"))
        line, head = self.h1.heads[-1]
        self.assertEqual("GET /echo HTTP/1.1", line)
        self.assertEqual(("websocket", "upgrade"), (dict(head)["upgrade"], dict(head)["connection"]))
        client.close()
        self.assertIn("code=101 flags=DC", self.log_line("h2h1"))

    @weft_only("Envoy makes up no key")
    def test_a_server_gets_the_key_that_http2_does_without(self):
        self.h2_tunnel(self.extended())
        key = dict(self.h1.heads[-1][1])["sec-websocket-key"]
        self.assertEqual(16, len(base64.b64decode(key, validate=True)))
        self.h2_tunnel(self.extended("/echo", ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")))
        self.assertEqual("dGhlIHNhbXBsZSBub25jZQ==", dict(self.h1.heads[-1][1])["sec-websocket-key"])

    @weft_only("Envoy leaves the connection to the server open")
    def test_the_end_of_a_stream_ends_the_half(self):
        client = self.h2_tunnel(self.extended())
        self.assertEqual(b"lastgood-bye", self.h2_exchange(client, b"last", end=True))

    def test_from_http1_to_http2(self):
        client, answer = self.websocket("/h2/x")
        self.assertEqual((101, "websocket"), (answer.status, answer.header("upgrade")))
        client.send(b"hello")
        self.assertEqual(b"hello", client.reader.exactly(5))
        method, head = self.h2.heads[-1]
        self.assertEqual(("CONNECT", "websocket", "/h2/x", "http"),
                         (method, head[":protocol"], head[":path"], head[":scheme"]))
        self.assertNotIn("upgrade", head)
        self.assertNotIn("connection", head)
        self.assertEqual(403, self.websocket("/h2/refuse")[1].status)

    @weft_only("Envoy makes up none")
    def test_a_client_gets_the_accept_that_http2_does_without(self):
        answer = self.websocket("/h2/x")[1]
        self.assertEqual("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", answer.header("sec-websocket-accept"))
        self.assertIsNone(self.websocket()[1].header("sec-websocket-accept"), "what HTTP/1 hosts say is theirs")

    def test_http2_on_both_sides(self):
        client = self.h2_tunnel(self.extended("/h2/x"))
        self.assertEqual(200, client.status(1))
        self.assertEqual(b"hello", self.h2_exchange(client, b"hello"))
        self.assertEqual(b"lastgood-bye", self.h2_exchange(client, b"last", end=True))
        client = self.h2_tunnel(self.extended("/h2/refuse"))
        self.assertEqual(403, client.status(1))

    def test_a_reset_passes_as_connect_error(self):
        client = self.h2_tunnel(self.extended())
        client.send(frame(DATA, 0, 1, b"reset!"))
        client.until_stream_ends(1)
        self.assertEqual(CONNECT_ERROR, client.resets[1])
        client = self.h2_tunnel(self.extended("/h2/x"))
        before = len(self.h2.stream_resets)
        self.assertEqual(b"x", self.h2_exchange(client, b"x"))
        client.send(frame(RST_STREAM, 0, 1, number(CANCEL)))
        wait_for(lambda: len(self.h2.stream_resets) > before, "the reset at the server")

    def test_refused_over_http2(self):
        client = self.h2_tunnel(self.extended("/x"), "by-route")
        self.assertEqual(403, client.status(1))

    @weft_only("Envoy passes 200 on, which grants the tunnel")
    def test_a_page_grants_no_tunnel_over_http2(self):
        self.plain.on("/page", Reply(200, body=b"a page"))
        client = self.h2_tunnel(self.extended("/page", ("x-case", "page")))
        client.until_stream_ends(1)
        self.assertEqual(502, client.status(1))
        self.assertIn("code=502 flags=- details=websocket_handshake_unsuccessful", self.log_line("page"))
        with Connection(self.proxy.address()) as plain:
            plain.send(message("GET", "/page", WEBSOCKET))
            self.assertEqual((200, b"a page"), (lambda answer: (answer.status, answer.body))(plain.read_response()))

    def test_extended_connect_must_be_offered(self):
        client = self.h2_tunnel(self.extended("/on"), "no-extended")
        self.assertEqual(0, client.status(1))
        client.until(lambda kind, *_: kind == 7)
        self.assertTrue(client.goaway is not None or client.resets or client.closed)

    # -- CONNECT

    def test_connect_is_terminated(self):
        client, answer = self.connect("terminated", behind=b"early")
        self.assertEqual(200, answer.status)
        self.assertIsNone(answer.header("transfer-encoding"))
        self.assertEqual(b"early", client.reader.exactly(5))
        client.send(b"raw \x00 bytes")
        self.assertEqual(b"raw \x00 bytes", client.reader.exactly(11))
        client = self.h2_tunnel(request(method="CONNECT", path=None, scheme=None, authority="far.test:80"), "terminated")
        self.assertEqual(200, client.status(1))
        self.assertEqual(b"hello", self.h2_exchange(client, b"hello"))
        self.assertEqual(b"lastgood-bye", self.h2_exchange(client, b"last", end=True))
        client = self.h2_tunnel(request(method="CONNECT", path=None, scheme=None, authority="far.test:80"), "terminated")
        client.send(frame(DATA, 0, 1, b"reset!"))
        client.until_stream_ends(1)
        self.assertEqual(CONNECT_ERROR, client.resets[1])

    @weft_only("Envoy ends both sides at once")
    def test_connect_ends_side_by_side(self):
        client, _ = self.connect("terminated")
        client.send(b"last")
        client.finish_sending()
        self.assertEqual(b"lastgood-bye", client.reader.to_end())
        wait_for(lambda: self.proxy.stat("cluster.tcp.upstream_cx_active") == 0, "no connection is left")

    def test_connect_is_passed_on(self):
        client, answer = self.connect("passed-1", behind=b"early")
        self.assertEqual(200, answer.status)
        self.assertEqual(b"early", client.reader.exactly(5))
        self.assertEqual("CONNECT far.test:80 HTTP/1.1", self.h1.heads[-1][0])
        client, answer = self.connect("passed-2")
        self.assertEqual(200, answer.status)
        client.send(b"hello")
        self.assertEqual(b"hello", client.reader.exactly(5))
        method, head = self.h2.heads[-1]
        self.assertEqual(("CONNECT", "far.test:80"), (method, head[":authority"]))
        self.assertFalse({":path", ":scheme", ":protocol"} & set(head))
        for name in ("passed-1", "passed-2"):
            client = self.h2_tunnel(request(method="CONNECT", path=None, scheme=None, authority="far.test:80"), name)
            self.assertEqual(200, client.status(1))
            self.assertEqual(b"hello", self.h2_exchange(client, b"hello"))

    def test_a_refused_connect_opens_nothing(self):
        client, answer = self.connect("passed-1", CONNECT.replace(b"far", b"refused"), behind=b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((407, "close"), (answer.status, answer.header("connection")))
        self.assertEqual(b"who", client.reader.exactly(3))
        self.assertNotIn(b"smuggled", self.h1.received)

    def test_connect_must_be_offered(self):
        self.assertEqual(403, self.connect("no-connect")[1].status)
        self.assertEqual(404, self.connect("by-route")[1].status)
        with Connection(self.proxy.address("passed-1")) as client:
            self.assertEqual(404, client.request("GET", "/x").status)


if __name__ == "__main__":
    unittest.main()
