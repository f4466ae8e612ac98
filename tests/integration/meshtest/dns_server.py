"""A scripted DNS server on loopback, UDP and TCP at one port: what a name means is programmed, and how the answer lies if it is to.

What was asked is kept. A thread for each transport; that is plenty for tests.
"""
import collections
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5

Query = collections.namedtuple("Query", "name type transport")

# How an answer may be wrong. Each takes the right one, and the query that it answers, and gives what is sent instead.
LIES = {
    "another id": lambda answer, query: struct.pack(">H", (struct.unpack(">H", answer[:2])[0] + 1) & 0xFFFF) + answer[2:],
    "another question": lambda answer, query: answer.replace(_encode(query.name), _encode("x" + query.name[1:]), 1),
    "cut": lambda answer, query: answer[:len(answer) - 3],
    "only a head": lambda answer, query: answer[:12],
    "a byte": lambda answer, query: answer[:1],
    "garbage": lambda answer, query: answer[:12] + b"\xff" * 40,
    "a pointer to itself": lambda answer, query: answer[:12] + b"\xc0\x0c" + answer[14:],
    "many more records": lambda answer, query: answer[:6] + struct.pack(">H", 60000) + answer[8:],
}


class DnsServer:
    def __init__(self, host="127.0.0.1"):
        self._lock = threading.Lock()
        self._names = {}
        self.queries = []
        self._tcp = socket.socket()
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind((host, 0))
        self._tcp.listen(16)
        self.address = self._tcp.getsockname()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self.address)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def set(self, name, a=(), aaaa=(), ttl=60, rcode=0, lie=None, silent=False, cname=None, truncated=False):
        """From now on `name` means these addresses; a lie is one of LIES or a function."""
        with self._lock:
            self._names[name] = dict(a=tuple(a), aaaa=tuple(aaaa), ttl=ttl, rcode=rcode, lie=LIES.get(lie, lie), silent=silent,
                                     cname=cname, truncated=truncated)

    def asked(self, name=None, kind=None):
        with self._lock:
            return [one for one in self.queries if name in (None, one.name) and kind in (None, one.type)]

    def close(self):
        for one in (self._udp, self._tcp):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _serve_udp(self):
        while True:
            try:
                question, peer = self._udp.recvfrom(4096)
                answer = self._answer(question, "udp") if len(question) > 12 else None
                if answer is not None:
                    self._udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        with connection:
            reader = connection.makefile("rb")
            while True:
                head = reader.read(2)
                question = reader.read(struct.unpack(">H", head)[0]) if len(head) == 2 else b""
                answer = self._answer(question, "tcp") if len(question) > 12 else None
                if answer is None:
                    return
                connection.sendall(struct.pack(">H", len(answer)) + answer)

    def _answer(self, question, transport):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
            at += 1 + question[at]
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        query = Query(".".join(labels).lower(), kind, transport)
        with self._lock:
            self.queries.append(query)
            known = self._names.get(query.name)
        if known is None:
            known = dict(a=(), aaaa=(), ttl=60, rcode=NXDOMAIN, lie=None, silent=False, cname=None, truncated=False)
        if known["silent"]:
            return None
        records = []
        if known["cname"]:
            records.append(_record(b"\xc0\x0c", CNAME, known["ttl"], _encode(known["cname"])))
        truncated = known["truncated"] and transport == "udp"
        if not truncated:
            for ip in known["a"] if kind == A else ():
                records.append(_record(b"\xc0\x0c", A, known["ttl"], socket.inet_pton(socket.AF_INET, ip)))
            for ip in known["aaaa"] if kind == AAAA else ():
                records.append(_record(b"\xc0\x0c", AAAA, known["ttl"], socket.inet_pton(socket.AF_INET6, ip)))
        flags = 0x8180 | known["rcode"] | (0x0200 if truncated else 0)
        answer = question[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question[12:at + 5] + b"".join(records)
        return known["lie"](answer, query) if known["lie"] else answer


def _encode(name):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".")) + b"\0"


def _record(name, kind, ttl, content):
    return name + struct.pack(">HHIH", kind, 1, ttl, len(content)) + content
