"""Peers that talk through tunnels: servers that take upgrades and CONNECT over HTTP/1 and HTTP/2, and a plain TCP echo.

All three echo what they get. What came is kept: the heads, the bytes behind them, and how each side ended."""
import socket
import struct
import threading

from .frames import (ACK, CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, Frames, fields,
                     frame, number)
from .raw_http import parse_fields

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
ENABLE_CONNECT = frame(SETTINGS, payload=number(8, 2) + number(1))


class _Server:
    def __init__(self):
        self.heads, self.ended, self.resets, self.connections = [], [], [], 0
        self.received = b""
        self.stops_reading, self.reads_on = False, threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._guarded, args=(peer,), daemon=True).start()

    def _guarded(self, peer):
        with peer:
            try:
                self._serve(peer)
            except OSError:
                self.resets.append(peer)

    def _serve(self, peer):
        raise NotImplementedError

    def _echo(self, peer, greeting=b"", farewell=b""):
        peer.sendall(greeting)
        while piece := peer.recv(65536):
            self.received += piece
            if piece.endswith(b"reset!"):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if piece.endswith(b"leave!"):
                return
            if piece.endswith(b"mute!"):
                peer.shutdown(socket.SHUT_WR)
                continue
            if piece.endswith(b"stop reading!"):
                self.reads_on.wait(30)
            peer.sendall(piece)
        self.ended.append(peer)
        peer.sendall(farewell)

    def close(self):
        self.reads_on.set()
        self._server.close()


class TcpEcho(_Server):
    """Says good-bye when its client has ended its half."""

    def _serve(self, peer):
        self._echo(peer, farewell=b"good-bye")


class TunnelUpstream(_Server):
    """HTTP/1. Each head is answered by what `answers` has for its target, else with 101 or, for CONNECT, with 200."""

    def __init__(self):
        self.answers = {}
        super().__init__()

    def _serve(self, peer):
        block = b""
        while b"\r\n\r\n" not in block:
            piece = peer.recv(65536)
            if not piece:
                return
            block += piece
        head, _, rest = block.partition(b"\r\n\r\n")
        line, _, lines = head.partition(b"\r\n")
        method, target, _ = line.decode().split(" ")
        self.heads.append((line.decode(), parse_fields(lines)))
        self.received += rest
        answer = self.answers.get(target, b"HTTP/1.1 200 OK\r\n\r\n" if method == "CONNECT" else SWITCHED)
        peer.sendall(answer)
        self._echo(peer, greeting=rest, farewell=b"good-bye")


class TunnelUpstream2(_Server):
    """HTTP/2 frame by frame. A request is answered with the status in `statuses` for its path, else 200; with another status its
    stream ends there."""

    def __init__(self, settings=ENABLE_CONNECT):
        self.settings, self.statuses, self.stream_resets = settings, {}, []
        super().__init__()

    def _serve(self, peer):
        rest = len(PREFACE)
        while rest:
            rest -= len(peer.recv(rest))
        peer.sendall(self.settings)
        frames, tunnels = Frames(peer), set()
        while (found := frames.next()) is not None:
            kind, flags, stream, payload = found
            if kind == SETTINGS and not flags & ACK:
                peer.sendall(frame(SETTINGS, ACK))
            elif kind == HEADERS:
                head = frames.heads[stream][0]
                self.heads.append((head[":method"], head))
                status = self.statuses.get(head.get(":path"), "200")
                whole = status != "200" or head[":method"] != "CONNECT"
                peer.sendall(frame(HEADERS, END_HEADERS | (END_STREAM if whole else 0), stream, fields((":status", status))))
                if not whole:
                    tunnels.add(stream)
            elif kind == DATA and stream in tunnels:
                self._on_data(peer, stream, payload, flags & END_STREAM)
            elif kind == RST_STREAM:
                self.stream_resets.append(int.from_bytes(payload, "big"))

    def _on_data(self, peer, stream, payload, end):
        self.received += payload
        if payload:
            peer.sendall(frame(WINDOW_UPDATE, 0, stream, number(len(payload))) + frame(WINDOW_UPDATE, 0, 0, number(len(payload))))
        if payload.endswith(b"reset!"):
            return peer.sendall(frame(RST_STREAM, 0, stream, number(CANCEL)))
        if end:
            self.ended.append(stream)
        return peer.sendall(frame(DATA, END_STREAM if end else 0, stream, payload + (b"good-bye" if end else b"")))
