"""HTTP/2 frames written by hand, for peers that no library would be: how to build them, a client that sends anything and notes all
that comes back, and a server that answers every request with given frames."""
import socket
import threading

import hpack

from .raw_http import TIMEOUT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 1, 2, 3, 5, 7, 8, 11


def number(value, size=4):
    return value.to_bytes(size, "big")


def frame(kind, flags=0, stream=0, payload=b""):
    return number(len(payload), 3) + bytes((kind, flags)) + number(stream) + payload


def settings(**values):
    """A SETTINGS frame of these parameters."""
    codes = {"header_table_size": 1, "enable_push": 2, "max_concurrent_streams": 3, "initial_window_size": 4}
    return frame(SETTINGS, payload=b"".join(number(codes[name], 2) + number(value) for name, value in values.items()))


def integer(value, prefix):
    """RFC 7541 5.1; the first byte's upper bits are 0."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((value,))
    text = bytes((most,))
    value -= most
    while value >= 128:
        text += bytes((value & 127 | 128,))
        value >>= 7
    return text + bytes((value,))


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def literal(name, value, first=b"\0"):
    """A literal field, neither indexed nor Huffman-coded; `first` b"@" puts it into the dynamic table."""
    name, value = _bytes(name), _bytes(value)
    return first + integer(len(name), 7) + name + integer(len(value), 7) + value


def fields(*pairs):
    return b"".join(literal(name, value) for name, value in pairs)


def request(*extra, method="GET", path="/", scheme="http", authority="main.test"):
    """The fields of a request; a pseudo-header that is None is left out."""
    pseudo = ((":method", method), (":scheme", scheme), (":path", path), (":authority", authority))
    return fields(*[pair for pair in pseudo if pair[1] is not None], *extra)


def get(stream, *extra, **pseudo):
    """A whole request without a body, as one frame."""
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, request(*extra, **pseudo))


def post(stream, *extra, **pseudo):
    """The head of a request whose body follows."""
    return frame(HEADERS, END_HEADERS, stream, request(*extra, **{"method": "POST", **pseudo}))


class Frames:
    """Reads frames from a socket and notes them: `heads` by stream as dicts, the codes of `resets` and `goaway`."""

    def __init__(self, sock):
        self._socket, self._buffer = sock, b""
        self._decoder = hpack.Decoder()
        self.seen, self.heads, self.resets, self.goaway, self.closed = [], {}, {}, None, False

    def next(self):
        """The next frame, or None once the peer has closed."""
        head = self._exactly(9)
        payload = head and self._exactly(int.from_bytes(head[:3], "big"))
        if payload is None:
            return None
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7fffffff
        self.seen.append((kind, flags, stream, payload))
        if kind == HEADERS:
            self.heads.setdefault(stream, []).append(dict(self._decoder.decode(payload)))
        elif kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        return self.seen[-1]

    def _exactly(self, count):
        while len(self._buffer) < count:
            try:
                piece = self._socket.recv(1 << 16)
            except ConnectionError:
                piece = b""
            if not piece:
                self.closed = True
                return None
            self._buffer += piece
        piece, self._buffer = self._buffer[:count], self._buffer[count:]
        return piece


class RawHttp2(Frames):
    """A client whose every frame the test writes."""

    def __init__(self, address, first=settings(), timeout=TIMEOUT):
        super().__init__(socket.create_connection(address, timeout))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(PREFACE + first)

    def send(self, data):
        """False once the peer has closed."""
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return False
        return True

    def until(self, wanted):
        """Reads until a frame for which `wanted(kind, flags, stream, payload)`; None if the connection ends before."""
        while (found := self.next()) is not None:
            if wanted(*found):
                return found
        return None

    def until_stream_ends(self, stream):
        """Until an answer is whole or its stream reset; None if the connection ends before."""
        return self.until(lambda kind, flags, at, _: at == stream and (
            kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM)))

    def until_closed(self):
        """Reads to the connection's end, which a timeout of the socket denies."""
        while self.next() is not None:
            pass

    def status(self, stream):
        """The status of an answer; 0 if there is none."""
        found = [int(head[":status"]) for head in self.heads.get(stream, ()) if head.get(":status", "1") >= "2"]
        return found[0] if found else 0

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RawHttp2Server:
    """Answers each request on a path with the bytes that `answers[path](stream)` gives, and reads no more on that connection than it
    must. Notes the codes with which it was left."""

    def __init__(self):
        self.answers, self.goaways, self.ended = {}, [], 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer:
            try:
                rest = len(PREFACE)
                while rest:
                    rest -= len(peer.recv(rest))
                peer.sendall(settings())
                frames = Frames(peer)
                while (found := frames.next()) is not None:
                    kind, flags, stream, _ = found
                    if kind == SETTINGS and not flags & ACK:
                        peer.sendall(frame(SETTINGS, ACK))
                    if kind == HEADERS:
                        peer.sendall(self.answers[frames.heads[stream][0][":path"]](stream))
                if frames.goaway is not None:
                    self.goaways.append(frames.goaway)
            except OSError:
                pass
            self.ended += 1

    def close(self):
        self._server.close()
