"""A page in a browser and its WebSocket, through two proxies in a row with HTTP/1.1 or HTTP/2 (RFC 8441) between them, and through one.
What the page does is in page.html; the server is that of PyPI's `websockets`. Without a chromium the test is skipped and says so."""
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

# pylint: disable=wrong-import-position
import browser
from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

try:
    import websockets.exceptions
    import websockets.sync.server
except ImportError:
    websockets = None

TUNNELS = {"upgrade_configs": [{"upgrade_type": "websocket"}], "http2_protocol_options": {"allow_connect": True}}
PATHS = ("over-h1", "over-h2", "direct")
SIZES = (1, 125, 126, 65535, 65536, 65537, 1 << 20)


def talk(connection):
    try:
        converse(connection)
    except websockets.exceptions.ConnectionClosed:
        pass  # the page closes with codes of its own


def converse(connection):
    """Echoes; some words are orders."""
    for message in connection:
        if message == "close":
            return connection.close(4001, "as you wish")
        if message == "break":
            return connection.socket.close()
        if message == "who am I":
            head = connection.request.headers
            message = " ".join([head["Origin"], head["Host"], head["Cookie"]])
        connection.send(message)
    return None


def chat(_, offered):
    return "chat" if "chat" in offered else None


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(HERE, "page.html"), "rb") as file:
            page = file.read()
        upstream = Upstream()
        cls.addClassCleanup(upstream.close)
        upstream.on("/page", Reply(headers=(("content-type", "text/html"), ("set-cookie", "told=once; Path=/")), body=page))
        upstream.on("/echo", lambda seen: Reply(body=seen.body))
        upstream.on("/refused", Reply(403, body=b"not here"))
        server = websockets.sync.server.serve(talk, "127.0.0.1", 0, max_size=None, select_subprotocol=chat)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.shutdown)
        table = routes(route("/ws", "ws"), route("/", "up"))
        cls.inner = DataPlane(bootstrap([listener(hcm(table, **TUNNELS))],
                                        [cluster("up", upstream.address), cluster("ws", server.socket.getsockname())]))
        cls.addClassCleanup(cls.inner.stop)
        address = cls.inner.address()
        cls.outer = DataPlane(bootstrap(
            [listener(hcm(routes(route("/", name)), **TUNNELS), name=name) for name in PATHS[:2]],
            [cluster("over-h1", address),
             cluster("over-h2", address, typed_extension_protocol_options=http2(allow_connect=True))]))
        cls.addClassCleanup(cls.outer.stop)
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def test_a_page_talks(self):
        for name in PATHS:
            with self.subTest(name):
                host = "%s:%d" % (self.inner.address() if name == "direct" else self.outer.address(name))
                said = dict(self.browser.open(f"http://{host}/page", "finished"))
                self.assertEqual({
                    "opened": True, "protocol": "chat", "extensions": "permessage-deflate",
                    "text": "hello from a page, ünï \U0001F9F6", "empty": True, **{f"binary {size}": True for size in SIZES},
                    "long text": True, "blob": True, "in order": 500, "fetch": True,
                    "others": ",".join(f"other {i}" for i in range(10)), "others closed": 1,
                    "who": f"http://{host} {host} told=once", "closed by the page": "4002 done true",
                    "closed by the server": "4001 as you wish true", "broken": "1006  false", "refused": False,
                    "refused with": "1006  false"}, said)
                for proxy in (self.inner, self.outer):
                    proxy.program.require_alive()
                    wait_for(lambda: proxy.stat("http.main.downstream_cx_upgrades_active") == 0, "no tunnel left over")  # pylint: disable=cell-var-from-loop

    def test_a_document_says_it_too(self):
        """What the page found is in its document, for whoever looks at it by hand."""
        host = "%s:%d" % self.outer.address(PATHS[1])
        shown = self.browser.open(f"http://{host}/page", "finished.then(() => document.getElementById('said').textContent)")
        self.assertIn("text: hello from a page, ünï \U0001F9F6\n", shown)
        self.assertIn("binary 1048576: true\n", shown)


if __name__ == "__main__":
    if not browser.program() or not websockets:
        print("skipped: no chromium (apt-get install --no-install-recommends chromium)" if websockets
              else "skipped: no `websockets` here: ./dev interop installs it")
        sys.exit(77)
    unittest.main()
