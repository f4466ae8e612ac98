"""Peers of HTTP/1 and HTTP/2 that send too much, too slowly or too often: what they cost is bounded, what they send reaches logs and stats
only in a shape that cannot harm their readers, and everybody else is served."""
import json
import os
import random
import tempfile
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, weft_only
from meshtest.frames import (CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, RawHttp2Server, fields, frame,
                             number, settings)
from meshtest.h2peer import Http2Client
from meshtest.process import resident
from meshtest.raw_http import Closed, Connection, fetch
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import wait_for

FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
MOST = 16 << 20
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ  # whose memory is the sanitizer's


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="weft-abuse-")
        cls.addClassCleanup(folder.cleanup)
        cls.text, cls.json = (os.path.join(folder.name, name) for name in ("text", "json"))
        cls.upstream, cls.host = Upstream(), RawHttp2Server()
        cls.addClassCleanup(cls.upstream.close)
        cls.addClassCleanup(cls.host.close)
        dead, keeper = refused_address()
        cls.addClassCleanup(keeper.close)
        logs = [
            {"name": "text", "typed_config": {"@type": FILE_LOG, "path": cls.text, "log_format": {"text_format_source": {
                "inline_string": "LINE %REQ(:METHOD)% %REQ(:PATH)% \"%REQ(USER-AGENT)%\" %REQ(:AUTHORITY)% %RESPONSE_CODE_DETAILS%\n"}}}},
            {"name": "json", "typed_config": {"@type": FILE_LOG, "path": cls.json, "log_format": {"json_format": {
                "path": "%REQ(:PATH)%", "agent": "%REQ(USER-AGENT)%", "host": "%REQ(:AUTHORITY)%", "code": "%RESPONSE_CODE%"}}}}]
        asked = {"max_stream_duration": {"grpc_timeout_header_max": "0s"}}
        table = routes(route("/timed", "up", action=asked), route("/h2", "h2"), route("/dead", "dead"), route("/", "up"))
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(table)), listener(hcm(table, access_log=logs), name="logged")],
            [cluster("up", cls.upstream.address), cluster("dead", dead),
             cluster("h2", cls.host.address, typed_extension_protocol_options=http2())]),
            flags=("--file-flush-interval-msec", "50") if data_plane_kind() == "envoy" else ())
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        self.assertEqual(200, fetch(self.proxy.address(), "/before").status)
        self.before = resident(self.proxy.program.pid)

    def tearDown(self):
        self.proxy.program.require_alive()
        self.assertEqual(200, fetch(self.proxy.address(), "/after").status)
        if not SANITIZED and data_plane_kind() == "weft":
            self.assertLess(resident(self.proxy.program.pid) - self.before, MOST)

    # -- too much

    def test_times_that_make_no_sense(self):
        """What a client says of time is clamped or ignored, but for a deadline that has passed already."""
        words = ("99999999H", "-1S", "1X", "1", "", "123456789012S", "+5S", "0x1S", "1.5S", "99999999999999999999m", "1S, 1H")
        for word in words:
            with self.subTest(word):
                self.assertEqual(200, fetch(self.proxy.address(), "/timed/x", headers=[("grpc-timeout", word)]).status)
                self.assertEqual(200, fetch(self.proxy.address(), "/timed/x", headers=[
                    ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", word)]).status)
        for word in ("0S", "0n"):
            with self.subTest(word):
                answer = fetch(self.proxy.address(), "/timed/x", headers=[("grpc-timeout", word)])
                self.assertEqual((504, "downstream duration timeout"), (answer.status, answer.text))
                answer = fetch(self.proxy.address(), "/timed/x", headers=[("content-type", "application/grpc"), ("grpc-timeout", word)])
                self.assertEqual((200, "4"), (answer.status, answer.header("grpc-status")))
        for word in ("0", "-1", "99999999999999999999", "18446744073709551616", "1e9", "0x10", " ", "10,20"):
            with self.subTest(word):
                self.assertEqual(200, fetch(self.proxy.address(), "/x", headers=[
                    (name, word) for name in ("x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
                                              "x-envoy-expected-rq-timeout-ms", "x-envoy-max-retries", "x-envoy-hedge-on-per-try-timeout")]).status)

    @weft_only("Envoy reads extensions of any length")
    def test_chunk_extensions_without_end(self):
        body = b"1;" + b"x" * 1024 + b"\r\nz\r\n"
        with Connection(self.proxy.address()) as connection:
            connection.send(b"POST /extended HTTP/1.1\r\nhost: main.test\r\ntransfer-encoding: chunked\r\n\r\n" + body * 1000 + b"0\r\n\r\n")
            self.assertEqual(400, connection.read_response().status)
            self.assertTrue(connection.is_closed())
        self.assertEqual(0, self.upstream.count("/extended"))

    def test_answers_with_too_large_a_head(self):
        """Over either protocol an answer that nobody can keep is the host's fault; the next one is read from a fresh connection."""
        large = [(f"x-{index}", "y" * 7000) for index in range(30)]
        many = [("x-many", "1")] * 10000
        for name, extra in (("large", large), ("one", [("x-one", "y" * 200000)]), ("many", many)):
            self.upstream.on(f"/{name}", Reply(headers=extra))
            block = fields((":status", "200"), *extra)
            pieces = [block[at:at + 16000] for at in range(0, len(block), 16000)]

            def answer(stream, pieces=pieces):
                return frame(HEADERS, END_STREAM, stream, pieces[0]) + b"".join(
                    frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, stream, piece) for piece in pieces[1:])
            self.host.answers[f"/h2/{name}"] = answer
            for path in (f"/{name}", f"/h2/{name}"):
                with self.subTest(path):
                    self.assertIn(fetch(self.proxy.address(), path).status, (502, 503))
        self.host.answers["/h2/fine"] = lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, fields((":status", "204")))
        self.assertEqual(204, fetch(self.proxy.address(), "/h2/fine").status)

    def test_a_host_that_begins_and_takes_back(self):
        """HEADERS, then RST_STREAM, GOAWAY, SETTINGS without streams, in one write, again and again: nothing is left over."""
        def answer(stream):
            return (frame(HEADERS, END_HEADERS, stream, fields((":status", "200"))) + frame(RST_STREAM, 0, stream, number(2))
                    + frame(GOAWAY, 0, 0, number(stream) + number(0)) + settings(max_concurrent_streams=0))
        self.host.answers["/h2/taken-back"] = answer
        for _ in range(20):
            try:
                self.assertIn(fetch(self.proxy.address(), "/h2/taken-back").status, (200, 502, 503))
            except Closed:
                pass
        for name in ("upstream_rq_active", "upstream_cx_active", "upstream_rq_pending_active"):
            wait_for(lambda: self.proxy.stat(f"cluster.h2.{name}") == 0, f"{name} back")  # pylint: disable=cell-var-from-loop
        wait_for(lambda: self.proxy.stat("cluster.h2.http2.streams_active") == 0, "no stream left over")

    # -- too many at once, and slowly

    def test_a_crowd_of_slow_peers_stops_nobody(self):
        """Heads and bodies that do not end, answers that nobody reads, silence, half-closed ends: and normal requests between them."""
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream.on("/large", Reply(body=bytes(1 << 20)))
        starts = (b"GET /slow HTTP/1.1\r\nhost: main.test\r\nx-slow: ", b"G", b"",
                  b"POST /slow HTTP/1.1\r\nhost: main.test\r\ncontent-length: 100\r\n\r\nslow",
                  b"POST /slow HTTP/1.1\r\nhost: main.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nsl",
                  b"GET /large HTTP/1.1\r\nhost: main.test\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4")
        files = len(os.listdir(f"/proc/{self.proxy.program.pid}/fd"))
        crowd = [Connection(self.proxy.address()) for _ in range(400)]
        for index, connection in enumerate(crowd):
            connection.send(starts[index % len(starts)])
            if index % 5 == 0:
                connection.finish_sending()
        for index in range(100):
            self.assertEqual(200, fetch(self.proxy.address(), f"/normal/{index}").status)
        for connection in crowd:
            connection.close()
        wait_for(lambda: self.proxy.stat("http.main.downstream_cx_active") == 0, "all have left")
        wait_for(lambda: self.proxy.stat("http.main.downstream_rq_active") == 0, "no request left over")
        wait_for(lambda: len(os.listdir(f"/proc/{self.proxy.program.pid}/fd")) < files + 60, "their descriptors are back")

    # -- what others read

    def line(self, path, wanted):
        def find():
            with open(path, "rb") as file:
                return [line for line in file.read().split(b"\n") if wanted in line]
        return wait_for(find, f"a line with {wanted!r}")

    def test_a_log_has_one_line_for_a_request(self):
        agents = {"quote": b'a"b\\"c\\', "high": b"\xff\xfe\x80 \xc3\x28 \xed\xa0\x80", "brackets": b'"} {"code": 999, "x": "', "tab": b"a\tb",
                  "long": b"u" * 50000, "percent": b"%REQ(:PATH)% %s %n", "null": b"\\u0000 \\n \\r\\n"}
        for name, agent in agents.items():
            path = b"/log/" + name.encode() + b"%0d%0aLINE%20forged"
            with Connection(self.proxy.address("logged")) as connection:
                connection.send(b"GET " + path + b" HTTP/1.1\r\nhost: main.test\r\nuser-agent: " + agent + b"\r\n\r\n")
                self.assertEqual(200, connection.read_response().status)
        for name, agent in agents.items():
            with self.subTest(name):
                self.assertEqual(1, len(self.line(self.text, b"/log/" + name.encode() + b"%0d")))
                entry, = self.line(self.json, b"/log/" + name.encode() + b"%0d")
                values = json.loads(entry.decode("utf-8", "surrogateescape"))
                self.assertEqual({"path", "agent", "host", "code"}, set(values))
                self.assertEqual(200, values["code"])
                if name not in ("high",):
                    self.assertTrue(agent.decode().startswith(values["agent"]) and len(values["agent"]) >= min(len(agent), 4096), values)
        with open(self.text, "rb") as file:
            self.assertEqual([], [line for line in file.read().split(b"\n") if line and not line.startswith(b"LINE ")])

    def test_control_characters_reach_no_log(self):
        for name, value in {"escape": b"\x1b[2J", "lf": b"a\nLINE forged", "cr": b"a\rLINE forged", "nul": b"a\0b", "bell": b"\x07"}.items():
            with Connection(self.proxy.address("logged")) as connection:
                connection.send(b"GET /control/" + name.encode() + b" HTTP/1.1\r\nhost: main.test\r\nuser-agent: " + value + b"\r\n\r\n")
                connection.settimeout(5)
                try:
                    connection.read_response()
                except Closed:
                    pass
        fetch(self.proxy.address("logged"), "/control/fence")
        self.line(self.text, b"/control/fence")
        for path in (self.text, self.json):
            with open(path, "rb") as file:
                text = file.read()
            self.assertFalse(set(text) & (set(range(32)) - {9, 10}), "a control character in a log")
            self.assertNotIn(b"\nLINE forged", text)

    def test_stats_do_not_grow_with_what_clients_make_up(self):
        dice = random.Random(7)

        def word():
            return "".join(dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))

        def names():
            return {line.partition(":")[0] for line in self.proxy.admin("/stats").text.splitlines()}
        fetch(self.proxy.address(), "/made-up", "MADEUP")
        before, length = names(), len(self.proxy.admin("/stats/prometheus").body)
        for _ in range(20):
            fetch(self.proxy.address(), f"/{word()}", word().upper())  # refused, which ends the connection
            with Connection(self.proxy.address()) as connection:
                for _ in range(20):
                    method = dice.choice(("GET", "POST", "PROPFIND"))
                    connection.request(method, f"/{word()}?{word()}={word()}", [("user-agent", word()), ("x-" + word(), word()),
                                                                               ("x-request-id", word())], host=f"{word()}.test")
        with Http2Client(self.proxy.address()) as client:
            for _ in range(50):
                client.request("GET", f"/{word()}", [("x-" + word(), word())], authority=f"{word()}.test")
        self.assertLess(len(names() - before), 40, sorted(names() - before))
        self.assertLess(len(self.proxy.admin("/stats/prometheus").body), length * 1.5)

    def test_status_codes_make_no_more_stats_than_there_are(self):
        """Each known code has its counter; made-up ones cannot be told apart for ever."""
        for code in range(200, 1000, 7):
            self.upstream.on(f"/code/{code}", Reply(raw=b"HTTP/1.1 %d Odd\r\ncontent-length: 0\r\n\r\n" % code))
            fetch(self.proxy.address(), f"/code/{code}")
        counters = [line for line in self.proxy.admin("/stats?filter=cluster.up.upstream_rq_[0-9]").text.splitlines()]
        self.assertLess(len(counters), 1000)

    def test_an_error_tells_nothing_of_the_inside(self):
        answer = fetch(self.proxy.address(), "/dead/x")
        self.assertEqual(503, answer.status)
        told = answer.text + repr(answer.headers)
        for secret in ("127.0.0.1", "dead", str(self.upstream.port), "main.test"):
            self.assertNotIn(secret, told)


if __name__ == "__main__":
    unittest.main()
