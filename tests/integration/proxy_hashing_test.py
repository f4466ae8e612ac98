"""Consistent hashing: RING_HASH and MAGLEV, the hash policies of routes, and the cookies that they make up.

Hosts have a hash_key, so where keys land does not depend on the ports of this run: the placements below are what both proxies do.
"""
import re
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes, socket_address
from meshtest.data_plane import DataPlane, weft_only
from meshtest.raw_http import Connection
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import wait_for

TYPES = "type.googleapis.com/envoy.extensions.load_balancing_policies"
KEYS = [f"user-{number}" for number in range(40)]
BY_KEY = {"hash_policy": [{"header": {"header_name": "x-key"}}]}
COOKIE = {"name": "place", "ttl": "600s", "path": "/shop", "attributes": [{"name": "SameSite", "value": "Lax"}, {"name": "Secure"}]}
# The host of each of KEYS.
PLACED = {
    "ring": "ebadcebbaeeeedededbeaaeecccdbcbaededeecb",
    "ring-murmur": "acdacedddbbeaebbcccabaadcbbbcaeadccabeea",
    "ring-weighted": "edceecceeddeebdeceeadedcededdeadcedceaee",
    "maglev": "deeacddbcaaceceabeebeeccbcdaecdeaacedcba",
    "maglev-weighted": "cccdeceeaddbdeceeeedcdecedbdadeccdebedda",
}


def assignment(hosts, **fields):
    """A load_assignment of upstreams; each hashes under its name."""
    return {"load_assignment": {"cluster_name": "any", "endpoints": [{"lb_endpoints": [
        {"endpoint": {"address": socket_address(host.address)}, "metadata": {"filter_metadata": {"envoy.lb": {"hash_key": host.name}}},
         **{name: values[index] for name, values in fields.items()}} for index, host in enumerate(hosts)]}]}}


