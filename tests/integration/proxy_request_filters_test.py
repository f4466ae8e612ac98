"""Filters that look at where a request comes from or change its lines: cors, csrf, header_mutation; and how routes switch filters on
and off at each level."""
import unittest

from meshtest.bootstrap import HTTP_OPTIONS, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import validate, weft_only
from meshtest.filters import ALWAYS, NEVER, FilterTest, named, switched, told
from meshtest.h2peer import Http2Client
from meshtest.raw_http import Connection, chunked, message
from meshtest.upstream import Reply

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
PREFLIGHT = ("access-control-request-method", "PUT")

def policy(**fields):
    return told("cors", "cors.v3.CorsPolicy", **fields)


def csrf(enabled, **fields):
    return {"filter_enabled": enabled, "additional_origins": [{"suffix": ".partner.test"}], **fields}


def mutations(**fields):
    return {"mutations": fields}


def add(name, value, action="APPEND_IF_EXISTS_OR_ADD"):
    return {"append": {"header": {"key": name, "value": value}, "append_action": action}}


def over(name, value):
    return add(name, value, "OVERWRITE_IF_EXISTS_OR_ADD")


class Cors(FilterTest):
    @classmethod
    def setUpClass(cls):
        shop = {"allow_origin_string_match": [{"exact": "http://shop.test"}, {"safe_regex": {"regex": r"http://.*\.shop\.test"}}]}
        table = routes(
            route("/full", "up", **policy(**shop, allow_methods="GET,PUT", allow_headers="x-a", expose_headers="x-b", max_age="600",
                                          allow_credentials=True, allow_private_network_access=True),
                  response_headers_to_add=[{"header": {"key": "x-route", "value": "yes"}}]),
            route("/keeps", "up", **policy(forward_not_matching_preflights=False)),
            route("/shadow", "up", **policy(filter_enabled=NEVER, shadow_enabled=ALWAYS)),
            route("/off", "up", **switched("cors", disabled=True)),
            route("/runtime", "up", **policy(filter_enabled={"runtime_key": "cors.off", "default_value": {"numerator": 100}})),
            route("/weighted", action={"weighted_clusters": {"clusters": [
                {"name": "up", "weight": 1, **policy(allow_headers="of-the-cluster")}]}}, **policy(allow_methods="of-the-route")),
            {"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/x"}},
            route("/", "up"), **policy(**shop, allow_methods="of-the-host"))
        table.update(policy(max_age="77", allow_headers="of-the-table"))
        cls.start([listener(hcm(table, [named("cors", "cors.v3.Cors")]))],
                  layered_runtime={"layers": [{"name": "static", "static_layer": {"cors": {"off": 0}}}]})

    def preflight(self, target, origin="http://shop.test", *more):
        return self.ask(target, [("origin", origin), PREFLIGHT, *more], "OPTIONS")

    def allowed(self, answer):
        return {name.removeprefix("access-control-"): value for name, value in answer.headers if name.startswith("access-control-")}

    def test_preflight(self):
        answer = self.preflight("/full/alone")
        self.assertEqual((200, b""), (answer.status, answer.body))
        self.assertEqual({"allow-origin": "http://shop.test", "allow-credentials": "true", "allow-methods": "GET,PUT",
                          "allow-headers": "x-a", "max-age": "600", "expose-headers": "x-b"}, self.allowed(answer))
        self.assertIsNone(answer.header("x-route"))
        self.assertEqual(0, self.upstream.count("/full/alone"))
        private = self.preflight("/full", "http://eu.shop.test", ("access-control-request-private-network", "true"))
        self.assertEqual("true", self.allowed(private)["allow-private-network"])

    def test_a_preflight_of_grpc_web_is_no_grpc(self):
        answer = self.preflight("/full", "http://shop.test", ("content-type", "application/grpc"))
        self.assertEqual((200, None), (answer.status, answer.header("grpc-status")))

    def test_over_http2(self):
        with Http2Client(self.proxy.address()) as client:
            answer = client.request("OPTIONS", "/full", [("origin", "http://shop.test"), PREFLIGHT])
            self.assertEqual("http://shop.test", dict(answer.headers)["access-control-allow-origin"])

    def test_answers_are_marked(self):
        self.upstream.on("/full/own", Reply(headers=(("access-control-allow-origin", "*"), ("access-control-expose-headers", "own"))))
        answer = self.ask("/full/own", [("origin", "http://shop.test")])
        self.assertEqual({"allow-origin": "http://shop.test", "allow-credentials": "true", "expose-headers": "x-b"}, self.allowed(answer))
        self.assertEqual("yes", answer.header("x-route"))
        self.assertEqual({"allow-origin": "*", "expose-headers": "own"}, self.allowed(self.ask("/full/own", [("origin", "http://a.test")])))
        self.assertEqual({}, self.allowed(self.ask("/full")))

    def test_other_origins(self):
        self.assertEqual("OPTIONS", self.preflight("/full", "http://evil.test").json()["method"])
        kept = self.preflight("/keeps", "http://evil.test")
        self.assertEqual({"allow-methods": "of-the-host", "allow-headers": "of-the-table", "max-age": "77"}, self.allowed(kept))
        self.assertEqual(0, self.upstream.count("/keeps"))

    def test_levels_complete_each_other(self):
        self.assertEqual({"allow-origin": "http://shop.test", "allow-methods": "of-the-host", "allow-headers": "of-the-table",
                          "max-age": "77"}, self.allowed(self.preflight("/other")))
        self.assertEqual({"allow-origin": "http://shop.test", "allow-methods": "of-the-route", "allow-headers": "of-the-cluster",
                          "max-age": "77"}, self.allowed(self.preflight("/weighted")))

    def test_switched_off(self):
        for path in ("/shadow", "/off", "/runtime"):
            answer = self.preflight(path)
            self.assertEqual((path, {}), (answer.json()["target"], self.allowed(answer)))
        self.assertEqual({}, self.allowed(self.preflight("/redirect")))

    def test_counts(self):
        valid, invalid = self.proxy.stat("http.main.cors.origin_valid"), self.proxy.stat("http.main.cors.origin_invalid")
        self.preflight("/shadow")
        self.preflight("/shadow", "http://evil.test")
        self.preflight("/off")
        self.proxy.wait_stat("http.main.cors.origin_invalid", invalid + 1)
        self.assertEqual(valid + 1, self.proxy.stat("http.main.cors.origin_valid"))


