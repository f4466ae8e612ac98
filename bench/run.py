#!/usr/bin/env python3
"""The proxies side by side (`./dev bench`), as ratios to a floor relay that parses nothing.

  d1       HTTP/1.1, 128 B answers, keep-alive, 32 connections: CPU per request, in interleaved rounds
  memory   idle, and with 1000 static clusters of 10 endpoints
  fanout   one endpoint change to 200 connected ADS clients of weft-control

docs/bench.md tells what is measured, how, and what makes a run void. Results are kept in bench/results/."""
import argparse
import datetime
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import machine
import subjects as who

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOISE_SPREAD = 0.15   # of the floor itself, (max - min) / median
NOISE_LOAD = 0.5      # 1-minute load average before the start


def compile_tool(folder, name):
    target = os.path.join(folder, name)
    subprocess.run(["cc", "-O2", "-o", target, os.path.join(ROOT, "bench", name + ".c")], check=True)
    return target


def wrk(port, connections, seconds):
    """Completed 2xx answers of a closed loop."""
    done = subprocess.run(machine.pinned(machine.LOAD_CORE, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"]),
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    match = re.search(r"(\d+) requests in", done.stdout)
    if not match or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"the load went wrong:\n{done.stdout}{done.stderr}")
    return int(match.group(1))


def start(subject, folder, port, backend, core=machine.PROXY_CORE, files=None):
    home = os.path.join(folder, "run-" + subject.name)
    os.makedirs(home, exist_ok=True)
    for name, text in (files or subject.files(home, port, backend)).items():
        with open(os.path.join(home, name), "w") as file:
            file.write(text)
    process = machine.Process(subject.name, subject.command(home, port, backend), core, os.path.join(home, "log"))
    process.wait_for_port(port, 120)
    return process


def run_d1(options, folder, out):
    floor, backend_program = compile_tool(folder, "floor"), compile_tool(folder, "backend")
    chosen, absent = who.all_subjects(ROOT, options.programs, floor)
    if options.only:
        chosen = [s for s in chosen if s.name == "floor" or s.name in options.only]
    load = machine.wait_for_calm(NOISE_LOAD, 0 if options.keep_noisy else options.patience)
    backend_port = machine.free_port()
    running = []
    rows = {subject.name: [] for subject in chosen}
    try:
        backend = machine.Process("backend", [backend_program, backend_port, 128], machine.LOAD_CORE, os.path.join(folder, "backend.log"))
        running.append(backend)
        backend.wait_for_port(backend_port)
        started = []
        for subject in chosen:
            port = machine.free_port()
            process = start(subject, folder, port, backend_port)
            running.append(process)
            started.append((subject, process, port))
        for round_number in range(options.rounds + 1):
            # One second each in turn, so that what else the machine does falls on all alike.
            sums = {subject.name: [0, 0, 0.0] for subject in chosen}
            for second in range(options.seconds):
                turn = (round_number + second) % len(started)
                for subject, process, port in started[turn:] + started[:turn]:
                    before, since = machine.cpu_nanoseconds(process.pid), time.monotonic()
                    requests = wrk(port, options.connections, 1)
                    measured = (machine.cpu_nanoseconds(process.pid) - before, requests, time.monotonic() - since)
                    sums[subject.name] = [a + b for a, b in zip(sums[subject.name], measured)]
            if round_number > 0:  # round 0 warms caches and pools
                for name, (spent, requests, elapsed) in sums.items():
                    rows[name].append((spent / requests / 1000, requests / elapsed, spent / elapsed / 1e9))
            print(f"round {round_number} of {options.rounds}" + (" (warm-up)" if round_number == 0 else ""), file=sys.stderr, flush=True)
    finally:
        for process in reversed(running):
            process.stop()
    floor_cost = [cost for cost, _, _ in rows["floor"]]
    spread = (max(floor_cost) - min(floor_cost)) / statistics.median(floor_cost)
    verdict = []
    if spread > NOISE_SPREAD:
        verdict.append(f"the floor itself spread by {spread:.0%}, more than {NOISE_SPREAD:.0%}")
    if load > NOISE_LOAD:
        verdict.append(f"the machine was busy before the start (load {load:.2f}, more than {NOISE_LOAD})")
    out(f"D1: HTTP/1.1, keep-alive, 128 B answers, {options.connections} connections, closed loop (wrk)")
    out(f"{options.rounds} rounds of {options.seconds} s each, a second in turn, after one to warm up; proxy alone on core 1, load and backend on core 0")
    out(f"CPU of the whole process per completed request; x F is the median of the per-round ratios to the floor (min..max)")
    out("")
    out(f"{'':22} {'x F':>6} {'min..max':>13} {'us/request':>11} {'requests/s':>11} {'core busy':>10}")
    for subject in chosen:
        costs = rows[subject.name]
        ratios = [cost / base for (cost, _, _), base in zip(costs, floor_cost)]
        label = f"{subject.name} {subject.version}".strip()
        out(f"{label:22} {statistics.median(ratios):6.2f} {min(ratios):6.2f}..{max(ratios):4.2f} "
            f"{statistics.median(c for c, _, _ in costs):11.1f} {statistics.median(r for _, r, _ in costs):11.0f} "
            f"{statistics.median(b for _, _, b in costs):10.0%}")
    out("")
    for name in absent:
        out(f"{name}: not installed here, not measured")
    out(f"floor spread {spread:.0%}; load before the start {load:.2f}")
    return verdict


def run_memory(options, folder, out):
    chosen, _ = who.all_subjects(ROOT, options.programs, "")
    chosen = [s for s in chosen if s.name in ("envoy", "weft-proxy")]
    anonymous = {}
    out("Memory of the process in MiB: resident, and of that anonymous (code pages are shared and can be reclaimed)")
    out("")
    out(f"{'':22} {'idle RSS':>9} {'idle anon':>10} {'1000 x 10: RSS':>15} {'anon':>7} {'ready after':>12}")
    for subject in chosen:
        cells = []
        for clusters in (0, 1000):
            port = machine.free_port()
            text = who.many_clusters_bootstrap(port, clusters, 10)
            since = time.monotonic()
            process = start(subject, os.path.join(folder, f"m{clusters}"), port, 0, files={"envoy.yaml": text})
            ready = time.monotonic() - since
            time.sleep(2)  # what loading borrowed may go back
            cells.append((machine.memory_kib(process.pid), ready))
            process.stop()
        (idle, _), (many, ready) = cells
        anonymous[subject.name] = many["RssAnon"]
        out(f"{subject.name + ' ' + subject.version:22} {idle['VmRSS'] / 1024:9.1f} {idle['RssAnon'] / 1024:10.1f} "
            f"{many['VmRSS'] / 1024:15.1f} {many['RssAnon'] / 1024:7.1f} {ready:10.2f} s")
    if len(anonymous) == 2:
        out("")
        out(f"weft-proxy holds 1000 static clusters of 10 endpoints in {anonymous['weft-proxy'] / anonymous['envoy']:.2f} of Envoy's anonymous memory")
    return []


def run_fanout(options, folder, out):
    import fanout
    return fanout.run(options, ROOT, folder, out)


PARTS = {"d1": run_d1, "memory": run_memory, "fanout": run_fanout}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (all)")
    parser.add_argument("--programs", default=os.path.join(ROOT, "build/release/bin"), help="folder of weft-proxy and weft-control")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="length of a round for each subject")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these subjects beside the floor")
    parser.add_argument("--clients", type=int, default=200, help="ADS clients of `fanout`")
    parser.add_argument("--changes", type=int, default=100, help="endpoint changes of `fanout`")
    parser.add_argument("--debounce", metavar="TIME", help="weft-control's debounce in `fanout` (0ms)")
    parser.add_argument("--patience", type=int, default=240, metavar="SECONDS", help="how long to wait for the machine to calm down (240)")
    parser.add_argument("--keep-noisy", action="store_true", help="keep the result of a run that the rules call void")
    parser.add_argument("--no-keep", action="store_true", help="print only, write nothing to bench/results/")
    options = parser.parse_args()
    options.programs = os.path.abspath(options.programs)
    parts = options.part or list(PARTS)
    for part in parts:
        if part not in PARTS:
            parser.error(f"no part named {part!r}; there are {', '.join(PARTS)}")
    network = machine.enter_private_network()
    if os.cpu_count() < 2:
        print("bench: one core only; proxy, load and backend share it, so the ratios say little", file=sys.stderr)
    worst = 0
    for part in parts:
        lines = []

        def out(line):
            lines.append(line)
            print(line, flush=True)

        folder = tempfile.mkdtemp(prefix="weft-bench-")
        try:
            verdict = PARTS[part](options, folder, out)
        except RuntimeError as trouble:
            print(f"bench {part}: {trouble}", file=sys.stderr)
            worst = 1
            continue
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        out(machine.describe() + f"; network: {network}")
        for sentence in verdict:
            out(f"VOID: {sentence}")
        if verdict:
            worst = max(worst, 3)
        if not options.no_keep and (not verdict or options.keep_noisy):
            name = f"{datetime.date.today().isoformat()}-{part}.txt"
            os.makedirs(os.path.join(ROOT, "bench/results"), exist_ok=True)
            with open(os.path.join(ROOT, "bench/results", name), "w") as file:
                file.write("\n".join(lines) + "\n")
            print(f"kept in bench/results/{name}", file=sys.stderr)
        print(flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
