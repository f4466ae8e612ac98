"""A small mesh on loopback: weft-control with a directory of YAML, services in several versions, sidecars without capture.

Every mesh takes a block 127.x.y.0/24 of its own, so that each workload has an address and the ports of the YAML stay as they are.
The sidecars are the data plane under test (weft-proxy, or Envoy in its place); the applications are scripted upstreams.
"""
import collections
import json
import os
import random
import shutil
import signal
import socket
import tempfile

from .bootstrap import ads_bootstrap
from .data_plane import DataPlane, our_program
from .process import Background, Program, wait_for_file
from .raw_http import Connection, fetch
from .upstream import Upstream
from .wait import wait_for

PORT = 8080


class Control:
    """weft-control; `restart` brings it back on the same ports and the same store. `host`: where proxies reach it."""

    def __init__(self, folder, host="127.0.0.1"):
        self.folder = folder
        self.config = os.path.join(folder, "config")
        os.makedirs(self.config, exist_ok=True)
        self._addresses = {"xds": f"{host}:0", "http": "127.0.0.1:0"}
        self.program = None

    def start(self):
        told = os.path.join(self.folder, "addresses.json")
        if os.path.exists(told):
            os.unlink(told)
        self.program = Program([
            our_program("weft-control"), "--config-dir", self.config, "--store", os.path.join(self.folder, "store.db"),
            "--xds-address", self._addresses["xds"], "--http-address", self._addresses["http"], "--address-path", told])
        self._addresses = json.loads(wait_for_file(told, self.program, "weft-control's addresses"))
        wait_for(lambda: self.program.require_alive() and fetch(self.http, "/ready", host="localhost").status == 200, "a ready weft-control")

    @property
    def xds(self):
        return _split(self._addresses["xds"])

    @property
    def http(self):
        return _split(self._addresses["http"])

    def kill(self):
        self.program.kill()

    def restart(self):
        self.program.stop()
        self.start()

    def stop(self):
        if self.program:
            self.program.stop()

    def write(self, name, *documents):
        """Puts a file of YAML text or of objects into the watched directory, in one step."""
        text = "\n---\n".join(document if isinstance(document, str) else json.dumps(document) for document in documents)
        path = os.path.join(self.config, name)
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.rename(path + ".part", path)

    def remove(self, name):
        os.unlink(os.path.join(self.config, name))


class Mesh:
    """weft-control, its services, and the sidecars started so far."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weft-mesh-")
        self._block = f"127.{random.randrange(10, 250)}.{random.randrange(0, 250)}"
        self._hosts = 0
        self.control = Control(self.folder)
        self.apps, self._services, self.proxies = {}, {}, []
        self._closing = []

    def start(self):
        self.control.start()
        return self

    def close(self):
        for proxy in self.proxies:
            proxy.stop()
        self.control.stop()
        for thing in self._closing:
            thing.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def new_address(self):
        self._hosts += 1
        return f"{self._block}.{self._hosts}"

    # -- services

    def service(self, name, *versions, sidecars=False, labels="version"):
        """A Kubernetes Service with one pod per version; the pod's label `labels` is the version. Writes the YAML."""
        pods = []
        for version in versions:
            ip = self.new_address()
            if sidecars:
                app = Upstream(f"{name}-{version}")
            else:
                app = Upstream(f"{name}-{version}", host=ip, port=PORT)
            self._closing.append(app)
            self.apps[app.name] = app
            pods.append({"name": app.name, "ip": ip, "labels": {"app": name, labels: version}})
            if sidecars:
                self.sidecar(app.name, ip, pods[-1]["labels"], {"APP_PORTS": {str(PORT): app.port}})
        self._services[name] = pods
        self.control.write(f"service-{name}.yaml", *self._objects(name, pods))
        return [self.apps[pod["name"]] for pod in pods]

    def set_endpoints(self, name, *versions):
        """Leaves only these versions' pods in the service's EndpointSlice."""
        pods = [pod for pod in self._services[name] if pod["name"] in {f"{name}-{version}" for version in versions}]
        self.control.write(f"service-{name}.yaml", *self._objects(name, pods))

    def _objects(self, name, pods):
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
               "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}]}}
        for pod in self._services[name]:
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod["name"], "namespace": "default", "labels": pod["labels"]},
                   "status": {"podIP": pod["ip"], "phase": "Running"}}
        yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
               "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
               "addressType": "IPv4", "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
               "endpoints": [{"addresses": [pod["ip"]], "conditions": {"ready": True},
                              "targetRef": {"kind": "Pod", "name": pod["name"], "namespace": "default"}} for pod in pods]}

    # -- proxies

    def sidecar(self, name, ip=None, labels=None, metadata=None, kind="sidecar", namespace="default", delta=False):
        """A proxy beside a workload, bound on the workload's own address."""
        ip = ip or self.new_address()
        node = {"id": f"{kind}~{ip}~{name}.{namespace}~{namespace}.svc.cluster.local", "cluster": name,
                "metadata": {"INTERCEPTION_MODE": "NONE", "UNPRIVILEGED_POD": "true", "NAMESPACE": namespace, "LABELS": labels or {"app": name},
                             **(metadata or {})}}
        proxy = DataPlane(ads_bootstrap(self.control.xds, delta=delta, node=node))
        proxy.ip = ip
        self.proxies.append(proxy)
        return proxy

    def client(self, **options):
        """A sidecar that only sends."""
        return self.sidecar("client", **options)

    # -- traffic

    def call(self, proxy, host, path="/", headers=(), **options):
        """A request of the workload beside `proxy` to a service; waits for the listener on the first."""
        address = (proxy.ip, PORT)
        wait_for(lambda: socket.create_connection(address, 1).close() is None, f"the outbound listener {address}")
        return fetch(address, path, headers=headers, host=host, **options)

    def answering(self, proxy, host, path="/", headers=()):
        """The name of the app that answered, or the status of another answer."""
        answer = self.call(proxy, host, path, headers)
        return answer.json()["upstream"] if answer.status == 200 else answer.status

    def wait_for_answer(self, proxy, host, wanted, path="/", headers=()):
        wait_for(lambda: self.answering(proxy, host, path, headers) == wanted, f"{wanted} answering for {host}{path}")

    def counts(self, proxy, host, times, path="/", headers=()):
        """Who answered how often."""
        counter = collections.Counter()
        with Connection((proxy.ip, PORT)) as connection:
            for _ in range(times):
                answer = connection.request("GET", path, headers, host=host)
                counter[answer.json()["upstream"] if answer.status == 200 else answer.status] += 1
        return counter

    def load(self, proxy, host, threads=2):
        """Requests without a pause; results are lists of statuses."""
        def one():
            statuses = []
            with Connection((proxy.ip, PORT)) as connection:
                for _ in range(20):
                    answer = connection.request("GET", "/load", host=host)
                    statuses.append(answer.status)
                    if answer.header("connection") == "close":
                        break
            return statuses
        return Background(one, threads=threads)

    @staticmethod
    def pause(member):
        """SIGSTOP to a proxy or the control plane: it is there and does nothing."""
        member.program.signal(signal.SIGSTOP)

    @staticmethod
    def resume(member):
        member.program.signal(signal.SIGCONT)


def assert_all_ok(test, load):
    """No request of a load failed, and there were some."""
    statuses = [status for statuses in load.stop() for status in statuses]
    test.assertEqual([], load.errors)
    test.assertTrue(statuses)
    test.assertEqual({200}, set(statuses), f"of {len(statuses)} requests")


def _split(text):
    host, _, port = text.rpartition(":")
    return host, int(port)
