"""Filters that hold, answer or limit requests: buffer, health_check, local_ratelimit."""
import unittest

from meshtest.bootstrap import cluster, hcm, listener, route, routes, socket_address
from meshtest.filters import ALWAYS, NEVER, FilterTest, named, switched, told
from meshtest.h2peer import Http2Client
from meshtest.raw_http import Connection, chunked, message
from meshtest.upstream import Reply
from meshtest.wait import holds_for, wait_for

def bucket(tokens):
    return {"max_tokens": tokens, "fill_interval": "1000s"}


def limit(prefix, tokens, **fields):
    return {"stat_prefix": prefix, "token_bucket": bucket(tokens), "filter_enabled": ALWAYS, "filter_enforced": ALWAYS, **fields}


class Buffer(FilterTest):
    @classmethod
    def setUpClass(cls):
        per_route = "buffer.v3.BufferPerRoute"
        table = routes(route("/off", "up", **told("buffer", per_route, disabled=True)),
                       route("/big", "up", **told("buffer", per_route, buffer={"max_request_bytes": 5_000_000})),
                       {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}}, route("/", "up"))
        cls.start([listener(hcm(table, [named("buffer", "buffer.v3.Buffer", max_request_bytes=1000)]),
                            per_connection_buffer_limit_bytes=32768)])

    def post(self, target, body, headers=()):
        with Connection(self.proxy.address()) as connection:
            connection.send(message("POST", target, headers, None if headers else body) + (body if headers else b""))
            return connection.read_response()

    def chunks(self, target, *pieces, **fields):
        return self.post(target, chunked(*pieces, **fields), [("transfer-encoding", "chunked")])

    def test_waits_for_all_of_it(self):
        with Connection(self.proxy.address()) as connection:
            connection.send(message("POST", "/slow", [("content-length", "20")]) + b"0123456789")
            holds_for(lambda: self.upstream.count("/slow") == 0 and not self.upstream.requests("/slow", complete=False),
                      "nothing at the upstream", 0.2)
            connection.send(b"0123456789")
            self.assertEqual("0123456789" * 2, connection.read_response().json()["body"])

    def test_the_length_is_told(self):
        for pieces, fields in (((b"12345", b"67890"), {}), ((b"1",), {"trailers": [("x-t", "v")]}), ((), {})):
            answer = self.chunks("/chunks", *pieces, **fields)
            self.assertEqual([str(len(b"".join(pieces)))], self.sent(answer, "content-length"))
            self.assertEqual([], self.sent(answer, "transfer-encoding"))
            self.assertEqual(b"".join(pieces).decode(), answer.json()["body"])

    def test_too_long(self):
        self.assertEqual(200, self.post("/limit", b"x" * 1000).status)
        before = self.proxy.stat("http.main.downstream_rq_too_large")
        for answer in (self.post("/long", b"x" * 1001), self.chunks("/long", b"x" * 600, b"x" * 600), self.post("/direct", b"x" * 1001)):
            self.assertEqual((413, b"Payload Too Large"), (answer.status, answer.body))
        self.assertEqual(0, self.upstream.count("/long"))
        self.assertEqual(before + 3, self.proxy.stat("http.main.downstream_rq_too_large"))

    def test_too_long_over_http2(self):
        with Http2Client(self.proxy.address()) as client:
            self.assertEqual(413, client.request("POST", "/long2", body=b"x" * 1001).status)
            self.assertEqual(200, client.request("POST", "/short2", body=b"x" * 1000).status)

    def test_much_over_http2(self):
        with Http2Client(self.proxy.address()) as client:
            answer = client.request("POST", "/big", body=b"x" * 1_000_000)
            self.assertEqual((200, 1_000_000), (answer.status, len(self.upstream.requests("/big")[-1].body)))

    def test_routes_say_otherwise(self):
        for target, size in (("/off", 2000), ("/big", 300_000)):
            self.assertEqual(size, len(self.post(target, b"x" * size).json()["body"]))

    def test_without_a_body(self):
        self.assertEqual([], self.sent(self.ask("/get"), "content-length"))


