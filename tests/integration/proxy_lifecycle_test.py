"""The process: flags, --mode validate, ports, drain, signals, configuration from watched files."""
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes, socket_address
from meshtest.data_plane import DataPlane, ROOT, data_plane_program, free_port, validate, weft_only
from meshtest.frames import ACK, DATA, GOAWAY, HEADERS, PING, RawHttp2, frame, get
from meshtest.process import Program, run
from meshtest.raw_http import Closed, Connection, fetch, is_refused, message
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.upstream = Upstream()
        self.addCleanup(self.upstream.close)

    def world(self, address=("127.0.0.1", 0), **fields):
        return bootstrap([listener(hcm(routes(route("/", "up"))), address=address)], [cluster("up", self.upstream.address)], **fields)

    def start(self, config=None, **options):
        proxy = DataPlane(config or self.world(), **options)
        self.addCleanup(proxy.stop)
        return proxy

    # -- flags

    def test_yaml_and_json_files_and_the_command_line(self):
        yaml = """
node: {id: from-yaml, cluster: c}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
"""
        self.assertEqual("from-yaml", self.start(yaml).admin("/server_info").json()["node"]["id"])
        merged = self.start(yaml, flags=("--config-yaml", "{node: {id: from-flag}}"))
        self.assertEqual("from-flag", merged.admin("/server_info").json()["node"]["id"])
        named = self.start(yaml, flags=("--service-node", "named", "--service-cluster", "cluster"))
        self.assertIn("named", named.admin("/server_info").text)

    def test_version_and_help(self):
        for flag in ("--version", "--help"):
            code, text = run([data_plane_program(), flag])
            self.assertEqual(0, code, text)
            self.assertTrue(text)

    def test_unknown_flag_is_named(self):
        code, text = run([data_plane_program(), "--no-such-flag"])
        self.assertNotEqual(0, code)
        self.assertIn("no-such-flag", text)

    # -- validation

    def test_validate_opens_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, text = validate(self.world(taken.getsockname()))
            self.assertEqual(0, code, text)
            self.assertIn("OK", text)

    def test_validate_refuses(self):
        for name, damage in {
                "unknown field": lambda config: config["static_resources"].update(nonsense=1),
                "unknown filter": lambda config: config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
                    .update(typed_config={"@type": "type.googleapis.com/no.such.Type"}),
                "route to nowhere": lambda config: config["static_resources"]["clusters"].clear(),
                "bad regex": lambda config: config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
                    ["route_config"]["virtual_hosts"][0]["routes"][0].update(match={"safe_regex": {"regex": "("}})}.items():
            with self.subTest(name):
                config = self.world()
                damage(config)
                code, text = validate(config)
                self.assertEqual(1, code, text)
                self.assertTrue(text)

    @weft_only("every problem at once, with line and caret")
    def test_validate_lists_every_problem_with_its_place(self):
        yaml = """\
static_resources:
  clusters:
  - name: one
    typ: STATIC
  - name: two
    type: STATIC
    upstream_connection_options: {set_local_interface_name_on_upstream_connections: true}
    track_timeout_budgets: true
"""
        code, text = validate(yaml)
        self.assertEqual(1, code)
        for wanted in ("typ", ":4:", "set_local_interface_name", ":7:", "track_timeout_budgets", ":8:", "^"):
            self.assertIn(wanted, text)

    @weft_only("kept byte for byte in config/customer")
    def test_the_customers_bootstrap_starts_as_it_stands(self):
        with open(os.path.join(ROOT, "config", "customer", "envoy-bootstrap-configmap.yaml"), encoding="utf-8") as file:
            text = file.read()
        config = text[text.index("{"):]
        code, output = validate(config)
        self.assertEqual(0, code, output)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", 15000))
            except OSError:
                self.skipTest("port 15000 is taken on this machine")
        self.assertEqual(200, self.start(config).admin("/ready").status)

    # -- ports

    @weft_only("SO_REUSEPORT lets two Envoys share a port without a word")
    def test_a_taken_port_is_named(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(self.world(("127.0.0.1", port)), file)
                file.flush()
                code, text = run([data_plane_program(), "-c", file.name])
            self.assertNotEqual(0, code)
            self.assertIn(f"127.0.0.1:{port}", text)

    def test_all_workers_serve(self):
        proxy = self.start(concurrency=3)
        for _ in range(30):
            self.assertEqual(200, fetch(proxy.address(), "/").status)

    # -- drain

    @weft_only("Envoy ends at once")
    def test_sigterm_finishes_what_is_under_way(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream.on("/held", Reply(hold=release, body=b"whole"))
        proxy = self.start(concurrency=2)
        address = proxy.address()
        held = [Connection(address) for _ in range(20)]
        idle = Connection(address)
        for connection in (*held, idle):
            self.addCleanup(connection.close)
        idle.request("GET", "/")
        for connection in held:
            connection.send(message("GET", "/held"))
        wait_for(lambda: self.upstream.count("/held") == len(held), "all at the upstream")
        proxy.program.signal(signal.SIGTERM)
        wait_for(lambda: is_refused(address), "no new connection")
        self.assertTrue(idle.is_closed(), "an idle connection is let go")
        release.set()
        for connection in held:
            answer = connection.read_response()
            self.assertEqual((200, b"whole", "close"), (answer.status, answer.body, answer.header("connection")))
        self.assertEqual(0, proxy.program.wait())

    @weft_only("Envoy ends at once")
    def test_sigterm_loses_no_request_of_http2(self):
        """The first GOAWAY takes no stream back: what a client sends before it has seen it is answered."""
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream.on("/h2-held", Reply(hold=release, body=b"whole"))
        proxy = self.start()
        address = proxy.address()
        with RawHttp2(address) as client:
            client.send(get(1, path="/h2-held"))
            wait_for(lambda: self.upstream.count("/h2-held"), "the request at the upstream")
            proxy.program.signal(signal.SIGTERM)

            def next_of(wanted):
                return client.until(lambda kind, *_: kind == wanted)
            self.assertEqual(0x7fffffff, int.from_bytes(next_of(GOAWAY)[3][:4], "big"))
            client.send(get(3, path="/late"))
            self.assertEqual(3, next_of(HEADERS)[2])
            ping = next(payload for kind, flags, _, payload in client.seen if kind == PING and not flags & ACK)
            client.send(frame(PING, ACK, 0, ping))
            self.assertEqual(3, int.from_bytes(next_of(GOAWAY)[3][:4], "big"))
            release.set()
            self.assertEqual(1, next_of(HEADERS)[2])
            self.assertEqual(b"whole", next_of(DATA)[3])
        self.assertEqual(0, proxy.program.wait())

    @weft_only("Envoy ends at once")
    def test_grace_ends(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream.on("/for-ever", Reply(hold=release))
        proxy = self.start(flags=("--shutdown-grace-s", "1"))
        with Connection(proxy.address()) as connection:
            connection.send(message("GET", "/for-ever"))
            wait_for(lambda: self.upstream.count("/for-ever"), "the request at the upstream")
            proxy.program.signal(signal.SIGTERM)
            self.assertEqual(0, proxy.program.wait(10))
            with self.assertRaises(Closed):
                connection.read_response()

    @weft_only("Envoy ends at once")
    def test_a_second_sigterm_does_not_wait(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.upstream.on("/for-ever", Reply(hold=release))
        proxy = self.start(flags=("--shutdown-grace-s", "3600"))
        address = proxy.address()
        with Connection(address) as connection:
            connection.send(message("GET", "/for-ever"))
            wait_for(lambda: self.upstream.count("/for-ever"), "the request at the upstream")
            proxy.program.signal(signal.SIGTERM)
            wait_for(lambda: is_refused(address), "the drain")
            proxy.program.signal(signal.SIGTERM)
            self.assertEqual(0, proxy.program.wait())

    def test_sighup_changes_nothing(self):
        proxy = self.start()
        for _ in range(3):
            proxy.program.signal(signal.SIGHUP)
            self.assertEqual(200, fetch(proxy.address(), "/").status)
        proxy.program.require_alive()

    def test_sigterm_without_traffic_is_quick(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            proxy = self.start()
            proxy.program.signal(number)
            self.assertEqual(0, proxy.program.wait(5))

    def test_quitquitquit(self):
        proxy = self.start()
        self.assertEqual("OK\n", proxy.admin("/quitquitquit", "POST", b"").text)
        self.assertEqual(0, proxy.program.wait(10))

    def test_drain_listeners(self):
        proxy = self.start()
        address = proxy.address()
        with Connection(address) as kept:
            self.assertEqual(200, kept.request("GET", "/").status)
            self.assertEqual("OK\n", proxy.admin("/drain_listeners", "POST", b"").text)
            wait_for(lambda: is_refused(address), "no new connection")
        self.assertTrue(proxy.program.alive)
        self.assertEqual(200, proxy.admin("/stats").status)

    def test_drain_listeners_gracefully(self):
        """graceful: connections end first, the port when --drain-time-s is over; skip_exit: the port never; inboundonly: as it says."""
        for query, inbound_ends, outbound_drains in (("?graceful", True, True), ("?graceful&skip_exit", False, True),
                                                     ("?graceful&inboundonly", True, False)):
            world = self.world()
            plain = world["static_resources"]["listeners"][0]
            world["static_resources"]["listeners"] = [{**plain, "name": "in", "traffic_direction": "INBOUND"},
                                                      {**plain, "name": "out", "traffic_direction": "OUTBOUND"}]
            with self.subTest(query), DataPlane(world, flags=("--drain-time-s", "1", "--drain-strategy", "immediate")) as proxy:
                inbound, outbound = proxy.address("in"), proxy.address("out")
                with Connection(inbound) as kept, Connection(outbound) as other:
                    self.assertEqual([200, 200], [kept.request("GET", "/").status, other.request("GET", "/").status])
                    self.assertEqual("OK\n", proxy.admin("/drain_listeners" + query, "POST", b"").text)
                    wait_for(lambda: fetch(inbound, "/").header("connection") == "close", "new connections that are asked to go")
                    self.assertEqual("close", kept.request("GET", "/").header("connection"))
                    self.assertEqual("close" if outbound_drains else None, other.request("GET", "/").header("connection"))
                if inbound_ends:
                    wait_for(lambda: is_refused(inbound), "no new connection when the drain time is over")
                    if outbound_drains:
                        wait_for(lambda: is_refused(outbound), "nor at the other")
                self.assertEqual(not (inbound_ends and outbound_drains), not is_refused(outbound))
                self.assertEqual("LIVE\n", proxy.admin("/ready").text)

    def test_port_is_free_again_after_kill(self):
        port = free_port()
        proxy = self.start(self.world(("127.0.0.1", port)))
        self.assertEqual(200, fetch(("127.0.0.1", port), "/").status)
        proxy.program.kill()
        self.start(self.world(("127.0.0.1", port)))
        self.assertEqual(200, fetch(("127.0.0.1", port), "/").status)

    @unittest.skipIf("UBSAN_OPTIONS" in os.environ, "UBSan asks through a pipe whether memory is readable: without descriptors none is")
    def test_descriptor_shortage_does_not_kill(self):
        """Few descriptors: connections wait or are refused, and all is well when they are back."""
        path = tempfile.mkdtemp(prefix="weft-few-")
        self.addCleanup(shutil.rmtree, path, True)
        with open(os.path.join(path, "c.json"), "w", encoding="utf-8") as file:
            json.dump(self.world(), file)
        admin = os.path.join(path, "admin")
        program = Program(["/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"', data_plane_program(), "-c", file.name, "--concurrency", "1",
                           "-l", "error",
                           "--disable-hot-restart", "--use-dynamic-base-id", "--admin-address-path", admin], name="few-descriptors")
        self.addCleanup(program.stop)
        wait_for(lambda: program.require_alive() and os.path.getsize(admin), "the admin address")
        with open(admin, encoding="utf-8") as file:
            host, _, port = file.read().strip().rpartition(":")
        statuses = wait_for(lambda: fetch((host, int(port)), "/listeners?format=json").json().get("listener_statuses"), "listeners")
        address = ("127.0.0.1", statuses[0]["local_address"]["socket_address"]["port_value"])
        crowd = [Connection(address) for _ in range(100)]
        for connection in crowd:
            connection.send(message("GET", "/"))
        for connection in crowd:
            connection.close()
        wait_for(lambda: program.require_alive() and fetch(address, "/").status == 200, "served again")

    # -- watched files

    def test_listeners_and_clusters_from_watched_files(self):
        folder = tempfile.mkdtemp(prefix="weft-watched-")
        self.addCleanup(shutil.rmtree, folder, True)
        other = Upstream("other")
        self.addCleanup(other.close)

        def write(name, kind, *resources):
            """As Envoy wants it: a new file moved over the old one."""
            path = os.path.join(folder, name)
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump({"resources": [{"@type": f"type.googleapis.com/{kind}", **resource} for resource in resources]}, file)
            os.rename(path + ".new", path)
        cds, lds = "envoy.config.cluster.v3.Cluster", "envoy.config.listener.v3.Listener"
        write("cds.json", cds, cluster("up", self.upstream.address))
        write("lds.json", lds, listener(hcm(routes(route("/", "up")))))

        def source(name):
            return {"resource_api_version": "V3", "path_config_source": {"path": os.path.join(folder, name)}}
        proxy = self.start({"node": {"id": "files", "cluster": "files"}, "admin": {"address": socket_address(("127.0.0.1", 0))},
                            "dynamic_resources": {"cds_config": source("cds.json"), "lds_config": source("lds.json")}})
        self.assertEqual("upstream", fetch(proxy.address(), "/").json()["upstream"])
        write("cds.json", cds, {**cluster("up", other.address)})
        wait_for(lambda: fetch(proxy.address(), "/").json()["upstream"] == "other", "the changed cluster")
        with open(os.path.join(folder, "broken"), "w", encoding="utf-8") as file:
            file.write("{ this is not")
        os.rename(os.path.join(folder, "broken"), os.path.join(folder, "cds.json"))
        for _ in range(10):
            self.assertEqual("other", fetch(proxy.address(), "/").json()["upstream"], "a broken file changes nothing")
        write("cds.json", cds, cluster("up", self.upstream.address))
        wait_for(lambda: fetch(proxy.address(), "/").json()["upstream"] == "upstream", "the mended file")


if __name__ == "__main__":
    unittest.main()
