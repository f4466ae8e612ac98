"""Memory per exchange is bounded whatever the body: a fast sender meets a reader that takes nothing, in both directions and on
every pair of protocols; and nobody may hold what was answered for ever by not reading it."""
import itertools
import socket
import threading
import unittest

import h2.config
import h2.connection

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, weft_only
from meshtest.h2peer import Http2Client, Http2Upstream, begin
from meshtest.process import resident
from meshtest.raw_http import Closed, Connection, message
from meshtest.upstream import Reply, Upstream
from meshtest.wait import steady, wait_for

BODY = 64 << 20
# What both sockets' buffers, our marks (1 MiB a side) and an HTTP/2 window (16 MiB, Envoy's default) may hold between them.
MOST = 24 << 20
ALL = (1 << 31) - 1  # the largest window


class Pourer:
    """An HTTP/1 server that answers with BODY bytes at once, or takes a request's head and reads no more of it."""

    def __init__(self, pours):
        self.moved, self._pours = 0, pours
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        self._peers = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self._peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            peer.recv(65536)
            if self._pours:
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BODY)
                for _ in range(BODY >> 16):
                    peer.sendall(bytes(1 << 16))
                    self.moved += 1 << 16
        except OSError:
            pass

    def close(self):
        self._server.close()
        for peer in self._peers:
            peer.close()


