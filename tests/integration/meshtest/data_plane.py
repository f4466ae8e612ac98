"""The data plane under test: weft-proxy, or a real Envoy in its place, started from one bootstrap on ports the kernel gives.

WEFT_DATA_PLANE=weft|envoy chooses; WEFT_BIN_DIR is the folder with our programs,
WEFT_PEERS the Python environment with Envoy's.
"""
import glob
import json
import os
import shutil
import socket
import tempfile
import unittest

from .process import Program, run, wait_for_file
from .raw_http import fetch
from .wait import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def data_plane_kind():
    return os.environ.get("WEFT_DATA_PLANE", "weft")


def our_program(name):
    """The path of one of our programs; without it there is nothing to test, which is a failure and no skip."""
    folder = os.environ.get("WEFT_BIN_DIR")
    if not folder:
        raise AssertionError("set WEFT_BIN_DIR to the folder with weft-proxy and weft-control, such as build/dev/bin")
    path = os.path.join(folder, name)
    if not os.access(path, os.X_OK):
        raise AssertionError(f"no program {path}")
    return path


def envoy_program():
    """The real Envoy that `./dev interop` installs from PyPI. The program itself: the launcher beside it clashes with xds-protos."""
    peers = os.environ.get("WEFT_PEERS") or os.path.join(ROOT, ".peers", "py")
    found = glob.glob(os.path.join(peers, "lib/python3*/site-packages/envoy/_bin/envoy"))
    if not found:
        raise AssertionError(f"no Envoy in {peers}: ./dev interop installs it (tools/peers.txt)")
    return found[0]


def data_plane_program(kind=None):
    return envoy_program() if (kind or data_plane_kind()) == "envoy" else our_program("weft-proxy")


def weft_only(reason):
    """For a test of what only weft-proxy does (its flags, its messages)."""
    return unittest.skipIf(data_plane_kind() == "envoy", f"weft-proxy only: {reason}")


class DataPlane:
    """A running proxy. `bootstrap` is a dict or YAML text; an admin listener on port 0 is expected in it."""

    def __init__(self, bootstrap, kind=None, concurrency=1, flags=(), wait_ready=True, env=None):
        self.kind = kind or data_plane_kind()
        self._folder = tempfile.mkdtemp(prefix="weft-data-plane-")
        self.config_path = os.path.join(self._folder, "bootstrap.yaml")
        self.replace_config(bootstrap)
        admin_path = os.path.join(self._folder, "admin")
        level = os.environ.get("WEFT_TEST_LOG_LEVEL", "warning" if self.kind == "envoy" else "info")
        arguments = [data_plane_program(self.kind), "-c", self.config_path, "--concurrency", str(concurrency), "-l", level,
                     "--disable-hot-restart", "--use-dynamic-base-id", "--admin-address-path", admin_path, *flags]
        self.program = Program(arguments, name=f"{self.kind}-proxy", env=env)
        try:
            text = wait_for_file(admin_path, self.program, "the admin address")
            host, _, port = text.rpartition(":")
            self.admin_address = (host, int(port))
            if wait_ready:
                self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def replace_config(self, bootstrap):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(bootstrap if isinstance(bootstrap, str) else json.dumps(bootstrap, indent=1))

    def wait_ready(self):
        """Until /ready says LIVE, which is when the listeners are open."""
        wait_for(lambda: self.program.require_alive() and self.admin("/ready").status == 200, "a ready data plane")

    def admin(self, target, method="GET", body=None):
        """A request to the admin listener."""
        return fetch(self.admin_address, target, method, body=body, host="admin")

    def listeners(self):
        """Listener name to (host, port) as bound, or to the path of a Unix socket."""
        found = {}
        for status in json.loads(self.admin("/listeners?format=json").body).get("listener_statuses", []):
            address = status["local_address"].get("socket_address")
            found[status["name"]] = (address["address"], address["port_value"]) if address else status["local_address"]["pipe"]["path"]
        return found

    def clusters(self):
        """The names of the clusters that serve."""
        return {line.partition("::")[0] for line in self.admin("/clusters").text.splitlines()}

    def address(self, listener="main"):
        """Where a listener accepts; waits for it, since a dynamic one comes when it comes."""
        return wait_for(lambda: self.listeners().get(listener), f"listener {listener}")

    def stat(self, name):
        """A counter or gauge by its full name; 0 when there is none yet, as scrapers see it."""
        for line in self.admin(f"/stats?filter={_quote('^' + _escape(name) + '$')}").text.splitlines():
            key, _, value = line.rpartition(": ")
            if key == name:
                return int(value)
        return 0

    def wait_stat(self, name, at_least):
        return wait_for(lambda: self.stat(name) >= at_least, f"{name} >= {at_least}")

    def stop(self):
        self.program.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- last lines of {self.program.name} (pid {self.program.pid})\n{self.program.tail()}\n---")
        self.stop()


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago, for where a test must know it beforehand."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def validate(bootstrap, kind=None, flags=()):
    """Runs --mode validate: (exit code, output)."""
    with tempfile.TemporaryDirectory(prefix="weft-validate-") as folder:
        path = os.path.join(folder, "bootstrap.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(bootstrap if isinstance(bootstrap, str) else json.dumps(bootstrap, indent=1))
        return run([data_plane_program(kind), "-c", path, "--mode", "validate", *flags])


def _escape(name):
    return "".join("\\" + letter if letter in ".|?*+()[]{}^$\\" else letter for letter in name)


def _quote(text):
    from urllib.parse import quote
    return quote(text, safe="")
