"""The corpus before the judge: every case goes through two weft-proxies in a row, over every pairing of protocols that it fits, to a
plain backend that keeps the raw bytes. A case is refused, or what arrives has one meaning; nothing hidden ever arrives as a request of
its own; the connection answers its next plain request rightly or is closed; and both proxies are alive at the end.

By hand, one case or those of a prefix: WEFT_BIN_DIR=build/dev/bin WEFT_CASES=chunk- python3 tests/protocol/smuggling_test.py"""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

import corpus_answers  # pylint: disable=wrong-import-position
import corpus_http1  # pylint: disable=wrong-import-position
import corpus_http2  # pylint: disable=wrong-import-position
from backend import Backend  # pylint: disable=wrong-import-position
from case import WAIT  # pylint: disable=wrong-import-position
from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes  # pylint: disable=wrong-import-position
from meshtest.data_plane import DataPlane, weft_only  # pylint: disable=wrong-import-position
from meshtest.frames import RawHttp2, get  # pylint: disable=wrong-import-position
from meshtest.raw_http import Closed, Connection, Silence, fetch  # pylint: disable=wrong-import-position

REFUSALS = (400, 403, 404, 405, 411, 413, 414, 417, 421, 426, 431, 501, 505)
PATIENCE = 5
CHOSEN = os.environ.get("WEFT_CASES", "")


class Wrong(Exception):
    """A case does not hold."""


