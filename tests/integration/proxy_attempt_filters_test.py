"""What happens to each attempt: upstream_http_filters of the router, http_filters of a cluster, and the lines of upstream_log."""
import unittest

from meshtest.bootstrap import ROUTER, STDOUT_LOG, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import validate, weft_only
from meshtest.filters import HTTP, FilterTest
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

MUTATION = f"{HTTP}.header_mutation.v3.HeaderMutation"
CODEC = {"name": "codec", "typed_config": {"@type": f"{HTTP}.upstream_codec.v3.UpstreamCodec"}}
APPEND, SET = "APPEND_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS_OR_ADD"


def steps(*steps_of):
    return [{"append": {"header": {"key": key, "value": value}, "append_action": action}} for key, value, action in steps_of]


def mutation(name, **mutations):
    return {"name": name, "typed_config": {"@type": MUTATION, "mutations": mutations}}


def with_router(table, filters=(), **fields):
    manager = hcm(table, filters)
    manager["typed_config"]["http_filters"][-1]["typed_config"] = {"@type": ROUTER, **fields}
    return manager


def of_cluster(*filters):
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}}, "http_filters": list(filters)}}}


class Filters(FilterTest):
    @classmethod
    def setUpClass(cls):
        retry = {"retry_policy": {"retry_on": "retriable-headers", "num_retries": 1, "retry_back_off": {"base_interval": "0.001s"},
                                  "retriable_headers": [{"name": "x-up-answer", "string_match": {"exact": "again"}}]}}
        own = {"typed_per_filter_config": {"attempts": {"@type": f"{MUTATION}PerRoute", "mutations": {
            "request_mutations": steps(("x-own", "1", SET))}}}}
        table = routes(route("/retry", "up", action=retry), route("/own", "up", **own), route("/cluster", "filtered"), route("/", "up"),
                       request_headers_to_add=[{"header": {"key": "x-table", "value": "t"}}],
                       response_headers_to_add=[{"header": {"key": "x-saw", "value": "%RESP(x-up-answer)%"}}])
        attempts = mutation("attempts", request_mutations=steps(("x-host", "%UPSTREAM_HOST%", SET), ("x-tries", "%REQ(x-table)%", APPEND)),
                            response_mutations=steps(("x-up-answer", "%RESP(x-kind)%", SET)))
        outer = mutation("outer", response_mutations=steps(("x-outer", "%RESP(x-up-answer)%", SET)))
        other = Upstream("filtered")
        cls.addClassCleanup(other.close)
        cls.start([listener(with_router(table, [outer], upstream_http_filters=[attempts, CODEC]))],
                  [cluster("filtered", other.address, **of_cluster(mutation("c", request_mutations=steps(("x-cluster", "1", SET))), CODEC))])

    def test_the_request_once_its_host_is_chosen(self):
        answer = self.ask("/x")
        self.assertEqual(([f"127.0.0.1:{self.upstream.port}"], ["t"]), (self.sent(answer, "x-host"), self.sent(answer, "x-tries")))

    def test_the_answer_before_anybody_judges_it(self):
        self.upstream.on("/answer", Reply(200, (("x-kind", "a"),)))
        answer = self.ask("/answer")
        self.assertEqual(("a", "a", "a"), tuple(answer.header(name) for name in ("x-up-answer", "x-outer", "x-saw")))

    def test_each_attempt(self):
        self.upstream.on("/retry", Reply(200, (("x-kind", "again"),)), Reply(200, (("x-kind", "fine"),)))
        self.assertEqual("fine", self.ask("/retry").header("x-up-answer"))
        # As in Envoy a further attempt begins with what the one before it has made of the request.
        self.assertEqual([1, 2], [sum(key == "x-tries" for key, _ in seen.headers) for seen in self.upstream.requests("/retry")])

    def test_what_a_route_says(self):
        answer = self.ask("/own")
        self.assertEqual((["1"], ["t"]), (self.sent(answer, "x-own"), self.sent(answer, "x-tries")))

    def test_a_cluster_has_its_own(self):
        answer = self.ask("/cluster")
        self.assertEqual((["1"], []), (self.sent(answer, "x-cluster"), self.sent(answer, "x-tries")))


class Lines(FilterTest):
    @classmethod
    def setUpClass(cls):
        log = {"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {
            "inline_string": "UP %REQ(:PATH)% %ACCESS_LOG_TYPE% %RESPONSE_CODE% %BYTES_SENT% %BYTES_RECEIVED%\n"}}}}
        options = {"flush_upstream_log_on_upstream_stream": True, "upstream_log_flush_interval": "0.3s"}
        cls.start([listener(with_router(routes(route("/", "up")), upstream_log=[log], upstream_log_options=options))])

    def lines(self, target, last="UpstreamEnd"):
        def found():
            lines = [line.split()[2:] for line in self.proxy.program.output().splitlines() if line.startswith(f"UP {target} ")]
            return lines and lines[-1][0] == last and lines
        return wait_for(found, f"the last line of {target}")

    def test_a_line_at_each_end(self):
        self.upstream.on("/body", Reply(200, (), b"12345"))
        self.ask("/body", method="POST", body=b"123")
        self.assertEqual([["UpstreamPoolReady", "0", "0", "0"], ["UpstreamEnd", "200", "3", "5"]], self.lines("/body"))

    def test_lines_in_between(self):
        self.upstream.on("/slow", Reply(200, (), b"", delay=1.0))
        self.ask("/slow")
        lines = [line[0] for line in self.lines("/slow")]
        self.assertEqual(("UpstreamPoolReady", "UpstreamEnd"), (lines[0], lines[-1]))
        self.assertIn("UpstreamPeriodic", lines)
        self.assertEqual({"UpstreamPeriodic"}, set(lines[1:-1]))


class Refused(unittest.TestCase):
    def refused(self, *filters):
        code, output = validate(bootstrap([listener(with_router(routes(route("/", "up")), upstream_http_filters=list(filters)))],
                                          [cluster("up", ("127.0.0.1", 1))]))
        self.assertNotEqual(0, code, filters)
        return output

    def test_the_codec_is_the_last(self):
        self.refused(mutation("m"))
        self.refused(CODEC, mutation("m"))

    @weft_only("the words of what this version does not do")
    def test_filters_that_are_not_there(self):
        fault = {"name": "fault", "typed_config": {"@type": f"{HTTP}.fault.v3.HTTPFault"}}
        self.assertIn("upstream_http_filters[0].typed_config", self.refused(fault, CODEC))
        self.assertIn("supported: envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", self.refused(fault, CODEC))
        found = {"name": "x", "config_discovery": {"config_source": {"ads": {}}, "type_urls": [MUTATION]}}
        self.assertIn("upstream_http_filters[0].config_discovery", self.refused(found, CODEC))


if __name__ == "__main__":
    unittest.main()