class Hashing(unittest.TestCase):
    """Five hosts, a to e, behind rings and tables."""

    @classmethod
    def setUpClass(cls):
        cls.hosts = [Upstream(name) for name in "abcde"]
        dead, keeper = refused_address()
        for thing in (*cls.hosts, keeper):
            cls.addClassCleanup(thing.close)
        weights = {"load_balancing_weight": [1, 1, 2, 3, 5]}
        ring, maglev = {"lb_policy": "RING_HASH"}, {"lb_policy": "MAGLEV"}
        own = {"load_balancing_policy": {"policies": [{"typed_extension_config": {"name": "ring", "typed_config": {
            "@type": f"{TYPES}.ring_hash.v3.RingHash",
            "consistent_hashing_lb_config": {"hash_policy": [{"cookie": {"name": "own", "ttl": "0s"}}]}}}}]}}
        by_key = {"load_balancing_policy": {"policies": [{"typed_extension_config": {"name": "ring", "typed_config": {
            "@type": f"{TYPES}.ring_hash.v3.RingHash", "consistent_hashing_lb_config": BY_KEY}}}]}}
        clusters = [
            cluster("ring", **ring, **assignment(cls.hosts)),
            cluster("ring-murmur", **ring, ring_hash_lb_config={"hash_function": "MURMUR_HASH_2"}, **assignment(cls.hosts)),
            cluster("ring-weighted", **ring, ring_hash_lb_config={"minimum_ring_size": 64}, **assignment(cls.hosts, **weights)),
            cluster("ring-without-c", **ring, **assignment([host for host in cls.hosts if host.name != "c"])),
            cluster("maglev", **maglev, **assignment(cls.hosts)),
            cluster("maglev-weighted", **maglev, maglev_lb_config={"table_size": 251}, **assignment(cls.hosts, **weights)),
            cluster("maglev-without-c", **maglev, **assignment([host for host in cls.hosts if host.name != "c"])),
            cluster("ejecting", **ring, outlier_detection={
                "consecutive_5xx": 1, "enforcing_consecutive_5xx": 100, "enforcing_consecutive_gateway_failure": 0,
                "max_ejection_percent": 100, "interval": "0.1s", "base_ejection_time": "1s"}, **assignment(cls.hosts)),
            cluster("degraded", **ring, **assignment(cls.hosts[:2], health_status=["DEGRADED", "DEGRADED"])),
            cluster("robin", *[host.address for host in cls.hosts]), cluster("by-key", **by_key, **assignment(cls.hosts)),
            cluster("own", **own, **assignment(cls.hosts)), cluster("own-dead", dead, **own), cluster("dead", dead, **ring),
        ]
        cookie = {"hash_policy": [{"cookie": COOKIE}]}
        table = [
            route("/cookie", "ring", action=cookie), route("/robin-cookie", "robin", action=cookie),
            route("/dead-cookie", "dead", action=cookie), route("/own", "own", action=cookie), route("/dead-own", "own-dead", action=cookie),
            route("/retried-cookie", "ring", action={**cookie, "retry_policy": {"retry_on": "5xx", "num_retries": 2}}),
            route("/session", "ring", action={"hash_policy": [{"cookie": {"name": "place", "ttl": "0s"}}]}),
            route("/mirrored-ring", "robin", action={**BY_KEY, "request_mirror_policies": [{"cluster": "ring"}]}),
            route("/mirrored-own", "robin", action={**BY_KEY, "request_mirror_policies": [{"cluster": "by-key"}]}),
            *[route(f"/{one['name']}/", one["name"], action=BY_KEY) for one in clusters]]
        cls.proxy = DataPlane(bootstrap([listener(hcm(routes(*table)))], clusters))
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        for host in self.hosts:
            host.forget()

    def get(self, path, *headers):
        with Connection(self.proxy.address()) as connection:
            return connection.request("GET", path, headers)

    def placed(self, name, path=""):
        """Who answers for each key: one letter each."""
        with Connection(self.proxy.address()) as connection:
            return "".join(connection.request("GET", f"/{name}/{path}", [("x-key", key)]).json()["upstream"] for key in KEYS)

    # -- placement

    def test_keys_and_their_hosts(self):
        self.assertEqual(PLACED, {name: self.placed(name) for name in PLACED})

    def test_a_host_that_goes_takes_only_its_keys(self):
        for name in ("ring", "maglev"):
            before, after = self.placed(name), self.placed(f"{name}-without-c")
            moved = [key for key, old, new in zip(KEYS, before, after) if old != new and old != "c"]
            self.assertLess(len(moved), len(KEYS) / 4, f"{name}: a modulo would have moved most of them")
            self.assertNotIn("c", after)

    def test_an_ejected_host_comes_back_to_its_keys(self):
        before = self.placed("ejecting")
        victim = next(host for host in self.hosts if host.name == before[0])
        victim.on("/ejecting/fail", Reply(500))
        self.assertEqual(500, self.get("/ejecting/fail", ("x-key", KEYS[0])).status)
        self.proxy.wait_stat("cluster.ejecting.outlier_detection.ejections_active", 1)
        wait_for(lambda: victim.name not in self.placed("ejecting"), "the keys of the ejected host elsewhere")
        wait_for(lambda: self.placed("ejecting") == before, "all as it was")

    def test_without_a_key_chance_decides(self):
        with Connection(self.proxy.address()) as connection:
            seen = {connection.request("GET", "/ring/").json()["upstream"] for _ in range(200)}
        self.assertEqual(set("abcde"), seen)

    def test_gauges(self):
        wanted = {"ring.ring_hash_lb.size": 1025, "ring.ring_hash_lb.min_hashes_per_host": 205,
                  "ring.ring_hash_lb.max_hashes_per_host": 205, "ring-weighted.ring_hash_lb.max_hashes_per_host": 30,
                  "maglev.maglev_lb.min_entries_per_host": 13107, "maglev.maglev_lb.max_entries_per_host": 13108}
        self.assertEqual(wanted, {name: self.proxy.stat(f"cluster.{name}") for name in wanted})

    @weft_only("Envoy finds no host where none is better than degraded (docs/differences.md)")
    def test_degraded_hosts_are_better_than_none(self):
        self.assertEqual(set("ab"), set(self.placed("degraded")))

    # -- cookies

    def test_a_cookie_is_made_up_and_sticks(self):
        with Connection(self.proxy.address()) as connection:
            first = connection.request("GET", "/cookie")
            made, = first.all("set-cookie")
            self.assertRegex(made, r'^place="[0-9a-f]{16}"; Max-Age=600; Path=/shop; SameSite=Lax; Secure; HttpOnly$')
            again, = connection.request("GET", "/cookie").all("set-cookie")
            self.assertEqual(made, again, "one connection, one cookie: requests that race agree")
        value = re.search('"(.*)"', made).group(1)
        for text in (f"place={value}", f'a=b; place="{value}"'):
            later = self.get("/cookie", ("cookie", text))
            self.assertEqual(first.json()["upstream"], later.json()["upstream"])
            self.assertEqual([], later.all("set-cookie"))

    def test_a_session_cookie_has_no_age(self):
        made, = self.get("/session").all("set-cookie")
        self.assertRegex(made, r'^place="[0-9a-f]{16}"; HttpOnly$')

    def test_no_cookie_where_nothing_is_hashed(self):
        self.assertEqual([], self.get("/robin-cookie").all("set-cookie"))

    def test_the_cluster_may_have_a_policy_of_its_own(self):
        made, = self.get("/own").all("set-cookie")
        self.assertRegex(made, r'^own="[0-9a-f]{16}"; HttpOnly$')

    def test_a_mirror_goes_by_its_own_clusters_policy(self):
        """The route's is for the request itself: without one of its own the mirror's cluster leaves it to chance."""
        def places(target):
            for _ in range(40):
                self.get(target, ("x-key", "user-0"))
            copies = {host.name: [seen for seen in host.requests(target) if seen.header("host").endswith("-shadow")] for host in self.hosts}
            return {name: len(seen) for name, seen in copies.items() if seen}
        wait_for(lambda: places("/mirrored-own/x").keys() == {PLACED["ring"][0]}, "the copies")
        wait_for(lambda: len(places("/mirrored-ring/x")) > 1, "the copies")

    def test_cookies_of_local_replies(self):
        """The route's cookie comes with an answer of the upstream, the cluster's with every answer."""
        route_cookie, cluster_cookie = self.get("/dead-cookie"), self.get("/dead-own")
        self.assertEqual((503, []), (route_cookie.status, route_cookie.all("set-cookie")))
        self.assertEqual((503, 1), (cluster_cookie.status, len(cluster_cookie.all("set-cookie"))))

    @weft_only("Envoy repeats the cookie for every try (docs/differences.md)")
    def test_one_cookie_for_all_tries(self):
        for host in self.hosts:
            host.on("/retried-cookie", Reply(503), Reply(503), None)
        answer = self.get("/retried-cookie")
        self.assertEqual((200, 1), (answer.status, len(answer.all("set-cookie"))))


if __name__ == "__main__":
    unittest.main()