class HealthCheck(FilterTest):
    @classmethod
    def setUpClass(cls):
        def check(pass_through=False, **fields):
            return named("health_check", "health_check.v3.HealthCheck", pass_through_mode=pass_through,
                         headers=[{"name": ":path", "string_match": {"exact": "/healthz"}}], **fields)

        def healthy(name, percentage):
            return check(cluster_min_healthy_percentages={name: {"value": percentage}})
        half = [{"endpoint": {"address": socket_address(("127.0.0.1", port))}, "health_status": status}
                for port, status in ((1, "HEALTHY"), (2, "UNHEALTHY"))]
        filters = {"answers": check(), "passes": check(True), "half-51": healthy("half", 51), "half-50": healthy("half", 50),
                   "empty-1": healthy("empty", 1), "empty-0": healthy("empty", 0), "none": healthy("none", 0),
                   "remembers": check(True, cache_time="1000s")}
        cls.start([listener(hcm(routes(route("/", "up")), [one], stat_prefix=name), name=name) for name, one in filters.items()],
                  [cluster("empty"), {**cluster("half"), "load_assignment": {"cluster_name": "half", "endpoints": [
                      {"lb_endpoints": half}]}}])

    def test_answers(self):
        for name, status in (("answers", 200), ("half-51", 503), ("half-50", 200), ("empty-1", 503), ("empty-0", 200), ("none", 503)):
            answer = self.ask("/healthz", name=name)
            self.assertEqual((status, b""), (answer.status, answer.body), name)
            self.assertEqual("test", answer.header("x-envoy-upstream-healthchecked-cluster"))
        self.assertEqual("/healthz?x", self.ask("/healthz?x", name="answers").json()["target"])

    def test_passes(self):
        answer = self.ask("/healthz", name="passes")
        self.assertEqual("/healthz", answer.json()["target"])
        self.assertEqual("test", answer.header("x-envoy-upstream-healthchecked-cluster"))

    def test_remembers(self):
        self.upstream.on("/healthz", Reply(503), Reply())
        self.addCleanup(self.upstream.on, "/healthz")
        before = self.upstream.count("/healthz")
        self.assertEqual([503] * 3, [self.ask("/healthz", name="remembers").status for _ in range(3)])
        self.assertEqual(before + 1, self.upstream.count("/healthz"))

    def test_probes_are_not_counted(self):
        self.ask("/healthz", name="half-50")
        self.ask("/counted", name="half-50")
        self.proxy.wait_stat("http.half-50.downstream_rq_2xx", 1)
        self.assertEqual(1, self.proxy.stat("http.half-50.downstream_rq_completed"))

    def test_told_to_fail(self):
        self.assertEqual(200, self.proxy.admin("/healthcheck/fail", "POST").status)
        try:
            for name in ("answers", "passes"):
                wait_for(lambda: self.ask("/healthz", name=name).status == 503, "probes that fail")
            other = self.ask("/other", name="answers")
            self.assertEqual((200, "true"), (other.status, other.header("x-envoy-immediate-health-check-fail")))
            self.assertEqual("close", other.header("connection"))
        finally:
            self.proxy.admin("/healthcheck/ok", "POST")
        wait_for(lambda: self.ask("/healthz", name="answers").status == 200, "probes that pass")


