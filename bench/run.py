#!/usr/bin/env python3
"""The proxies side by side (`./dev bench`), as ratios to a floor relay that parses nothing, and to one another.

  d1       CPU per request, in interleaved rounds: HTTP/1.1, 128 B answers, keep-alive, 32 connections
  d2       the same for a POST of 1 KiB with 20 headers, echoed
  d3       for answers of 64 KiB, 16 connections; d3-up: POST of 1 MiB
  d4-in    HTTP/2 to HTTP/1.1; d4-out: HTTP/1.1 to HTTP/2
  d5       HTTP/2 to HTTP/2, gRPC unary, 8 connections of 16 streams; d5-rate: at 8000 per second; d5-m1, d5-m100: other shapes
  d8       raw TCP, 128 B echoed, 32 connections; d8-64k: 64 KiB, 16 connections; d8-stream: one stream, per MiB
  d9       memory of 10,000 idle HTTP/1.1 connections, and what is given back
  d11      latency that is added at 1000 requests per second by chance
  memory   idle, and with 1000 static clusters of 10 endpoints
  fanout   one endpoint change to 200 connected ADS clients of weft-control

docs/bench.md tells what is measured, how, and what makes a run void. Results are kept in bench/results/."""
import argparse
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import fanout
import idle
import latency
import machine
import scenarios
import subjects as who

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOISE_SPREAD = 0.15   # of the floor itself, (max - min) / median
NOISE_BUSY = 0.15     # cores busy with something else before the start


class Bench:
    """What the parts share: the flags, a folder of their own, and the processes that are up."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self._running, self._tools = [], {}

    def compile(self, name, *libraries):
        if name not in self._tools:
            target = os.path.join(self.folder, name)
            subprocess.run(["cc", "-O2", "-o", target, os.path.join(ROOT, "bench", name + ".c"), *libraries], check=True)
            self._tools[name] = target
        return self._tools[name]

    def subjects(self, front, back):
        """Those that speak both, the floor (where there can be one) first; and the names of those that are not installed."""
        found, absent = who.all_subjects(ROOT, self.options.programs, self.compile("floor"))
        found = [subject for subject in found if subject.can(front, back)]
        if self.options.only:
            found = [subject for subject in found if subject.name == "floor" or subject.name in self.options.only]
        return found, absent

    def wait_for_calm(self):
        return machine.wait_for_calm(NOISE_BUSY, 0 if self.options.keep_noisy else self.options.patience)

    def start_backend(self, protocol, answer):
        """Starts the server of that protocol; gives its port."""
        if protocol == "tcp":
            program, _ = self.compile("backend_tcp"), self.compile("tcp_load")
        else:
            program = self.compile("backend") if protocol == "h1" else self.compile("backend_h2", "-lnghttp2")
        port = machine.free_port()
        self._up(machine.Process("backend", [program, port, answer], machine.LOAD_CORE, os.path.join(self.folder, "backend.log"))).wait_for_port(port)
        return port

    def start(self, subject, backend_port, front, back, **fields):
        """(process, port) of a subject that listens."""
        setup = who.Setup(machine.free_port(), backend_port, front, back, **fields)
        home = os.path.join(self.folder, "run-" + subject.name)
        return self.start_files(subject.name, subject.command(home, setup), subject.files(home, setup), home, setup.port), setup.port

    def start_files(self, name, command, files, home, port):
        os.makedirs(home, exist_ok=True)
        for file_name, text in files.items():
            with open(os.path.join(home, file_name), "w") as file:
                file.write(text)
        process = self._up(machine.Process(name, command, machine.PROXY_CORE, os.path.join(home, "log")))
        process.wait_for_port(port, 120)
        return process

    def _up(self, process):
        self._running.append(process)
        return process

    def stop_all(self):
        for process in reversed(self._running):
            process.stop()
        self._running.clear()

    def judge_noise(self, name, series, busy, out, what=None):
        """The sentences that make a run void: its unit moved too much, or the machine was not calm."""
        spread = (max(series) - min(series)) / statistics.median(series)
        what = what or ("the floor" if name == "floor" else name)
        out(f"{what} spread by {spread:.0%}; {busy:.2f} cores busy before the start")
        verdict = []
        if spread > NOISE_SPREAD:
            verdict.append(f"{what} itself spread by {spread:.0%}, more than {NOISE_SPREAD:.0%}")
        if busy > NOISE_BUSY:
            verdict.append(f"the machine was busy before the start ({busy:.2f} cores, more than {NOISE_BUSY})")
        return verdict


def run_memory(bench, out):
    chosen = [subject for subject in bench.subjects("h1", "h1")[0] if subject.name in ("envoy", "weft-proxy")]
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
            home = os.path.join(bench.folder, f"run-{subject.name}-{clusters}")
            process = bench.start_files(subject.name, subject.command(home, who.Setup(port, 9)), {"envoy.yaml": text}, home, port)
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


def run_fanout(bench, out):
    return fanout.run(bench.options, ROOT, bench.folder, out)


def run_scenario(scenario):
    return lambda bench, out: scenarios.run(scenario, bench, out)


PARTS = {**{name: run_scenario(scenario) for name, scenario in scenarios.SCENARIOS.items()},
         "d9": idle.run, "d11": latency.run, "memory": run_memory, "fanout": run_fanout}
# What runs when no part is named; the others are variants, for a closer look.
USUAL = ("d1", "d2", "d3", "d4-in", "d4-out", "d5", "d5-rate", "d8", "d8-64k", "d8-stream", "d9", "d11", "memory", "fanout")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} ({' '.join(USUAL)})")
    parser.add_argument("--programs", default=os.path.join(ROOT, "build/release/bin"), help="folder of weft-proxy and weft-control")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="length of a round for each subject")
    parser.add_argument("--connections", type=int, help="instead of the scenario's own number")
    parser.add_argument("--idle", type=int, default=10000, help="connections of `d9`")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these subjects beside the floor")
    parser.add_argument("--clients", type=int, default=200, help="ADS clients of `fanout`")
    parser.add_argument("--changes", type=int, default=100, help="endpoint changes of `fanout`")
    parser.add_argument("--debounce", metavar="TIME", help="weft-control's debounce in `fanout` (0ms)")
    parser.add_argument("--patience", type=int, default=240, metavar="SECONDS", help="how long to wait for the machine to calm down (240)")
    parser.add_argument("--keep-noisy", action="store_true", help="keep the result of a run that the rules call void")
    parser.add_argument("--no-keep", action="store_true", help="print only, write nothing to bench/results/")
    options = parser.parse_args()
    options.programs = os.path.abspath(options.programs)
    parts = options.part or list(USUAL)
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
        bench = Bench(options, folder)
        try:
            out(f"{part}, {datetime.date.today().isoformat()}")
            verdict = PARTS[part](bench, out)
        except RuntimeError as trouble:
            print(f"bench {part}: {trouble}", file=sys.stderr)
            worst = 1
            continue
        finally:
            bench.stop_all()
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
