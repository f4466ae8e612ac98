"""Sidecar, ServiceEntry, and tls and tcp routes of VirtualServices, from YAML through weft-control to the data plane.

Runs with weft-proxy and with a real Envoy (WEFT_DATA_PLANE).
"""
import os
import socket
import ssl
import tempfile
import threading
import unittest

from meshtest.data_plane import data_plane_kind
from meshtest.mesh import PORT, Mesh
from meshtest.raw_http import fetch
from meshtest.upstream import Upstream
from meshtest.wait import wait_for

ISTIO = "networking.istio.io/v1"
TLS_PORT, TCP_PORT, EDGE_PORT = 8443, 9432, 15443


def istio(kind, name, spec, namespace="default"):
    return {"apiVersion": ISTIO, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def hello(name, alpn=()):
    """The first bytes that a TLS client for `name` sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Namer:
    """A TCP server that tells its name to whoever sends it something, and then closes."""

    def __init__(self, name, address):
        self.name = name.encode()
        self._listener = socket.create_server(address)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    if connection.recv(65536):
                        connection.sendall(self.name)
                except OSError:
                    pass

    def close(self):
        self._listener.close()


def ask(address, payload):
    """The name that answers; "" when nobody does."""
    try:
        with socket.create_connection(address, 2) as connection:
            connection.settimeout(2)
            connection.sendall(payload)
            answer = b""
            while chunk := connection.recv(1024):
                answer += chunk
            return answer.decode()
    except OSError:
        return ""


class Scoping(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        for name in ("one", "two"):
            cls.mesh.service(name, "v1")
        cls.client = cls.mesh.client()
        cls.namers = []
        cls.addClassCleanup(lambda: [namer.close() for namer in cls.namers])

    def write(self, name, *documents):
        self.mesh.control.write(name, *documents)
        self.addCleanup(self.mesh.control.remove, name)

    @classmethod
    def namer(cls, name, port):
        ip = cls.mesh.new_address()
        cls.namers.append(Namer(name, (ip, port)))
        return ip

    @classmethod
    def opaque_service(cls, name, port, port_name):
        """A Service whose endpoint tells its name over plain TCP."""
        ip = cls.namer(name, port)
        cls.mesh.control.write(f"{name}.yaml", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"name": port_name, "port": port}]}}, {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": port_name, "port": port}], "endpoints": [{"addresses": [ip]}]})

    def wait_for_answer(self, wanted, host, client=None):
        self.mesh.wait_for_answer(client or self.client, host, wanted)

    def wait_for_name(self, wanted, address, payload=b"?"):
        wait_for(lambda: ask(address, payload) == wanted, f"{wanted!r} answering on {address}")

    def clusters(self):
        return fetch(self.client.admin_address, "/clusters").body.decode()

    def test_a_sidecar_leaves_only_what_it_names(self):
        self.wait_for_answer("two-v1", "two")
        self.mesh.control.write("sidecar.yaml", istio("Sidecar", "default", {"egress": [{"hosts": ["./one.default.svc.cluster.local"]}]}))
        self.wait_for_answer(502, "two")
        self.wait_for_answer("one-v1", "one")
        wait_for(lambda: "outbound|8080||two.default" not in self.clusters(), "the end of the cluster")
        self.assertIn("outbound|8080||one.default", self.clusters())
        self.mesh.control.remove("sidecar.yaml")
        self.wait_for_answer("two-v1", "two")

    def test_a_sidecar_for_one_workload_is_nobody_elses(self):
        other = self.mesh.sidecar("other", labels={"app": "other"})
        self.write("sidecar.yaml", istio("Sidecar", "other", {"workloadSelector": {"labels": {"app": "other"}},
                                                               "egress": [{"hosts": ["*/two.default.svc.cluster.local"]}]}))
        self.wait_for_answer(502, "one", other)
        self.wait_for_answer("two-v1", "two", other)
        self.wait_for_answer("one-v1", "one")

    def test_ingress_listeners_send_where_the_sidecar_says(self):
        app = Upstream("inside")
        self.addCleanup(app.close)
        self.write("sidecar.yaml", istio("Sidecar", "served", {
            "workloadSelector": {"labels": {"app": "served"}},
            "ingress": [{"port": {"number": 9080, "protocol": "HTTP", "name": "http"}, "defaultEndpoint": f"127.0.0.1:{app.port}"}],
            "egress": [{"port": {"number": 9081, "protocol": "HTTP", "name": "out"}, "hosts": ["./*"]}, {"hosts": ["~/*"]}]}))
        served = self.mesh.sidecar("served", labels={"app": "served"})
        wait_for(lambda: _status((served.ip, 9080)) == 200, "the ingress listener")
        self.assertEqual("inside", fetch((served.ip, 9080), "/", host="any").json()["upstream"])
        self.assertEqual(502, fetch((served.ip, 9081), "/", host="one").status)  # no service has the port 9081

    @unittest.skipIf(data_plane_kind() == "weft", "weft-proxy has no hosts behind Unix sockets yet")
    def test_a_service_entry_of_a_unix_socket(self):
        folder = tempfile.mkdtemp(prefix="weft-mesh-socket-")
        path = os.path.join(folder, "app.sock")
        self.addCleanup(os.rmdir, folder)
        self.addCleanup(os.unlink, path)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()

        def serve():
            try:
                while True:
                    connection, _ = listener.accept()
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsocket")
                    connection.close()
            except OSError:
                pass
        threading.Thread(target=serve, daemon=True).start()
        self.write("entry.yaml", istio("ServiceEntry", "socket", {
            "hosts": ["socket.test"], "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}], "resolution": "STATIC",
            "endpoints": [{"address": f"unix://{path}"}]}))
        wait_for(lambda: self.mesh.call(self.client, "socket.test").body == b"socket", "an answer by the socket")

    def test_a_service_entry_of_names(self):
        app = Upstream("outside")
        self.addCleanup(app.close)
        for resolution in ("DNS", "DNS_ROUND_ROBIN"):
            with self.subTest(resolution):
                self.mesh.control.write("entry.yaml", istio("ServiceEntry", "names", {
                    "hosts": [f"{resolution.lower().replace('_', '-')}.test"], "resolution": resolution,
                    "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}],
                    "endpoints": [{"address": "localhost", "ports": {"http": app.port}}]}))
                self.wait_for_answer("outside", f"{resolution.lower().replace('_', '-')}.test")
        self.mesh.control.remove("entry.yaml")

    def test_tcp_routes(self):
        self.opaque_service("db", TCP_PORT, "tcp")
        self.opaque_service("newdb", TCP_PORT + 1, "tcp")
        address = (self.client.ip, TCP_PORT)
        self.wait_for_name("db", address)
        self.write("tcp.yaml", istio("VirtualService", "db", {"hosts": ["db"], "tcp": [
            {"match": [{"sourceLabels": {"app": "nobody"}}], "route": [{"destination": {"host": "db"}}]},
            {"route": [{"destination": {"host": "newdb"}, "weight": 100}, {"destination": {"host": "db"}, "weight": 0}]}]}))
        self.wait_for_name("newdb", address)

    def test_tls_is_told_apart_by_name(self):
        self.opaque_service("left", TLS_PORT, "tls")
        self.opaque_service("right", TLS_PORT, "tls-right")
        address = (self.client.ip, TLS_PORT)
        self.wait_for_name("left", address, hello("left.default.svc.cluster.local"))
        self.wait_for_name("right", address, hello("right.default.svc.cluster.local"))
        self.write("tls.yaml", istio("VirtualService", "tls", {"hosts": ["*.shop.test", "left"], "tls": [
            {"match": [{"sniHosts": ["a.shop.test"]}], "route": [{"destination": {"host": "right"}}]},
            {"match": [{"sniHosts": ["*.shop.test"], "port": TLS_PORT}], "route": [{"destination": {"host": "left"}}]}]}))
        self.wait_for_name("right", address, hello("a.shop.test"))
        self.wait_for_name("left", address, hello("b.shop.test"))
        self.assertEqual("", ask(address, hello("nowhere.test")))

    def test_a_gateway_passes_connections_on(self):
        self.opaque_service("inner", TLS_PORT + 1, "tls")
        self.opaque_service("queue", TCP_PORT + 2, "tcp")
        gateway = self.mesh.sidecar("edge", labels={"istio": "edge"}, kind="router")
        self.write("gateway.yaml", istio("Gateway", "edge", {"selector": {"istio": "edge"}, "servers": [
            {"port": {"number": TLS_PORT, "name": "tls", "protocol": "TLS"}, "tls": {"mode": "PASSTHROUGH"}, "hosts": ["*.edge.test"]},
            {"port": {"number": TCP_PORT, "name": "tcp", "protocol": "TCP"}, "hosts": ["*"]},
            {"port": {"number": EDGE_PORT, "name": "auto", "protocol": "TLS"}, "tls": {"mode": "AUTO_PASSTHROUGH"}, "hosts": ["*.local"]}]}),
            istio("VirtualService", "edge", {"hosts": ["*.edge.test"], "gateways": ["edge"], "tls": [
                {"match": [{"sniHosts": ["in.edge.test"], "port": TLS_PORT}], "route": [{"destination": {"host": "inner"}}]}]}),
            istio("VirtualService", "queue", {"hosts": ["*"], "gateways": ["edge"], "tcp": [
                {"match": [{"port": TCP_PORT}], "route": [{"destination": {"host": "queue"}}]}]}))
        self.wait_for_name("inner", (gateway.ip, TLS_PORT), hello("in.edge.test"))
        self.wait_for_name("queue", (gateway.ip, TCP_PORT))
        self.assertEqual("", ask((gateway.ip, TLS_PORT), hello("out.edge.test")))
        name = f"outbound_.{TLS_PORT + 1}_._.inner.default.svc.cluster.local"
        self.wait_for_name("inner", (gateway.ip, EDGE_PORT), hello(name, ["istio"]))
        self.assertEqual("", ask((gateway.ip, EDGE_PORT), hello(name)))  # sidecars alone say "istio"


def _status(address):
    try:
        return fetch(address, "/", host="any").status
    except OSError:
        return None


if __name__ == "__main__":
    unittest.main()
