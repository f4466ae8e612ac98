"""Our control plane steers the data plane: canary split, header match, faults, retries, timeouts, ejection, endpoint churn, restart.

The same bodies run with weft-proxy (./dev test) and with a real Envoy (./dev interop): WEFT_DATA_PLANE chooses. Where the customer has a
file for it, the file is used as it is.
"""
import os
import threading
import unittest

from meshtest.data_plane import ROOT
from meshtest.mesh import PORT, Mesh, assert_all_ok
from meshtest.raw_http import Connection, fetch, message
from meshtest.upstream import Reply
from meshtest.wait import holds_for, wait_for

SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %(host)s-subsets}
spec:
  host: %(host)s
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""


def customer(name):
    with open(os.path.join(ROOT, "config", "customer", name), encoding="utf-8") as file:
        return file.read()


def virtual_service(host, http, name=None):
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name or f"{host}-routes"},
            "spec": {"hosts": [host], "http": http}}


def split(host, v1, v2):
    return virtual_service(host, [{"route": [{"destination": {"host": host, "subset": "v1"}, "weight": v1},
                                             {"destination": {"host": host, "subset": "v2"}, "weight": v2}]}])


class Traffic(unittest.TestCase):
    """One mesh for all; each test has a service of its own."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        cls.mesh.service("hello", "v1")
        cls.client = cls.mesh.client()

    def setUp(self):
        self.write, self.service = self.mesh.control.write, self.mesh.service

    def call(self, host, path="/", headers=()):
        return self.mesh.call(self.client, host, path, headers)

    def wait_for_answer(self, host, wanted, path="/", headers=()):
        self.mesh.wait_for_answer(self.client, host, wanted, path, headers)

    def counts(self, host, times, path="/", headers=()):
        return self.mesh.counts(self.client, host, times, path, headers)

    def two_versions(self, host, **options):
        apps = self.service(host, "v1", "v2", **options)
        self.write(f"{host}-subsets.yaml", SUBSETS % {"host": host})
        return apps

    def test_names_of_a_service(self):
        for host in ("hello", "hello:8080", "hello.default", "hello.default.svc", "hello.default.svc.cluster.local"):
            with self.subTest(host):
                self.wait_for_answer(host, "hello-v1")

    def test_canary_of_the_customer(self):
        self.two_versions("user-service")
        self.write("canary.yaml", customer("canary.yaml"))
        self.wait_for_answer("user-service", "user-service-v2", headers=[("canary", "true")])
        counts = self.counts("user-service", 600)
        self.assertEqual({"user-service-v1", "user-service-v2"}, set(counts))
        self.assertAlmostEqual(30, counts["user-service-v2"], delta=25)
        self.assertEqual({"user-service-v2": 30}, self.counts("user-service", 30, headers=[("canary", "true")]))

    def test_ab_testing_of_the_customer(self):
        self.service("product-service", "premium", "standard", labels="tier")
        self.write("product-subsets.yaml", """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: product}
spec:
  host: product-service
  subsets:
  - {name: premium-features, labels: {tier: premium}}
  - {name: standard-features, labels: {tier: standard}}
