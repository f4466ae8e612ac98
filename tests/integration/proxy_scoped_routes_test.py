"""Scoped routes: scopes in a list, over ADS in both variants and from files; keys, warming, updates under load, NACKs, /config_dump."""
import os
import tempfile
import unittest

from meshtest import ads
from meshtest.bootstrap import ads_bootstrap, bootstrap, cluster, hcm, listener, routes
from meshtest.data_plane import DataPlane, data_plane_kind, validate, weft_only
from meshtest.filters import FilterTest, named
from meshtest.process import Background
from meshtest.protos import our_protos
from meshtest.raw_http import Connection, fetch
from meshtest.upstream import Upstream
from meshtest.wait import holds_for, wait_for

SOURCE = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "5s"}


def saying(text, name="inline", **fields):
    """A route configuration that answers everything by itself."""
    return routes({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": text}}}, name=name, **fields)


def scope(name, *fragments, routes_of=None, content=None):
    key = {"fragments": [{"string_key": text} for text in fragments]}
    return {"name": name, "key": key, **({"route_configuration_name": routes_of} if routes_of else {"route_configuration": content})}


def extractor(name, **fields):
    return {"header_value_extractor": {"name": name, **fields}}


def scoped(*fragments, **fields):
    return {"name": "by-key", "scope_key_builder": {"fragments": list(fragments or [extractor("x-scope", index=0)])}, **fields}


def listed(*scopes):
    return {"scoped_route_configurations_list": {"scoped_route_configurations": list(scopes)}}


class Listed(FilterTest):
    @classmethod
    def setUpClass(cls):
        two = scoped(extractor("X-Tags", element_separator=";", element={"separator": "=", "key": "t"}),
                     extractor("x-list", element_separator=",", index=1),
                     **listed(scope("one", "a", "b", content=saying("one")), scope("two", "a", "c", content=saying("two", domains=["other"])),
                              scope("empty", "", "e", content=saying("empty"))))
        rewritten = {"on_request_headers": [{"object_key": "envoy.string", "format_string": {
            "text_format_source": {"inline_string": "x"}}}], "clear_route_cache": True}
        moved = scoped(**listed(scope("first", "first", content=saying("first")), scope("second", "second", content=saying("second"))))
        filters = [named("header_mutation", "header_mutation.v3.HeaderMutation", mutations={"request_mutations": [
            {"append": {"header": {"key": "x-scope", "value": "%REQ(x-next)%"}, "append_action": "OVERWRITE_IF_EXISTS"}}]}),
            named("set_filter_state", "set_filter_state.v3.Config", **rewritten)]
        cls.start([listener(hcm(scoped_routes=two)), listener(hcm(http_filters=filters, scoped_routes=moved), name="moved")])

    def body(self, **headers):
        answer = self.ask("/", [("x-" + name, value) for name, value in headers.items()])
        return answer.body.decode() if answer.status == 200 else answer.status

    def test_keys(self):
        for expected, tags, values in (
                ("one", "z=1;t=a", "z,b"), ("one", "t=a", "z,b,q"), ("empty", "t=", "z,e"), ("empty", "t", "z,e"),
                (404, "t = a", "z,b"), (404, "t=a", "z, b"), (404, "t=x;t=a", "z,b"), (404, "t=a=y", "z,b"), (404, "t=a", "b"),
                (404, "t=a", "z,c"), (404, "q=a", "z,b"), (404, "", "z,b")):
            self.assertEqual(expected, self.body(tags=tags, list=values), (tags, values))
        self.assertEqual(404, self.body(tags="t=a"))
        self.assertEqual(b"two", self.ask("/", [("x-tags", "t=a"), ("x-list", "z,c")], host="other").body)

    def test_the_first_of_several_lines_counts(self):
        self.assertEqual(404, self.ask("/", [("x-tags", "t=q"), ("x-tags", "t=a"), ("x-list", "z,b")]).status)
        self.assertEqual(404, self.ask("/", [("x-tags", "t=a"), ("x-list", "z"), ("x-list", "b")]).status)
        self.assertEqual(200, self.ask("/", [("x-tags", "t=a"), ("x-tags", "t=q"), ("x-list", "z,b"), ("x-list", "z")]).status)

    def test_no_scope_is_no_route(self):
        before = self.proxy.stat("http.main.no_route")
        self.assertEqual(404, self.body())
        self.assertEqual(before + 1, self.proxy.stat("http.main.no_route"))

    def test_a_filter_that_changes_the_key(self):
        self.assertEqual(b"second", self.ask("/", [("x-scope", "first"), ("x-next", "second")], name="moved").body)
        self.assertEqual(b"first", self.ask("/", [("x-scope", "second"), ("x-next", "first")], name="moved").body)
        self.assertEqual(404, self.ask("/", [("x-scope", "first"), ("x-next", "third")], name="moved").status)

    def test_config_dump(self):
        dump = self.proxy.admin("/config_dump?resource=inline_scoped_route_configs").json()["configs"]
        self.assertEqual({"by-key"}, {one["name"] for one in dump})
        names = sorted([each["name"] for each in one["scoped_route_configs"]] for one in dump)
        self.assertEqual([["first", "second"], ["one", "two", "empty"]], names)


class Refused(unittest.TestCase):
    def refused(self, manager):
        return validate(bootstrap([listener(hcm(scoped_routes=manager))]))

    def test_what_both_refuse(self):
        good = scope("a", "k", content=saying("x"))
        for expected, manager in (
                ("is for scopes that come by SRDS", scoped(**listed({**good, "route_configuration_name": "r"}))),
                ("].route_configuration", scoped(**listed({"name": "a", "key": good["key"]}))),
                ("must have at least one item", scoped(**listed({**good, "key": {"fragments": []}}))),
                ("must be 0 where there is no element_separator, found 1", scoped(extractor("x", index=1), **listed(good))),
                ("needs one of index, element", scoped(extractor("x"), **listed(good))),
                ("must have at least one item", scoped(**listed()))):
            code, output = self.refused(manager)
            self.assertNotEqual(0, code, manager)
            if data_plane_kind() == "weft":
                self.assertIn(expected, output)

    @weft_only("Envoy takes two scopes of one key, and scopes whose routes come from nowhere")
    def test_what_we_refuse(self):
        good = scope("a", "k", content=saying("x"))
        for expected, manager in (
                ("scope key conflict found, first scope is 'a', second scope is 'b'", scoped(**listed(good, {**good, "name": "b"}))),
                ("is required beside scoped_rds", scoped(scoped_rds={"scoped_rds_config_source": SOURCE})),
                ("srds_resources_locator is not supported", scoped(rds_config_source=SOURCE, scoped_rds={
                    "scoped_rds_config_source": SOURCE, "srds_resources_locator": "xdstp://x/y"}))):
            code, output = self.refused(manager)
            self.assertNotEqual(0, code, manager)
            self.assertIn(expected, output)


class OverAds(unittest.TestCase):
    delta = False
    STATS = "http.main.scoped_rds.by-key."

    def setUp(self):
        self.plane = ads.ControlPlane(our_protos())
        self.addCleanup(self.plane.stop)

    def start(self, **options):
        manager = scoped(rds_config_source=SOURCE, scoped_rds={"scoped_rds_config_source": SOURCE})
        self.plane.set(ads.CLUSTER, cluster("up", ("127.0.0.1", 1)))
        self.plane.set(ads.LISTENER, listener(hcm(scoped_routes=manager)))
        self.proxy = DataPlane(ads_bootstrap(self.plane.address, delta=self.delta), **options)
        self.addCleanup(self.proxy.stop)

    def said(self, key):
        answer = fetch(self.proxy.address(), "/", headers=[("x-scope", key)])
        return answer.body.decode() if answer.status == 200 else answer.status

    def test_the_listener_waits_for_scopes_and_their_routes(self):
        self.plane.set(ads.SCOPE, scope("s1", "a", routes_of="r1"))
        self.start(wait_ready=False)
        wait_for(lambda: any("r1" in (*r.message.resource_names,) if not r.delta else "r1" in (*r.message.resource_names_subscribe,)
                             for r in self.plane.requests(ads.ROUTES)), "a request for the routes of the scope")
        holds_for(lambda: self.proxy.admin("/ready").status == 503, "not ready without the routes")
        self.plane.set(ads.ROUTES, saying("r1", name="r1"))
        self.proxy.wait_ready()
        self.assertEqual("r1", self.said("a"))
        self.assertEqual(404, self.said("b"))
        self.plane.wait_acked(ads.SCOPE)
        self.assertEqual((1, 1), (self.proxy.stat(self.STATS + "all_scopes"), self.proxy.stat(self.STATS + "active_scopes")))
        self.assertGreaterEqual(self.proxy.stat(self.STATS + "config_reload"), 1)

    def test_scopes_come_and_go(self):
        self.plane.set(ads.ROUTES, saying("r1", name="r1"), saying("r2", name="r2"))
        self.plane.set(ads.SCOPE, scope("s1", "a", routes_of="r1"), scope("s2", "b", content=saying("inline")))
        self.start()
        self.assertEqual(("r1", "inline", 404), (self.said("a"), self.said("b"), self.said("c")))
        self.plane.set(ads.SCOPE, scope("s3", "c", routes_of="r2"))
        wait_for(lambda: self.said("c") == "r2", "the new scope")
        self.plane.set(ads.ROUTES, saying("new", name="r2"))
        wait_for(lambda: self.said("c") == "new", "its changed routes")
        self.plane.remove(ads.SCOPE, "s1")
        wait_for(lambda: self.said("a") == 404, "the scope that is gone")
        self.assertEqual((2, 1), (self.proxy.stat(self.STATS + "all_scopes"), self.proxy.stat(self.STATS + "active_scopes")))
        dump = self.proxy.admin("/config_dump?resource=dynamic_scoped_route_configs").json()["configs"]
        self.assertEqual(["by-key"], [one["name"] for one in dump])
        self.assertEqual({"s2", "s3"}, {one["name"] for one in dump[0]["scoped_route_configs"]})

    def under_load(self, turns):
        """`turns`: lists of scopes, each in one response, and the routes that key "a" then leads to."""
        self.plane.set(ads.ROUTES, saying("r1", name="r1"), saying("r2", name="r2"))
        self.plane.set(ads.SCOPE, *turns[-1][0])
        self.start()
        address = self.proxy.address()

        def one():
            with Connection(address) as connection:
                return [connection.request("GET", "/", [("x-scope", key)]).status for key in "abababab"]
        with Background(one, threads=2) as load:
            for scopes, expected in turns * 3:
                self.plane.set(ads.SCOPE, *scopes)
                self.plane.wait_acked(ads.SCOPE)
                wait_for(lambda: self.said("a") == expected, "the change")
            statuses = [status for statuses in load.stop() for status in statuses]
        self.assertEqual([], load.errors)
        self.assertEqual({200}, set(statuses))

    @weft_only("Envoy has no route for a changed scope until its routes come anew")
    def test_updates_drop_nothing(self):
        self.under_load([([scope("s1", "a", routes_of="r2"), scope("s2", "b", routes_of="r1")], "r2"),
                         ([scope("s1", "a", routes_of="r1"), scope("s2", "b", routes_of="r2")], "r1")])

    @weft_only("Envoy may lose one of the keys")
    def test_keys_change_places(self):
        self.under_load([([scope("s1", "b", routes_of="r1"), scope("s2", "a", routes_of="r2")], "r2"),
                         ([scope("s1", "a", routes_of="r1"), scope("s2", "b", routes_of="r2")], "r1")])

    @weft_only("Envoy has no route for the key until the routes come")
    def test_a_key_means_what_it_meant_until_the_new_routes_are_there(self):
        self.plane.set(ads.ROUTES, saying("r1", name="r1"))
        self.plane.set(ads.SCOPE, scope("s1", "a", routes_of="r1"))
        self.start()
        self.plane.silent_about.add("late")
        self.plane.set(ads.SCOPE, scope("s1", "a", routes_of="late"))
        self.plane.wait_acked(ads.SCOPE)
        holds_for(lambda: self.said("a") == "r1", "the former routes")
        self.plane.set(ads.ROUTES, saying("late", name="late"))
        wait_for(lambda: self.said("a") == "late", "the new routes")

    def test_what_is_refused_leaves_what_was_there(self):
        self.plane.set(ads.ROUTES, saying("r1", name="r1"))
        self.plane.set(ads.SCOPE, scope("s1", "a", routes_of="r1"))
        self.start()
        self.plane.set(ads.SCOPE, scope("s2", "a", content=saying("second")))
        nack = self.plane.wait_nack(ads.SCOPE)
        self.assertIn("scope key conflict found, first scope is 's1', second scope is 's2'", nack.error)
        self.assertEqual("r1", self.said("a"))
        self.assertEqual(1, self.proxy.stat(self.STATS + "update_rejected"))
        self.plane.set(ads.SCOPE, scope("s2", "b", content=saying("second")))
        wait_for(lambda: self.said("b") == "second", "the next good one")

    def test_without_scopes_in_time(self):
        global SOURCE
        before, SOURCE = SOURCE, {**SOURCE, "initial_fetch_timeout": "0.3s"}
        self.addCleanup(lambda: globals().update(SOURCE=before))
        self.plane.silent_about.add("never")
        self.plane.set(ads.SCOPE, scope("s1", "a", routes_of="never"), scope("s2", "b", content=saying("inline")))
        self.start()
        self.assertEqual((404, "inline"), (self.said("a"), self.said("b")))
        self.plane.silent_about.clear()
        self.plane.set(ads.ROUTES, saying("late", name="never"))
        wait_for(lambda: self.said("a") == "late", "what came late")


class OverDelta(OverAds):
    delta = True


class FromFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, kind, *resources):
        import json
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"version_info": "1", "resources": [{"@type": f"type.googleapis.com/{kind}", **one} for one in resources]}, file)
        os.rename(path + ".new", path)

    def source(self, name):
        return {"resource_api_version": "V3", "path_config_source": {"path": os.path.join(self.folder, name)}}

    def start(self, **manager):
        proxy = DataPlane(bootstrap([listener(hcm(**manager))], []))
        self.addCleanup(proxy.stop)
        self.ask = lambda *headers: fetch(proxy.address(), "/", headers=headers)

    def test_scopes_and_routes(self):
        self.write("rds.json", ads.ROUTES, saying("r1", name="r1"))
        self.write("srds.json", ads.SCOPE, scope("s1", "a", routes_of="r1"))
        self.start(scoped_routes=scoped(rds_config_source=self.source("rds.json"),
                                        scoped_rds={"scoped_rds_config_source": self.source("srds.json")}))
        self.assertEqual(b"r1", self.ask(("x-scope", "a")).body)
        self.write("srds.json", ads.SCOPE, scope("s2", "b", routes_of="r1"), scope("s3", "c", content=saying("inline")))
        wait_for(lambda: (self.ask(("x-scope", "b")).body, self.ask(("x-scope", "c")).body) == (b"r1", b"inline"), "other scopes")
        self.assertEqual(404, self.ask(("x-scope", "a")).status)
        self.write("rds.json", ads.ROUTES, saying("changed", name="r1"))
        wait_for(lambda: self.ask(("x-scope", "b")).body == b"changed", "changed routes")

    def test_routes_alone(self):
        self.write("rds.json", ads.ROUTES, saying("r1", name="r1"))
        self.start(rds={"route_config_name": "r1", "config_source": self.source("rds.json")})
        self.assertEqual(b"r1", self.ask().body)
        self.write("rds.json", ads.ROUTES, saying("changed", name="r1"))
        wait_for(lambda: self.ask().body == b"changed", "changed routes")


if __name__ == "__main__":
    unittest.main()
