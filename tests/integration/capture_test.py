#!/usr/bin/env python3
"""The rules of weft-init at work in real network namespaces, with each of the backends. A small relay stands in for the proxy: it listens
where a proxy would and tells where each connection was going."""
import shutil
import socket
import threading
import unittest

from meshtest.data_plane import our_program
from meshtest.pods import (APP, PROXY, SO_MARK, Node, Server, main, original_destination, read_all, require_pods, require_rules,
                           set_transparent)
from meshtest.process import run

SIDECAR = ("-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020")
BOTH = (*SIDECAR, "--dual-stack")


def place(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Relay:
    """Listens on 15001 and 15006 as the proxy's user and says which port took a connection to where, and from whom."""

    def __init__(self, pod, transparent=False):
        for any_address in ("0.0.0.0", "::"):
            pod.serve((any_address, 15001), self._told(15001, False), uid=PROXY)
            pod.serve((any_address, 15006), self._told(15006, transparent), uid=PROXY, transparent=transparent)

    @staticmethod
    def _told(port, transparent):
        def answer(connection, peer):
            going = connection.getsockname()[:2] if transparent else original_destination(connection)
            return f"proxy {port} for {place(*going)} from {peer[0]}"
        return answer


class World:
    """Two pods, one of which gets rules; a class for each backend is below."""
    BACKEND = ()
    PROGRAMS = ()

    @classmethod
    def setUpClass(cls):
        require_pods()
        require_rules(*cls.PROGRAMS)

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
        self.pod, self.peer = self.node.pod("pod"), self.node.pod("peer")
        # An application in each that says who it is and who calls.
        for pod in (self.pod, self.peer):
            for host in ("0.0.0.0", "::"):
                for port in (8080, 9090, 5432, 15090, 15008, 53):
                    pod.serve((host, port), lambda _, peer, pod=pod, port=port: f"{pod.name} {port} from {peer[0]}")

    def init(self, *flags):
        return self.pod.init(*flags, *self.BACKEND)

    def apply(self, *flags):
        code, text = self.init(*BOTH, *flags)
        self.assertEqual(0, code, text)
        self.assertEqual(0, self.init("check", *BOTH, *flags)[0])
        return text

    def everything(self):
        """All rules and routes of the pod, of whatever tool."""
        told = ""
        for save in ("iptables-legacy-save", "iptables-nft-save", "ip6tables-legacy-save", "ip6tables-nft-save"):
            code, text = self.pod.run(save)
            told += "".join(line + "\n" for line in text.splitlines() if code == 0 and line.startswith("-A"))
            told += "".join(line + "\n" for line in text.splitlines() if code == 0 and line.startswith(":ISTIO"))
        code, text = self.pod.run("nft", "-s", "list", "tables", "inet")
        told += text if code == 0 else ""
        return told + self.pod.check("ip", "rule") + self.pod.check("ip", "-6", "rule")


class Traffic(World):
    """Where connections go."""

    # -- outbound

    def test_outbound_is_captured_but_not_the_proxys(self):
        Relay(self.pod)
        self.apply()
        for ip, own in ((self.peer.ip, self.pod.ip), (self.peer.ip6, self.pod.ip6)):
            with self.subTest(ip):
                self.assertEqual(f"proxy 15001 for {place(ip, 8080)} from {own}", self.pod.ask((ip, 8080)))
                self.assertEqual(f"peer 8080 from {own}", self.pod.ask((ip, 8080), uid=PROXY))
                self.assertEqual(f"peer 8080 from {own}", self.pod.ask((ip, 8080), uid=0, gid=PROXY))

    def test_loopback_and_self_calls(self):
        Relay(self.pod)
        self.apply()
        for localhost, own, bound in (("127.0.0.1", self.pod.ip, "127.0.0.6"), ("::1", self.pod.ip6, None)):
            with self.subTest(own):
                self.assertEqual(f"pod 8080 from {localhost}", self.pod.ask((localhost, 8080)))
                self.assertEqual(f"pod 8080 from {localhost}", self.pod.ask((localhost, 8080), uid=PROXY))
                self.assertEqual(f"pod 8080 from {own}", self.pod.ask((own, 8080)))
                # The proxy as the client of its own pod: it is its server, too.
                self.assertEqual(f"proxy 15006 for {place(own, 8080)} from {own}", self.pod.ask((own, 8080), uid=PROXY))
                self.assertEqual(f"pod 15008 from {own}", self.pod.ask((own, 15008), uid=PROXY))
                # And on its way to the application.
                if bound:
                    self.assertEqual(f"pod 8080 from {bound}", self.pod.ask((own, 8080), uid=PROXY, source=bound))

    def test_outbound_exclusions(self):
        Relay(self.pod)
        self.apply("-o", "5432", "-x", "10.77.0.1/32,fd77::1/128")
        self.node_server(8080)
        for peer, node in ((self.peer.ip, "10.77.0.1"), (self.peer.ip6, "fd77::1")):
            with self.subTest(peer):
                self.assertIn("proxy 15001", self.pod.ask((peer, 8080)))
                self.assertIn("peer 5432", self.pod.ask((peer, 5432)))
                self.assertIn("node 8080", self.pod.ask((node, 8080)))

    def node_server(self, port):
        """Someone outside of all pods."""
        class Outside:
            """The node, where this file runs, in the place of a pod."""
            socket = staticmethod(lambda family, **_: socket.socket(family))

        for host in ("10.77.0.1", "fd77::1"):
            server = Server(Outside, (host, port), lambda _, peer: f"node {port} from {peer[0]}")
            self.addCleanup(server.close)

    def test_outbound_inclusions(self):
        Relay(self.pod)
        self.apply("-i", "10.96.0.0/12", "-q", "9090")
        self.assertIn("peer 8080", self.pod.ask((self.peer.ip, 8080)))
        self.assertEqual(f"proxy 15001 for {place(self.peer.ip, 9090)} from {self.pod.ip}", self.pod.ask((self.peer.ip, 9090)))
        self.assertEqual(f"proxy 15001 for 10.96.0.1:80 from {self.pod.ip}", self.pod.ask(("10.96.0.1", 80)))

    def test_owner_groups(self):
        Relay(self.pod)
        self.apply("--owner-groups-include", "2000,2001")
        self.assertIn("peer 8080", self.pod.ask((self.peer.ip, 8080)))
        self.assertIn("proxy 15001", self.pod.ask((self.peer.ip, 8080), gid=2001))
        self.apply("--reconcile", "--owner-groups-exclude", "2000")
        self.assertIn("proxy 15001", self.pod.ask((self.peer.ip, 8080)))
        self.assertIn("peer 8080", self.pod.ask((self.peer.ip, 8080), gid=2000))

    def test_ipv6_is_left_alone_beside_ipv4(self):
        """As istio-init has it, unless it is told that the pod has two stacks."""
        Relay(self.pod)
        self.assertEqual(0, self.init(*SIDECAR)[0])
        self.assertIn("proxy 15001", self.pod.ask((self.peer.ip, 8080)))
        self.assertEqual(f"peer 8080 from {self.pod.ip6}", self.pod.ask((self.peer.ip6, 8080)))
        self.assertEqual(f"pod 8080 from {self.peer.ip6}", self.peer.ask((self.pod.ip6, 8080)))
        self.pod.check("ip", "-4", "addr", "flush", "dev", "eth0")
        self.assertEqual(0, self.init(*SIDECAR, "--reconcile")[0])
        self.assertIn("proxy 15001", self.pod.ask((self.peer.ip6, 8080)))

    # -- inbound

    def test_inbound_is_captured_with_exclusions(self):
        Relay(self.pod)
        self.apply("-d", "15090,9090")
        for ip, peer in ((self.pod.ip, self.peer.ip), (self.pod.ip6, self.peer.ip6)):
            with self.subTest(ip):
                self.assertEqual(f"proxy 15006 for {place(ip, 8080)} from {peer}", self.peer.ask((ip, 8080)))
                for port in (15090, 9090, 15008):
                    self.assertEqual(f"pod {port} from {peer}", self.peer.ask((ip, port)))

    def test_inbound_ports_listed(self):
        Relay(self.pod)
        self.apply("-b", "9090,5432")
        self.assertIn("pod 8080", self.peer.ask((self.pod.ip, 8080)))
        self.assertIn("proxy 15006", self.peer.ask((self.pod.ip, 9090)))
        self.assertIn("proxy 15006", self.peer.ask((self.pod.ip6, 5432)))

    def test_virtual_and_excluded_interfaces(self):
        Relay(self.pod)
        self.apply("-k", "eth0")
        self.assertIn(f"proxy 15001 for {place(self.pod.ip, 8080)}", self.peer.ask((self.pod.ip, 8080)))
        self.apply("--reconcile", "-c", "eth0")
        self.assertIn("pod 8080", self.peer.ask((self.pod.ip, 8080)))
        self.assertIn("peer 8080", self.pod.ask((self.peer.ip, 8080)))

    # -- DNS

    def question(self, server, uid=APP):
        with self.pod.socket(kind=socket.SOCK_DGRAM, uid=uid) as asking:
            asking.connect((server, 53))
            asking.send(b"who")
            return asking.recv(100).decode()

    def answer_questions(self, pod, address, uid, text):
        answering = pod.keep(pod.socket(kind=socket.SOCK_DGRAM, uid=uid, timeout=None))
        answering.bind(address)

        def serve():
            while True:
                try:
                    asked, client = answering.recvfrom(100)
                except OSError:
                    return
                if asked:
                    answering.sendto(text.encode(), client)
        threading.Thread(target=serve, daemon=True).start()

    def dns_servers(self):
        self.answer_questions(self.pod, ("127.0.0.1", 15053), PROXY, "proxy")  # where redirected questions arrive
        self.answer_questions(self.peer, (self.peer.ip, 53), APP, "peer")
        self.pod.serve(("0.0.0.0", 15053), lambda *_: "proxy", uid=PROXY)

    def test_dns_to_the_servers_of_the_pod(self):
        self.dns_servers()
        self.apply("-i", "", "--redirect-dns", "--dns-servers", "10.96.0.10")
        self.assertEqual("proxy", self.question("10.96.0.10"))
        self.assertEqual("proxy", self.pod.ask(("10.96.0.10", 53)))
        self.assertEqual("peer", self.question(self.peer.ip))  # another server

    def test_dns_to_any_server(self):
        self.dns_servers()
        self.apply("-i", "", "--redirect-dns", "--capture-all-dns")
        self.assertEqual("proxy", self.question(self.peer.ip))
        self.assertEqual("proxy", self.pod.ask((self.peer.ip, 53)))
        # The proxy's own, over UDP and TCP.
        self.assertEqual("peer", self.question(self.peer.ip, uid=PROXY))
        self.assertIn("peer 53", self.pod.ask((self.peer.ip, 53), uid=PROXY))

    # -- TPROXY

    def test_tproxy_keeps_the_client(self):
        """The relay takes a connection with the client's address and goes on to the application with it."""
        def onward(connection, peer):
            going = connection.getsockname()
            out = self.pod.socket(connection.family, uid=PROXY)
            set_transparent(out)
            out.setsockopt(socket.SOL_SOCKET, SO_MARK, 1337)
            out.bind((peer[0], 0))
            with out:
                out.connect(going)
                return f"proxy for {place(*going[:2])}, " + read_all(out)

        for host in ("0.0.0.0", "::"):
            self.pod.serve((host, 15006), onward, uid=PROXY, transparent=True)
        self.apply("-m", "TPROXY")
        for ip, peer in ((self.pod.ip, self.peer.ip), (self.pod.ip6, self.peer.ip6)):
            with self.subTest(ip):
                self.assertEqual(f"proxy for {place(ip, 8080)}, pod 8080 from {peer}", self.peer.ask((ip, 8080)))
                self.assertEqual(f"pod 15090 from {peer}", self.peer.ask((ip, 15090)))
        # The application at its own address, and a call to itself by the proxy.
        self.assertEqual(f"pod 8080 from {self.pod.ip}", self.pod.ask((self.pod.ip, 8080)))
        self.assertEqual(f"proxy for {place(self.pod.ip, 8080)}, pod 8080 from {self.pod.ip}",
                         self.pod.ask((self.pod.ip, 8080), uid=PROXY))


class Life(World):
    """What weft-init does about rules that are there."""

    def test_twice_is_once_and_changes_are_asked_for(self):
        self.apply()
        before = self.everything()
        self.assertIn("in force already", self.apply())
        self.assertEqual(before, self.everything())
        code, text = self.init(*BOTH, "-o", "5432")
        self.assertEqual(1, code)
        self.assertIn("nothing was changed (--reconcile replaces them)", text)
        self.assertRegex(text, r"\+ .*dport 5432")
        self.assertEqual(before, self.everything())
        self.assertEqual(1, self.init("check", *BOTH, "-o", "5432")[0])
        self.apply("-o", "5432", "--reconcile")
        self.assertEqual(0, self.init(*BOTH, "--force-apply")[0])
        self.assertEqual(sorted(before.splitlines()), sorted(self.everything().splitlines()))

    def test_clean_up_removes_ours_alone(self):
        for table, chain in (("nat", "PREROUTING"), ("nat", "OUTPUT"), ("mangle", "OUTPUT")):
            if shutil.which("iptables"):
                self.pod.check("iptables", "-t", table, "-A", chain, "-o" if chain == "OUTPUT" else "-i", "other0", "-j", "RETURN")
        before = self.everything()
        for flags in ((), ("-m", "TPROXY", "-c", "eth1", "--drop-invalid"), ("--redirect-dns", "--capture-all-dns", "-k", "eth2")):
            with self.subTest(flags):
                self.apply(*flags)
                self.assertNotEqual(before, self.everything())
                code, text = self.init("--cleanup-only")
                self.assertEqual(0, code, text)
                self.assertEqual(before, self.everything())

    def test_nothing_is_changed_by_bad_flags_or_dry_runs(self):
        before = self.everything()
        code, text = self.init(*SIDECAR, "-b", "http")
        self.assertEqual(2, code)
        self.assertIn('--istio-inbound-ports: found "http"', text)
        code, text = self.init(*SIDECAR, "-m", "TPROXY", "--dry-run")
        self.assertEqual(0, code, text)
        self.assertIn("fwmark 1337", text)
        self.assertEqual(before, self.everything())

    def test_validation(self):
        code, text = self.init(*SIDECAR, "--run-validation", "--skip-rule-apply", "--probe-timeout", "1s")
        self.assertEqual(126, code, text)
        self.assertIn("validation: a connection of the proxy's user to 127.0.0.6:15002 did not arrive", text)
        for flags in ((), ("-m", "TPROXY")):
            with self.subTest(flags):
                self.assertIn("is captured", self.apply(*flags, "--run-validation"))
                self.init("--cleanup-only")

    def test_another_namespace(self):
        """From outside of the pod, as a CNI plugin would."""
        outside = run([our_program("weft-init"), "--network-namespace", self.pod.path, *SIDECAR, *self.BACKEND])
        self.assertEqual(0, outside[0], outside[1])
        self.assertEqual(0, self.init("check", *SIDECAR)[0])
        self.assertEqual(1, run([our_program("weft-init"), "--network-namespace", "/nowhere", *SIDECAR])[0])


class Iptables(Traffic, Life, unittest.TestCase):
    BACKEND = ("--backend", "iptables")
    PROGRAMS = ("iptables", "ip6tables")


class IptablesLegacy(Life, unittest.TestCase):
    """The kernel does the same with these rules; other programs write and show them."""
    BACKEND = ("--backend", "iptables", "--force-iptables-binary", "legacy")
    PROGRAMS = ("iptables-legacy", "ip6tables-legacy")


class Nft(Traffic, Life, unittest.TestCase):
    BACKEND = ("--backend", "nft")
    PROGRAMS = ("nft",)


class WithoutRights(unittest.TestCase):
    """weft-init where it may not, or has nothing to do it with."""

    @classmethod
    def setUpClass(cls):
        require_pods()
        cls.node = Node()
        cls.addClassCleanup(cls.node.close)
        cls.pod = cls.node.pod("pod")

    def test_missing_capability(self):
        require_rules("nft")
        code, text = self.pod.run(our_program("weft-init"), *SIDECAR, "--backend", "nft", uid=APP)
        self.assertEqual(1, code)
        self.assertIn("needs the capabilities NET_ADMIN and NET_RAW; missing: NET_ADMIN and NET_RAW", text)

    def test_missing_programs(self):
        code, text = self.pod.run(our_program("weft-init"), *SIDECAR, env={"PATH": "/nowhere"})
        self.assertEqual(1, code)
        self.assertIn("backend iptables lacks iptables-save, iptables-restore, ip6tables-save, ip6tables-restore; backend nft lacks nft", text)


if __name__ == "__main__":
    main()
