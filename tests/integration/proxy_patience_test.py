"""Whoever is slow meets each timeout on every pair of protocols: the status, the response flag and the details in the log are those that
say which, and nothing of it is left over."""
import itertools
import re
import socket
import threading
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind
from meshtest.frames import ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Frames, RawHttp2, fields, frame, get, post, settings
from meshtest.raw_http import Closed, Connection, message
from meshtest.wait import wait_for

SHORT = "0.4s"
HALF = b"POST {} HTTP/1.1\r\nhost: main.test\r\ncontent-length: 10\r\n\r\nhalf"


class SlowHost:
    """Takes a request and never answers, or begins an answer (paths with /begun) and never ends it; /quick is answered."""

    def __init__(self, speaks_http2):
        self._http2, self._peers = speaks_http2, []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
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
            (self._over_http2 if self._http2 else self._over_http1)(peer)
        except OSError:
            pass

    @staticmethod
    def _over_http1(peer):
        data = b""
        while True:
            piece = peer.recv(65536)
            if not piece:
                return
            data += piece
            if b"\r\n\r\n" in data:
                if b"/begun" in data:
                    peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
                elif b"/quick" in data:
                    peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                data = b""

    @staticmethod
    def _over_http2(peer):
        left = len(PREFACE)
        while left:
            left -= len(peer.recv(left))
        peer.sendall(settings())
        frames = Frames(peer)
        while (found := frames.next()) is not None:
            kind, flags, stream, _ = found
            if kind == SETTINGS and not flags & ACK:
                peer.sendall(frame(SETTINGS, ACK))
            if kind == HEADERS:
                path = frames.heads[stream][0][":path"]
                if "/begun" in path:
                    peer.sendall(frame(HEADERS, END_HEADERS, stream, fields((":status", "200"))) + frame(DATA, 0, stream, b"half"))
                elif "/quick" in path:
                    peer.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, fields((":status", "200"))))

    def close(self):
        self._server.close()
        for peer in self._peers:
            peer.close()


# Name: what the connection manager waits for, what the route waits for, which path, whether the request is whole;
# what comes of it: status (0: cut), flag, details.
CASES = {
    "request": ({"request_timeout": SHORT}, {"timeout": "0s"}, "", False, (408, "-", "request_overall_timeout")),
    "body": ({"stream_idle_timeout": SHORT}, {"timeout": "0s"}, "", False, (408, "SI", "stream_idle_timeout")),
    "answer": ({"stream_idle_timeout": SHORT}, {"timeout": "0s"}, "", True, (504, "SI", "stream_idle_timeout")),
    "rest": ({"stream_idle_timeout": SHORT}, {"timeout": "0s"}, "/begun", True, (0, "SI", "stream_idle_timeout")),
    "route": ({}, {"timeout": SHORT}, "", True, (504, "UT", "response_timeout")),
    "route-rest": ({}, {"timeout": SHORT}, "/begun", True, (0, "UT", "response_timeout")),
    "idle-route": ({}, {"timeout": "0s", "idle_timeout": SHORT}, "", True, (504, "SI", "stream_idle_timeout")),
}


class Patience(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hosts = {"h1": SlowHost(False), "h2": SlowHost(True)}
        log = {"name": "stdout", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {
            "inline_string": "SLOW %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"}}}}
        listeners = [
            listener(hcm(routes(*(route(f"/{host}/", host, action=action) for host in cls.hosts)), access_log=[log], **manager), name=name)
            for name, (manager, action, *_) in CASES.items()]
        quiet = {"common_http_protocol_options": {"idle_timeout": SHORT}}
        listeners += [listener(hcm(routes(route("/", "h1")), request_headers_timeout=SHORT, access_log=[log]), name="heads"),
                      listener(hcm(routes(route("/", "h1")), **quiet), name="quiet")]
        cls.proxy = DataPlane(bootstrap(listeners, [
            cluster("h1", cls.hosts["h1"].address), cluster("h2", cls.hosts["h2"].address, typed_extension_protocol_options=http2())]),
            flags=("--file-flush-interval-msec", "50") if data_plane_kind() == "envoy" else ("--shutdown-grace-s", "0"))
        cls.addClassCleanup(cls.proxy.stop)
        for host in cls.hosts.values():
            cls.addClassCleanup(host.close)

    def test_each_timeout_on_each_pair(self):
        """All at once: none lasts longer for the others."""
        waiting = []
        for (name, (_, _, path, whole, outcome)), down, up in itertools.product(CASES.items(), ("h1", "h2"), ("h1", "h2")):
            target = f"/{up}/{name}/{down}{path}"
            if down == "h1":
                client = Connection(self.proxy.address(name))
                client.send(message("GET", target) if whole else HALF.replace(b"{}", target.encode()))
            else:
                client = RawHttp2(self.proxy.address(name))
                client.send(get(1, path=target) if whole else post(1, path=target) + frame(DATA, 0, 1, b"half"))
            self.addCleanup(client.close)
            waiting.append((target, down, client, outcome))
        for target, down, client, outcome in waiting:
            with self.subTest(target):
                status = self.status_http1(client) if down == "h1" else self.status_http2(client)
                self.assertEqual(outcome[0], status)
                code, flag, details = self.logged(target)
                self.assertEqual(outcome[1:], (flag, details))
                self.assertEqual(str(status or 200), code)
        for gauge in ("http.main.downstream_rq_active", "cluster.h1.upstream_rq_active", "cluster.h2.upstream_rq_active"):
            wait_for(lambda: self.proxy.stat(gauge) == 0, f"{gauge} back")  # pylint: disable=cell-var-from-loop
        # An exchange that was given up leaves its connection of HTTP/1 behind, too.
        self.assertEqual(0, self.proxy.stat("cluster.h1.upstream_cx_active"))

    @staticmethod
    def status_http1(client):
        try:
            return client.read_response().status
        except Closed:
            return 0

    @staticmethod
    def status_http2(client):
        client.until_stream_ends(1)
        return 0 if 1 in client.resets and client.status(1) == 200 else client.status(1)

    def logged(self, target):
        def find():
            return re.search(rf"^SLOW {re.escape(target)} (\S+) (\S+) (\S+)$", self.proxy.program.output(), re.MULTILINE)
        return wait_for(find, f"{target} in the log").groups()

    def test_a_head_that_does_not_end(self):
        for start in (b"GET /x HTTP/1.1\r\nhost: main.test\r\n", b"G"):
            with Connection(self.proxy.address("heads")) as client:
                client.send(start)
                self.assertEqual(408, client.read_response().status)
                self.assertTrue(client.is_closed())

    def test_a_quiet_connection_is_closed(self):
        with Connection(self.proxy.address("quiet")) as client:
            self.assertEqual(200, client.request("GET", "/quick").status)
            self.assertTrue(client.is_closed())
        with RawHttp2(self.proxy.address("quiet")) as client:
            client.send(get(1, path="/quick"))
            client.until_stream_ends(1)
            client.until_closed()
            self.assertEqual(0, client.goaway)
        self.assertGreaterEqual(self.proxy.stat("http.main.downstream_cx_idle_timeout"), 2)


if __name__ == "__main__":
    unittest.main()
