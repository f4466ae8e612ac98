"""Consistent hashing beside the real thing: every key must land on the very host on which Envoy puts it.

Both proxies run one bootstrap over the same five upstreams, one after the other, and get the same requests; what is compared is who
answered. Rings and Maglev tables of every making, hash policies of every kind, hosts that are avoided by retries or full.
"""
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "integration"))

# pylint: disable=wrong-import-position
from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes, socket_address
from meshtest.data_plane import DataPlane
from meshtest.raw_http import Connection, message
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for

TYPES = "type.googleapis.com/envoy.extensions.load_balancing_policies"
KEYS = [f"key-{number}" for number in range(200)]
BY_KEY = {"hash_policy": [{"header": {"header_name": "x-key"}}]}
WEIGHTS = (1, 2, 3, 5, 9)
PREVIOUS_HOSTS = [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}]


def extension(name, **fields):
    """load_balancing_policy: ring_hash.v3.RingHash or maglev.v3.Maglev with these fields."""
    message_name = {"ring_hash": "RingHash", "maglev": "Maglev"}[name]
    return {"load_balancing_policy": {"policies": [{"typed_extension_config": {
        "name": f"envoy.load_balancing_policies.{name}", "typed_config": {"@type": f"{TYPES}.{name}.v3.{message_name}", **fields}}}]}}


def legacy(policy, common=None, **config):
    """lb_policy with its config, and what stands in common_lb_config."""
    fields = {"lb_policy": policy}
    if config:
        fields["ring_hash_lb_config" if policy == "RING_HASH" else "maglev_lb_config"] = config
    if common:
        fields["common_lb_config"] = common
    return fields


def tcp_proxy(target, **fields):
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", "cluster": target,
        **fields}}


