"""The admin listener: pages, formats, and changes by POST only."""
import json
import os
import tempfile
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes, socket_address
from meshtest.data_plane import DataPlane, weft_only
from meshtest.raw_http import Connection, fetch
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for


class Admin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.upstream.on("/bad", Reply(503))
        cls.proxy = DataPlane(bootstrap([listener(hcm(routes(route("/", "up"))))], [cluster("up", cls.upstream.address)]))
        cls.addClassCleanup(cls.proxy.stop)

    def test_pages_answer(self):
        for path in ("/", "/help", "/stats", "/stats/prometheus", "/clusters", "/config_dump", "/listeners", "/server_info", "/ready",
                     "/stats?format=json", "/stats?format=prometheus", "/clusters?format=json", "/listeners?format=json", "/memory"):
            with self.subTest(path):
                answer = self.proxy.admin(path)
                self.assertEqual(200, answer.status)
                self.assertTrue(answer.body)
                if "json" in path:
                    json.loads(answer.body)

    def test_unknown_page(self):
        self.assertEqual(404, self.proxy.admin("/no-such-page").status)

    def test_help_names_every_page(self):
        text = self.proxy.admin("/help").text
        for page in ("/clusters", "/config_dump", "/drain_listeners", "/healthcheck/fail", "/healthcheck/ok", "/help", "/listeners",
                     "/logging",
                     "/quitquitquit", "/ready", "/reset_counters", "/server_info", "/stats", "/stats/prometheus"):
            self.assertIn(page, text)

    def test_ready(self):
        answer = self.proxy.admin("/ready")
        self.assertEqual((200, "LIVE\n"), (answer.status, answer.text))

    def test_changes_need_post(self):
        for path in ("/drain_listeners", "/healthcheck/fail", "/healthcheck/ok", "/logging?level=info", "/quitquitquit", "/reset_counters"):
            with self.subTest(path):
                self.assertIn(self.proxy.admin(path).status, (400, 405))
        self.assertTrue(self.proxy.program.alive)

    def test_healthcheck_fail_and_ok(self):
        self.assertEqual("OK\n", self.proxy.admin("/healthcheck/fail", "POST", b"").text)
        self.assertEqual("OK\n", self.proxy.admin("/healthcheck/ok", "POST", b"").text)

    def test_counters_count(self):
        address = self.proxy.address()
        before = self.proxy.stat("http.main.downstream_rq_2xx"), self.proxy.stat("cluster.up.upstream_rq_503")
        for _ in range(3):
            fetch(address, "/")
        fetch(address, "/bad")
        wait_for(lambda: self.proxy.stat("http.main.downstream_rq_2xx") == before[0] + 3, "three more 2xx")
        wait_for(lambda: self.proxy.stat("cluster.up.upstream_rq_503") == before[1] + 1, "one more 503")
        self.assertGreaterEqual(self.proxy.stat("cluster.up.upstream_cx_total"), 1)

    def test_gauges_follow_connections(self):
        with Connection(self.proxy.address()) as connection:
            connection.request("GET", "/")
            wait_for(lambda: self.proxy.stat("http.main.downstream_cx_active") >= 1, "an active connection")
        wait_for(lambda: self.proxy.stat("http.main.downstream_cx_active") == 0, "none any more")

    def test_stats_queries(self):
        fetch(self.proxy.address(), "/")
        lines = self.proxy.admin("/stats?usedonly&filter=^cluster%5C.up%5C.upstream_rq_total$").text.splitlines()
        self.assertEqual(1, len(lines))
        self.assertRegex(lines[0], r"^cluster\.up\.upstream_rq_total: \d+$")
        entries = self.proxy.admin("/stats?format=json&type=Counters&filter=upstream_rq_total").json()["stats"]
        self.assertIn("cluster.up.upstream_rq_total", {entry["name"] for entry in entries})
        self.assertIn(self.proxy.admin("/stats?filter=(unclosed").status, (200, 400))

    def test_prometheus_text(self):
        fetch(self.proxy.address(), "/")
        answer = self.proxy.admin("/stats/prometheus")
        self.assertTrue(answer.header("content-type").startswith("text/plain"))
        self.assertRegex(answer.text, r'(?m)^# TYPE envoy_cluster_upstream_rq_total counter$')
        self.assertRegex(answer.text, r'(?m)^envoy_cluster_upstream_rq_total\{envoy_cluster_name="up"\} \d+$')
        self.assertRegex(answer.text, r'(?m)^envoy_cluster_upstream_rq_time_bucket\{envoy_cluster_name="up",le="\+Inf"\} \d+$')

    def test_clusters(self):
        fetch(self.proxy.address(), "/")
        host = "%s:%d" % self.upstream.address
        text = self.proxy.admin("/clusters").text
        self.assertIn(f"up::{host}::cx_active::", text)
        self.assertIn(f"up::{host}::health_flags::healthy", text)
        status = next(entry for entry in self.proxy.admin("/clusters?format=json").json()["cluster_statuses"] if entry["name"] == "up")
        self.assertEqual(self.upstream.port, status["host_statuses"][0]["address"]["socket_address"]["port_value"])

    def test_config_dump(self):
        dump = self.proxy.admin("/config_dump").json()
        kinds = {config["@type"].rsplit(".", 1)[1] for config in dump["configs"]}
        self.assertLessEqual({"BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump"}, kinds)
        clusters = self.proxy.admin("/config_dump?resource=static_clusters").json()
        self.assertEqual("up", clusters["configs"][0]["cluster"]["name"])

    def test_listeners_tell_the_real_port(self):
        address = self.proxy.listeners()["main"]
        self.assertNotEqual(0, address[1])
        self.assertIn("main::%s:%d" % address, self.proxy.admin("/listeners").text)

    def test_server_info(self):
        info = self.proxy.admin("/server_info").json()
        self.assertEqual("LIVE", info["state"])
        self.assertEqual("test", info["node"]["id"])
        self.assertIn("version", info)

    def test_logging(self):
        answer = self.proxy.admin("/logging?level=warning", "POST", b"")
        self.assertEqual(200, answer.status)
        self.assertIn("warning", answer.text)
        self.assertIn(self.proxy.admin("/logging?level=nonsense", "POST", b"").status, (400, 404))

    def test_reset_counters(self):
        fetch(self.proxy.address(), "/")
        self.assertEqual("OK\n", self.proxy.admin("/reset_counters", "POST", b"").text)

    def test_access_log_of_admin_requests(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "admin.log")
            log = {"name": "file", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": path,
                "log_format": {"text_format_source": {"inline_string":
                    "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %REQ(X-WHO)% %BYTES_SENT%\n"}}}}
            with DataPlane(bootstrap([], [], admin={"address": socket_address(("127.0.0.1", 0)), "access_log": [log]})) as proxy:
                answer = fetch(proxy.admin_address, "/ready?x=1", headers=[("x-who", "me")])

                def lines():
                    with open(path, encoding="utf-8") as file:
                        return [line for line in file.read().splitlines() if "x=1" in line]
                self.assertEqual([f"GET /ready?x=1 HTTP/1.1 200 admin_filter_response me {len(answer.body)}"], wait_for(lines, "a line"))

    @weft_only("the admin page itself is part of the bar")
    def test_admin_survives_nonsense(self):
        for data in (b"\0" * 100, b"GET /stats HTTP/1.1\r\n\r\n", b"GET " + b"x" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"POST /stats HTTP/1.1\r\n"
                     b"Host: a\r\nContent-Length: 99999999999999999999\r\n\r\n"):
            with Connection(self.proxy.admin_address) as connection:
                connection.send(data)
                connection.settimeout(5)
                connection.reader.to_end()
        self.assertEqual(200, self.proxy.admin("/ready").status)


if __name__ == "__main__":
    unittest.main()
