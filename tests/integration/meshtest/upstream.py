"""A scripted HTTP/1 server: what it answers is programmed per path, what it received is kept for the test to look at.

Without a script it echoes the request as JSON, so that a test sees the request the proxy made. A thread per connection; that
is plenty for tests. It parses strictly on purpose: a request it cannot parse is kept as `incomplete`, never answered.
"""
import collections
import dataclasses
import json
import socket
import struct
import threading

from .raw_http import Closed, Reader, Silence, chunked, parse_fields

_REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
            429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


@dataclasses.dataclass
class Reply:
    """One scripted answer. `raw` replaces everything; `hold` waits for an event first; `reset` and `drop` answer nothing;
    `early` answers before the body is read, and closes."""
    status: int = 200
    headers: tuple = ()
    body: bytes = b""
    chunks: tuple = None
    trailers: tuple = ()
    delay: float = 0.0
    hold: threading.Event = None
    interim: bytes = b""
    raw: bytes = None
    close: bool = False
    drop: bool = False
    early: bool = False
    reset: bool = False


@dataclasses.dataclass
class Seen:
    """A request as it came: `raw` is the head's very bytes; `complete` says whether its body arrived whole."""
    method: str
    target: str
    version: str
    headers: list
    raw: bytes
    connection: int
    body: bytes = b""
    framing: str = "none"
    trailers: list = dataclasses.field(default_factory=list)
    complete: bool = False

    @property
    def path(self):
        return self.target.partition("?")[0]

    def header(self, name, default=None):
        for key, value in self.headers:
            if key == name.lower():
                return value
        return default


class Upstream:
    """Listens on a loopback address until closed. Scripts and records may be used from any thread."""

    def __init__(self, name="upstream", host="127.0.0.1", port=0):
        self.name = name
        self._lock = threading.Lock()
        self._scripts = {}
        self._counts = collections.Counter()
        self._seen = []
        self._open = set()
        self.connections = 0
        self._closing = False
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(256)
        self.host, self.port = self._listener.getsockname()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def address(self):
        return (self.host, self.port)

    def on(self, path, *replies):
        """The n-th request for `path` gets the n-th reply, and the last one again and again. A reply may be a function of Seen."""
        with self._lock:
            self._scripts[path] = replies
            self._counts[path] = 0
        return self

    def requests(self, path=None, complete=True):
        """What has arrived; by default only requests that arrived whole."""
        with self._lock:
            return [seen for seen in self._seen if (path is None or seen.path == path) and (seen.complete or not complete)]

    def count(self, path=None):
        return len(self.requests(path))

    @property
    def open_connections(self):
        with self._lock:
            return len(self._open)

    def forget(self):
        """Forgets what was seen and restarts every script."""
        with self._lock:
            self._seen.clear()
            self._counts.clear()

    def drop_connections(self):
        """Closes every connection that is open now."""
        with self._lock:
            victims = list(self._open)
        for victim in victims:
            _shut(victim)

    def close(self):
        """Stops listening and closes everything."""
        self._closing = True
        _shut(self._listener)
        self._listener.close()
        self.drop_connections()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        reader = Reader(connection)
        try:
            while self._one_request(connection, reader, number):
                pass
        except (Closed, Silence, ValueError, OSError):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _one_request(self, connection, reader, number):
        raw = reader.until(b"\r\n\r\n")
        line, _, rest = raw.partition(b"\r\n")
        method, target, version = line.decode("latin-1").split(" ")
        seen = Seen(method, target, version, parse_fields(rest), raw, number)
        with self._lock:
            self._seen.append(seen)
            replies = self._scripts.get(seen.path)
            reply = None
            if replies:
                reply = replies[min(self._counts[seen.path], len(replies) - 1)]
            self._counts[seen.path] += 1
        if isinstance(reply, Reply) and reply.early:
            self._answer(connection, seen, reply)
            return False
        if (seen.header("expect") or "").lower() == "100-continue" and not (isinstance(reply, Reply) and (reply.interim or reply.raw)):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in (seen.header("transfer-encoding") or ""):
            pieces, seen.trailers = reader.chunked()
            seen.body, seen.framing = b"".join(pieces), "chunked"
        elif seen.header("content-length") is not None:
            seen.framing = "length"
            seen.body = reader.exactly(int(seen.header("content-length")))
        seen.complete = True
        if callable(reply):
            reply = reply(seen)
        if reply is None:
            reply = self.echo(seen)
        return self._answer(connection, seen, reply)

    def echo(self, seen):
        """The default answer: the request as JSON."""
        text = json.dumps({
            "upstream": self.name, "method": seen.method, "target": seen.target, "version": seen.version, "headers": seen.headers,
            "framing": seen.framing, "body": seen.body.decode("latin-1"), "trailers": seen.trailers})
        return Reply(headers=(("content-type", "application/json"),), body=text.encode())

    def _answer(self, connection, seen, reply):
        if reply.hold is not None:
            reply.hold.wait(30)
        if reply.delay:
            threading.Event().wait(reply.delay)
        if reply.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return False
        if reply.drop:
            return False
        if reply.raw is not None:
            connection.sendall(reply.raw)
            return not reply.close
        bodyless = reply.status in (204, 304) or 100 <= reply.status < 200
        lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        names = {name.lower() for name, _ in reply.headers}
        body = b""
        if reply.chunks is not None:
            lines.append("transfer-encoding: chunked")
            body = chunked(*reply.chunks, trailers=reply.trailers)
        elif not bodyless:
            if "content-length" not in names:
                lines.append(f"content-length: {len(reply.body)}")
            body = reply.body
        if reply.close:
            lines.append("connection: close")
        if seen.method == "HEAD":
            body = b""
        connection.sendall(reply.interim + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return not reply.close and (seen.header("connection") or "").lower() != "close"


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def refused_address(host="127.0.0.1"):
    """An address where nobody listens, reserved for as long as the returned socket is kept: (address, socket)."""
    keeper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    keeper.bind((host, 0))
    return keeper.getsockname(), keeper
