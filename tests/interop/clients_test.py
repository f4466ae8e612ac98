"""Clients that others wrote, through two proxies in a row: curl over HTTP/1.1 and HTTP/2 with prior knowledge, and the WebSocket client and
server of PyPI's `websockets`. Between the proxies, HTTP/1.1 or HTTP/2. A page in a browser is browser_test.py."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

# pylint: disable=wrong-import-position
from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

try:
    import websockets.exceptions
    import websockets.sync.client
    import websockets.sync.server
except ImportError:  # the peers are not installed: the test says so
    websockets = None

BETWEEN = ("over-h1", "over-h2")
MEBIBYTE = bytes(range(256)) * 4096
TUNNELS = {"upgrade_configs": [{"upgrade_type": "websocket"}], "http2_protocol_options": {"allow_connect": True}}


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.upstream.on("/echo", lambda seen: Reply(body=seen.body))
        cls.upstream.on("/large", Reply(body=MEBIBYTE * 8))
        cls.upstream.on("/chunks", Reply(chunks=(b"one", b"two", b"three")))
        clusters = [cluster("up", cls.upstream.address)]
        table = [route("/", "up")]
        if websockets:
            server = websockets.sync.server.serve(cls.talk, "127.0.0.1", 0, max_size=None,
                                                  select_subprotocol=lambda _, offered: "chat" if "chat" in offered else None)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            cls.addClassCleanup(server.shutdown)
            clusters.append(cluster("ws", server.socket.getsockname()))
            table.insert(0, route("/ws", "ws"))
        cls.inner = DataPlane(bootstrap([listener(hcm(routes(*table), **TUNNELS))], clusters))
        cls.addClassCleanup(cls.inner.stop)
        address = cls.inner.address()
        cls.outer = DataPlane(bootstrap(
            [listener(hcm(routes(route("/", name)), **TUNNELS), name=name) for name in BETWEEN],
            [cluster("over-h1", address),
             cluster("over-h2", address, typed_extension_protocol_options=http2(allow_connect=True))]))
        cls.addClassCleanup(cls.outer.stop)

    @staticmethod
    def talk(connection):
        """Echoes; some words are orders."""
        for message in connection:
            if message == "close":
                return connection.close(4001, "as you wish")
            if message == "count":
                for number in range(100):
                    connection.send(str(number))
                continue
            connection.send(message)
        return None

    def url(self, name, path, scheme="http"):
        return "%s://%s:%d%s" % (scheme, *self.outer.address(name), path)

    def tearDown(self):
        for proxy in (self.inner, self.outer):
            proxy.program.require_alive()
            wait_for(lambda: proxy.stat("http.main.downstream_rq_active") == 0, "no exchange left over")  # pylint: disable=cell-var-from-loop

    # -- curl

    def curl(self, *arguments, data=None):
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "20", *arguments], input=data, capture_output=True, check=False)
        self.assertEqual(0, done.returncode, done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def each_way(self):
        """Every pair of what curl speaks and what the proxies speak between them."""
        if not shutil.which("curl"):
            self.skipTest("no curl here: apt-get install curl")
        return [(name, flag, version) for name in BETWEEN for flag, version in (("--http1.1", "1.1"), ("--http2-prior-knowledge", "2"))]

    def test_curl_asks(self):
        for name, flag, version in self.each_way():
            out = self.curl(flag, "-w", "\n%{http_version} %{http_code}", self.url(name, "/chunks"))
            self.assertEqual(f"onetwothree\n{version} 200", out.decode())
            head = self.curl(flag, "-I", self.url(name, "/large")).decode().lower()
            self.assertIn("content-length: %d" % (8 * len(MEBIBYTE)), head)
            self.assertEqual(MEBIBYTE * 8, self.curl(flag, self.url(name, "/large")))

    def test_curl_sends(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(MEBIBYTE)
            file.flush()
            for name, flag, _ in self.each_way():
                url = self.url(name, "/echo")
                self.assertEqual(MEBIBYTE, self.curl(flag, "--data-binary", f"@{file.name}", url))
                self.assertEqual(MEBIBYTE, self.curl(flag, "-T", file.name, url), "with Expect: 100-continue")
                self.assertEqual(b"in pieces", self.curl(flag, "-T", "-", url, data=b"in pieces"), "of unknown length")
                self.assertEqual(b"", self.curl(flag, "-X", "POST", "-d", "", url))

    def test_curl_keeps_its_connection(self):
        for name in BETWEEN:  # over HTTP/1.1: curl 7.88 sends the preface of HTTP/2 once more for each
            url = self.url(name, "/chunks")
            out = self.curl("--http1.1", "-w", "%{num_connects}\n", *[part for _ in range(10) for part in ("-o", "/dev/null", url)])
            self.assertEqual("1", "".join(out.decode().split()).replace("0", ""))

    def test_curl_offers_to_upgrade(self):
        """h2c by Upgrade is not taken: the request is answered over HTTP/1.1."""
        for name in BETWEEN:
            out = self.curl("--http2", "-w", "\n%{http_version}", self.url(name, "/chunks"))
            self.assertEqual("onetwothree\n1.1", out.decode())

    # -- WebSocket

    def open(self, name, path="/ws"):
        if not websockets:
            self.skipTest("no `websockets` here: ./dev interop installs it")
        return websockets.sync.client.connect(self.url(name, path, "ws"), subprotocols=["chat"], max_size=None, open_timeout=20,
                                              close_timeout=20, proxy=None)

    def test_messages(self):
        for name in BETWEEN:
            with self.subTest(name), self.open(name) as client:
                self.assertEqual("chat", client.subprotocol)
                for message in ("hello", "", "ünï", b"\0\xff", MEBIBYTE, MEBIBYTE.decode("latin-1")):
                    client.send(message)
                    self.assertEqual(message, client.recv(20))
                client.send(["in", "three", "fragments"])
                self.assertEqual("inthreefragments", client.recv(20))
                client.send("count")
                self.assertEqual([str(number) for number in range(100)], [client.recv(20) for _ in range(100)])
                self.assertTrue(client.ping().wait(20), "a pong")

    def test_either_end_closes(self):
        for name in BETWEEN:
            with self.subTest(name):
                with self.open(name) as client:
                    client.send("close")
                    with self.assertRaises(websockets.exceptions.ConnectionClosed) as caught:
                        client.recv(20)
                    self.assertEqual((4001, "as you wish"), (caught.exception.rcvd.code, caught.exception.rcvd.reason))
                client = self.open(name)
                client.close(1001, "leaving")
                self.assertEqual(1001, client.close_code)

    def test_a_connection_that_breaks(self):
        for name in BETWEEN:
            client = self.open(name)
            client.send("hello")
            client.recv(20)
            client.socket.close()
        for proxy in (self.outer, self.inner):
            wait_for(lambda: proxy.stat("http.main.downstream_rq_active") == 0, "the tunnel is over")  # pylint: disable=cell-var-from-loop

    def test_many_at_once(self):
        self.open(BETWEEN[0]).close()

        def one(index):
            with self.open(BETWEEN[index % 2]) as client:
                for turn in range(10):
                    client.send(f"{index}-{turn}")
                    if client.recv(20) != f"{index}-{turn}":
                        return False
            return True
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertTrue(all(pool.map(one, range(100))))


if __name__ == "__main__":
    unittest.main()
