"""An HTTP/1 client that sends exactly the bytes it is given and reports exactly what came back.

The point is to send what a polite client never would. Reading is tolerant only where a response has one meaning.
"""
import dataclasses
import socket

TIMEOUT = 10.0


class Closed(ConnectionError):
    """The peer closed (or reset) before a whole response; `received` is what came, `response` the head if there was one."""
    response = None

    def __init__(self, received, reset=False):
        super().__init__(f"closed after {len(received)} bytes: {received[:200]!r}")
        self.received, self.reset = received, reset


class Silence(TimeoutError):
    """Nothing (more) came within the time given."""
    response = None

    def __init__(self, received):
        super().__init__(f"silence after {len(received)} bytes: {received[:200]!r}")
        self.received = received


@dataclasses.dataclass
class Response:
    """A whole response, header names in lower case and in the order they came."""
    status: int
    reason: str
    version: str
    headers: list
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    interim: list = dataclasses.field(default_factory=list)
    chunks: list = dataclasses.field(default_factory=list)

    def header(self, name, default=None):
        """The first value of a header."""
        for key, value in self.headers:
            if key == name.lower():
                return value
        return default

    def all(self, name):
        """All values of a header."""
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        import json
        return json.loads(self.body)


def parse_fields(block):
    """Header or trailer lines (without the empty one) as (lower-case name, value) pairs."""
    fields = []
    for line in block.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            fields.append((name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")))
    return fields


class Reader:
    """Bytes from a socket, in lines, counts and messages."""

    def __init__(self, sock):
        self._socket = sock
        self.buffer = b""

    def _more(self):
        try:
            piece = self._socket.recv(65536)
        except socket.timeout:
            raise Silence(self.buffer) from None
        except ConnectionError:
            raise Closed(self.buffer, reset=True) from None
        if not piece:
            raise Closed(self.buffer)
        self.buffer += piece

    def until(self, mark):
        """Everything up to and including `mark`."""
        while mark not in self.buffer:
            self._more()
        end = self.buffer.index(mark) + len(mark)
        result, self.buffer = self.buffer[:end], self.buffer[end:]
        return result

    def exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        result, self.buffer = self.buffer[:count], self.buffer[count:]
        return result

    def to_end(self):
        """All until the peer closes."""
        try:
            while True:
                self._more()
        except Closed as closed:
            if closed.reset:
                raise
        result, self.buffer = self.buffer, b""
        return result

    def chunked(self):
        """A chunked body: (pieces, trailers)."""
        chunks = []
        while True:
            size = int(self.until(b"\r\n")[:-2].split(b";")[0], 16)
            if size == 0:
                break
            chunks.append(self.exactly(size))
            if self.exactly(2) != b"\r\n":
                raise ValueError("chunk data not followed by CRLF")
        block = b""
        while not block.endswith(b"\r\n\r\n") and block != b"\r\n":
            block += self.until(b"\r\n")
        return chunks, parse_fields(block)


class Connection:
    """One TCP connection to an (address, port), from the address `source` if that matters."""

    def __init__(self, address, timeout=TIMEOUT, source=None):
        self._socket = socket.create_connection(address, timeout, (source, 0) if source else None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self._socket)

    def settimeout(self, seconds):
        self._socket.settimeout(seconds)

    @property
    def local_port(self):
        return self._socket.getsockname()[1]

    def send(self, data):
        """Sends the bytes. A peer that closed already is found out by reading."""
        try:
            self._socket.sendall(data)
        except ConnectionError:
            pass

    def finish_sending(self):
        """Half-close: no more from us."""
        self._socket.shutdown(socket.SHUT_WR)

    def read_head(self):
        """One response head, interim or final, without its body."""
        block = self.reader.until(b"\r\n\r\n")
        line, _, rest = block.partition(b"\r\n")
        version, _, tail = line.partition(b" ")
        status, _, reason = tail.partition(b" ")
        return Response(int(status), reason.decode("latin-1"), version.decode("latin-1"), parse_fields(rest))

    def read_response(self, method="GET"):
        """The next final response with its body; 1xx before it are kept in `interim`."""
        interim = []
        response = self.read_head()
        while 100 <= response.status < 200 and response.status != 101:
            interim.append(response)
            response = self.read_head()
        response.interim = interim
        if method == "HEAD" or response.status in (101, 204, 304):
            return response
        try:
            self._read_body(response)
        except (Closed, Silence) as error:
            error.response = response
            raise
        return response

    def read_either(self):
        """The next response, be it interim or final."""
        response = self.read_head()
        if response.status >= 200:
            self._read_body(response)
        return response

    def _read_body(self, response):
        if "chunked" in (response.header("transfer-encoding") or "").lower():
            response.chunks, response.trailers = self.reader.chunked()
            response.body = b"".join(response.chunks)
        elif response.header("content-length") is not None:
            response.body = self.reader.exactly(int(response.header("content-length")))
        else:
            response.body = self.reader.to_end()

    def request(self, method, target, headers=(), body=None, host="main.test"):
        """A polite request and its response on this connection."""
        self.send(message(method, target, headers, body, host))
        return self.read_response(method)

    def is_closed(self, timeout=TIMEOUT):
        """True when the peer closes within the time, False when it keeps silent; unread bytes are an error."""
        self._socket.settimeout(timeout)
        try:
            self.reader.until(b"\x00 never \x00")
        except Closed as closed:
            if closed.received:
                raise AssertionError(f"bytes after the last response: {closed.received[:200]!r}") from None
            return True
        except Silence:
            return False
        finally:
            self._socket.settimeout(TIMEOUT)
        return False

    def close(self):
        self._socket.close()

    def abort(self):
        """Close with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def is_refused(address):
    """Whether nobody accepts at the address."""
    try:
        Connection(address, timeout=2).close()
    except ConnectionError:
        return True
    return False


def message(method, target, headers=(), body=None, host="main.test", version="HTTP/1.1"):
    """The bytes of a well-formed request; a body given as a list goes out in chunks."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    tail = b""
    if isinstance(body, (list, tuple)):
        lines.append("Transfer-Encoding: chunked")
        tail = chunked(*body)
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
        tail = body
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + tail


def chunked(*pieces, trailers=()):
    """A chunked body of these pieces."""
    block = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return block + b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in trailers) + b"\r\n"


def fetch(address, target="/", method="GET", headers=(), body=None, host="main.test", timeout=TIMEOUT):
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        return connection.request(method, target, headers, body, host)
