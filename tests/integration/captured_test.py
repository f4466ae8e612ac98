#!/usr/bin/env python3
"""Pods under capture: an application, weft-init's rules and a proxy under weft-control, and nothing else. The applications dial addresses
as they would without a mesh; what they reach, and as whom, shows that both proxies had it.

The same bodies run with weft-proxy and with a real Envoy in its place: WEFT_DATA_PLANE chooses."""
import os
import shutil
import socket
import ssl
import struct
import tempfile
import unittest

from meshtest.bootstrap import ads_bootstrap
from meshtest.data_plane import DataPlane, weft_only
from meshtest.grpc_echo import EchoServer
from meshtest.h2peer import Http2Client
from meshtest.mesh import Control
from meshtest.pods import APP, PROXY, Node, main, read_all, require_pods, require_rules
from meshtest.process import run
from meshtest.raw_http import fetch
from meshtest.upstream import Upstream
from meshtest.wait import wait_for

RULES = ("-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020")
INBOUND_SOURCE = "127.0.0.6"  # as whom the proxy calls its application
HTTP_VIP, GRPC_VIP, DB_VIP, SOMEWHERE = "10.96.0.11", "10.96.0.12", "10.96.0.13", "240.0.0.50"


def service(name, vip, port, target, port_name, pod, headless=False):
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
           "spec": {"selector": {"app": pod.name}, "clusterIP": "None" if headless else vip,
                    "ports": [{"name": port_name, "port": port, "targetPort": target, "protocol": "TCP"}]}}
    yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
           "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
           "addressType": "IPv4", "ports": [{"name": port_name, "port": target, "protocol": "TCP"}],
           "endpoints": [{"addresses": [pod.ip], "conditions": {"ready": True},
                          "targetRef": {"kind": "Pod", "name": pod.name, "namespace": "default"}}]}


def service_entry(name, hosts, port, protocol, *addresses):
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": name, "namespace": "default"},
            "spec": {"hosts": hosts, "location": "MESH_EXTERNAL", "resolution": "STATIC",
                     "ports": [{"number": port, "name": protocol.lower(), "protocol": protocol}],
                     "endpoints": [{"address": address} for address in addresses]}}


def greeter(name):
    """A server-first protocol, as databases speak: a greeting, then each line echoed."""
    def serve(connection, peer):
        connection.sendall(f"{name} greets {peer[0]}\n".encode())
        while data := connection.recv(4096):
            connection.sendall(data.upper())
    return serve


