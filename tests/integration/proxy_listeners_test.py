"""Listeners: which filter chain a connection gets, what listener filters see of its first bytes, virtual listeners, sockets of other
kinds, what becomes of connections when chains change."""
import os
import socket
import ssl
import struct
import tempfile
import unittest

from meshtest import ads
from meshtest.bootstrap import STDOUT_LOG, ads_bootstrap, bootstrap, cluster, hcm, socket_address
from meshtest.data_plane import DataPlane, data_plane_kind, free_port, validate, weft_only
from meshtest.process import Background
from meshtest.protos import our_protos
from meshtest.raw_http import Connection, is_refused, message
from meshtest.tunnel import TcpEcho
from meshtest.wait import wait_for

FILTERS = "type.googleapis.com/envoy.extensions.filters.listener"
TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
ADDRESSES = "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %FILTER_CHAIN_NAME%"
GET = message("GET", "/")


def inspect(name, **fields):
    """A listener filter."""
    types = {"tls_inspector": "TlsInspector", "http_inspector": "HttpInspector", "proxy_protocol": "ProxyProtocol",
             "original_dst": "OriginalDst"}
    disabled = fields.pop("filter_disabled", None)
    return {"name": name, "typed_config": {"@type": f"{FILTERS}.{name}.v3.{types[name]}", **fields},
            **({"filter_disabled": disabled} if disabled else {})}


def says(text, match=None, **fields):
    """A chain that answers every request with this text and with what is known of the connection."""
    table = {"name": text, "virtual_hosts": [{
        "name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"},
                                                     "direct_response": {"status": 200, "body": {"inline_string": text}}}],
        "response_headers_to_add": [{"header": {"key": "x-known", "value": ADDRESSES}},
                                    {"header": {"key": "x-for", "value": "%REQ(X-FORWARDED-FOR)%"}}]}]}
    return {"name": text, "filters": [hcm(table, stat_prefix=text, **fields)], **({"filter_chain_match": match} if match else {})}


def passes(name, match=None, to="echo", **fields):
    """A chain that passes bytes on."""
    return {"name": name, "filters": [{"name": "tcp", "typed_config": {"@type": TCP_PROXY, "stat_prefix": name, "cluster": to, **fields}}],
            **({"filter_chain_match": match} if match else {})}


def chains(*all_chains, name="main", **fields):
    return {"name": name, "address": socket_address(("127.0.0.1", 0)), "filter_chains": list(all_chains), **fields}


def cidr(text):
    prefix, _, bits = text.partition("/")
    return {"address_prefix": prefix, "prefix_len": int(bits)}


