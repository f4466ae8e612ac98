"""What a route may want beside the plain way: mirrors, redirects that the proxy follows itself, counting under names of its own."""
import socket
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import validate, weft_only
from meshtest.filters import NEVER, FilterTest
from meshtest.h2peer import Http2Client, Http2Upstream
from meshtest.raw_http import Connection
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import wait_for

PREDICATES = "type.googleapis.com/envoy.extensions.internal_redirect"


def mirrored(*policies):
    return {"request_mirror_policies": list(policies)}


class Mirrors(FilterTest):
    @classmethod
    def setUpClass(cls):
        cls.shadow, cls.h2 = Upstream("shadow"), Http2Upstream("h2")
        cls.silent = socket.create_server(("127.0.0.1", 0))  # takes connections, reads nothing
        cls.addClassCleanup(cls.silent.close)
        cls.addClassCleanup(cls.shadow.close)
        cls.addClassCleanup(cls.h2.close)
        dead, keeper = refused_address()
        cls.addClassCleanup(keeper.close)
        add = {"append": {"header": {"key": "x-mirrored", "value": "%PROTOCOL%"}}}
        table = routes(
            route("/plain", "up", action=mirrored({"cluster": "shadow", "request_headers_mutations": [add, {"remove": "x-gone"}]})),
            route("/rewritten", "up", action={"prefix_rewrite": "/new", **mirrored({"cluster": "shadow"})}),
            route("/literal", "up", action=mirrored({"cluster": "shadow", "host_rewrite_literal": "lit.test:99"})),
            route("/same-host", "up", action=mirrored({"cluster": "shadow", "disable_shadow_host_suffix_append": True})),
            route("/by-header", "up", action=mirrored({"cluster_header": "x-mirror"})),
            route("/never", "up", action=mirrored({"cluster": "shadow", "runtime_fraction": NEVER})),
            route("/dead", "up", action=mirrored({"cluster": "dead"}, {"cluster": "nobody"}, {"cluster": "shadow"})),
            route("/h2", "up", action=mirrored({"cluster": "h2"})),
            route("/silent", "up", action=mirrored({"cluster": "silent"})),
            {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}},
            route("/", "up"), **mirrored({"cluster": "other"}))
        cls.start([listener(hcm(table))], [cluster("shadow", cls.shadow.address), cluster("other", cls.shadow.address),
                                           cluster("dead", dead), cluster("nobody"), cluster("silent", cls.silent.getsockname()),
                                           cluster("h2", cls.h2.address, typed_extension_protocol_options=http2())])

    def copy_of(self, target):
        path = target.partition("?")[0]
        return wait_for(lambda: self.shadow.requests(path), f"a copy of {target}")[0]

    def test_what_the_copy_says(self):
        self.assertEqual(200, self.ask("/plain/1?q=1", [("x-gone", "1"), ("x-stays", "2")], host="main.test:80").status)
        copy = self.copy_of("/plain/1?q=1")
        self.assertEqual(("GET", "/plain/1?q=1", "main.test-shadow:80"), (copy.method, copy.target, copy.header("host")))
        self.assertEqual(("HTTP/1.1", None, "2", "true"), tuple(copy.header(name) for name in (
            "x-mirrored", "x-gone", "x-stays", "x-envoy-internal")))
        original = self.upstream.requests("/plain/1")[0]
        self.assertEqual(("main.test:80", "1", None, None), tuple(original.header(name) for name in (
            "host", "x-gone", "x-mirrored", "x-envoy-internal")))
        self.assertEqual(original.header("x-request-id"), copy.header("x-request-id"))

    def test_its_host(self):
        for target, host, expected in (("/plain/h1", "a.test", "a.test-shadow"), ("/plain/h2", "[::1]:80", "[::1]-shadow:80"),
                                       ("/literal", "a.test", "lit.test:99"), ("/same-host", "a.test", "a.test")):
            self.ask(target, host=host)
            self.assertEqual(expected, self.copy_of(target).header("host"), target)

    def test_after_the_rewrite(self):
        self.ask("/rewritten/x")
        self.assertEqual("/rewritten/x", self.copy_of("/new/x").header("x-envoy-original-path"))

    def test_bodies(self):
        self.ask("/plain/length", method="POST", body=b"hello")
        self.ask("/plain/chunks", method="POST", body=[b"one", b"two"])
        large = b"0123456789abcdef" * 20000
        self.ask("/plain/large", method="POST", body=large)
        self.assertEqual((b"hello", "length"), (self.copy_of("/plain/length").body, self.copy_of("/plain/length").framing))
        self.assertEqual((b"onetwo", "chunked"), (self.copy_of("/plain/chunks").body, self.copy_of("/plain/chunks").framing))
        self.assertEqual(large, self.copy_of("/plain/large").body)

    def test_over_http2(self):
        with Http2Client(self.proxy.address()) as client:
            self.assertEqual(200, client.request("POST", "/plain/from-h2", [], b"body").status)
        self.assertEqual(b"body", self.copy_of("/plain/from-h2").body)
        self.proxy.stat("cluster.h2.upstream_rq_200")
        self.assertEqual(200, self.ask("/h2/x", method="POST", body=b"to h2").status)
        self.proxy.wait_stat("cluster.h2.upstream_rq_200", 1)

    def test_by_header(self):
        for value in ("shadow", "unknown", None):
            self.assertEqual(200, self.ask(f"/by-header/{value}", [("x-mirror", value)] if value else []).status)
        self.copy_of("/by-header/shadow")
        self.assertEqual(0, len(self.shadow.requests("/by-header/unknown") + self.shadow.requests("/by-header/None")))

    def test_levels_and_chance(self):
        for target in ("/never", "/direct", "/falls-back"):
            self.ask(target)
        self.copy_of("/falls-back")  # the virtual host's own
        self.assertEqual(0, len(self.shadow.requests("/never") + self.shadow.requests("/direct")))

    def test_its_failure_is_nobody_elses(self):
        self.assertEqual(200, self.ask("/dead/1").status)
        self.copy_of("/dead/1")
        self.proxy.wait_stat("cluster.dead.upstream_cx_connect_fail", 1)
        self.proxy.wait_stat("cluster.dead.upstream_rq_503", 1)
        self.proxy.wait_stat("cluster.nobody.upstream_cx_none_healthy", 1)
        self.shadow.on("/dead/reset", Reply(reset=True))
        self.shadow.on("/dead/bad", Reply(status=500))
        for target in ("/dead/reset", "/dead/bad"):
            self.assertEqual(200, self.ask(target).status)
        self.proxy.wait_stat("cluster.shadow.upstream_rq_500", 1)

    @weft_only("with Envoy a mirror that does not read holds the request up")
    def test_one_that_does_not_read_is_given_up(self):
        body = b"0123456789abcdef" * 1024 * 1024
        self.assertEqual(200, self.ask("/silent", method="POST", body=body).status)
        self.proxy.wait_stat("cluster.silent.retry_or_shadow_abandoned", 1)
        self.assertEqual(0, self.proxy.stat("cluster.silent.upstream_rq_active"))

    def test_a_client_that_leaves(self):
        before = self.proxy.stat("cluster.shadow.upstream_rq_total")
        with Connection(self.proxy.address()) as client:
            client.send(b"POST /plain/leaves HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf")
            self.proxy.wait_stat("cluster.shadow.upstream_rq_total", before + 1)
        wait_for(lambda: self.proxy.stat("cluster.shadow.upstream_rq_active") == 0, "the copy is given up")
        self.assertEqual([], self.shadow.requests("/plain/leaves"))


