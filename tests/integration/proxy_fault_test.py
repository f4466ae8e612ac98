"""The fault filter whole: aborts and delays as configured, as the request's own headers ask and as the runtime says; slow answers."""
import time
import unittest

from meshtest.bootstrap import hcm, listener, route, routes
from meshtest.filters import FilterTest, named, told
from meshtest.h2peer import Http2Client
from meshtest.raw_http import Connection, message
from meshtest.upstream import Reply

ALL = {"numerator": 100}
GRPC = ("content-type", "application/grpc")


def fault(**fields):
    return told("fault", "fault.v3.HTTPFault", **fields)


class Fault(FilterTest):
    @classmethod
    def setUpClass(cls):
        table = routes(
            route("/grpc", "up", **fault(abort={"grpc_status": 5, "percentage": ALL})),
            route("/asks", "up", **fault(abort={"header_abort": {}, "percentage": ALL}, delay={"header_delay": {}, "percentage": ALL},
                                         response_rate_limit={"header_limit": {}, "percentage": ALL})),
            route("/node", "up", **fault(abort={"http_status": 503, "percentage": ALL}, downstream_nodes=["here"])),
            route("/key", "up", **fault(abort={"http_status": 503, "percentage": ALL}, abort_percent_runtime="my.share",
                                        abort_http_status_runtime="my.status")),
            route("/slow", "up", **fault(response_rate_limit={"fixed_limit": {"limit_kbps": 64}, "percentage": ALL})),
            route("/noted/abort", "up", **fault(abort={"http_status": 503, "percentage": ALL}, filter_metadata={"kind": "abort", "n": 1})),
            route("/noted/delay", "up", **fault(delay={"fixed_delay": "0.01s", "percentage": ALL}, filter_metadata={"kind": "delay"})),
            route("/noted/never", "up", **fault(abort={"http_status": 503}, filter_metadata={"kind": "never"})),
            route("/", "up"), response_headers_to_add=[{"header": {"key": "x-noted", "value": "%DYNAMIC_METADATA(envoy.filters.http.fault)%"}}])
        cls.start([listener(hcm(table, [named("fault", "fault.v3.HTTPFault")]))],
                  layered_runtime={"layers": [{"name": "static", "static_layer": {"my.share": 100, "my.status": 418}},
                                              {"name": "admin", "admin_layer": {}}]})

    def test_a_grpc_status(self):
        plain = self.ask("/grpc")
        self.assertEqual((200, b"fault filter abort", None), (plain.status, plain.body, plain.header("grpc-status")))
        with Http2Client(self.proxy.address()) as client:
            answer = dict(client.request("POST", "/grpc", [GRPC]).headers)
            self.assertEqual("5", answer["grpc-status"])

    def test_what_it_notes(self):
        self.assertEqual('{"kind":"abort","n":1}', self.ask("/noted/abort").header("x-noted"))
        self.assertEqual('{"kind":"delay"}', self.ask("/noted/delay").header("x-noted"))
        self.assertIsNone(self.ask("/noted/never").header("x-noted"))

    def test_as_the_request_asks(self):
        self.assertEqual(200, self.ask("/asks").status)
        self.assertEqual(418, self.ask("/asks", [("x-envoy-fault-abort-request", "418")]).status)
        for nonsense in ("199", "600", "x", ""):
            self.assertEqual(200, self.ask("/asks", [("x-envoy-fault-abort-request", nonsense)]).status, nonsense)
        self.assertEqual(200, self.ask("/asks", [("x-envoy-fault-abort-request", "418"),
                                                 ("x-envoy-fault-abort-request-percentage", "0")]).status)
        began = time.monotonic()
        self.assertEqual(200, self.ask("/asks", [("x-envoy-fault-delay-request", "200")]).status)
        self.assertGreaterEqual(time.monotonic() - began, 0.19)

    def test_only_from_a_node(self):
        self.assertEqual(200, self.ask("/node").status)
        self.assertEqual(503, self.ask("/node", [("x-envoy-downstream-service-node", "here")]).status)

    def test_keys_are_followed_at_run_time(self):
        self.assertEqual(418, self.ask("/key").status)
        self.addCleanup(self.proxy.admin, "/runtime_modify?my.share=&my.status=", "POST")
        self.proxy.admin("/runtime_modify?my.status=499", "POST")
        self.assertEqual(499, self.ask("/key").status)
        self.proxy.admin("/runtime_modify?my.share=0", "POST")
        self.assertEqual(200, self.ask("/key").status)

    def test_of_a_downstream_cluster(self):
        before = self.proxy.stat("http.main.fault.shop.aborts_injected")
        self.assertEqual(503, self.ask("/node", [("x-envoy-downstream-service-node", "here"),
                                                 ("x-envoy-downstream-service-cluster", "shop")]).status)
        self.assertEqual(before + 1, self.proxy.stat("http.main.fault.shop.aborts_injected"))

    def test_slow_answers(self):
        body = bytes(range(256)) * 128  # 32 KiB: about half a second
        self.upstream.on("/slow/body", Reply(body=body))
        before = self.proxy.stat("http.main.fault.response_rl_injected")
        began = time.monotonic()
        answer = self.ask("/slow/body")
        self.assertEqual((200, body), (answer.status, answer.body))
        self.assertGreater(time.monotonic() - began, 0.3)
        self.assertEqual(before + 1, self.proxy.stat("http.main.fault.response_rl_injected"))
        self.assertEqual(0, self.proxy.stat("http.main.fault.active_faults"))
        fast = self.ask("/asks/body", [("x-envoy-fault-throughput-response", "1000000")])
        self.assertEqual(200, fast.status)

    def test_slow_answers_over_http2_and_with_chunks(self):
        body = bytes(range(256)) * 64
        self.upstream.on("/slow/chunks", Reply(chunks=(body[:5000], body[5000:])), Reply(chunks=(body[:5000], body[5000:])))
        self.assertEqual(body, self.ask("/slow/chunks").body)
        with Http2Client(self.proxy.address()) as client:
            self.assertEqual(body, client.request("GET", "/slow/chunks").body)

    def test_a_client_that_leaves_ends_the_pace(self):
        self.upstream.on("/slow/long", Reply(body=b"x" * 2_000_000))
        with Connection(self.proxy.address()) as client:
            client.send(message("GET", "/slow/long"))
            client.read_head()
            client.abort()
        self.proxy.wait_stat("http.main.downstream_rq_rx_reset", 1)
        self.assertEqual(200, self.ask("/").status)


if __name__ == "__main__":
    unittest.main()
