"""hedge_on_per_try_timeout: attempts beside each other, who wins; and rate_limited_retry_back_off: waits that the answer asks for."""
import threading
import time
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import validate
from meshtest.filters import FilterTest
from meshtest.raw_http import Connection
from meshtest.upstream import Reply
from meshtest.wait import wait_for


def hedging(retries=2, timeout="10s", **fields):
    return {"timeout": timeout, "hedge_policy": {"hedge_on_per_try_timeout": True}, "retry_policy": {
        "retry_on": "5xx", "num_retries": retries, "per_try_timeout": "0.15s", "retry_back_off": {"base_interval": "0.001s"}, **fields}}


class Hedging(FilterTest):
    @classmethod
    def setUpClass(cls):
        asked = {"retry_on": "retriable-status-codes", "retriable_status_codes": [429, 503], "retry_back_off": {"base_interval": "0.001s"},
                 "rate_limited_retry_back_off": {"max_interval": "2s", "reset_headers": [
                     {"name": "Retry-After"}, {"name": "x-reset", "format": "UNIX_TIMESTAMP"}]}}
        cls.start([listener(hcm(routes(
            route("/short", "up", action=hedging(timeout="0.5s")), route("/asked", "up", action={"retry_policy": asked}),
            route("/", "up", action=hedging()), include_request_attempt_count=True))),
            listener(hcm(routes(route("/", "up", action={key: value for key, value in hedging().items() if key != "hedge_policy"}),
                                hedge_policy={"hedge_on_per_try_timeout": True})), name="host")])

    def stat(self, name):
        return self.proxy.stat("cluster.up." + name)

    def held(self, path, *replies):
        """The replies of `path`, of which those that say so wait for what is returned."""
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.upstream.on(path, *[reply(gate) if callable(reply) else reply for reply in replies])
        return gate

    @staticmethod
    def waiting(gate):
        return Reply(hold=gate, body=b"late")

    def test_the_second_answers(self):
        gate = self.held("/second", self.waiting, Reply(body=b"second"))
        before = self.stat("upstream_rq_retry_success"), self.stat("upstream_rq_per_try_timeout")
        self.assertEqual(b"second", self.ask("/second").body)
        self.assertEqual(["1", "2"], [seen.header("x-envoy-attempt-count") for seen in self.upstream.requests("/second")])
        self.assertEqual((before[0] + 1, before[1]), (self.stat("upstream_rq_retry_success"), self.stat("upstream_rq_per_try_timeout")))
        gate.set()

    def test_the_first_answers_while_the_second_runs(self):
        gate = self.held("/first", self.waiting, lambda never: Reply(hold=threading.Event()))
        answers = []
        client = threading.Thread(target=lambda: answers.append(self.ask("/first", method="POST", body=b"body")))
        client.start()
        wait_for(lambda: self.upstream.count("/first") >= 2, "the second attempt")
        gate.set()
        client.join(10)
        self.assertEqual([b"late"], [answer.body for answer in answers])
        self.assertEqual({b"body"}, {seen.body for seen in self.upstream.requests("/first")})

    def test_the_virtual_hosts_policy(self):
        self.held("/host", self.waiting, Reply(body=b"second"))
        self.assertEqual(b"second", self.ask("/host", name="host").body)

    def test_what_would_be_tried_again_does_not_win_while_others_run(self):
        refused, second = threading.Event(), threading.Event()
        self.addCleanup(refused.set)
        self.addCleanup(second.set)
        self.upstream.on("/refused", Reply(503, hold=refused), Reply(hold=second, body=b"good"), Reply(hold=threading.Event()))
        answers = []
        client = threading.Thread(target=lambda: answers.append(self.ask("/refused")))
        client.start()
        wait_for(lambda: self.upstream.count("/refused") >= 2, "the second attempt")
        refused.set()
        wait_for(lambda: self.upstream.count("/refused") >= 3, "the third attempt")
        second.set()
        client.join(10)
        self.assertEqual([(200, b"good")], [(answer.status, answer.body) for answer in answers])

    def test_the_last_of_those_that_fail_is_the_answer(self):
        self.upstream.on("/all", Reply(503, delay=0.3, body=b"sorry"))
        limit = self.stat("upstream_rq_retry_limit_exceeded")
        answer = self.ask("/all")
        self.assertEqual((503, b"sorry"), (answer.status, answer.body))
        self.assertEqual(3, self.upstream.count("/all"))
        self.assertEqual(limit + 2, self.stat("upstream_rq_retry_limit_exceeded"))

    def test_one_that_breaks_off_is_forgotten(self):
        gate = self.held("/reset", lambda gate: Reply(hold=gate, reset=True), Reply(delay=0.3, body=b"second"))
        answers = []
        client = threading.Thread(target=lambda: answers.append(self.ask("/reset")))
        client.start()
        wait_for(lambda: self.upstream.count("/reset") >= 2, "the second attempt")
        gate.set()
        client.join(10)
        self.assertEqual([200], [answer.status for answer in answers])

    def test_none_answers_in_time(self):
        self.held("/short", self.waiting)
        answer = self.ask("/short")
        self.assertEqual((504, b"upstream request timeout"), (answer.status, answer.body))
        wait_for(lambda: self.stat("upstream_rq_active") == 0, "no attempt is left")

    def test_a_client_that_leaves(self):
        self.held("/leaves", self.waiting)
        with Connection(self.proxy.address()) as connection:
            connection.send(b"GET /leaves HTTP/1.1\r\nhost: x\r\n\r\n")
            wait_for(lambda: self.upstream.count("/leaves") >= 2, "the second attempt")
            connection.abort()
        wait_for(lambda: self.stat("upstream_rq_active") == 0, "no attempt is left")

    # -- waits that are asked for

    def test_seconds(self):
        self.upstream.on("/asked/seconds", Reply(429, (("retry-after", "1"),)), Reply(body=b"again"))
        limited = self.stat("upstream_rq_retry_backoff_ratelimited")
        began = time.monotonic()
        self.assertEqual(b"again", self.ask("/asked/seconds").body)
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual(limited + 1, self.stat("upstream_rq_retry_backoff_ratelimited"))

    def test_a_time(self):
        self.upstream.on("/asked/time", lambda seen: Reply(503, (("retry-after", "9"), ("x-reset", str(int(time.time()) + 2)))), Reply(body=b"again"))
        limited = self.stat("upstream_rq_retry_backoff_ratelimited")
        self.assertEqual(b"again", self.ask("/asked/time").body)
        self.assertEqual(limited + 1, self.stat("upstream_rq_retry_backoff_ratelimited"))

    def test_nothing_that_makes_sense(self):
        usual = self.stat("upstream_rq_retry_backoff_exponential")
        for turn, value in enumerate(("x", "0", "3", "")):
            self.upstream.on(f"/asked/{turn}", Reply(503, (("retry-after", value),)), Reply(body=b"again"))
            self.assertEqual(b"again", self.ask(f"/asked/{turn}").body)
        self.assertEqual(usual + 4, self.stat("upstream_rq_retry_backoff_exponential"))


class Refused(unittest.TestCase):
    def test_what_makes_no_sense(self):
        for action in ({"hedge_policy": {"initial_requests": 0}}, {"retry_policy": {"rate_limited_retry_back_off": {}}},
                       {"retry_policy": {"rate_limited_retry_back_off": {"reset_headers": [{"name": "a"}], "max_interval": "0s"}}}):
            code, output = validate(bootstrap([listener(hcm(routes(route("/", "up", action=action))))], [cluster("up", ("127.0.0.1", 1))]))
            self.assertNotEqual(0, code, output)


if __name__ == "__main__":
    unittest.main()
