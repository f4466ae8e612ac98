"""The ratelimit filter against a real gRPC server in Python: what it asks, and what becomes of each answer."""
import unittest
from concurrent import futures

import grpc

from meshtest.bootstrap import cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import weft_only
from meshtest.filters import HTTP, FilterTest, named
from meshtest.protos import our_protos
from meshtest.raw_http import fetch
from meshtest.upstream import refused_address
from meshtest.wait import wait_for

PROTOS = our_protos()
REQUEST = "envoy.service.ratelimit.v3.RateLimitRequest"
RESPONSE = "envoy.service.ratelimit.v3.RateLimitResponse"


class Service:
    """Answers by the value of the first entry: over, fails, odd; else OK with a header each way."""

    def __init__(self):
        self.asked = []
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        handler = grpc.unary_unary_rpc_method_handler(self.limit, PROTOS.message_class(REQUEST).FromString,
                                                      lambda message: message.SerializeToString())
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "envoy.service.ratelimit.v3.RateLimitService", {"ShouldRateLimit": handler})])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def limit(self, request, context):
        self.asked.append(PROTOS.to_dict(request))
        value = request.descriptors[0].entries[0].value
        if value == "fails":
            context.abort(grpc.StatusCode.INTERNAL, "no")
        statuses = [{"code": "OVER_LIMIT", "current_limit": {"requests_per_unit": 5, "unit": "MINUTE"}, "limit_remaining": 0,
                     "duration_until_reset": "7s"}]
        if value == "over":
            return PROTOS.make(RESPONSE, {"overall_code": "OVER_LIMIT", "statuses": statuses,
                                          "response_headers_to_add": [{"key": "x-plan", "value": "free"}]})
        if value == "odd":
            return PROTOS.make(RESPONSE, {})
        return PROTOS.make(RESPONSE, {"overall_code": "OK", "request_headers_to_add": [{"key": "x-quota", "value": "9"}],
                                      "response_headers_to_add": [{"key": "x-plan", "value": "paid"}]})

    def close(self):
        self.server.stop(None).wait(5)


def rate_limits(value, **fields):
    return {"rate_limits": [{"actions": [{"generic_key": {"descriptor_value": value}}], **fields}]}


def ratelimit(service="rls", **fields):
    return {"name": "envoy.filters.http.ratelimit", "typed_config": {
        "@type": f"{HTTP}.ratelimit.v3.RateLimit", "domain": "shop", "timeout": "5s", "rate_limit_service": {
            "transport_api_version": "V3", "grpc_service": {"envoy_grpc": {"cluster_name": service}}}, **fields}}