""")
        self.write("ab-testing.yaml", customer("ab-testing.yaml"))
        self.wait_for_answer("product-service", "product-service-premium", headers=[("user-segment", "premium")])
        self.assertEqual({"product-service-premium": 20}, self.counts("product-service", 20, headers=[("user-segment", "premium")]))
        self.assertEqual({"product-service-standard": 20}, self.counts("product-service", 20, headers=[("user-segment", "standard")]))
        self.assertEqual({"product-service-standard": 20}, self.counts("product-service", 20))

    def test_shifting_weights_under_load(self):
        self.two_versions("shift")
        self.write("shift.yaml", split("shift", 100, 0))
        self.wait_for_answer("shift", "shift-v1")
        with self.mesh.load(self.client, "shift") as load:
            for share in (25, 50, 75, 100):
                self.write("shift.yaml", split("shift", 100 - share, share))
                wait_for(lambda: abs(self.counts("shift", 100)["shift-v2"] - share) <= 20, f"{share} % to v2")
            wait_for(lambda: self.counts("shift", 50) == {"shift-v2": 50}, "v2 alone")
        assert_all_ok(self, load)

    def test_subset_added_and_removed_under_load(self):
        """Make before break: a route that names a new subset never meets a missing cluster."""
        host = "subsets"
        self.service(host, "v1", "v2")
        self.wait_for_answer(host, "subsets-v1")
        with self.mesh.load(self.client, host) as load:
            for turn in range(5):
                self.write("subsets.yaml", SUBSETS % {"host": host}, split(host, 0, 100))
                wait_for(lambda: self.counts(host, 20) == {"subsets-v2": 20}, f"only v2, turn {turn}")
                self.mesh.control.remove("subsets.yaml")
                wait_for(lambda: len(self.counts(host, 20)) == 2, f"both again, turn {turn}")
        assert_all_ok(self, load)

    def test_matches(self):
        self.two_versions("matches")
        to = {version: [{"destination": {"host": "matches", "subset": version}}] for version in ("v1", "v2")}
        self.write("matches.yaml", virtual_service("matches", [
            {"match": [{"uri": {"exact": "/exact"}}, {"uri": {"regex": "/re/[0-9]+"}}, {"queryParams": {"version": {"exact": "2"}}},
                       {"headers": {"x-user": {"prefix": "admin"}}, "uri": {"prefix": "/both"}}, {"method": {"exact": "POST"}}],
                       "route": to["v2"]},
            {"route": to["v1"]}]))
        self.wait_for_answer("matches", "matches-v2", "/exact")
        self.wait_for_answer("matches", "matches-v2", "/re/12")
        self.wait_for_answer("matches", "matches-v2", "/?version=2")
        self.wait_for_answer("matches", "matches-v2", "/both/x", [("x-user", "admin-1")])
        for path, headers in (("/exact/not", ()), ("/re/x", ()), ("/?version=3", ()), ("/both/x", [("x-user", "guest")]),
                              ("/", [("x-user", "admin")])):
            self.wait_for_answer("matches", "matches-v1", path, headers)
        posted = fetch((self.client.ip, PORT), "/", "POST", body=b"x", host="matches")
        self.assertEqual("matches-v2", posted.json()["upstream"])

    def test_rewrite_redirect_direct_and_headers(self):
        self.service("shapes", "v1")
        self.write("shapes.yaml", virtual_service("shapes", [
            {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new", "redirectCode": 302}},
            {"match": [{"uri": {"prefix": "/direct"}}], "directResponse": {"status": 418, "body": {"string": "short"}}},
            {"match": [{"uri": {"prefix": "/api/"}}], "rewrite": {"uri": "/", "authority": "inner.test"},
             "route": [{"destination": {"host": "shapes"}}],
             "headers": {"request": {"set": {"x-set": "1"}, "remove": ["x-gone"]}, "response": {"add": {"x-answer": "yes"}}}},
            {"route": [{"destination": {"host": "shapes"}}]}]))
        wait_for(lambda: self.call("shapes", "/old/x").status == 302, "the redirect")
        self.assertTrue(self.call("shapes", "/old/x").header("location").endswith("/new"))
        direct = self.call("shapes", "/direct")
        self.assertEqual((418, b"short"), (direct.status, direct.body))
        answer = self.call("shapes", "/api/things?x=1", [("x-gone", "1")])
        seen = answer.json()
        headers = dict(seen["headers"])
        self.assertEqual(("/things?x=1", "inner.test", "1", "yes"), (seen["target"], headers["host"], headers["x-set"],
                                                                     answer.header("x-answer")))
        self.assertNotIn("x-gone", headers)

    def test_faults(self):
        self.service("faulty", "v1")
        self.write("faulty.yaml", virtual_service("faulty", [
            {"match": [{"headers": {"chaos": {"exact": "abort"}}}], "fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 503}},
             "route": [{"destination": {"host": "faulty"}}]},
            {"match": [{"headers": {"chaos": {"exact": "some"}}}], "fault": {"abort": {"percentage": {"value": 50}, "httpStatus": 500}},
             "route": [{"destination": {"host": "faulty"}}]},
            {"match": [{"headers": {"chaos": {"exact": "delay"}}}],
             "fault": {"delay": {"percentage": {"value": 100}, "fixedDelay": "0.3s"}},
             "route": [{"destination": {"host": "faulty"}}]},
            {"route": [{"destination": {"host": "faulty"}}]}]))
        self.wait_for_answer("faulty", 503, headers=[("chaos", "abort")])
        self.assertEqual("fault filter abort", self.call("faulty", headers=[("chaos", "abort")]).text)
        self.assertEqual({"faulty-v1": 20}, self.counts("faulty", 20))
        self.assertAlmostEqual(100, self.counts("faulty", 200, headers=[("chaos", "some")])[500], delta=45)
        app = self.mesh.apps["faulty-v1"]
        with Connection((self.client.ip, PORT)) as connection:
            connection.send(message("GET", "/delayed", [("chaos", "delay")], host="faulty"))
            self.assertEqual(200, self.call("faulty", "/quick").status)
            self.assertEqual(0, app.count("/delayed"))
            self.assertEqual(200, connection.read_response().status)

    def test_fault_injection_of_the_customer(self):
        self.service("payment-service", "v1")
        self.write("fault-injection.yaml", customer("fault-injection.yaml"))
        chaos = [("chaos-test", "true")]
        self.wait_for_answer("payment-service", "payment-service-v1", headers=chaos)
        wait_for(lambda: 500 in self.counts("payment-service", 1, headers=chaos), "an abort of 10 %", deadline=60)
        self.assertEqual({404: 10}, self.counts("payment-service", 10), "the file has no route for others")

    def test_retries(self):
        app, = self.service("retried", "v1")
        app.on("/twice", Reply(503), Reply(503), Reply(body=b"third")).on("/dropped", Reply(drop=True), Reply(body=b"second"))
        self.write("retried.yaml", virtual_service("retried", [
            {"match": [{"uri": {"prefix": "/none"}}], "retries": {"attempts": 0}, "route": [{"destination": {"host": "retried"}}]},
            {"retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx,reset"}, "route": [{"destination": {"host": "retried"}}]}]))
        app.on("/none", Reply(503))
        self.wait_for_answer("retried", 503, "/none")
        wait_for(lambda: self.call("retried", "/settled").status == 200, "the service")
        self.assertEqual(b"third", self.call("retried", "/twice").body)
        self.assertEqual(3, app.count("/twice"))
        self.assertEqual(b"second", self.call("retried", "/dropped").body)
        before = app.count("/none")
        self.assertEqual(503, self.call("retried", "/none").status)
        self.assertEqual(before + 1, app.count("/none"))

    def test_default_retries_are_istios(self):
        """Two retries for a connection that breaks; none for a 503 of the application."""
        app, = self.service("defaults", "v1")
        app.on("/503", Reply(503))
        self.wait_for_answer("defaults", "defaults-v1")
        self.assertEqual(503, self.call("defaults", "/503").status)
        self.assertEqual(1, app.count("/503"))

    def test_timeout(self):
        release = threading.Event()
        self.addCleanup(release.set)
        app, = self.service("slow", "v1")
        app.on("/held", Reply(hold=release))
        self.write("slow.yaml", virtual_service("slow", [{"timeout": "0.3s", "retries": {"attempts": 0},
                                                          "route": [{"destination": {"host": "slow"}}]}]))
        wait_for(lambda: self.call("slow", "/held").status == 504, "the timeout")
        self.assertEqual("upstream request timeout", self.call("slow", "/held").text)

    def test_outlier_ejection(self):
        good, bad = self.service("outlier", "v1", "v2")
        self.write("outlier.yaml", """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outlier}
