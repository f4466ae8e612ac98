"""Filter state: what set_filter_state leaves, who prints it, who matches and hashes by it, and what of it is refused."""
import json
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import validate, weft_only
from meshtest.filters import FilterTest, named
from meshtest.upstream import Upstream
from meshtest.wait import wait_for


def left(key, value, factory="envoy.string", **fields):
    return {"object_key": key, "factory_key": factory, "format_string": {
        "text_format_source": {"inline_string": value}, **({"omit_empty_values": True} if fields.get("skip_if_empty") else {})}, **fields}


def setting(*items, **fields):
    return named("set_filter_state", "set_filter_state.v3.Config", on_request_headers=list(items), **fields)


class State(FilterTest):
    @classmethod
    def setUpClass(cls):
        items = [left("user", "%REQ(x-user)%", skip_if_empty=True), left("last", "1", read_only=True), left("last", "2"),
                 left("key", "%REQ(x-user)%", "envoy.hashable_string")]
        show = "%FILTER_STATE(user)%|%FILTER_STATE(user:PLAIN)%|%FILTER_STATE(last:PLAIN)%"

        def table():
            return routes(
                {"name": "known", "match": {"prefix": "/who", "filter_state": [{"key": "user", "string_match": {"safe_regex": {"regex": "[a-f]+"}}}]},
                 "direct_response": {"status": 200, "body": {"inline_string": "known"}}},
                route("/hash-state", "ring", action={"hash_policy": [{"filter_state": {"key": "key"}}]}),
                route("/hash-header", "ring", action={"hash_policy": [{"header": {"header_name": "x-user"}}]}),
                route("/", "up"), response_headers_to_add=[{"header": {"key": "x-seen", "value": show}}])
        log = {"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"json_format": {
            "LINE": "%REQ(:PATH)%", "user": "%FILTER_STATE(user)%", "plain": "%FILTER_STATE(user:PLAIN)%"}}}}
        cls.others = [Upstream(name) for name in "bc"]
        for other in cls.others:
            cls.addClassCleanup(other.close)
        cls.start([listener(hcm(table(), [setting(*items)], access_log=[log])),
                   listener(hcm(table(), [setting(*items, clear_route_cache=True)]), name="clearing")],
                  [cluster("ring", *[other.address for other in cls.others], lb_policy="RING_HASH")])

    def test_formats(self):
        self.assertEqual('"abc\\"d"|abc"d|2', self.ask("/", [("x-user", 'abc"d')]).header("x-seen"))
        self.assertEqual("||2", self.ask("/").header("x-seen"))

    def test_a_json_log(self):
        self.ask("/logged", [("x-user", 'q"q')])

        def line():
            return [json.loads(line) for line in self.proxy.program.output().splitlines() if '"/logged"' in line]
        self.assertEqual([{"LINE": "/logged", "user": 'q"q', "plain": 'q"q'}], wait_for(line, "the line"))

    def test_routes_match_when_they_are_looked_for_again(self):
        self.assertEqual(b"known", self.ask("/who", [("x-user", "abc")], name="clearing").body)
        for headers in ([("x-user", "xyz")], []):
            self.assertNotEqual(b"known", self.ask("/who", headers, name="clearing").body)
        self.assertNotEqual(b"known", self.ask("/who", [("x-user", "abc")]).body)

    def test_hashing(self):
        places = set()
        for turn in range(20):
            headers = [("x-user", f"user-{turn}")]
            by_state = self.ask("/hash-state", headers).json()["upstream"]
            self.assertEqual(self.ask("/hash-header", headers).json()["upstream"], by_state)
            places.add(by_state)
        self.assertEqual({"b", "c"}, places)


class Refused(unittest.TestCase):
    def refused(self, item):
        code, output = validate(bootstrap([listener(hcm(routes(route("/", "up")), [setting(item)]))], [cluster("up", ("127.0.0.1", 1))]))
        self.assertNotEqual(0, code, output)
        return output

    def test_by_both(self):
        self.refused({"object_key": "envoy.string"})
        self.refused(left("any", "x", "no.such.factory"))
        self.refused(left("any", "%NO_SUCH%"))

    @weft_only("its words")
    def test_by_us(self):
        self.assertIn('"envoy.tcp_proxy.cluster" makes no object that this version supports', self.refused(left("a", "x", "envoy.tcp_proxy.cluster")))
        self.assertIn("ONCE is not supported", self.refused(left("a", "x", shared_with_upstream="ONCE")))


if __name__ == "__main__":
    unittest.main()
