"""What one endpoint change costs weft-control with many proxies connected, and how soon the last of them has it."""
import json
import os
import statistics
import subprocess
import time
import urllib.request

import machine

SERVICES, ENDPOINTS = 100, 10
FIRST_MARK = 20000
QUIET = 0.15  # seconds between changes: longer than the debounce, so that none are merged


def _slice(service, mark=None):
    """An EndpointSlice; `mark` is the port by which the clients know the change."""
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"service-{service}-a", "namespace": "default", "labels": {"kubernetes.io/service-name": f"service-{service}"}},
            "ports": [{"name": "http", "port": mark or 8080}],
            "endpoints": [{"addresses": [f"10.{service}.0.{e + 1}"], "conditions": {"ready": True}} for e in range(ENDPOINTS)]}


def _service(number):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"service-{number}", "namespace": "default"},
            "spec": {"clusterIP": f"10.96.{number}.1", "ports": [{"name": "http", "port": 8080, "targetPort": 8080}]}}


def _apply(api, objects):
    text = "\n---\n".join(json.dumps(entry) for entry in objects)
    request = urllib.request.Request(f"http://127.0.0.1:{api}/v1/apply", data=text.encode(), method="POST",
                                     headers={"content-type": "application/yaml"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def run(options, root, folder, out):
    control = os.path.join(options.programs, "weft-control")
    simulator = os.path.join(options.programs, "ads_fanout")
    for program in (control, simulator):
        if not os.access(program, os.X_OK):
            raise RuntimeError(f"{program} is not built")
    xds, api = machine.free_port(), machine.free_port()
    debounce = "0ms" if options.debounce is None else options.debounce
    server = machine.Process("weft-control", [control, "--store", f"{folder}/weft.db", "--xds-address", f"127.0.0.1:{xds}", "--http-address",
                                              f"127.0.0.1:{api}", "--debounce-after", debounce], machine.PROXY_CORE, f"{folder}/control.log")
    clients = None
    try:
        server.wait_for_port(xds)
        server.wait_for_port(api)
        _apply(api, [_service(n) for n in range(SERVICES)] + [_slice(n) for n in range(SERVICES)])
        before = machine.cpu_nanoseconds(server.pid)
        clients = subprocess.Popen(machine.pinned(machine.LOAD_CORE, [simulator, f"127.0.0.1:{xds}", str(options.clients)]),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=machine._die_with_parent)
        word, seconds = clients.stdout.readline().split()
        if word != "ready":
            raise RuntimeError("the clients did not get ready")
        first_sync = machine.cpu_nanoseconds(server.pid) - before
        time.sleep(1)
        memory = machine.memory_kib(server.pid)
        latencies, last, costs = [], [], []
        for number in range(options.changes + 5):
            before, since = machine.cpu_nanoseconds(server.pid), time.monotonic_ns()
            _apply(api, [_slice(0, FIRST_MARK + number)])
            words = clients.stdout.readline().split()
            if not words or words[0] != "seen" or int(words[1]) != FIRST_MARK + number:
                raise RuntimeError(f"change {number} was answered by {' '.join(words[:2])!r}")
            time.sleep(QUIET)  # the acks are part of the cost
            if number >= 5:
                costs.append((machine.cpu_nanoseconds(server.pid) - before) / options.clients / 1000)
                arrived = [(int(moment) - since) / 1e6 for moment in words[2:]]
                latencies += arrived
                last.append(max(arrived))
    finally:
        if clients:
            clients.kill()
            clients.wait()
        server.stop()
    latencies.sort()
    out(f"One endpoint change to {options.clients} delta ADS clients, each on its own connection ({SERVICES} services of {ENDPOINTS} endpoints)")
    out(f"{options.changes} changes one after another; weft-control alone on core 1, clients on core 0; debounce {debounce}")
    out("From the start of the HTTP call that applies it until the client holds it; CPU of weft-control from the call to the last ack")
    out("")
    out(f"CPU per client and change   {statistics.median(costs):8.1f} us  (min {min(costs):.1f}, max {max(costs):.1f})")
    out(f"convergence p50             {latencies[len(latencies) // 2]:8.1f} ms")
    out(f"convergence p99             {latencies[int(len(latencies) * 0.99) - 1]:8.1f} ms")
    out(f"last client, median         {statistics.median(last):8.1f} ms")
    out(f"first sync of all clients   {float(seconds):8.2f} s, {first_sync / options.clients / 1e6:.2f} ms CPU per client")
    out(f"weft-control with them      {memory['VmRSS'] / 1024:8.1f} MiB RSS, {memory['RssAnon'] / 1024:.1f} anonymous")
    out("")
    return []
