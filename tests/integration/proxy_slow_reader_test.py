"""A reader that takes nothing stops the writer at the other end, on every pair of protocols and in both directions, before the proxy holds
much more than per_connection_buffer_limit_bytes. What it holds is told exactly: what one side has written, less what lies in the four
sockets' queues and what the other side has read."""
import itertools
import socket
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind
from meshtest.frames import (ACK, DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS, WINDOW_UPDATE, Frames, fields, frame, number, post, request,
                             settings)
from meshtest.wait import steady, wait_for

LIMIT = 128 << 10
WINDOW = 65535
BODY = 1 << 30       # never reached
PIECE = 16 << 10
# A limit for the stream and one for its connection, one more read, and the windows that were granted before anybody was slow.
MOST = 2 * LIMIT + (64 << 10) + 2 * (WINDOW + PIECE)
ALL = (1 << 31) - 1
NO_GRACE = ("--shutdown-grace-s", "0") if data_plane_kind() == "weft" else ()


def queues():
    """(local port, remote port) to the bytes that lie in a socket's queues: sent and not yet acknowledged, received and not yet read."""
    found = {}
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in list(file)[1:]:
            _, local, remote, _, sizes, *_ = line.split()
            unsent, unread = (int(size, 16) for size in sizes.split(":"))
            found[tuple(int(end.split(":")[1], 16) for end in (local, remote))] = unsent + unread
    return found


