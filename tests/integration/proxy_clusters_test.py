"""Clusters that find their hosts by themselves: by what the client asks for (ORIGINAL_DST), and by names; and where connections to
hosts come from."""
import socket
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, load_assignment, route, routes, socket_address
from meshtest.data_plane import DataPlane
from meshtest.dns_server import LIES, SERVFAIL, A, AAAA, DnsServer
from meshtest.raw_http import Connection, fetch
from meshtest.upstream import Reply, Upstream, refused_address
from meshtest.wait import wait_for

CARES = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
SET_METADATA = "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config"
HEADER = "x-envoy-original-dst-host"


def text(address):
    return f"{address[0]}:{address[1]}"


def hosts(plane, name):
    """The addresses of a cluster's hosts."""
    found = set()
    for line in plane.admin("/clusters").text.splitlines():
        if line.startswith(name + "::") and "::cx_active::" in line:
            found.add(line[len(name) + 2:line.index("::cx_active::")])
    return found


class OriginalDestination(unittest.TestCase):
    """Hosts that requests name. What a redirected connection's own destination does stands in the tests of capture."""

    @classmethod
    def setUpClass(cls):
        cls.a, cls.b = Upstream("a"), Upstream("b")
        for upstream in (cls.a, cls.b):
            cls.addClassCleanup(upstream.close)

        def original(name, **fields):
            return {"name": name, "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "1s", **fields}

        clusters = [
            original("header", original_dst_lb_config={"use_http_header": True}),
            original("named", original_dst_lb_config={"use_http_header": True, "http_header_name": "x-to"}),
            original("port", original_dst_lb_config={"use_http_header": True, "upstream_port_override": cls.b.port}),
            original("metadata", original_dst_lb_config={"use_http_header": True, "metadata_key": {"key": "n", "path": [{"key": "to"}]}}),
            original("brief", cleanup_interval="0.1s", original_dst_lb_config={"use_http_header": True}),
            original("nothing"),
        ]
        names = [one["name"] for one in clusters]
        note = {"name": "note", "typed_config": {"@type": SET_METADATA, "metadata": [
            {"metadata_namespace": "n", "value": {"to": text(cls.b.address)}}]}}
        cls.plane = DataPlane(bootstrap(
            [listener(hcm(routes(*[route(f"/{name}", name) for name in names]), [note]))], clusters), concurrency=2)
        cls.addClassCleanup(cls.plane.stop)
        cls.address = cls.plane.address()

    def get(self, path, *headers):
        return fetch(self.address, path, headers=headers)

    def served_by(self, path, *headers):
        answer = self.get(path, *headers)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["upstream"]

    def test_a_header_names_the_host(self):
        self.assertEqual(self.served_by("/header", (HEADER, text(self.a.address))), "a")
        self.assertEqual(self.served_by("/header", (HEADER, text(self.b.address))), "b")
        self.assertEqual(self.served_by("/named", ("x-to", text(self.a.address)), (HEADER, text(self.b.address))), "a")
        wait_for(lambda: hosts(self.plane, "header") == {text(self.a.address), text(self.b.address)}, "both hosts")
        self.assertEqual(self.plane.stat("cluster.header.membership_total"), 2)
        self.assertEqual(self.plane.stat("cluster.header.membership_change"), 2)

    def test_only_the_first_of_several_counts(self):
        self.assertEqual(self.served_by("/header", (HEADER, text(self.a.address)), (HEADER, text(self.b.address))), "a")

    def test_the_port_is_overridden(self):
        self.assertEqual(self.served_by("/port", (HEADER, text(self.a.address))), "b")

    def test_metadata_goes_before_the_header(self):
        self.assertEqual(self.served_by("/metadata", (HEADER, text(self.a.address))), "b")

    def test_without_a_destination_there_is_no_host(self):
        answer = self.get("/nothing", (HEADER, text(self.a.address)))
        self.assertEqual((answer.status, answer.body), (503, b"no healthy upstream"))
        before = self.plane.stat("cluster.header.original_dst_host_invalid")
        for wrong in ("nonsense", "1.2.3.4", "localhost:80", "1.2.3.4:99999"):
            self.assertEqual(self.get("/header", (HEADER, wrong)).status, 503, wrong)
        self.assertEqual(self.plane.stat("cluster.header.original_dst_host_invalid"), before + 4)

    def test_a_host_that_is_not_there(self):
        dead, keeper = refused_address()
        with keeper:
            answer = self.get("/header", (HEADER, text(dead)))
        self.assertEqual(answer.status, 503)
        self.assertIn(b"remote connection failure", answer.body)

    def test_what_nobody_uses_is_forgotten(self):
        self.b.on("/brief", Reply(close=True))
        self.assertEqual(self.get("/brief", (HEADER, text(self.b.address))).status, 200)
        wait_for(lambda: self.plane.stat("cluster.brief.membership_change") >= 2, "the host to come and go")
        wait_for(lambda: text(self.b.address) not in hosts(self.plane, "brief"), "the host to be forgotten")
        self.assertEqual(self.get("/brief", (HEADER, text(self.b.address))).status, 200)

    def test_what_is_in_use_is_kept(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        self.a.on("/brief/held", Reply(body=b"late", hold=hold, close=True))
        with Connection(self.address) as client:
            client.send(b"GET /brief/held HTTP/1.1\r\nhost: x\r\n" + HEADER.encode() + b": " + text(self.a.address).encode() + b"\r\n\r\n")
            wait_for(lambda: self.a.requests("/brief/held"), "the request")
            change = self.plane.stat("cluster.brief.membership_change")
            # Another host comes and goes meanwhile: sweeps have passed.
            self.b.on("/brief", Reply(close=True))
            self.get("/brief", (HEADER, text(self.b.address)))
            wait_for(lambda: self.plane.stat("cluster.brief.membership_change") >= change + 2, "another host to come and go")
            self.assertIn(text(self.a.address), hosts(self.plane, "brief"))
            hold.set()
            self.assertEqual(client.read_response().body, b"late")


class Noting:
    """Answers HTTP, and notes who has connected."""

    def __init__(self, host="127.0.0.1", family=socket.AF_INET):
        self.peers = []
        self._socket = socket.socket(family)
        self._socket.bind((host, 0))
        self._socket.listen(16)
        self.address = self._socket.getsockname()[:2]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    @staticmethod
    def _answer(connection):
        with connection:
            if connection.recv(4096):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")

    def close(self):
        self._socket.close()


class Sources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v4, cls.v6, other = Noting(), Noting("::1", socket.AF_INET6), Noting()
        for server in (cls.v4, cls.v6, other):
            cls.addClassCleanup(server.close)

        def bound(name, *addresses, **bind):
            return cluster(name, *addresses, upstream_bind_config=bind)

        def source(address):
            return {"address": address, "port_value": 0}

        clusters = [
            bound("own", cls.v4.address, source_address=source("127.0.0.6")),
            cluster("general", cls.v4.address),
            bound("both-4", cls.v4.address, source_address=source("::1"), extra_source_addresses=[{"address": source("127.0.0.7")}]),
            bound("both-6", cls.v6.address, source_address=source("127.0.0.8"), extra_source_addresses=[{"address": source("::1")}]),
            bound("nobodys", cls.v4.address, source_address=source("192.0.2.9")),
            bound("free", cls.v4.address, source_address=source("192.0.2.9"), freebind=True),
            bound("wrong-family", cls.v4.address, source_address=source("::1")),
            bound("bad-option", other.address, source_address=source("127.0.0.6"),
                  socket_options=[{"level": 1, "name": 99999, "int_value": 1}]),
            bound("option", cls.v4.address, source_address=source("127.0.0.11"),
                  socket_options=[{"level": 6, "name": 1, "int_value": 1}]),
        ]
        table = routes(*[route(f"/{one['name']}", one["name"]) for one in clusters])
        tcp = {"name": "tcp", "typed_config": {"@type": TCP, "stat_prefix": "tcp", "cluster": "own"}}
        cls.plane = DataPlane(bootstrap(
            [listener(hcm(table)), listener(tcp, name="tcp")], clusters,
            cluster_manager={"upstream_bind_config": {"source_address": source("127.0.0.12")}}))
        cls.addClassCleanup(cls.plane.stop)
        cls.address = cls.plane.address()

    def seen_from(self, name, server=None):
        server = server or self.v4
        server.peers.clear()
        answer = fetch(self.address, f"/{name}")
        self.assertEqual(answer.status, 200, answer)
        return server.peers

    def test_connections_come_from_there(self):
        self.assertEqual(self.seen_from("own"), ["127.0.0.6"])
        self.assertEqual(self.seen_from("option"), ["127.0.0.11"])

    def test_the_bootstrap_speaks_for_clusters_that_do_not(self):
        self.assertEqual(self.seen_from("general"), ["127.0.0.12"])

    def test_each_family_has_its_own(self):
        self.assertEqual(self.seen_from("both-4"), ["127.0.0.7"])
        self.assertEqual(self.seen_from("both-6", self.v6), ["::1"])

    def test_tcp_too(self):
        self.v4.peers.clear()
        with Connection(self.plane.address("tcp")) as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(client.read_response().body, b"ok")
        self.assertEqual(self.v4.peers, ["127.0.0.6"])

    def test_an_address_that_nobody_has(self):
        for name in ("nobodys", "wrong-family"):
            answer = fetch(self.address, f"/{name}")
            self.assertEqual(answer.status, 503)
            self.assertTrue(answer.body.endswith(b"reset reason: local connection failure"), answer.body)
            self.assertEqual(self.plane.stat(f"cluster.{name}.bind_errors"), 1)
            self.assertEqual(self.plane.stat(f"cluster.{name}.upstream_cx_connect_fail"), 1)

    def test_an_option_that_the_system_does_not_know(self):
        answer = fetch(self.address, "/bad-option")
        self.assertEqual(answer.status, 503)
        self.assertTrue(answer.body.endswith(b"reset reason: local connection failure"), answer.body)


class Names(unittest.TestCase):
    """What names mean, as a scripted server says."""

    @classmethod
    def setUpClass(cls):
        cls.a = Upstream("a")
        cls.b = Upstream("b", host="127.0.0.2", port=cls.a.port)
        dead, cls.keeper = refused_address("127.0.0.3")
        cls.dns = DnsServer()
        for thing in (cls.a, cls.b, cls.dns, cls.keeper):
            cls.addClassCleanup(thing.close)
        port = cls.a.port
        clusters = []

        def named(name, kind, resolver=None, at=port, **fields):
            config = {"@type": CARES, "resolvers": [socket_address(cls.dns.address)], "query_timeout_seconds": 1, "query_tries": 1,
                      "dns_resolver_options": {"no_default_search_domain": True}, **(resolver or {})}
            clusters.append({
                "name": name, "type": kind, "connect_timeout": "2s", "dns_refresh_rate": "0.1s", "dns_lookup_family": "V4_ONLY",
                "typed_dns_resolver_config": {"name": "envoy.network.dns_resolver.cares", "typed_config": config},
                "load_assignment": load_assignment(name, (f"{name}.test", at)), **fields})

        named("strict", "STRICT_DNS")
        named("moving", "STRICT_DNS")
        named("failing", "STRICT_DNS", dns_failure_refresh_rate={"base_interval": "0.05s", "max_interval": "0.2s"})
        named("ttl", "STRICT_DNS", dns_refresh_rate="600s", respect_dns_ttl=True)
        named("logical", "LOGICAL_DNS")
        named("empty", "LOGICAL_DNS")
        named("auto", "STRICT_DNS", dns_lookup_family="AUTO")
        named("v6", "STRICT_DNS", dns_lookup_family="V6_ONLY")
        named("prefer", "STRICT_DNS", dns_lookup_family="V4_PREFERRED")
        named("prefer6", "STRICT_DNS", dns_lookup_family="V4_PREFERRED")
        named("all", "STRICT_DNS", dns_lookup_family="ALL")
        named("eyes", "LOGICAL_DNS", dns_lookup_family="ALL")
        named("large", "STRICT_DNS")
        named("tcp", "STRICT_DNS", resolver={"dns_resolver_options": {"use_tcp_for_dns_lookups": True, "no_default_search_domain": True}})
        cls.lies = [f"lie{number}" for number in range(len(LIES))]
        for name in cls.lies:
            named(name, "STRICT_DNS")
        # A host of two addresses, the first of which refuses.
        several = cluster("several", dead)
        several["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["additional_addresses"] = [
            {"address": socket_address(cls.a.address)}]
        clusters.append(several)
        literal = cluster("literal", cls.a.address)
        literal["type"] = "STRICT_DNS"
        clusters.append(literal)

        one, two = "127.0.0.1", "127.0.0.2"
        cls.dns.set("strict.test", a=[one, two])
        for name in ("moving", "failing", "logical", "empty", *cls.lies):
            cls.dns.set(f"{name}.test", a=[one])
        cls.dns.set("ttl.test", a=[one], ttl=1)
        cls.dns.set("auto.test", a=[one])
        cls.dns.set("v6.test", a=[one], aaaa=["::1"])
        cls.dns.set("prefer.test", a=[one], aaaa=["::1"])
        cls.dns.set("prefer6.test", aaaa=["::1"])
        cls.dns.set("all.test", a=[one], aaaa=["::1"])
        cls.dns.set("eyes.test", a=[one], aaaa=["::1"])  # nobody listens at the second
        cls.dns.set("large.test", a=[one], truncated=True)
        cls.dns.set("tcp.test", a=[one])
        table = routes(*[route(f"/{one['name']}/", one["name"]) for one in clusters])
        cls.plane = DataPlane(bootstrap([listener(hcm(table))], clusters))
        cls.addClassCleanup(cls.plane.stop)
        cls.address = cls.plane.address()

    def served_by(self, name):
        answer = fetch(self.address, f"/{name}/")
        self.assertEqual(answer.status, 200, (name, answer.body))
        return answer.json()["upstream"]

    def stat(self, cluster_name, stat):
        return self.plane.stat(f"cluster.{cluster_name}.{stat}")

    def at(self, *ips):
        return {(f"[{ip}]" if ":" in ip else ip) + f":{self.a.port}" for ip in ips}

    def test_each_address_is_a_host(self):
        self.assertEqual(hosts(self.plane, "strict"), self.at("127.0.0.1", "127.0.0.2"))
        self.assertEqual({self.served_by("strict") for _ in range(4)}, {"a", "b"})
        wait_for(lambda: self.stat("strict", "update_no_rebuild") >= 2, "answers that change nothing")
        self.assertEqual(self.stat("strict", "membership_change"), 1)
        self.assertIn("strict.test", self.plane.admin("/clusters").text)

    def test_a_name_moves(self):
        self.assertEqual(self.served_by("moving"), "a")
        self.dns.set("moving.test", a=["127.0.0.2"])
        wait_for(lambda: hosts(self.plane, "moving") == self.at("127.0.0.2"), "the new address")
        self.assertEqual(self.served_by("moving"), "b")
        self.dns.set("moving.test")
        wait_for(lambda: not hosts(self.plane, "moving"), "no address")
        self.assertEqual(fetch(self.address, "/moving/").status, 503)

    def test_the_last_good_answer_holds_while_the_server_fails(self):
        self.assertEqual(self.served_by("failing"), "a")
        self.dns.set("failing.test", rcode=SERVFAIL)
        wait_for(lambda: self.stat("failing", "update_failure") >= 3, "failures")
        self.assertEqual(self.served_by("failing"), "a")
        self.dns.set("failing.test", a=["127.0.0.2"])
        wait_for(lambda: hosts(self.plane, "failing") == self.at("127.0.0.2"), "the new address")

    def test_the_time_to_live_is_respected(self):
        self.dns.set("ttl.test", a=["127.0.0.2"], ttl=1)
        wait_for(lambda: hosts(self.plane, "ttl") == self.at("127.0.0.2"), "the new address long before the refresh rate")

    def test_a_logical_host_moves(self):
        self.assertEqual(self.served_by("logical"), "a")
        self.dns.set("logical.test", a=["127.0.0.2", "127.0.0.1"])
        wait_for(lambda: hosts(self.plane, "logical") == self.at("127.0.0.2"), "the first of its addresses")
        self.assertEqual(self.served_by("logical"), "b")

    def test_an_empty_answer_takes_no_logical_host_away(self):
        self.dns.set("empty.test")
        wait_for(lambda: self.stat("empty", "update_failure") >= 2, "empty answers")
        self.assertEqual(self.served_by("empty"), "a")
        self.dns.set("empty.test", cname="empty.test")
        before = self.stat("empty", "update_failure")
        wait_for(lambda: self.stat("empty", "update_failure") >= before + 2, "names that mean themselves")
        self.assertEqual(self.served_by("empty"), "a")

    def test_families(self):
        self.assertEqual(hosts(self.plane, "auto"), self.at("127.0.0.1"))
        self.assertTrue(self.dns.asked("auto.test", AAAA))
        self.assertEqual(hosts(self.plane, "v6"), self.at("::1"))
        self.assertFalse(self.dns.asked("v6.test", A))
        self.assertEqual(hosts(self.plane, "prefer"), self.at("127.0.0.1"))
        self.assertFalse(self.dns.asked("prefer.test", AAAA))
        self.assertEqual(hosts(self.plane, "prefer6"), self.at("::1"))
        self.assertEqual(hosts(self.plane, "all"), self.at("127.0.0.1", "::1"))

    def test_an_address_that_refuses_leaves_the_others(self):
        self.assertEqual(self.served_by("eyes"), "a")
        self.assertEqual(self.served_by("several"), "a")

    def test_an_address_is_a_name_of_itself(self):
        self.assertEqual(self.served_by("literal"), "a")

    def test_answers_that_do_not_fit_come_by_tcp(self):
        self.assertEqual(self.served_by("large"), "a")
        self.assertEqual({one.transport for one in self.dns.asked("large.test")}, {"udp", "tcp"})
        self.assertEqual(self.served_by("tcp"), "a")
        self.assertEqual({one.transport for one in self.dns.asked("tcp.test")}, {"tcp"})

    def test_lies_change_nothing_and_are_counted(self):
        before = {name: self.stat(name, "update_failure") for name in self.lies}
        changes = {name: self.stat(name, "membership_change") for name in self.lies}
        for name, lie in zip(self.lies, LIES):
            self.dns.set(f"{name}.test", a=["127.0.0.2"], lie=lie)
        for name, lie in zip(self.lies, LIES):
            with self.subTest(lie=lie):
                wait_for(lambda name=name: self.stat(name, "update_failure") > before[name], f"the lie: {lie}")
                self.assertEqual(hosts(self.plane, name), self.at("127.0.0.1"))
                self.assertEqual(self.stat(name, "membership_change"), changes[name])
                self.assertEqual(self.served_by(name), "a")
        for name in self.lies:
            self.dns.set(f"{name}.test", a=["127.0.0.2"])
        for name in self.lies:
            wait_for(lambda name=name: hosts(self.plane, name) == self.at("127.0.0.2"), f"{name} to tell the truth")


if __name__ == "__main__":
    unittest.main()