class World:
    """Five upstreams, and the clusters over them."""

    def __init__(self):
        self.upstreams = [Upstream(f"u{number}") for number in range(5)]

    def close(self):
        for upstream in self.upstreams:
            upstream.close()

    def hosts(self, which=range(5), weights=None, **fields):
        """lb_endpoints; `fields` are lists with an item for each, or functions of a host's number."""
        made = []
        for index, number in enumerate(which):
            host = {"endpoint": {"address": socket_address(self.upstreams[number].address)}}
            if weights:
                host["load_balancing_weight"] = weights[index]
            for name, value in fields.items():
                (host["endpoint"] if name == "hostname" else host)[name] = value(number)
            made.append(host)
        return made

    def assign(self, *groups):
        return {"load_assignment": {"cluster_name": "any", "endpoints": list(groups)}}

    def clusters(self):
        """Name to the cluster's fields; a cluster without load_assignment has the five hosts."""
        plain = {"lb_endpoints": self.hosts()}
        heavy = {"lb_endpoints": self.hosts(weights=WEIGHTS)}
        zones = [{"locality": {"region": "r", "zone": zone}, "load_balancing_weight": weight,
                  "lb_endpoints": self.hosts(which, weights=[number + 1 for number in which])}
                 for zone, weight, which in (("c", 5, (0, 1)), ("a", 3, (2,)), ("b", 1, (3, 4)))]
        sick = {"lb_endpoints": self.hosts(health_status=lambda number: "UNHEALTHY" if number in (1, 3) else "HEALTHY")}
        panic = {"lb_endpoints": self.hosts(health_status=lambda number: "HEALTHY" if number == 1 else "UNHEALTHY")}
        first = {"priority": 0, "lb_endpoints": self.hosts((0, 1, 2), health_status=lambda number: "HEALTHY" if number else "UNHEALTHY")}
        second = {"priority": 1, "lb_endpoints": self.hosts((3, 4))}
        named = {"lb_endpoints": self.hosts(hostname=lambda number: f"host-{number}.test")}
        keyed = {"lb_endpoints": self.hosts(metadata=lambda number: {"filter_metadata": {"envoy.lb": {
            "hash_key": 7 if number == 4 else f"shard {number}"}}})}
        half = {"lb_endpoints": self.hosts(health_status=lambda number: "DEGRADED" if number > 2 else "HEALTHY")}
        by_hostname = {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}}  # Envoy refuses it outside of extensions
        by_locality = {"locality_weighted_lb_config": {}}
        lone = {"minimum_ring_size": 1, "maximum_ring_size": 3}
        return {
            "ring": {**legacy("RING_HASH"), **self.assign(plain)},
            "ring-murmur": {**legacy("RING_HASH", hash_function="MURMUR_HASH_2"), **self.assign(plain)},
            "ring-weighted": {**legacy("RING_HASH"), **self.assign(heavy)},
            "ring-weighted-murmur": {**legacy("RING_HASH", hash_function="MURMUR_HASH_2", minimum_ring_size=70), **self.assign(heavy)},
            "ring-small": {**legacy("RING_HASH", minimum_ring_size=7, maximum_ring_size=33), **self.assign(heavy)},
            "ring-fewer-than-hosts": {**legacy("RING_HASH", **lone), **self.assign(plain)},
            "ring-large": {**legacy("RING_HASH", minimum_ring_size=50000), **self.assign(heavy)},
            "ring-hostname": {**extension("ring_hash", **by_hostname), **self.assign(named)},
            "ring-keyed": {**extension("ring_hash", hash_function="XX_HASH"), **self.assign(keyed)},
            "ring-zones": {**legacy("RING_HASH", common=by_locality), **self.assign(*zones)},
            "ring-sick": {**legacy("RING_HASH"), **self.assign(sick)},
            "ring-panic": {**legacy("RING_HASH"), **self.assign(panic)},
            "ring-priorities": {**legacy("RING_HASH"), **self.assign(first, second)},
            "ring-degraded": {**legacy("RING_HASH"), **self.assign(half)},
            "ring-extension": {**extension("ring_hash", hash_function="MURMUR_HASH_2", minimum_ring_size="300", maximum_ring_size="500",
                                           locality_weighted_lb_config={}), **self.assign(*zones)},
            "ring-own-policy": {**extension("ring_hash", consistent_hashing_lb_config={
                "use_hostname_for_hashing": True, "hash_policy": [{"query_parameter": {"name": "own"}}]}), **self.assign(named)},
            "maglev": {**legacy("MAGLEV"), **self.assign(plain)},
            "maglev-weighted": {**legacy("MAGLEV"), **self.assign(heavy)},
            "maglev-small": {**legacy("MAGLEV", table_size=17), **self.assign(heavy)},
            "maglev-hostname": {**extension("maglev", **by_hostname), **self.assign(named)},
            "maglev-zones": {**legacy("MAGLEV", common=by_locality), **self.assign(*zones)},
            "maglev-sick": {**legacy("MAGLEV"), **self.assign(sick)},
            "maglev-priorities": {**legacy("MAGLEV"), **self.assign(first, second)},
            "maglev-extension": {**extension("maglev", table_size="5003", consistent_hashing_lb_config={
                "hash_policy": [{"header": {"header_name": "x-key"}}]}), **self.assign(keyed)},
        }

    def bounded(self):
        bound = {"consistent_hashing_lb_config": {"hash_balance_factor": 120}}
        return {"ring-bounded": {**legacy("RING_HASH", common=bound), **self.assign({"lb_endpoints": self.hosts(weights=WEIGHTS)})},
                "maglev-bounded": {**extension("maglev", **bound), **self.assign({"lb_endpoints": self.hosts()})}}

    def policies(self):
        """Path to a hash policy, all on the cluster `ring`."""
        cookie, parameter = {"cookie": {"name": "c"}}, {"query_parameter": {"name": "k"}}
        by = {letter: {"header": {"header_name": f"X-{letter}"}} for letter in "abc"}
        return {
            "/key": BY_KEY["hash_policy"], "/cookie": [cookie], "/query": [parameter],
            "/ip": [{"connection_properties": {"source_ip": True}}],
            "/no-ip": [{"connection_properties": {"source_ip": False}, "terminal": True}, by["a"]],
            "/xff": [{"header": {"header_name": "x-forwarded-for"}}], "/host": [{"header": {"header_name": "Host"}}],
            "/authority": [{"header": {"header_name": ":authority"}}], "/path": [{"header": {"header_name": ":path"}}],
            "/method": [{"header": {"header_name": ":method"}}],
            "/several": [by["a"], by["b"], by["c"], parameter],
            "/terminal": [{**by["a"], "terminal": True}, by["b"], {**by["c"], "terminal": True}, parameter],
            "/regex": [{"header": {"header_name": "x-a", "regex_rewrite": {
                "pattern": {"regex": "^([a-z]+)-[0-9]+"}, "substitution": "\\1"}}}],
        }

    def bootstrap(self):
        clusters = {**self.clusters(), **self.bounded()}
        table = [route(f"/{name}/", name, action=BY_KEY) for name in clusters]
        table += [route(path, "ring", action={"hash_policy": policy}) for path, policy in self.policies().items()]
        table += [route(f"/retry-{name}", name, action={**BY_KEY, "retry_policy": {
            "retry_on": "5xx", "num_retries": 3, "retry_host_predicate": PREVIOUS_HOSTS, "host_selection_retry_max_attempts": 4,
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"}}}) for name in ("ring", "maglev")]
        table.append(route("/rewritten", "ring", action={"hash_policy": [{"header": {"header_name": ":path"}}, {"header": {
            "header_name": "x-added"}}], "prefix_rewrite": "/other"}, request_headers_to_add=[
                {"header": {"key": "x-added", "value": "%REQ(x-key)%"}}]))
        split = [{"name": name, "weight": weight} for name, weight in (("only-0", 30), ("only-1", 50), ("only-2", 20))]
        table.append(route("/split", action={"hash_policy": [{"header": {"header_name": "x-key"}}, {"cookie": {"name": "c", "ttl": "1s"}}],
                                             "weighted_clusters": {"clusters": split, "use_hash_policy": True}}))
        clusters |= {f"only-{number}": self.assign({"lb_endpoints": self.hosts((number,))}) for number in range(3)}
        by_source = tcp_proxy("ring", hash_policy=[{"source_ip": {}}])
        manager = hcm(routes(*table, include_request_attempt_count=True), use_remote_address=True, skip_xff_append=True)
        trusting = hcm(routes(*table), use_remote_address=False)
        return bootstrap([listener(manager), listener(trusting, name="trusting"), listener(by_source, name="tcp")],
                         [cluster(name, **fields) for name, fields in clusters.items()],
                         node={"id": "test", "cluster": "test", "locality": {"region": "r", "zone": "b"}})

    def requests(self):
        """(path, headers, host) of what hash policies look at."""
        for key in KEYS[:60]:
            yield "/key", [("x-key", key)], "main.test"
            yield f"/query?a=1&k={key}", [], "main.test"
            yield f"/path/{key}?q=1", [], "main.test"
            yield f"/rewritten/{key}", [("x-key", key)], "main.test"
            yield "/host", [], f"{key}.test"
            yield "/authority", [], f"{key}.test:80"
            yield "/cookie", [("cookie", f"a=b; c={key}")], "main.test"
            yield "/xff", [("x-forwarded-for", f"1.2.3.{len(key)}"), ("x-forwarded-for", key)], "main.test"
            yield "/key", [("x-key", key), ("x-key", key[::-1]), ("x-key", key[2:])], "main.test"
            yield "/split", [("x-key", key)], "main.test"
            yield "/regex", [("x-a", f"abc-{len(key)}"), ("x-a", key)], "main.test"
        for value in ('c="quoted"', 'c="', "c=space ; d=1", "x; c=after-what-is-none", " c=blank", "c=1=2", "c=first; c=second", "cc=1; c=2"):
            yield "/cookie", [("cookie", value)], "main.test"
        for query in ("k", "k=", "k=1&k=2", "k=%41", "kk=3&k=4", "&k=9", "k=a;b"):
            yield f"/query?{query}", [], "main.test"
        for number in range(16):
            yield "/ip", [("x-forwarded-for", f"10.0.0.{number}, 10.1.{number}.1")], "main.test"
            yield "/ip", [("x-forwarded-for", f"2001:db8::{number + 1}")], "main.test"
            yield "/no-ip", [("x-a", str(number))], "main.test"
            headers = [(f"x-{letter}", str(number % (7 + index))) for index, letter in enumerate("abc") if number >> index & 1]
            for path in ("/several", "/terminal"):
                yield f"{path}?k={number}", headers, "main.test"
        yield "/key", [("x-key", "")], "main.test"
        yield "/method", [], "main.test"

    def play(self, kind):
        """All that one proxy did, by the name of what was asked."""
        seen = {}
        with DataPlane(self.bootstrap(), kind=kind) as proxy:
            for name in self.clusters():
                with Connection(proxy.address()) as connection:
                    seen[name] = [who(connection, f"/{name}/?own={key}-own", [("x-key", key)]) for key in KEYS]
            for name in ("main", "trusting"):
                with Connection(proxy.address(name)) as connection:
                    for path, headers, host in self.requests():
                        seen[f"{name} {path} {headers} {host}"] = who(connection, path, headers, host)
            seen["tcp"] = []
            for number in range(30):
                with Connection(proxy.address("tcp"), source=f"127.0.3.{number + 1}") as connection:
                    seen["tcp"].append(who(connection, "/", []))
            for name in ("ring", "maglev"):
                seen[f"retry {name}"] = [self.tries(proxy, f"/retry-{name}", key) for key in KEYS[:20]]
            for name in self.bounded():
                seen[name] = self.crowd(proxy, f"/{name}/held")
            seen["gauges"] = sorted(line for line in proxy.admin("/stats").text.splitlines() if "hash_lb." in line or "maglev_lb." in line)
        return seen

    def tries(self, proxy, path, key):
        """Which hosts a request was sent to, one after the other, when each of them fails."""
        for upstream in self.upstreams:
            upstream.forget()
            upstream.on(path, Reply(503))
        with Connection(proxy.address()) as connection:
            connection.request("GET", path, [("x-key", key)])
        seen = {int(request.header("x-envoy-attempt-count")): upstream.name for upstream in self.upstreams
                for request in upstream.requests(path)}
        return [seen[number] for number in sorted(seen)]

    def crowd(self, proxy, path):
        """One key again and again while nobody answers, then others: who is asked when the key's own host is full."""
        release = threading.Event()
        order, open_connections = [], []
        for upstream in self.upstreams:
            upstream.forget()
            upstream.on(path, Reply(hold=release))
        try:
            for number in range(40):
                connection = Connection(proxy.address())
                open_connections.append(connection)
                connection.send(message("GET", path, [("x-key", "hot" if number < 20 else f"warm-{number % 7}")]))
                counts = wait_for(lambda: self.arrived(path, len(order) + 1), "the request at an upstream")
                order.append(next(name for name, count in counts.items() if count > order.count(name)))
            release.set()
            for connection in open_connections:
                connection.read_response()
        finally:
            release.set()
            for connection in open_connections:
                connection.close()
        return order

    def arrived(self, path, at_least):
        counts = {upstream.name: upstream.count(path) for upstream in self.upstreams}
        return counts if sum(counts.values()) >= at_least else None


def who(connection, path, headers, host="main.test"):
    answer = connection.request("GET", path, headers, host=host)
    return answer.json()["upstream"] if answer.status == 200 else answer.status


class Hashing(unittest.TestCase):
    """One run of each proxy; a test per kind of thing that is compared."""

    @classmethod
    def setUpClass(cls):
        world = World()
        cls.addClassCleanup(world.close)
        cls.names = list(world.clusters())
        cls.bounded = list(world.bounded())
        cls.theirs, cls.ours = world.play("envoy"), world.play(os.environ.get("WEFT_HASHING_BESIDE", "weft"))

    def test_every_key_on_its_host(self):
        for name in self.names:
            with self.subTest(name):
                self.assertEqual(self.theirs[name], self.ours[name])

    def test_the_comparison_can_fail(self):
        """Clusters of different making put keys on different hosts, and use what they are given."""
        placements = {name: tuple(self.theirs[name]) for name in self.names}
        self.assertEqual(placements["ring"], placements.pop("ring-panic"), "where too few are healthy, health does not count")
        self.assertEqual(len(placements), len(set(placements.values())))
        for name, placement in placements.items():
            self.assertGreaterEqual(len(set(placement)), 2, name)
            self.assertLessEqual(set(placement), {f"u{number}" for number in range(5)}, name)

    def test_every_hash_policy(self):
        asked = [name for name in self.theirs if name.startswith(("main ", "trusting "))]
        self.assertGreater(len(asked), 1000)
        different = {name: (self.theirs[name], self.ours[name]) for name in asked if self.theirs[name] != self.ours[name]}
        self.assertEqual({}, different)

    def test_raw_connections(self):
        self.assertEqual(self.theirs["tcp"], self.ours["tcp"])
        self.assertGreater(len(set(self.ours["tcp"])), 3)

    def test_other_hosts_of_retries(self):
        for name in ("retry ring", "retry maglev"):
            self.assertEqual(self.theirs[name], self.ours[name])
            self.assertGreater(sum(len(set(tries)) for tries in self.ours[name]), 30, "retries that found no other host prove nothing")

    def test_bounded_loads(self):
        for name in self.bounded:
            self.assertEqual(self.theirs[name], self.ours[name], name)
            self.assertGreater(len(set(self.ours[name][:20])), 2, "nothing was full")

    def test_gauges(self):
        self.assertEqual(self.theirs["gauges"], self.ours["gauges"])
        self.assertIn("cluster.ring.ring_hash_lb.size: 1025", self.ours["gauges"])


if __name__ == "__main__":
    unittest.main()
