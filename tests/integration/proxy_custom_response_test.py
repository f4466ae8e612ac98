"""The custom_response filter: which answers its matchers pick at which level, what takes their place, and what the client, the filters
before it, the log and the stats see of that."""
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, listener, routes
from meshtest.data_plane import validate, weft_only
from meshtest.filters import HTTP, FilterTest, named, told
from meshtest.raw_http import Connection, message
from meshtest.upstream import Reply
from meshtest.wait import wait_for

TYPE = "type.googleapis.com/"
MESSAGE = "custom_response.v3.CustomResponse"
STATUS = {"@type": f"{TYPE}envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput"}
CLASS = {"@type": f"{TYPE}envoy.type.matcher.v3.HttpResponseStatusCodeClassMatchInput"}


def header(name):
    return {"@type": f"{TYPE}envoy.type.matcher.v3.HttpResponseHeaderMatchInput", "header_name": name}


def when(look_at, **value):
    return {"single_predicate": {"input": {"name": "input", "typed_config": look_at}, "value_match": value}}


def status(code):
    return when(STATUS, exact=str(code))


def first_of(*pairs, **more):
    return {"matcher_list": {"matchers": [{"predicate": predicate, "on_match": then} for predicate, then in pairs]}, **more}


def by_map(look_at, kind, branches, **more):
    return {"matcher_tree": {"input": {"name": "input", "typed_config": look_at}, kind: {"map": branches}}, **more}


def local(text=None, **fields):
    body = {"body": {"inline_string": text}} if text is not None else {}
    return {"action": {"name": "local", "typed_config": {
        "@type": f"{TYPE}envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy", **body, **fields}}}


def elsewhere(uri=None, **fields):
    place = {"uri": uri} if uri else {}
    return {"action": {"name": "redirect", "typed_config": {
        "@type": f"{TYPE}envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy", **place, **fields}}}


def add(name, value, action="OVERWRITE_IF_EXISTS_OR_ADD"):
    return {"header": {"key": name, "value": value}, "append_action": action}


def marks(name, value):
    return {"name": name, "typed_config": {"@type": f"{HTTP}.header_mutation.v3.HeaderMutation", "mutations": {
        "response_mutations": [{"append": add(name, value)}]}}}


def speaks(matcher):
    return told("custom_response", MESSAGE, custom_response_matcher=matcher)


