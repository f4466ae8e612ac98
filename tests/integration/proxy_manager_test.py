"""What the HTTP connection manager and the router do around a request: local replies, where the client is, early mutations, logs."""
import json
import unittest

from meshtest.bootstrap import ROUTER, STDOUT_LOG, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import validate
from meshtest.filters import FilterTest
from meshtest.h2peer import Http2Client
from meshtest.upstream import Reply, refused_address
from meshtest.wait import wait_for

HTTP = "type.googleapis.com/envoy.extensions.http"
CERTIFICATE = ("x-forwarded-client-cert", "By=a;Hash=b")


def extension(message_name, **fields):
    return {"name": "some", "typed_config": {"@type": f"{HTTP}.{message_name}", **fields}}


def stdout(text, **fields):
    return {"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": text + "\n"}}}, **fields}


def status(value, op="EQ"):
    return {"status_code_filter": {"comparison": {"op": op, "value": {"default_value": value, "runtime_key": "k"}}}}


def direct(path, code, body="", **fields):
    return {"match": {"path": path}, "direct_response": {"status": code, "body": {"inline_string": body}} if body else {"status": code}, **fields}


def added(name, value):
    return [{"header": {"key": name, "value": value}}]


class LocalReplies(FilterTest):
    @classmethod
    def setUpClass(cls):
        dead, keeper = refused_address()
        cls.addClassCleanup(keeper.close)
        table = routes(direct("/gone", 404, "orig", response_headers_to_add=added("x-route", "r")), direct("/teapot", 418, "tea"),
                       direct("/ok", 200), {"match": {"path": "/moved"}, "redirect": {"path_redirect": "/x"}},
                       route("/dead", "dead"), route("/", "up"))
        mappers = [
            {"filter": status(404), "status_code": 440, "body": {"inline_string": "mapped body"},
             "headers_to_add": added("x-mapped", "%RESPONSE_CODE% %REQ(:PATH)% %RESP(X-ROUTE)%")},
            {"filter": {"response_flag_filter": {"flags": ["UF"]}}, "body_format_override": {"json_format": {
                "code": "%RESPONSE_CODE%", "message": "%LOCAL_REPLY_BODY%", "flags": "%RESPONSE_FLAGS%", "path": "%REQ(:path)%"}}},
            {"filter": status(301), "body": {"inline_string": "moved"}},
            {"filter": status(418), "body_format_override": {
                "text_format_source": {"inline_string": "<b>%LOCAL_REPLY_BODY%</b>"}, "content_type": "text/html; charset=UTF-8"}},
            {"filter": status(418), "status_code": 500},
        ]
        text = {"mappers": mappers, "body_format": {"text_format_source": {"inline_string": "default: %LOCAL_REPLY_BODY% (%RESPONSE_CODE%)"}}}
        as_json = {"body_format": {"json_format": {"message": "%LOCAL_REPLY_BODY%", "code": "%RESPONSE_CODE%"}}}
        cls.start([listener(hcm(table, local_reply_config=text, access_log=[stdout("LINE %REQ(:PATH)% %RESPONSE_CODE%")])),
                   listener(hcm(table, local_reply_config=as_json), name="json"),
                   listener(hcm(table, local_reply_config={"mappers": mappers[:1]}), name="mappers")],
                  [cluster("dead", dead)])

    def test_status_body_and_headers(self):
        answer = self.ask("/gone")
        self.assertEqual((440, b"default: mapped body (440)", "404 /gone r", "r", "text/plain"), (
            answer.status, answer.body, answer.header("x-mapped"), answer.header("x-route"), answer.header("content-type")))
        wait_for(lambda: "LINE /gone 440" in self.proxy.program.output(), "the log")

    def test_the_first_mapper_wins(self):
        answer = self.ask("/teapot")
        self.assertEqual((418, b"<b>tea</b>", "text/html; charset=UTF-8"), (answer.status, answer.body, answer.header("content-type")))

    def test_redirects_and_empty_answers(self):
        self.assertEqual((301, b"default: moved (301)", "http://main.test/x"), (
            (moved := self.ask("/moved", host="main.test")).status, moved.body, moved.header("location")))
        self.assertEqual(b"default:  (200)", self.ask("/ok").body)

    def test_a_failed_upstream(self):
        answer = self.ask("/dead")
        self.assertEqual("application/json", answer.header("content-type"))
        self.assertEqual((503, "UF", "/dead"), tuple(answer.json()[key] for key in ("code", "flags", "path")))
        self.assertIn("upstream connect error", answer.json()["message"])

    def test_upstreams_answers_are_let_alone(self):
        self.upstream.on("/upstream", Reply(404, body=b"its own"))
        answer = self.ask("/upstream")
        self.assertEqual((404, b"its own", None), (answer.status, answer.body, answer.header("x-mapped")))

    def test_head(self):
        answer = self.ask("/teapot", method="HEAD")
        self.assertEqual((418, b"", "10"), (answer.status, answer.body, answer.header("content-length")))

    def test_grpc(self):
        answer = self.ask("/gone", [("content-type", "application/grpc")])
        self.assertEqual((200, "2", "default: mapped body (440)", "404 /gone r"), (
            answer.status, answer.header("grpc-status"), answer.header("grpc-message"), answer.header("x-mapped")))
        answer = self.ask("/gone", [("content-type", "application/grpc")], name="json")
        self.assertEqual('{"code":404,"message":"orig"}', answer.header("grpc-message"))

    def test_json_for_all(self):
        answer = self.ask("/gone", name="json")
        self.assertEqual((404, b'{"code":404,"message":"orig"}\n', "application/json"), (
            answer.status, answer.body, answer.header("content-type")))
        with Http2Client(self.proxy.address("json")) as client:
            self.assertEqual(b'{"code":200,"message":""}\n', client.request("GET", "/ok", []).body)

    def test_without_a_format(self):
        answer = self.ask("/gone", name="mappers")
        self.assertEqual((440, b"mapped body", "text/plain"), (answer.status, answer.body, answer.header("content-type")))
        self.assertEqual((418, b"tea"), ((tea := self.ask("/teapot", name="mappers")).status, tea.body))


