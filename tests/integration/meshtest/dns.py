"""DNS by hand: queries as a client sends them, and a resolver that says what a test wants, over UDP and TCP.

Written out byte by byte, so that it can lie.
"""
import random
import socket
import struct
import threading

A, CNAME, SOA, TXT, AAAA, OPT = 1, 5, 6, 16, 28, 41
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label) + b"\0"


def query(name, kind=A, number=None, flags=0x0100, edns=None):
    number = random.randrange(65536) if number is None else number
    question = name_bytes(name) + struct.pack(">HH", kind, 1)
    extra = b"\0" + struct.pack(">HHIH", OPT, edns, 0, 0) if edns else b""
    return struct.pack(">HHHHHH", number, flags, 1, 0, 0, 1 if edns else 0) + question + extra


def record(name, kind, ttl, data):
    return name_bytes(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def address(name, ip, ttl=60):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return record(name, AAAA if ":" in ip else A, ttl, socket.inet_pton(family, ip))


def soa(zone, minimum, ttl=60):
    return record(zone, SOA, ttl, name_bytes("ns." + zone) + name_bytes("me." + zone) + struct.pack(">IIIII", 1, 2, 3, 4, minimum))


def question_end(message):
    end = 12
    while message[end]:
        end += 1 + message[end]
    return end + 5


def answer(asked, answers=(), authorities=(), code=NOERROR, flags=0x8180, number=None):
    """A whole response to the bytes of a query."""
    head = struct.pack(">HHHHHH", struct.unpack(">H", asked[:2])[0] if number is None else number, flags | code, 1, len(answers),
                       len(authorities), 0)
    return head + asked[12:question_end(asked)] + b"".join(answers) + b"".join(authorities)


class Message:
    """A response, read."""

    def __init__(self, data):
        self.data = data
        self.id, flags, questions, *counts = struct.unpack(">HHHHHH", data[:12])
        self.code, self.truncated, self.authoritative = flags & 15, bool(flags & 0x200), bool(flags & 0x400)
        self.response = bool(flags & 0x8000)
        at = 12
        self.questions, self.records = [], []
        for _ in range(questions):
            name, at = self._name(at)
            self.questions.append((name, struct.unpack(">H", data[at:at + 2])[0]))
            at += 4
        for count in counts:
            section = []
            for _ in range(count):
                name, at = self._name(at)
                kind, _, ttl, length = struct.unpack(">HHIH", data[at:at + 10])
                at += 10
                text = data[at:at + length]
                if kind == CNAME:
                    text = self._name(at)[0]
                elif kind in (A, AAAA):
                    text = socket.inet_ntop(socket.AF_INET if kind == A else socket.AF_INET6, text)
                section.append((name, kind, ttl, text))
                at += length
            self.records.append(section)
        if at != len(data):
            raise ValueError("bytes behind the message")
        self.answers, self.authorities, self.additionals = self.records
        self.edns = any(kind == OPT for _, kind, _, _ in self.additionals)

    def _name(self, at):
        labels, end = [], None
        while self.data[at]:
            if self.data[at] >= 0xc0:
                end = end or at + 2
                at = struct.unpack(">H", self.data[at:at + 2])[0] & 0x3fff
                continue
            labels.append(self.data[at + 1:at + 1 + self.data[at]].decode())
            at += 1 + self.data[at]
        return ".".join(labels), end or at + 1

    @property
    def addresses(self):
        """Of the answer, in order; names of aliases are left out."""
        return [text for _, kind, _, text in self.answers if kind in (A, AAAA)]


def ask(server, name, kind=A, timeout=10, **options):
    """One query over UDP."""
    return Message(exchange(server, query(name, kind, **options), timeout))


def exchange(server, data, timeout=10):
    with socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect(server)
        client.send(data)
        return client.recv(65535)


def ask_stream(server, *queries):
    """Several queries on one connection: the responses in the order in which they come."""
    with socket.create_connection(server, 10) as client:
        client.sendall(b"".join(struct.pack(">H", len(data)) + data for data in queries))
        return [Message(read_framed(client)) for _ in queries]


def read_framed(client):
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        part = client.recv(65535)
        if not part:
            raise EOFError("the connection ended")
        data += part
    return data[2:]


def free_port():
    """A port of 127.0.0.1 that is free for UDP and TCP alike."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
            except OSError:
                continue
            return stream.getsockname()[1]


class Resolver:
    """A resolver on loopback. `reply(query bytes, over TCP) -> response bytes, a list of them, or None` decides."""

    def __init__(self, reply, host="127.0.0.1"):
        self.reply = reply
        self.asked = []  # (name, type, over TCP, source port, id)
        port = free_port()
        self.address = (host, port)
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(self.address)
        self._streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._streams.bind(self.address)
        self._streams.listen(16)
        for serve in (self._serve_datagrams, self._serve_streams):
            threading.Thread(target=serve, daemon=True).start()

    def close(self):
        for one in (self._datagrams, self._streams):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def names(self):
        return [name for name, *_ in self.asked]

    def send(self, data, to):
        """From the address that was asked, whenever."""
        self._datagrams.sendto(data, to)

    def _note(self, data, stream, source):
        read = Message(data)
        self.asked.append((read.questions[0][0], read.questions[0][1], stream, source[1], read.id))

    def _replies(self, data, stream):
        replies = self.reply(data, stream)
        return replies if isinstance(replies, list) else [replies] if replies is not None else []

    def _serve_datagrams(self):
        while True:
            try:
                data, source = self._datagrams.recvfrom(65535)
                if not data:
                    return
                self._note(data, False, source)
                for reply in self._replies(data, False):
                    self._datagrams.sendto(reply, source)
            except OSError:
                return

    def _serve_streams(self):
        while True:
            try:
                client, source = self._streams.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    data = read_framed(client)
                    self._note(data, True, source)
                    for reply in self._replies(data, True):
                        client.sendall(struct.pack(">H", len(reply)) + reply)
                except (OSError, EOFError):
                    pass
