"""The options of the HTTP codecs, each seen in the bytes that it is about."""
import unittest

from meshtest.bootstrap import HTTP_OPTIONS, bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, validate
from meshtest.frames import END_HEADERS, GOAWAY, HEADERS, RST_STREAM, SETTINGS, RawHttp2, frame, get, request
from meshtest.h2peer import Http2Client
from meshtest.raw_http import Connection, fetch, message
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

PRESERVE = {"stateful_formatter": {"name": "preserve_case", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig"}}}
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def options(common=None, **http1):
    return {OPTIONS: {"@type": HTTP_OPTIONS, "explicit_http_config": {"http_protocol_options": http1},
                      **({"common_http_protocol_options": common} if common else {})}}


class Options(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)

        def of(name, **extension):
            return cluster(name, cls.upstream.address, typed_extension_protocol_options=options(**extension))

        def to(name, target="plain", **fields):
            return listener(hcm(routes(route("/", target)), stat_prefix=name, **fields), name=name)
        cls.proxy = DataPlane(bootstrap(
            [to("plain"), to("proper", "proper", http_protocol_options={"header_key_format": {"proper_case_words": {}}}),
             to("preserve", "preserve", http_protocol_options={"header_key_format": PRESERVE}), to("absolute", "absolute"),
             to("custom", http_protocol_options={"allow_custom_methods": True}),
             to("ignoring", http_protocol_options={"ignore_http_11_upgrade": [{"prefix": "TLS/"}]}),
             to("drops", common_http_protocol_options={"headers_with_underscores_action": "DROP_HEADER"}),
             to("rejects", common_http_protocol_options={"headers_with_underscores_action": "REJECT_REQUEST"}),
             to("small", "small"), to("large", "large"),
             to("settings", http2_protocol_options={"custom_settings_parameters": [{"identifier": 100, "value": 7}]}),
             to("strict"), to("lenient", stream_error_on_invalid_http_message=True),
             to("overruled", stream_error_on_invalid_http_message=True,
                http2_protocol_options={"override_stream_error_on_invalid_http_message": False})],
            [of("plain"), of("proper", header_key_format={"proper_case_words": {}}), of("preserve", header_key_format=PRESERVE),
             of("absolute", send_fully_qualified_url=True), of("small", common={"max_response_headers_kb": 1}),
             of("large", common={"max_response_headers_kb": 200, "max_headers_count": 2000})]))
        cls.addClassCleanup(cls.proxy.stop)

    def ask(self, name, target="/x", headers=()):
        """The raw head of an answer."""
        with Connection(self.proxy.address(name)) as client:
            client.send(message("GET", target, headers))
            return client.reader.until(b"\r\n\r\n").decode()

    def seen(self):
        return self.upstream.requests()[-1].raw.decode()

    def test_proper_case(self):
        self.upstream.on("/proper", Reply(headers=(("x-answer-id", "1"),), chunks=(b"x",)))
        answer = self.ask("proper", "/proper", [("x-some-id", "1"), ("x-A1b", "2")])
        for line in ("\r\nX-Answer-Id: 1\r\n", "\r\nServer: ", "\r\nDate: ", "\r\nTransfer-Encoding: chunked\r\n"):
            self.assertIn(line, answer)
        for line in ("\r\nX-Some-Id: 1\r\n", "\r\nHost: main.test\r\n", "\r\nX-A1b: 2\r\n", "\r\nX-Request-Id: "):
            self.assertIn(line, self.seen())

    def test_case_is_kept(self):
        self.upstream.on("/kept", Reply(headers=(("X-ANSWER-id", "1"), ("x-lower", "2"))))
        answer = self.ask("preserve", "/kept", [("X-SOME-Id", "1"), ("x-lower", "2")])
        for line in ("\r\nX-ANSWER-id: 1\r\n", "\r\nx-lower: 2\r\n"):
            self.assertIn(line, answer)
        for line in ("\r\nX-SOME-Id: 1\r\n", "\r\nx-lower: 2\r\n", "\r\nHost: main.test\r\n", "\r\nx-request-id: "):
            self.assertIn(line, self.seen())

    def test_absolute_form(self):
        self.ask("absolute", "/path?q=1")
        self.assertTrue(self.seen().startswith("GET http://main.test/path?q=1 HTTP/1.1\r\n"), self.seen())
        self.assertIn("host: main.test\r\n", self.seen().lower())

    def test_custom_methods(self):
        with Connection(self.proxy.address("custom")) as client:
            self.assertEqual("BREW", client.request("BREW", "/pot").json()["method"])
        with Connection(self.proxy.address("plain")) as client:
            self.assertEqual(400, client.request("BREW", "/pot").status)

    def test_ignored_upgrades(self):
        with Connection(self.proxy.address("ignoring")) as client:
            answer = client.request("GET", "/x", [("Upgrade", "TLS/1.2"), ("Connection", "upgrade")])
            self.assertNotIn("upgrade", dict(answer.json()["headers"]))
            self.assertEqual(403, client.request("GET", "/x", [("Upgrade", "chess"), ("Connection", "upgrade")]).status)

    def test_underscores(self):
        before = self.proxy.stat("http1.dropped_headers_with_underscores"), self.proxy.stat("http2.dropped_headers_with_underscores")
        sent = [("x_one", "1"), ("x_two", "2"), ("x-three", "3")]
        answer = fetch(self.proxy.address("drops"), headers=sent)
        self.assertEqual({"x-three"}, {"x_one", "x_two", "x-three"} & set(dict(answer.json()["headers"])))
        with Http2Client(self.proxy.address("drops")) as client:
            client.request("GET", "/", sent)
        self.assertEqual((before[0] + 2, before[1] + 2), (self.proxy.stat("http1.dropped_headers_with_underscores"),
                                                         self.proxy.stat("http2.dropped_headers_with_underscores")))
        before = self.proxy.stat("http1.requests_rejected_with_underscores_in_headers")
        self.assertEqual(400, fetch(self.proxy.address("rejects"), headers=sent).status)
        self.assertEqual(before + 1, self.proxy.stat("http1.requests_rejected_with_underscores_in_headers"))

    def test_size_of_answers_heads(self):
        lines = tuple((f"x-{index}", "v" * 900) for index in range(150))
        self.upstream.on("/heavy", Reply(headers=lines))
        self.assertEqual(200, fetch(self.proxy.address("large"), "/heavy").status)
        self.assertIn(fetch(self.proxy.address("plain"), "/heavy").status, (502, 503))
        self.upstream.on("/two", Reply(headers=lines[:2]))
        self.assertIn(fetch(self.proxy.address("small"), "/two").status, (502, 503))
        self.assertEqual(200, fetch(self.proxy.address("plain"), "/two").status)

    def test_custom_settings(self):
        with RawHttp2(self.proxy.address("settings")) as client:
            _, _, _, payload = client.until(lambda kind, flags, *_: kind == SETTINGS and not flags)
            pairs = {payload[at:at + 6] for at in range(0, len(payload), 6)}
            self.assertIn(b"\x00\x64\x00\x00\x00\x07", pairs)
            client.send(get(1))
            client.until_stream_ends(1)
            self.assertEqual(200, client.status(1))

    def test_malformed_messages_over_http2(self):
        """They end the connection, or their stream alone."""
        for name, ends in (("strict", True), ("lenient", False), ("overruled", True)):
            with RawHttp2(self.proxy.address(name)) as client:
                client.send(frame(HEADERS, END_HEADERS | 1, 1, request(("Upper", "case"))))
                client.until(lambda kind, _, stream, __: kind == GOAWAY or (kind == RST_STREAM and stream == 1))
                self.assertEqual(ends, client.goaway is not None or client.closed, name)
                if not ends:
                    client.send(get(3))
                    client.until_stream_ends(3)
                    self.assertEqual(200, client.status(3))

    def test_pending_bytes_are_told(self):
        self.upstream.on("/much", Reply(body=bytes(1 << 20)))
        with RawHttp2(self.proxy.address("plain")) as client:
            client.send(get(1, path="/much"))
            wait_for(lambda: self.proxy.stat("http2.pending_send_bytes") >= 900_000, "what has no window to leave by")
        wait_for(lambda: self.proxy.stat("http2.pending_send_bytes") == 0, "nothing pending")

    def test_what_is_refused(self):
        def code(**fields):
            return validate(bootstrap([], [cluster("a", ("127.0.0.1", 1), **fields)]))[0]
        for bad in ([{"identifier": 2, "value": 1}], [{"identifier": 8, "value": 1}], [{"identifier": 70000, "value": 1}],
                    [{"identifier": 100}], [{"identifier": 100, "value": 1}, {"identifier": 100, "value": 2}]):
            self.assertNotEqual(0, code(typed_extension_protocol_options=http2(custom_settings_parameters=bad)), bad)
        auto = {OPTIONS: {"@type": HTTP_OPTIONS, "auto_config": {"http2_protocol_options": {}}}}
        self.assertNotEqual(0, code(typed_extension_protocol_options=auto))
        self.assertEqual(0, code(typed_extension_protocol_options=http2(custom_settings_parameters=[{"identifier": 5, "value": 20000}])))


if __name__ == "__main__":
    unittest.main()