class LocalRateLimit(FilterTest):
    @classmethod
    def setUpClass(cls):
        message_name = "local_ratelimit.v3.LocalRateLimit"

        def chain(prefix, tokens, **fields):
            return named("local_ratelimit", message_name, **limit(prefix, tokens, **fields))

        def own(tokens, value, **fields):
            return {"entries": [{"key": "client", "value": value}], "token_bucket": bucket(tokens), **fields}

        def generic(value):
            return {"actions": [{"generic_key": {"descriptor_key": "client", "descriptor_value": value}}]}
        by_header = [{"actions": [{"request_headers": {"header_name": "x-client", "descriptor_key": "client"}}]}]
        table = routes(route("/", "up"))
        of_route = routes(route("/own", "up", **told("local_ratelimit", message_name, **limit("own", 1, status={"code": 503}))),
                          route("/off", "up", **switched("local_ratelimit", disabled=True)), route("/", "up"))
        rules = routes(route("/route", "up", action={"rate_limits": [generic("route")]}), route("/", "up"), rate_limits=[generic("host")])
        cls.start([
            listener(hcm(table, [chain("plain", 2, enable_x_ratelimit_headers="DRAFT_VERSION_03", response_headers_to_add=[
                {"header": {"key": "x-limited", "value": "%REQ(:PATH)%"}}])]), name="plain"),
            listener(hcm(table, [chain("lenient", 1, filter_enforced=NEVER, request_headers_to_add_when_not_enforced=[
                {"header": {"key": "x-over", "value": "1"}}])]), name="lenient"),
            listener(hcm(table, [chain("grpc", 0, rate_limited_as_resource_exhausted=True)]), name="grpc"),
            listener(hcm(of_route, [chain("chain", 2)]), name="routes"),
            listener(hcm(table, [chain("clients", 4, descriptors=[own(1, "a"), own(9, "b"), own(0, "c", shadow_mode=True)],
                                       rate_limits=by_header)]), name="clients"),
            listener(hcm(table, [chain("any", 99, descriptors=[own(1, ""), own(2, "named")], max_dynamic_descriptors=2,
                                       rate_limits=by_header)]), name="any"),
            listener(hcm(table, [chain("connection", 2, local_rate_limit_per_downstream_connection=True, rate_limits=by_header,
                                       descriptors=[own(1, "a"), own(1, "")])]), name="connection"),
            listener(hcm(rules, [chain("rules", 9, descriptors=[own(1, "route"), own(0, "host")])]), name="rules"),
        ])

    def codes(self, count, name, target="/", *headers):
        return [self.ask(target, headers, name=name).status for _ in range(count)]

    def test_each_connection_for_itself(self):
        for _ in range(2):
            with Connection(self.proxy.address("connection")) as connection:
                self.assertEqual([200, 200, 429], [connection.request("GET", "/").status for _ in range(3)])
            with Connection(self.proxy.address("connection")) as connection:
                self.assertEqual([200, 429], [connection.request("GET", "/", [("x-client", "a")]).status for _ in range(2)])
                self.assertEqual([200, 429], [connection.request("GET", "/", [("x-client", "b")]).status for _ in range(2)])

    def test_too_often(self):
        first, _, third = (self.ask("/p", name="plain") for _ in range(3))
        self.assertEqual((200, None, "2", "1", "0"), (first.status, first.header("x-limited"), *self.told(first)))
        self.assertEqual((429, b"local_rate_limited", "/p"), (third.status, third.body, third.header("x-limited")))
        self.assertEqual(["2", "0"], self.told(third)[:2])
        self.assertIn(int(third.header("x-ratelimit-reset")), range(900, 1001))
        prefix = "plain.http_local_rate_limit."
        self.assertEqual([3, 2, 1, 1], [self.proxy.stat(prefix + name) for name in ("enabled", "ok", "rate_limited", "enforced")])

    @staticmethod
    def told(answer):
        return [answer.header(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset")]

    def test_not_enforced(self):
        answers = [self.ask("/", name="lenient") for _ in range(2)]
        self.assertEqual([[], ["1"]], [self.sent(answer, "x-over") for answer in answers])

    def test_grpc(self):
        answer = self.ask("/", [("content-type", "application/grpc")], "POST", "grpc")
        self.assertEqual((200, "8"), (answer.status, answer.header("grpc-status")))

    def test_routes_say_otherwise(self):
        self.assertEqual([200, 503], self.codes(2, "routes", "/own"))
        self.assertEqual([200] * 4, self.codes(4, "routes", "/off"))
        self.assertEqual([200, 200, 429], self.codes(3, "routes"))

    def test_descriptors(self):
        self.assertEqual([200, 429], self.codes(2, "clients", "/", ("x-client", "a")))
        self.assertEqual([200], self.codes(1, "clients", "/", ("x-client", "b")))
        self.assertEqual([200], self.codes(1, "clients", "/", ("x-client", "c")))  # in the shadow
        self.assertEqual([200, 429], self.codes(2, "clients"))
        self.assertEqual([429], self.codes(1, "clients", "/", ("x-client", "b")))
        self.assertEqual(1, self.proxy.stat("clients.http_local_rate_limit.shadow_mode"))

    def test_a_bucket_for_each_value(self):
        for client, codes in (("a", [200]), ("b", [200]), ("a", [429]), ("named", [200, 200, 429]), ("c", [200]), ("a", [429]),
                              ("b", [200])):
            self.assertEqual(codes, self.codes(len(codes), "any", "/", ("x-client", client)), client)

    def test_rules_of_route_and_host(self):
        self.assertEqual([200, 429], self.codes(2, "rules", "/route"))
        self.assertEqual([429], self.codes(1, "rules", "/other"))


if __name__ == "__main__":
    unittest.main()