class Csrf(FilterTest):
    @classmethod
    def setUpClass(cls):
        message_name = "csrf.v3.CsrfPolicy"
        table = routes(route("/off", "up", **told("csrf", message_name, **csrf(NEVER))),
                       route("/shadow", "up", **told("csrf", message_name, **csrf(NEVER, shadow_enabled=ALWAYS))),
                       {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}}, route("/", "up"))
        cls.start([listener(hcm(table, [named("csrf", message_name, **csrf(ALWAYS))]))])

    def post(self, target, *headers, method="POST"):
        return self.ask(target, headers, method)

    def test_own_pages_and_partners(self):
        for header in (("origin", "http://main.test"), ("origin", "https://main.test"), ("referer", "http://main.test/cart?x=1"),
                       ("origin", "http://eu.partner.test")):
            self.assertEqual(200, self.post("/a", header).status, header)
        self.assertEqual(200, self.post("/a", ("origin", "http://evil.test"), method="GET").status)

    def test_others(self):
        before = self.upstream.count("/b")
        for headers in ((("origin", "http://evil.test"),), (), (("origin", "null"), ("referer", "http://main.test/")),
                        (("origin", "http://main.test:81"),), (("referer", "http://evil.test/main.test"),)):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = self.post("/b", *headers, method=method)
                self.assertEqual((403, b"Invalid origin"), (answer.status, answer.body), headers)
        self.assertEqual(403, self.post("/direct", ("origin", "http://evil.test")).status)
        self.assertEqual(before, self.upstream.count("/b"))

    def test_switched_off_and_counted(self):
        prefix = "http.main.csrf."
        before = {name: self.proxy.stat(prefix + name) for name in ("request_valid", "request_invalid", "missing_source_origin")}
        for target in ("/off", "/shadow"):
            for headers in ((("origin", "http://evil.test"),), (("origin", "http://main.test"),), ()):
                self.assertEqual(200, self.post(target, *headers).status)
        for name, count in before.items():
            self.assertEqual(count + 1, self.proxy.stat(prefix + name), name)


