"""The data plane under a scripted control plane: add, change, remove, NACK, warming, reconnect, death; each by SotW and by delta.

The messages come from our own proto/, or with WEFT_XDS_PROTOS=peers from PyPI's xds-protos: then nothing of ours is on the server's side.
With WEFT_DATA_PLANE=envoy the same bodies run against a real Envoy, which calibrates them.
"""
import os
import socket
import unittest

from meshtest import ads
from meshtest.bootstrap import ads_bootstrap, hcm, listener, load_assignment, route, routes, socket_address
from meshtest.data_plane import DataPlane, data_plane_kind, free_port, weft_only
from meshtest.process import Background
from meshtest.protos import our_protos, peer_protos
from meshtest.raw_http import Connection, fetch, is_refused
from meshtest.upstream import Upstream
from meshtest.wait import holds_for, wait_for

PROTOS = peer_protos() if os.environ.get("WEFT_XDS_PROTOS") == "peers" else our_protos()
OWN_SOURCE = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "5s"}


def eds_cluster(name, **fields):
    return {"name": name, "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": OWN_SOURCE}, **fields}


def unknown_policy_cluster(name):
    """A cluster that nobody can build."""
    return eds_cluster(name, load_balancing_policy={"policies": [{"typed_extension_config": {
        "name": "no.such.policy", "typed_config": {"@type": "type.googleapis.com/envoy.config.core.v3.Address"}}}]})


def rds_listener(name="main", route_name="main", fetch_timeout="5s", **fields):
    source = {**OWN_SOURCE, "initial_fetch_timeout": fetch_timeout}
    return listener(hcm(rds={"route_config_name": route_name, "config_source": source}, **fields), name=name)


def static_listener(name, *entries, address=("127.0.0.1", 0)):
    return listener(hcm({**routes(*entries), "validate_clusters": False}), name=name, address=address)


