"""When upstreams are slow, wrong or gone: timeouts, retries, circuit breakers, outlier ejection, faults, balancing."""
import collections
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, load_assignment, route, routes
from meshtest.data_plane import DataPlane
from meshtest.raw_http import Connection, fetch, message
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import wait_for

FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
BACK_OFF = {"base_interval": "0.005s", "max_interval": "0.01s"}
PREVIOUS_HOSTS = [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}]

PREVIOUS_PRIORITIES = {"name": "envoy.retry_priorities.previous_priorities", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    "update_frequency": 2}}


def fault(**fields):
    return {"name": "envoy.filters.http.fault", "typed_config": {"@type": FAULT, **fields}}


def retry(retry_on, count=1, **fields):
    return {"retry_policy": {"retry_on": retry_on, "num_retries": count, "retry_back_off": BACK_OFF, **fields}}


class Resilience(unittest.TestCase):
    """Three upstreams behind clusters of each kind, on one worker so that counts are exact."""

    @classmethod
    def setUpClass(cls):
        cls.a, cls.b, cls.c = cls.upstreams = [Upstream(name) for name in "abc"]
        dead, keeper = refused_address()
        for thing in (*cls.upstreams, keeper):
            cls.addClassCleanup(thing.close)
        addresses = [upstream.address for upstream in cls.upstreams]
        limits = {"circuit_breakers": {"thresholds": [{"max_connections": 2, "max_pending_requests": 1, "max_requests": 100,
                                                       "max_retries": 1,
                                                       "track_remaining": True}]}}
        ejection = {"interval": "0.2s", "base_ejection_time": "0.5s", "max_ejection_percent": 100, "enforcing_consecutive_5xx": 0,
                    "enforcing_consecutive_gateway_failure": 0, "enforcing_success_rate": 0}
        clusters = [
            cluster("a", cls.a.address), cluster("dead", dead), cluster("half-dead", dead, cls.a.address),
            cluster("robin", *addresses, lb_policy="ROUND_ROBIN"), cluster("random", *addresses, lb_policy="RANDOM"),
            cluster("least", *addresses, lb_policy="LEAST_REQUEST"),
            cluster("weighted", load_assignment=load_assignment("weighted", *addresses, weights=[1, 2, 3])),
            cluster("twice", cls.a.address, cls.b.address, cls.a.address), cluster("limited", cls.a.address, **limits),
            cluster("levels", load_assignment={"cluster_name": "levels", "endpoints": [
                {"priority": level, **load_assignment("", address)["endpoints"][0]} for level, address in enumerate(addresses)]}),
            cluster("one-request", cls.a.address, circuit_breakers={"thresholds": [{"max_requests": 1}]}),
            cluster("none-high", cls.a.address, circuit_breakers={"thresholds": [{"priority": "HIGH", "max_pending_requests": 0}]}),
            cluster("eject-5xx", *addresses, outlier_detection={**ejection, "consecutive_5xx": 3, "enforcing_consecutive_5xx": 100}),
            cluster("eject-gateway", *addresses, outlier_detection={
                **ejection, "consecutive_gateway_failure": 3, "enforcing_consecutive_gateway_failure": 100}),
            cluster("eject-local", dead, cls.b.address, outlier_detection={
                **ejection, "split_external_local_origin_errors": True, "consecutive_local_origin_failure": 2,
                "enforcing_consecutive_local_origin_failure": 100}),
            cluster("eject-half", *addresses, outlier_detection={
                **ejection, "consecutive_5xx": 1, "enforcing_consecutive_5xx": 100, "max_ejection_percent": 34,
                "base_ejection_time": "30s"}),
            cluster("few-per-connection", cls.a.address, typed_extension_protocol_options={
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "common_http_protocol_options": {"max_requests_per_connection": 3, "idle_timeout": "60s"},
                    "explicit_http_config": {"http_protocol_options": {}}}}),
        ]
        named = ("a", "dead", "robin", "random", "least", "weighted", "twice", "limited", "one-request", "eject-5xx", "eject-gateway",
                 "eject-local", "eject-half", "few-per-connection")
        table = [
            route("/timeout", "a", action={"timeout": "0.2s"}),
            route("/per-try", "a", action={"timeout": "10s", **retry("5xx", 2, per_try_timeout="0.2s")}),
            route("/per-idle", "a", action={"timeout": "10s", **retry("5xx", 1, per_try_idle_timeout="0.2s")}),
            route("/retry-5xx", "a", action=retry("5xx", 2)),
            route("/retry-reset", "a", action=retry("reset", 1)),
            route("/retry-connect", "half-dead", action=retry(
                "connect-failure,refused-stream,unavailable,cancelled", 3, retry_host_predicate=PREVIOUS_HOSTS,
                host_selection_retry_max_attempts=5)),
            route("/retry-levels", "levels", action=retry("5xx", 5, retry_priority=PREVIOUS_PRIORITIES)),
            route("/retry-limited", "limited", action=retry("5xx", 5)),
            route("/none-high/high", "none-high", action={"priority": "HIGH"}),
            route("/none-high/default", "none-high"),
            route("/split", action={"weighted_clusters": {"clusters": [
                {"name": "a", "weight": 75}, {"name": "b-alone", "weight": 25}]}}),
            *[route(f"/{name}/", name) for name in named]]
        clusters.append(cluster("b-alone", cls.b.address))
        percent = {"numerator": 30, "denominator": "HUNDRED"}
        cls.proxy = DataPlane(bootstrap([
            listener(hcm(routes(*table, include_is_timeout_retry_header=True))),
            listener(hcm(routes(route("/", "a")), [fault(abort={"http_status": 418, "percentage": percent})]), name="faulty"),
            listener(hcm(routes(route("/", "a")), [fault(delay={"fixed_delay": "0.3s", "percentage": {"numerator": 100}},
                                                         headers=[{"name": "x-slow", "present_match": True}])]), name="slow"),
        ], clusters))
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        for upstream in self.upstreams:
            upstream.forget()

    def get(self, path, headers=()):
        return fetch(self.proxy.address(), path, headers=headers)

    def counts(self, path, times):
        """Which upstream answered how often."""
        with Connection(self.proxy.address()) as connection:
            answers = [connection.request("GET", path) for _ in range(times)]
        return collections.Counter(answer.json()["upstream"] if answer.status == 200 else answer.status for answer in answers)

    # -- timeouts

    def test_route_timeout(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.a.on("/timeout", Reply(hold=release))
        answer = self.get("/timeout")
        self.assertEqual((504, "upstream request timeout"), (answer.status, answer.text))
        self.assertGreaterEqual(self.proxy.stat("cluster.a.upstream_rq_timeout"), 1)

    def test_timeout_after_the_answer_began(self):
        release = threading.Event()
        self.addCleanup(release.set)

        def begin(_):
            return Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        self.a.on("/timeout/body", begin)
        with Connection(self.proxy.address()) as connection:
            connection.send(message("GET", "/timeout/body"))
            self.assertEqual(200, connection.read_head().status)
            self.assertEqual(b"half", connection.reader.exactly(4))
            self.assertTrue(connection.is_closed(5), "cut, since the answer can be no error any more")

    def test_per_try_timeout_then_success(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.a.on("/per-try", Reply(hold=release), Reply(body=b"second"))
        self.assertEqual(b"second", self.get("/per-try").body)
        self.assertGreaterEqual(self.proxy.stat("cluster.a.upstream_rq_per_try_timeout"), 1)

    def test_per_try_idle_timeout(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.a.on("/per-idle", Reply(hold=release), Reply(body=b"second"))
        self.assertEqual(b"second", self.get("/per-idle").body)
        first, second = self.a.requests("/per-idle", complete=False)
        self.assertEqual((None, "true"), (first.header("x-envoy-is-timeout-retry"), second.header("x-envoy-is-timeout-retry")))
        self.a.on("/per-idle/body", Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"))
        with Connection(self.proxy.address()) as connection:
            connection.send(message("GET", "/per-idle/body"))
            self.assertEqual(200, connection.read_head().status)
            self.assertEqual(b"half", connection.reader.exactly(4))
            self.assertTrue(connection.is_closed(5), "cut when it moves no more")
        self.assertEqual(2, self.proxy.stat("cluster.a.upstream_rq_per_try_idle_timeout"))

    # -- retries

    def test_retry_until_success(self):
        self.a.on("/retry-5xx", Reply(503), Reply(502), Reply(200, body=b"third"))
        self.assertEqual(b"third", self.get("/retry-5xx").body)
        self.assertEqual(3, self.a.count("/retry-5xx"))

    def test_retry_replays_the_body(self):
        body = b"0123456789" * 5000
        for name, payload in (("length", body), ("chunks", [body[:20000], body[20000:]])):
            path = f"/retry-5xx/{name}"
            self.a.on(path, Reply(503), Reply(503), None)
            answer = fetch(self.proxy.address(), path, "POST", body=payload)
            self.assertEqual(body.decode(), answer.json()["body"])

    def test_body_too_large_to_replay_is_not_retried(self):
        body = b"x" * (3 << 20)
        self.a.on("/retry-5xx/huge", Reply(503, body=b"no"), Reply(200))
        answer = fetch(self.proxy.address(), "/retry-5xx/huge", "POST", body=body)
        self.assertEqual(503, answer.status)

    def test_retry_on_reset(self):
        self.a.on("/retry-reset", Reply(reset=True), Reply(body=b"second"))
        self.assertEqual(b"second", self.get("/retry-reset").body)

    def test_retry_goes_to_another_host(self):
        with Connection(self.proxy.address()) as connection:
            self.assertEqual({200}, {connection.request("GET", "/retry-connect").status for _ in range(30)})

    def test_retries_leave_out_the_priorities_that_were_tried(self):
        for upstream in self.upstreams:
            upstream.on("/retry-levels", Reply(503))
        self.assertEqual(503, self.get("/retry-levels").status)
        self.assertEqual([2, 2, 2], [upstream.count("/retry-levels") for upstream in self.upstreams])

    def test_retries_have_a_budget(self):
        """max_retries 1: of many failing at once, few are retried."""
        release = threading.Event()
        self.a.on("/retry-limited", Reply(503))
        before = self.proxy.stat("cluster.limited.upstream_rq_retry_overflow")
        threads = [threading.Thread(target=self.get, args=("/retry-limited",)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        release.set()
        self.assertLess(self.a.count("/retry-limited"), 12 * 6)
        self.assertGreaterEqual(self.proxy.stat("cluster.limited.upstream_rq_retry_overflow"), before)

    # -- limits

    def test_overflow_of_requests(self):
        release = threading.Event()
        self.a.on("/one-request/held", Reply(hold=release, body=b"done"))
        with Connection(self.proxy.address()) as held:
            held.send(message("GET", "/one-request/held"))
            wait_for(lambda: self.a.count("/one-request/held"), "the first request at the upstream")
            refused = self.get("/one-request/other")
            self.assertEqual(503, refused.status)
            self.assertEqual("true", refused.header("x-envoy-overloaded"))
            self.assertIn("overflow", refused.text)
            release.set()
            self.assertEqual(200, held.read_response().status)
        self.assertEqual(200, self.get("/one-request/other").status)
        self.assertEqual(1, self.proxy.stat("cluster.one-request.upstream_rq_active_overflow"))

    def test_each_priority_has_limits_and_connections_of_its_own(self):
        self.assertEqual(200, self.get("/none-high/default").status)  # leaves a connection that is free
        refused = self.get("/none-high/high")
        self.assertEqual(503, refused.status)
        self.assertIn("overflow", refused.text)
        self.assertEqual(1, self.proxy.stat("cluster.none-high.upstream_rq_pending_overflow"))

    def test_what_remains_of_the_limits_is_told(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.a.on("/limited/kept", Reply(hold=release))

        def remaining():
            return {name: self.proxy.stat(f"cluster.limited.circuit_breakers.default.remaining_{name}")
                    for name in ("rq", "pending", "retries")}
        wait_for(lambda: remaining() == {"rq": 100, "pending": 1, "retries": 1}, "nothing in use")
        with Connection(self.proxy.address()) as connection:
            connection.send(message("GET", "/limited/kept"))
            wait_for(lambda: remaining()["rq"] == 99, "one in use")
            self.assertNotIn("remaining", self.proxy.admin("/stats?filter=cluster.a.circuit_breakers").text)
            release.set()
            connection.read_response()
        wait_for(lambda: remaining()["rq"] == 100, "given back")

    def test_overflow_of_connections_and_waiting_requests(self):
        release = threading.Event()
        self.a.on("/limited/held", Reply(hold=release, body=b"done"))
        connections = [Connection(self.proxy.address()) for _ in range(6)]
        for connection in connections:
            self.addCleanup(connection.close)
        for count, connection in enumerate(connections[:2], 1):
            connection.send(message("GET", "/limited/held"))
            wait_for(lambda: self.a.count("/limited/held") == count, f"{count} connections in use")
        for connection in connections[2:]:
            connection.send(message("GET", "/limited/held"))
        wait_for(lambda: self.proxy.stat("cluster.limited.upstream_rq_pending_overflow") >= 3, "three refused")
        release.set()
        statuses = sorted(connection.read_response().status for connection in connections)
        self.assertEqual([200, 200, 200, 503, 503, 503], statuses)

    def test_requests_per_upstream_connection(self):
        self.counts("/few-per-connection/", 9)
        used = collections.Counter(seen.connection for seen in self.a.requests("/few-per-connection/"))
        self.assertEqual([3, 3, 3], sorted(used.values()))

    # -- outlier ejection

    def fail_on_c(self, path, status):
        self.c.on(path, Reply(status))

    def ejected(self, name):
        return self.proxy.stat(f"cluster.{name}.outlier_detection.ejections_active")

    def test_ejection_and_return(self):
        for name, status in (("eject-5xx", 500), ("eject-gateway", 503)):
            with self.subTest(name):
                path = f"/{name}/x"
                self.c.on(path, Reply(status))
                wait_for(lambda: self.get(path).status and self.ejected(name) == 1, "c ejected")
                self.assertEqual({"a", "b"}, set(self.counts(path, 20)))
                self.c.on(path)
                wait_for(lambda: "c" in self.counts(path, 6), "c back")
                self.assertEqual(0, self.ejected(name))

    def test_gateway_ejection_ignores_500(self):
        self.c.on("/eject-gateway/500", Reply(500))
        self.assertEqual({"a", "b", 500}, set(self.counts("/eject-gateway/500", 30)))
        self.assertEqual(0, self.ejected("eject-gateway"))

    def test_ejection_for_refused_connections(self):
        wait_for(lambda: self.get("/eject-local/x").status and self.ejected("eject-local") == 1, "the dead one ejected")
        self.assertEqual({"b"}, set(self.counts("/eject-local/x", 5)))

    def test_not_more_than_the_share_is_ejected(self):
        for upstream in self.upstreams:
            upstream.on("/eject-half/x", Reply(500))
        self.counts("/eject-half/x", 30)
        self.assertEqual(1, self.ejected("eject-half"))

    # -- balancing

    def test_round_robin_is_even(self):
        self.assertEqual({"a": 10, "b": 10, "c": 10}, self.counts("/robin/", 30))

    def test_weights_of_endpoints(self):
        self.assertEqual({"a": 10, "b": 20, "c": 30}, self.counts("/weighted/", 60))

    def test_an_address_that_a_static_cluster_lists_twice(self):
        self.assertEqual({"a": 20, "b": 10}, self.counts("/twice/", 30))
        self.assertEqual(3, self.proxy.stat("cluster.twice.membership_total"))

    def test_random_and_least_request_reach_all(self):
        for name in ("random", "least"):
            self.assertEqual({"a", "b", "c"}, set(self.counts(f"/{name}/", 200)))

    def test_least_request_avoids_the_busy(self):
        release = threading.Event()
        self.addCleanup(release.set)
        busy, *others = self.upstreams
        busy.on("/least/held", Reply(hold=release))
        for upstream in others:
            upstream.on("/least/held", Reply())
        for sent in range(180):
            connection = Connection(self.proxy.address())
            self.addCleanup(connection.close)
            connection.send(message("GET", "/least/held"))
            wait_for(lambda: sum(upstream.count("/least/held") for upstream in self.upstreams) > sent, "the request")
        # Two random choices both fall on the busy one in a ninth of all cases; without a look at the load it gets a third.
        self.assertLess(busy.count("/least/held"), 40)

    def test_split_by_weight(self):
        counts = self.counts("/split", 400)
        self.assertAlmostEqual(300, counts["a"], delta=60)
        self.assertEqual(400, counts["a"] + counts["b"])

    # -- faults

    def test_abort_for_a_share(self):
        with Connection(self.proxy.address("faulty")) as connection:
            statuses = collections.Counter(connection.request("GET", "/fault").status for _ in range(400))
        self.assertEqual({200, 418}, set(statuses))
        self.assertAlmostEqual(120, statuses[418], delta=50)

    def test_delay_holds_the_request_back(self):
        with Connection(self.proxy.address("slow")) as connection:
            connection.send(message("GET", "/delayed", [("x-slow", "1")]))
            self.assertEqual(200, fetch(self.proxy.address("slow"), "/not-delayed").status)
            self.assertEqual(0, self.a.count("/delayed"), "still held while another request went through")
            self.assertEqual(200, connection.read_response().status)

    def test_dead_upstream(self):
        answer = self.get("/dead/x")
        self.assertEqual(503, answer.status)
        self.assertIn("upstream connect error or disconnect/reset before headers", answer.text)
        self.assertGreaterEqual(self.proxy.stat("cluster.dead.upstream_cx_connect_fail"), 1)


if __name__ == "__main__":
    unittest.main()