class RateLimit(FilterTest):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.close)
        dead, keeper = refused_address()
        cls.addClassCleanup(keeper.close)
        masked = {"rate_limits": [{"actions": [{"masked_remote_address": {"v4_prefix_mask_len": 16}},
                                               {"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}]}
        own = {"typed_per_filter_config": {"envoy.filters.http.ratelimit": {
            "@type": f"{HTTP}.ratelimit.v3.RateLimitPerRoute", "domain": "own", "vh_rate_limits": "INCLUDE"}}}
        noted = {"metadata_key": {"key": "ns", "path": [{"key": "plan"}]}}
        entries = {"noted": {"metadata": {"descriptor_key": "plan", **noted}},
                   "number": {"metadata": {"descriptor_key": "plan", "metadata_key": {"key": "ns", "path": [{"key": "number"}]}}},
                   "default": {"metadata": {"descriptor_key": "plan", "metadata_key": {"key": "ns", "path": [{"key": "x"}]},
                                            "default_value": "basic"}},
                   "skipped": {"metadata": {"descriptor_key": "plan", "metadata_key": {"key": "ns", "path": [{"key": "x"}]},
                                            "skip_if_absent": True}},
                   "of-route": {"metadata": {"descriptor_key": "plan", "source": "ROUTE_ENTRY", "metadata_key": {
                       "key": "ns", "path": [{"key": "deep"}, {"key": "plan"}]}}}}
        by_metadata = [route(f"/metadata/{name}", "up", action={"rate_limits": [
            {"actions": [{"generic_key": {"descriptor_value": "g"}}, entry]}]}, metadata={
                "filter_metadata": {"ns": {"deep": {"plan": "route's"}}}}) for name, entry in entries.items()]
        override = {"limit": {"dynamic_metadata": {"metadata_key": {"key": "ns", "path": [{"key": "limit"}]}}}}
        own_rules = {"typed_per_filter_config": {"envoy.filters.http.ratelimit": {
            "@type": f"{HTTP}.ratelimit.v3.RateLimitPerRoute", "rate_limits": [
                rate_limits("now", hits_addend={"format": "%REQ(x-hits)%"})["rate_limits"][0],
                rate_limits("last", apply_on_stream_done=True, hits_addend={"format": "%BYTES_SENT%"})["rate_limits"][0]]}}}
        notes = named("set_metadata", "set_metadata.v3.Config", metadata=[{"metadata_namespace": "ns", "value": {
            "plan": "gold", "number": 7, "limit": {"requests_per_unit": 42, "unit": "HOUR"}}}])
        table = routes(*(route(f"/{name}", "up", action=rate_limits(name)) for name in ("ok", "over", "fails", "odd")), *by_metadata,
                       route("/limit", "up", action=rate_limits("limited", **override)),
                       route("/counted", "up", action=rate_limits("counted", hits_addend={"number": 7})), route("/hits", "up", **own_rules),
                       route("/masked", "up", action=masked), route("/own", "up", action=rate_limits("ok"), **own),
                       route("/free", "up"), **rate_limits("of-the-host"))
        cls.start([
            listener(hcm(table, [notes, ratelimit(enable_x_ratelimit_headers="DRAFT_VERSION_03",
                                           response_headers_to_add=[{"header": {"key": "x-told", "value": "yes"}}])])),
            listener(hcm(table, [ratelimit(failure_mode_deny=True, rate_limited_status={"code": 503},
                                           disable_x_envoy_ratelimited_header=True)]), name="strict"),
            listener(hcm(table, [ratelimit("dead")]), name="open"),
            listener(hcm(table, [ratelimit("dead", failure_mode_deny=True, status_on_error={"code": 502})]), name="closed")],
            [cluster("rls", ("127.0.0.1", cls.service.port), typed_extension_protocol_options=http2()),
             cluster("dead", dead, typed_extension_protocol_options=http2())])

    def asked(self):
        return self.service.asked[-1]

    def test_ok(self):
        answer = self.ask("/ok")
        self.assertEqual((200, "paid"), (answer.status, answer.header("x-plan")))
        self.assertEqual(["9"], self.sent(answer, "x-quota"))
        self.assertEqual({"domain": "shop", "descriptors": [{"entries": [{"key": "generic_key", "value": "ok"}]}]}, self.asked())

    def test_over_the_limit(self):
        before = self.proxy.stat("cluster.up.ratelimit.over_limit")
        answer = self.ask("/over")
        self.assertEqual((429, "true", "free", "yes"), (answer.status, answer.header("x-envoy-ratelimited"), answer.header("x-plan"),
                                                        answer.header("x-told")))
        self.assertEqual(("5, 5;w=60", "0", "7"), tuple(answer.header(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset")))
        self.assertEqual(before + 1, self.proxy.stat("cluster.up.ratelimit.over_limit"))
        strict = fetch(self.proxy.address("strict"), "/over")
        self.assertEqual((503, None), (strict.status, strict.header("x-envoy-ratelimited")))
        self.assertEqual(0, self.upstream.count("/over"))

    def test_grpc_clients(self):
        answer = self.ask("/over", [("content-type", "application/grpc")], "POST")
        self.assertEqual((200, "14"), (answer.status, answer.header("grpc-status")))

    def test_errors(self):
        self.assertEqual(200, self.ask("/fails").status)
        self.assertEqual(500, fetch(self.proxy.address("strict"), "/fails").status)
        self.assertEqual(200, fetch(self.proxy.address("strict"), "/odd").status)  # an answer without a code is none against
        self.assertEqual(200, fetch(self.proxy.address("open"), "/ok").status)
        self.assertEqual(502, fetch(self.proxy.address("closed"), "/ok").status)
        self.assertGreaterEqual(self.proxy.stat("cluster.up.ratelimit.error"), 3)
        self.assertGreaterEqual(self.proxy.stat("cluster.up.ratelimit.failure_mode_allowed"), 2)

    def test_metadata(self):
        for name, plan in (("noted", "gold"), ("default", "basic"), ("skipped", None), ("of-route", "route's")):
            self.ask(f"/metadata/{name}")
            self.assertEqual([{"key": "generic_key", "value": "g"}, *([{"key": "plan", "value": plan}] if plan else [])],
                             self.asked()["descriptors"][0]["entries"], name)
        before = len(self.service.asked)
        self.assertEqual(200, self.ask("/metadata/number").status)  # no text, and so no descriptor
        self.assertEqual(before, len(self.service.asked))

    def test_a_limit_that_filters_note(self):
        self.ask("/limit")
        self.assertEqual({"requests_per_unit": 42, "unit": "HOUR"}, self.asked()["descriptors"][0]["limit"])

    @weft_only("Envoy leaves hits_addend of a route's own rate_limits out")
    def test_hits_of_a_routes_own_rules(self):
        self.ask("/counted")
        self.assertEqual("7", self.asked()["descriptors"][0]["hits_addend"])

    def test_hits_by_format_and_at_the_end(self):
        def last(count):
            found = [one["descriptors"][0] for one in self.service.asked if one["descriptors"][0]["entries"][0]["value"] == "last"]
            return len(found) >= count and found[-1]
        answer = self.ask("/hits", [("x-hits", "9")])
        wait_for(lambda: last(1), "a question at the end")
        now = [one["descriptors"][0] for one in self.service.asked if one["descriptors"][0]["entries"][0]["value"] == "now"]
        self.assertEqual([{"entries": [{"key": "generic_key", "value": "now"}], "hits_addend": "9"}], now)
        self.assertEqual(str(len(answer.body)), last(1)["hits_addend"])
        self.assertEqual(200, self.ask("/hits").status)  # no number, and so no question but the last
        wait_for(lambda: last(2), "another question at the end")
        self.assertEqual(1, sum(one["descriptors"][0]["entries"][0]["value"] == "now" for one in self.service.asked))

    def test_descriptors(self):
        self.ask("/masked", [("x-user", "ann")])
        self.assertEqual([{"entries": [{"key": "masked_remote_address", "value": "127.0.0.0/16"}, {"key": "user", "value": "ann"}]}],
                         self.asked()["descriptors"])
        self.ask("/own")
        self.assertEqual(("own", ["ok", "of-the-host"]), (self.asked()["domain"], [one["entries"][0]["value"]
                                                                                 for one in self.asked()["descriptors"]]))
        self.ask("/free")
        self.assertEqual("of-the-host", self.asked()["descriptors"][0]["entries"][0]["value"])


if __name__ == "__main__":
    unittest.main()
