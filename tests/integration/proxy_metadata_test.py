"""Dynamic metadata: who notes it, who prints and matches it; and routes by templates of paths, cookies and certificates."""
import json
import unittest

from meshtest.bootstrap import STDOUT_LOG, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import validate, weft_only
from meshtest.filters import FilterTest, named, told
from meshtest.upstream import Reply
from meshtest.wait import wait_for

PATHS = "type.googleapis.com/envoy.extensions.path"


def by_template(template, rewrite=None, name="hit"):
    action = {"cluster": "up"}
    if rewrite:
        action["path_rewrite_policy"] = {"name": "rewrite", "typed_config": {
            "@type": f"{PATHS}.rewrite.uri_template.v3.UriTemplateRewriteConfig", "path_template_rewrite": rewrite}}
    return {"name": name, "route": action, "match": {"path_match_policy": {"name": "match", "typed_config": {
        "@type": f"{PATHS}.match.uri_template.v3.UriTemplateMatchConfig", "path_template": template}}}}


def noted(key, **fields):
    return {"metadata_namespace": "ns", "key": key, **fields}


class Noting(FilterTest):
    @classmethod
    def setUpClass(cls):
        rules = {"stat_prefix": "notes", "request_rules": [
            {"header": "x-version", "on_header_present": noted("version"), "on_header_missing": noted("version", value="none"), "remove": True},
            {"header": "x-number", "on_header_present": noted("number", type="NUMBER")},
            {"header": ":path", "on_header_present": noted("first", regex_value_rewrite={
                "pattern": {"regex": r"^/(\w+).*$"}, "substitution": r"\1"})},
            {"cookie": "sess", "on_header_present": {"key": "cookie"}, "on_header_missing": {"key": "cookie", "value": "no cookie"}},
            {"header": "x-base", "on_header_present": noted("base", encode="BASE64")}],
            "response_rules": [{"header": "x-answer", "on_header_present": noted("answer"), "remove": True}]}
        fixed = {"metadata": [
            {"metadata_namespace": "fixed", "value": {"a": 1, "b": {"c": [1, "x", True, None]}, "t": "text"}},
            {"metadata_namespace": "fixed", "allow_overwrite": True, "value": {"a": 2, "b": {"c": ["y"], "d": 1}}},
            {"metadata_namespace": "fixed", "value": {"a": 3}}]}
        own = told("header_to_metadata", "header_to_metadata.v3.Config",
                   request_rules=[{"header": "x-other", "on_header_present": noted("version")}])
        show = "%DYNAMIC_METADATA(ns:version)%|%DYNAMIC_METADATA(ns)%|%DYNAMIC_METADATA(fixed:t):3%|%METADATA(DYNAMIC:fixed:b:c)%"
        table = routes(
            {"match": {"prefix": "/never", "dynamic_metadata": [{"filter": "fixed", "path": [{"key": "a"}], "value": {
                "double_match": {"exact": 2}}}]}, "direct_response": {"status": 500}},
            {"match": {"prefix": "/always", "dynamic_metadata": [{"filter": "fixed", "path": [{"key": "a"}], "value": {
                "present_match": True}, "invert": True}]}, "direct_response": {"status": 200, "body": {"inline_string": "nothing noted yet"}}},
            route("/own", "up", **own), route("/", "up"),
            response_headers_to_add=[{"header": {"key": "x-seen", "value": show}}])
        log = {"name": "log", "filter": {"metadata_filter": {"match_if_key_not_found": False, "matcher": {
            "filter": "ns", "path": [{"key": "first"}], "value": {"string_match": {"exact": "logged"}}}}}, "typed_config": {
                "@type": STDOUT_LOG, "log_format": {"json_format": {
                    "LINE": "%REQ(:PATH)%", "number": "%DYNAMIC_METADATA(ns:number)%", "struct": "%DYNAMIC_METADATA(fixed:b)%",
                    "text": "%DYNAMIC_METADATA(fixed:t)%", "missing": "%DYNAMIC_METADATA(no:thing)%",
                    "mixed": "<%DYNAMIC_METADATA(fixed:a)%>"}}}}
        filters = [named("header_to_metadata", "header_to_metadata.v3.Config", **rules), named("set_metadata", "set_metadata.v3.Config", **fixed)]
        cls.start([listener(hcm(table, filters, access_log=[log]))])

    def seen(self, target, headers=()):
        return self.ask(target, headers).header("x-seen").split("|")

    def test_headers(self):
        version, everything, cut, joined = self.seen("/some/path")
        self.assertEqual(("none", {"version": "none", "first": "some"}), (version, json.loads(everything)))
        self.assertEqual(("tex", [1, "x", True, None, "y"]), (cut, json.loads(joined)))
        everything = json.loads(self.seen("/x", [("x-version", "a"), ("x-version", "b"), ("x-number", "1.25"), ("x-base", "aGVsbG8=")])[1])
        self.assertEqual({"version": "a,b", "first": "x", "number": 1.25, "base": "hello"}, everything)
        self.assertEqual({"version": "none", "first": "x"}, json.loads(self.seen("/x", [("x-number", "abc"), ("x-base", "!!")])[1]))

    def test_its_stats(self):
        def stats():
            return {name: self.proxy.stat(f"http_filter_name.notes.{name}") for name in (
                "request_rules_processed", "request_metadata_added", "request_header_not_found", "response_rules_processed",
                "response_metadata_added", "response_header_not_found", "base64_decode_failed", "header_value_too_long",
                "regex_substitution_failed")}
        before = stats()
        self.ask("/x", [("x-base", "!!"), ("x-number", "9" * 9000)])
        changed = {name: value - before[name] for name, value in stats().items()}
        # Noted: the version that is missing, the path's first part, the cookie that is missing.
        self.assertEqual({"request_rules_processed": 5, "request_metadata_added": 3, "request_header_not_found": 2,
                          "response_rules_processed": 1, "response_metadata_added": 0, "response_header_not_found": 0,
                          "base64_decode_failed": 1, "header_value_too_long": 1, "regex_substitution_failed": 0}, changed)

    def test_a_header_that_is_removed(self):
        self.assertEqual([], self.sent(self.ask("/x", [("x-version", "1")]), "x-version"))

    def test_the_answers_rules(self):
        self.upstream.on("/answer", Reply(headers=(("x-answer", "yes"),)))
        answer = self.ask("/answer")
        self.assertIsNone(answer.header("x-answer"))

    def test_a_routes_own_rules(self):
        self.assertEqual('{"version":"2"}', self.seen("/own", [("x-version", "1"), ("x-other", "2")])[1])

    def test_routes_are_matched_before_anything_is_noted(self):
        self.assertEqual(200, self.ask("/never").status)
        self.assertEqual(b"nothing noted yet", self.ask("/always").body)

    def test_logs(self):
        self.ask("/unlogged")
        self.ask("/logged", [("x-number", "7")])

        def lines():
            return [json.loads(line) for line in self.proxy.program.output().splitlines() if '"LINE"' in line]

        self.assertEqual({"LINE": "/logged", "number": 7, "struct": {"c": [1, "x", True, None, "y"], "d": 1}, "text": "text",
                          "missing": None, "mixed": "<2>"}, wait_for(lines, "the line")[0])
        self.assertEqual(1, len(lines()))

    def test_who_may_not_overwrite_is_counted(self):
        before = self.proxy.stat("http.main.set_metadata.overwrite_denied")
        self.ask("/counted")
        self.assertEqual(before + 1, self.proxy.stat("http.main.set_metadata.overwrite_denied"))


