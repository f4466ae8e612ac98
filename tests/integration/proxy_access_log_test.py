"""Access logs to a file and to stdout, as text in Envoy's format language and as JSON."""
import json
import os
import signal
import tempfile
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind
from meshtest.raw_http import fetch
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import wait_for

FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


class AccessLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="weft-log-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.upstream = Upstream()
        dead, keeper = refused_address()
        cls.addClassCleanup(cls.upstream.close)
        cls.addClassCleanup(keeper.close)
        cls.text, cls.json, cls.default = (os.path.join(cls.folder.name, name) for name in ("text", "json", "default"))
        logs = [
            {"name": "text", "typed_config": {"@type": FILE_LOG, "path": cls.text, "log_format": {"text_format_source": {"inline_string": (
                "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% "
                "%BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %ROUTE_NAME% %REQ(X-ABSENT?X-THERE)% %RESP(X-ANSWER):3% "
                "%START_TIME(%Y)% %DURATION% 100%%\n")}}}},
            {"name": "json", "typed_config": {"@type": FILE_LOG, "path": cls.json, "log_format": {"json_format": {
                "code": "%RESPONSE_CODE%", "path": "%REQ(:PATH)%", "both": "%REQ(:METHOD)% to %UPSTREAM_CLUSTER%",
                "absent": "%REQ(X-ABSENT)%",
                "nested": {"flags": "%RESPONSE_FLAGS%"}}}}},
            {"name": "default", "typed_config": {"@type": FILE_LOG, "path": cls.default}},
            {"name": "stdout", "typed_config": {"@type": STDOUT_LOG,
                                                "log_format": {"text_format_source": {"inline_string": "OUT %REQ(:PATH)%\n"}}}}]
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/dead", "dead", name="to-dead"), route("/up", "up", name="to-up")), access_log=logs))],
            [cluster("up", cls.upstream.address), cluster("dead", dead)]),
            flags=("--file-flush-interval-msec", "50") if data_plane_kind() == "envoy" else ())
        cls.addClassCleanup(cls.proxy.stop)

    def line(self, path, wanted):
        """The first line of a log that mentions `wanted`."""
        def find():
            with open(path, encoding="utf-8") as file:
                return next((line.rstrip("\n") for line in file if wanted in line), None)
        return wait_for(find, f"a line with {wanted} in {path}")

    def test_text(self):
        self.upstream.on("/up/text", Reply(headers=(("x-answer", "abcdef"),), body=b"hello"))
        fetch(self.proxy.address(), "/up/text?q=1", "POST", headers=[("x-there", "yes")], body=b"12345")
        fields = self.line(self.text, "/up/text").split(" ")
        host = "%s:%d" % self.upstream.address
        self.assertEqual(["POST", "/up/text?q=1", "HTTP/1.1", "200", "-", "via_upstream", "5", "5", "up", host, "to-up", "yes", "abc"],
                         fields[:13])
        self.assertRegex(fields[13], r"^20\d\d$")
        self.assertRegex(fields[14], r"^\d+$")
        self.assertEqual("100%", fields[15])

    def test_flags_and_details(self):
        fetch(self.proxy.address(), "/dead/x")
        self.assertRegex(self.line(self.text, "/dead/x"),
                         r"^GET /dead/x HTTP/1.1 503 UF upstream_reset_before_response_started\{.*\} 0 \d+ dead ")
        fetch(self.proxy.address(), "/nowhere")
        self.assertIn("404 NR route_not_found", self.line(self.text, "/nowhere"))

    def test_json(self):
        fetch(self.proxy.address(), '/up/json"quoted')
        entry = json.loads(self.line(self.json, "/up/json"))
        self.assertEqual(200, entry["code"])
        self.assertEqual('/up/json"quoted', entry["path"])
        self.assertEqual("GET to up", entry["both"])
        self.assertIsNone(entry["absent"])
        self.assertEqual({"flags": "-"}, entry["nested"])

    def test_default_format(self):
        fetch(self.proxy.address(), "/up/default", headers=[("user-agent", "tester")])
        line = self.line(self.default, "/up/default")
        self.assertRegex(line, r'^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "GET /up/default HTTP/1\.1" 200 - 0 \d+ \d+ \d+ "-" "tester" '
                               r'"[0-9a-f-]{36}" "main\.test" "127\.0\.0\.1:\d+"$')

    def test_a_log_that_was_moved_away(self):
        """SIGUSR1 and /reopen_logs open the path anew; not a line is lost."""
        for number, reopen in enumerate((lambda: self.proxy.program.signal(signal.SIGUSR1),
                                         lambda: self.proxy.admin("/reopen_logs", "POST", b""))):
            fetch(self.proxy.address(), f"/up/before-{number}")
            self.line(self.json, f"/up/before-{number}")
            os.rename(self.json, f"{self.json}.{number}")
            fetch(self.proxy.address(), f"/up/moved-{number}")
            self.line(f"{self.json}.{number}", f"/up/moved-{number}")
            reopen()
            wait_for(lambda: os.path.exists(self.json), "a new file")
            fetch(self.proxy.address(), f"/up/after-{number}")
            self.line(self.json, f"/up/after-{number}")

    def test_stdout(self):
        fetch(self.proxy.address(), "/up/stdout")
        wait_for(lambda: "OUT /up/stdout\n" in self.proxy.program.output(), "the line on stdout")


if __name__ == "__main__":
    unittest.main()