class StalledHttp2Upstream:
    """An HTTP/2 server that grants all the window there is, and then reads nothing."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        self._peers = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self._peers.append(peer)
            protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            begin(protocol, ALL)
            peer.sendall(protocol.data_to_send())
            peer.recv(65536)

    def close(self):
        self._server.close()
        for peer in self._peers:
            peer.close()


# What is stuck on purpose must not hold the end of the test back.
NO_GRACE = ("--shutdown-grace-s", "0") if data_plane_kind() == "weft" else ()


class Memory(unittest.TestCase):
    def start(self, *clusters, **manager):
        entries = [route(f"/{one['name']}", one["name"], action={"timeout": "0s"}) for one in clusters]
        proxy = DataPlane(bootstrap([listener(hcm(routes(*entries), **manager))], list(clusters)), flags=NO_GRACE)
        self.addCleanup(proxy.stop)
        return proxy

    def keep(self, closable):
        self.addCleanup(closable.close)
        return closable

    def test_a_reader_that_takes_nothing_holds_the_upstream_back(self):
        first, second = self.keep(Pourer(True)), self.keep(Http2Upstream())
        for downstream, upstream in itertools.product(("h1", "h2"), ("h1", "h2")):
            with self.subTest(downstream=downstream, upstream=upstream):
                proxy = self.start(cluster("h1", first.address), cluster("h2", second.address, typed_extension_protocol_options=http2()))
                path = f"/{upstream}/large/{BODY}"
                before = resident(proxy.program.pid)
                if downstream == "h1":
                    self.keep(Connection(proxy.address())).send(message("GET", path))
                else:
                    self.keep(Http2Client(proxy.address(), window=ALL)).open("GET", path)
                proxy.wait_stat(f"cluster.{upstream}.upstream_rq_active", 1)
                moved = steady(lambda: proxy.stat(f"http.main.downstream_rq_active") and resident(proxy.program.pid), "the flow stops")
                self.assertLess(moved - before, MOST)
                if upstream == "h1":
                    self.assertLess(first.moved, BODY, "the proxy swallowed it all")
                    first.moved = 0
                proxy.stop()

    def test_an_upstream_that_takes_nothing_holds_the_client_back(self):
        first, second = self.keep(Pourer(False)), self.keep(StalledHttp2Upstream())
        for downstream, upstream in itertools.product(("h1", "h2"), ("h1", "h2")):
            with self.subTest(downstream=downstream, upstream=upstream):
                proxy = self.start(cluster("h1", first.address), cluster("h2", second.address, typed_extension_protocol_options=http2()))
                before = resident(proxy.program.pid)
                sent = [0]

                def pour():
                    try:
                        if downstream == "h1":
                            client = self.keep(Connection(proxy.address()))
                            client.send(b"POST /%s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (upstream.encode(), BODY))
                            for _ in range(BODY >> 16):
                                client.send(bytes(1 << 16))
                                sent[0] += 1 << 16
                        else:
                            client = self.keep(Http2Client(proxy.address()))
                            client.open("POST", f"/{upstream}", body=bytes(BODY))
                            sent[0] = BODY
                    except OSError:
                        pass
                threading.Thread(target=pour, daemon=True).start()
                proxy.wait_stat(f"cluster.{upstream}.upstream_rq_active", 1)
                moved = steady(lambda: (sent[0], resident(proxy.program.pid)), "the flow stops")[1]
                self.assertLess(moved - before, MOST)
                self.assertLess(sent[0], BODY, "the proxy swallowed it all")
                proxy.stop()

    def test_pipelining_without_reading_is_held_back(self):
        with Upstream("a") as upstream:
            upstream.on("/a", Reply(body=bytes(16 << 10)))
            proxy = self.start(cluster("a", upstream.address))
            before = resident(proxy.program.pid)
            client = self.keep(Connection(proxy.address()))
            client.settimeout(0.5)
            requests = 20000
            threading.Thread(target=lambda: client.send(message("GET", "/a") * requests), daemon=True).start()
            seen = steady(lambda: proxy.stat("http.main.downstream_rq_total"), "the requests stop")
            self.assertLess(seen, requests // 2)
            self.assertLess(resident(proxy.program.pid) - before, MOST)

    @weft_only("Envoy takes 16 KiB for each and keeps most of it")
    def test_idle_connections_are_small_and_give_back_what_they_took(self):
        count = 2000
        with Upstream("a") as upstream:
            proxy = self.start(cluster("a", upstream.address))

            def crowd(size):
                held = [self.keep(Connection(proxy.address())) for _ in range(size)]
                for connection in held:
                    self.assertEqual(200, connection.request("GET", "/a").status)
                return held

            def leave(held):
                for connection in held:
                    connection.close()
                wait_for(lambda: proxy.stat("http.main.downstream_cx_active") == 0, "all have left")
            leave(crowd(300))
            empty = resident(proxy.program.pid)
            held = crowd(count)
            grown = resident(proxy.program.pid) - empty
            self.assertLess(grown / count, 2048)
            leave(held)
            wait_for(lambda: resident(proxy.program.pid) - empty < grown * 0.35, "the memory is given back")

    def test_an_answer_that_nobody_reads_is_given_up(self):
        """The upstream's part is over: only the client is awaited, and not for longer than stream_idle_timeout."""
        with Upstream("a") as upstream:
            upstream.on("/a", Reply(body=bytes(32 << 20)))
            upstream.on("/a/small", Reply(body=bytes(300 << 10)))
            proxy = self.start(cluster("a", upstream.address), stream_idle_timeout="0.5s", delayed_close_timeout="0.5s")
            slow = self.keep(Connection(proxy.address()))
            slow.send(message("GET", "/a"))
            stingy = self.keep(Http2Client(proxy.address(), acknowledges=False))
            stream = stingy.open("GET", "/a/small")
            greedy = self.keep(Http2Client(proxy.address(), window=ALL))
            greedy.open("GET", "/a")
            proxy.wait_stat("http.main.downstream_rq_total", 3)
            wait_for(lambda: proxy.stat("http.main.downstream_rq_active") == 0, "no exchange is left")
            wait_for(lambda: proxy.stat("http.main.downstream_cx_http1_active") == 0, "the HTTP/1 connection is given up")
            if data_plane_kind() != "envoy":  # which resets the stream and keeps the connection: docs/differences.md
                wait_for(lambda: proxy.stat("http.main.downstream_cx_http2_active") == 1, "the HTTP/2 connection that takes no byte too")
            stingy.wait_reset(stream)
            self.assertEqual(200, stingy.request("HEAD", "/a").status, "the connection itself is well")
            with self.assertRaises((Closed, OSError)):
                slow.read_response()


if __name__ == "__main__":
    unittest.main()
