"""The filter that asks somebody (ext_authz over HTTP), the filter that changes bodies (compressor), and the raw tcp_proxy chain."""
import gzip
import socket
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane
from meshtest.h2peer import Http2Client
from meshtest.raw_http import Connection, fetch, message
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import holds_for, wait_for

TYPES = "type.googleapis.com/envoy.extensions"
TEXT = b"".join(b"line %d of a text that repeats itself\n" % index for index in range(4000))
PLAIN = (("content-type", "text/plain"),)


def ext_authz(name="authority", **fields):
    return {"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": f"{TYPES}.filters.http.ext_authz.v3.ExtAuthz", "transport_api_version": "V3",
        "http_service": {"server_uri": {"uri": "http://authority.test", "cluster": name, "timeout": "0.5s"}}, **fields}}


def compressor(**fields):
    return {"name": "envoy.filters.http.compressor", "typed_config": {
        "@type": f"{TYPES}.filters.http.compressor.v3.Compressor",
        "compressor_library": {"name": "gzip", "typed_config": {"@type": f"{TYPES}.compression.gzip.compressor.v3.Gzip"}}, **fields}}


def tcp_proxy(name):
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": f"{TYPES}.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", "cluster": name}}


class Filters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream, cls.authority = Upstream(), Upstream("authority")
        cls.dead, keeper = refused_address()
        for thing in (cls.upstream, cls.authority, keeper):
            cls.addClassCleanup(thing.close)
        table = routes(route("/", "up"))
        cls.proxy = DataPlane(bootstrap([
            listener(hcm(table, [ext_authz()]), name="asked"), listener(hcm(table, [ext_authz("dead")]), name="asks-the-dead"),
            listener(hcm(table, [ext_authz("dead", failure_mode_allow=True)]), name="fails-open"),
            listener(hcm(table, [compressor()]), name="compressed"), listener(hcm(table, [ext_authz(), compressor()]), name="both"),
            listener(tcp_proxy("up"), name="tcp"), listener(tcp_proxy("dead"), name="tcp-dead"),
        ], [cluster("up", cls.upstream.address), cluster("authority", cls.authority.address), cluster("dead", cls.dead)]))
        cls.addClassCleanup(cls.proxy.stop)

    # -- ext_authz

    def test_allowed_and_denied(self):
        self.authority.on("/allowed", Reply()).on("/denied", Reply(403, (("x-why", "because"),), b"no entry"))
        self.assertEqual(200, fetch(self.proxy.address("asked"), "/allowed").status)
        denied = fetch(self.proxy.address("asked"), "/denied")
        self.assertEqual((403, b"no entry"), (denied.status, denied.body))
        self.assertEqual(0, self.upstream.count("/denied"))
        asked = self.authority.requests("/denied")[0]
        self.assertEqual("GET", asked.method)
        self.assertEqual("main.test", asked.header("host"))

    def test_the_request_waits_and_keeps_its_body(self):
        release = threading.Event()
        self.authority.on("/waits", Reply(hold=release))
        with Connection(self.proxy.address("asked")) as connection:
            connection.send(message("POST", "/waits", body=b"x" * 30000))
            wait_for(lambda: self.authority.count("/waits"), "the question")
            self.assertEqual(0, self.upstream.count("/waits"))
            release.set()
            self.assertEqual(30000, len(connection.read_response().json()["body"]))
        self.assertEqual(b"", self.authority.requests("/waits")[0].body)

    def test_nobody_to_ask(self):
        self.assertEqual(403, fetch(self.proxy.address("asks-the-dead"), "/nobody").status)
        self.assertEqual(0, self.upstream.count("/nobody"))
        self.assertEqual(200, fetch(self.proxy.address("fails-open"), "/open").status)

    def test_no_answer_in_time_is_a_no(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.authority.on("/late", Reply(hold=release))
        self.assertEqual(403, fetch(self.proxy.address("asked"), "/late").status)
        self.assertEqual(0, self.upstream.count("/late"))

    def test_client_gone_while_waiting(self):
        release = threading.Event()
        self.authority.on("/gone", Reply(hold=release))
        connection = Connection(self.proxy.address("asked"))
        connection.send(message("GET", "/gone"))
        wait_for(lambda: self.authority.count("/gone"), "the question")
        connection.abort()
        wait_for(lambda: self.proxy.stat("http.main.downstream_rq_active") == 0, "the request forgotten")
        release.set()
        holds_for(lambda: self.upstream.count("/gone") == 0, "nothing at the upstream", 0.2)

    def test_many_at_once(self):
        self.authority.on("/many", Reply())
        with Http2Client(self.proxy.address("asked")) as client:
            streams = [client.open("GET", "/many") for _ in range(50)]
            self.assertEqual({200}, {client.wait(stream).status for stream in streams})

    # -- compressor

    def compressed(self, path, accept="gzip", name="compressed"):
        return fetch(self.proxy.address(name), path, headers=[("accept-encoding", accept)] if accept else [])

    def test_compresses_what_the_client_accepts(self):
        pieces = tuple(TEXT[start:start + 5000] for start in range(0, len(TEXT), 5000))
        self.upstream.on("/zip/length", Reply(headers=PLAIN, body=TEXT)).on("/zip/chunks", Reply(headers=PLAIN, chunks=pieces))
        for path in ("/zip/length", "/zip/chunks"):
            answer = self.compressed(path)
            self.assertEqual("gzip", answer.header("content-encoding"))
            self.assertIsNone(answer.header("content-length"))
            self.assertIn("accept-encoding", (answer.header("vary") or "").lower())
            self.assertLess(len(answer.body), len(TEXT) // 4)
            self.assertEqual(TEXT, gzip.decompress(answer.body))

    def test_leaves_alone_what_it_must(self):
        self.upstream.on("/plain", Reply(headers=PLAIN, body=TEXT)).on("/small", Reply(headers=PLAIN, body=b"few"))
        self.upstream.on("/image", Reply(headers=(("content-type", "image/png"),), body=TEXT))
        self.upstream.on("/already", Reply(headers=(*PLAIN, ("content-encoding", "br")), body=TEXT))
        self.upstream.on("/no-transform", Reply(headers=(*PLAIN, ("cache-control", "no-transform")), body=TEXT))
        for path, accept in (("/plain", None), ("/plain", "br"), ("/plain", "gzip;q=0"), ("/small", "gzip"), ("/image", "gzip"),
                             ("/already", "gzip"), ("/no-transform", "gzip")):
            with self.subTest(path=path, accept=accept):
                answer = self.compressed(path, accept)
                self.assertNotEqual("gzip", answer.header("content-encoding"))
                self.assertIn(answer.body, (TEXT, b"few"))

    def test_after_the_filter_that_waits(self):
        self.authority.on("/both", Reply())
        self.upstream.on("/both", Reply(headers=PLAIN, body=TEXT))
        self.assertEqual(TEXT, gzip.decompress(self.compressed("/both", name="both").body))

    def test_head_has_no_body_to_compress(self):
        self.upstream.on("/zip/head", Reply(headers=(*PLAIN, ("content-length", "5000"))))
        with Connection(self.proxy.address("compressed")) as connection:
            self.assertEqual(200, connection.request("HEAD", "/zip/head", [("accept-encoding", "gzip")]).status)
            self.assertEqual(200, connection.request("GET", "/after").status)

    # -- tcp_proxy

    def test_bytes_pass_untouched(self):
        body = bytes(range(256)) * 4096
        self.upstream.on("/raw", lambda seen: Reply(body=seen.body))
        with Connection(self.proxy.address("tcp")) as connection:
            answer = connection.request("POST", "/raw", body=body)
            self.assertEqual(body, answer.body)
            self.assertEqual(["content-length"], [name for name, _ in answer.headers])
        self.assertIsNone(self.upstream.requests("/raw")[0].header("x-request-id"))

    def test_half_close_passes_both_ways(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            proxy = DataPlane(bootstrap([listener(tcp_proxy("raw"))], [cluster("raw", server.getsockname())]))
            self.addCleanup(proxy.stop)
            with Connection(proxy.address()) as connection:
                connection.send(b"question")
                peer, _ = server.accept()
                self.assertEqual(b"question", peer.recv(100))
                connection.finish_sending()
                self.assertEqual(b"", peer.recv(100))
                peer.sendall(b"answer after the end")
                peer.close()
                self.assertEqual(b"answer after the end", connection.reader.to_end())

    def test_server_that_speaks_first(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            proxy = DataPlane(bootstrap([listener(tcp_proxy("raw"))], [cluster("raw", server.getsockname())]))
            self.addCleanup(proxy.stop)
            with Connection(proxy.address()) as connection:
                peer, _ = server.accept()
                peer.sendall(b"220 ready\r\n")
                self.assertEqual(b"220 ready\r\n", connection.reader.until(b"\r\n"))
                peer.close()

    def test_dead_upstream_closes(self):
        with Connection(self.proxy.address("tcp-dead")) as connection:
            self.assertTrue(connection.is_closed())


if __name__ == "__main__":
    unittest.main()
