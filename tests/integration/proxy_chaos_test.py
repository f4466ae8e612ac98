#!/usr/bin/env python3
"""Peers that leave at the worst moment: clients and upstreams reset, stall, cut and babble at random, on both protocols, while
requests connect, wait for a retry or an authority, upload, download and queue in one another's way. Nothing is asked of single
answers; the proxy must live, and when all is over every gauge and every place in the circuit breakers must be given back.

Bounded by WEFT_CHAOS_ITERATIONS (3000) and 20 s; WEFT_CHAOS_SEED (1) picks the dice. One event loop plays all the peers.
"""
import asyncio
import os
import random
import socket
import struct
import threading
import time
import unittest

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane
from meshtest.raw_http import fetch
from meshtest.upstream import refused_address
from meshtest.wait import wait_for

TYPES = "type.googleapis.com/envoy.extensions.filters"
SEED = int(os.environ.get("WEFT_CHAOS_SEED", "1"))
ITERATIONS = int(os.environ.get("WEFT_CHAOS_ITERATIONS", "3000"))
SECONDS = 20.0
PATIENCE = 2.0     # of one peer with the other
AT_ONCE = 24
LIMITS = {"circuit_breakers": {"thresholds": [{"max_connections": 12, "max_pending_requests": 8, "max_requests": 40, "max_retries": 6,
                                               "track_remaining": True}]}}
RETRY = {"timeout": "1s", "retry_policy": {"retry_on": "5xx,reset,connect-failure,refused-stream", "num_retries": 3, "per_try_timeout": "0.3s",
                                           "retry_back_off": {"base_interval": "0.004s", "max_interval": "0.02s"}}}
GARBAGE = (b"\r\n\r\n\r\n", b"HTTP/9.9 what\r\n\r\n", b"\x00\xff\x16\x03\x01", b"GET / HTTP/1.1\r\nhost: a\r\nhost : b\r\n\r\n",
           b"HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
# How a conversation may end here.
ENDS = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError)


class Gone(Exception):
    """A peer has had enough."""


def cut(writer, dice):
    """Ends a connection: by reset, by FIN, or half of it only."""
    how = dice.random()
    sock = writer.get_extra_info("socket")
    if how < 0.6 and sock is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        writer.transport.abort()
    elif how < 0.9:
        writer.close()
    else:
        try:
            writer.write_eof()
        except (OSError, RuntimeError):
            writer.close()


def bury(writer):
    """Closes; what cannot be sent soon is dropped."""
    writer.close()
    asyncio.get_running_loop().call_later(0.3, writer.transport.abort)


async def soon(dice):
    """A moment: often none, mostly shorter than what the proxy is about."""
    await asyncio.sleep(dice.choice((0, 0, 0, 0.0005, 0.002, 0.006, 0.02)))


async def limited(awaitable):
    return await asyncio.wait_for(awaitable, PATIENCE)


def chunks_of(payload, dice):
    at = 0
    while at < len(payload):
        size = dice.choice((1, 7, 1000, 16384, 65536))
        yield payload[at:at + size]
        at += size


# -- upstreams