class XdsCases:
    """The bodies; a subclass chooses SotW or delta."""
    delta = False

    def setUp(self):
        self.a, self.b, self.c = Upstream("a"), Upstream("b"), Upstream("c")
        self.plane = ads.ControlPlane(PROTOS)
        for thing in (self.a, self.b, self.c, self.plane):
            self.addCleanup(thing.close if isinstance(thing, Upstream) else thing.stop)

    def start(self, **options):
        proxy = DataPlane(ads_bootstrap(self.plane.address, delta=self.delta), **options)
        self.addCleanup(proxy.stop)
        self.addCleanup(self._show_if_failed, proxy)
        self.proxy = proxy
        return proxy

    def _show_if_failed(self, proxy):
        outcome = self._outcome
        if any(error for _, error in getattr(outcome, "errors", ())) or not outcome.success:
            print(f"--- {self.id()}\n{proxy.program.tail()}\n---")

    def simple_world(self):
        """Listener main -> route configuration main -> cluster x -> upstream a."""
        self.plane.change(clusters=[eds_cluster("x")], endpoints=[load_assignment("x", self.a.address)],
                          listeners=[rds_listener()], routes=[routes(route("/", "x"))])

    def answering(self, target="/", port=None):
        """The name of the upstream that answered, or the status of a local reply."""
        answer = fetch(port or self.proxy.address(), target)
        return answer.json()["upstream"] if answer.status == 200 else answer.status

    def wait_for_answer(self, wanted, target="/"):
        wait_for(lambda: self.answering(target) == wanted, f"{wanted} answering {target}")

    def load(self, threads=2):
        """Requests without a pause on kept connections; results are statuses."""
        address = self.proxy.address()

        def one():
            statuses = []
            with Connection(address) as connection:
                for _ in range(20):
                    answer = connection.request("GET", "/load")
                    statuses.append(answer.status)
                    if answer.header("connection") == "close":
                        break
            return statuses
        return Background(one, threads=threads)

    def assert_no_failure(self, load):
        statuses = [status for statuses in load.stop() for status in statuses]
        self.assertEqual([], load.errors)
        self.assertGreater(len(statuses), 0)
        self.assertEqual({200}, set(statuses), f"of {len(statuses)} requests")

    # -- the ordinary life

    def test_first_configuration(self):
        self.simple_world()
        self.start()
        self.assertEqual("a", self.answering())
        first = self.plane.requests(stream=1)[0]
        self.assertEqual("test", first.message.node.id)
        self.assertTrue(first.message.node.user_agent_name)
        self.assertEqual(self.delta, first.delta)
        for asked in self.plane.requests(stream=1)[1:]:
            self.assertEqual("", asked.message.node.id, "set_node_on_first_message_only")
        for kind in ads.ORDER:
            self.plane.wait_acked(kind)
        self.assertEqual([], self.plane.nacks())

    def test_ready_only_when_the_first_configuration_is_complete(self):
        self.plane.silent_about.add("x")
        self.plane.set(ads.CLUSTER, eds_cluster("x"))
        self.start(wait_ready=False)
        wait_for(lambda: self.plane.requests(ads.ENDPOINTS), "a request for endpoints")
        holds_for(lambda: self.proxy.admin("/ready").status == 503, "not ready while endpoints are missing")
        self.simple_world()
        self.proxy.wait_ready()
        self.wait_for_answer("a")

    def test_add_change_remove(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        with self.load() as load:
            self.plane.change(clusters=[eds_cluster("y")], endpoints=[load_assignment("y", self.b.address)],
                              routes=[routes(route("/new", "y"), route("/", "x"))])
            self.wait_for_answer("b", "/new")
            self.plane.set(ads.ROUTES, routes(route("/", "y")))
            self.wait_for_answer("b", "/")
            self.plane.remove(ads.CLUSTER, "x")
            wait_for(lambda: "x" not in self.proxy.clusters(), "cluster x to go")
            self.assertEqual("b", self.answering())
        self.assert_no_failure(load)
        address = self.proxy.address()
        self.plane.remove(ads.LISTENER, "main")
        wait_for(lambda: "main" not in self.proxy.listeners(), "the listener to go")
        wait_for(lambda: is_refused(address), "the port to refuse")
        self.assertEqual([], self.plane.nacks())

    def test_listener_replaced_without_losing_a_request(self):
        self.simple_world()
        fixed = {"address": socket_address(("127.0.0.1", free_port()))}
        self.plane.set(ads.LISTENER, {**rds_listener(), **fixed})
        self.start()
        self.wait_for_answer("a")
        address = self.proxy.address()
        with Connection(address) as kept, self.load() as load:
            self.assertEqual(200, kept.request("GET", "/").status)
            for name in ("first", "second"):
                self.plane.set(ads.LISTENER, {**rds_listener(server_name=name), **fixed})
                wait_for(lambda: fetch(address).header("server") == name, f"the listener called {name}")
            self.assertEqual(200, kept.request("GET", "/").status, "a connection of the old listener is served on")
        self.assert_no_failure(load)
        self.assertEqual(address, self.proxy.address())

    def test_endpoint_churn_drops_nothing(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        with self.load() as load:
            for turn in range(30):
                members = [[self.a], [self.a, self.b], [self.b, self.c], [self.c, self.a]][turn % 4]
                self.plane.set(ads.ENDPOINTS, load_assignment("x", *[upstream.address for upstream in members]))
                self.plane.wait_acked(ads.ENDPOINTS)
            self.plane.set(ads.ENDPOINTS, load_assignment("x", self.c.address))
            wait_for(lambda: all(self.answering() == "c" for _ in range(4)), "only c")
        self.assert_no_failure(load)
        self.assertEqual(1, self.plane.streams)

    def test_no_endpoints_and_back(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.set(ads.ENDPOINTS, {"cluster_name": "x"})
        self.wait_for_answer(503)
        self.assertEqual("no healthy upstream", fetch(self.proxy.address()).text)
        self.plane.set(ads.ENDPOINTS, load_assignment("x", self.b.address))
        self.wait_for_answer("b")

    def test_subscriptions_follow_what_is_referred_to(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.change(clusters=[eds_cluster("y", eds_cluster_config={"eds_config": OWN_SOURCE, "service_name": "why"})],
                          endpoints=[load_assignment("why", self.b.address)], routes=[routes(route("/", "y"))])
        self.wait_for_answer("b")
        self.plane.remove(ads.CLUSTER, "x")

        def dropped():
            last = self.plane.requests(ads.ENDPOINTS)[-1].message
            return "x" in last.resource_names_unsubscribe if self.delta else list(last.resource_names) == ["why"]
        wait_for(dropped, "x unsubscribed")

    # -- refusals

    def test_one_bad_and_two_good_clusters(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.change(clusters=[eds_cluster("y"), unknown_policy_cluster("bad"), eds_cluster("z")],
                          endpoints=[load_assignment("y", self.b.address), load_assignment("z", self.c.address)],
                          routes=[routes(route("/y", "y"), route("/z", "z"), route("/", "x"))])
        nack = self.plane.wait_nack(ads.CLUSTER)
        self.assertIn("bad", nack.error)
        self.wait_for_answer("b", "/y")
        self.wait_for_answer("c", "/z")
        self.assertEqual("a", self.answering())
        self.assertEqual(1, len(self.plane.nacks()), [asked.error for asked in self.plane.nacks()])
        self.plane.change(clusters=[eds_cluster("bad")], endpoints=[load_assignment("bad", self.b.address)])
        self.plane.wait_acked(ads.CLUSTER)
        self.assertEqual(1, len(self.plane.nacks()), "the next good push is taken")

    def test_refused_listener_leaves_the_old_one_serving(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        unknown = {"name": "no.such.filter", "typed_config": {"@type": "type.googleapis.com/envoy.config.core.v3.Address"}}
        other = static_listener("good", route("/", "x"))
        self.plane.change(listeners=[listener(unknown), other])
        nack = self.plane.wait_nack(ads.LISTENER)
        self.assertIn("main", nack.error)
        self.assertRegex(nack.error, r"no\.such\.filter|envoy\.config\.core\.v3\.Address", "what is refused is named")
        self.assertEqual("a", self.answering())
        self.assertEqual("a", self.answering(port=self.proxy.address("good")))
        self.assertEqual(1, len(self.plane.nacks()))

    def test_refused_routes_leave_the_old_ones(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        bad = routes(route("/", "x", match={}, action={}))
        bad["virtual_hosts"][0]["routes"][0]["match"] = {"safe_regex": {"regex": "(unclosed"}}
        self.plane.set(ads.ROUTES, bad)
        nack = self.plane.wait_nack(ads.ROUTES)
        self.assertTrue(nack.error)
        self.assertEqual("a", self.answering())
        self.plane.set(ads.ROUTES, {**routes(route("/", "x")), "response_headers_to_add": [{"header": {"key": "x-new", "value": "1"}}]})
        wait_for(lambda: fetch(self.proxy.address()).header("x-new") == "1", "the mended routes")
        self.assertEqual(1, len(self.plane.nacks()))

    def test_duplicate_names_in_one_response(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.set(ads.ENDPOINTS, load_assignment("twin", self.b.address))
        self.plane.say(ads.CLUSTER, eds_cluster("twin"), eds_cluster("twin"), eds_cluster("x"))
        nack = self.plane.wait_nack(ads.CLUSTER)
        self.assertIn("twin", nack.error)
        self.assertEqual("a", self.answering())

    def test_route_to_a_missing_cluster_waits_for_it(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.set(ads.ROUTES, routes(route("/later", "later"), route("/", "x")))
        self.wait_for_answer(503, "/later")
        self.assertEqual("a", self.answering())
        self.plane.change(clusters=[eds_cluster("later")], endpoints=[load_assignment("later", self.b.address)])
        self.wait_for_answer("b", "/later")

    def test_fifty_good_and_one_bad(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        names = [f"many-{index}" for index in range(50)]
        self.plane.change(clusters=[*map(eds_cluster, names[:25]), unknown_policy_cluster("many-bad"), *map(eds_cluster, names[25:])],
                          endpoints=[load_assignment(name, self.b.address) for name in names],
                          routes=[routes(*[route(f"/{name}/", name) for name in names], route("/", "x"))])
        nack = self.plane.wait_nack(ads.CLUSTER)
        self.assertIn("many-bad", nack.error)
        for name in names:
            self.wait_for_answer("b", f"/{name}/")
        self.assertEqual(1, len(self.plane.nacks()))

    def test_listener_on_a_taken_port(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = other.getsockname()
            self.plane.change(listeners=[static_listener("taken", route("/", "x"), address=address),
                                         static_listener("good", route("/", "x"))])
            nack = self.plane.wait_nack(ads.LISTENER)
            self.assertIn("taken", nack.error)
            self.assertIn(str(address[1]), nack.error)
            self.assertEqual("a", self.answering())
            self.assertEqual("a", self.answering(port=self.proxy.address("good")))

    @weft_only("the text names the field's full path")
    def test_nack_names_the_field(self):
        self.simple_world()
        self.start()
        self.plane.set(ads.CLUSTER, eds_cluster("odd", lb_policy="CLUSTER_PROVIDED", track_timeout_budgets=True))
        nack = self.plane.wait_nack(ads.CLUSTER)
        self.assertIn("odd", nack.error)
        self.assertIn("track_timeout_budgets", nack.error)

    # -- warming

    def test_changed_cluster_warms_while_the_old_one_serves(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        with self.load() as load:
            self.plane.change(clusters=[eds_cluster("x", connect_timeout="2s")], endpoints=[load_assignment("x", self.b.address)])
            self.wait_for_answer("b")
        self.assert_no_failure(load)

    def test_new_cluster_serves_when_its_endpoints_are_in(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.change(clusters=[eds_cluster("y")], routes=[routes(route("/y", "y"), route("/", "x"))])
        self.wait_for_answer(503, "/y")
        self.plane.set(ads.ENDPOINTS, load_assignment("y", self.b.address))
        self.wait_for_answer("b", "/y")

    def test_listener_waits_for_its_routes(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        self.plane.set(ads.LISTENER, rds_listener("second", "second", fetch_timeout="15s"))
        wait_for(lambda: any("second" in list(getattr(asked.message, "resource_names_subscribe" if self.delta else "resource_names"))
                             for asked in self.plane.requests(ads.ROUTES)), "a request for the second routes")
        self.assertNotIn("second", self._active_listeners())
        self.plane.set(ads.ROUTES, {**routes(route("/", "x")), "name": "second"})
        wait_for(lambda: "second" in self._active_listeners(), "the second listener")
        self.assertEqual("a", self.answering(port=self.proxy.address("second")))

    def _active_listeners(self):
        dump = self.proxy.admin("/config_dump?resource=dynamic_listeners").json()
        return [entry["name"] for entry in dump.get("configs", []) if entry.get("active_state")]

    def test_fetch_timeout_opens_the_listener_without_routes(self):
        self.plane.silent_about.add("never")
        self.plane.set(ads.LISTENER, rds_listener("late", "never", fetch_timeout="0.5s"))
        self.start(wait_ready=False)
        wait_for(lambda: self.proxy.admin("/ready").status == 200, "ready long before the default of 15 s", deadline=10)
        self.assertEqual(404, self.answering(port=self.proxy.address("late")))

    # -- the control plane goes and comes

    def test_last_good_state_while_the_control_plane_is_away(self):
        self.simple_world()
        self.start()
        self.wait_for_answer("a")
        for kind in ads.ORDER:
            self.plane.wait_acked(kind)
        with self.load() as load:
            self.plane.stop()
            wait_for(lambda: self.proxy.stat("control_plane.connected_state") == 0, "the loss to be noticed")
            holds_for(lambda: self.answering() == "a", "served by the last good state")
            before = self.plane.streams
            self.plane.start()
            wait_for(lambda: self.plane.live_streams, "a reconnection")
            self.assertGreaterEqual(self.plane.streams, before)
            self.check_reconnection(self.plane.streams)
            self.plane.set(ads.ENDPOINTS, load_assignment("x", self.b.address))
            self.wait_for_answer("b")
        self.assert_no_failure(load)
        self.assertEqual([], self.plane.nacks())

    def check_reconnection(self, stream):
        """The first request of each type says what the proxy holds already."""
        held = {ads.CLUSTER: {"x"}, ads.LISTENER: {"main"}, ads.ENDPOINTS: {"x"}, ads.ROUTES: {"main"}}
        for kind, names in held.items():
            first = wait_for(lambda: self.plane.requests(kind, stream), f"{kind} asked for again")[0].message
            self.assertEqual("", first.response_nonce)
            if self.delta:
                self.assertEqual(names, set(first.initial_resource_versions), kind)
                for name, version in first.initial_resource_versions.items():
                    self.assertEqual(self.plane.world(kind)[name][0], version)
            elif kind in (ads.CLUSTER, ads.LISTENER):
                self.assertTrue(first.version_info, f"{kind}: the version last accepted")

    def test_starts_while_the_control_plane_is_away(self):
        self.plane.stop()
        self.start(wait_ready=False)
        self.simple_world()
        holds_for(lambda: self.proxy.admin("/ready").status == 503, "not ready without a control plane")
        self.plane.start()
        self.proxy.wait_ready()
        self.wait_for_answer("a")

    def test_removed_while_away(self):
        self.simple_world()
        self.plane.change(clusters=[eds_cluster("y")], endpoints=[load_assignment("y", self.b.address)])
        self.start()
        self.wait_for_answer("a")
        wait_for(lambda: "y" in self.proxy.clusters(), "cluster y")
        self.plane.stop()
        self.plane.remove(ads.CLUSTER, "y")
        self.plane.start()
        wait_for(lambda: "y" not in self.proxy.clusters(), "cluster y to go", deadline=30)
        self.assertEqual("a", self.answering())


class StateOfTheWorld(XdsCases, unittest.TestCase):
    delta = False


class Delta(XdsCases, unittest.TestCase):
    delta = True


if __name__ == "__main__":
    print(f"data plane: {data_plane_kind()}, messages: {os.environ.get('WEFT_XDS_PROTOS', 'ours')}")
    unittest.main(verbosity=2)