class Templates(FilterTest):
    @classmethod
    def setUpClass(cls):
        def answers(text, **match):
            return {"match": match, "direct_response": {"status": 200, "body": {"inline_string": text}}}

        def cookie(name, **fields):
            return {"cookies": [{"name": name, "string_match": {"exact": "1"}, **fields}]}

        table = routes(
            by_template("/t/{lang}/{rest=**}", "/new/{rest}/in/{lang}"), by_template("/v/*/{file}.m4s", "/f/{file}"),
            by_template("/w/**.mpd"), by_template("/x/{a=lit/*}/end", "/{a}/z"), by_template("/one/*"), by_template("/pre-{x}-post/{y}"),
            by_template("/m/**/end"), by_template("/dot.{x}"),
            answers("cookie", prefix="/cookie", **cookie("c")), answers("no cookie", prefix="/not", **cookie("c", invert_match=True)),
            answers("presented", prefix="/tls", tls_context={"presented": True}),
            answers("plain", prefix="/tls", tls_context={"presented": False, "validated": False}),
            {"match": {"prefix": "/formatted"}, "direct_response": {"status": 200, "body": {"inline_string": "B"}, "body_format": {
                "text_format_source": {"inline_string": "<%LOCAL_REPLY_BODY% %REQ(:PATH)%>"}, "content_type": "text/html"}}},
            route("/", "up", name="rest"), response_headers_to_add=[{"header": {"key": "x-route", "value": "%ROUTE_NAME%"}}])
        cls.start([listener(hcm(table))])

    def test_matches(self):
        for target, expected in (
                ("/t/en/a/b/c?q=1", "/new/a/b/c/in/en?q=1"), ("/t/en/", "/new//in/en"), ("/v/k/file.m4s", "/f/file"),
                ("/w/a/b.mpd", "/w/a/b.mpd"), ("/w/.mpd", "/w/.mpd"), ("/x/lit/q/end", "/lit/q/z"), ("/one/a%20b", "/one/a%20b"),
                ("/one/a!$&'()+,;:@=*~", "/one/a!$&'()+,;:@=*~"), ("/pre-1-post/2", "/pre-1-post/2"), ("/m/a/b/end", "/m/a/b/end"),
                ("/m//end", "/m//end"), ("/dot.x", "/dot.x")):
            answer = self.ask(target)
            self.assertEqual(("hit", expected), (answer.header("x-route"), answer.json()["target"]))

    def test_what_does_not_match(self):
        for target in ("/t/en", "/t", "/v/k/l/file.m4s", "/x/lit/q/r/end", "/one/", "/one/a/b", "/one", "/pre--post/2", "/m/end", "/dotx.",
                       "/one/a|b", "/w/a.mp4"):
            self.assertEqual("rest", self.ask(target).header("x-route"), target)

    def test_cookies(self):
        for value, expected in ((None, b""), ("c=1", b"cookie"), ("c=2", b""), ("a=b; c=1", b"cookie"), ('c="1"', b"cookie")):
            answer = self.ask("/cookie", [("cookie", value)] if value else [])
            self.assertEqual(expected or "rest", answer.body if expected else answer.header("x-route"), value)
        self.assertEqual([b"no cookie"] * 2, [self.ask("/not", headers).body for headers in ((), (("cookie", "c=2"),))])
        self.assertEqual("rest", self.ask("/not", [("cookie", "c=1")]).header("x-route"))

    def test_a_plain_connection_presents_nothing(self):
        self.assertEqual(b"plain", self.ask("/tls").body)

    def test_a_formatted_direct_response(self):
        answer = self.ask("/formatted/x")
        self.assertEqual((b"<B /formatted/x>", "text/html"), (answer.body, answer.header("content-type")))

    def refused(self, *entries, filters=()):
        code, output = validate(bootstrap([listener(hcm(routes(*entries), filters))], [cluster("up", ("127.0.0.1", 1))]))
        self.assertNotEqual(0, code, entries)
        return output

    def test_refused(self):
        for template in ("/a/{x}/{x}", "/{1}", "/{abcdefghijklmnopq}", "a", "/{a", "/{a}{b}", "/{x=}", "/a//b", "/a/**/*", "/a?b", "/é",
                         "/{a}/{b}/{c}/{d}/{e}/{f}"):
            self.refused(by_template(template))
        for rewrite in ("/{b}", "x", "//{a}", "/?q={a}", "/{a", "/a}", "/{a=*}"):
            self.refused(by_template("/{a}", rewrite))
        alone = by_template("/{a}", "/b")
        alone["match"] = {"prefix": "/"}
        self.refused(alone)
        both = by_template("/{a}", "/b")
        both["route"]["prefix_rewrite"] = "/c"
        self.refused(both)
        for rule in ({"header": "x", "cookie": "y", "on_header_present": {"key": "k"}}, {"header": "x"},
                     {"cookie": "x", "on_header_present": {"key": "k"}, "remove": True},
                     {"header": "x", "on_header_missing": {"key": "k"}}, {"on_header_present": {"key": "k"}}):
            self.refused(route("/", "up"), filters=[named("header_to_metadata", "header_to_metadata.v3.Config", request_rules=[rule])])

    @weft_only("Envoy makes a regular expression of it that repeats the letter before")
    def test_a_star_within_a_word(self):
        output = self.refused(by_template("/a*"))
        for words in ('the path template "/a*"', "routes[0].match.path_match_policy"):
            self.assertIn(words, output)


if __name__ == "__main__":
    unittest.main()