class CustomResponse(FilterTest):
    """/<code> is answered by the upstream with that code, a body and x-up."""
    CODES = (404, *range(418, 424), 430, 431, *range(451, 460), 500)

    @classmethod
    def setUpClass(cls):
        within = first_of((when(header("x-kind"), exact="a"), local("within")))
        matcher = first_of(
            (status(418), local("teapot", status_code=200, response_headers_to_add=[
                add("x-seen", "%RESPONSE_CODE% %RESP(x-up)% %REQ(:path)%"), add("x-up", "mine", "APPEND_IF_EXISTS_OR_ADD")])),
            (status(419), local("teapot", body_format={"json_format": {"code": "%RESPONSE_CODE%", "body": "%LOCAL_REPLY_BODY%"}})),
            (status(420), local(status_code=299)),
            (status(421), local(body_format={"text_format_source": {"inline_string": "%RESPONSE_CODE% %RESP(x-up)%"}})),
            (status(422), {"matcher": within}), (status(422), local("behind")),
            (status(451), elsewhere("http://main.test/second?q=1", status_code=299, request_headers_to_add=[add("x-asked", "%REQ(:path)%")],
                                    response_headers_to_add=[add("x-second", "%RESPONSE_CODE%")])),
            (status(452), elsewhere("https://main.test/second")),
            (status(453), elsewhere("http://nowhere.test/second")),
            (status(454), elsewhere(redirect_action={"host_redirect": "main.test", "path_redirect": "/third"})),
            (status(455), elsewhere("http://main.test/again")),
            (status(456), elsewhere("http://main.test/direct")),
            (status(457), elsewhere("http://main.test")),
            (status(458), elsewhere(redirect_action={"path_redirect": "a b"})),
            (when(CLASS, exact="5xx"), local("five", status_code=503)),
            (when(header("x-special"), prefix="y"), local("special")))
        host = first_of((status(430), local("host 430")), (status(431), local("host 431")))
        own = first_of((status(430), local("route 430")))
        mapped = by_map(STATUS, "exact_match_map", {"404": local("mapped")}, on_no_match=local("no match"))
        prefixed = by_map(header("x-kind"), "prefix_match_map", {"ab": local("short"), "abc": {"matcher": within}},
                          on_no_match=local("none"))
        log = {"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {
            "inline_string": "LINE %REQ(x-case)% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_SENT%\n"}}}}
        table = routes(
            {"match": {"prefix": "/direct"}, "direct_response": {"status": 456, "body": {"inline_string": "direct"}}},
            {"match": {"prefix": "/dead"}, "route": {"cluster": "nobody"}},
            *({"match": {"prefix": f"/{name}"}, "route": {"cluster": "up"}, **speaks(one)}
              for name, one in (("own", own), ("mapped", mapped), ("prefixed", prefixed))),
            {"match": {"prefix": "/"}, "route": {"cluster": "up"}}, domains=("main.test",), **speaks(host))
        table |= {"validate_clusters": False, "response_headers_to_add": [add("x-table", "t")]}
        filters = [marks("x-outer", "%RESPONSE_CODE%"), named("custom_response", MESSAGE, custom_response_matcher=matcher),
                   marks("x-inner", "%RESPONSE_CODE%")]
        cls.start([listener(hcm(table, filters, access_log=[log]))])
        for code in cls.CODES:
            for path in (f"/{code}", f"/own/{code}", f"/mapped/{code}"):
                cls.upstream.on(path, Reply(code, (("x-up", "u"), ("content-type", "a/b")), b"original"))
        cls.upstream.on("/second", Reply(200, (("x-up", "2"),), b"second"))
        cls.upstream.on("/third", Reply(202, (), b"third"))
        cls.upstream.on("/again", Reply(455, (), b"again"))
        cls.upstream.on("/", Reply(200, (), b"root"))

    def told(self, target, **fields):
        answer = self.ask(target, **fields)
        return answer.status, answer.body.decode()

    def stat(self, name):
        return self.proxy.stat(f"http.main.custom_response_{name}")

    def test_an_answer_of_our_own(self):
        answer = self.ask("/418")
        self.assertEqual((200, b"teapot", "text/plain"), (answer.status, answer.body, answer.header("content-type")))
        # The first answer's headers are gone; what the route says of answers holds; the other filters see nothing of this one.
        self.assertEqual(("418  /418", "mine", "t"), tuple(answer.header(name) for name in ("x-seen", "x-up", "x-table")))
        self.assertEqual((None, None), (answer.header("x-inner"), answer.header("x-outer")))
        self.assertEqual((299, ""), self.told("/420"))

    def test_its_format(self):
        answer = self.ask("/419")
        self.assertEqual((419, {"code": 419, "body": "teapot"}), (answer.status, answer.json()))
        self.assertEqual((421, "421 u"), self.told("/421"))

    def test_other_conditions(self):
        self.assertEqual((503, "five"), self.told("/500"))
        self.upstream.on("/special", Reply(200, (("x-special", "yes"),), b"original"))
        self.assertEqual((200, "special"), self.told("/special"))
        self.assertEqual((423, "original"), self.told("/423"))

    def test_matchers_within_matchers(self):
        self.upstream.on("/kind", Reply(422, (("x-kind", "a"),)))
        self.assertEqual((422, "within"), self.told("/kind"))
        self.assertEqual((422, "behind"), self.told("/422"))

    def test_levels(self):
        self.assertEqual((430, "host 430"), self.told("/430"))
        self.assertEqual((430, "route 430"), self.told("/own/430"))
        self.assertEqual((431, "host 431"), self.told("/own/431"))
        self.assertEqual((200, "teapot"), self.told("/own/418"))

    def test_maps(self):
        self.assertEqual((404, "mapped"), self.told("/mapped/404"))
        self.assertEqual((418, "no match"), self.told("/mapped/418"))
        for number, (kind, expected) in enumerate((("abcd", "short"), ("abd", "short"), ("x", "none"))):
            self.upstream.on(f"/prefixed/{number}", Reply(200, (("x-kind", kind),)))
            self.assertEqual((200, expected), self.told(f"/prefixed/{number}"), kind)

    def test_local_replies_are_judged(self):
        self.assertEqual((503, "five"), self.told("/dead"))

    def test_heads_and_grpc(self):
        answer = self.ask("/418", method="HEAD")
        self.assertEqual((200, "6", b""), (answer.status, answer.header("content-length"), answer.body))
        answer = self.ask("/418", [("content-type", "application/grpc")])
        self.assertEqual((200, "2", "teapot"), (answer.status, answer.header("grpc-status"), answer.header("grpc-message")))

    def test_another_place(self):
        answer = self.ask("/451", [("x-case", "place")])
        self.assertEqual((299, b"second", "2"), (answer.status, answer.body, answer.header("x-up")))
        self.assertEqual(("200", "299", "200"), tuple(answer.header(name) for name in ("x-inner", "x-outer", "x-second")))
        seen = [one for one in self.upstream.requests("/second") if one.header("x-case") == "place"][-1]
        self.assertEqual(("GET", "/second?q=1", "/second?q=1", None),
                         (seen.method, seen.target, seen.header("x-asked"), seen.header("x-envoy-original-url")))
        lines = wait_for(lambda: (lambda found: len(found) >= 2 and found)(
            [line.split() for line in self.proxy.program.output().splitlines() if line.startswith("LINE place ")]), "two lines")
        self.assertEqual([["GET", "/second?q=1", "451", "-", "0"], ["GET", "/second?q=1", "299", "-", "6"]], [line[2:] for line in lines])

    def test_the_status_stays(self):
        self.assertEqual((452, "second"), self.told("/452"))
        self.assertEqual((454, "third"), self.told("/454"))
        self.assertEqual((457, "root"), self.told("/457"))

    def test_what_the_place_answers_is_not_judged(self):
        self.assertEqual((455, "again"), self.told("/455"))
        self.assertEqual((456, "direct"), self.told("/456"))
        self.assertEqual((456, "direct"), self.told("/direct"))

    def test_bodies_stay_behind(self):
        self.assertEqual((299, "second"), self.told("/451", method="POST", body=b"0123456789"))
        seen = self.upstream.requests("/second")[-1]
        self.assertEqual(("GET", b"", None), (seen.method, seen.body, seen.header("content-length")))
        self.assertEqual((200, "teapot"), self.told("/418", method="POST", body=b"0123456789"))
        answer = self.ask("/451", method="HEAD")
        self.assertEqual((299, "6", b""), (answer.status, answer.header("content-length"), answer.body))

    def test_requests_that_are_not_complete(self):
        for code, expected in ((451, b"early"), (418, b"teapot")):
            self.upstream.on(f"/early/{code}", Reply(code, (), b"early", early=True))
            with Connection(self.proxy.address()) as connection:
                connection.send(message("POST", f"/early/{code}", [("content-length", "10")]) + b"123")
                answer = connection.read_response()
                self.assertEqual((expected, "close"), (answer.body, answer.header("connection")))

    def test_places_that_are_none(self):
        before = self.stat("redirect_no_route"), self.stat("invalid_uri")
        self.assertEqual((453, "original"), self.told("/453"))
        self.assertEqual((458, "original"), self.told("/458"))
        self.assertEqual((before[0] + 1, before[1] + 1), (self.stat("redirect_no_route"), self.stat("invalid_uri")))

    def test_connections_go_on(self):
        with Connection(self.proxy.address()) as connection:
            for code, expected in ((418, b"teapot"), (451, b"second"), (423, b"original"), (455, b"again")):
                connection.send(message("GET", f"/{code}"))
                self.assertEqual(expected, connection.read_response().body)


