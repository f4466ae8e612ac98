"""The layout of a captured sidecar in a network namespace of its own: what real rules redirect goes where istiod's layout has it."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from meshtest.bootstrap import ads_bootstrap, cluster, listener
from meshtest.data_plane import DataPlane, data_plane_program, our_program
from meshtest.mesh import Control
from meshtest.pods import SO_MARK, main, require_pods, require_rules
from meshtest.process import run
from meshtest.raw_http import fetch
from meshtest.upstream import Upstream
from meshtest.wait import wait_for

OUTBOUND, INBOUND = 7, 6  # marks of the connections that the rules redirect
POD, OTHER, THIRD, STRANGER = "10.0.0.5", "10.0.0.6", "10.0.0.7", "192.0.2.9"
WEB, DATABASE, UNKNOWN = "10.96.0.1", "10.96.0.2", "10.96.0.3"
RULES = [f"-t nat -A OUTPUT -p tcp -m mark --mark {mark} -j REDIRECT --to-ports {port}" for mark, port in ((OUTBOUND, 15001), (INBOUND, 15006))]


def service(name, ip, *ports, app=None):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"clusterIP": ip, "selector": {"app": app or name},
                     "ports": [{"name": word, "port": port, "targetPort": target} for word, port, target in ports]}}


def pod(name, app, ip):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": app}},
            "status": {"podIP": ip, "phase": "Running"}}


MESH = [service("web", WEB, ("http", 80, 8080)), service("db", DATABASE, ("tcp", 5432, 5432)), service("odd", UNKNOWN, ("odd", 9000, 8080)),
        service("peers", "None", ("tcp", 7000, 7000)), service("shop", "10.96.0.4", ("http", 80, 8080), ("tcp-own", 6000, 6000)),
        pod("web-1", "web", OTHER), pod("db-1", "db", OTHER), pod("odd-1", "odd", OTHER), pod("peers-1", "peers", OTHER),
        pod("peers-2", "peers", THIRD), pod("shop-1", "shop", POD)]


class Greeter:
    """A server that speaks first: its name and who called, then closes."""

    def __init__(self, name, address):
        self._name = name
        self._listener = socket.create_server(address)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.sendall(f"{self._name} {peer[0]}".encode())
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def connect(address, mark=OUTBOUND):
    """A connection that the rules redirect."""
    made = socket.socket()
    made.settimeout(10)
    made.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    made.connect(address)
    return made


def heard(address, mark=OUTBOUND, say=b""):
    """All that the other end says."""
    with connect(address, mark) as connection:
        connection.sendall(say)
        pieces = []
        while True:
            try:
                piece = connection.recv(4096)
            except ConnectionError:
                return "reset"
            if not piece:
                return b"".join(pieces).decode()
            pieces.append(piece)


def get(address, host, mark=OUTBOUND):
    """(status, answer) of a GET."""
    with connect(address, mark) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        text = b""
        while piece := connection.recv(65536):
            text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(body) if status == 200 else body


def refused(folder):
    """What the data plane says against a layout of this kind; nothing if it takes it."""
    path = os.path.join(folder, "captured.json")
    original = cluster("original", type="ORIGINAL_DST", lb_policy="CLUSTER_PROVIDED",
                       upstream_bind_config={"source_address": {"address": "127.0.0.6", "port_value": 0}})
    original.pop("load_assignment")
    tcp = {"name": "envoy.filters.network.tcp_proxy",
           "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "t",
                            "cluster": "original"}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"static_resources": {"clusters": [original], "listeners": [listener(tcp, address=("127.0.0.1", 9), bind_to_port=False),
                                                                              listener(tcp, name="virtual", use_original_dst=True)]}}, file)
    code, text = run([data_plane_program(), "-c", path, "--mode", "validate", "--use-dynamic-base-id"])
    return text if code else ""


class Captured(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        require_pods()
        require_rules("iptables")
        for command in ("link set lo up", *(f"addr add {ip}/32 dev lo" for ip in (POD, OTHER, THIRD, STRANGER))):
            subprocess.run(["ip", *command.split()], check=True)
        subprocess.run(["ip", "route", "add", "10.96.0.0/16", "dev", "lo"], check=True)
        for rule in RULES:
            subprocess.run(["iptables", *rule.split()], check=True)
        folder = tempfile.mkdtemp(prefix="weft-captured-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        if why := refused(folder):
            raise unittest.SkipTest(f"the data plane does not take captured listeners: {why[-1000:]}")
        cls.control = Control(folder)
        cls.addClassCleanup(cls.control.stop)
        cls.control.start()
        cls.control.write("mesh.yaml", *MESH)
        cls.apps = {name: Upstream(name, host=ip, port=8080) for name, ip in (("web-1", OTHER), ("shop-1", POD), ("stranger", STRANGER))}
        for app in cls.apps.values():
            cls.addClassCleanup(app.close)
        for name, address in (("db-1", (OTHER, 5432)), ("peers-1", (OTHER, 7000)), ("peers-2", (THIRD, 7000)), ("shop-tcp", (POD, 6000)),
                              ("stray", (POD, 6500)), ("far", (STRANGER, 6500))):
            cls.addClassCleanup(Greeter(name, address).close)
        node = {"id": f"sidecar~{POD}~shop-1.default~default.svc.cluster.local", "cluster": "shop", "metadata": {"NAMESPACE": "default"}}
        cls.proxy = DataPlane(ads_bootstrap(cls.control.xds, delta=True, node=node))
        cls.addClassCleanup(cls.proxy.stop)
        wait_for(lambda: f"{THIRD}_7000" in cls.proxy.listeners() and cls.status()["state"] == "SYNCED", "a sidecar that took the whole mesh")

    @classmethod
    def status(cls):
        proxies = json.loads(fetch(cls.control.http, "/v1/status", host="localhost").body)["proxies"]
        return proxies[0] if proxies else {"state": "none"}

    def test_everything_is_taken(self):
        self.assertEqual({"virtualInbound": ("0.0.0.0", 15006), "virtualOutbound": ("0.0.0.0", 15001)},
                         {name: address for name, address in self.proxy.listeners().items() if name.startswith("virtual")})
        for kind in ("cds", "lds"):
            manager = "cluster_manager.cds" if kind == "cds" else "listener_manager.lds"
            self.assertEqual(0, self.proxy.stat(f"{manager}.update_rejected"))
        sent = json.loads(fetch(self.control.http, "/v1/proxies/shop-1.default/config/listeners", host="localhost").body)["items"]
        self.assertEqual(["0.0.0.0_80", "10.0.0.6_7000", "10.0.0.7_7000", "10.96.0.2_5432", "10.96.0.3_9000", "10.96.0.4_6000", "virtualInbound",
                          "virtualOutbound"], [item["name"] for item in sent])

    def test_http_goes_by_its_host(self):
        status, answer = get((WEB, 80), "web")
        self.assertEqual((200, "web-1"), (status, answer["upstream"]))
        status, answer = get((STRANGER, 80), "shop.default")
        self.assertEqual((200, "shop-1"), (status, answer["upstream"]))

    def test_tcp_goes_by_its_address(self):
        self.assertTrue(heard((DATABASE, 5432)).startswith("db-1 "))

    def test_what_nobody_told_is_looked_at(self):
        status, answer = get((UNKNOWN, 9000), "any.host.at.all")
        self.assertEqual((200, "web-1"), (status, answer["upstream"]))
        self.assertGreater(self.proxy.stat("http.outbound_10.96.0.3_9000;.downstream_rq_2xx"), 0)

    def test_headless_services_pod_by_pod(self):
        self.assertTrue(heard((OTHER, 7000)).startswith("peers-1 "))
        self.assertTrue(heard((THIRD, 7000)).startswith("peers-2 "))
        self.proxy.wait_stat("cluster.outbound|7000||peers.default.svc.cluster.local.upstream_cx_total", 2)

    def test_what_is_no_service_passes(self):
        self.assertTrue(heard((STRANGER, 6500)).startswith("far "), "a port of nobody")
        status, answer = get((STRANGER, 8080), "elsewhere.example.com")
        self.assertEqual((200, "stranger"), (status, answer["upstream"]))
        self.assertGreater(self.proxy.stat("cluster.PassthroughCluster.upstream_cx_total"), 1)

    def test_inbound_comes_from_its_own_address(self):
        status, answer = get((POD, 8080), "shop", INBOUND)
        self.assertEqual((200, "shop-1"), (status, answer["upstream"]))
        self.assertEqual("shop-tcp 127.0.0.6", heard((POD, 6000), INBOUND))
        self.assertEqual("stray 127.0.0.6", heard((POD, 6500), INBOUND, b"hello\n"), "a port of no service: its clients speak first")
        self.assertGreater(self.proxy.stat("cluster.InboundPassthroughCluster.upstream_cx_total"), 0)

    def test_the_proxys_own_ports_lead_nowhere(self):
        for port, mark in ((15001, OUTBOUND), (15006, INBOUND)):
            for host in ("127.0.0.1", POD):
                self.assertIn(heard((host, port), mark), ("", "reset"))

    def test_which_route_takes_a_request(self):
        def asked(url):
            body = json.dumps({"from": "shop-1", "method": "GET", "url": url}).encode()
            answer = fetch(self.control.http, "/v1/route-test", "POST", [("content-type", "application/json")], body=body, host="localhost").json()
            return answer["configuration"], answer["virtual_host"], [to["cluster"] for to in answer["action"]["destinations"]]
        web, odd = "web.default.svc.cluster.local", "odd.default.svc.cluster.local"
        self.assertEqual(("80", f"{web}:80", [f"outbound|80||{web}"]), asked("http://web/"))
        self.assertEqual(("80", f"{web}:80", [f"outbound|80||{web}"]), asked(f"http://{WEB}/"))
        for host in ("odd:9000", f"{odd}:9000", f"{UNKNOWN}:9000"):
            self.assertEqual((f"{odd}:9000", f"{odd}:9000", [f"outbound|9000||{odd}"]), asked(f"http://{host}/"))
        self.assertEqual(("80", "allow_any", ["PassthroughCluster"]), asked("http://elsewhere.example.com/"))

    def test_pods_come_and_go(self):
        new = "10.0.0.8"
        subprocess.run(["ip", "addr", "add", f"{new}/32", "dev", "lo"], check=True)
        self.addCleanup(Greeter("peers-3", (new, 7000)).close)
        self.control.write("more.yaml", pod("peers-3", "peers", new))
        wait_for(lambda: f"{new}_7000" in self.proxy.listeners(), "a listener for the new pod")
        before = self.proxy.stat("cluster.outbound|7000||peers.default.svc.cluster.local.upstream_cx_total")
        self.assertTrue(heard((new, 7000)).startswith("peers-3 "))
        self.proxy.wait_stat("cluster.outbound|7000||peers.default.svc.cluster.local.upstream_cx_total", before + 1)
        self.control.remove("more.yaml")
        wait_for(lambda: f"{new}_7000" not in self.proxy.listeners(), "no listener for a pod that is gone")


if __name__ == "__main__":
    main()
