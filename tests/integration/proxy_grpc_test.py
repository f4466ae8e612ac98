"""gRPC through two proxies in a row, with the real libraries of Python and C++; then what browsers and old clients get of it, and what is
counted."""
import base64
import os
import threading
import unittest

import grpc

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, weft_only
from meshtest.filters import named
from meshtest.frames import DATA, END_HEADERS, END_STREAM, HEADERS, RawHttp2Server, fields, frame
from meshtest.grpc_echo import FORMS, SERVICE, EchoClient, EchoServer
from meshtest.process import run
from meshtest.raw_http import fetch
from meshtest.wait import wait_for

LARGE = os.urandom(1 << 20)
HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def message(body, flag=0):
    return bytes((flag,)) + len(body).to_bytes(4, "big") + body


class TwoProxies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = EchoServer()
        cls.addClassCleanup(cls.server.close)
        short = cluster("short", cls.server.address)
        short["typed_extension_protocol_options"] = http2()
        short["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"][
            "common_http_protocol_options"] = {"max_stream_duration": "0.3s"}
        cls.far = DataPlane(bootstrap([listener(hcm(routes(route("/", "server"))))],
                                      [cluster("server", cls.server.address, typed_extension_protocol_options=http2())]))
        cls.addClassCleanup(cls.far.stop)

        def timed(name, **action):
            return listener(hcm(routes(route("/", "far", action=action)), stat_prefix=name), name=name)
        cls.near = DataPlane(bootstrap(
            [listener(hcm(routes(route("/test.Echo/", "far", match={"grpc": {}})))), timed("timeout", timeout="0.3s"),
             timed("duration", max_stream_duration={"max_stream_duration": "0.3s"}),
             timed("asked", max_stream_duration={"grpc_timeout_header_max": "0.3s"}),
             timed("asked-offset", max_stream_duration={"grpc_timeout_header_max": "0s", "grpc_timeout_header_offset": "4.7s"}),
             timed("old", max_grpc_timeout="0.3s"), timed("old-offset", max_grpc_timeout="0s", grpc_timeout_offset="4.7s"),
             listener(hcm(routes(route("/", "short"))), name="cluster"),
             listener(hcm(routes(route("/", "dead"))), name="dead"),
             listener(hcm(routes(route("/", "far")), common_http_protocol_options={"max_stream_duration": "0.3s"}), name="manager")],
            [cluster("far", cls.far.address(), typed_extension_protocol_options=http2()), cluster("dead", ("127.0.0.1", 1)), short]))
        cls.addClassCleanup(cls.near.stop)

    def client(self, name="main"):
        client = EchoClient(self.near.address(name))
        self.addCleanup(client.close)
        return client

    def failure(self, name="main", method="Hang", **options):
        with self.assertRaises(grpc.RpcError) as caught:
            self.client(name).unary(b"x", method, **options)
        return caught.exception.code(), caught.exception.details()

    def test_all_forms(self):
        client = self.client()
        for body in (b"hello", b"", LARGE):
            expected = {"Unary": [body], "ServerStream": [body] * 4, "ClientStream": [body + b"x" + body], "BothStream": [body, b"x", body]}
            for form in FORMS:
                self.assertEqual(expected[form], client.call(form, [body, b"x", body], timeout=20), form)

    def test_messages_pass_one_by_one(self):
        """A stream is no file: each side waits for the other's message."""
        said = threading.Semaphore(0)

        def requests():
            for index in range(5):
                self.assertTrue(said.acquire(timeout=10))
                yield b"%d" % index
        said.release()
        replies = []
        for reply in self.client().channel.stream_stream(SERVICE + "BothStream")(requests(), timeout=20):
            replies.append(reply)
            said.release()
        self.assertEqual([b"0", b"1", b"2", b"3", b"4"], replies)

    def test_metadata(self):
        reply, call = self.client().unary(b"x", metadata=(("x-key", "value"), ("x-bytes-bin", b"\x00\xff")), timeout=20)
        self.assertEqual(b"x", reply)
        self.assertIn(("x-first", "head"), [tuple(item) for item in call.initial_metadata()])
        self.assertIn(("x-last", "trailer"), [tuple(item) for item in call.trailing_metadata()])
        self.assertEqual(("value", b"\x00\xff"), (self.server.seen[-1]["x-key"], self.server.seen[-1]["x-bytes-bin"]))

    def test_errors(self):
        self.assertEqual((grpc.StatusCode.NOT_FOUND, "no such thing: x"), self.failure(method="Fail"))
        replies = self.client().channel.unary_stream(SERVICE + "FailLate")(b"one", timeout=20)
        self.assertEqual(b"one", next(replies))
        with self.assertRaises(grpc.RpcError) as caught:
            next(replies)
        self.assertEqual((grpc.StatusCode.NOT_FOUND, "späte Reue"), (caught.exception.code(), caught.exception.details()))
        self.assertEqual(grpc.StatusCode.UNIMPLEMENTED, self.failure(method="Missing")[0])
        self.assertEqual(grpc.StatusCode.UNAVAILABLE, self.failure("dead", "Unary")[0])
        with self.assertRaises(grpc.RpcError) as caught:  # no route
            self.client().channel.unary_unary("/other.Service/Method")(b"x", timeout=20)
        self.assertEqual(grpc.StatusCode.UNIMPLEMENTED, caught.exception.code())
        self.assertEqual(404, fetch(self.near.address(), "/test.Echo/Unary", "POST", body=b"").status)  # the route takes gRPC alone

    def test_deadlines(self):
        self.server.cancelled.clear()
        self.assertEqual(grpc.StatusCode.DEADLINE_EXCEEDED, self.failure(timeout=0.3)[0])
        self.assertTrue(self.server.cancelled.wait(10), "the server hears of it")
        for name in ("duration", "asked", "manager"):
            self.assertEqual(grpc.StatusCode.DEADLINE_EXCEEDED, self.failure(name, timeout=20)[0], name)
        self.assertEqual(grpc.StatusCode.DEADLINE_EXCEEDED, self.failure("asked-offset", timeout=5)[0])
        for name in ("timeout", "old"):
            self.assertIn(self.failure(name)[0], (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), name)
        self.assertIn(self.failure("old-offset", timeout=5)[0], (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))
        self.assertEqual((grpc.StatusCode.UNAVAILABLE, "upstream max stream duration reached"), self.failure("cluster"))
        self.assertEqual(1, self.near.stat("cluster.short.upstream_rq_max_duration_reached"))

    def test_cancellation(self):
        self.server.cancelled.clear()
        client = self.client()
        call = client.channel.unary_unary(SERVICE + "Hang").future(b"x", timeout=20)
        wait_for(lambda: self.far.stat("cluster.server.upstream_rq_active") >= 1, "the call at the server")
        call.cancel()
        self.assertTrue(self.server.cancelled.wait(10), "the server hears of it")
        self.assertEqual(b"x", client.unary(b"x", timeout=20)[0])

    def test_the_library_of_cpp(self):
        program = os.path.join(os.environ["WEFT_BIN_DIR"], "..", "tests", "grpc_echo_client")
        code, output = run([program, "%s:%d" % self.near.address()])
        self.assertEqual(0, code, output)


