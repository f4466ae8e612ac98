"""What configuration takes away from under a tunnel: it lives through new routes, without its cluster, on a listener that is gone; and ends
when that listener's time (--drain-time-s) is over, with all else that is still under way there."""
import signal
import threading
import unittest

from meshtest import ads
from meshtest.bootstrap import STDOUT_LOG, ads_bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, weft_only
from meshtest.frames import DATA, END_HEADERS, GOAWAY, HEADERS, RawHttp2, RST_STREAM, frame, request, settings
from meshtest.protos import our_protos
from meshtest.raw_http import Closed, Connection, fetch, is_refused, message
from meshtest.tunnel import TcpEcho, TunnelUpstream
from meshtest.upstream import Reply, Upstream
from meshtest.wait import holds_for, wait_for

WEBSOCKET = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
LOG = [{"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": (
    "LOG %REQ(X-CASE)% code=%RESPONSE_CODE% flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% route=%ROUTE_NAME%\n")}}}}]
DRAIN_SECONDS = 3
LONG = 3600


class Drain(unittest.TestCase):
    def setUp(self):
        self.host, self.other, self.tcp, self.plain = TunnelUpstream(), TunnelUpstream(), TcpEcho(), Upstream()
        self.plane = ads.ControlPlane(our_protos())
        for server in (self.host, self.other, self.tcp, self.plain):
            self.addCleanup(server.close)
        self.addCleanup(self.plane.stop)
        self.plane.set(ads.CLUSTER, *[cluster(name, server.address) for name, server in
                                      (("host", self.host), ("other", self.other), ("tcp", self.tcp), ("plain", self.plain))])
        self.plane.set(ads.ROUTES, self.table(route("/plain", "plain"), self.connect("tcp"), route("/", "host", name="first")))
        self.plane.set(ads.LISTENER, self.listen(), self.raw())

    # -- what is configured

    @staticmethod
    def connect(name):
        return {"match": {"connect_matcher": {}}, "route": {"cluster": name, "upgrade_configs": [
            {"upgrade_type": "CONNECT", "connect_config": {}}]}}

    @staticmethod
    def table(*entries):
        return routes(*entries, name="table")

    @staticmethod
    def listen(**fields):
        return listener(hcm(rds={"route_config_name": "table", "config_source": {"resource_api_version": "V3", "ads": {}}},
                            http2_protocol_options={"allow_connect": True}, upgrade_configs=[{"upgrade_type": "websocket"}],
                            access_log=LOG, **fields))

    @staticmethod
    def raw():
        return listener({"name": "envoy.filters.network.tcp_proxy",
                         "typed_config": {"@type": TCP_PROXY, "stat_prefix": "raw", "cluster": "tcp"}}, name="raw")

    def start(self, drain_seconds=LONG, flags=()):
        flush = ("--file-flush-interval-msec", "20") if data_plane_kind() == "envoy" else ()
        self.proxy = DataPlane(ads_bootstrap(self.plane.address), flags=(
            "--drain-time-s", str(drain_seconds), "--drain-strategy", "immediate", *flush, *flags))
        self.addCleanup(self.proxy.stop)
        self.address, self.raw_address = self.proxy.address(), self.proxy.address("raw")

    # -- tunnels of each kind

    def client(self, head, address=None):
        client = Connection(address or self.address)
        self.addCleanup(client.close)
        client.send(head)
        return client

    def websocket(self, case="ws", target="/ws"):
        client = self.client(message("GET", target, [*WEBSOCKET, ("x-case", case)]))
        return client, client.read_head().status

    def status(self):
        client, status = self.websocket("later")
        client.close()
        return status

    def open_all(self):
        """Name to a function that says something through a tunnel and tells whether it came back."""
        websocket, status = self.websocket()
        self.assertEqual(101, status)
        connect = self.client(b"CONNECT far.test:80 HTTP/1.1\r\nHost: far.test:80\r\nx-case: connect\r\n\r\n")
        self.assertEqual(200, connect.read_head().status)
        self.h2 = RawHttp2(self.address, settings())
        self.addCleanup(self.h2.close)
        self.h2.send(frame(HEADERS, END_HEADERS, 1, request((":protocol", "websocket"), ("x-case", "h2"), method="CONNECT", path="/ws")))
        self.h2.until(lambda kind, _, stream, __: kind == HEADERS and stream == 1)
        self.assertEqual(200, self.h2.status(1))
        raw = self.client(b"", self.raw_address)
        self.websocket_client, self.connect_client, self.raw_client = websocket, connect, raw
        tunnels = {"websocket": lambda text: self.echo(websocket, text), "connect": lambda text: self.echo(connect, text),
                   "h2": self.h2_echo, "raw": lambda text: self.echo(raw, text)}
        self.say(tunnels, b"hello")
        return tunnels

    @staticmethod
    def echo(client, text):
        client.send(text)
        return client.reader.exactly(len(text)) == text

    def h2_echo(self, text):
        self.h2.send(frame(DATA, 0, 1, text))
        got = b""
        while len(got) < len(text):
            kind, _, stream, payload = self.h2.next()
            self.assertNotIn(kind, (RST_STREAM, GOAWAY))
            got += payload if (kind, stream) == (DATA, 1) else b""
        return got == text

    def say(self, tunnels, text):
        self.assertEqual({name: True for name in tunnels}, {name: echo(text) for name, echo in tunnels.items()})

    def active(self):
        return self.proxy.stat("http.main.downstream_cx_upgrades_active")

    def log_line(self, case):
        def find():
            lines = [line for line in self.proxy.program.output().splitlines() if f"LOG {case} " in line]
            return lines[0].split(f"LOG {case} ")[1] if lines else None
        return wait_for(find, f"the log line of {case}")

    # -- what is taken away

    def test_routes(self):
        """New ones forbid what the old ones allowed, and lead elsewhere: tunnels stay what they were."""
        self.start()
        tunnels = self.open_all()
        self.plane.set(ads.ROUTES, self.table(
            route("/ws", "other", action={"upgrade_configs": [{"upgrade_type": "websocket", "enabled": False}]}, name="second")))
        wait_for(lambda: self.status() == 403, "the new routes")
        self.say(tunnels, b"behind")
        wait_for(lambda: self.active() == 3, "no other tunnel")
        self.assertEqual([], self.other.heads)
        self.websocket_client.close()
        self.assertIn("code=101 flags=DC details=downstream_remote_disconnect route=first", self.log_line("ws"))
        wait_for(lambda: self.active() == 2, "the gauge")

    def test_a_route_that_leads_elsewhere(self):
        self.start()
        tunnels = self.open_all()
        self.plane.set(ads.ROUTES, self.table(route("/", "other", name="second")))

        def elsewhere():
            client, status = self.websocket("later")
            return status == 101 and self.other.heads and client
        client = wait_for(elsewhere, "the new route")
        self.assertTrue(self.echo(client, b"through the new one"))
        self.assertIn(b"through the new one", self.other.received)
        self.say(tunnels, b"through the old one")
        self.assertNotIn(b"through the old one", self.other.received)

    def test_its_cluster(self):
        self.start()
        tunnels = self.open_all()
        self.plane.set(ads.ROUTES, self.table(route("/", "other")))
        self.plane.remove(ads.CLUSTER, "host")
        wait_for(lambda: "host" not in self.proxy.clusters(), "the cluster's end")
        self.say(tunnels, b"still there")
        self.websocket_client.close()
        wait_for(lambda: self.active() == 2, "the gauge")
        self.assertTrue(self.h2_echo(b"the other one, too"))

    def test_its_host(self):
        """A cluster that comes back with another host: the tunnel stays with the old one."""
        self.start()
        tunnels = self.open_all()
        self.plane.set(ads.CLUSTER, cluster("host", self.other.address))

        def moved():
            client, _ = self.websocket("later")
            return self.other.heads and client
        wait_for(moved, "the new host")
        self.say(tunnels, b"with the old host")
        self.assertNotIn(b"with the old host", self.other.received)

    def test_its_listener(self):
        """Gone: nobody comes in any more, what is open goes on until the time is over, and no longer."""
        self.start(DRAIN_SECONDS)
        tunnels = self.open_all()
        late = threading.Event()
        self.addCleanup(late.set)
        self.plain.on("/plain", Reply(hold=late))
        waiting = self.client(message("GET", "/plain", [("x-case", "waiting")]))
        wait_for(lambda: self.plain.requests("/plain"), "a request under way")
        self.plane.remove(ads.LISTENER, "main", "raw")
        wait_for(lambda: is_refused(self.address) and is_refused(self.raw_address), "closed ports")
        self.say(tunnels, b"on borrowed time")
        self.assertEqual(2, self.proxy.stat("listener_manager.total_listeners_draining"))
        self.assertEqual(3, self.active())
        for client in (self.websocket_client, self.connect_client, self.raw_client, waiting):
            with self.assertRaises(Closed):
                client.reader.exactly(1)
        self.h2.until_closed()
        wait_for(lambda: self.active() == 0, "no tunnel left")
        wait_for(lambda: self.proxy.stat("listener_manager.total_listeners_draining") == 0, "no listener left")
        for case, code in (("ws", 101), ("connect", 200), ("h2", 101), ("waiting", 0)):
            self.assertRegex(self.log_line(case), rf"code={code} flags=DC details=downstream_local_disconnect")
        for name in ("host", "tcp", "plain"):
            wait_for(lambda: self.proxy.stat(f"cluster.{name}.upstream_cx_active") == 0, f"no connection to {name}")  # pylint: disable=cell-var-from-loop

    def test_a_listener_that_comes_back(self):
        """Within the time of the old one: new clients come to it, what is open goes on."""
        self.start()
        tunnels = self.open_all()
        old = self.address
        self.plane.remove(ads.LISTENER, "main", "raw")
        wait_for(lambda: is_refused(old), "the closed port")
        self.plane.set(ads.LISTENER, self.listen(), self.raw())
        self.address = self.proxy.address()
        self.assertEqual(101, self.status())
        self.say(tunnels, b"still there")

    @weft_only("Envoy drains a filter chain that changes")
    def test_a_listener_that_changes(self):
        """Connections stay and take what is new with their next request; a tunnel is no exception."""
        self.start(1)
        tunnels = self.open_all()
        self.plane.set(ads.LISTENER, self.listen(via="changed"))
        wait_for(lambda: fetch(self.address, "/plain").header("via"), "the change")
        holds_for(lambda: all(echo(b"on and on") for echo in tunnels.values()), "tunnels", duration=1.5)
        self.assertEqual(3, self.active())

    def drain_listeners(self, query):
        """/drain_listeners closes ports; what is open stays, for as long as it likes."""
        self.start(1)
        tunnels = self.open_all()
        self.assertEqual("OK\n", self.proxy.admin("/drain_listeners" + query, "POST", b"").text)
        wait_for(lambda: is_refused(self.address), "the closed port")
        holds_for(lambda: all(echo(b"on and on") for echo in tunnels.values()), "tunnels", duration=0.5)
        self.assertEqual(3, self.active())

    def test_drain_listeners(self):
        self.drain_listeners("")

    def test_drain_listeners_gracefully(self):
        self.drain_listeners("?graceful")

    def test_a_connection_too_old(self):
        """max_connection_duration: HTTP/2 says GOAWAY, and the tunnel lives on."""
        self.plane.set(ads.LISTENER, self.listen(common_http_protocol_options={"max_connection_duration": "0.2s"}, drain_timeout="0.1s"),
                       self.raw())
        self.start()
        tunnels = self.open_all()
        wait_for(lambda: self.proxy.stat("http.main.downstream_cx_max_duration_reached") >= 3, "the age of each")
        self.h2.until(lambda kind, *_: kind == GOAWAY)
        for name in ("websocket", "connect"):
            self.assertTrue(tunnels[name](b"old and alive"))
        self.h2.send(frame(DATA, 0, 1, b"here, too"))
        self.assertEqual(b"here, too", self.h2.until(lambda kind, _, stream, __: (kind, stream) == (DATA, 1))[3])

    @weft_only("Envoy ends at once")
    def test_the_process(self):
        """SIGTERM: tunnels go on for --shutdown-grace-s, then they are cut and the process ends well."""
        self.start(flags=("--shutdown-grace-s", "1"))
        tunnels = self.open_all()
        self.proxy.program.signal(signal.SIGTERM)
        wait_for(lambda: is_refused(self.address), "the closed port")
        self.assertTrue(tunnels["websocket"](b"a last word"))
        with self.assertRaises(Closed):
            self.websocket_client.reader.exactly(1)
        self.assertEqual(0, self.proxy.program.wait())


if __name__ == "__main__":
    unittest.main()