class Http1Chaos:
    """Speaks HTTP/1, or tries; with `orderly` set it behaves."""

    def __init__(self, dice):
        self.dice, self.orderly, self.server, self.open = dice, False, None, set()

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        return self.server.sockets[0].getsockname()

    async def _serve(self, reader, writer):
        self.open.add(writer)
        try:
            if not self.orderly and self.dice.random() < 0.04:
                cut(writer, self.dice)
            while not writer.is_closing():
                await self._answer(reader, writer)
        except (*ENDS, Gone):
            pass
        finally:
            self.open.discard(writer)
            bury(writer)

    async def _answer(self, reader, writer):
        dice = self.dice
        head = await reader.readuntil(b"\r\n\r\n")
        whims = not self.orderly
        if whims and dice.random() < 0.05:
            cut(writer, dice)
            raise Gone
        if whims and dice.random() < 0.05:  # answers before it has heard all
            writer.write(b"HTTP/1.1 %d Early\r\ncontent-length: 3\r\n%s\r\nyes" % (
                dice.choice((200, 413, 503)), dice.choice((b"", b"connection: close\r\n"))))
            await soon(dice)
        await self._body(head.lower(), reader, writer)
        if not whims:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            return
        await soon(dice)
        whim = dice.random()
        if whim < 0.35:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        elif whim < 0.5:
            writer.write(b"HTTP/1.1 %d Whatever\r\ncontent-length: 0\r\n\r\n" % dice.choice((500, 502, 503, 403, 204)))
        elif whim < 0.62:
            await self._large(writer)
        elif whim < 0.68:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1")
            writer.close()
            raise Gone
        elif whim < 0.73:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nextra")
        elif whim < 0.78:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            cut(writer, dice)
            raise Gone
        elif whim < 0.83:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
            cut(writer, dice)
            raise Gone
        elif whim < 0.87:
            writer.write(dice.choice(GARBAGE))
            cut(writer, dice)
            raise Gone
        elif whim < 0.92:
            await asyncio.sleep(0.05)
            cut(writer, dice)
            raise Gone
        elif whim < 0.94:
            await asyncio.sleep(PATIENCE)  # a timeout will tell
            raise Gone
        else:
            cut(writer, dice)
            raise Gone

    async def _body(self, head, reader, writer):
        dice = self.dice
        if b"expect: 100-continue" in head and dice.random() < 0.7:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"transfer-encoding: chunked" in head:
            while True:
                size = int((await limited(reader.readuntil(b"\r\n"))).split(b";")[0], 16)
                await limited(reader.readexactly(size + 2)) if size else await limited(reader.readuntil(b"\r\n"))
                self._maybe_leave(writer)
                if not size:
                    return
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                left = int(line[15:])
                while left:
                    data = await limited(reader.read(min(left, 65536)))
                    if not data:
                        raise Gone
                    left -= len(data)
                    self._maybe_leave(writer)

    def _maybe_leave(self, writer):
        if not self.orderly and self.dice.random() < 0.01:
            cut(writer, self.dice)
            raise Gone

    async def _large(self, writer):
        dice = self.dice
        payload = bytes(dice.choice((10, 70000, 400000)))
        chunked = dice.random() < 0.5
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"transfer-encoding: chunked\r\n\r\n" if chunked else b"content-length: %d\r\n\r\n" % len(payload)))
        for piece in chunks_of(payload, dice) if len(payload) < 100 else (payload[:100000], payload[100000:]):
            if not piece:
                continue
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            await limited(writer.drain())
            if dice.random() < 0.1:
                cut(writer, dice)
                raise Gone
        if chunked:
            writer.write(b"0\r\n%s\r\n" % dice.choice((b"", b"x-trailer: there\r\n")))

    def close(self):
        self.server.close()
        for writer in list(self.open):
            writer.transport.abort()


class Http2Chaos(Http1Chaos):
    """The same temper on HTTP/2: streams reset, refused, cut short; GOAWAY in between."""

    async def _serve(self, reader, writer):
        self.open.add(writer)
        dice = self.dice
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        try:
            writer.write(protocol.data_to_send())
            while not writer.is_closing():
                data = await reader.read(65536)
                if not data:
                    return
                for event in protocol.receive_data(data):
                    if isinstance(event, h2.events.DataReceived):
                        protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    early = isinstance(event, h2.events.RequestReceived) and not self.orderly and dice.random() < 0.1
                    if early or isinstance(event, h2.events.StreamEnded):
                        self._reply(protocol, event.stream_id)
                if not self.orderly and dice.random() < 0.03:
                    protocol.close_connection(last_stream_id=max(0, protocol.highest_inbound_stream_id - dice.choice((0, 0, 2))))
                    writer.write(protocol.data_to_send())
                    await soon(dice)
                    cut(writer, dice)
                    return
                writer.write(protocol.data_to_send())
                if not self.orderly and dice.random() < 0.03:
                    cut(writer, dice)
                    return
        except (*ENDS, h2.exceptions.H2Error, KeyError):
            pass
        finally:
            self.open.discard(writer)
            bury(writer)

    def _reply(self, protocol, stream):
        dice = self.dice
        whim = 0 if self.orderly else dice.random()
        try:
            if whim < 0.5:
                protocol.send_headers(stream, [(":status", "200"), ("content-length", "2")])
                protocol.send_data(stream, b"ok", end_stream=True)
            elif whim < 0.65:
                protocol.send_headers(stream, [(":status", dice.choice(("500", "503", "204")))], end_stream=True)
            elif whim < 0.85:
                protocol.reset_stream(stream, dice.choice((0, 2, 7, 8)))
            elif whim < 0.95:
                protocol.send_headers(stream, [(":status", "200")])
                protocol.send_data(stream, bytes(dice.choice((1, 4000, 16000))))
                if dice.random() < 0.5:
                    protocol.send_headers(stream, [("x-trailer", "there")], end_stream=True)
                else:
                    protocol.reset_stream(stream, 8)
        except h2.exceptions.H2Error:
            pass  # the stream is gone, or the window is full: then it stays half open


