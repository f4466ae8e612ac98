"""An exchange that is cut at any of its bytes, by a reset or by an end, on either side and over either protocol: half a request never
arrives as a whole one, half an answer is never shown as a whole one, the log says who left, the connection is not used again, and nothing
is left over."""
import concurrent.futures
import itertools
import re
import socket
import threading
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind
from meshtest.frames import (ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, Frames, RawHttp2, fields, frame, get,
                             post, settings)
from meshtest.raw_http import Closed, Connection, Reader, Silence, fetch
from meshtest.wait import wait_for

AT_ONCE = 8
HARD = b"\x01\0\0\0\0\0\0\0"  # SO_LINGER: close with a reset
BODY = b"0123456789"


def end(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
    sock.close()


class Host:
    """Answers with the first bytes of what the path says, /KIND/COUNT/HOW, and leaves; plain paths get a whole answer. Notes which requests
    arrived whole, by path, and of which another began behind a cut one."""

    def __init__(self):
        self.whole, self._lock = [], threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = self._server.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._guard, args=(peer,), daemon=True).start()

    def _guard(self, peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.serve(peer)
        except (OSError, ValueError, Closed, Silence):
            pass
        peer.close()

    def note(self, path):
        with self._lock:
            self.whole.append(path)

    def close(self):
        self._server.close()


class Http1Host(Host):
    ANSWERS = {"length": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" + BODY,
               "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\n\r\n"}

    def serve(self, peer):
        reader = Reader(peer)
        while True:
            head = reader.until(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            if b"\ntransfer-encoding: chunked" in head.lower():
                reader.chunked()
            elif found := re.search(rb"content-length: *(\d+)", head.lower()):
                reader.exactly(int(found[1]))
            self.note(path)
            _, kind, *rest = path.split("/") + [""]
            if kind in self.ANSWERS:
                peer.sendall(self.ANSWERS[kind][:int(rest[0])])
                return end(peer, rest[1])
            peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(path), path.encode()))


class Http2Host(Host):
    @staticmethod
    def answer(kind, stream):
        head = frame(HEADERS, END_HEADERS, stream, fields((":status", "200")))
        if kind == "trailers":
            return head + frame(DATA, 0, stream, BODY) + frame(HEADERS, END_HEADERS | END_STREAM, stream, fields(("x-last", "1")))
        return head + frame(DATA, 0, stream, BODY[:4]) + frame(DATA, END_STREAM, stream, BODY[4:])

    KINDS = ("data", "trailers")

    def serve(self, peer):
        left = len(PREFACE)
        while left:
            got = len(peer.recv(left))
            if not got:
                return
            left -= got
        peer.sendall(settings())
        frames = Frames(peer)
        while (found := frames.next()) is not None:
            kind, flags, stream, _ = found
            if kind == SETTINGS and not flags & ACK:
                peer.sendall(frame(SETTINGS, ACK))
            if kind not in (HEADERS, DATA) or not flags & END_STREAM:
                continue
            path = frames.heads[stream][0][":path"]
            self.note(path)
            _, what, *rest = path.split("/") + [""]
            if what in self.KINDS:
                peer.sendall(self.answer(what, stream)[:int(rest[0])])
                return end(peer, rest[1])
            peer.sendall(frame(HEADERS, END_HEADERS, stream, fields((":status", "200"))) + frame(DATA, END_STREAM, stream, path.encode()))