class Clients(FilterTest):
    """Where the client is, and what is done to its request before anything else."""

    @classmethod
    def setUpClass(cls):
        def manager(name, **fields):
            table = routes(route("/", "up", request_headers_to_add=added("x-client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")))
            return listener(hcm(table, stat_prefix=name, **fields), name=name)

        def xff(**fields):
            return {"original_ip_detection_extensions": [extension("original_ip_detection.xff.v3.XffConfig", **fields)]}

        def header(**fields):
            return extension("original_ip_detection.custom_header.v3.CustomHeaderConfig", header_name="X-Ip", **fields)

        trusted = {"cidrs": [{"address_prefix": "127.0.0.0", "prefix_len": 8}, {"address_prefix": "10.0.0.0", "prefix_len": 8}]}
        steps = [{"append": {"header": {"key": "x-forwarded-for", "value": "7.7.7.7"}}},
                 {"append": {"header": {"key": "x-early", "value": "%REQ(:PATH)%"}}}, {"remove": "x-gone"}]
        modes = [manager(mode, forward_client_cert_details=mode, set_current_client_cert_details={"subject": True, "uri": True})
                 for mode in ("SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY")]
        cls.start([
            manager("hop", **xff(xff_num_trusted_hops=1)), manager("appends", **xff(skip_xff_append=False)),
            manager("trusted", **xff(xff_trusted_cidrs=trusted)),
            manager("strangers", **xff(xff_trusted_cidrs={"cidrs": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]})),
            manager("header", original_ip_detection_extensions=[header(
                allow_extension_to_set_address_as_trusted=True, reject_with_status={"code": "Unauthorized"})],
                internal_address_config={"cidr_ranges": [{"address_prefix": "9.0.0.0", "prefix_len": 8}]}),
            manager("either", original_ip_detection_extensions=[header(), *xff()["original_ip_detection_extensions"]]),
            manager("forbids", original_ip_detection_extensions=[header(reject_with_status={"code": "OK"})]),
            manager("early", early_header_mutation_extensions=[extension(
                "early_header_mutation.header_mutation.v3.HeaderMutation", mutations=steps)]),
            manager("https", scheme_header_transformation={"scheme_to_overwrite": "https"}),
            manager("match", scheme_header_transformation={"match_upstream": True}), *modes])

    def client(self, name, *headers):
        return self.sent(self.ask("/", headers, name=name), "x-client")[0]

    def test_x_forwarded_for(self):
        for name, given, expected in (
                ("hop", "1.1.1.1, 2.2.2.2", "1.1.1.1"), ("hop", "1.1.1.1", "127.0.0.1"), ("hop", "bad", "127.0.0.1"),
                ("appends", "1.1.1.1, 2.2.2.2", "2.2.2.2"), ("trusted", "1.1.1.1, 2.2.2.2", "2.2.2.2"),
                ("trusted", "3.3.3.3, 10.1.1.1,10.2.2.2", "3.3.3.3"), ("trusted", "10.3.3.3, 10.1.1.1", "10.3.3.3"),
                ("trusted", "bad", "127.0.0.1"), ("strangers", "1.1.1.1", "127.0.0.1")):
            self.assertEqual(expected, self.client(name, ("x-forwarded-for", given)), (name, given))

    def test_what_is_appended(self):
        forwarded = {name: self.sent(self.ask("/", [("x-forwarded-for", "1.1.1.1")], name=name), "x-forwarded-for")[0]
                     for name in ("hop", "trusted", "appends")}
        self.assertEqual(("1.1.1.1", "1.1.1.1"), (forwarded["hop"], forwarded["trusted"]))
        self.assertTrue(forwarded["appends"].startswith("1.1.1.1,"), forwarded)

    def test_a_header_of_its_own(self):
        answer = self.ask("/", [("x-ip", "9.9.9.9"), ("x-forwarded-for", "5.5.5.5")], name="header")
        self.assertEqual((["9.9.9.9"], ["true"]), (self.sent(answer, "x-client"), self.sent(answer, "x-envoy-internal")))
        before = self.proxy.stat("http.header.downstream_rq_rejected_via_ip_detection")
        for headers in ((), (("x-ip", "bad"),), (("x-ip", "9.9.9.9:80"),)):
            self.assertEqual(401, self.ask("/", headers, name="header").status)
        self.assertEqual(before + 3, self.proxy.stat("http.header.downstream_rq_rejected_via_ip_detection"))
        self.assertEqual(403, self.ask("/", name="forbids").status)

    def test_the_first_that_finds_one(self):
        self.assertEqual("6.6.6.6", self.client("either", ("x-ip", "6.6.6.6"), ("x-forwarded-for", "5.5.5.5")))
        self.assertEqual("5.5.5.5", self.client("either", ("x-forwarded-for", "5.5.5.5")))

    def test_early_mutations(self):
        answer = self.ask("/early", [("x-gone", "1")], name="early")
        self.assertEqual((["7.7.7.7"], ["/early"], []), tuple(self.sent(answer, name) for name in ("x-client", "x-early", "x-gone")))

    def test_the_scheme(self):
        self.assertEqual(["https"], self.sent(self.ask("/", [("x-forwarded-proto", "http")], name="https"), "x-forwarded-proto"))
        self.assertEqual(["https"], self.sent(self.ask("/", [("x-forwarded-proto", "https")], name="match"), "x-forwarded-proto"))

    def test_client_certificates_on_a_plain_connection(self):
        for mode in ("SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"):
            expected = [CERTIFICATE[1]] if mode == "ALWAYS_FORWARD_ONLY" else []
            self.assertEqual(expected, self.sent(self.ask("/", [CERTIFICATE], name=mode), CERTIFICATE[0]), mode)

    def test_what_does_not_go_together(self):
        for fields in ({"use_remote_address": True}, {"xff_num_trusted_hops": 1}):
            manager = hcm(routes(route("/", "up")), original_ip_detection_extensions=[
                extension("original_ip_detection.xff.v3.XffConfig")], **fields)
            self.assertNotEqual(0, validate(bootstrap([listener(manager)], [cluster("up", ("127.0.0.1", 1))]))[0], fields)