# -- clients

class Clients:
    def __init__(self, dice, addresses):
        self.dice, self.addresses, self.answers = dice, addresses, 0

    async def one(self):
        try:
            await limited(self.dice.choices((self.requests, self.pipeline, self.upload, self.streams, self.nonsense, self.tunnel),
                                            (6, 3, 5, 4, 1, 2))[0]())
        except (*ENDS, h2.exceptions.H2Error, KeyError):
            pass

    def path(self):
        return self.dice.choice(("/h1/x", "/h1/y", "/h2/x", "/plain/x", "/dead/x", "/nowhere", "/mixed/x"))

    async def connect(self, name=None):
        return await asyncio.open_connection(*self.addresses[name or self.dice.choice(("main", "main", "asked", "open"))])

    async def leave(self, writer):
        await soon(self.dice)
        cut(writer, self.dice)
        await asyncio.sleep(0.001)
        bury(writer)

    async def read_answer(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line[15:]))
        self.answers += 1

    async def requests(self):
        """Some one after the other, the last of them perhaps never heard."""
        reader, writer = await self.connect()
        try:
            for _ in range(self.dice.randint(1, 3)):
                writer.write(f"{self.dice.choice(('GET', 'HEAD', 'GET'))} {self.path()} HTTP/1.1\r\nhost: main.test\r\n\r\n".encode())
                if self.dice.random() < 0.4:
                    return
                await self.read_answer(reader)
        finally:
            await self.leave(writer)

    async def pipeline(self):
        reader, writer = await self.connect()
        try:
            for _ in range(self.dice.randint(2, 5)):
                writer.write(f"GET {self.path()} HTTP/1.1\r\nhost: main.test\r\n\r\n".encode())
            if self.dice.random() < 0.2:
                writer.write(b"GET /h1/cut HTTP/1.1\r\nho")
            for _ in range(self.dice.randint(0, 3)):
                await self.read_answer(reader)
        finally:
            await self.leave(writer)

    async def upload(self):
        dice = self.dice
        reader, writer = await self.connect()
        try:
            chunked, payload = dice.random() < 0.5, bytes(dice.choice((5, 30000, 300000, 1500000)))
            framing = "transfer-encoding: chunked" if chunked else f"content-length: {len(payload)}"
            expect = "expect: 100-continue\r\n" if dice.random() < 0.2 else ""
            writer.write(f"POST {self.path()} HTTP/1.1\r\nhost: main.test\r\n{expect}{framing}\r\n\r\n".encode())
            for piece in (payload[at:at + 50000] for at in range(0, len(payload), 50000)):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                await writer.drain()
                if dice.random() < 0.05:
                    return
            if chunked:
                writer.write(b"0\r\n\r\n")
            if dice.random() < 0.6:
                await self.read_answer(reader)
        finally:
            await self.leave(writer)

    async def streams(self):
        dice = self.dice
        reader, writer = await self.connect()
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        protocol.initiate_connection()
        alive = set()
        try:
            for _ in range(dice.randint(1, 6)):
                stream = protocol.get_next_available_stream_id()
                body = dice.random() < 0.5
                protocol.send_headers(stream, [(":method", "POST" if body else "GET"), (":scheme", "http"), (":path", self.path()),
                                               (":authority", "main.test")], end_stream=not body)
                alive.add(stream)
                if body:
                    protocol.send_data(stream, bytes(dice.choice((1, 5000))), end_stream=dice.random() < 0.7)
                if dice.random() < 0.2:
                    protocol.reset_stream(stream, 8)
                    alive.discard(stream)
                writer.write(protocol.data_to_send())
                await soon(dice)
            for _ in range(dice.randint(0, 20)):
                if not alive:
                    break
                data = await asyncio.wait_for(reader.read(65536), 0.2)
                if not data:
                    break
                for event in protocol.receive_data(data):
                    if isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                        alive.discard(event.stream_id)
                        self.answers += 1
                    elif isinstance(event, h2.events.DataReceived) and dice.random() < 0.8:
                        protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if alive and dice.random() < 0.2:
                    protocol.reset_stream(alive.pop(), dice.choice((0, 8)))
                writer.write(protocol.data_to_send())
        finally:
            await self.leave(writer)

    async def nonsense(self):
        _, writer = await self.connect()
        try:
            if self.dice.random() < 0.3:
                writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(self.dice.randrange(256) for _ in range(60)))
            elif self.dice.random() < 0.7:
                writer.write(self.dice.choice(GARBAGE))
        finally:
            await self.leave(writer)

    async def tunnel(self):
        reader, writer = await self.connect(self.dice.choice(("tcp", "tcp", "tcp-dead")))
        try:
            writer.write(b"GET /raw HTTP/1.1\r\nhost: main.test\r\n\r\n")
            if self.dice.random() < 0.6:
                await self.read_answer(reader)
        finally:
            await self.leave(writer)


