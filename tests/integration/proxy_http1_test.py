"""HTTP/1.1 through the proxy, byte by byte: connections, bodies both ways, back-pressure, and messages that end too early."""
import socket
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane
from meshtest.process import resident
from meshtest.raw_http import Closed, Connection, chunked, fetch, message
from meshtest.upstream import Reply, Upstream
from meshtest.wait import holds_for, wait_for


class Http1(unittest.TestCase):
    """One proxy with one upstream for all tests; each uses paths of its own."""

    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/unlimited", "up", action={"timeout": "0s"}), route("/", "up")),
                          request_timeout="0s", stream_idle_timeout="30s")),
             listener(hcm(routes(route("/", "up")), request_headers_timeout="0.3s", request_timeout="0.5s",
                          common_http_protocol_options={"idle_timeout": "0.4s"}), name="impatient")],
            [cluster("up", cls.upstream.address)]))
        cls.addClassCleanup(cls.proxy.stop)

    def connect(self, name="main"):
        connection = Connection(self.proxy.address(name))
        self.addCleanup(connection.close)
        return connection

    def test_keep_alive_uses_one_connection_on_both_sides(self):
        with self.connect() as connection:
            first = connection.request("GET", "/keep/0")
            self.assertEqual(200, first.status)
            numbers = set()
            for index in range(20):
                self.assertEqual(200, connection.request("GET", f"/keep/{index}").status)
        numbers = {seen.connection for seen in self.upstream.requests() if seen.path.startswith("/keep/")}
        self.assertEqual(1, len(numbers))

    def test_pipelined_answers_come_in_order(self):
        connection = self.connect()
        self.upstream.on("/pipe/0", Reply(delay=0.1, body=b"slow"))
        connection.send(b"".join(message("GET", f"/pipe/{index}") for index in range(10)))
        answers = [connection.read_response() for _ in range(10)]
        self.assertEqual(b"slow", answers[0].body)
        self.assertEqual([f"/pipe/{index}" for index in range(1, 10)], [answer.json()["target"] for answer in answers[1:]])

    def test_request_byte_by_byte(self):
        connection = self.connect()
        for byte in message("POST", "/drip", body=[b"abc", b"de"]):
            connection.send(bytes([byte]))
        self.assertEqual("abcde", connection.read_response().json()["body"])

    def test_large_bodies_both_ways(self):
        body = b"0123456789abcdef" * (1 << 16)  # 1 MiB
        self.upstream.on("/large", lambda seen: Reply(body=seen.body))
        for kind, payload in (("length", body), ("chunks", [body[i:i + 7000] for i in range(0, len(body), 7000)])):
            with self.subTest(kind):
                self.assertEqual(body, fetch(self.proxy.address(), "/large", "POST", body=payload).body)

    def test_body_streams_before_it_is_complete(self):
        connection = self.connect()
        connection.send(b"POST /unlimited/stream HTTP/1.1\r\nHost: main.test\r\nContent-Length: 10\r\n\r\nfirst")
        wait_for(lambda: self.upstream.requests("/unlimited/stream", complete=False), "the head to arrive before the body's end")
        self.assertEqual(0, self.upstream.count("/unlimited/stream"))
        connection.send(b"later")
        self.assertEqual("firstlater", connection.read_response().json()["body"])

    def test_bytes_are_counted_as_they_pass(self):
        def counted():
            return [self.proxy.stat(name) for name in (
                "http.main.downstream_cx_rx_bytes_total", "http.main.downstream_cx_tx_bytes_total",
                "cluster.up.upstream_cx_rx_bytes_total", "cluster.up.upstream_cx_tx_bytes_total")]
        before = counted()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        self.upstream.on("/unlimited/counted", Reply(body=bytes(100000), hold=go_on))
        connection = self.connect()
        connection.send(b"POST /unlimited/counted HTTP/1.1\r\nHost: main.test\r\nContent-Length: 100000\r\n\r\n" + bytes(50000))
        wait_for(lambda: [now - then >= least for now, then, least in zip(counted(), before, (50000, 0, 0, 50000))] == [True] * 4,
                 "the half that has passed")
        connection.send(bytes(50000))
        go_on.set()
        connection.reader.until(b"\r\n\r\n")
        connection.reader.exactly(100000)
        wait_for(lambda: [now - then >= 100000 for now, then in zip(counted(), before)] == [True] * 4, "all of it")

    def test_answer_streams_before_it_is_complete(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        with socket.create_server(("127.0.0.1", 0)) as server:
            proxy = DataPlane(bootstrap([listener(hcm(routes(route("/", "raw"))))], [cluster("raw", server.getsockname())]))
            self.addCleanup(proxy.stop)
            connection = Connection(proxy.address())
            self.addCleanup(connection.close)
            connection.send(message("GET", "/"))
            peer, _ = server.accept()
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nearly\r\n")
            self.assertEqual(200, connection.read_head().status)
            self.assertEqual(b"5\r\nearly\r\n", connection.reader.exactly(10))
            peer.sendall(b"4\r\nlate\r\n0\r\n\r\n")
            self.assertEqual([b"late"], connection.reader.chunked()[0])
            peer.close()

    def test_slow_reader_holds_the_upstream_back(self):
        """64 MiB towards a client that does not read: the proxy must neither take it all nor grow."""
        sent = []
        done = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as server:
            def pour():
                peer, _ = server.accept()
                peer.recv(65536)
                peer.settimeout(1.0)
                piece = b"x" * 65536
                try:
                    peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1024 * len(piece)))
                    for _ in range(1024):
                        peer.sendall(piece)
                        sent.append(len(piece))
                except OSError:
                    pass
                done.set()
                peer.close()
            proxy = DataPlane(bootstrap([listener(hcm(routes(route("/", "raw", action={"timeout": "0s"}))))],
                                        [cluster("raw", server.getsockname())]))
            self.addCleanup(proxy.stop)
            before = resident(proxy.program.pid)
            threading.Thread(target=pour, daemon=True).start()
            connection = Connection(proxy.address())
            connection.send(message("GET", "/"))
            self.addCleanup(connection.close)
            self.assertTrue(done.wait(30), "the upstream is held back or has sent all")
            self.assertLess(sum(sent), 48 << 20, "the proxy swallowed nearly everything")
            self.assertLess(resident(proxy.program.pid) - before, 16 << 20, "memory grew with the body")

    def test_truncated_answer_is_not_passed_as_whole(self):
        self.upstream.on("/cut/length", Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", close=True))
        self.upstream.on("/cut/chunks", Reply(raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", close=True))
        for path in ("/cut/length", "/cut/chunks"):
            with self.subTest(path), self.assertRaises(Closed):
                fetch(self.proxy.address(), path)

    def test_truncated_request_never_arrives_whole(self):
        for name, head in (("length", b"Content-Length: 100\r\n\r\nhalf"), ("chunks", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")):
            path = f"/half/{name}"
            connection = self.connect()
            connection.send(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: main.test\r\n" + head)
            wait_for(lambda: self.upstream.requests(path, complete=False), "the head at the upstream")
            connection.close()
            self.assertEqual(200, fetch(self.proxy.address(), "/fence").status)
            holds_for(lambda: self.upstream.count(path) == 0, "no complete request", 0.2)

    def test_client_that_goes_away_frees_the_upstream(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream.on("/abandoned", Reply(hold=release))
        connection = self.connect()
        connection.send(message("GET", "/abandoned"))
        wait_for(lambda: self.upstream.count("/abandoned"), "the request at the upstream")
        connection.abort()
        wait_for(lambda: self.proxy.stat("cluster.up.upstream_rq_active") == 0, "no active request")

    def test_upstream_connection_with_unasked_bytes_is_not_reused(self):
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        self.upstream.on("/poison", Reply(raw=answer + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"))
        self.assertEqual(b"ok", fetch(self.proxy.address(), "/poison").body)
        poisoned = self.upstream.requests("/poison")[0].connection
        for _ in range(5):
            answer = fetch(self.proxy.address(), "/after-poison")
            self.assertEqual("/after-poison", answer.json()["target"])
        self.assertNotIn(poisoned, {seen.connection for seen in self.upstream.requests("/after-poison")})

    def test_idle_upstream_connection_closed_between_requests(self):
        for _ in range(10):
            self.assertEqual(200, fetch(self.proxy.address(), "/idle").status)
            self.upstream.drop_connections()
            wait_for(lambda: self.proxy.stat("cluster.up.upstream_cx_active") == 0, "the loss to be noticed")

    def test_expect_continue(self):
        connection = self.connect()
        connection.send(b"POST /expect HTTP/1.1\r\nHost: main.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(100, connection.read_head().status)
        connection.send(b"hello")
        self.assertEqual("hello", connection.read_response().json()["body"])

    def test_connection_close_is_honoured(self):
        connection = self.connect()
        answer = connection.request("GET", "/close", [("Connection", "close")])
        self.assertEqual("close", answer.header("connection"))
        self.assertTrue(connection.is_closed())

    def test_header_timeout(self):
        connection = self.connect("impatient")
        connection.send(b"GET /never HTTP/1.1\r\nHost: main.test\r\n")
        self.assertEqual(408, connection.read_response().status)
        self.assertTrue(connection.is_closed())

    def test_request_timeout(self):
        connection = self.connect("impatient")
        connection.send(b"POST /never-whole HTTP/1.1\r\nHost: main.test\r\nContent-Length: 10\r\n\r\nhalf")
        self.assertEqual(408, connection.read_response().status)
        self.assertEqual(0, self.upstream.count("/never-whole"))

    def test_idle_timeout_closes_quietly(self):
        connection = self.connect("impatient")
        self.assertEqual(200, connection.request("GET", "/then-idle").status)
        self.assertTrue(connection.is_closed())

    def test_trailers_off_by_default_and_framing_trailers_never_pass(self):
        connection = self.connect()
        connection.send(b"POST /trailers HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + chunked(b"abc", trailers=[("x-sum", "1"), ("content-length", "50"), ("host", "evil")]))
        seen = connection.read_response().json()
        self.assertEqual("abc", seen["body"])
        self.assertFalse({"content-length", "host"} & {name for name, _ in seen["trailers"]})


if __name__ == "__main__":
    unittest.main()
