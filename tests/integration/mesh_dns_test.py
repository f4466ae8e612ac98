"""Names of the mesh through the DNS proxy beside a workload: weft-control's YAML in, answers out."""
import os
import unittest

from meshtest import dns
from meshtest.data_plane import weft_only
from meshtest.mesh import PORT, Mesh
from meshtest.wait import wait_for


def service(name, ip, namespace="default", **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": ip, "ports": [{"name": "http", "port": PORT}], **spec}}


def pod(name, ip, labels, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"containers": [{"name": "app"}], **spec}, "status": {"podIP": ip, "phase": "Running"}}


def entry(name, *hosts, **spec):
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": name, "namespace": "default"},
            "spec": {"hosts": list(hosts), "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}], "resolution": "STATIC",
                     "endpoints": [{"address": "127.0.0.1"}], **spec}}


@weft_only("Istio's agent has the DNS proxy, not Envoy")
class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        cls.upstream = dns.Resolver(lambda data, _: dns.answer(data, code=dns.NXDOMAIN))
        cls.addClassCleanup(cls.upstream.close)
        cls.resolv_conf = os.path.join(cls.mesh.folder, "resolv.conf")
        with open(cls.resolv_conf, "w", encoding="utf-8") as file:
            file.write(f"nameserver [127.0.0.1]:{cls.upstream.address[1]}\nsearch default.svc.cluster.local\n")
        cls.sotw = cls.client("one")
        cls.delta = cls.client("two", delta=True)
        cls.other = cls.client("three", namespace="other", DNS_AUTO_ALLOCATE="false")

    @classmethod
    def client(cls, name, namespace="default", delta=False, **metadata):
        """Where the DNS proxy of a new sidecar is."""
        port = dns.free_port()
        cls.mesh.sidecar(name, namespace=namespace, delta=delta, metadata={
            "DNS_CAPTURE": "true", "DNS_AUTO_ALLOCATE": "true", "DNS_PROXY_ADDR": f"127.0.0.1:{port}", "DNS_RESOLV_CONF": cls.resolv_conf,
            **metadata})
        return ("127.0.0.1", port)

    def wait_for(self, server, name, *addresses):
        wait_for(lambda: sorted(dns.ask(server, name).addresses) == sorted(addresses), f"{addresses} for {name}")

    def gone(self, server, name):
        return dns.ask(server, name).code == dns.NXDOMAIN

    def test_services_come_and_go(self):
        self.mesh.control.write("web.yaml", service("web", "10.96.0.1"))
        for server in (self.sotw, self.delta):
            self.wait_for(server, "web", "10.96.0.1")
            self.wait_for(server, "web.default.svc.cluster.local", "10.96.0.1")
        self.wait_for(self.other, "web.default", "10.96.0.1")
        self.assertTrue(self.gone(self.other, "web"), "short names are of one's own namespace")
        self.mesh.control.write("web.yaml", service("web", "10.96.0.2"))
        for server in (self.sotw, self.delta):
            self.wait_for(server, "web", "10.96.0.2")
        self.mesh.control.remove("web.yaml")
        for server in (self.sotw, self.delta):
            wait_for(lambda: self.gone(server, "web.default.svc.cluster.local"), "the service's end")

    def test_headless_services_are_their_pods(self):
        labels = {"app": "db"}
        self.mesh.control.write("db.yaml", service("db", "None", selector=labels), pod("db-0", "10.1.0.1", labels, subdomain="db"))
        self.wait_for(self.sotw, "db", "10.1.0.1")
        self.wait_for(self.sotw, "db-0.db", "10.1.0.1")
        # Another pod is a change of endpoints alone.
        self.mesh.control.write("db-1.yaml", pod("db-1", "10.1.0.2", labels, hostname="second", subdomain="db"))
        for server in (self.sotw, self.delta):
            self.wait_for(server, "db.default.svc.cluster.local", "10.1.0.1", "10.1.0.2")
            self.wait_for(server, "second.db.default.svc.cluster.local", "10.1.0.2")
        self.mesh.control.remove("db-1.yaml")
        self.wait_for(self.delta, "db", "10.1.0.1")

    def test_service_entries(self):
        self.mesh.control.write("entries.yaml", entry("written", "api.example.com", "*.wild.example.com", addresses=["192.0.2.1"]),
                                entry("given", "auto.example.com"), entry("mine", "mine.example.com", addresses=["192.0.2.3"], exportTo=["."]))
        self.wait_for(self.sotw, "api.example.com", "192.0.2.1")
        self.wait_for(self.sotw, "any.wild.example.com", "192.0.2.1")
        self.wait_for(self.sotw, "mine.example.com", "192.0.2.3")
        given = dns.ask(self.sotw, "auto.example.com").addresses
        self.assertEqual(1, len(given))
        self.assertTrue(given[0].startswith("240.240."), given)
        self.wait_for(self.delta, "auto.example.com", *given)
        self.wait_for(self.other, "api.example.com", "192.0.2.1")
        self.assertTrue(self.gone(self.other, "mine.example.com"), "exported to its own namespace")
        self.assertTrue(self.gone(self.other, "auto.example.com"), "this proxy asked for no addresses")
        expanded = dns.ask(self.sotw, "api.example.com.default.svc.cluster.local")
        self.assertEqual([dns.CNAME, dns.A], [kind for _, kind, _, _ in expanded.answers])

    def test_answers_outlive_the_control_plane(self):
        self.mesh.control.write("lasting.yaml", service("lasting", "10.96.1.1"))
        self.wait_for(self.sotw, "lasting", "10.96.1.1")
        self.wait_for(self.delta, "lasting", "10.96.1.1")
        self.mesh.control.kill()
        for server in (self.sotw, self.delta):
            self.assertEqual(["10.96.1.1"], dns.ask(server, "lasting").addresses)
        self.mesh.control.restart()
        self.mesh.control.write("later.yaml", service("later", "10.96.1.2"))
        for server in (self.sotw, self.delta):
            self.wait_for(server, "later", "10.96.1.2")
            self.assertEqual(["10.96.1.1"], dns.ask(server, "lasting").addresses)


if __name__ == "__main__":
    unittest.main()
