"""HTTP/2 peers that give more work than they do: each loses its connection (or its stream) and is counted under Envoy's names, memory
stays flat, and whoever else is connected notices nothing. First clients, then hosts."""
import os
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, weft_only
from meshtest.frames import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, GOAWAY, HEADERS, INTERNAL_ERROR,
                             PADDED, PING, PRIORITY, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, RawHttp2,
                             RawHttp2Server, fields, frame, get, literal, number, post, request, settings)
from meshtest.h2peer import Http2Client, Http2Upstream
from meshtest.process import resident
from meshtest.raw_http import fetch
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

LIMITS = {"max_concurrent_streams": 40, "max_outbound_control_frames": 100, "max_outbound_frames": 300,
          "max_inbound_priority_frames_per_stream": 10, "max_inbound_window_update_frames_per_data_frame_sent": 2}
# What any single peer may cost at most; the attacks below send or ask for much more where bytes are their point.
MOST = 16 << 20
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ  # whose memory is the sanitizer's
ALL = (1 << 31) - 1


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream, cls.h2 = Upstream(), Http2Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.addClassCleanup(cls.h2.close)
        table = routes(route("/h2", "h2"), route("/", "up"))

        def manager(**options):
            return hcm(table, codec_type="HTTP2", stream_idle_timeout="1s", http2_protocol_options=options)
        cls.proxy = DataPlane(bootstrap(
            [listener(manager(**LIMITS)), listener(manager(), name="default"),
             listener(manager(override_stream_error_on_invalid_http_message=True), name="lenient"),
             listener(manager(stream_reset_burst=10, stream_reset_rate=1), name="rated"),
             listener(manager(connection_keepalive={"interval": "0.1s", "timeout": "0.3s"}), name="keepalive")],
            [cluster("up", cls.upstream.address), cluster("h2", cls.h2.address, typed_extension_protocol_options=http2())]))
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        self.release = threading.Event()
        self.addCleanup(self.release.set)
        self.upstream.on("/held", Reply(hold=self.release))
        self.neighbour = Http2Client(self.proxy.address())
        self.addCleanup(self.neighbour.close)
        self.assertEqual(200, self.neighbour.request("GET", "/before").status)
        self.before = resident(self.proxy.program.pid)

    def tearDown(self):
        self.assertEqual(200, self.neighbour.request("GET", "/after").status)
        self.assertIsNone(self.neighbour.goaway)
        if not SANITIZED:
            self.assertLess(resident(self.proxy.program.pid) - self.before, MOST)
        wait_for(lambda: self.proxy.stat("http2.streams_active") == 0, "no stream left over")

    def client(self, name="main", first=settings()):
        client = RawHttp2(self.proxy.address(name), first)
        self.addCleanup(client.close)
        return client

    def ends(self, data, stat=None, times=1, name="main", first=settings()):
        """Sends `data` so many times: the connection must end, and the stat move."""
        before = self.proxy.stat(stat) if stat else 0
        client = self.client(name, first)
        for _ in range(times):
            if not client.send(data):
                break
        client.until_closed()
        if stat:
            self.proxy.wait_stat(stat, before + 1)
        return client

    def test_rapid_reset(self):
        asked = b"".join(get(stream, path="/held") + frame(RST_STREAM, 0, stream, number(CANCEL)) for stream in range(1, 4000, 2))
        for name in ("main", "default"):
            self.ends(asked, "http.main.downstream_rq_too_many_premature_resets", name=name)
        self.assertGreater(self.proxy.stat("http2.rx_reset"), 200)
        wait_for(lambda: self.proxy.stat("cluster.up.upstream_rq_active") == 0, "the work to stop")

    def test_reset_rate(self):
        """A limit of RST_STREAM frames by time, besides."""
        client = self.ends(b"".join(get(stream, path="/held") + frame(RST_STREAM, 0, stream, number(CANCEL)) for stream in range(1, 80, 2)),
                           name="rated")
        self.assertEqual(INTERNAL_ERROR, client.goaway)

    def test_resets_that_the_proxy_is_made_to_send(self):
        """MadeYouReset: each request is sound, and then its window overflows."""
        self.ends(b"".join(get(stream, path="/held") + frame(WINDOW_UPDATE, 0, stream, number(ALL)) for stream in range(1, 4000, 2)))
        wait_for(lambda: self.proxy.stat("cluster.up.upstream_rq_active") == 0, "the work to stop")

    def test_answered_streams_may_be_many(self):
        client = self.client("default")
        for stream in range(1, 2001, 2):
            client.send(get(stream, path="/nowhere", method="HEAD"))
            self.assertIsNotNone(client.until_stream_ends(stream))
        self.assertIsNone(client.goaway)

    def test_continuations_without_end(self):
        head = frame(HEADERS, END_STREAM, 1, request())
        empty, short = frame(CONTINUATION, 0, 1) * 1000, frame(CONTINUATION, 0, 1, literal("x-a", "b")) * 1000
        large = frame(CONTINUATION, 0, 1, literal("x-large", "y" * 16000)) * 64
        self.ends(head + empty, "http2.inbound_empty_frames_flood", times=100)
        self.ends(head + short, "http2.header_overflow", times=100)
        self.ends(head + large, times=64)

    def test_empty_data(self):
        self.ends(post(1) + frame(DATA, 0, 1) * 100, "http2.inbound_empty_frames_flood")
        self.ends(post(1) + frame(DATA, PADDED, 1, b"\x03\0\0\0") * 100, "http2.inbound_empty_frames_flood")

    def test_settings(self):
        client = self.ends(frame(SETTINGS) * 2000, times=200)
        self.assertLess(len(client.seen), 400000)

    def test_pings(self):
        client = self.ends(frame(PING, 0, 0, b"12345678") * 2000, times=200)
        self.assertLess(len(client.seen), 400000)

    @weft_only("nghttp2 in Envoy ends such a connection before Envoy counts")
    def test_what_answers_itself_is_counted(self):
        self.ends(frame(PING, 0, 0, b"12345678") * 2000, "http2.outbound_control_flood", times=10)
        self.ends(frame(SETTINGS) * 2000, "http2.outbound_control_flood", times=10)

    def test_priorities(self):
        self.ends(frame(PRIORITY, 0, 1, number(0) + b"\x10") * 100, "http2.inbound_priority_frames_flood")

    def test_window_updates(self):
        self.ends(frame(WINDOW_UPDATE, 0, 0, number(1)) * 100, "http2.inbound_window_update_frames_flood")
        self.ends(get(1, path="/held") + frame(WINDOW_UPDATE, 0, 1, number(1)) * 100, "http2.inbound_window_update_frames_flood")

    def test_window_overflow(self):
        client = self.ends(frame(WINDOW_UPDATE, 0, 0, number(ALL)))
        if data_plane_kind() == "weft":
            self.assertEqual(FLOW_CONTROL_ERROR, client.goaway)
        client = self.client()
        client.send(get(1, path="/held") + frame(WINDOW_UPDATE, 0, 1, number(100000)) + settings(initial_window_size=ALL))
        client.until_stream_ends(1)
        self.assertEqual({1: FLOW_CONTROL_ERROR}, client.resets)

    def test_shut_windows(self):
        """Answers that nobody takes: the streams end after the stream's idle timeout, what was kept for them is gone."""
        before = self.proxy.stat("http2.tx_flush_timeout")
        client = self.client(first=settings(initial_window_size=0))
        client.send(b"".join(get(stream, path="/h2/large/200000") for stream in range(1, 40, 2)))
        for stream in range(1, 40, 2):
            if stream not in client.resets:
                client.until(lambda kind, _flags, at, _: kind == RST_STREAM and at == stream)
            self.assertIn(stream, client.resets)
        self.proxy.wait_stat("http2.tx_flush_timeout", before + 20)

    def test_windows_that_open_by_one_byte(self):
        client = self.client("default", first=settings(initial_window_size=1))
        client.send(get(1, path="/h2/large/50"))
        client.until(lambda kind, *_: kind == DATA)
        while client.send(frame(WINDOW_UPDATE, 0, 1, number(1))):
            found = client.until(lambda kind, *_: kind == DATA)
            if found is None or found[1] & END_STREAM or sum(len(seen[3]) for seen in client.seen if seen[0] == DATA) == 50:
                break
        self.assertEqual(50, sum(len(payload) for kind, _, _, payload in client.seen if kind == DATA))

    def test_answers_that_nobody_reads(self):
        """No stream is left open, but what was said to them waits."""
        before = self.proxy.stat("http2.outbound_flood") + self.proxy.stat("http2.outbound_control_flood")
        client = self.client()
        stream = 1
        while client.send(b"".join(get(at, path="/nowhere") for at in range(stream, stream + 80, 2)) + frame(PING, 0, 0, b"12345678") * 20):
            stream += 80
            if self.proxy.stat("http2.outbound_flood") + self.proxy.stat("http2.outbound_control_flood") > before:
                break
        client.until_closed()

    def test_hpack_bombs(self):
        """12 KB that decode to 36 MB."""
        for name in ("x-bomb", "cookie"):
            client = self.client()
            before = self.proxy.stat("http2.header_list_size_too_large")
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, request() + literal(name, "b" * 3000, b"\x40") + b"\xbe" * 12000))
            client.until_stream_ends(1)
            self.assertTrue(client.closed or client.resets, client.seen)
            self.proxy.wait_stat("http2.header_list_size_too_large", before + 1)

    def test_large_heads(self):
        """Too many fields, too many bytes: the stream alone ends, and Weft says 431."""
        large = request(*[(f"x-{index}", "y" * 7000) for index in range(10)])
        pieces = [large[at:at + 16000] for at in range(0, len(large), 16000)]
        frames = frame(HEADERS, END_STREAM, 1, pieces[0]) + b"".join(
            frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, 1, piece) for piece in pieces[1:])
        many = get(1, *[("x", "1")] * 101)
        for data, stat in ((frames, "header_list_size_too_large"), (many, "header_overflow")):
            before = self.proxy.stat(f"http2.{stat}")
            client = self.client()
            client.send(data)
            self.assertIsNotNone(client.until_stream_ends(1))
            if data_plane_kind() == "weft":
                self.assertEqual(431, client.status(1))
            self.proxy.wait_stat(f"http2.{stat}", before + 1)
            client.send(get(3, path="/nowhere"))
            self.assertIsNotNone(client.until_stream_ends(3))

    def test_more_streams_than_allowed(self):
        before = self.proxy.stat("http2.stream_refused_errors")
        client = self.client()
        client.send(b"".join(get(stream, path="/held") for stream in range(1, 101, 2)))
        while len(client.resets) < 10:
            self.assertIsNotNone(client.until(lambda kind, *_: kind == RST_STREAM))
        self.assertEqual({stream: REFUSED_STREAM for stream in range(81, 101, 2)}, client.resets)
        self.proxy.wait_stat("http2.stream_refused_errors", before + 10)
        self.release.set()
        client.until_stream_ends(1)
        self.assertNotIn(1, client.resets)

    def test_malformed_messages(self):
        """The connection ends, or with override_stream_error_on_invalid_http_message the stream alone."""
        for extra in (("connection", "close"), ("X-Upper", "1"), ("x", "a\r\nb: c"), ("transfer-encoding", "chunked"), (":late", "1")):
            with self.subTest(extra):
                self.ends(get(1, extra) + get(3, path="/hidden"), "http2.rx_messaging_error")
                self.assertEqual(0, self.upstream.count("/hidden"))
                client = self.client("lenient")
                client.send(get(1, extra) + get(3, path="/served"))
                client.until_stream_ends(3)
                self.assertIn(1, client.resets)
                self.assertNotIn(3, client.resets)

    @weft_only("nghttp2 lets such frames pass")
    def test_frames_on_streams_that_the_client_ended(self):
        client = self.client()
        client.send(get(1, path="/nowhere", method="HEAD"))
        client.until_stream_ends(1)
        client.send(get(1, path="/again"))
        client.until_closed()
        self.assertEqual(STREAM_CLOSED, client.goaway)
        self.assertEqual(0, self.upstream.count("/again"))

    def test_frames_behind_a_connection_error(self):
        self.ends(frame(DATA, 0, 0, b"x") + frame(PING, 0, 0, b"short") + get(1, path="/hidden") + frame(0xfe, 0xff, 7, b"?" * 100))
        self.assertEqual(0, self.upstream.count("/hidden"))

    def test_keepalive(self):
        before = self.proxy.stat("http2.keepalive_timeout")
        self.client("keepalive").until_closed()
        self.proxy.wait_stat("http2.keepalive_timeout", before + 1)
        with RawHttp2(self.proxy.address("keepalive")) as client:
            for _ in range(5):
                ping = client.until(lambda kind, flags, *_: kind == PING and not flags & ACK)
                self.assertIsNotNone(ping)
                client.send(frame(PING, ACK, 0, ping[3]))
            self.assertIsNone(client.goaway)