def hello(name=None, alpn=()):
    """A ClientHello as OpenSSL writes it."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if name is None:
        context.check_hostname = False
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def proxy_line(source=("1.2.3.4", 11), destination=("5.6.7.8", 80)):
    return f"PROXY TCP4 {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def proxy_binary(source=("1.2.3.4", 11), destination=("5.6.7.8", 80), tlvs=()):
    rest = socket.inet_aton(source[0]) + socket.inet_aton(destination[0]) + struct.pack("!HH", source[1], destination[1])
    for kind, value in tlvs:
        rest += struct.pack("!BH", kind, len(value)) + value
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", len(rest)) + rest


class Base(unittest.TestCase):
    def answer(self, first=b"", name="main", pieces=None):
        """The answer to a GET behind these bytes."""
        with Connection(self.proxy.address(name)) as connection:
            for piece in pieces or [first + GET]:
                connection.send(piece)
            return connection.read_response()

    def cut(self, data, name="main"):
        """Whether the proxy ends the connection without a word."""
        with Connection(self.proxy.address(name)) as connection:
            connection.send(data)
            return connection.is_closed()


class Chains(Base):
    @classmethod
    def setUpClass(cls):
        cls.echo = TcpEcho()
        cls.addClassCleanup(cls.echo.close)
        proxied = [inspect("proxy_protocol", allow_requests_without_proxy_protocol=True)]
        log = [{"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": (
            "LOG %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DOWNSTREAM_REMOTE_ADDRESS% %FILTER_CHAIN_NAME% %BYTES_RECEIVED%\n")}}}}]
        cls.proxy = DataPlane(bootstrap([
            chains(says("port", {"destination_port": 81}), says("narrow", {"prefix_ranges": [cidr("10.1.0.0/16")]}),
                   says("wide", {"prefix_ranges": [cidr("10.0.0.0/8"), cidr("fd00::/8")]}),
                   says("source", {"source_prefix_ranges": [cidr("9.9.0.0/16")], "source_ports": [7, 8]}),
                   says("local", {"source_type": "SAME_IP_OR_LOOPBACK"}),
                   default_filter_chain=says("default"), listener_filters=proxied),
            chains(says("elsewhere", {"destination_port": 81}), name="unmatched", access_log=log, listener_filters=proxied),
            chains(says("peer", {"direct_source_prefix_ranges": [cidr("127.0.0.0/8")]}), says("rest"), name="direct",
                   listener_filters=proxied),
            chains(passes("exact", {"server_names": ["a.b.example"]}), says("sub", {"server_names": ["*.b.example"]}),
                   passes("h2", {"transport_protocol": "tls", "application_protocols": ["h2"]}),
                   passes("tls", {"transport_protocol": "tls"}), says("plain"), name="tls",
                   listener_filters=[inspect("tls_inspector")], access_log=log),
            chains(says("http2", {"application_protocols": ["h2c"]}), says("http1", {"application_protocols": ["http/1.1"]}),
                   says("old", {"application_protocols": ["http/1.0"]}), passes("raw"), name="sniff",
                   listener_filters=[inspect("tls_inspector"), inspect("http_inspector")]),
        ], [cluster("echo", cls.echo.address)]),
            flags=("--file-flush-interval-msec", "20") if data_plane_kind() == "envoy" else ())
        cls.addClassCleanup(cls.proxy.stop)

    def chain(self, **header):
        return self.answer(proxy_line(**header)).text

    def test_destination(self):
        self.assertEqual("port", self.chain(destination=("10.1.1.1", 81)))
        self.assertEqual("narrow", self.chain(destination=("10.1.1.1", 80)))
        self.assertEqual("wide", self.chain(destination=("10.2.1.1", 80)))
        self.assertEqual("wide", self.answer(b"PROXY TCP6 2001::1 fd00::1 1 80\r\n").text)

    def test_source(self):
        self.assertEqual("source", self.chain(source=("9.9.1.1", 8)))
        self.assertEqual("default", self.chain(source=("9.9.1.1", 9)))
        self.assertEqual("default", self.chain(source=("9.8.1.1", 8)))
        self.assertEqual("local", self.answer().text)
        self.assertEqual("local", self.chain(source=("5.6.7.8", 1), destination=("5.6.7.8", 80)))
        self.assertEqual("default", self.chain(source=("127.0.0.2", 1)))

    def test_the_sockets_peer(self):
        self.assertEqual("peer", self.answer(proxy_line(), name="direct").text)

    def test_what_is_known(self):
        self.assertEqual("1.2.3.4:11 10.1.1.1:80 narrow", self.answer(proxy_line(destination=("10.1.1.1", 80))).header("x-known"))

    def test_no_chain(self):
        before = self.proxy.stat("listener.127.0.0.1_0.no_filter_chain_match")
        self.assertTrue(self.cut(GET, "unmatched"))
        self.assertEqual(before + 1, self.proxy.stat("listener.127.0.0.1_0.no_filter_chain_match"))
        self.assertEqual("elsewhere", self.answer(proxy_line(destination=("10.0.0.1", 81)), "unmatched").text)
        wait_for(lambda: "LOG NR filter_chain_not_found 127.0.0.1:" in self.proxy.program.output(), "the line of the unmatched connection")
        length = len(GET)
        wait_for(lambda: f"LOG - - 1.2.3.4:11 elsewhere {length}\n" in self.proxy.program.output(), "the line of the matched one")

    def echoed(self, data, name="tls", pieces=None):
        with Connection(self.proxy.address(name)) as connection:
            for piece in pieces or [data]:
                connection.send(piece)
            return connection.reader.exactly(len(data))

    def test_server_names(self):
        for name, chain in (("a.b.example", "exact"), ("A.B.example", "exact"), ("other.example", "tls"), (None, "tls")):
            with self.subTest(name=name):
                before = self.proxy.stat(f"tcp.{chain}.downstream_cx_total")
                data = hello(name)
                self.assertEqual(data, self.echoed(data))
                self.assertEqual(before + 1, self.proxy.stat(f"tcp.{chain}.downstream_cx_total"))
        self.assertEqual("plain", self.answer(name="tls").text)

    def test_a_wildcard_takes_its_subdomain(self):
        before = self.proxy.stat("http.sub.downstream_cx_total")
        with Connection(self.proxy.address("tls")) as connection:
            connection.send(hello("c.b.example"))
            connection.read_response()  # it is no HTTP, which is what the chain says
        self.assertEqual(before + 1, self.proxy.stat("http.sub.downstream_cx_total"))

    def test_protocols_of_a_client_hello(self):
        before = self.proxy.stat("tcp.h2.downstream_cx_total")
        data = hello("x.example", alpn=("spdy/3", "h2"))
        self.assertEqual(data, self.echoed(data))
        self.assertEqual(before + 1, self.proxy.stat("tcp.h2.downstream_cx_total"))

    def test_a_client_hello_in_pieces(self):
        data = hello("a.b.example")
        before = self.proxy.stat("tcp.exact.downstream_cx_total")
        self.assertEqual(data, self.echoed(data, pieces=[data[i:i + 40] for i in range(0, len(data), 40)]))
        self.assertEqual(before + 1, self.proxy.stat("tcp.exact.downstream_cx_total"))

    def test_a_client_hello_without_end(self):
        records = b"\x16\x03\x01\x40\x00" + b"a" * 16384
        for data in (b"\x16\x03\x01\x40\x00\x01\x00\x7f\xfc" + b"a" * 16380 + records * 3,
                     b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"a" * 16380 + records):
            before = self.proxy.stat("tls_inspector.client_hello_too_large")
            self.assertTrue(self.cut(data, "tls"))
            self.assertEqual(before + 1, self.proxy.stat("tls_inspector.client_hello_too_large"))

    def test_counted_client_hellos(self):
        found = [self.proxy.stat(f"tls_inspector.{name}") for name in ("tls_found", "sni_found", "alpn_found", "tls_not_found")]
        self.echoed(hello("a.b.example", alpn=("h3",)))
        self.answer(name="tls")
        self.assertEqual([n + 1 for n in found],
                         [self.proxy.stat(f"tls_inspector.{name}") for name in ("tls_found", "sni_found", "alpn_found", "tls_not_found")])

    def test_http_in_plain_text(self):
        self.assertEqual("http1", self.answer(name="sniff").text)
        self.assertEqual("http1", self.answer(name="sniff", pieces=[GET[:2], GET[2:9], GET[9:]]).text)
        with Connection(self.proxy.address("sniff")) as connection:
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            self.assertEqual(b"\x04", connection.reader.exactly(9)[3:4])  # its SETTINGS
        wait_for(lambda: self.proxy.stat("http.http2.downstream_cx_total") == 1, "the chain of HTTP/2")
        self.assertEqual(b"hello\r\nthere", self.echoed(b"hello\r\nthere", "sniff"))
        self.assertGreaterEqual(self.proxy.stat("http_inspector.http_not_found"), 1)


class FirstBytes(Base):
    @classmethod
    def setUpClass(cls):
        cls.echo = TcpEcho()
        cls.addClassCleanup(cls.echo.close)
        log = [{"name": "log", "typed_config": {"@type": STDOUT_LOG, "log_format": {"text_format_source": {"inline_string": (
            "TLV %DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:seven)% %DYNAMIC_METADATA(other:eight)% %BYTES_RECEIVED%\n")}}}}]
        cls.proxy = DataPlane(bootstrap([
            chains(says("strict"), listener_filters=[inspect("proxy_protocol", stat_prefix="own")]),
            chains(says("first"), name="first", listener_filters=[inspect(
                "proxy_protocol", disallowed_versions=["V2"], allow_requests_without_proxy_protocol=True, stat_prefix="not")]),
            chains(says("second"), name="second",
                   listener_filters=[inspect("proxy_protocol", disallowed_versions=["V1"], stat_prefix="only")]),
            chains(passes("tlv", access_log=log), name="tlv", listener_filters=[inspect("proxy_protocol", rules=[
                {"tlv_type": 7, "on_tlv_present": {"key": "seven"}},
                {"tlv_type": 8, "on_tlv_present": {"metadata_namespace": "other", "key": "eight"}}])]),
            chains(passes("tls", {"transport_protocol": "tls"}), passes("first"), name="patient", listener_filters_timeout="0.2s",
                   continue_on_listener_filters_timeout=True, listener_filters=[inspect("tls_inspector")]),
            chains(passes("never"), name="impatient", listener_filters_timeout="0.2s", listener_filters=[inspect("tls_inspector")]),
            chains(says("trusted", use_remote_address=True), name="forwarded", listener_filters=[inspect("proxy_protocol")]),
            chains(says("a", {"application_protocols": ["http/1.1"]}), says("b"), name="disabled", listener_filters=[
                inspect("http_inspector", filter_disabled={"any_match": True})]),
        ], [cluster("echo", cls.echo.address)]),
            flags=("--file-flush-interval-msec", "20") if data_plane_kind() == "envoy" else ())
        cls.addClassCleanup(cls.proxy.stop)

    def test_both_versions_of_the_proxy_protocol(self):
        for version, header in enumerate((proxy_line(), proxy_binary()), 1):
            found = self.proxy.stat(f"proxy_proto.own.versions.v{version}.found")
            self.assertEqual("1.2.3.4:11 5.6.7.8:80 strict", self.answer(header).header("x-known"))
            self.assertEqual(found + 1, self.proxy.stat(f"proxy_proto.own.versions.v{version}.found"))

    def test_a_header_in_pieces(self):
        for header in (proxy_line(), proxy_binary()):
            data = header + GET
            self.assertEqual("strict", self.answer(pieces=[data[i:i + 1] for i in range(len(data))]).text)

    def test_the_socket_where_the_header_says_local(self):
        for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"):
            self.assertTrue(self.answer(header).header("x-known").startswith("127.0.0.1:"))

    def test_no_or_a_bad_header(self):
        for data in (GET, b"PROXY TCP4 1.2.3.4 5.6.7.8 11\r\n" + GET, b"PROXY TCP4 " + b"1" * 200, proxy_binary()[:13] + b"\x91" + GET):
            with self.subTest(data=data[:20]):
                self.assertTrue(self.cut(data))

    def test_a_version_that_is_not_allowed(self):
        self.assertEqual("first", self.answer(proxy_line(), "first").text)
        self.assertEqual("first", self.answer(name="first").text)
        self.assertEqual(400, self.answer(proxy_binary(), "first").status)  # what it sends is no header then
        self.assertEqual(2, self.proxy.stat("proxy_proto.not.not_found_allowed"))
        self.assertEqual("second", self.answer(proxy_binary(), "second").text)
        self.assertTrue(self.cut(proxy_line() + GET, "second"))
        self.assertEqual(1, self.proxy.stat("proxy_proto.only.versions.v1.disallowed"))

    def test_values_of_types(self):
        with Connection(self.proxy.address("tlv")) as connection:
            connection.send(proxy_binary(tlvs=((7, b"seventh"), (9, b"x"), (8, b"eighth"))) + b"hello")
            self.assertEqual(b"hello", connection.reader.exactly(5))
        wait_for(lambda: "TLV seventh eighth 5" in self.proxy.program.output(), "the values in the log")

    def test_who_speaks_last_is_waited_for_only_so_long(self):
        stat = "listener.127.0.0.1_0.downstream_pre_cx_timeout"
        before = self.proxy.stat(stat)
        with Connection(self.proxy.address("patient")) as connection:
            self.proxy.wait_stat(stat, before + 1)
            connection.send(b"late")
            self.assertEqual(b"late", connection.reader.exactly(4))
        with Connection(self.proxy.address("impatient")) as connection:
            self.assertTrue(connection.is_closed())
        self.assertEqual(before + 2, self.proxy.stat(stat))
        self.assertEqual(0, self.proxy.stat("listener.127.0.0.1_0.downstream_pre_cx_active"))

    def test_a_client_that_leaves_before_it_has_said_enough(self):
        stat = "listener.127.0.0.1_0.downstream_listener_filter_remote_close"
        before = self.proxy.stat(stat)
        with Connection(self.proxy.address()) as connection:
            connection.send(b"PROXY TC")
        self.proxy.wait_stat(stat, before + 1)

    @weft_only("Envoy takes the end for a client that leaves")
    def test_bytes_and_the_end_at_once(self):
        with Connection(self.proxy.address()) as connection:
            connection.send(proxy_line() + message("GET", "/", [("Connection", "close")]))
            connection.finish_sending()
            self.assertEqual("strict", connection.read_response().text)
            self.assertTrue(connection.is_closed())

    def test_the_header_names_the_client(self):
        self.assertEqual("1.2.3.4", self.answer(proxy_line(), "forwarded").header("x-for"))

    def test_a_filter_that_is_disabled(self):
        self.assertEqual("b", self.answer(name="disabled").text)


class Virtual(Base):
    """Redirected connections go to the listener of their destination. A PROXY header redirects as well as iptables."""

    @classmethod
    def setUpClass(cls):
        cls.port, cls.other = free_port(), free_port()
        redirected = [inspect("proxy_protocol", allow_requests_without_proxy_protocol=True)]
        cls.proxy = DataPlane(bootstrap([
            chains(says("itself"), use_original_dst=True, listener_filters=redirected),
            {**chains(says("virtual"), name="virtual", bind_to_port=False), "address": socket_address(("10.9.9.9", 80))},
            {**chains(says("wild"), name="wild", bind_to_port=False), "address": socket_address(("0.0.0.0", 8080))},
            {**chains(says("http", {"application_protocols": ["http/1.1"]}), name="sniffs", bind_to_port=False,
                      listener_filters=[inspect("http_inspector")]), "address": socket_address(("10.9.9.9", 82))},
            {**chains(says("bound"), name="bound"), "address": socket_address(("127.0.0.1", cls.port))},
            {**chains(says("again"), name="again", bind_to_port=False, use_original_dst=True),
             "address": socket_address(("10.9.9.9", 81))}]))
        cls.addClassCleanup(cls.proxy.stop)

    def to(self, address, port):
        return self.answer(proxy_line(destination=(address, port))).text

    def test_whose_it_is(self):
        self.assertEqual("virtual", self.to("10.9.9.9", 80))
        self.assertEqual("wild", self.to("10.1.2.3", 8080))
        self.assertEqual("bound", self.to("127.0.0.1", self.port))
        self.assertEqual("itself", self.to("10.9.9.8", 80))
        self.assertEqual("again", self.to("10.9.9.9", 81))
        self.assertEqual("itself", self.answer().text)

    def test_its_listener_filters_run_too(self):
        self.assertEqual("http", self.to("10.9.9.9", 82))

    def test_the_request_knows(self):
        self.assertEqual("1.2.3.4:11 10.9.9.9:80 virtual",
                         self.answer(proxy_line(destination=("10.9.9.9", 80))).header("x-known"))

    def test_the_admin_page_shows_all(self):
        shown = self.proxy.admin("/listeners").text.splitlines()
        self.assertIn("virtual::10.9.9.9:80", shown)
        self.assertIn("wild::0.0.0.0:8080", shown)


class Sockets(Base):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="weft-sockets-")
        cls.addClassCleanup(folder.cleanup)
        cls.path, cls.abstract = os.path.join(folder.name, "proxy.sock"), f"@weft-test-{os.getpid()}"
        extra = {"address": socket_address(("127.0.0.2", 0)), "socket_options": {"socket_options": []}}
        cls.proxy = DataPlane(bootstrap([
            chains(says("two"), additional_addresses=[extra], tcp_backlog_size=64, tcp_keepalive={"keepalive_time": 30},
                   socket_options=[{"level": 1, "name": 9, "int_value": 1, "state": "STATE_PREBIND"}], freebind=True,
                   max_connections_to_accept_per_socket_event=1),
            {**chains(says("file"), name="file"), "address": {"pipe": {"path": cls.path, "mode": 0o600}}},
            {**chains(says("abstract"), name="abstract"), "address": {"pipe": {"path": cls.abstract}}},
            chains(says("one"), name="shared", enable_reuse_port=False),
            chains(says("fair"), name="balanced", connection_balance_config={"exact_balance": {}}, stat_prefix="balanced"),
            {**chains(says("six", {"prefix_ranges": [cidr("127.0.0.0/8")]}), says("rest"), name="dual"),
             "address": {"socket_address": {"address": "::", "port_value": 0, "ipv4_compat": True}}},
        ]), concurrency=2)
        cls.addClassCleanup(cls.proxy.stop)

    def test_two_addresses(self):
        status = next(one for one in self.proxy.admin("/listeners?format=json").json()["listener_statuses"] if one["name"] == "main")
        second = status["additional_local_addresses"][0]["socket_address"]
        for address in (self.proxy.address(), (second["address"], second["port_value"])):
            with Connection(address) as connection:
                self.assertEqual("two", connection.request("GET", "/").text)

    def over(self, path):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect("\0" + path[1:] if path.startswith("@") else path)
            client.sendall(message("GET", "/", [("Connection", "close")]))
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer

    def test_unix_sockets(self):
        answer = self.over(self.path)
        self.assertTrue(answer.endswith(b"\r\n\r\nfile"), answer)
        self.assertIn(f"x-known: {self.path} {self.path} file".encode(), answer)
        self.assertEqual(0o600, os.stat(self.path).st_mode & 0o777)
        self.assertTrue(self.over(self.abstract).endswith(b"\r\n\r\nabstract"))
        self.assertIn(f"abstract::{self.abstract}", self.proxy.admin("/listeners").text)

    def test_one_socket_for_all_workers(self):
        for _ in range(8):
            self.assertEqual("one", self.answer(name="shared").text)

    def test_connections_in_balance(self):
        address = self.proxy.address("balanced")
        for _ in range(4):
            with Connection(address) as one, Connection(address) as two, Connection(address) as three:
                for connection in (one, two, three):
                    self.assertEqual("fair", connection.request("GET", "/").text)
        self.proxy.wait_stat("listener.balanced.downstream_cx_destroy", 12)

    def test_ipv4_at_an_ipv6_socket(self):
        port = self.proxy.address("dual")[1]
        with Connection(("127.0.0.1", port)) as connection:
            answer = connection.request("GET", "/")
            self.assertEqual("six", answer.text)
            self.assertTrue(answer.header("x-known").startswith("127.0.0.1:"))

    @weft_only("Envoy takes the path away from its holder")
    def test_a_clash_is_said_by_name(self):
        with socket.socket(socket.AF_UNIX) as holder, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "held")
            holder.bind(path)
            holder.listen()
            with self.assertRaises(AssertionError) as ended:
                DataPlane(bootstrap([{**chains(says("x")), "address": {"pipe": {"path": path}}}])).stop()
            self.assertIn(f"cannot bind {path}: Address already in use", str(ended.exception))


class Changes(Base):
    """Chains that come, change and go under connections."""

    def setUp(self):
        self.echo = TcpEcho()
        self.addCleanup(self.echo.close)
        self.plane = ads.ControlPlane(our_protos())
        self.addCleanup(self.plane.stop)
        self.plane.set(ads.CLUSTER, cluster("echo", self.echo.address))
        self.port = free_port()
        self.put(says("a", {"source_prefix_ranges": [cidr("127.0.0.1/32")]}), says("b", {"source_prefix_ranges": [cidr("127.0.0.2/32")]}),
                 passes("c", {"source_prefix_ranges": [cidr("127.0.0.3/32")]}))
        self.proxy = DataPlane(ads_bootstrap(self.plane.address), flags=("--drain-time-s", "2", "--drain-strategy", "immediate"))
        self.addCleanup(self.proxy.stop)

    def put(self, *all_chains, **fields):
        self.plane.set(ads.LISTENER, {**chains(*all_chains, **fields), "address": socket_address(("127.0.0.1", self.port))})

    def from_(self, number):
        return Connection(self.proxy.address(), source=f"127.0.0.{number}")

    def test_only_the_connections_of_removed_chains_end(self):
        one, two, three = self.from_(1), self.from_(2), self.from_(3)
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        self.addCleanup(three.close)
        self.assertEqual("a", one.request("GET", "/").text)
        self.assertEqual("b", two.request("GET", "/").text)
        three.send(b"x")
        self.assertEqual(b"x", three.reader.exactly(1))
        self.put(says("a", {"source_prefix_ranges": [cidr("127.0.0.1/32")]}), says("d", {"source_prefix_ranges": [cidr("127.0.0.4/32")]}))
        self.plane.wait_acked(ads.LISTENER)

        def asked():
            with self.from_(4) as four:
                return four.request("GET", "/").text
        self.assertEqual("d", wait_for(asked, "the new chain"))
        self.proxy.wait_stat("listener_manager.listener_in_place_updated", 1)
        self.assertEqual("a", one.request("GET", "/").text)
        last = two.request("GET", "/")
        self.assertEqual(("b", "close"), (last.text, last.header("connection")))
        self.assertTrue(two.is_closed())
        self.assertTrue(three.is_closed())  # when its time is over
        self.assertEqual("a", one.request("GET", "/").text)
        wait_for(lambda: self.proxy.stat("listener_manager.total_filter_chains_draining") == 0, "no chain that drains")
        with self.from_(2) as gone:
            gone.send(GET)
            self.assertTrue(gone.is_closed())

    @weft_only("Envoy drains a chain whose filters change")
    def test_a_chain_of_the_same_match_changes_under_its_connections(self):
        with self.from_(1) as one:
            self.assertEqual("a", one.request("GET", "/").text)
            self.put(says("anew", {"source_prefix_ranges": [cidr("127.0.0.1/32")]}))
            self.plane.wait_acked(ads.LISTENER)
            wait_for(lambda: one.request("GET", "/").text == "anew", "the new answer on the old connection")

    def test_no_request_fails_while_other_chains_come_and_go(self):
        stays = says("a", {"source_prefix_ranges": [cidr("127.0.0.1/32")]})

        def one():
            with self.from_(1) as connection:
                return [connection.request("GET", "/").text for _ in range(3)]
        with Background(one, threads=2) as load:
            for round_ in range(10):
                self.put(stays, says(f"b{round_}", {"source_prefix_ranges": [cidr(f"127.0.0.{round_ + 2}/32")]}))
                self.plane.wait_acked(ads.LISTENER)
            seen = len(load.results)
            wait_for(lambda: len(load.results) > seen + 5, "some more answers")
        self.assertEqual([], load.errors)
        self.assertTrue(all(answers == ["a"] * 3 for answers in load.results))

    def test_a_clash_of_addresses_is_refused(self):
        self.plane.set(ads.LISTENER, {**chains(says("x"), name="second"), "address": socket_address(("127.0.0.1", self.port))})
        nack = self.plane.wait_nack(ads.LISTENER).error
        self.assertIn("second", nack)
        self.assertIn(f"has duplicate address '127.0.0.1:{self.port}' as existing listener", nack)
        self.assertEqual("a", self.answer().text)

    def test_an_additional_address_comes_and_goes(self):
        more = free_port("127.0.0.2")
        chain = says("a")
        self.put(chain, additional_addresses=[{"address": socket_address(("127.0.0.2", more))}])
        wait_for(lambda: not is_refused(("127.0.0.2", more)), "the additional address")
        with Connection(("127.0.0.2", more)) as connection:
            self.assertEqual("a", connection.request("GET", "/").text)
        self.put(chain)
        wait_for(lambda: is_refused(("127.0.0.2", more)), "its end")
        with Connection(("127.0.0.1", self.port)) as connection:
            self.assertEqual("a", connection.request("GET", "/").text)


class Refusals(unittest.TestCase):
    def refused(self, part, **fields):
        code, output = validate(bootstrap([chains(says("a"), **fields)]))
        self.assertNotEqual(0, code, output)
        self.assertIn(part, output)

    def test_by_name(self):
        self.refused("no filter chains specified", filter_chains=[])
        self.refused("overlapping matching rules", filter_chains=[says("a", {"server_names": ["x", "y"]}), says("b", {"server_names": ["y"]})])
        self.refused("has the same matching rules defined as 'a'", filter_chains=[says("a"), says("b")])
        self.refused("partial wildcards are not supported", filter_chains=[says("a", {"server_names": ["*x"]})])

    @weft_only("its words")
    def test_what_is_not_there(self):
        self.refused("Listener.enable_mptcp is not supported", enable_mptcp=True)
        self.refused("FilterChainMatch.address_suffix", filter_chains=[says("a", {"address_suffix": "x"})])


if __name__ == "__main__":
    unittest.main()