class HeaderMutation(FilterTest):
    @classmethod
    def setUpClass(cls):
        def per_route(**fields):
            return told("header_mutation", "header_mutation.v3.HeaderMutationPerRoute", **mutations(**fields))

        def chain(**fields):
            return named("header_mutation", "header_mutation.v3.HeaderMutation", **fields)
        table = routes(route("/weighted", action={"weighted_clusters": {"clusters": [
            {"name": "up", "weight": 1, **per_route(request_mutations=[add("x-level", "cluster")])}]}},
            **per_route(request_mutations=[add("x-level", "route")])),
            route("/", "up"), **per_route(request_mutations=[over("x-level", "host")], response_mutations=[add("x-level", "host")]))
        table.update(per_route(request_mutations=[add("x-level", "table")]))
        head = mutations(
            request_mutations=[add("x-a", "1"), add("x-path", "%REQ(:PATH)%"), add("x-none", "%REQ(none)%"), {"remove": "x-gone"},
                               {"remove_on_match": {"key_matcher": {"prefix": "x-secret-"}}}, over("x-over", "new"),
                               add("x-if-absent", "new", "ADD_IF_ABSENT"), add("x-if-there", "new", "OVERWRITE_IF_EXISTS"),
                               add("x-level", "filter")],
            response_mutations=[add("x-code", "%RESPONSE_CODE%"), {"remove": "x-of-upstream"}])
        query = mutations(query_parameter_mutations=[
            {"append": {"record": {"key": "a", "value": "1"}}},
            {"append": {"record": {"key": "b", "value": "%REQ(x-in)%&"}, "action": "OVERWRITE_IF_EXISTS_OR_ADD"}}, {"remove": "e"}])
        trailers = mutations(request_trailers_mutations=[over("x-t", "changed")], response_trailers_mutations=[over("x-t", "changed")])
        cls.start([listener(hcm(table, [chain(**head)]), name="head"),
                   listener(hcm(table, [chain(**head, most_specific_header_mutations_wins=True)]), name="specific"),
                   listener(hcm(routes(route("/", "up")), [chain(**query)]), name="query"),
                   listener(hcm(routes(route("/", "up")), [chain(**trailers)], http_protocol_options={"enable_trailers": True}),
                            name="trailers")], [], {"typed_extension_protocol_options": {OPTIONS: {
                                "@type": HTTP_OPTIONS, "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}}}}})

    def test_heads(self):
        self.upstream.on("/up", Reply(headers=(("x-of-upstream", "1"),)))
        self.assertIsNone(self.ask("/up", name="head").header("x-of-upstream"))
        answer = self.ask("/p", [("x-gone", "1"), ("x-secret-a", "1"), ("X-Secret-B", "2"), ("x-over", "old"), ("x-if-absent", "old"),
                                 ("x-if-there", "old"), ("x-a", "0")], name="head")
        got = {name: self.sent(answer, name) for name in ("x-a", "x-path", "x-none", "x-gone", "x-secret-a", "x-secret-b", "x-over",
                                                          "x-if-absent", "x-if-there")}
        self.assertEqual({"x-a": ["0", "1"], "x-path": ["/p"], "x-none": [], "x-gone": [], "x-secret-a": [], "x-secret-b": [],
                          "x-over": ["new"], "x-if-absent": ["old"], "x-if-there": ["new"]}, got)
        self.assertEqual("200", answer.header("x-code"))
        self.assertEqual([], self.sent(self.ask("/p", name="head"), "x-if-there"))

    def test_levels(self):
        self.assertEqual(["host", "table"], self.sent(self.ask("/weighted", name="head"), "x-level"))
        self.assertEqual(["host", "route", "cluster"], self.sent(self.ask("/weighted", name="specific"), "x-level"))
        self.assertEqual("host", self.ask("/p", name="head").header("x-level"))

    def test_query(self):
        for target, expected in (("/q", "/q?a=1&b=i%20n%26"), ("/q?e=1&b=0&a=0&f&%65=2", "/q?a=0&a=1&b=i%20n%26&f="),
                                 ("/q?z=1&y=x%2Fz", "/q?a=1&b=i%20n%26&y=x%2Fz&z=1" if self.proxy.kind == "weft" else None)):
            got = self.ask(target, [("x-in", "i n")], name="query").json()["target"]
            if expected:  # what stays keeps its bytes: Envoy decodes it and does not encode it again
                self.assertEqual(expected, got)

    def test_trailers(self):
        self.upstream.on("/t", Reply(chunks=(b"abc",), trailers=(("x-t", "1"),)))
        with Connection(self.proxy.address("trailers")) as connection:
            connection.send(message("POST", "/t", [("te", "trailers"), ("transfer-encoding", "chunked")]) +
                            chunked(b"abc", trailers=[("x-t", "0")]))
            self.assertEqual([("x-t", "changed")], connection.read_response().trailers)
        self.assertEqual([("x-t", "changed")], [tuple(line) for line in self.upstream.requests("/t")[0].trailers])

    @weft_only("Envoy takes it and then has a request without a host")
    def test_what_may_not_be_removed(self):
        chain = named("header_mutation", "header_mutation.v3.HeaderMutation", **mutations(request_mutations=[{"remove": "host"}]))
        code, output = validate(bootstrap([listener(hcm(routes(route("/", "up")), [chain]))], [cluster("up", ("127.0.0.1", 1))]))
        self.assertNotEqual(0, code)
        self.assertIn("mutations.request_mutations[0].remove", output)


class Switches(FilterTest):
    """FilterConfig and HttpFilter.disabled, with a filter that answers whatever it sees."""

    @classmethod
    def setUpClass(cls):
        check = named("health_check", "health_check.v3.HealthCheck", pass_through_mode=False)
        buffer = named("buffer", "buffer.v3.Buffer", max_request_bytes=1)
        off, on = switched("health_check", disabled=True), switched("health_check", config={})
        weighted = {"weighted_clusters": {"clusters": [{"name": "up", "weight": 1, **on}]}}
        entries = [route("/on", "up", **on), route("/off", "up", **off), route("/weighted", action=weighted, **off), route("/", "up")]
        by_config = routes(route("/config", "up", **told("buffer", "buffer.v3.BufferPerRoute", buffer={"max_request_bytes": 1})),
                           route("/", "up"))
        table_off = routes(*entries)
        table_off.update(off)
        cls.start([listener(hcm(routes(*entries), [check]), name="plain"), listener(hcm(routes(*entries, **off), [check]), name="host-off"),
                   listener(hcm(table_off, [check]), name="table-off"),
                   listener(hcm(routes(*entries), [{**check, "disabled": True}]), name="filter-off"),
                   listener(hcm(by_config, [{**buffer, "disabled": True}]), name="by-config")])

    def test_levels(self):
        for name, others in (("plain", b""), ("host-off", None), ("table-off", None), ("filter-off", None)):
            for target, expected in (("/on", b""), ("/off", None), ("/weighted", b""), ("/other", others)):
                answer = self.ask(target, name=name)
                self.assertEqual(200, answer.status)
                self.assertEqual(expected == b"", answer.body == b"", (name, target))

    def test_configuration_switches_on(self):
        self.assertEqual([200, 413], [self.ask(target, method="POST", body=b"12", name="by-config").status for target in ("/", "/config")])


if __name__ == "__main__":
    unittest.main()
