"""The DNS proxy of weft-proxy: names of the table, forwarding, and resolvers that lie. Envoy has none: Istio's agent has it."""
import json
import os
import socket
import struct
import tempfile
import threading
import unittest

from meshtest import dns
from meshtest.ads import NAMES, ControlPlane
from meshtest.bootstrap import ads_bootstrap, bootstrap
from meshtest.data_plane import DataPlane, our_program, weft_only
from meshtest.process import run
from meshtest.protos import our_protos
from meshtest.wait import holds_for, wait_for

NODE = "sidecar~10.0.0.9~client.default~default.svc.cluster.local"


class Case(unittest.TestCase):
    def resolver(self, reply):
        resolver = dns.Resolver(reply)
        self.addCleanup(resolver.close)
        return resolver

    def resolv_conf(self, *resolvers, search="default.svc.cluster.local svc.cluster.local", timeout=1):
        folder = tempfile.mkdtemp(prefix="weft-dns-")
        path = os.path.join(folder, "resolv.conf")
        self.write_resolv_conf(path, *resolvers, search=search, timeout=timeout)
        return path

    @staticmethod
    def write_resolv_conf(path, *resolvers, search="default.svc.cluster.local", timeout=1):
        lines = [f"nameserver [{host}]:{port}" for host, port in resolvers]
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, f"search {search}", f"options timeout:{timeout} attempts:1"]) + "\n")
        os.rename(path + ".part", path)

    def node(self, path, **metadata):
        self.server = ("127.0.0.1", dns.free_port())
        return {"id": NODE, "cluster": "client", "metadata": {
            "DNS_CAPTURE": "true", "DNS_PROXY_ADDR": f"127.0.0.1:{self.server[1]}", "DNS_RESOLV_CONF": path, **metadata}}

    def proxy(self, *resolvers, **options):
        """One that only forwards: no control plane, no table."""
        proxy = DataPlane(bootstrap(node=self.node(self.resolv_conf(*resolvers, **options))))
        self.addCleanup(proxy.stop)
        return proxy


def fixed(ip="192.0.2.1", ttl=60):
    """A resolver that knows every name."""
    def reply(data, _):
        read = dns.Message(data)
        return dns.answer(data, [dns.address(read.questions[0][0], ip, ttl)] if read.questions[0][1] == dns.A else [])
    return reply