spec:
  host: outlier
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    outlierDetection: {consecutive5xxErrors: 3, interval: 0.5s, baseEjectionTime: 2s, maxEjectionPercent: 50}
""")
        wait_for(lambda: len(self.counts("outlier", 10)) == 2, "both versions")
        bad.on("/x", Reply(500))
        wait_for(lambda: self.counts("outlier", 10, "/x") == {good.name: 10}, "v2 ejected")
        bad.on("/x")
        wait_for(lambda: bad.name in self.counts("outlier", 4, "/x"), "v2 back")

    def test_circuit_breaker(self):
        release = threading.Event()
        self.addCleanup(release.set)
        app, = self.service("broken", "v1")
        app.on("/held", Reply(hold=release))
        self.write("broken.yaml", """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: broken}
spec:
  host: broken
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}
""", virtual_service("broken", [{"retries": {"attempts": 0}, "route": [{"destination": {"host": "broken"}}]}]))

        def refused():
            """Three at once where one may run and one may wait."""
            connections = [Connection((self.client.ip, PORT)) for _ in range(4)]
            try:
                for connection in connections:
                    connection.send(message("GET", "/held", host="broken"))
                    connection.settimeout(0.3)
                for connection in connections[1:]:
                    try:
                        answer = connection.read_response()
                    except TimeoutError:
                        continue
                    return answer.status == 503 and answer.header("x-envoy-overloaded") == "true"
                return False
            finally:
                for connection in connections:
                    connection.close()
        wait_for(refused, "an overflow")

    def test_endpoint_churn_under_load(self):
        self.service("churn", "a", "b", "c")
        self.wait_for_answer("churn", "churn-a")
        with self.mesh.load(self.client, "churn") as load:
            for members in (("a",), ("a", "b"), ("b", "c"), ("c",), ("a", "b", "c")) * 2:
                self.mesh.set_endpoints("churn", *members)
                wait_for(lambda: set(self.counts("churn", 12)) == {f"churn-{member}" for member in members}, f"just {members}")
        assert_all_ok(self, load)

    def test_no_endpoints_and_back(self):
        self.service("empty", "v1")
        self.wait_for_answer("empty", "empty-v1")
        self.mesh.set_endpoints("empty")
        self.wait_for_answer("empty", 503)
        self.mesh.set_endpoints("empty", "v1")
        self.wait_for_answer("empty", "empty-v1")

    def test_broken_file_changes_nothing(self):
        self.two_versions("steady")
        self.write("steady.yaml", split("steady", 0, 100))
        self.wait_for_answer("steady", "steady-v2")
        wait_for(lambda: self.counts("steady", 10) == {"steady-v2": 10}, "only v2")
        wrong = split("steady", 100, 0)
        wrong["spec"]["http"][0]["timeout"] = "soon"
        for text in ("{ not yaml", wrong):
            self.write("steady.yaml", text)
            holds_for(lambda: self.counts("steady", 5) == {"steady-v2": 5}, "still v2", 0.5)
        self.write("steady.yaml", split("steady", 100, 0))
        wait_for(lambda: self.counts("steady", 10) == {"steady-v1": 10}, "only v1")

    def test_deleted_file_takes_its_objects_along(self):
        self.two_versions("gone")
        self.write("gone.yaml", split("gone", 0, 100))
        wait_for(lambda: self.counts("gone", 10) == {"gone-v2": 10}, "only v2")
        self.mesh.control.remove("gone.yaml")
        wait_for(lambda: len(self.counts("gone", 10)) == 2, "both again")

    def test_unknown_host_passes_nowhere(self):
        self.assertEqual(502, self.call("no-such-service").status)


if __name__ == "__main__":
    unittest.main()
