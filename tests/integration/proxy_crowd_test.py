"""Ten thousand open connections, or as many as the descriptor limit leaves: they cost little, the next one is served, and when they leave
nothing of them stays."""
import os
import resource
import selectors
import socket
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind
from meshtest.process import resident
from meshtest.raw_http import fetch
from meshtest.upstream import Upstream
from meshtest.wait import wait_for

WANTED = 10000
EACH = {"weft": 8 << 10, "envoy": 64 << 10}[data_plane_kind()]  # bytes of memory, kernel apart
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
WHOLE = b"GET /direct HTTP/1.1\r\nhost: main.test\r\n\r\n"
# Most have been answered and are idle; some have not begun, some are in the midst of something.
BEGINNINGS = (WHOLE,) * 6 + (b"", b"GET /direct HT", b"POST /up HTTP/1.1\r\nhost: main.test\r\ncontent-length: 9\r\n\r\nhalf",
                             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")


class Crowd(unittest.TestCase):
    def test_ten_thousand(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard - 2500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count + 2500, hard)), hard))
        upstream = Upstream()
        self.addCleanup(upstream.close)
        direct = {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}}
        proxy = DataPlane(bootstrap([listener(hcm(routes(direct, route("/", "up"))))], [cluster("up", upstream.address, connect_timeout="20s", circuit_breakers={
            "thresholds": [{"max_connections": 20, "max_pending_requests": 20000, "max_requests": 20000}]})]), concurrency=2)
        self.addCleanup(proxy.stop)
        address = proxy.address()
        for _ in range(20):
            self.assertEqual(200, fetch(address, "/up").status)
        empty = resident(proxy.program.pid)
        crowd = self.gather(address, count)
        wait_for(lambda: proxy.stat("http.main.downstream_cx_active") == count, "all are in")
        if not SANITIZED:
            self.assertLess((resident(proxy.program.pid) - empty) / count, EACH)
        for _ in range(20):
            self.assertEqual(200, fetch(address, "/direct").status)
        self.assertEqual(200, proxy.admin("/stats").status)
        for index, connection in enumerate(crowd):
            if index % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.close()
        for name in ("http.main.downstream_cx_active", "http.main.downstream_rq_active", "http.main.downstream_cx_http2_active",
                     "cluster.up.upstream_rq_active", "cluster.up.upstream_rq_pending_active"):
            wait_for(lambda: proxy.stat(name) == 0, f"{name} back at 0")  # pylint: disable=cell-var-from-loop
        wait_for(lambda: len(os.listdir(f"/proc/{proxy.program.pid}/fd")) < 200, "their descriptors are back")
        self.assertEqual(200, fetch(address, "/up").status)

    @staticmethod
    def gather(address, count):
        """Opens them, says how each begins, and reads what is answered."""
        crowd, waiting = [], selectors.DefaultSelector()
        for index in range(count):
            connection = socket.create_connection(address, 20)
            crowd.append(connection)
            start = BEGINNINGS[index % len(BEGINNINGS)]
            if start:
                connection.sendall(start)
            if start is WHOLE:
                waiting.register(connection, selectors.EVENT_READ)
            if len(waiting.get_map()) >= 200 or index == count - 1:
                while waiting.get_map():
                    ready = waiting.select(20)
                    if not ready:
                        raise AssertionError("no answer")
                    for key, _ in ready:
                        if not key.fileobj.recv(4096).startswith(b"HTTP/1.1 200"):
                            raise AssertionError("not answered 200")
                        waiting.unregister(key.fileobj)
        waiting.close()
        return crowd


if __name__ == "__main__":
    unittest.main()