def redirects(**fields):
    return {"internal_redirect_policy": fields}


def predicate(name, message_name, **fields):
    return {"name": name, "typed_config": {"@type": f"{PREDICATES}.{message_name}", **fields}}


class InternalRedirects(FilterTest):
    @classmethod
    def setUpClass(cls):
        def mark(value):
            return [{"header": {"key": "x-pass", "value": value}}]

        every = [301, 302, 303, 307, 308]
        table = routes(
            route("/red", "up", action=redirects(max_internal_redirects=2, redirect_response_codes=every,
                                                 response_headers_to_copy=["x-copied"]), name="red", request_headers_to_add=mark("red")),
            route("/default", "up", action=redirects()),
            route("/none", "up", action=redirects(max_internal_redirects=0)),
            route("/cross", "up", action=redirects(allow_cross_scheme_redirect=True)),
            route("/safe", "up", action=redirects(allow_cross_scheme_redirect=True, predicates=[
                predicate("safe", "safe_cross_scheme.v3.SafeCrossSchemeConfig")])),
            route("/once", "up", name="once", action=redirects(max_internal_redirects=5, predicates=[
                predicate("previous", "previous_routes.v3.PreviousRoutesConfig")])),
            route("/listed", "up", name="listed", action=redirects(predicates=[
                predicate("listed", "allow_listed_routes.v3.AllowListedRoutesConfig", allowed_route_names=["target"])])),
            route("/target", "up", name="target", request_headers_to_add=mark("target")),
            route("/other", "up", name="other"))
        table["virtual_hosts"][0]["domains"] = ["main.test", "other.test"]
        cls.start([listener(hcm(table))])

    def leads(self, path, location, status=302, *more):
        self.upstream.on(path, Reply(status, (("location", location), *more), b"moved"))

    def failed(self, name):
        return self.proxy.stat(f"http.main.passthrough_internal_redirect_{name}")

    def test_it_is_followed(self):
        succeeded = self.proxy.stat("cluster.up.upstream_internal_redirect_succeeded_total")
        self.leads("/red/1", "http://other.test/target/x?q=1#fragment", 302, ("x-copied", "a"), ("x-copied", "b"))
        answer = self.ask("/red/1", [("x-copied", "mine")], host="main.test")
        self.assertEqual((200, "/target/x?q=1"), (answer.status, answer.json()["target"]))
        self.assertEqual([["other.test"], ["a", "b"], ["http://main.test/red/1"], ["red", "target"]],
                         [self.sent(answer, name) for name in ("host", "x-copied", "x-envoy-original-url", "x-pass")])
        self.assertEqual(succeeded + 1, self.proxy.stat("cluster.up.upstream_internal_redirect_succeeded_total"))

    def test_what_is_not_copied_is_removed(self):
        self.leads("/red/2", "http://main.test/target")
        self.assertEqual([], self.sent(self.ask("/red/2", [("x-copied", "mine")], host="main.test"), "x-copied"))

    def test_the_body_goes_along(self):
        for path, status, method, body in (("/red/307", 307, "POST", "payload"), ("/red/302", 302, "POST", "payload"),
                                           ("/red/303", 303, "GET", "")):
            self.leads(path, "http://main.test/target", status)
            answer = self.ask(path, method="POST", body=b"payload", host="main.test").json()
            self.assertEqual((method, body), (answer["method"], answer["body"]), path)
        self.leads("/red/head", "http://main.test/target", 303)
        self.assertEqual(200, self.ask("/red/head", method="HEAD", host="main.test").status)

    def test_chunks_and_http2(self):
        self.leads("/red/chunks", "http://main.test/target", 308)
        self.assertEqual("onetwo", self.ask("/red/chunks", method="POST", body=[b"one", b"two"], host="main.test").json()["body"])
        with Http2Client(self.proxy.address()) as client:
            answer = client.request("POST", "/red/chunks", [], b"h2", authority="main.test")
            self.assertIn(b'"body": "h2"', answer.body)

    def test_as_often_as_allowed(self):
        before = self.failed("too_many_redirects")
        self.leads("/red/loop", "http://main.test/red/loop")
        self.assertEqual((302, 3), (self.ask("/red/loop", host="main.test").status, self.upstream.count("/red/loop")))
        self.leads("/none", "http://main.test/target")
        self.assertEqual(302, self.ask("/none", host="main.test").status)
        self.assertEqual(before + 2, self.failed("too_many_redirects"))

    def test_passed_on(self):
        before = {name: self.failed(name) for name in ("bad_location", "unsafe_scheme", "no_route")}
        for path, location in (("/red/relative", "/target"), ("/red/https", "https://main.test/target"), ("/red/nowhere", "http://x.test/")):
            self.leads(path, location)
            answer = self.ask(path, host="main.test")
            self.assertEqual((302, b"moved", location), (answer.status, answer.body, answer.header("location")))
        self.assertEqual({name: count + 1 for name, count in before.items()}, {name: self.failed(name) for name in before})
        self.upstream.on("/red/without", Reply(302))
        self.assertEqual(302, self.ask("/red/without", host="main.test").status)
        self.leads("/default", "http://main.test/target", 301)
        self.assertEqual(301, self.ask("/default", host="main.test").status)

    def test_predicates(self):
        before = self.failed("predicate")
        self.leads("/once", "http://main.test/once")
        self.assertEqual((302, 2), (self.ask("/once", host="main.test").status, self.upstream.count("/once")))
        self.leads("/listed/yes", "http://main.test/target")
        self.leads("/listed/no", "http://main.test/other")
        self.assertEqual([200, 302], [self.ask(path, host="main.test").status for path in ("/listed/yes", "/listed/no")])
        self.leads("/safe", "https://main.test/target")
        self.assertEqual(302, self.ask("/safe", host="main.test").status)
        self.assertEqual(before + 3, self.failed("predicate"))
        self.leads("/cross", "https://main.test/target")
        self.assertEqual(200, self.ask("/cross", host="main.test").status)

    def test_both_passes_are_counted(self):
        names = ("downstream_rq_total", "downstream_rq_3xx", "downstream_rq_2xx", "rq_total")
        before = [self.proxy.stat(f"http.main.{name}") for name in names]
        self.leads("/red/counted", "http://main.test/target")
        self.ask("/red/counted", host="main.test")
        self.proxy.wait_stat("http.main.downstream_rq_2xx", before[2] + 1)
        self.assertEqual([2, 0, 1, 2], [self.proxy.stat(f"http.main.{name}") - count for name, count in zip(names, before)])
        self.assertEqual(0, self.proxy.stat("http.main.downstream_rq_active"))


