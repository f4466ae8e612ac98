"""What the bench asks of the machine: a network of its own, cores for each role, CPU and memory of a process tree."""
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

LOAD_CORE = "0"   # load generator and backend
PROXY_CORE = "1"  # the subject, alone


def enter_private_network():
    """Starts this program anew in a network namespace where that is permitted: nobody else's packets, any port is free."""
    if os.environ.get("WEFT_BENCH_NETWORK"):
        if os.environ["WEFT_BENCH_NETWORK"] == "private":
            raise_loopback()
        return os.environ["WEFT_BENCH_NETWORK"]
    for flags in (["-n"], ["-r", "-n"]):
        if subprocess.run(["unshare", *flags, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ["WEFT_BENCH_NETWORK"] = "private"
            os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    os.environ["WEFT_BENCH_NETWORK"] = "shared loopback"
    return "shared loopback"


def raise_loopback():
    """ifconfig lo up, without the program."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14s", b"lo", 0x1 | 0x40, b"\0" * 14)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(probe, 0x8914, request)  # SIOCSIFFLAGS


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core, arguments):
    if shutil.which("taskset") and os.cpu_count() > 1:
        return ["taskset", "-c", core, *arguments]
    return list(arguments)


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """A server of the bench: pinned, quiet, ended with us."""

    def __init__(self, name, arguments, core, log):
        self.name = name
        self.log = log
        self._file = open(log, "wb")
        self._process = subprocess.Popen(pinned(core, [str(a) for a in arguments]), stdin=subprocess.DEVNULL,
                                         stdout=self._file, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        self.pid = self._process.pid

    def wait_for_port(self, port, seconds=30.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with code {self._process.returncode}:\n{self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not open port {port} in {seconds:g} s:\n{self.tail()}")

    def tail(self):
        with open(self.log, "rb") as file:
            return file.read()[-2000:].decode("utf-8", "replace")

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(8)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._file.close()


def tree(pid):
    """`pid` and its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children") as file:
                    found += [int(child) for child in file.read().split()]
        except OSError:
            continue
    return found


def cpu_nanoseconds(pid):
    """CPU time of the tree's threads, exact: utime and stime count in units of 10 ms."""
    total = 0
    for process in tree(pid):
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{task}/schedstat") as file:
                    total += int(file.read().split()[0])
        except OSError:
            continue
    return total


def memory_kib(pid):
    """{"VmRSS": ..., "RssAnon": ...} of the tree, in KiB."""
    total = {"VmRSS": 0, "RssAnon": 0}
    for process in tree(pid):
        with open(f"/proc/{process}/status") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in total:
                    total[name] += int(value.split()[0])
    return total


def busy_cores(seconds=3):
    """How many cores were busy, with anything, over the next seconds (the load average would still count a part run just before)."""
    def idle():
        with open("/proc/stat") as file:
            ticks = file.readline().split()[1:]
        return (int(ticks[3]) + int(ticks[4])) / os.sysconf("SC_CLK_TCK")
    before, since = idle(), time.monotonic()
    time.sleep(seconds)
    return max(0.0, os.cpu_count() - (idle() - before) / (time.monotonic() - since))


def wait_for_calm(wanted, patience):
    """Waits until no more than `wanted` cores are busy, at most `patience` seconds. Returns how many are."""
    deadline = time.monotonic() + patience
    told = False
    while True:
        busy = busy_cores()
        if busy <= wanted or time.monotonic() >= deadline:
            return busy
        if not told:
            print(f"waiting for the machine to calm down ({busy:.2f} cores busy, wanted {wanted})", file=sys.stderr, flush=True)
            told = True


def describe():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} cores, {model}, Linux {os.uname().release}"