class Hosts(unittest.TestCase):
    """The same from the other side: a host's connection ends, its requests fail, other clusters' do not."""

    @classmethod
    def setUpClass(cls):
        cls.host, cls.other = RawHttp2Server(), Upstream()
        cls.addClassCleanup(cls.host.close)
        cls.addClassCleanup(cls.other.close)
        options = http2(**LIMITS, connection_keepalive={"interval": "0.2s", "timeout": "0.5s"})
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/other", "other"), route("/", "host"))))],
            [cluster("host", cls.host.address, typed_extension_protocol_options=options), cluster("other", cls.other.address)]))
        cls.addClassCleanup(cls.proxy.stop)

    def fails(self, answer, stat=None):
        path = f"/{self.id().rpartition('.')[2]}"
        before = self.proxy.stat(stat) if stat else 0
        ended = self.host.ended
        self.host.answers[path] = answer
        self.assertIn(fetch(self.proxy.address(), path).status, (502, 503))
        wait_for(lambda: self.host.ended > ended, "the connection's end")
        if stat:
            self.proxy.wait_stat(stat, before + 1)
        self.assertEqual(200, fetch(self.proxy.address(), "/other").status)

    def test_empty_data(self):
        self.host.answers["/cut"] = lambda stream: frame(HEADERS, END_HEADERS, stream, fields((":status", "200"))) + frame(DATA, 0,
            stream) * 100
        ended = self.host.ended
        with self.assertRaises(ConnectionError):
            fetch(self.proxy.address(), "/cut")
        wait_for(lambda: self.host.ended > ended, "the connection's end")
        self.proxy.wait_stat("cluster.host.http2.inbound_empty_frames_flood", 1)
        self.assertEqual(200, fetch(self.proxy.address(), "/other").status)

    def test_priorities(self):
        self.fails(lambda _: frame(PRIORITY, 0, 1, number(0) + b"\x10") * 100, "cluster.host.http2.inbound_priority_frames_flood")

    def test_window_updates(self):
        self.fails(lambda _: frame(WINDOW_UPDATE, 0, 0, number(1)) * 200, "cluster.host.http2.inbound_window_update_frames_flood")

    def test_continuations_without_end(self):
        self.fails(lambda stream: frame(HEADERS, 0, stream, fields((":status", "200"))) + frame(CONTINUATION, 0, stream) * 1000,
                   "cluster.host.http2.inbound_empty_frames_flood")

    def test_malformed_answer(self):
        self.fails(lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, fields((":status", "200"), ("connection", "close"))),
                   "cluster.host.http2.rx_messaging_error")

    def test_silence(self):
        """A host that answers no PING: its connection ends."""
        self.fails(lambda _: b"", "cluster.host.http2.keepalive_timeout")

    def test_goaway_and_reset(self):
        """An honest refusal: nothing was done, 503, and the next request gets a connection of its own."""
        self.fails(lambda stream: frame(RST_STREAM, 0, stream, number(REFUSED_STREAM)) + frame(GOAWAY, 0, 0, number(0) + number(0)),
                   "cluster.host.http2.rx_reset")


if __name__ == "__main__":
    unittest.main()
