"""What a VirtualService's http says beyond weights and faults: delegates, CORS, rewrites, redirects, sources, several objects per host.

The same bodies run with weft-proxy and with a real Envoy (WEFT_DATA_PLANE).
"""
import unittest

from meshtest.h2peer import Http2Client
from meshtest.mesh import PORT, Mesh
from meshtest.raw_http import Connection, fetch, message
from meshtest.upstream import Reply
from meshtest.wait import wait_for


def rule(name, http, hosts=(), **spec):
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name},
            "spec": {**({"hosts": list(hosts)} if hosts else {}), "http": http, **spec}}


def to(host, **more):
    return {"route": [{"destination": {"host": host}}], **more}


def says(text, **more):
    return {"directResponse": {"status": 200, "body": {"string": text}}, **more}


class Routing(unittest.TestCase):
    """One mesh for all; each test has hosts of its own."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        cls.app, = cls.mesh.service("app", "v1")
        cls.client = cls.mesh.client()
        cls.mesh.wait_for_answer(cls.client, "app", "app-v1")

    def setUp(self):
        self.write = self.mesh.control.write

    def call(self, host, path="/", headers=(), method="GET"):
        with Connection((self.client.ip, PORT)) as connection:
            return connection.request(method, path, headers, host=host)

    def wait_for_text(self, host, text, path="/", headers=()):
        wait_for(lambda: self.call(host, path, headers).text == text, f"{text} for {host}{path}")

    def virtual(self, name, http, **spec):
        """A rule for a host of its own, served beside the app's on the app's port."""
        host = f"{name}.example"
        self.write(f"{name}.yaml", rule(name, http, [host, f"{name}-svc"], **spec))
        self.mesh.service(f"{name}-svc", "v1")
        wait_for(lambda: self.call(host).status != 502, f"the host {host}")
        return host

    def test_delegates(self):
        self.write("delegated-leaf.yaml", rule("delegated-leaf", [
            says("one", match=[{"uri": {"exact": "/a/one"}}]),
            says("outside", match=[{"uri": {"prefix": "/b"}}]),
            says("rest of a")]))
        host = self.virtual("delegated", [
            {"match": [{"uri": {"prefix": "/a"}}], "delegate": {"name": "delegated-leaf"}, "headers": {"response": {"set": {"x-by": "root"}}}},
            says("root")])
        self.wait_for_text(host, "one", "/a/one")
        self.assertEqual("root", self.call(host, "/a/two").header("x-by"))
        self.assertEqual("rest of a", self.call(host, "/a/two").text)
        self.assertEqual("root", self.call(host, "/b").text)
        self.write("delegated-leaf.yaml", rule("delegated-leaf", [says("changed")]))
        self.wait_for_text(host, "changed", "/a/one")

    def test_cors(self):
        host = self.virtual("cors", [to("app", corsPolicy={
            "allowOrigins": [{"exact": "https://shop.example"}, {"regex": "https://.*[.]trusted[.]example"}], "allowMethods": ["GET", "PUT"],
            "allowHeaders": ["x-a", "x-b"], "exposeHeaders": ["x-c"], "maxAge": "24h", "allowCredentials": True})])
        preflight = [("origin", "https://shop.example"), ("access-control-request-method", "PUT")]
        wait_for(lambda: self.call(host, headers=preflight, method="OPTIONS").header("access-control-allow-origin"), "the policy")
        answer = self.call(host, headers=preflight, method="OPTIONS")
        self.assertEqual((200, "https://shop.example", "GET,PUT", "x-a,x-b", "86400", "true"), (
            answer.status, *[answer.header("access-control-" + name) for name in (
                "allow-origin", "allow-methods", "allow-headers", "max-age", "allow-credentials")]))
        answer = self.call(host, headers=[("origin", "https://a.trusted.example")])
        self.assertEqual(("https://a.trusted.example", "x-c"),
                         (answer.header("access-control-allow-origin"), answer.header("access-control-expose-headers")))
        self.assertIsNone(self.call(host, headers=[("origin", "https://evil.example")]).header("access-control-allow-origin"))

    def test_rewrites(self):
        host = self.virtual("rewritten", [
            to("app", match=[{"uri": {"prefix": "/regex/"}}], rewrite={"uriRegexRewrite": {"match": "^/regex/([^/]+)/(.*)$", "rewrite": "/\\2/\\1"}}),
            to("app", match=[{"uri": {"prefix": "/PRE/"}, "ignoreUriCase": True}], rewrite={"uri": "/", "authority": "inner.example"}),
            to("app", match=[{"uri": {"prefix": "/host"}}], headers={"request": {"set": {"Host": "set.example"}}})])
        wait_for(lambda: self.call(host, "/host").status == 200, "the routes")
        self.assertEqual("/b/c/a?q=1", self.call(host, "/regex/a/b/c?q=1").json()["target"])
        answer = self.call(host, "/pre/x").json()
        self.assertEqual(("/x", "inner.example"), (answer["target"], dict(answer["headers"])["host"]))
        self.assertEqual("set.example", dict(self.call(host, "/host").json()["headers"])["host"])

    def test_redirects(self):
        host = self.virtual("redirected", [
            {"match": [{"uri": {"prefix": "/tls"}}], "redirect": {"scheme": "https", "port": 443}},
            {"match": [{"uri": {"prefix": "/port"}}], "redirect": {"authority": "other.example", "derivePort": "FROM_REQUEST_PORT", "redirectCode": 308}},
            {"match": [{"uri": {"prefix": "/pre"}}], "redirect": {"uri": "/new", "redirectCode": 307}}])
        wait_for(lambda: self.call(host, "/tls").status == 301, "the redirects")
        self.assertEqual(f"https://{host}/tls/x", self.call(host, "/tls/x").header("location"))
        answer = self.call(host, "/port")
        self.assertEqual((308, f"http://other.example:{PORT}/port"), (answer.status, answer.header("location")))
        answer = self.call(host, "/pre/x")
        self.assertEqual((307, f"http://{host}/new"), (answer.status, answer.header("location")))

    def test_matches(self):
        host = self.virtual("matched", [
            says("without", match=[{"withoutHeaders": {"x-user": {}}, "uri": {"prefix": "/who"}}]),
            says("user", match=[{"headers": {"x-user": {"regex": "[a-z]+"}}, "uri": {"prefix": "/who"}}]),
            says("query", match=[{"queryParams": {"v": {"exact": "2"}}}]),
            says("method", match=[{"method": {"exact": "PUT"}}]),
            says("authority", match=[{"authority": {"prefix": "matched-svc"}}]),
            says("other port", match=[{"port": 9}]),
            says("other gateway", match=[{"gateways": ["none"]}]),
            says("me", match=[{"uri": {"prefix": "/source"}, "sourceNamespace": "default", "sourceLabels": {"app": "client"}}]),
            says("not me", match=[{"sourceLabels": {"app": "somebody"}}]),
            says("rest")])
        self.wait_for_text(host, "rest")
        for wanted, path, headers, method in (
                ("without", "/who", (), "GET"), ("user", "/who", [("x-user", "jo")], "GET"), ("rest", "/who", [("x-user", "J1")], "GET"),
                ("query", "/?v=2", (), "GET"), ("rest", "/?v=3", (), "GET"), ("method", "/", (), "PUT"), ("me", "/source", (), "GET")):
            self.assertEqual(wanted, self.call(host, path, headers, method).text, path)
        self.assertEqual("authority", self.call("matched-svc").text)

    def test_grpc_fault(self):
        host = self.virtual("grpc-fault", [to("app", fault={"abort": {"grpcStatus": "UNAVAILABLE", "percentage": {"value": 100}}})])
        wait_for(lambda: self.call(host, headers=[("content-type", "application/grpc")]).header("grpc-status") == "14", "the fault")

    def test_mirrors(self):
        copies = [self.mesh.service(f"mirror-{number}", "v1")[0] for number in (1, 2, 3)]
        host = self.virtual("mirrored", [to("app", mirrors=[
            {"destination": {"host": "mirror-1"}}, {"destination": {"host": "mirror-2"}, "percentage": {"value": 100}},
            {"destination": {"host": "mirror-3"}, "percentage": {"value": 0}}])])

        def mirrored():
            self.assertEqual("app-v1", self.call(host, "/mirrored").json()["upstream"])
            return [copy.count("/mirrored") > 0 for copy in copies] == [True, True, False]
        wait_for(mirrored, "copies at two of three")
        self.assertEqual(f"{host}-shadow", copies[0].requests("/mirrored")[0].header("host"))

    def test_websocket(self):
        self.app.on("/ws", Reply(raw=b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"))
        with Connection((self.client.ip, PORT)) as connection:
            connection.send(message("GET", "/ws", [("connection", "Upgrade"), ("upgrade", "websocket")], host="app"))
            self.assertEqual(101, connection.read_response().status)
            self.assertEqual(b"hello", connection.reader.exactly(5))

    def test_hashing_by_header(self):
        self.mesh.service("hashed", "a", "b", "c")
        self.write("hashed.yaml", {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "hashed"}, "spec": {
            "host": "hashed", "trafficPolicy": {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user", "maglev": {}}}}}})
        users = [f"user-{number}" for number in range(12)]

        def settled():
            placed = [set(self.mesh.counts(self.client, "hashed", 4, headers=[("x-user", user)])) for user in users]
            return all(len(hosts) == 1 for hosts in placed) and len(set().union(*placed) - {502, 503}) > 1
        wait_for(settled, "each user on one host, and not all on one")

    def connections(self, name):
        """How many connections of HTTP/1 and of HTTP/2 the client's proxy has made to a service."""
        prefix = f"cluster.outbound|{PORT}||{name}.default.svc.cluster.local.upstream_cx_"
        return tuple(self.client.stat(prefix + kind) for kind in ("http1_total", "http2_total"))

    def policy(self, name, **http):
        self.write(f"{name}.yaml", {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": name}, "spec": {
            "host": name, "trafficPolicy": {"connectionPool": {"http": http}}}})

    def test_http2_between_the_proxies(self):
        """The client speaks HTTP/1 to its proxy, the server's application too; what goes between is for the rule to say."""
        for name in ("upgraded", "not-upgraded"):
            self.mesh.service(name, "v1", sidecars=True)
        self.policy("upgraded", h2UpgradePolicy="UPGRADE")
        self.policy("not-upgraded", h2UpgradePolicy="DO_NOT_UPGRADE")
        for name in ("upgraded", "not-upgraded"):
            self.mesh.wait_for_answer(self.client, name, f"{name}-v1")

        def upgraded():
            self.call("upgraded")
            return self.connections("upgraded")[1] > 0
        wait_for(upgraded, "a connection of HTTP/2")
        self.assertEqual(0, self.connections("not-upgraded")[1])
        self.policy("upgraded", h2UpgradePolicy="DEFAULT")
        before = self.connections("upgraded")[0]
        wait_for(lambda: self.call("upgraded").status == 200 and self.connections("upgraded")[0] > before, "a connection of HTTP/1 again")

    def test_the_clients_protocol(self):
        self.policy("as-client", useClientProtocol=True)
        self.mesh.service("as-client", "v1", sidecars=True)
        self.mesh.wait_for_answer(self.client, "as-client", "as-client-v1")
        self.assertEqual(0, self.connections("as-client")[1])
        before = self.connections("as-client")[0]
        with Http2Client((self.client.ip, PORT)) as peer:
            self.assertEqual(200, peer.request("GET", "/", authority="as-client").status)
        self.assertEqual((before, 1), self.connections("as-client"))

    def test_retries_at_other_localities(self):
        """Where all endpoints are of one priority, retries go there as ever."""
        app, = self.mesh.service("elsewhere", "v1")
        app.on("/again", Reply(503), Reply(503), Reply(503), Reply(body=b"fourth"))
        host = self.virtual("remote", [to("elsewhere", retries={
            "attempts": 5, "retryOn": "503", "retryRemoteLocalities": True, "backoff": "1ms"})])
        wait_for(lambda: self.call(host).status == 200, "the route")
        self.assertEqual("fourth", self.call(host, "/again").text)

    def test_a_gateway_sends_clients_to_https(self):
        gateway = self.mesh.sidecar("tls-edge", labels={"istio": "tls-edge"}, kind="router")
        self.write("tls-edge.yaml", {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "tls-edge"}, "spec": {
            "selector": {"istio": "tls-edge"}, "servers": [{"port": {"number": 8091, "name": "http", "protocol": "HTTP"}, "hosts": ["*.shop.test"],
                                                           "tls": {"httpsRedirect": True}}]}})

        def answer(path, host="www.shop.test"):
            try:
                found = fetch((gateway.ip, 8091), path, host=host)
                return found.status, found.header("location")
            except OSError:
                return None
        wait_for(lambda: answer("/a?b") == (301, "https://www.shop.test/a?b"), "the redirect, without any rule")
        self.write("tls-edge-rule.yaml", rule("tls-edge-rule", [says("never")], ["www.shop.test"], gateways=["tls-edge"]))
        probe = self.virtual("tls-probe", [says("probe")])
        self.wait_for_text(probe, "probe")
        self.assertEqual((301, "https://www.shop.test/"), answer("/"))

    def test_the_oldest_rule_has_the_host_and_gives_it_up_when_it_goes(self):
        host = self.virtual("contested", [says("old")])
        self.wait_for_text(host, "old")
        self.write("contested-2.yaml", rule("contested-2", [says("new")], [host, "contested-svc"]))
        probe = self.virtual("contested-probe", [says("probe")])
        self.wait_for_text(probe, "probe")
        self.assertEqual("old", self.call(host).text)
        self.mesh.control.remove("contested.yaml")
        self.wait_for_text(host, "new")

    def test_gateway_joins_rules_of_a_host(self):
        gateway = self.mesh.sidecar("edge", labels={"istio": "edge"}, kind="router")
        self.write("edge.yaml", {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "edge"}, "spec": {
            "selector": {"istio": "edge"}, "servers": [{"port": {"number": 8090, "name": "http", "protocol": "HTTP"}, "hosts": ["*.shop.example"]}]}})
        self.write("edge-all.yaml", rule("edge-all", [says("all")], ["www.shop.example"], gateways=["edge"]))
        self.write("edge-part.yaml", rule("edge-part", [
            says("mesh only", match=[{"uri": {"prefix": "/part"}, "gateways": ["mesh"]}]),
            says("part", match=[{"uri": {"prefix": "/part"}}])], ["www.shop.example"], gateways=["edge", "mesh"]))
        self.write("edge-wild.yaml", rule("edge-wild", [says("wild")], ["*.shop.example"], gateways=["edge"]))

        def text(path, host="www.shop.example"):
            try:
                return fetch((gateway.ip, 8090), path, host=host).text
            except OSError:
                return None
        wait_for(lambda: text("/part") == "part", "the younger rule's route, before the older one's catch-all")
        wait_for(lambda: text("/", "a.shop.example") == "wild", "the wildcard")
        self.assertEqual("all", text("/"))


if __name__ == "__main__":
    unittest.main()