class Peer:
    """One end of an exchange. `moved` are the body's bytes that it has written, if it is the writer."""

    def __init__(self, writes):
        self.moved, self.writes, self.socket, self.windows = 0, writes, None, [WINDOW, WINDOW]

    def pour(self, http2_stream=None):
        """Writes the body for as long as somebody takes it; over HTTP/2 as far as the window goes."""
        try:
            while True:
                if http2_stream is None:
                    self.socket.sendall(bytes(PIECE))
                    self.moved += PIECE
                    continue
                room = min(*self.windows, PIECE)
                if room:
                    self.socket.sendall(frame(DATA, 0, http2_stream, bytes(room)))
                    self.moved += room
                    self.windows = [window - room for window in self.windows]
                else:
                    self.read_windows()
        except OSError:
            pass

    def leave(self):
        """Ends the connection, though a thread may still wait in it."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def read_windows(self):
        """The connection's and the stream's."""
        found = self.frames.next()
        if found is None:
            raise OSError
        kind, flags, stream, payload = found
        if kind == WINDOW_UPDATE:
            self.windows[stream > 0] += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            self.socket.sendall(frame(SETTINGS, ACK))


class Host(Peer):
    """An upstream that answers one request with an endless body, or takes its head and reads no more."""

    def __init__(self, writes, speaks_http2):
        super().__init__(writes)
        self._http2, self.ready = speaks_http2, threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            self.socket, _ = self._server.accept()
            stream = self._begin_http2() if self._http2 else self._begin_http1()
            self.ready.set()
            if self.writes:
                self.pour(stream)
        except OSError:
            pass

    def _begin_http1(self):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(1)
        if self.writes:
            self.socket.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BODY)

    def _begin_http2(self):
        left = len(PREFACE)
        while left:
            left -= len(self.socket.recv(left))
        # As a reader it would take all, and then never reads.
        grant = b"" if self.writes else settings(initial_window_size=ALL) + frame(WINDOW_UPDATE, 0, 0, number(ALL - WINDOW))
        self.socket.sendall(grant or settings())
        self.frames = Frames(self.socket)
        while (found := self.frames.next()) is not None:
            kind, flags, stream, _ = found
            if kind == SETTINGS and not flags & ACK:
                self.socket.sendall(frame(SETTINGS, ACK))
            if kind == HEADERS:
                if self.writes:
                    self.socket.sendall(frame(HEADERS, END_HEADERS, stream, fields((":status", "200"))))
                return stream
        raise OSError("no request")

    def close(self):
        self._server.close()
        if self.socket:
            self.leave()


class Client(Peer):
    """Asks for an endless body and reads nothing of it, or sends one."""

    def __init__(self, writes, speaks_http2, address, path):
        super().__init__(writes)
        self.socket = socket.create_connection(address)
        if speaks_http2:
            # As a reader it would take all, and then never reads.
            grant = settings() if writes else settings(initial_window_size=ALL) + frame(WINDOW_UPDATE, 0, 0, number(ALL - WINDOW)) + frame(
                SETTINGS, ACK)
            head = post(1, path=path) if writes else frame(HEADERS, END_HEADERS | 1, 1, request(path=path))
            self.frames = Frames(self.socket)
            self.socket.sendall(PREFACE + grant + head)
        else:
            length = b"content-length: %d\r\n" % BODY if writes else b""
            self.socket.sendall(b"%s %s HTTP/1.1\r\nhost: main.test\r\n%s\r\n" % (b"POST" if writes else b"GET", path.encode(), length))
        if writes:
            threading.Thread(target=self.pour, args=(1 if speaks_http2 else None,), daemon=True).start()

    def close(self):
        self.leave()


class SlowReader(unittest.TestCase):
    def held(self, client, host, clients_port):
        """What the proxy itself holds of an exchange."""
        lying = queues()
        inside = client.moved + host.moved
        for (local, remote), count in lying.items():
            if host.address[1] in (local, remote) or {local, remote} == {client.socket.getsockname()[1], clients_port}:
                inside -= count
        return inside

    def check(self, writer):
        ways = list(itertools.product((False, True), (False, True)))
        hosts = {way: Host(writer == "host", way[1]) for way in ways}
        windows = {"initial_stream_window_size": WINDOW, "initial_connection_window_size": WINDOW}
        limit = {"per_connection_buffer_limit_bytes": LIMIT}
        name = {way: f"{'h2' if way[0] else 'h1'}-{'h2' if way[1] else 'h1'}" for way in ways}
        options = {False: {}, True: {"typed_extension_protocol_options": http2(**windows)}}
        proxy = DataPlane(bootstrap(
            [listener(hcm(routes(*(route(f"/{name[way]}", name[way], action={"timeout": "0s"}) for way in ways)),
                          http2_protocol_options=windows), **limit)],
            [cluster(name[way], hosts[way].address, **options[way[1]], **limit) for way in ways]), flags=NO_GRACE)
        self.addCleanup(proxy.stop)
        address = proxy.address()
        clients = {way: Client(writer == "client", way[0], address, f"/{name[way]}") for way in ways}
        for peer in (*hosts.values(), *clients.values()):
            self.addCleanup(peer.close)
        for way in ways:
            self.assertTrue(hosts[way].ready.wait(20), f"{name[way]}: no request came through")
        steady(lambda: [peer.moved for peer in (*hosts.values(), *clients.values())], "everybody has stopped", 0.7)
        for way in ways:
            with self.subTest(name[way], writer=writer):
                moved = hosts[way].moved + clients[way].moved
                self.assertGreater(moved, LIMIT, "the writer was stopped before there was a need")
                held = self.held(clients[way], hosts[way], address[1])
                self.assertLess(held, MOST, f"of {moved} bytes written")
        for peer in (*hosts.values(), *clients.values()):
            peer.close()
        wait_for(lambda: proxy.stat("http.main.downstream_rq_active") == 0, "no exchange is left")
        for way in ways:
            wait_for(lambda: proxy.stat(f"cluster.{name[way]}.upstream_rq_active") == 0, "none upstream")  # pylint: disable=cell-var-from-loop

    def test_a_client_that_does_not_read_stops_the_host(self):
        self.check("host")

    def test_a_host_that_does_not_read_stops_the_client(self):
        self.check("client")


if __name__ == "__main__":
    unittest.main()
