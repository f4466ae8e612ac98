"""What the mesh survives: a control plane that dies and returns, a proxy that hangs, and traffic through two sidecars and a gateway."""
import os
import unittest

from meshtest.data_plane import ROOT
from meshtest.mesh import PORT, Mesh, assert_all_ok
from meshtest.raw_http import fetch
from meshtest.wait import holds_for, wait_for


def customer(name):
    with open(os.path.join(ROOT, "config", "customer", name), encoding="utf-8") as file:
        return file.read()


class Life(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.mesh.start()

    def restart_changes_nothing(self, delta):
        self.mesh.service("app", "v1", "v2")
        client = self.mesh.client(delta=delta)
        self.mesh.wait_for_answer(client, "app", "app-v1")
        before = self.updates(client)
        with self.mesh.load(client, "app") as load:
            self.mesh.control.kill()
            wait_for(lambda: client.stat("control_plane.connected_state") == 0, "the loss to be noticed")
            holds_for(lambda: self.mesh.answering(client, "app") in ("app-v1", "app-v2"), "served meanwhile")
            self.mesh.control.restart()
            wait_for(lambda: client.stat("control_plane.connected_state") == 1, "a reconnection", deadline=40)
            self.mesh.service("late", "v1")
            self.mesh.wait_for_answer(client, "late", "late-v1")
        assert_all_ok(self, load)
        return before, self.updates(client)

    @staticmethod
    def updates(client):
        """How many listener updates a proxy has taken: the new service changes clusters and routes, no listener."""
        return client.stat("listener_manager.lds.update_success")

    def test_restart_of_the_control_plane_delta(self):
        before, after = self.restart_changes_nothing(delta=True)
        self.assertEqual(before, after, "resources that the proxy holds were sent again")

    def test_restart_of_the_control_plane_state_of_the_world(self):
        self.restart_changes_nothing(delta=False)

    def test_a_hanging_control_plane(self):
        self.mesh.service("app", "v1", "v2")
        client = self.mesh.client()
        self.mesh.wait_for_answer(client, "app", "app-v1")
        with self.mesh.load(client, "app") as load:
            self.mesh.pause(self.mesh.control)
            self.mesh.set_endpoints("app", "v2")
            holds_for(lambda: len(self.mesh.counts(client, "app", 40)) == 2, "the last good state", 1.0)
            self.mesh.resume(self.mesh.control)
            wait_for(lambda: self.mesh.counts(client, "app", 10) == {"app-v2": 10}, "the change")
        assert_all_ok(self, load)

    def test_a_hanging_proxy_holds_nobody_up(self):
        self.mesh.service("app", "v1", "v2")
        good, hung = self.mesh.client(), self.mesh.sidecar("hung")
        for proxy in (good, hung):
            self.mesh.wait_for_answer(proxy, "app", "app-v1")
        self.mesh.pause(hung)
        for turn in range(20):
            self.mesh.set_endpoints("app", "v1" if turn % 2 else "v2")
            wait_for(lambda: set(self.mesh.counts(good, "app", 6)) == {"app-v1" if turn % 2 else "app-v2"}, f"turn {turn}", deadline=5)

    def test_through_two_sidecars(self):
        self.mesh.service("pair", "v1", "v2", sidecars=True)
        client = self.mesh.client()
        wait_for(lambda: set(self.mesh.counts(client, "pair", 10)) == {"pair-v1", "pair-v2"}, "both apps")
        headers = dict(self.mesh.call(client, "pair").json()["headers"])
        self.assertIn("x-request-id", headers)
        self.assertEqual("http", headers["x-forwarded-proto"])
        self.assertEqual("pair", headers["host"])

    def test_gateway_of_the_customer(self):
        self.mesh.control.write("gateway.yaml", customer("gateway.yaml"))
        self.mesh.control.write("virtualservice.yaml", customer("virtualservice.yaml"))
        self.mesh.control.write("destinationrule.yaml", customer("destinationrule.yaml"))
        self.mesh.service("order-service", "v1")
        self.mesh.service("order-service-v2", "only")
        self.mesh.control.write("service-ingress.yaml", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "istio-ingressgateway", "namespace": "istio-system"},
            "spec": {"selector": {"istio": "ingressgateway"}, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]}})
        gateway = self.mesh.sidecar("ingress", kind="router", namespace="istio-system", labels={"istio": "ingressgateway"})

        def answering():
            answer = fetch((gateway.ip, PORT), "/api/orders/1", host="api.ecommerce.com")
            return answer.status == 200 and answer.json()["upstream"]
        wait_for(answering, "an order through the gateway")
        answers = [answering() for _ in range(200)]
        self.assertLessEqual({"order-service-v1", "order-service-v2-only"}, set(answers))
        self.assertGreater(answers.count("order-service-v1"), 150)
        self.assertEqual(404, fetch((gateway.ip, PORT), "/elsewhere", host="api.ecommerce.com").status)
        self.assertEqual(404, fetch((gateway.ip, PORT), "/api/orders/1", host="other.test").status)


if __name__ == "__main__":
    unittest.main()
