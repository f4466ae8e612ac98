"""What drives the subjects: closed loops of wrk (HTTP/1.1) and h2load (HTTP/2) whose completed answers are counted, and arrivals by
chance (poisson.c) whose latencies are. An answer that is no 2xx, or a connection that breaks, spoils the run: RuntimeError."""
import os
import re
import subprocess

import machine


def _run(arguments):
    return subprocess.run(machine.pinned(machine.LOAD_CORE, [str(a) for a in arguments]), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)


def wrk(port, connections, seconds, script=None):
    """Completed answers to GET, or to what a Lua script asks."""
    done = _run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-s", script] if script else []), f"http://127.0.0.1:{port}/"])
    match = re.search(r"(\d+) requests in", done.stdout)
    if not match or match.group(1) == "0" or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"the load went wrong:\n{done.stdout}{done.stderr}")
    return int(match.group(1))


def wrk_script(folder, name, body_bytes, headers=()):
    """A script that posts a body with these headers."""
    path = os.path.join(folder, name + ".lua")
    with open(path, "w") as file:
        file.write(f'wrk.method = "POST"\nwrk.body = string.rep("x", {body_bytes})\n')
        for key, value in headers:
            file.write(f'wrk.headers["{key}"] = "{value}"\n')
    return path


def h2load(port, connections, streams, seconds, headers=(), body=None, rate=None):
    """Completed answers over HTTP/2 with prior knowledge; `rate` is the most requests per second of all connections together."""
    arguments = ["h2load", f"-c{connections}", f"-m{streams}", f"-D{seconds}", *[f"-H{header}" for header in headers]]
    if body:
        arguments += ["-d", body]
    if rate:
        arguments.append(f"--rps={rate / connections:g}")
    done = _run([*arguments, f"http://127.0.0.1:{port}/"])
    match = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    if not match or match.group(1) == "0" or any(int(count) for count in match.groups()[1:]):
        raise RuntimeError(f"the load went wrong:\n{done.stdout}{done.stderr}")
    return int(match.group(1))


def poisson(program, port, rate, seconds, connections, seed):
    """(answers, p50, p90, p99) in microseconds."""
    done = _run([program, port, rate, seconds, connections, seed])
    if done.returncode != 0:
        raise RuntimeError(f"the load went wrong:\n{done.stdout}{done.stderr}")
    count, *rest = done.stdout.split()
    return (int(count), *(float(number) for number in rest))


def tcp(program, port, mode, seconds, *shape):
    """How many answers (ping), or MiB (stream)."""
    done = _run([program, port, mode, seconds, *shape])
    if done.returncode != 0 or int(done.stdout) <= 0:
        raise RuntimeError(f"the load went wrong:\n{done.stdout}{done.stderr}")
    return int(done.stdout)
