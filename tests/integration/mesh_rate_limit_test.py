"""RateLimit, a kind of ours: in front of a workload and at a gateway. With weft-proxy and with a real Envoy (WEFT_DATA_PLANE)."""
import unittest

from meshtest.mesh import PORT, Mesh
from meshtest.raw_http import Connection, fetch
from meshtest.wait import wait_for


def limit(name, rules, **spec):
    return {"apiVersion": "weft.dev/v1", "kind": "RateLimit", "metadata": {"name": name}, "spec": {**spec, "rules": rules}}


class RateLimits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        cls.client = cls.mesh.client()

    def ask(self, address, path, times, headers=(), host="any", method="GET"):
        """The statuses of requests one after another."""
        with Connection(address) as connection:
            return [connection.request(method, path, headers, host=host).status for _ in range(times)]

    def service(self, name):
        """The address of a workload with a sidecar, in front of which the limits stand."""
        self.mesh.service(name, "v1", sidecars=True)
        self.mesh.wait_for_answer(self.client, name, f"{name}-v1")
        return (self.mesh._services[name][0]["ip"], PORT)

    def wait_for_limit(self, address, path, headers=(), **options):
        wait_for(lambda: 429 in self.ask(address, path, 1, headers, **options), f"a 429 for {path}")

    def test_rules_in_front_of_a_workload(self):
        address = self.service("limited")
        self.mesh.control.write("limited.yaml", limit("limited", [
            {"name": "probe", "match": {"uri": {"exact": "/probe"}}, "requests": 1, "unit": "HOUR"},
            {"name": "writes", "match": {"uri": {"prefix": "/api/"}, "method": {"exact": "POST"}}, "requests": 3, "unit": "HOUR"},
            {"name": "users", "match": {"uri": {"exact": "/user"}}, "per": [{"header": "x-user"}], "requests": 2, "unit": "HOUR"},
        ], selector={"matchLabels": {"app": "limited"}}, headers=True))
        self.wait_for_limit(address, "/probe")
        self.assertEqual([200, 200, 200, 429, 429], self.ask(address, "/api/x?q=1", 5, method="POST"))
        self.assertEqual([200] * 5, self.ask(address, "/api/x", 5), "only writes are limited")
        self.assertEqual([200] * 5, self.ask(address, "/other", 5), "what no rule matches")
        self.assertEqual([200, 200, 429], self.ask(address, "/user?a", 3, [("x-user", "jo")]))
        self.assertEqual([200, 200, 429], self.ask(address, "/user", 3, [("x-user", "ann")]), "a bucket for each")
        self.assertEqual([200] * 3, self.ask(address, "/user", 3), "without the header the rule does not count")
        answer = fetch(address, "/probe", host="any")
        self.assertEqual((429, "0"), (answer.status, answer.header("x-ratelimit-remaining")))

    def test_dry_run_and_change_and_removal(self):
        address = self.service("trial")
        one = [{"requests": 1, "unit": "HOUR"}]
        target = [{"kind": "Service", "name": "trial"}]
        self.mesh.control.write("trial.yaml", limit("trial", one, targetRefs=target, status=503))
        wait_for(lambda: 503 in self.ask(address, "/", 2), "the limit")
        self.mesh.control.write("trial.yaml", limit("trial", one, targetRefs=target, dryRun=True))
        wait_for(lambda: self.ask(address, "/", 5) == [200] * 5, "the dry run")
        self.mesh.control.write("trial.yaml", limit("trial", one, targetRefs=target))
        wait_for(lambda: 429 in self.ask(address, "/", 2), "the limit in force")
        self.mesh.control.remove("trial.yaml")
        wait_for(lambda: self.ask(address, "/", 5) == [200] * 5, "no limit")

    def test_at_a_gateway(self):
        self.service("shop")
        gateway = self.mesh.sidecar("edge", labels={"istio": "edge"}, kind="router")
        self.mesh.control.write(
            "edge.yaml",
            {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "edge"}, "spec": {
                "selector": {"istio": "edge"}, "servers": [{"port": {"number": 8090, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}},
            {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "edge"}, "spec": {
                "hosts": ["*"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "shop", "port": {"number": PORT}}}]}]}},
            limit("edge", [{"match": {"authority": {"exact": "a.example"}}, "requests": 2, "unit": "HOUR"}],
                  targetRefs=[{"kind": "Gateway", "name": "edge"}]))
        address = (gateway.ip, 8090)

        def answers():
            try:
                return 200 in self.ask(address, "/", 1, host="b.example")
            except OSError:
                return False
        wait_for(answers, "the gateway")
        self.assertEqual([200, 200, 429], self.ask(address, "/", 3, host="a.example"))
        self.assertEqual([200] * 4, self.ask(address, "/", 4, host="b.example"))


if __name__ == "__main__":
    unittest.main()