def ext_authz(**fields):
    return {"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": f"{TYPES}.http.ext_authz.v3.ExtAuthz", "transport_api_version": "V3",
        "http_service": {"server_uri": {"uri": "http://authority.test", "cluster": "authority", "timeout": "0.2s"}}, **fields}}


def tcp_proxy(name):
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": f"{TYPES}.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", "cluster": name}}


class Chaos(unittest.TestCase):
    def setUp(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # sockets that are cut while asyncio writes
        thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        thread.start()

        async def rest():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        def end():
            self.play(rest())
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join()
            self.loop.close()
        self.addCleanup(end)
        dice = random.Random(SEED)
        self.upstreams = [Http1Chaos(dice), Http2Chaos(dice), Http1Chaos(dice)]
        one, two, authority = [self.play(upstream.start()) for upstream in self.upstreams]
        dead, keeper = refused_address()
        self.addCleanup(keeper.close)
        self.clusters = ("h1", "h2", "authority", "dead", "mixed")
        table = routes(route("/h1/", "h1", action=RETRY), route("/h2/", "h2", action=RETRY), route("/dead/", "dead", action=RETRY),
                       route("/mixed/", "mixed", action=RETRY), route("/plain/", "h1", action={"timeout": "1s"}))
        self.proxy = DataPlane(bootstrap(
            [listener(hcm(table)), listener(hcm(table, [ext_authz()]), name="asked"),
             listener(hcm(table, [ext_authz(failure_mode_allow=True)]), name="open"),
             listener(tcp_proxy("h1"), name="tcp"), listener(tcp_proxy("dead"), name="tcp-dead")],
            [cluster("h1", one, **LIMITS), cluster("h2", two, typed_extension_protocol_options=http2(), **LIMITS),
             cluster("authority", authority, **LIMITS), cluster("dead", dead, **LIMITS),
             cluster("mixed", one, dead, **LIMITS)]), concurrency=2)
        self.addCleanup(self.proxy.stop)
        self.clients = Clients(dice, {name: self.proxy.address(name) for name in ("main", "asked", "open", "tcp", "tcp-dead")})

    def play(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(SECONDS * 2)

    async def storm(self):
        done, end = 0, time.monotonic() + SECONDS

        async def player():
            nonlocal done
            while done < ITERATIONS and time.monotonic() < end:
                done += 1
                await self.clients.one()
        await asyncio.gather(*(player() for _ in range(AT_ONCE)))
        return done

    def test_everything_is_given_back(self):
        try:
            done = self.play(self.storm())
            self.proxy.program.require_alive()
            self.assertGreater(done, 100)
            self.assertGreater(self.clients.answers, done // 10, "the storm met nothing but silence")
            # The sky clears: those who stayed answer, and are answered through the same connections.
            for upstream in self.upstreams:
                upstream.orderly = True
            for path in ("/h1/x", "/h2/x", "/plain/x"):
                wait_for(lambda: fetch(self.proxy.address(), path).status == 200, f"200 for {path}")  # pylint: disable=cell-var-from-loop
            for upstream in self.upstreams:
                self.loop.call_soon_threadsafe(upstream.close)
            wait_for(lambda: not self.left_over(), "all gauges back", deadline=15)
        except BaseException as error:
            print(f"seed {SEED}, {ITERATIONS} iterations; not given back: {self.left_over() if self.proxy.program.alive else '-'}")
            raise error

    def left_over(self):
        """Gauges that are not where they were before the first request."""
        limits = {"remaining_cx": 12, "remaining_pending": 8, "remaining_rq": 40, "remaining_retries": 6}
        wrong = {}
        for line in self.proxy.admin("/stats").text.splitlines():
            name, _, value = line.partition(": ")
            last = name.rpartition(".")[2]
            if name.startswith(("http.admin.", "listener.admin.")) or ".admin." in name or not value.isdigit():
                continue
            if last.endswith(("cx_active", "rq_active", "pending_active")) and value != "0":
                wrong[name] = int(value)
            elif ".circuit_breakers.default." in name:
                if last.endswith("_open") and value != "0" or last in limits and int(value) != limits[last]:
                    wrong[name] = int(value)
        return wrong


if __name__ == "__main__":
    unittest.main()
