"""D9: what an idle connection holds. Thousands of clients connect, have one request answered and stay; then all leave at once. Anonymous
memory of the process tree is read before, with all of them idle, and ten seconds after they left."""
import resource
import socket
import time

import machine

REQUEST = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"
AT_ONCE = 50
SETTLE = 10


def _answered(connection):
    """Reads one answer to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200") or not lengths:
        raise RuntimeError(f"answered {data[:200]!r}")
    missing = int(lengths[0].partition(b":")[2]) - len(body)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection):
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("the connection ended before its answer")
    return data


def _connect(port, count):
    held = []
    while len(held) < count:
        some = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(min(AT_ONCE, count - len(held)))]
        for connection in some:
            connection.sendall(REQUEST)
        for connection in some:
            _answered(connection)
        held += some
    return held


def _steady(pid):
    """Once it has not grown for a second."""
    last = machine.memory_kib(pid)["RssAnon"]
    for _ in range(20):
        time.sleep(1)
        now = machine.memory_kib(pid)["RssAnon"]
        if abs(now - last) < 64:
            return now
        last = now
    return last


def run(bench, out):
    count = bench.options.idle
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        count = min(count, (hard - 1000) // 2)  # HAProxy reckons with an upstream connection for each
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    chosen, absent = bench.subjects("h1", "h1")
    backend_port = bench.start_backend("h1", 128)
    out(f"{count} idle HTTP/1.1 connections that had one request answered each; anonymous memory of the process")
    out(f"second time: the same again after the first have left; given back: of the growth, {SETTLE} s after all left")
    out("")
    out(f"{'':22} {'empty MiB':>10} {'idle MiB':>9} {'KiB each':>9} {'2nd time':>9} {'given back':>11}")
    for subject in chosen:
        if subject.name == "floor":
            continue
        process, port = bench.start(subject, backend_port, "h1", "h1", connections=count)
        _connect(port, 1)
        empty = _steady(process.pid)
        cells = []
        for _ in range(2):
            held = _connect(port, count)
            full = _steady(process.pid)
            for connection in held:
                connection.close()
            time.sleep(SETTLE)
            cells.append((full, machine.memory_kib(process.pid)["RssAnon"]))
        process.stop()
        (full, after), (again, _) = cells
        growth = full - empty
        given = f"{(full - after) / growth:11.0%}" if growth > 0 else f"{'-':>11}"
        out(f"{(subject.name + ' ' + subject.version).strip():22} {empty / 1024:10.1f} {full / 1024:9.1f} {growth / count:9.2f} "
            f"{(again - empty) / count:9.2f} {given}")
    bench.stop_all()
    out("")
    for name in absent:
        out(f"{name}: not installed here, not measured")
    return []
