"""HTTPRoute, GRPCRoute and Gateway of the Gateway API through weft-control to the data plane: inside the mesh and at its edge, with their status.

Runs with weft-proxy and with a real Envoy (WEFT_DATA_PLANE).
"""
import json
import unittest

import grpc

from meshtest.data_plane import our_program
from meshtest.grpc_echo import SERVICE, EchoServer
from meshtest.mesh import PORT, Mesh
from meshtest.process import run
from meshtest.raw_http import fetch
from meshtest.wait import wait_for

API = "gateway.networking.k8s.io/v1"
EDGE = 18080


def http_route(name, parents, rules, **spec):
    return {"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": name},
            "spec": {"parentRefs": parents, "rules": rules, **spec}}


def service_parent(name, **more):
    return {"group": "", "kind": "Service", "name": name, **more}


def backend(name, **more):
    return {"name": name, "port": PORT, **more}


def path(value, kind="PathPrefix"):
    return [{"path": {"type": kind, "value": value}}]


class GatewayApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        for name in ("front", "one", "two"):
            cls.mesh.service(name, "v1")
        cls.client = cls.mesh.client()
        cls.write, cls.remove = cls.mesh.control.write, cls.mesh.control.remove

    def wait_for_answer(self, wanted, target="/", headers=(), host="front"):
        self.mesh.wait_for_answer(self.client, host, wanted, target, headers)

    def call(self, target="/", headers=(), **options):
        return self.mesh.call(self.client, "front", target, headers, **options)

    def weftctl(self, *arguments):
        host, port = self.mesh.control.http
        return run([our_program("weftctl"), "--server", f"http://{host}:{port}", *arguments])[1]

    def status(self, kind, name):
        return json.loads(self.weftctl("get", kind, name, "-o", "json"))["status"]

    def test_routes_of_a_service(self):
        self.write("front.yaml", http_route("front", [service_parent("front")], [
            {"matches": path("/one"), "backendRefs": [backend("one")]},
            {"matches": [{"path": {"value": "/"}, "headers": [{"name": "to", "value": "two"}]}], "backendRefs": [backend("two")]},
            {"matches": path("/split"), "backendRefs": [backend("one", weight=1), backend("two", weight=1), backend("front", weight=0)]},
            {"matches": path("/half"), "backendRefs": [backend("one"), backend("gone")]},
            {"matches": path("/gone"), "backendRefs": [backend("gone")]},
            {"matches": path("/none")},
            {"matches": path("/moved"), "filters": [{"type": "RequestRedirect", "requestRedirect": {
                "hostname": "new.example.com", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/here"}, "statusCode": 301}}]},
            {"matches": path("/strip"), "backendRefs": [backend("one")], "filters": [
                {"type": "URLRewrite", "urlRewrite": {"hostname": "in.side", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}},
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-set", "value": "yes"}], "remove": ["x-gone"]}},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x-answer", "value": "42"}]}}]},
            {"matches": path("/whole"), "backendRefs": [backend("one")], "filters": [
                {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/all"}}}]},
        ]))
        self.addCleanup(self.remove, "front.yaml")
        self.wait_for_answer("one-v1", "/one")
        self.assertEqual(404, self.call("/onemore").status, "a prefix ends at a slash")
        self.wait_for_answer("one-v1", "/one/more")
        self.wait_for_answer("two-v1", "/elsewhere", [("to", "two")])
        counts = self.mesh.counts(self.client, "front", 60, "/split")
        self.assertEqual({"one-v1", "two-v1"}, set(counts))
        half = self.mesh.counts(self.client, "front", 60, "/half")
        self.assertEqual({"one-v1", 500}, set(half))
        self.assertEqual([500, 500], [self.call("/gone").status, self.call("/none").status])
        moved = self.call("/moved/a")
        self.assertEqual((301, f"http://new.example.com:{PORT}/here/a"), (moved.status, moved.header("location")))
        stripped = self.call("/strip/a/b?c=d", [("x-gone", "1"), ("x-set", "no")])
        seen = stripped.json()
        headers = {name.lower(): value for name, value in seen["headers"]}
        self.assertEqual(("/a/b?c=d", "in.side", "yes"), (seen["target"], headers["host"], headers["x-set"]))
        self.assertNotIn("x-gone", headers)
        self.assertEqual("42", stripped.header("x-answer"))
        self.assertEqual(["/", "/", "/all?q"], [self.call(target).json()["target"] for target in ("/strip", "/strip/", "/whole/a?q")])

        conditions = {c["type"]: (c["status"], c["reason"]) for c in self.status("httproute", "front")["parents"][0]["conditions"]}
        self.assertEqual({"Accepted": ("True", "Accepted"), "ResolvedRefs": ("False", "BackendNotFound")}, conditions)
        table = self.weftctl("get", "httproute")
        self.assertIn("service/front Accepted, not ResolvedRefs (BackendNotFound)", table)

    def grpc_service(self, name):
        """A service of gRPC with one server; the server."""
        server = EchoServer()
        self.addCleanup(server.close)
        self.write(f"{name}.yaml",
                   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"name": "grpc", "port": PORT}]}},
                   {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
                    "ports": [{"name": "grpc", "port": server.address[1]}], "endpoints": [{"addresses": [server.address[0]]}]})
        self.addCleanup(self.remove, f"{name}.yaml")
        return server

    def test_grpc_routes_of_a_service(self):
        front, one, two = (self.grpc_service(name) for name in ("grpc-front", "grpc-one", "grpc-two"))
        echo = SERVICE.strip("/")
        self.write("grpc-route.yaml", {"apiVersion": API, "kind": "GRPCRoute", "metadata": {"name": "calls"}, "spec": {
            "parentRefs": [service_parent("grpc-front")], "rules": [
                {"matches": [{"method": {"service": echo, "method": "Unary"}, "headers": [{"name": "to", "value": "two"}]}],
                 "backendRefs": [backend("grpc-two")], "filters": [
                     {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-by", "value": "route"}]}}]},
                {"matches": [{"method": {"service": echo}}], "backendRefs": [backend("grpc-one")]},
                {"matches": [{"method": {"service": "gone.Echo"}}], "backendRefs": [backend("gone")]}]}})
        self.addCleanup(self.remove, "grpc-route.yaml")
        self.call()  # the listener is there
        channel = grpc.insecure_channel(f"{self.client.ip}:{PORT}", options=[
            ("grpc.default_authority", "grpc-front"), ("grpc.enable_http_proxy", 0)])
        self.addCleanup(channel.close)

        def call(method, **metadata):
            return channel.unary_unary(method)(b"hello", metadata=tuple(metadata.items()), timeout=5)

        def seen(server, **metadata):
            try:
                before = len(server.seen)
                return call(SERVICE + "Unary", **metadata) == b"hello" and len(server.seen) > before
            except grpc.RpcError:
                return False
        wait_for(lambda: seen(one), "the route's backend")
        self.assertTrue(seen(two, to="two"))
        self.assertEqual("route", two.seen[-1]["x-by"])
        self.assertEqual([b"hello"] * 4, list(channel.unary_stream(SERVICE + "ServerStream")(b"hello", timeout=5)))
        for method, code in (("/gone.Echo/Unary", grpc.StatusCode.UNAVAILABLE), ("/other.Echo/Unary", grpc.StatusCode.UNIMPLEMENTED)):
            with self.assertRaises(grpc.RpcError) as caught:
                call(method)
            self.assertEqual(code, caught.exception.code(), method)
        self.assertEqual([], front.seen)

    def test_a_backend_that_comes_and_goes(self):
        self.write("late-route.yaml", http_route("late", [service_parent("two")], [{"backendRefs": [backend("late")]}]))
        self.addCleanup(self.remove, "late-route.yaml")
        self.wait_for_answer(500, host="two")
        self.mesh.service("late", "v1")
        self.wait_for_answer("late-v1", host="two")
        wait_for(lambda: {c["status"] for c in self.status("httproute", "late")["parents"][0]["conditions"]} == {"True"}, "a good status")

    def test_a_gateway_and_its_routes(self):
        ip = self.mesh.new_address()
        listeners = [{"name": "http", "port": 80, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": {"namespaces": {"from": "All"}}},
                     {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert"}]}}]
        self.write("edge.yaml",
                   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress", "namespace": "edge"},
                    "spec": {"selector": {"app": "ingress"}, "ports": [{"name": "http", "port": 80, "targetPort": EDGE}]}},
                   {"apiVersion": API, "kind": "Gateway", "metadata": {"name": "web", "namespace": "edge"},
                    "spec": {"gatewayClassName": "istio", "listeners": listeners, "addresses": [{"type": "Hostname", "value": "ingress"}]}},
                   http_route("outside", [{"name": "web", "namespace": "edge"}], [
                       {"matches": path("/two"), "backendRefs": [backend("two")]}, {"backendRefs": [backend("one")]}],
                       hostnames=["shop.example.com", "shop.example.org"]))
        self.addCleanup(self.remove, "edge.yaml")
        self.mesh.sidecar("ingress", ip, {"app": "ingress"}, kind="router", namespace="edge")

        def answer(host, target="/"):
            reply = fetch((ip, EDGE), target, host=host)
            return reply.json()["upstream"] if reply.status == 200 else reply.status
        wait_for(lambda: answer("shop.example.com") == "one-v1", "the gateway")
        self.assertEqual("two-v1", answer("shop.example.com", "/two/x"))
        self.assertEqual([404, 404], [answer("shop.example.org"), answer("other.example.com")])
        status = json.loads(self.weftctl("get", "gtw", "web", "-n", "edge", "-o", "json"))["status"]
        self.assertEqual([("http", 1), ("https", 0)], [(one["name"], one["attachedRoutes"]) for one in status["listeners"]])
        self.assertEqual(["ListenersNotValid", "Programmed"], [one["reason"] for one in status["conditions"]])


if __name__ == "__main__":
    unittest.main()