class Filters(unittest.TestCase):
    """The three filters before a server whose frames are written by hand."""

    @classmethod
    def setUpClass(cls):
        cls.server = RawHttp2Server()
        cls.addClassCleanup(cls.server.close)

        def head(stream, *lines, end=False):
            return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, fields(*lines))

        def data(stream, body, end=False):
            return frame(DATA, END_STREAM if end else 0, stream, body)
        of_grpc = ((":status", "200"), ("content-type", "application/grpc"))
        two = message(b"first") + message(b"second")
        cls.server.answers.update({
            "/a.S/Ok": lambda s: head(s, *of_grpc) + data(s, two) + head(s, ("grpc-status", "0"), ("x-t", "v"), end=True),
            "/a.S/Err": lambda s: head(s, *of_grpc) + data(s, message(b"part")) + head(
                s, ("grpc-status", "5"), ("grpc-message", "not%20here"), end=True),
            "/a.S/Only": lambda s: head(s, *of_grpc, ("grpc-status", "7"), ("grpc-message", "denied"), end=True),
            "/a.S/Plain": lambda s: head(s, (":status", "503"), ("content-type", "text/plain")) + data(s, b"100% trouble", True),
            "/a.S/None": lambda s: head(s, *of_grpc) + data(s, message(b"first"), True)})
        stats = {"all": {"stats_for_all_methods": True, "replace_dots_in_grpc_service_name": True, "enable_upstream_stats": True},
                 "listed": {"individual_method_stats_allowlist": {"services": [{"name": "a.S", "method_names": ["Ok"]}]}}, "none": {}}
        chains = {"web": named("grpc_web", "grpc_web.v3.GrpcWeb"),
                  "bridge": named("grpc_http1_bridge", "grpc_http1_bridge.v3.Config"),
                  "upgrade": named("grpc_http1_bridge", "grpc_http1_bridge.v3.Config", upgrade_protobuf_to_grpc=True),
                  **{name: named("grpc_stats", "grpc_stats.v3.FilterConfig", **options) for name, options in stats.items()}}
        clusters = {name: cluster(f"c-{name}", cls.server.address, typed_extension_protocol_options=http2()) for name in chains}
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/a.S/Dead", "dead"), route("/", f"c-{name}")), [chain]), name=name)
             for name, chain in chains.items()], [*clusters.values(), cluster("dead", ("127.0.0.1", 1))]))
        cls.addClassCleanup(cls.proxy.stop)

    def ask(self, name, method, kind, body, *headers):
        return fetch(self.proxy.address(name), f"/a.S/{method}", "POST", [("content-type", kind), *headers], body)

    def counted(self, name, *parts):
        return [self.proxy.stat(f"cluster.c-{name}.{part}") for part in parts]

    def test_web(self):
        def ask(method):
            return self.ask("web", method, "application/grpc-web+proto", message(b"x"))
        answer = ask("Ok")
        self.assertEqual((200, "application/grpc-web+proto"), (answer.status, answer.header("content-type")))
        self.assertEqual(message(b"first") + message(b"second") + message(b"grpc-status:0\r\nx-t:v\r\n", 0x80), answer.body)
        self.assertEqual(message(b"part") + message(b"grpc-status:5\r\ngrpc-message:not%20here\r\n", 0x80), ask("Err").body)
        answer = ask("Only")
        self.assertEqual(("7", "denied", b""), (answer.header("grpc-status"), answer.header("grpc-message"), answer.body))
        answer = ask("Plain")
        self.assertEqual((503, "14", "100%25 trouble", "0"), (answer.status, answer.header("grpc-status"), answer.header("grpc-message"),
                                                              answer.header("content-length")))
        answer = ask("Dead")
        self.assertEqual((503, "14"), (answer.status, answer.header("grpc-status")))
        self.assertIn("upstream connect error", answer.header("grpc-message"))
        self.assertEqual([1, 1, 1, 1], self.counted("web", *(f"grpc-web.a.S.{part}" for part in ("Ok.success", "Ok.total", "Err.failure",
                                                                                                "Err.5"))))
        self.assertEqual(b"100% trouble", self.ask("web", "Plain", "text/plain", b"x").body)

    def test_web_text(self):
        kind = "application/grpc-web-text"
        trailer = message(b"grpc-status:0\r\nx-t:v\r\n", 0x80)
        answer = self.ask("web", "Ok", kind, base64.b64encode(message(b"x")), ("accept", kind))
        self.assertEqual("application/grpc-web-text+proto", answer.header("content-type"))
        self.assertEqual(b"".join(base64.b64encode(part) for part in (message(b"first"), message(b"second"), trailer)), answer.body)
        pieces = base64.b64encode(message(b"one")) + base64.b64encode(message(b"other"))
        # Envoy takes padding between messages only where a read happens to end.
        if data_plane_kind() == "weft":
            self.assertEqual(200, self.ask("web", "Ok", kind, pieces).status)
        for bad in (b"!!!!", b"AAAAA"):
            answer = self.ask("web", "Ok", kind, bad)
            self.assertEqual((400, "13"), (answer.status, answer.header("grpc-status")), bad)

    def test_bridge(self):
        def ask(method):
            return self.ask("bridge", method, "application/grpc", message(b"x"))
        answer = ask("Ok")
        self.assertEqual((200, "0", "21"), (answer.status, answer.header("grpc-status"), answer.header("content-length")))
        self.assertEqual(message(b"first") + message(b"second"), answer.body)
        answer = ask("Err")
        self.assertEqual((503, "5", "not%20here"), (answer.status, answer.header("grpc-status"), answer.header("grpc-message")))
        self.assertEqual((200, "7"), (ask("Only").status, ask("Only").header("grpc-status")))
        self.assertEqual((503, b"100% trouble"), (ask("Plain").status, ask("Plain").body))
        self.assertEqual(message(b"first"), ask("None").body)

    def test_bridge_upgrades_protobuf(self):
        answer = self.ask("upgrade", "Ok", "application/x-protobuf", b"plain")
        self.assertEqual((200, "0"), (answer.status, answer.header("grpc-status")))
        self.assertEqual(b"first" + message(b"second"), answer.body)

    def test_stats(self):
        for name in ("all", "listed", "none"):
            for method in ("Ok", "Err", "Only", "Plain", "None"):
                self.ask(name, method, "application/grpc", message(b"x") * 2)
            self.ask(name, "Ok", "text/plain", b"x")
        parts = ("request_message_count", "response_message_count", "success", "failure", "total")
        self.assertEqual([2, 2, 1, 0, 1], self.counted("all", *(f"grpc.a_S.Ok.{part}" for part in parts)))
        self.assertEqual([2, 1, 0, 1, 1], self.counted("all", *(f"grpc.a_S.Err.{part}" for part in parts)))
        self.assertEqual([1, 1], self.counted("all", "grpc.a_S.Err.5", "grpc.a_S.Only.7"))
        self.assertEqual([2, 2, 1, 0, 1], self.counted("listed", *(f"grpc.a.S.Ok.{part}" for part in parts)))
        self.assertEqual([8, 2, 0, 2, 2], self.counted("listed", *(f"grpc.{part}" for part in parts)))
        self.assertEqual([10, 4, 1, 2, 3], self.counted("none", *(f"grpc.{part}" for part in parts)))
        text = self.proxy.admin("/stats/prometheus").text
        self.assertIn('envoy_grpc_bridge_method="Ok"', text)
        self.assertIn('envoy_grpc_bridge_service="a_S"', text)

    @weft_only("Envoy counts whatever clients name")
    def test_stats_are_bounded(self):
        for index in range(1100):
            self.server.answers[f"/a.S/M{index}"] = self.server.answers["/a.S/Only"]
        from meshtest.h2peer import Http2Client
        with Http2Client(self.proxy.address("all")) as client:
            for index in range(1100):
                client.request("POST", f"/a.S/M{index}", [("content-type", "application/grpc")], message(b"x"))
        self.assertLess(self.proxy.admin("/stats").text.count("cluster.c-all.grpc.a_S.M"), 5 * 1001)
        self.assertGreaterEqual(self.proxy.stat("cluster.c-all.grpc.total"), 90)


if __name__ == "__main__":
    unittest.main()