class Router(FilterTest):
    @classmethod
    def setUpClass(cls):
        dead, keeper = refused_address()
        cls.addClassCleanup(keeper.close)
        words = " %ACCESS_LOG_TYPE% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESP(X-S)% "
        table = routes(route("/retry", "up", action={"retry_policy": {
            "retry_on": "5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.01s"}}}), route("/dead", "dead"), route("/", "up"))
        strict = ["x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-max-retries", "x-envoy-retry-on",
                  "x-envoy-retry-grpc-on"]
        manager = hcm(table, access_log=[stdout("DOWN" + words), stdout("STARTED" + words, filter={
            "log_type_filter": {"types": ["DownstreamStart"]}})], access_log_options={"flush_access_log_on_new_request": True},
            internal_address_config={"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]})
        manager["typed_config"]["http_filters"][-1]["typed_config"] = {
            "@type": ROUTER, "strict_check_headers": strict, "upstream_log": [stdout("UP" + words)],
            "suppress_grpc_request_failure_code_stats": True}
        cls.start([listener(manager), listener(hcm(table, stat_prefix="slow", access_log=[stdout("SLOW" + words)], access_log_options={
            "access_log_flush_interval": "1s"}), name="slow")], [cluster("dead", dead)])

    def lines(self, target, count):
        def found():
            lines = [line.split() for line in self.proxy.program.output().splitlines() if f" {target} " in line]
            return len(lines) >= count and [line[:2] + line[3:] for line in lines]
        return wait_for(found, f"{count} lines of {target}")

    def test_a_line_per_attempt(self):
        self.upstream.on("/retry", Reply(503, (("x-s", "first"),)), Reply(200, (("x-s", "second"),), b"fine"))
        self.assertEqual(200, self.ask("/retry").status)
        lines = self.lines("/retry", 5)
        self.assertEqual([["UP", "UpstreamEnd", "503", "-", "first"], ["UP", "UpstreamEnd", "200", "-", "second"]],
                         [line for line in lines if line[0] == "UP"])
        self.assertEqual([["DOWN", "DownstreamStart", "0", "-", "-"], ["DOWN", "DownstreamEnd", "200", "-", "second"]],
                         [line for line in lines if line[0] == "DOWN"])
        self.assertEqual([["STARTED", "DownstreamStart", "0", "-", "-"]], [line for line in lines if line[0] == "STARTED"])

    def test_of_a_host_that_is_dead(self):
        self.assertEqual(503, self.ask("/dead").status)
        self.assertIn(["UP", "UpstreamEnd", "0", "UF", "-"], self.lines("/dead", 4))

    def test_lines_of_a_long_request(self):
        self.upstream.on("/long", Reply(body=b"late", delay=1.3))
        self.assertEqual(200, self.ask("/long", name="slow").status)
        self.assertEqual([["SLOW", "DownstreamPeriodic", "0", "-", "-"], ["SLOW", "DownstreamEnd", "200", "-", "-"]], self.lines("/long", 2))

    def test_strict_checks(self):
        inside = ("x-forwarded-for", "10.0.0.1")
        for name, value in (("x-envoy-upstream-rq-timeout-ms", "abc"), ("x-envoy-retry-on", "5xx,foo"), ("x-envoy-max-retries", "-1"),
                            ("x-envoy-upstream-rq-per-try-timeout-ms", "1x"), ("x-envoy-retry-grpc-on", "nope")):
            answer = self.ask("/strict", [inside, (name, value)])
            self.assertEqual((400, f"invalid header '{name}' with value '{value}'"), (answer.status, answer.text))
            self.assertEqual(200, self.ask("/strict", [(name, value)]).status)  # an outsider's is no word for the router
        for name, value in (("x-envoy-upstream-rq-timeout-ms", "1000"), ("x-envoy-retry-on", "5xx,reset"), ("x-envoy-max-retries", "2")):
            self.assertEqual(200, self.ask("/strict", [inside, (name, value)]).status)

    def test_grpc_codes_are_not_counted(self):
        before = [self.proxy.stat(f"cluster.up.upstream_rq_{name}") for name in ("completed", "418")]
        self.upstream.on("/teapot", Reply(418))
        self.ask("/teapot", [("content-type", "application/grpc")])
        self.ask("/teapot")
        self.assertEqual([2, 1], [self.proxy.stat(f"cluster.up.upstream_rq_{name}") - count for name, count in zip(("completed", "418"), before)])


if __name__ == "__main__":
    unittest.main()
