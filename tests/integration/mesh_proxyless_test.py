"""gRPC clients with an `xds:///` target, in C++ and Python, reach services through weft-control alone: no proxy beside them."""
import concurrent.futures
import json
import os
import subprocess
import sys
import unittest

import grpc

from meshtest import grpc_caller
from meshtest.data_plane import ROOT, our_program
from meshtest.mesh import PORT, Mesh
from meshtest.wait import wait_for

METHOD = "/echo.Echo/Say"
UNAVAILABLE = "14"
QUIET = {**os.environ, "GRPC_VERBOSITY": "NONE"}  # it logs what it waits for
FULL = "user-service.default.svc.cluster.local"
TARGET = f"xds:///{FULL}:{PORT}"
PYTHON = [sys.executable, grpc_caller.__file__]
SUBSETS = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "users"},
           "spec": {"host": "user-service", "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}},
                    "subsets": [{"name": v, "labels": {"version": v}} for v in ("v1", "v2")]}}


def customer(name):
    with open(os.path.join(ROOT, "config", "customer", name), encoding="utf-8") as file:
        return file.read()


def virtual_service(*http):
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "users"},
            "spec": {"hosts": ["user-service"], "http": list(http)}}


def to(subset, weight=None):
    return {"destination": {"host": "user-service", "subset": subset}, **({} if weight is None else {"weight": weight})}


