"""Statistics of a cluster by whom requests come from and of canaries; lines of attempts that lost; tunnels in the log; connections that
grow too old; hosts that a retry leaves out; scopes and the filter on_demand."""
import threading
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, listener, router, routes, route, socket_address
from meshtest.data_plane import data_plane_kind, validate, weft_only
from meshtest.filters import FilterTest, named
from meshtest.raw_http import Connection
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
PREDICATES = "type.googleapis.com/envoy.extensions.retry.host"


def stdout(text):
    return [{"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": text + "\n"}}}}]


def router_with(**fields):
    made = router()
    made["typed_config"].update(fields)
    return made


def hosts(name, *entries):
    """A cluster of (address, what metadata envoy.lb says)."""
    return {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": {"cluster_name": name, "endpoints": [{
        "lb_endpoints": [{"endpoint": {"address": socket_address(address)}, "metadata": {"filter_metadata": {"envoy.lb": said}}}
                         for address, said in entries]}]}}


class Sides(FilterTest):
    @classmethod
    def setUpClass(cls):
        cls.other = Upstream()
        cls.addClassCleanup(cls.other.close)
        upgrades = [{"upgrade_type": "websocket"}]
        retry = {"retry_on": "5xx", "num_retries": 1, "host_selection_retry_max_attempts": 30, "retry_back_off": {"base_interval": "0.001s"}}

        def without(kind, message, **fields):
            return {"retry_policy": {**retry, "retry_host_predicate": [
                {"name": kind, "typed_config": {"@type": f"{PREDICATES}.{kind}.v3.{message}", **fields}}]}}
        internal = {"use_remote_address": True, "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}}
        upstream = Upstream()
        cls.addClassCleanup(upstream.close)
        cls.canary = upstream
        cls.start([
            listener(hcm(routes(route("/canary", "canary"), route("/empty", "empty"), route("/", "up")), **internal)),
            listener(hcm(routes(route("/", "up")), upgrade_configs=upgrades, access_log=stdout("TUNNEL %REQ(:PATH)% %ACCESS_LOG_TYPE% %RESPONSE_CODE%"),
                         access_log_options={"flush_log_on_tunnel_successfully_established": True}), name="tunnels"),
            listener(hcm(routes(route("/", "up")), common_http_protocol_options={"max_connection_duration": "0.2s",
                                                                                "max_connection_duration_jitter": {"value": 10}},
                         drain_timeout="0.1s", drain_timeout_jitter={"value": 50}, http1_safe_max_connection_duration=True,
                         stat_prefix="old"), name="old"),
            listener({**hcm(routes(route("/", "up", action={
                "hedge_policy": {"hedge_on_per_try_timeout": True},
                "retry_policy": {"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.15s", "retry_back_off": {"base_interval": "0.001s"}}}))),
                "typed_config": {**hcm(routes(route("/", "up", action={
                    "hedge_policy": {"hedge_on_per_try_timeout": True},
                    "retry_policy": {"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.15s",
                                     "retry_back_off": {"base_interval": "0.001s"}}})))["typed_config"],
                    "http_filters": [router_with(upstream_log=stdout("TRY %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%"))]}}, name="hedging"),
            listener(hcm(routes(route("/canaries", "mixed", action=without("omit_canary_hosts", "OmitCanaryHostsPredicate")),
                                route("/labels", "mixed", action=without("omit_host_metadata", "OmitHostMetadataConfig", metadata_match={
                                    "filter_metadata": {"envoy.lb": {"stage": "new"}}})))), name="retries"),
        ], [hosts("canary", (upstream.address, {"canary": True})), cluster("empty"),
            hosts("mixed", (upstream.address, {"canary": True, "stage": "new", "weight": 2}), (cls.other.address, {"stage": "old"}))],
            flags=("--file-flush-interval-msec", "50") if data_plane_kind() == "envoy" else ())

    def by_side(self, side, name="up"):
        return [self.proxy.stat(f"cluster.{name}.{side}upstream_rq_{code}") for code in ("200", "2xx", "404", "4xx", "completed")]

    def test_by_whom_requests_come_from(self):
        self.upstream.on("/sides/none", Reply(404))
        before = {side: self.by_side(side) for side in ("internal.", "external.", "canary.")}
        self.ask("/sides")
        self.ask("/sides/none")
        self.ask("/sides", [("x-forwarded-for", "9.9.9.9")])
        self.upstream.on("/sides/says", Reply(200, (("x-envoy-upstream-canary", "true"),)))
        self.ask("/sides/says")

        def gained(side):
            return [now - old for now, old in zip(self.by_side(side), before[side])]
        wait_for(lambda: gained("canary.") == [1, 1, 0, 0, 1], "the answer that calls itself a canary's")
        self.assertEqual([2, 2, 1, 1, 3], gained("internal."))
        self.assertEqual([1, 1, 0, 0, 1], gained("external."))

    def test_hosts_that_are_canaries(self):
        self.ask("/canary")
        wait_for(lambda: self.proxy.stat("cluster.canary.canary.upstream_rq_200") >= 1, "the canary's answer")
        self.assertEqual(1, self.proxy.stat("cluster.canary.internal.upstream_rq_200"))

    def test_answers_of_our_own_count_by_side(self):
        before = self.proxy.stat("cluster.empty.external.upstream_rq_503")
        self.ask("/empty", [("x-forwarded-for", "9.9.9.9")])
        self.assertEqual(before, self.proxy.stat("cluster.empty.external.upstream_rq_503") - 1)

    def lines(self, begin):
        return [line for line in self.proxy.program.output().splitlines() if line.startswith(begin)]

    def test_tunnels_are_logged_when_they_open(self):
        self.upstream.on("/opens", Reply(raw=SWITCHED))
        with Connection(self.proxy.address("tunnels")) as client:
            client.send(b"GET /opens HTTP/1.1\r\nhost: main.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
            self.assertEqual(101, client.read_head().status)
            wait_for(lambda: self.lines("TUNNEL /opens"), "the line of the open tunnel")
            self.assertEqual(["TUNNEL /opens DownstreamTunnelSuccessfullyEstablished 101"], self.lines("TUNNEL /opens"))
        wait_for(lambda: len(self.lines("TUNNEL /opens")) == 2, "the line of its end")
        self.ask("/plain", name="tunnels")
        wait_for(lambda: self.lines("TUNNEL /plain"), "the plain request's line")
        self.assertEqual(["TUNNEL /plain DownstreamEnd 200"], self.lines("TUNNEL /plain"))

    def test_an_old_connection_says_so_before_it_closes(self):
        before = self.proxy.stat("http.old.downstream_cx_max_duration_reached")
        with Connection(self.proxy.address("old")) as client:
            self.assertIsNone(client.request("GET", "/first").header("connection"))
            wait_for(lambda: self.proxy.stat("http.old.downstream_cx_max_duration_reached") > before, "its age")
            with Connection(self.proxy.address("old")) as younger:  # longer than the drain's timeout, by another one's age
                younger.request("GET", "/first")
                wait_for(lambda: self.proxy.stat("http.old.downstream_cx_max_duration_reached") > before + 1, "the younger one's age")
            answer = client.request("GET", "/second")
            self.assertEqual((200, "close"), (answer.status, answer.header("connection")))
            self.assertTrue(client.is_closed())

    def test_attempts_that_lost_are_logged(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.upstream.on("/lost", Reply(hold=gate), Reply(body=b"second"))
        self.assertEqual(b"second", self.ask("/lost", name="hedging").body)
        wait_for(lambda: len(self.lines("TRY /lost")) == 2, "both lines")
        self.assertEqual(["TRY /lost 0 UT", "TRY /lost 200 -"], sorted(self.lines("TRY /lost")))

    def test_answers_that_lost_are_logged(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.upstream.on("/worse", Reply(hold=gate, body=b"first"), Reply(503))
        answers = []
        client = threading.Thread(target=lambda: answers.append(self.ask("/worse", name="hedging")))
        client.start()
        wait_for(lambda: self.lines("TRY /worse 503"), "the answer that was let go")
        gate.set()
        client.join(10)
        self.assertEqual([b"first"], [answer.body for answer in answers])
        wait_for(lambda: len(self.lines("TRY /worse")) == 2, "both lines")
        self.assertEqual(["TRY /worse 200 UT", "TRY /worse 503 -"], sorted(self.lines("TRY /worse")))

    def retried(self, path):
        """Where retries of requests that the new host failed went, and how many of them there were."""
        self.canary.on(path, *[Reply(503)] * 60)
        answers = [self.ask(path, name="retries").status for _ in range(20)]
        self.assertEqual({200}, set(answers))
        return self.canary.count(path), self.other.count(path)

    def test_a_retry_leaves_canaries_out(self):
        canary, other = self.retried("/canaries")
        self.assertEqual(20, other)
        self.assertGreater(canary, 0)

    def test_a_retry_leaves_labels_out(self):
        labelled, other = self.retried("/labels")
        self.assertEqual(20, other)
        self.assertGreater(labelled, 0)


@weft_only("Envoy ends where a scope of a list is on_demand and a request is for another")
class OnDemand(FilterTest):
    @classmethod
    def setUpClass(cls):
        scope = {"name": "green", "on_demand": True, "key": {"fragments": [{"string_key": "green"}]},
                 "route_configuration": routes(route("/", "up"))}
        scoped = {"name": "s", "scope_key_builder": {"fragments": [{"header_value_extractor": {"name": "x-key", "index": 0}}]},
                  "scoped_route_configurations_list": {"scoped_route_configurations": [scope]}}
        cls.start([listener(hcm(None, [named("on_demand", "on_demand.v3.OnDemand")], scoped_routes=scoped))])

    def test_the_scope_is_found(self):
        self.assertEqual(200, self.ask("/", [("x-key", "green")]).status)
        self.assertEqual(404, self.ask("/", [("x-key", "blue")]).status)


class ForwardProto(FilterTest):
    """forward_proto_config: by the port that a PROXY header names."""

    @classmethod
    def setUpClass(cls):
        ports = {"https_destination_ports": [443, 8080], "http_destination_ports": [80, 8080]}
        proxied = [{"name": "envoy.filters.listener.proxy_protocol", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"}}]
        cls.start([listener(hcm(routes(route("/", "up")), use_remote_address=True, forward_proto_config=ports), listener_filters=proxied),
                   listener(hcm(routes(route("/", "up")), use_remote_address=True, forward_proto_config={
                       "https_destination_ports": list(range(1024, 65536))}), name="direct")])

    def told(self, port, *headers):
        with Connection(self.proxy.address()) as client:
            client.send(f"PROXY TCP4 1.2.3.4 5.6.7.8 1000 {port}\r\n".encode())
            return self.sent(client.request("GET", "/", headers), "x-forwarded-proto")

    def test_by_the_port_of_a_proxy_header(self):
        for port, scheme in ((443, "https"), (80, "http"), (8080, "https"), (81, "http")):
            self.assertEqual([scheme], self.told(port), port)
            self.assertEqual([scheme], self.told(port, ("x-forwarded-proto", "https")), port)

    def test_the_sockets_own_port_says_nothing(self):
        self.assertEqual(["http"], self.sent(self.ask("/", name="direct"), "x-forwarded-proto"))


class Refusals(unittest.TestCase):
    def test_a_field_may_not_be_larger_than_all(self):
        code, said = validate(bootstrap([listener(hcm(routes(), http2_protocol_options={"max_header_field_size_kb": 100}))]))
        self.assertNotEqual(0, code)
        self.assertIn("must not exceed max_request_headers_kb", said)

    def test_a_chain_for_upgrades_ends_with_the_router(self):
        code, _ = validate(bootstrap([listener(hcm(routes(), upgrade_configs=[
            {"upgrade_type": "websocket", "filters": [named("grpc_web", "grpc_web.v3.GrpcWeb")]}]))]))
        self.assertNotEqual(0, code)


if __name__ == "__main__":
    unittest.main()