class Refused(unittest.TestCase):
    def refused(self, matcher):
        manager = hcm(routes({"match": {"prefix": "/"}, "route": {"cluster": "up"}}),
                      [named("custom_response", MESSAGE, custom_response_matcher=matcher)])
        code, output = validate(bootstrap([listener(manager)], [cluster("up", ("127.0.0.1", 1))]))
        self.assertNotEqual(0, code)
        return output

    def test_a_place_without_a_host(self):
        self.assertIn("Invalid uri specified for redirection for custom response: /x", self.refused(first_of((status(404), elsewhere("/x")))))

    @weft_only("the words of what this version does not do")
    def test_what_is_not_there(self):
        request = {"@type": f"{TYPE}envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": "x"}
        self.assertIn("matchers[0].predicate.single_predicate.input.typed_config", self.refused(first_of((when(request, exact="1"), local("x")))))
        self.assertIn("keep_matching", self.refused(first_of((status(404), {**local("x"), "keep_matching": True}))))
        self.assertIn("modify_request_headers_action", self.refused(first_of((status(404), elsewhere(
            "http://a/b", modify_request_headers_action={"name": "x", "typed_config": STATUS})))))
        self.assertIn("supported: envoy.extensions.http.custom_response",
                      self.refused(first_of((status(404), {"action": {"name": "x", "typed_config": STATUS}}))))


if __name__ == "__main__":
    unittest.main()