@weft_only("Envoy forwards some of these as they are")
class Smuggling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = Backend()
        cls.addClassCleanup(cls.backend.close)
        own = {"http_protocol_options": {"accept_http_10": True}, "delayed_close_timeout": "0.2s"}
        cls.inner = DataPlane(bootstrap([listener(hcm(routes(route("/", "backend")), **own))], [cluster("backend", cls.backend.address)]))
        cls.addClassCleanup(cls.inner.stop)
        direct = {"match": {"prefix": "/direct"}, "direct_response": {"status": 204}}
        address = cls.inner.address()
        cls.outer = DataPlane(bootstrap(
            [listener(hcm(routes(direct, route("/", name)), **own), name=name) for name in ("over-h1", "over-h2")],
            [cluster("over-h1", address), cluster("over-h2", address, typed_extension_protocol_options=http2())]))
        cls.addClassCleanup(cls.outer.stop)

    def judge_all(self, cases):
        cases = [case for case in cases if case.name.startswith(CHOSEN)]
        for case in cases:
            for pairing in ("over-h1", "over-h2"):
                with self.subTest(case.name, pairing=pairing):
                    try:
                        self.judge(case, pairing)
                    except Wrong as wrong:
                        self.fail(f"{case.name} {pairing}: {wrong}")
                for proxy in (self.outer, self.inner):
                    proxy.program.require_alive()
        # By now whatever was under way has arrived.
        hidden = [seen.raw for seen in self.backend.seen() if "/hidden/" in seen.target or "hidden" in seen.method]
        self.assertEqual([], hidden)

    def judge(self, case, pairing):
        before = len(self.backend.seen())
        self.backend.replies = case.replies
        address = self.outer.address(pairing)
        (self.over_http2 if case.http2 else self.over_http1)(case, address)
        self.backend.replies = {}
        fence = fetch(address, f"/fence/{case.name}")
        if fence.body != f"GET /fence/{case.name} 0".encode():
            raise Wrong(f"the next request of another client was answered {fence.status} {fence.body[:200]!r}")
        seen = self.backend.seen(before)
        for request in seen:
            if request.complete and request.faults:
                raise Wrong(f"arrived in a form that others may read otherwise: {request.faults} in {request.raw!r}")
        arrived = [(request.method, request.target, request.body) for request in seen
                   if request.complete and not request.target.startswith(("/fence/", "/probe/"))]
        self.compare(case, arrived)

    @staticmethod
    def compare(case, arrived):
        if case.upstream is None:
            if len(arrived) > 1 or any(target != case.first for _, target, _ in arrived):
                raise Wrong(f"arrived: {arrived}")
            return
        expected = [(method, target, arrived[index][2] if body is None and index < len(arrived) else body)
                    for index, (method, target, body) in enumerate(case.upstream)]
        if arrived != expected:
            raise Wrong(f"arrived: {arrived}; expected: {expected}")

    # -- a client of HTTP/1

    def over_http1(self, case, address):
        with Connection(address) as connection:
            connection.settimeout(PATIENCE)
            statuses, open_ = [], True
            for piece in case.sent:
                if piece is WAIT:
                    answer = self.next_answer(connection, interim=True)
                    open_ = answer is not None
                    if open_ and answer.status >= 200:
                        statuses.append(answer.status)
                else:
                    connection.send(piece)
            if case.shown:
                return self.shown(case, connection)
            wanted = len(case.statuses or (0,))
            while open_ and len(statuses) < wanted:
                answer = self.next_answer(connection)
                open_ = answer is not None
                if open_:
                    statuses.append(answer.status)
            if case.statuses is None:
                allowed = REFUSALS + ((200,) if case.upstream is None else ())
                if not set(statuses) <= set(allowed):
                    raise Wrong(f"answered {statuses}")
            elif tuple(statuses) != case.statuses:
                raise Wrong(f"answered {statuses}; expected {case.statuses}")
            if open_:
                self.probe(case, connection)

    @staticmethod
    def next_answer(connection, interim=False):
        """None once the connection has ended."""
        try:
            return connection.read_either() if interim else connection.read_response()
        except Closed:
            return None
        except Silence as silence:
            raise Wrong(f"neither answered nor closed: {silence}") from None
        except ValueError as error:
            raise Wrong(f"an answer that cannot be read: {error}") from None

    def probe(self, case, connection):
        """After a refusal the connection is closed without another word; else it is, or its next answer is the next request's."""
        target = f"/probe/{case.name}"
        if case.statuses is not None or case.upstream is None or case.shown:
            connection.send(f"GET {target} HTTP/1.1\r\nHost: main.test\r\n\r\n".encode())
        answer = self.next_answer(connection)
        if answer is None:
            return
        if case.statuses is None and case.upstream is not None and not case.shown:
            raise Wrong(f"a second answer: {answer.status} {answer.body[:200]!r}")
        # Bytes that belong to nothing: refused, which ends the connection.
        if answer.status in REFUSALS:
            if self.next_answer(connection) is not None:
                raise Wrong("the connection goes on behind a refusal")
        elif answer.body != f"GET {target} 0".encode():
            raise Wrong(f"the next request was answered {answer.status} {answer.body[:200]!r}")

    def shown(self, case, connection):
        try:
            answer = connection.read_response()
            status, body = answer.status, answer.body
        except Closed:
            status, body = "cut", b""
        except Silence as silence:
            raise Wrong(f"no answer: {silence}") from None
        if status not in case.shown or b"poison" in body:
            raise Wrong(f"answered {status} {body[:200]!r}; expected one of {case.shown}")
        if status != "cut":
            self.probe(case, connection)

    # -- a client of HTTP/2

    def over_http2(self, case, address):
        with RawHttp2(address, timeout=PATIENCE) as client:
            client.send(b"".join(case.sent))
            try:
                ended = client.until_stream_ends(1) is not None
                status = client.status(1)
                refused = not ended or 1 in client.resets or status in REFUSALS
                if case.statuses is None and case.upstream is not None and not refused:
                    raise Wrong(f"answered {status}")
                if case.statuses is not None and (status,) != case.statuses:
                    raise Wrong(f"answered {status}; resets {client.resets}, GOAWAY {client.goaway}; expected {case.statuses}")
                if ended and client.goaway is None:
                    client.send(get(101, path=f"/probe/{case.name}"))
                    if client.until_stream_ends(101) is not None and client.status(101) != 200:
                        raise Wrong(f"the next request was answered {client.status(101)} {client.resets}")
            except TimeoutError:
                raise Wrong(f"neither answered nor closed; frames: {client.seen}") from None

    # -- the corpus

    def test_it_is_large_enough(self):
        own = len(corpus_http1.CASES) - corpus_http1.SHARED + len(corpus_http2.CASES) + len(corpus_answers.CASES)
        self.assertGreaterEqual(own, 150)

    def test_over_http1(self):
        self.judge_all(corpus_http1.CASES)

    def test_over_http2(self):
        self.judge_all(corpus_http2.CASES)

    def test_answers(self):
        self.judge_all(corpus_answers.CASES)


if __name__ == "__main__":
    unittest.main()
