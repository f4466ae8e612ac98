"""Headers by which a proxy's own kind speaks to it, in the mouth of a stranger: they steer nothing and do not pass for the proxy's word."""
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane, weft_only
from meshtest.h2peer import Http2Client
from meshtest.raw_http import fetch
from meshtest.upstream import Reply, Upstream
from meshtest.wait import steady

STRANGER = "203.0.113.7"
FORGED = [("x-envoy-retry-on", "5xx,gateway-error"), ("x-envoy-max-retries", "1000"), ("x-envoy-upstream-rq-timeout-ms", "1"),
          ("x-envoy-upstream-rq-per-try-timeout-ms", "1"), ("x-envoy-upstream-alt-stat-name", "forged"),
          ("x-envoy-expected-rq-timeout-ms", "1"), ("x-envoy-original-dst-host", "127.0.0.1:1"), ("x-envoy-internal", "true"),
          ("x-envoy-retriable-status-codes", "503"), ("x-envoy-hedge-on-per-try-timeout", "true"), ("x-envoy-decorator-operation", "forged"),
          ("x-envoy-force-trace", "1"), ("x-envoy-ip-tags", "forged"), ("x-envoy-external-address", STRANGER),
          ("x-envoy-downstream-service-cluster", "forged"), ("x-envoy-downstream-service-node", "forged"), ("x-envoy-original-path", "/forged")]
IDENTITY = "URI=spiffe://mesh.test/ns/admin/sa/admin"


class Trust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/", "up")), use_remote_address=True)),
             listener(hcm(routes(route("/", "up")), use_remote_address=True, xff_num_trusted_hops=1), name="behind-one")],
            [cluster("up", cls.upstream.address)]))
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        self.upstream.forget()

    def fields(self, path):
        """The fields of the only request for a path, as they arrived."""
        seen, = self.upstream.requests(path)
        return seen.headers

    def test_nothing_is_steered(self):
        self.upstream.on("/failing", Reply(503))
        self.upstream.on("/slow", Reply(delay=0.2, body=b"in time"))
        self.assertEqual(503, fetch(self.proxy.address(), "/failing", headers=FORGED).status)
        self.assertEqual(1, steady(lambda: self.upstream.count("/failing"), "the tries are over", 0.2), "a stranger asked for retries")
        self.assertEqual(b"in time", fetch(self.proxy.address(), "/slow", headers=FORGED).body)
        self.assertEqual(0, self.proxy.stat("cluster.up.forged.upstream_rq_completed"))

    def test_nothing_passes_for_the_proxys_word(self):
        fetch(self.proxy.address(), "/forged", headers=FORGED)
        arrived = self.fields("/forged")
        kept = ["x-envoy-original-dst-host"]  # means something to clusters of type ORIGINAL_DST alone
        self.assertEqual([], [field for field in FORGED if field in arrived and field[0] not in kept])

    def test_a_stranger_is_not_internal(self):
        for forwarded in ("127.0.0.1", "10.0.0.1", "::1", "192.168.1.1, 10.0.0.1"):
            self.upstream.forget()
            fetch(self.proxy.address(), "/internal", headers=[("x-forwarded-for", forwarded), *FORGED])
            arrived = dict(self.fields("/internal"))
            with self.subTest(forwarded):
                self.assertNotEqual("true", arrived.get("x-envoy-internal"))
                self.assertTrue(arrived["x-forwarded-for"].startswith(forwarded + ","), arrived)
                self.assertNotIn(STRANGER, arrived.get("x-envoy-external-address", ""))

    def test_the_client_is_counted_from_the_trusted_end(self):
        """One hop in front is trusted: what it appended counts, not what its client wrote."""
        fetch(self.proxy.address("behind-one"), "/hops", headers=[("x-forwarded-for", f"10.9.9.9, {STRANGER}")])
        self.assertEqual(STRANGER, dict(self.fields("/hops")).get("x-envoy-external-address"))

    def test_addresses_that_are_none(self):
        for forwarded in ("fe80::1%eth0", "::1%" + "9" * 40, "not an address", "1.2.3", "999.1.1.1", "[::1]:80", "1.2.3.4:5", ",", " , ,",
                          "a," * 20000 + "1.2.3.4", "\xff\xfe", "0x7f.1", "::ffff:127.0.0.1"):
            for name in ("main", "behind-one"):
                with self.subTest(forwarded[:40], name=name):
                    answer = fetch(self.proxy.address(name), "/odd", headers=[("x-forwarded-for", forwarded)])
                    self.assertIn(answer.status, (200, 400))

    def test_an_identity_is_not_told_but_proven(self):
        """In any spelling, and more than once: without TLS nobody has one."""
        for names in (["x-forwarded-client-cert"], ["X-Forwarded-Client-Cert", "x-FORWARDED-client-CERT"]):
            self.upstream.forget()
            fetch(self.proxy.address(), "/identity", headers=[(name, IDENTITY) for name in names])
            self.assertEqual([], [field for field in self.fields("/identity") if field[0] == "x-forwarded-client-cert"])
        self.upstream.forget()
        with Http2Client(self.proxy.address()) as client:
            client.request("GET", "/identity", [("x-forwarded-client-cert", IDENTITY)] * 2)
        self.assertEqual([], [field for field in self.fields("/identity") if field[0] == "x-forwarded-client-cert"])

    @weft_only("Envoy refuses what names Host away")
    def test_hop_by_hop_fields_end_here(self):
        """Also those that Connection names; what routes and frames a message cannot be named away."""
        fetch(self.proxy.address(), "/hops", "POST", [
            ("connection", "x-secret, close, host, content-length, x-forwarded-for"), ("x-secret", "1"), ("keep-alive", "timeout=9"),
            ("proxy-connection", "keep-alive"), ("te", "gzip"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")], body=b"hello")
        seen, = self.upstream.requests("/hops")
        names = {name for name, _ in seen.headers}
        self.assertEqual(set(), names & {"x-secret", "keep-alive", "proxy-connection", "upgrade", "http2-settings", "connection", "te"})
        self.assertIn("host", names)
        self.assertEqual(b"hello", seen.body)


if __name__ == "__main__":
    unittest.main()
