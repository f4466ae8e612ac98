"""CPU per request in closed loops, every subject in turn: what is asked of them, by name, and how a run goes."""
import dataclasses
import os
import statistics
import struct
import sys
import time

import loads
import machine
import subjects as who

SMALL, MIDDLE, LARGE, UPLOAD = 128, 1024, 64 << 10, 1 << 20
# Twenty fields as a browser and a mesh send them, beside those that are always there.
HEADERS = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"), ("accept", "application/json, text/plain, */*"),
           ("accept-language", "en-GB,en;q=0.5"), ("accept-encoding", "gzip, deflate, br, zstd"), ("content-type", "application/json"),
           ("origin", "https://shop.example"), ("referer", "https://shop.example/cart/items"), ("cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
           ("authorization", "Bearer " + "abcdefghijklmnopqrstuvwxyz012345" * 3), ("x-b3-traceid", "463ac35c9f6413ad48485a3953bb6124"), ("x-b3-spanid", "a2fb4a1d1a96d312"),
           ("x-b3-sampled", "0"), ("x-tenant", "blue"), ("x-client-version", "4.17.2"), ("x-feature-flags", "cart-v2,search-v3,ads-off"),
           ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin"), ("cache-control", "no-cache"), ("pragma", "no-cache"), ("dnt", "1")]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`load(port, folder, options, seconds)` gives the number of completed answers; `answer` is what the backend sends: bytes, or echo."""
    title: str
    load: object
    answer: object = SMALL
    front: str = "h1"
    back: str = "h1"
    unit: str = "request"


def _grpc_body(folder):
    path = os.path.join(folder, "grpc-body")
    with open(path, "wb") as file:
        file.write(struct.pack(">BI", 0, SMALL) + b"x" * SMALL)
    return path


def _unary(streams, connections, rate=None):
    return lambda port, folder, options, seconds: loads.h2load(
        port, connections, streams, seconds, ("content-type: application/grpc", "te: trailers"), _grpc_body(folder), rate)


def _tcp(title, answer, mode, *shape, unit="round trip"):
    """Raw bytes: the load's program stands in the bench's folder, compiled with the backend."""
    return Scenario(title, lambda port, folder, options, seconds: loads.tcp(os.path.join(folder, "tcp_load"), port, mode, seconds, *shape),
                    answer=answer, front="tcp", back="tcp", unit=unit)


SCENARIOS = {
    "d1": Scenario("HTTP/1.1, keep-alive, 128 B answers, closed loop (wrk)",
                   lambda port, folder, options, seconds: loads.wrk(port, options.connections or 32, seconds)),
    "d2": Scenario("HTTP/1.1, POST of 1 KiB with 20 more headers, echoed, 32 connections, closed loop (wrk)",
                   lambda port, folder, options, seconds: loads.wrk(
                       port, options.connections or 32, seconds, loads.wrk_script(folder, "d2", MIDDLE, HEADERS)), answer="echo"),
    "d3": Scenario("HTTP/1.1, 64 KiB answers, 16 connections, closed loop (wrk)",
                   lambda port, folder, options, seconds: loads.wrk(port, options.connections or 16, seconds), answer=LARGE),
    "d3-up": Scenario("HTTP/1.1, POST of 1 MiB, 16 connections, closed loop (wrk)",
                      lambda port, folder, options, seconds: loads.wrk(
                          port, options.connections or 16, seconds, loads.wrk_script(folder, "d3", UPLOAD))),
    "d4-in": Scenario("HTTP/2 in, HTTP/1.1 out, 128 B answers, 8 connections of 16 streams, closed loop (h2load)",
                      lambda port, folder, options, seconds: loads.h2load(port, options.connections or 8, 16, seconds), front="h2"),
    "d4-out": Scenario("HTTP/1.1 in, HTTP/2 out, 128 B answers, 128 connections, closed loop (wrk)",
                       lambda port, folder, options, seconds: loads.wrk(port, options.connections or 128, seconds), back="h2"),
    "d5": Scenario("HTTP/2 in and out, gRPC unary of 128 B, 8 connections of 16 streams, closed loop (h2load)",
                   _unary(16, 8), front="h2", back="h2"),
    "d5-rate": Scenario("HTTP/2 in and out, gRPC unary of 128 B, 8 connections of 16 streams, 8000 requests per second (h2load)",
                        _unary(16, 8, 8000), front="h2", back="h2"),
    "d5-m1": Scenario("HTTP/2 in and out, gRPC unary of 128 B, 32 connections of one stream, closed loop (h2load)",
                      _unary(1, 32), front="h2", back="h2"),
    "d5-m100": Scenario("HTTP/2 in and out, gRPC unary of 128 B, 2 connections of 100 streams, closed loop (h2load)",
                        _unary(100, 2), front="h2", back="h2"),
    "d8": _tcp("TCP, 128 B echoed, 32 connections, closed loop", "echo", "ping", 32, SMALL),
    "d8-64k": _tcp("TCP, 64 KiB echoed, 16 connections, closed loop", "echo", "ping", 16, LARGE),
    "d8-stream": _tcp("TCP, one stream one way", "sink", "stream", unit="MiB"),
}


def run(scenario, bench, out):
    """Gives the sentences that make the run void."""
    options = bench.options
    chosen, absent = bench.subjects(scenario.front, scenario.back)
    busy = bench.wait_for_calm()
    backend_port = bench.start_backend(scenario.back, scenario.answer)
    rows = {subject.name: [] for subject in chosen}
    started = [(subject, *bench.start(subject, backend_port, scenario.front, scenario.back)) for subject in chosen]
    for round_number in range(options.rounds + 1):
        # One second each in turn, so that what else the machine does falls on all alike.
        sums = {subject.name: [0, 0, 0.0] for subject in chosen}
        for second in range(options.seconds):
            turn = (round_number + second) % len(started)
            for subject, process, port in started[turn:] + started[:turn]:
                before, since = machine.cpu_nanoseconds(process.pid), time.monotonic()
                requests = scenario.load(port, bench.folder, options, 1)
                measured = (machine.cpu_nanoseconds(process.pid) - before, requests, time.monotonic() - since)
                sums[subject.name] = [a + b for a, b in zip(sums[subject.name], measured)]
        if round_number > 0:  # round 0 warms caches and pools
            for name, (spent, requests, elapsed) in sums.items():
                rows[name].append((spent / requests / 1000, requests / elapsed, spent / elapsed / 1e9))
        print(f"round {round_number} of {options.rounds}" + (" (warm-up)" if round_number == 0 else ""), file=sys.stderr, flush=True)
    bench.stop_all()
    return _report(scenario, bench, chosen, absent, rows, busy, out)


def _report(scenario, bench, chosen, absent, rows, busy, out):
    options = bench.options
    # Bytes can be passed on without a look at them only where both sides speak the same.
    unit = chosen[0].name
    base = [cost for cost, _, _ in rows[unit]]
    symbol = "F" if unit == "floor" else unit
    out(scenario.title)
    out(f"{options.rounds} rounds of {options.seconds} s each, a second in turn, after one to warm up; proxy alone on core 1, load and backend on core 0")
    out(f"CPU of the whole process per completed {scenario.unit}; x {symbol} is the median of the per-round ratios to {unit} (min..max)")
    out("")
    out(f"{'':22} {'x ' + symbol:>9} {'min..max':>13} {'us/' + scenario.unit.split()[0]:>11} {scenario.unit.split()[0] + 's/s':>11} {'core busy':>10}")
    for subject in chosen:
        costs = rows[subject.name]
        ratios = [cost / one for (cost, _, _), one in zip(costs, base)]
        out(f"{(subject.name + ' ' + subject.version).strip():22} {statistics.median(ratios):9.2f} {min(ratios):6.2f}..{max(ratios):4.2f} "
            f"{statistics.median(c for c, _, _ in costs):11.1f} {statistics.median(r for _, r, _ in costs):11.0f} "
            f"{statistics.median(b for _, _, b in costs):10.0%}")
    out("")
    if "weft-proxy" in rows:
        ours = [cost for cost, _, _ in rows["weft-proxy"]]
        parts = []
        for subject in chosen:
            if subject.name not in ("weft-proxy", "floor"):
                ratios = [mine / theirs for mine, (theirs, _, _) in zip(ours, rows[subject.name])]
                parts.append(f"{statistics.median(ratios):.2f} of {subject.name} ({min(ratios):.2f}..{max(ratios):.2f})")
        if parts:
            out("weft-proxy takes " + ", ".join(parts))
    for name in absent:
        out(f"{name}: not installed here, not measured")
    return bench.judge_noise(unit, base, busy, out)
