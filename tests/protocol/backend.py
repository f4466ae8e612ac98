"""The judge's last witness: a plain HTTP/1 server that keeps what arrives, byte by byte, and reads it by the narrowest reading of RFC
9112. What two servers could read differently is a fault that it notes, whatever it would do with it itself."""
import dataclasses
import re
import socket
import threading

_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[!-~]*|\*|[!-~]+) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]?([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


@dataclasses.dataclass
class Request:
    """`raw` is the head as it came; `faults` say what is not in normal form."""
    method: str
    target: str
    fields: list
    raw: bytes
    body: bytes = b""
    complete: bool = False
    faults: list = dataclasses.field(default_factory=list)

    def all(self, name):
        return [value for key, value in self.fields if key == name]


class Backend:
    """Answers `METHOD TARGET LENGTH` to each request, or the bytes in `replies` for its target: those end with None where the connection
    is to end, and come before the body is read where the first is None."""

    def __init__(self):
        self._lock = threading.Lock()
        self._seen, self.replies = [], {}
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = self._server.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def seen(self, after=0):
        with self._lock:
            return self._seen[after:]

    def close(self):
        self._server.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        stream = peer.makefile("rb")
        try:
            while self._one(peer, stream):
                pass
        except (OSError, EOFError, ValueError, OverflowError):
            pass
        finally:
            stream.close()
            peer.close()

    def _one(self, peer, stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line.endswith(b"\n"):
                if head + line:
                    self._note(_judge(head + line))
                raise EOFError
            head += line
        request = self._note(_judge(head))
        replies = self.replies.get(request.target, ())
        if replies[:1] == (None,):
            peer.sendall(replies[1])
            return False
        if "100-continue" in [value.lower() for value in request.all("expect")] and not replies:
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.all("transfer-encoding"):
            _read_chunks(request, stream)
        elif request.all("content-length"):
            request.body = _exactly(stream, int(request.all("content-length")[0]))
        request.complete = True
        if replies:
            for reply in replies:
                if reply is None:
                    return False
                peer.sendall(reply)
            return True
        text = f"{request.method} {request.target} {len(request.body)}".encode()
        body = b"" if request.method == "HEAD" else text
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), body))
        return "close" not in request.all("connection")

    def _note(self, request):
        with self._lock:
            self._seen.append(request)
        return request


def _judge(head):
    lines = head.split(b"\r\n")
    words = lines[0].decode("latin-1").split(" ") + ["", ""]
    request = Request(words[0], words[1], [], head)
    if not _LINE.fullmatch(lines[0]):
        request.faults.append(f"request line {lines[0]!r}")
    for line in lines[1:]:
        found = _FIELD.fullmatch(line)
        if found:
            request.fields.append((found[1].decode().lower(), (found[2] or b"").decode("latin-1")))
        elif line:
            request.faults.append(f"line {line!r}")
    lengths, codings = request.all("content-length"), request.all("transfer-encoding")
    for name in ("upgrade", "http2-settings", "keep-alive", "proxy-connection"):
        if request.all(name):
            request.faults.append(f"hop-by-hop {name}")
    if len(request.all("host")) != 1:
        request.faults.append(f"hosts {request.all('host')}")
    if len(lengths) + len(codings) > 1:
        request.faults.append(f"framing {lengths} {codings}")
    if codings not in ([], ["chunked"]) or not all(re.fullmatch("[0-9]{1,18}", value) for value in lengths):
        request.faults.append(f"framing {lengths} {codings}")
    return request


def _exactly(stream, count):
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _read_chunks(request, stream):
    while True:
        line = stream.readline()
        if not line.endswith(b"\r\n"):
            if line.endswith(b"\n"):
                request.faults.append(f"chunk line {line!r}")
            raise EOFError
        if not _SIZE.fullmatch(line[:-2]):
            request.faults.append(f"chunk line {line!r}")
            raise ValueError
        size = int(line, 16)
        if size == 0:
            break
        request.body += _exactly(stream, size)
        if _exactly(stream, 2) != b"\r\n":
            request.faults.append("chunk without its end")
            raise ValueError
    while (line := stream.readline()) != b"\r\n":
        found = _FIELD.fullmatch(line[:-2])
        if not found or found[1].lower() in (b"content-length", b"transfer-encoding", b"host", b"trailer", b"connection"):
            request.faults.append(f"trailer {line!r}")
            raise ValueError