def websocket(connection, peer):
    """Takes any upgrade and echoes what comes behind it."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    rest = head.partition(b"\r\n\r\n")[2]
    while data := rest or connection.recv(4096):
        connection.sendall(data)
        rest = b""


class Captured(unittest.TestCase):
    """A client and a server, both with a proxy; two outside without. One world for all tests."""

    @classmethod
    def setUpClass(cls):
        require_pods()
        require_rules("iptables", "openssl")
        cls.folder = tempfile.mkdtemp(prefix="weft-captured-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.node = Node()
        cls.addClassCleanup(cls.node.close)
        cls.client, cls.server, cls.first, cls.second = (cls.node.pod(name) for name in ("client", "server", "first", "second"))
        cls.start_applications()
        cls.control = Control(os.path.join(cls.folder, "control"), host="10.77.0.1")
        cls.addClassCleanup(cls.control.stop)
        cls.control.write("world.yaml", *cls.world())
        cls.control.start()
        cls.proxies = {pod.name: cls.with_proxy(pod) for pod in (cls.client, cls.server)}

    @classmethod
    def start_applications(cls):
        pod = cls.server
        cls.web = pod.within(lambda: pod.keep(Upstream("web", host="0.0.0.0", port=8080)), APP)
        cls.rpc = pod.within(lambda: pod.keep(EchoServer("0.0.0.0", 7000)), APP)
        pod.serve(("0.0.0.0", 5432), greeter("db"))
        pod.serve(("0.0.0.0", 6000), greeter("headless"))
        pod.serve(("0.0.0.0", 8081), websocket)
        for outside in (cls.first, cls.second):
            outside.within(lambda outside=outside: outside.keep(Upstream(outside.name, host="0.0.0.0", port=80)), APP)
            outside.serve(("0.0.0.0", 443), cls.tls(outside.name))
            outside.serve(("0.0.0.0", 7777), greeter(outside.name))

    @classmethod
    def tls(cls, name):
        """A TLS server with a certificate of its own, which says who it is."""
        key, certificate = os.path.join(cls.folder, name + ".key"), os.path.join(cls.folder, name + ".crt")
        code, text = run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                          "-keyout", key, "-out", certificate])
        if code:
            raise AssertionError(text)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def serve(connection, peer):
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(f"{name} over TLS".encode())
        return serve

    @classmethod
    def world(cls):
        for pod in (cls.client, cls.server):
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod.name, "namespace": "default", "labels": {"app": pod.name}},
                   "status": {"podIP": pod.ip, "phase": "Running"}}
        yield from service("web", HTTP_VIP, 80, 8080, "http", cls.server)
        yield from service("socket", HTTP_VIP, 81, 8081, "http-socket", cls.server)
        yield from service("rpc", GRPC_VIP, 7000, 7000, "grpc", cls.server)
        yield from service("db", DB_VIP, 5432, 5432, "tcp-postgres", cls.server)
        yield from service("headless", None, 6000, 6000, "tcp-any", cls.server, headless=True)
        yield service_entry("outside", ["outside.example.com"], 80, "HTTP", cls.first.ip)
        yield service_entry("first", ["first.example.com"], 443, "TLS", cls.first.ip)
        yield service_entry("second", ["second.example.com"], 443, "TLS", cls.second.ip)

    @classmethod
    def with_proxy(cls, pod, mode="REDIRECT", **metadata):
        """The rules first, as an init container would; then the proxy, as its own user. Taking a client's address needs more rights than
        that user has: with TPROXY the proxy is root, in the proxy's group."""
        code, text = pod.init(*RULES, "-m", mode)
        if code:
            raise AssertionError(text)
        node = {"id": f"sidecar~{pod.ip}~{pod.name}.default~default.svc.cluster.local", "cluster": pod.name,
                "metadata": {"INTERCEPTION_MODE": mode, "NAMESPACE": "default", "LABELS": {"app": pod.name}, "INSTANCE_IPS": pod.ip,
                             "DNS_CAPTURE": "true", **metadata}}
        proxy = pod.within(lambda: DataPlane(ads_bootstrap(cls.control.xds, node=node)), PROXY if mode == "REDIRECT" else 0, PROXY)
        cls.addClassCleanup(proxy.stop)
        return proxy

    # -- what applications do

    def get(self, address, host, path="/", pod=None):
        """An application's request, once it is answered by an application."""
        pod = pod or self.client

        def answered():
            answer = pod.within(lambda: fetch(address, path, host=host), APP)
            return answer if answer.status == 200 else None
        return wait_for(answered, f"an answer of {host} at {address}")

    def greeting(self, address):
        def greeted():
            with self.client.connect(address) as connection:
                hello = connection.recv(4096).decode()
                if not hello:
                    raise ConnectionError("closed without a greeting")
                connection.sendall(b"select 1\n")
                self.assertEqual(b"SELECT 1\n", connection.recv(4096))
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual("", read_all(connection))
                return hello.strip()
        return wait_for(greeted, f"a greeting of {address}")

    def test_http(self):
        answer = self.get((HTTP_VIP, 80), "web")
        self.assertEqual("web", answer.json()["upstream"])
        self.assertIn("x-envoy-upstream-service-time", dict(answer.headers))
        self.assertEqual("web", self.get((HTTP_VIP, 80), "web.default.svc.cluster.local").json()["upstream"])

    def test_http_at_the_pods_address(self):
        """Not by its service: passed through by the client's proxy, known to the server's."""
        self.assertEqual("web", self.get((self.server.ip, 8080), "anything").json()["upstream"])

    def test_self_call(self):
        self.assertEqual("web", self.get((HTTP_VIP, 80), "web", pod=self.server).json()["upstream"])
        self.assertEqual("web", self.get(("127.0.0.1", 8080), "web", pod=self.server).json()["upstream"])

    def test_grpc(self):
        def call():
            with Http2Client((GRPC_VIP, 7000)) as client:
                message = b"hello"
                return client.request("POST", "/test.Echo/Unary", [("content-type", "application/grpc"), ("te", "trailers")],
                                      b"\0" + struct.pack("!I", len(message)) + message, authority="rpc:7000")

        def answered():
            answer = self.client.within(call, APP)
            return answer if answer.body else None
        answer = wait_for(answered, "an answer to a gRPC call")
        self.assertEqual(b"\0\0\0\0\x05hello", answer.body)
        self.assertIn(("grpc-status", "0"), [tuple(field) for field in answer.trailers])

    def test_websocket(self):
        def upgraded():
            with self.client.connect((HTTP_VIP, 81)) as connection:
                connection.sendall(b"GET /chat HTTP/1.1\r\nHost: socket:81\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(4096)
                    if not piece:
                        return None
                    head += piece
                if not head.startswith(b"HTTP/1.1 101"):
                    return None
                connection.sendall(b"\x81\x05hello")
                return connection.recv(4096)
        self.assertEqual(b"\x81\x05hello", wait_for(upgraded, "an upgrade"))

    def test_server_first_tcp(self):
        self.assertEqual(f"db greets {INBOUND_SOURCE}", self.greeting((DB_VIP, 5432)))

    def test_headless(self):
        self.assertEqual(f"headless greets {INBOUND_SOURCE}", self.greeting((self.server.ip, 6000)))

    def test_tls_by_sni(self):
        """Wherever the application dials: the name in the ClientHello decides."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def said(name):
            with self.client.connect((SOMEWHERE, 443)) as connection:
                with context.wrap_socket(connection, server_hostname=name) as secure:
                    return secure.recv(4096).decode()
        for name in ("first", "second"):
            with self.subTest(name):
                self.assertEqual(f"{name} over TLS", wait_for(lambda name=name: said(name + ".example.com"), "TLS by SNI"))

    def test_external_services(self):
        self.assertEqual("first", self.get((SOMEWHERE, 80), "outside.example.com").json()["upstream"])

    def test_unknown_destinations_pass_through(self):
        self.assertEqual(f"second greets {self.client.ip}", self.greeting((self.second.ip, 7777)))
        self.assertEqual("second", self.get((self.second.ip, 80), "nobody.example.com").json()["upstream"])

    def test_a_closed_port_is_closed(self):
        """Nothing listens: the application finds its connection closed, and does not hang."""
        with self.client.connect((self.second.ip, 9)) as connection:
            try:
                self.assertEqual("", read_all(connection))
            except ConnectionResetError:
                pass

    def test_tproxy(self):
        """The other way to capture: connections reach the proxy unchanged."""
        pod = self.node.pod("kept")
        pod.keep(pod.within(lambda: Upstream("kept", host="0.0.0.0", port=8080), APP))
        pod.serve(("0.0.0.0", 5432), greeter("kept"))
        self.control.write("kept.yaml", *service("kept", "10.96.0.20", 80, 8080, "http", pod),
                           *service("kept-db", "10.96.0.21", 5432, 5432, "tcp-postgres", pod))
        self.with_proxy(pod, "TPROXY")
        client = self.proxies["client"]
        wait_for(lambda: "10.96.0.21_5432" in self.client.within(client.listeners), "the client's listener for a new service")
        self.assertEqual(f"kept greets {INBOUND_SOURCE}", self.greeting(("10.96.0.21", 5432)))
        self.assertEqual("kept", self.get(("10.96.0.20", 80), "kept").json()["upstream"])

    def asking(self, pod):
        """Has the pod's DNS captured, too; gives what asks a resolver out of reach: (rcode, the last address of the answer)."""
        code, text = pod.init(*RULES, "--redirect-dns", "--dns-servers", "10.96.0.10", "--reconcile")
        self.assertEqual(0, code, text)

        def asked(name):
            question = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0)
            question += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack("!2H", 1, 1)
            with pod.socket(kind=socket.SOCK_DGRAM, timeout=1.0) as asking:
                asking.connect(("10.96.0.10", 53))
                asking.send(question)
                answer = asking.recv(1500)
                return answer[3] & 15, socket.inet_ntoa(answer[-4:])
        return asked

    @weft_only("the DNS proxy is the agent's with Istio, and ours in weft-proxy")
    def test_dns(self):
        asked = self.asking(self.client)
        for name in ("web.default.svc.cluster.local", "web.default", "web"):
            with self.subTest(name):
                self.assertEqual((0, HTTP_VIP), wait_for(lambda name=name: asked(name), "an answer of the DNS proxy"))
        self.assertEqual((0, self.server.ip), asked("headless.default.svc.cluster.local"))
        self.assertEqual("web", self.get((asked("web.default")[1], 80), "web.default").json()["upstream"])

    @weft_only("the DNS proxy is the agent's with Istio, and ours in weft-proxy")
    def test_an_automatic_address(self):
        """A host without an address is given one: DNS says it, and the proxy listens for it."""
        pod = self.node.pod("named")
        self.with_proxy(pod, DNS_AUTO_ALLOCATE="true")
        asked = self.asking(pod)
        code, address = wait_for(lambda: asked("first.example.com"), "an answer of the DNS proxy")
        self.assertEqual((0, "240.240"), (code, address.rsplit(".", 2)[0]))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def said():
            with pod.connect((address, 443)) as connection, context.wrap_socket(connection, server_hostname="first.example.com") as secure:
                return secure.recv(4096).decode()
        self.assertEqual("first over TLS", wait_for(said, "TLS to the address"))


if __name__ == "__main__":
    main()
