#!/usr/bin/env python3
"""wrk and h2load against a proxy for as long as one likes (`./dev soak`: ten minutes, with the sanitizers): no request fails, memory does not
grow once it is warm, and in the end everything is given back. All four pairs of protocols at once, with and without bodies, over connections
that come and go.

WEFT_SOAK_SECONDS (12) says how long."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

# pylint: disable=wrong-import-position
from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, free_port
from meshtest.process import Program, resident
from meshtest.wait import wait_for

SECONDS = float(os.environ.get("WEFT_SOAK_SECONDS", "12"))
TURN = 4         # seconds that a set of connections lives
GROWTH = 4 << 20
NEEDED = ("wrk", "h2load", "cc")


def wrk(url, *arguments):
    done = subprocess.run(["wrk", "-t1", "-c8", f"-d{TURN}s", "--timeout", "20s", *arguments, url], capture_output=True, text=True, check=False)
    counted = re.search(r"(\d+) requests in", done.stdout)
    wrong = done.returncode or not counted or "Non-2xx" in done.stdout or "Socket errors" in done.stdout
    return int(counted.group(1)) if counted else 0, wrong and f"{done.args}\n{done.stdout}{done.stderr}"


def h2load(url, *arguments):
    done = subprocess.run(["h2load", "-c4", "-m8", f"-D{TURN}", *arguments, url], capture_output=True, text=True, check=False)
    counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    wrong = done.returncode or not counted or any(int(count) for count in counted.groups()[1:])
    return int(counted.group(1)) if counted else 0, wrong and f"{done.args}\n{done.stdout}{done.stderr}"


class Soak(unittest.TestCase):
    def setUp(self):
        missing = [name for name in NEEDED if not shutil.which(name)]
        if missing:
            print(f"skipped: {', '.join(missing)} not installed (apt-get install wrk nghttp2-client)", flush=True)
            sys.exit(77)
        folder = tempfile.TemporaryDirectory(prefix="weft-soak-")
        self.addCleanup(folder.cleanup)
        self.body = os.path.join(folder.name, "body")
        with open(self.body, "wb") as file:
            file.write(bytes(60000))
        self.script = os.path.join(folder.name, "post.lua")
        with open(self.script, "w", encoding="ascii") as file:
            file.write('wrk.method = "POST"\nwrk.body = string.rep("x", 60000)\n')
        clusters = []
        for name, library, options in (("backend", (), {}), ("backend_h2", ("-lnghttp2",), {"typed_extension_protocol_options": http2()})):
            program, port = os.path.join(folder.name, name), free_port()
            subprocess.run(["cc", "-O2", "-o", program, os.path.join(ROOT, "bench", name + ".c"), *library], check=True)
            backend = Program([program, port, 20000], name=name)
            self.addCleanup(backend.stop)
            clusters.append(cluster(name, ("127.0.0.1", port), **options))
        # Freed memory must not wait long for its second use to be noticed, or it would look like growth.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        self.proxy = DataPlane(bootstrap([listener(hcm(routes(route("/h2", "backend_h2"), route("/", "backend"))))], clusters), concurrency=2,
                               env={"ASAN_OPTIONS": options})
        self.addCleanup(self.proxy.stop)
        wait_for(lambda: self.proxy.stat("cluster.backend.membership_healthy") == 1, "the clusters")

    def test_no_error_and_no_growth(self):
        url = "http://%s:%d" % self.proxy.address()
        loads = [(wrk, url + "/h1"), (wrk, url + "/h2"), (wrk, url + "/h1", "-s", self.script), (wrk, url + "/h2", "-s", self.script),
                 (h2load, url + "/h1"), (h2load, url + "/h2"), (h2load, url + "/h1", "-d", self.body), (h2load, url + "/h2", "-d", self.body)]
        counts, faults, memory = [0] * len(loads), [], []
        end = time.monotonic() + SECONDS

        def run(index):
            function, *arguments = loads[index]
            while time.monotonic() < end and not faults:
                count, wrong = function(*arguments)
                counts[index] += count
                if wrong:
                    faults.append(wrong)
        threads = [threading.Thread(target=run, args=(index,)) for index in range(len(loads))]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.proxy.program.require_alive()
            memory.append(resident(self.proxy.program.pid))
            time.sleep(0.5)
        for thread in threads:
            thread.join()
        self.assertEqual([], faults)
        self.assertNotIn(0, counts)
        # The first half is for warming up; then no quarter may hold more than the one before, but for a little.
        quarters = [memory[len(memory) * part // 4:len(memory) * (part + 1) // 4] for part in (2, 3)]
        third, fourth = (max(quarter) for quarter in quarters)
        print(f"{sum(counts)} requests, none failed; {third >> 10} KiB in the third quarter, {fourth >> 10} KiB in the fourth", flush=True)
        self.assertLess(fourth, third * 1.05 + GROWTH)
        for gauge in ("http.main.downstream_rq_active", "http.main.downstream_cx_active", "cluster.backend.upstream_rq_active",
                      "cluster.backend_h2.upstream_rq_active", "cluster.backend_h2.http2.streams_active"):
            wait_for(lambda: self.proxy.stat(gauge) == 0, f"{gauge} back at 0")  # pylint: disable=cell-var-from-loop


if __name__ == "__main__":
    unittest.main()