@weft_only("Istio's agent has the DNS proxy, not Envoy")
class Forwarding(Case):
    def test_answers_are_passed_on_and_remembered(self):
        upstream = self.resolver(fixed())
        proxy = self.proxy(upstream.address)
        first = dns.ask(self.server, "Www.Example.COM")
        self.assertEqual((["192.0.2.1"], dns.NOERROR), (first.addresses, first.code))
        self.assertEqual("Www.Example.COM", first.questions[0][0], "case is kept")
        second = dns.ask(self.server, "wWW.example.com")
        self.assertEqual([("wWW.example.com", dns.A)], second.questions)
        self.assertEqual("wWW.example.com", second.answers[0][0])
        self.assertEqual(["192.0.2.1"], second.addresses)
        self.assertEqual(1, len(upstream.asked), "the second came from the cache")
        self.assertEqual([], dns.ask(self.server, "www.example.com", dns.AAAA).answers)
        self.assertEqual(2, len(upstream.asked))
        wait_for(lambda: proxy.stat("dns_requests_total") == 3, "three requests")
        self.assertEqual(2, proxy.stat("dns_upstream_requests_total"))
        self.assertEqual(1, proxy.stat("dns_cache_hits_total"))
        self.assertEqual(0, proxy.stat("dns_upstream_failures_total"))
        self.assertIn("dns_upstream_request_duration_milliseconds", proxy.admin("/stats").text)

    def test_times_to_live_and_denials(self):
        def reply(data, _):
            name = dns.Message(data).questions[0][0]
            if name.startswith("gone"):
                return dns.answer(data, authorities=[dns.soa("example.com", 60)], code=dns.NXDOMAIN)
            if name.startswith("void"):
                return dns.answer(data, code=dns.NXDOMAIN)
            return dns.answer(data, [dns.address(name, "192.0.2.7", 0)])
        upstream = self.resolver(reply)
        self.proxy(upstream.address)
        for name, times in (("gone.example.com", 1), ("void.example.com", 3), ("short.example.com", 3)):
            answers = [dns.ask(self.server, name) for _ in range(3)]
            self.assertEqual(times, upstream.names().count(name), name)
            self.assertEqual({dns.NOERROR if name.startswith("short") else dns.NXDOMAIN}, {answer.code for answer in answers})

    def test_the_next_resolver_is_asked(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            nobody = ("127.0.0.1", dns.free_port())
            broken = self.resolver(lambda data, _: dns.answer(data, code=dns.SERVFAIL))
            good = self.resolver(fixed("192.0.2.2"))
            proxy = self.proxy(nobody, broken.address, mute.getsockname(), good.address)
            self.assertEqual(["192.0.2.2"], dns.ask(self.server, "a.example.com").addresses)
            self.assertEqual(1, len(broken.asked))
            good.close()
            self.assertEqual(dns.SERVFAIL, dns.ask(self.server, "b.example.com").code)
            self.assertEqual(0, proxy.stat("dns_upstream_failures_total"), "somebody said something")

    def test_nobody_answers(self):
        proxy = self.proxy(("127.0.0.1", dns.free_port()))
        self.assertEqual(dns.SERVFAIL, dns.ask(self.server, "a.example.com").code)
        self.assertEqual(1, proxy.stat("dns_upstream_failures_total"))

    def test_cut_answers_are_fetched_over_tcp(self):
        many = [f"10.0.{i // 250}.{i % 250}" for i in range(300)]

        def reply(data, stream):
            name = dns.Message(data).questions[0][0]
            if not stream:
                return dns.answer(data, [dns.address(name, "10.9.9.9")], flags=0x8380)
            return dns.answer(data, [dns.address(name, ip) for ip in many])
        upstream = self.resolver(reply)
        self.proxy(upstream.address)
        cut = dns.ask(self.server, "many.example.com")
        self.assertTrue(cut.truncated)
        self.assertLessEqual(len(cut.data), 512)
        self.assertTrue(set(cut.addresses) <= set(many), "nothing of the cut answer is passed on")
        large = dns.ask(self.server, "many.example.com", edns=4096)
        self.assertTrue(large.truncated and large.edns)
        self.assertGreater(len(large.data), 512)
        whole, = dns.ask_stream(self.server, dns.query("many.example.com"))
        self.assertFalse(whole.truncated)
        self.assertEqual(set(many), set(whole.addresses))
        self.assertEqual([False, True], [stream for _, _, stream, _, _ in upstream.asked])

    def test_ids_and_ports_differ_each_time(self):
        upstream = self.resolver(fixed())
        self.proxy(upstream.address)
        for i in range(40):
            dns.ask(self.server, f"n{i}.example.com", number=7)
        self.assertGreater(len({port for *_, port, _ in upstream.asked}), 30)
        self.assertGreater(len({number for *_, number in upstream.asked}), 30)

    def test_equal_questions_are_asked_once(self):
        go = threading.Event()

        def reply(data, stream):
            go.wait(10)
            return fixed()(data, stream)
        upstream = self.resolver(reply)
        proxy = self.proxy(upstream.address, timeout=10)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(self.server)
            for number in range(50):
                client.send(dns.query("same.example.com", number=number))
            proxy.wait_stat("dns_requests_total", 50)
            go.set()
            answers = [dns.Message(client.recv(65535)) for _ in range(50)]
        self.assertEqual(set(range(50)), {answer.id for answer in answers})
        self.assertEqual(1, len(upstream.asked))

    def test_a_changed_resolv_conf_is_read(self):
        one, two = self.resolver(fixed("192.0.2.1")), self.resolver(fixed("192.0.2.2"))
        path = self.resolv_conf(one.address)
        proxy = DataPlane(bootstrap(node=self.node(path)))
        self.addCleanup(proxy.stop)
        self.assertEqual(["192.0.2.1"], dns.ask(self.server, "a.example.com").addresses)
        self.write_resolv_conf(path, two.address)
        wait_for(lambda: dns.ask(self.server, "a.example.com").addresses == ["192.0.2.2"], "the other resolver")

    def test_storms_are_bounded(self):
        """More names than may be out at a time, and nobody answers: who is too many is told at once, and all is well afterwards."""
        silent = [True]
        upstream = self.resolver(lambda data, stream: None if silent[0] and b"storm" in data else fixed()(data, stream))
        proxy = self.proxy(upstream.address, timeout=3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(self.server)
            for burst in range(60):
                for i in range(20):
                    client.send(dns.query(f"storm-{burst}-{i}.example.com"))
                proxy.wait_stat("dns_requests_total", (burst + 1) * 20 - 60)
            proxy.wait_stat("dns_overflow_total", 100)
        silent[0] = False
        wait_for(lambda: dns.ask(self.server, "calm.example.com").addresses == ["192.0.2.1"], "an answer after the storm")


@weft_only("Istio's agent has the DNS proxy, not Envoy")
class Lies(Case):
    def lie(self, *replies, then=None):
        """What a client gets if the resolver says `replies` first, and then, if at all, the truth."""
        def reply(data, _):
            name = dns.Message(data).questions[0][0]
            said = [one(data, name) for one in replies]
            return said + ([dns.answer(data, [dns.address(name, then)])] if then else [])
        upstream = self.resolver(reply)
        proxy = self.proxy(upstream.address)
        answer = dns.ask(self.server, "victim.example.com")
        return answer, proxy

    def assert_disbelieved(self, *replies):
        answer, proxy = self.lie(*replies, then="192.0.2.1")
        self.assertEqual(["192.0.2.1"], answer.addresses)
        self.assertEqual(len(replies), proxy.stat("dns_upstream_invalid_responses_total"))

    def test_wrong_ids_and_questions(self):
        evil = "203.0.113.66"
        self.assert_disbelieved(
            lambda data, name: dns.answer(data, [dns.address(name, evil)], number=(struct.unpack(">H", data[:2])[0] + 1) % 65536),
            lambda data, name: dns.answer(dns.query("other.example.com", number=struct.unpack(">H", data[:2])[0]), [dns.address(name, evil)]),
            lambda data, name: dns.answer(dns.query(name, dns.AAAA, number=struct.unpack(">H", data[:2])[0]), [dns.address(name, evil)]),
            lambda data, name: dns.answer(data, [dns.address(name, evil)], flags=0x0180),  # no response at all
            lambda data, name: dns.answer(data, [dns.address(name, evil)], flags=0x8980))  # another opcode

    def test_garbage(self):
        self.assert_disbelieved(
            lambda data, name: b"",
            lambda data, name: b"\0" * 5,
            lambda data, name: os.urandom(12),
            lambda data, name: dns.answer(data, [dns.address(name, "203.0.113.66")])[:-1],
            lambda data, name: dns.answer(data, [dns.address(name, "203.0.113.66")]) + b"more",
            lambda data, name: dns.answer(data, [b"\xc0\xff" + dns.address("", "203.0.113.66")[1:]]),  # a name that points forward
            lambda data, name: dns.answer(data, [b"\1a\xc0" + bytes([len(data)]) + dns.address("", "203.0.113.66")[1:]]),  # in a circle
            lambda data, name: dns.answer(data, [dns.record(name, dns.A, 60, b"12345")]),
            lambda data, name: dns.answer(data, [b"\x3faaa" * 70]))

    def test_from_another_address(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            upstream = self.resolver(lambda data, _: None)

            def reply(data, _):
                name, *_, port, _ = upstream.asked[-1]
                other.sendto(dns.answer(data, [dns.address(name, "203.0.113.66")]), ("127.0.0.1", port))
                wait_for(lambda: proxy.stat("dns_upstream_invalid_responses_total") == 1, "the stranger's answer, disbelieved")
                return dns.answer(data, [dns.address(name, "192.0.2.1")])
            proxy = self.proxy(upstream.address, timeout=10)
            upstream.reply = reply
            self.assertEqual(["192.0.2.1"], dns.ask(self.server, "victim.example.com").addresses)

    def test_nothing_but_lies(self):
        answer, proxy = self.lie(lambda data, name: b"garbage")
        self.assertEqual((dns.SERVFAIL, []), (answer.code, answer.answers))
        self.assertEqual(1, proxy.stat("dns_upstream_failures_total"))

    def test_over_tcp(self):
        def reply(data, stream):
            name = dns.Message(data).questions[0][0]
            if not stream:
                return dns.answer(data, flags=0x8380)
            return {"cut": dns.answer(data, [dns.address(name, "203.0.113.66")], flags=0x8380),
                    "id": dns.answer(data, [dns.address(name, "203.0.113.66")], number=0),
                    "none": None}[name.partition(".")[0]]
        upstream = self.resolver(reply)
        self.proxy(upstream.address)
        for name in ("cut", "none"):
            answer = dns.ask(self.server, f"{name}.example.com")
            self.assertEqual((dns.SERVFAIL, []), (answer.code, answer.answers), name)

    def test_clients_that_lie(self):
        upstream = self.resolver(fixed())
        proxy = self.proxy(upstream.address)
        good = dns.query("a.example.com", number=9)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.connect(self.server)
            client.send(b"")
            client.send(b"short")
            client.send(dns.answer(good, [dns.address("a.example.com", "1.2.3.4")]))  # a response: nobody answers those
            for size in range(13, len(good)):
                client.send(good[:size])
                cut = dns.Message(client.recv(65535))
                self.assertEqual((9, dns.FORMERR, []), (cut.id, cut.code, cut.questions), size)
            for data, code in ((dns.query("a.b", flags=0x2900), dns.NOTIMP), (dns.query("a.b", 252), dns.REFUSED),
                               (struct.pack(">HHHHHH", 1, 0x100, 0, 0, 0, 0), dns.SERVFAIL),
                               (struct.pack(">HHHHHH", 1, 0x100, 2, 0, 0, 0) + b"\0\0\1\0\1" * 2, dns.FORMERR)):
                client.send(data)
                self.assertEqual(code, dns.Message(client.recv(65535)).code)
            client.send(good)
            self.assertEqual(["192.0.2.1"], dns.Message(client.recv(65535)).addresses)
        self.assertEqual(2 + len(good) - 13 + 1, proxy.stat("dns_malformed_requests_total"))
        with socket.create_connection(self.server, 10) as client:
            client.sendall(struct.pack(">H", 5) + b"short")
            self.assertEqual(b"", client.recv(1), "no DNS: the connection ends")
        with socket.create_connection(self.server, 10) as slow:
            for byte in struct.pack(">H", len(good)) + good:
                slow.sendall(bytes([byte]))
            self.assertEqual(["192.0.2.1"], dns.Message(dns.read_framed(slow)).addresses)


@weft_only("Istio's agent has the DNS proxy, not Envoy")
class Loops(Case):
    def test_its_own_address_is_not_asked(self):
        path = self.resolv_conf()
        node = self.node(path)
        self.write_resolv_conf(path, self.server)
        proxy = DataPlane(bootstrap(node=node))
        self.addCleanup(proxy.stop)
        self.assertEqual(dns.SERVFAIL, dns.ask(self.server, "a.example.com").code)
        self.assertEqual(0, proxy.stat("dns_upstream_requests_total"))
        self.assertIn("is this DNS proxy itself", proxy.program.output())

    def test_a_captured_query_of_its_own_is_refused(self):
        """What the proxy sends comes back to it, port and id and all, as rules that capture it, too, would have it."""
        upstream = self.resolver(lambda data, _: None)
        proxy = self.proxy(upstream.address)

        def reply(data, _):
            *_, port, _ = upstream.asked[-1]
            # To the proxy's port, from the port of its own query: that socket is bound, so the packet is made by hand.
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
                raw.sendto(struct.pack(">HHHH", port, self.server[1], 8 + len(data), 0) + data, ("127.0.0.1", 0))
            return None
        upstream.reply = reply
        if os.geteuid() != 0:
            self.skipTest("raw sockets are for root")
        self.assertEqual(dns.SERVFAIL, dns.ask(self.server, "a.example.com").code)
        self.assertEqual(1, proxy.stat("dns_loops_total"))
        self.assertEqual(1, len(upstream.asked))


@weft_only("Istio's agent has the DNS proxy, not Envoy")
class Tables(Case):
    TABLE = {"table": {
        "web.default.svc.cluster.local": {"ips": ["10.0.0.1"], "registry": "Kubernetes", "shortname": "web", "namespace": "default"},
        "many.default.svc.cluster.local": {"ips": [f"10.0.1.{i}" for i in range(8)], "registry": "Kubernetes", "shortname": "many",
                                           "namespace": "default"},
        "*.wild.example.com": {"ips": ["240.240.0.7"], "registry": "External"},
        "six.example.com": {"ips": ["2001:2::1"], "registry": "External"}}}

    def start(self, delta):
        self.control = ControlPlane(our_protos())
        self.addCleanup(self.control.stop)
        self.upstream = self.resolver(fixed())
        node = self.node(self.resolv_conf(self.upstream.address))
        proxy = DataPlane(ads_bootstrap(self.control.address, delta=delta, node=node))
        self.addCleanup(proxy.stop)
        return proxy

    def body(self, delta):
        proxy = self.start(delta)
        self.assertEqual(dns.SERVFAIL, dns.ask(self.server, "www.example.com").code, "nothing is said before the table is there")
        self.control.set(NAMES, self.TABLE)
        wait_for(lambda: dns.ask(self.server, "web").addresses == ["10.0.0.1"], "the table")
        self.control.wait_acked(NAMES)
        self.assertEqual(4, proxy.stat("dns_hosts"))
        for name in ("web.default", "WEB.default.svc", "web.default.svc.cluster.local"):
            answer = dns.ask(self.server, name)
            self.assertEqual((["10.0.0.1"], name, 30), (answer.addresses, answer.answers[0][0], answer.answers[0][2]))
            self.assertTrue(answer.authoritative)
        none = dns.ask(self.server, "web", dns.AAAA)
        self.assertEqual((dns.NOERROR, []), (none.code, none.answers))
        self.assertEqual(["2001:2::1"], dns.ask(self.server, "six.example.com", dns.AAAA).addresses)
        self.assertEqual(["240.240.0.7"], dns.ask(self.server, "a.wild.example.com").addresses)
        expanded = dns.ask(self.server, "six.example.com.default.svc.cluster.local", dns.AAAA)
        self.assertEqual([("six.example.com.default.svc.cluster.local", dns.CNAME, 30, "six.example.com"),
                          ("six.example.com", dns.AAAA, 30, "2001:2::1")], expanded.answers)
        self.assertEqual(["192.0.2.1"], dns.ask(self.server, "www.example.com").addresses)
        self.assertEqual(["www.example.com"], self.upstream.names())
        # A bad one leaves all as it is, and is refused by name.
        before = len(self.control.nacks(NAMES))
        self.control.set(NAMES, {"table": {"web.default.svc.cluster.local": {"ips": ["10.0.0.1", "nonsense"]}}})
        nack = self.control.wait_nack(NAMES, before + 1)
        self.assertIn('table["web.default.svc.cluster.local"].ips[1]: found "nonsense", expected an IP address', nack.error)
        self.assertEqual(["10.0.0.1"], dns.ask(self.server, "web").addresses)
        # Without a control plane the last table serves.
        self.control.stop()
        holds_for(lambda: dns.ask(self.server, "web").addresses == ["10.0.0.1"], "the last table")
        self.control.start()
        self.control.set(NAMES, {"table": {"web.default.svc.cluster.local": {
            "ips": ["10.0.0.2"], "registry": "Kubernetes", "shortname": "web", "namespace": "default"}}})
        wait_for(lambda: dns.ask(self.server, "web").addresses == ["10.0.0.2"], "the new table")
        self.assertEqual(["192.0.2.1"], dns.ask(self.server, "six.example.com").addresses, "not of the mesh any more")

    def test_state_of_the_world(self):
        self.body(False)

    def test_delta(self):
        self.body(True)

    def test_addresses_take_turns(self):
        self.start(False)
        self.control.set(NAMES, self.TABLE)
        wait_for(lambda: len(dns.ask(self.server, "many").addresses) == 8, "the table")
        answers = [dns.ask(self.server, "many").addresses for _ in range(100)]
        self.assertEqual({frozenset(answers[0])}, {frozenset(one) for one in answers})
        self.assertGreater(len({one[0] for one in answers}), 4, "the first is another each time")

    def test_streams(self):
        self.start(False)
        self.control.set(NAMES, self.TABLE)
        wait_for(lambda: dns.ask(self.server, "web").addresses, "the table")
        names = ["web", "a.example.com", "many", "b.example.com"] * 20
        answers = dns.ask_stream(self.server, *(dns.query(name, number=i) for i, name in enumerate(names)))
        self.assertEqual({i: name for i, name in enumerate(names)}, {one.id: one.questions[0][0] for one in answers})
        self.assertTrue(all(one.addresses for one in answers))


@weft_only("Istio's agent has the DNS proxy, not Envoy")
class Settings(Case):
    def run_with(self, node, *flags):
        """The exit code and what was printed."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(bootstrap(node=node), file)
            file.flush()
            return run([our_program("weft-proxy"), "-c", file.name, *flags])

    def test_wrong_metadata_is_refused(self):
        for metadata, text in (({"DNS_CAPTURE": "maybe"}, 'node.metadata.DNS_CAPTURE: found "maybe", expected true or false'),
                               ({"DNS_CAPTURE": True, "DNS_PROXY_ADDR": "nowhere"},
                                'node.metadata.DNS_PROXY_ADDR: found "nowhere", expected HOST:PORT')):
            code, output = self.run_with({"id": NODE, "cluster": "c", "metadata": metadata}, "--mode", "validate")
            self.assertNotEqual(0, code)
            self.assertIn(text, output)

    def test_a_taken_port_ends_the_start(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            node = self.node("/dev/null")
            taken.bind(self.server)
            code, output = self.run_with(node)
        self.assertEqual(1, code, output)
        self.assertIn(f"cannot bind 127.0.0.1:{self.server[1]}: Address already in use", output)

    def test_off_by_default(self):
        node = self.node("/dev/null")
        del node["metadata"]["DNS_CAPTURE"]
        proxy = DataPlane(bootstrap(node=node))
        self.addCleanup(proxy.stop)
        with self.assertRaises(OSError):
            dns.ask(self.server, "a.example.com", timeout=1)
        self.assertNotIn("dns_requests_total", proxy.admin("/stats").text)


if __name__ == "__main__":
    unittest.main()