class Cuts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hosts = {"h1": Http1Host(), "h2": Http2Host()}
        log = {"name": "stdout", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {
            "inline_string": "CUT %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%\n"}}}}
        patience = {"timeout": "5s"}
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/", name, action=patience)), access_log=[log]), name=name) for name in cls.hosts],
            [cluster("h1", cls.hosts["h1"].address),
             cluster("h2", cls.hosts["h2"].address, typed_extension_protocol_options=http2())]),
            flags=("--file-flush-interval-msec", "50") if data_plane_kind() == "envoy" else ())
        cls.addClassCleanup(cls.proxy.stop)
        for host in cls.hosts.values():
            cls.addClassCleanup(host.close)

    def tearDown(self):
        self.proxy.program.require_alive()
        for name in self.hosts:
            for gauge in ("upstream_rq_active", "upstream_rq_pending_active", "http2.streams_active"):
                wait_for(lambda: self.proxy.stat(f"cluster.{name}.{gauge}") == 0, f"{name} {gauge} back")  # pylint: disable=cell-var-from-loop
            # Whoever comes now gets its own answer.
            for index in range(10):
                path = f"/fence{index}"
                self.assertEqual(path, fetch(self.proxy.address(name), path).text)
        for gauge in ("downstream_cx_active", "downstream_rq_active"):
            wait_for(lambda: self.proxy.stat(f"http.main.{gauge}") == 0, f"{gauge} back")  # pylint: disable=cell-var-from-loop

    def each(self, judge, cases):
        """All cases, some at once; judge gives what is wrong, or nothing."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = [text for text in pool.map(lambda case: judge(*case), cases) if text]
        self.assertEqual([], wrong)

    def flags(self, start, wanted):
        """Path to the response flags in the log, of paths that begin so; waits for the path `wanted`."""
        def find():
            found = dict(re.findall(r"^CUT (\S+) \d+ (\S+)$", self.proxy.program.output(), re.MULTILINE))
            return wanted in found and {path: flags for path, flags in found.items() if path.startswith(start)}
        return wait_for(find, f"{wanted} in the log")

    # -- clients that leave

    def test_requests_over_http1(self):
        head = "POST {path} HTTP/1.1\r\nhost: main.test\r\n"
        kinds = {"length": "content-length: 10\r\n\r\n0123456789",
                 "chunked": "transfer-encoding: chunked\r\n\r\n4;a\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"}
        for name in self.hosts:
            for (kind, rest), how in itertools.product(kinds.items(), ("reset", "end")):
                text = (head + rest).format(path="/client/" + "n" * 12).encode()

                def cut(count, kind=kind, how=how, rest=rest, name=name):
                    path = f"/client/{kind[0]}{how[0]}{count:010}"
                    connection = Connection(self.proxy.address(name))
                    connection.send((head + rest).format(path=path).encode()[:count])
                    connection.abort() if how == "reset" else connection.close()
                    return path
                paths = [cut(count) for count in range(0, len(text))]
                with self.subTest(kind=kind, how=how, upstream=name):
                    self.assertEqual("/behind", fetch(self.proxy.address(name), "/behind").text)
                    wait_for(lambda: self.proxy.stat("http.main.downstream_rq_active") == 0, "all are over")
                    self.assertEqual(set(), set(self.hosts[name].whole) & set(paths), "half a request arrived whole")
                    logged = self.flags("/client/", "/behind")
                    self.assertLessEqual({flags for path, flags in logged.items() if path in paths}, {"DC", "DPE", "DC,DPE"})

    def test_requests_over_http2(self):
        def text(path):
            return PREFACE + settings() + frame(SETTINGS, ACK) + post(1, ("content-length", "10"), path=path) + frame(
                DATA, 0, 1, BODY[:4]) + frame(DATA, END_STREAM, 1, BODY[4:])
        size = len(text("/client/" + "n" * 12))
        for name, how in itertools.product(self.hosts, ("reset", "end")):
            paths = []
            for count in range(0, size):
                path = f"/client/2{how[0]}{count:010}"
                paths.append(path)
                connection = Connection(self.proxy.address(name))
                connection.send(text(path)[:count])
                connection.abort() if how == "reset" else connection.close()
            with self.subTest(how=how, upstream=name):
                wait_for(lambda: self.proxy.stat("http.main.downstream_rq_active") == 0, "all are over")
                self.assertEqual(set(), set(self.hosts[name].whole) & set(paths), "half a request arrived whole")

    def test_streams_that_are_reset(self):
        """The same on one connection: RST_STREAM after each of a request's frames."""
        pieces = [post(1, path="/{}"), frame(DATA, 0, 1, b"0123"), frame(DATA, 0, 1), frame(DATA, 0, 1, b"456789")]
        for name in self.hosts:
            with RawHttp2(self.proxy.address(name)) as client:
                stream = 1
                for count, code in itertools.product(range(1, len(pieces) + 1), (0, 1, 2, 7, 8)):
                    data = [post(stream, path=f"/reset/{name}/{stream}"), frame(DATA, 0, stream, b"0123"), frame(DATA, 0, stream, b""),
                            frame(DATA, 0, stream, b"456789")][:count]
                    client.send(b"".join(data) + frame(RST_STREAM, 0, stream, code.to_bytes(4, "big")))
                    stream += 2
                client.send(get(stream, path="/alive"))
                self.assertIsNotNone(client.until_stream_ends(stream))
                self.assertEqual(200, client.status(stream))
                self.assertEqual([], [path for path in self.hosts[name].whole if path.startswith("/reset/")])

    # -- hosts that leave

    def judge_http1(self, name, kind, count, how, whole):
        path = f"/{kind}/{count}/{how}"
        try:
            answer = fetch(self.proxy.address(name), path)
        except Closed as closed:
            return None if closed.response or closed.received else f"{path}: not answered at all"
        if answer.status == 200:
            return None if whole and answer.body == BODY else f"{path}: 200 and {answer.body!r} for {count} bytes"
        return None if answer.status in (502, 503) else f"{path}: {answer.status}"

    def judge_http2(self, name, kind, count, how, whole):
        path = f"/{kind}/{count}/{how}"
        with RawHttp2(self.proxy.address(name)) as client:
            client.send(get(1, path=path))
            if client.until_stream_ends(1) is None:
                return f"{path}: the connection ended"
            body = b"".join(payload for frame_kind, _, stream, payload in client.seen if frame_kind == DATA and stream == 1)
            if 1 in client.resets:
                return None if not whole else f"{path}: reset"
            if client.status(1) == 200:
                return None if whole and body == BODY else f"{path}: 200 and {body!r} for {count} bytes"
            return None if client.status(1) in (502, 503) else f"{path}: {client.status(1)}"

    def answers(self, judge, name, kind, size, first_http2=False):
        """Whole only with the last byte; then a reset may still overtake it."""
        cases = [(name, kind, count, how, count == size) for count, how in itertools.product(range(0, size + 1), ("reset", "end"))
                 if count < size or how == "end"]
        self.each(judge, cases)
        logged = self.flags(f"/{kind}/", f"/{kind}/{size}/end")
        wrong = {path: flags for path, flags in logged.items() if not path.endswith(f"/{size}/end") and flags not in (
            "UC", "UPE", "UR", "UF,UC", "UC,UPE")}
        self.assertEqual({}, wrong, "the log does not say who left")

    def test_answers_over_http1(self):
        for kind, text in Http1Host.ANSWERS.items():
            for judge in (self.judge_http1, self.judge_http2):
                with self.subTest(kind=kind, downstream=judge.__name__[-5:]):
                    self.answers(judge, "h1", kind, len(text))

    def test_answers_over_http2(self):
        for kind in Http2Host.KINDS:
            for judge in (self.judge_http1, self.judge_http2):
                with self.subTest(kind=kind, downstream=judge.__name__[-5:]):
                    self.answers(judge, "h2", kind, len(Http2Host.answer(kind, 1)))


if __name__ == "__main__":
    unittest.main()