class Names(FilterTest):
    """Virtual clusters and stat_prefix."""

    @classmethod
    def setUpClass(cls):
        def when(name, header, value):
            return {"name": name, "headers": [{"name": header, "string_match": value}]}

        table = routes(route("/prefixed", "up", stat_prefix="some"), route("/retried", "up", action={
            "retry_policy": {"retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.01s"}}}), route("/", "up"),
                       virtual_clusters=[when("posts", ":method", {"exact": "POST"}), when("things", ":path", {"prefix": "/things"})],
                       response_headers_to_add=[{"header": {"key": "x-kind", "value": "%VIRTUAL_CLUSTER_NAME%"}}])
        cls.start([listener(hcm(table))])

    def count(self, name):
        return self.proxy.stat(f"vhost.all.{name}")

    def test_the_first_that_fits(self):
        self.assertEqual("things", self.ask("/things/1").header("x-kind"))
        self.assertEqual("posts", self.ask("/things/2", method="POST", body=b"x").header("x-kind"))
        self.assertIsNone(self.ask("/elsewhere").header("x-kind"))
        self.assertLessEqual(1, self.count("vcluster.other.upstream_rq_200"))
        for kind in ("things", "posts"):
            self.assertEqual(1, self.count(f"vcluster.{kind}.upstream_rq_200"), kind)
            self.assertEqual(self.count(f"vcluster.{kind}.upstream_rq_2xx"), self.count(f"vcluster.{kind}.upstream_rq_completed"))

    def test_retries(self):
        self.upstream.on("/retried", Reply(503), Reply(200))
        before = [self.count(f"vcluster.other.upstream_rq_{name}") for name in ("retry", "retry_success", "total")]
        self.ask("/retried")
        self.assertEqual([1, 1, 2], [self.count(f"vcluster.other.upstream_rq_{name}") - count for name, count in zip(
            ("retry", "retry_success", "total"), before)])

    def test_of_a_route(self):
        self.upstream.on("/prefixed/missing", Reply(404))
        self.ask("/prefixed/missing")
        self.assertEqual([1, 1, 1], [self.count(f"route.some.upstream_rq_{name}") for name in ("404", "4xx", "total")])

    def test_labels(self):
        page = self.proxy.admin("/stats/prometheus?filter=vhost").text
        self.assertIn('envoy_virtual_cluster="other"', page)
        self.assertIn('envoy_route="some"', page)


class Refused(unittest.TestCase):
    def refused(self, word, **action):
        code, output = validate(bootstrap([listener(hcm(routes(route("/", "up", action=action))))], [cluster("up", ("127.0.0.1", 1))]))
        self.assertNotEqual(0, code, word)
        self.assertIn(word, output)

    @weft_only("Envoy drops codes that are none, and the words are ours")
    def test_what_makes_no_sense(self):
        self.refused("redirect_response_codes[0]", **redirects(redirect_response_codes=[304]))
        self.refused("request_mirror_policies[0]", **mirrored({"cluster": "up", "cluster_header": "x"}))
        self.refused("internal_redirect_policy.predicates[0]", **redirects(predicates=[{"name": "x", "typed_config": {
            "@type": "type.googleapis.com/google.protobuf.Struct"}}]))
        self.refused("cluster_specifier_plugin", **{"cluster_specifier_plugin": "x"})
        self.refused("inline_cluster_specifier_plugin", **{"inline_cluster_specifier_plugin": {"extension": {"name": "some.plugin"}}})


if __name__ == "__main__":
    unittest.main()