class Caller:
    """A running client; `call` has it make calls and gives back how often each answer came."""

    def __init__(self, command, bootstrap):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         env={**QUIET, "GRPC_XDS_BOOTSTRAP": bootstrap})

    def call(self, target, count=1, method=METHOD, **metadata):
        words = [target, method, str(count), *(f"{name}={value}" for name, value in metadata.items())]
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Proxyless(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.start()
        cls.write, cls.remove = cls.mesh.control.write, cls.mesh.control.remove
        cls.pods = {version: cls.mesh.new_address() for version in ("v1", "v2")}
        for version, ip in cls.pods.items():
            server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
            server.add_generic_rpc_handlers((grpc_caller.Echo(version),))
            assert server.add_insecure_port(f"{ip}:{PORT}") == PORT
            server.start()
            cls.addClassCleanup(server.stop, 0)
        cls.write("users.yaml", *cls.objects(cls.pods))
        cls.write("subsets.yaml", SUBSETS)
        cls.callers = {}
        for name, command in (("c++", [our_program("test-grpc-caller")]), ("python", PYTHON)):
            cls.callers[name] = Caller(command, cls.bootstrap(f"client-{name.strip('+')}"))
            cls.addClassCleanup(cls.callers[name].close)

    @staticmethod
    def objects(pods):
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "user-service"},
               "spec": {"selector": {"app": "users"}, "ports": [{"name": "grpc", "port": PORT, "targetPort": PORT}]}}
        for version, ip in pods.items():
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"users-{version}", "labels": {"app": "users", "version": version}},
                   "status": {"podIP": ip, "phase": "Running"}}

    @classmethod
    def bootstrap(cls, name, ip=None):
        """The file that docs/proxyless-grpc.md tells to write."""
        host, port = cls.mesh.control.xds
        path = os.path.join(cls.mesh.folder, f"{name}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"xds_servers": [{"server_uri": f"{host}:{port}", "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
                       "node": {"id": f"sidecar~{ip or cls.mesh.new_address()}~{name}.default~default.svc.cluster.local",
                                "metadata": {"GENERATOR": "grpc"}},
                       "server_listener_resource_name_template": "xds.istio.io/grpc/lds/inbound/%s"}, file)
        return path

    def wait_for_answers(self, wanted, target=TARGET, count=10, method=METHOD, **metadata):
        """Until each client gets these answers and no others."""
        for name, caller in self.callers.items():
            wait_for(lambda: set(caller.call(target, count, method, **metadata)) == set(wanted), f"{wanted} for {name}")

    def assert_answers(self, wanted, count=5, method=METHOD, **metadata):
        for name, caller in self.callers.items():
            self.assertEqual(set(wanted), set(caller.call(TARGET, count, method, **metadata)), name)

    def test_every_name_of_the_service(self):
        for host in (FULL, "user-service", "user-service.default", "user-service.default.svc"):
            self.wait_for_answers({"v1", "v2"}, f"xds:///{host}:{PORT}")

    def test_canary_of_the_customer(self):
        self.write("canary.yaml", customer("canary.yaml"))
        self.addCleanup(self.remove, "canary.yaml")
        self.wait_for_answers({"v2"}, canary="true")
        for name, caller in self.callers.items():
            counts = caller.call(TARGET, 400)
            self.assertEqual({"v1", "v2"}, set(counts), name)
            self.assertAlmostEqual(20, counts["v2"], delta=18)

    def test_updates_reach_a_running_client(self):
        self.addCleanup(self.remove, "shift.yaml")
        for share in (0, 50, 100):
            self.write("shift.yaml", virtual_service({"route": [to("v1", 100 - share), to("v2", share)]}))
            self.wait_for_answers({version for version, part in (("v1", 100 - share), ("v2", share)) if part}, count=30)
        self.write("users.yaml", *self.objects({"v2": self.pods["v2"]}))
        self.addCleanup(lambda: self.write("users.yaml", *self.objects(self.pods)))
        self.write("shift.yaml", virtual_service({"route": [{"destination": {"host": "user-service"}}]}))
        self.wait_for_answers({"v2"}, count=20)

    def test_methods_faults_and_what_grpc_cannot_match(self):
        self.write("methods.yaml", virtual_service(
            {"match": [{"uri": {"prefix": "/echo.Echo/Bad"}}], "fault": {"abort": {"httpStatus": 503, "percentage": {"value": 100}}}, "route": [to("v1")]},
            {"match": [{"queryParams": {"a": {"exact": "b"}}}], "route": [to("v2")]},
            {"match": [{"uri": {"exact": "/echo.Echo/Two"}, "method": {"exact": "POST"}}], "timeout": "3s",
             "corsPolicy": {"allowOrigins": [{"exact": "http://a"}]}, "route": [to("v2")]},
            {"match": [{"headers": {"user": {"regex": "b.b"}}}, {"headers": {"user": {"prefix": "al"}}}], "route": [to("v2")]},
            {"match": [{"uri": {"prefix": "/echo.Echo/Gone"}}], "directResponse": {"status": 410}},
            {"route": [to("v1")]}))
        self.addCleanup(self.remove, "methods.yaml")
        self.wait_for_answers({"v2"}, method="/echo.Echo/Two")
        self.assert_answers({"v1"})
        self.assert_answers({"v2"}, user="bob")
        self.assert_answers({"v2"}, user="alice")
        self.assert_answers({"v1"}, user="eve")
        self.assert_answers({UNAVAILABLE}, 1, "/echo.Echo/Bad")
        self.assert_answers({UNAVAILABLE}, 1, "/echo.Echo/Gone")

    def test_grpc_route(self):
        for version in ("v1", "v2"):
            self.write(f"{version}.yaml", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": version}, "spec": {
                "selector": {"app": "users", "version": version}, "ports": [{"name": "grpc", "port": PORT}]}})
            self.addCleanup(self.remove, f"{version}.yaml")
        self.write("route.yaml", {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": {"name": "users"},
            "spec": {"parentRefs": [{"group": "", "kind": "Service", "name": "user-service"}],
                     "rules": [{"matches": [{"method": {"service": "echo.Echo", "method": "New"}}], "backendRefs": [{"name": "v2", "port": PORT}]},
                               {"matches": [{"method": {"service": "echo.Echo"}}], "backendRefs": [{"name": "v1", "port": PORT}]}]}})
        self.addCleanup(self.remove, "route.yaml")
        self.wait_for_answers({"v2"}, method="/echo.Echo/New")
        self.assert_answers({"v1"})

    def test_a_server_of_grpc(self):
        """gRPC's own xDS server serves once weft-control has given it its listener."""
        ip = self.mesh.new_address()
        self.write("served.yaml",
                   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "served"},
                    "spec": {"selector": {"app": "served"}, "ports": [{"name": "grpc", "port": PORT}]}},
                   {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "served-1", "labels": {"app": "served"}}, "status": {"podIP": ip}})
        self.addCleanup(self.remove, "served.yaml")
        server = subprocess.Popen([*PYTHON, "server", f"{ip}:{PORT}", "served-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env={**QUIET, "GRPC_XDS_BOOTSTRAP": self.bootstrap("served-1", ip)})

        def stop():
            server.stdin.close()
            server.wait(10)
            server.stdout.close()
        self.addCleanup(stop)
        self.assertEqual("started\n", server.stdout.readline())
        self.wait_for_answers({"served-1"}, f"xds:///served:{PORT}")


if __name__ == "__main__":
    unittest.main()
