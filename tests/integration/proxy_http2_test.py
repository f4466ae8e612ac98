"""HTTP/2 with prior knowledge on both sides of the proxy: streams side by side, flow control, resets, translation to and from HTTP/1."""
import threading
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, http2, listener, route, routes
from meshtest.data_plane import DataPlane
from meshtest.h2peer import Http2Client, Http2Upstream
from meshtest.raw_http import fetch
from meshtest.upstream import Reply, Upstream
from meshtest.wait import wait_for


class Http2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.h1, cls.h2 = Upstream("h1"), Http2Upstream("h2")
        cls.addClassCleanup(cls.h1.close)
        cls.addClassCleanup(cls.h2.close)
        cls.proxy = DataPlane(bootstrap(
            [listener(hcm(routes(route("/h2/short", "h2", action={"timeout": "0.3s"}), route("/h2", "h2"), route("/", "h1")))),
             listener(hcm(routes(route("/h2", "h2"), route("/", "h1")), codec_type="HTTP2"), name="only-h2")],
            [cluster("h1", cls.h1.address), cluster("h2", cls.h2.address, typed_extension_protocol_options=http2())]))
        cls.addClassCleanup(cls.proxy.stop)

    def client(self, name="main"):
        client = Http2Client(self.proxy.address(name))
        self.addCleanup(client.close)
        return client

    def test_get_and_post_on_every_pair(self):
        client = self.client()
        self.assertEqual("h1", client.request("GET", "/x").json()["upstream"])
        self.assertEqual("hello", client.request("POST", "/x", body=b"hello").json()["body"])
        self.assertEqual("h2", client.request("GET", "/h2/x").json()["upstream"])
        self.assertEqual("hello", client.request("POST", "/h2/x", body=b"hello").json()["body"])
        self.assertEqual("hello", fetch(self.proxy.address(), "/h2/x", "POST", body=b"hello").json()["body"])
        self.assertEqual("ab", fetch(self.proxy.address(), "/h2/x", "POST", body=[b"a", b"b"]).json()["body"])
        self.assertEqual("h1", self.client("only-h2").request("GET", "/x").json()["upstream"])

    def test_streams_side_by_side(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.h1.on("/held", Reply(hold=release, body=b"late"))
        client = self.client()
        slow = client.open("GET", "/held")
        wait_for(lambda: self.h1.count("/held"), "the slow one at the upstream")
        for index in range(50):
            self.assertEqual(200, client.request("GET", f"/quick/{index}").status)
        release.set()
        self.assertEqual(b"late", client.wait(slow).body)

    def test_many_streams_share_one_upstream_connection(self):
        before = self.h2.connections
        client = self.client()
        streams = [client.open("GET", f"/h2/{index}") for index in range(40)]
        self.assertEqual({200}, {client.wait(stream).status for stream in streams})
        self.assertLessEqual(self.h2.connections - before, 1)

    def test_large_bodies_obey_the_windows(self):
        client = self.client()
        body = b"0123456789abcdef" * (1 << 15)  # 512 KiB, eight windows
        self.assertEqual(len(body), client.request("POST", "/h2/large", body=body).json()["length"])
        self.assertEqual(300000, len(client.request("GET", "/h2/large/300000").body))
        self.assertEqual(300000, len(fetch(self.proxy.address(), "/h2/large/300000").body))
        self.h1.on("/answer", lambda seen: Reply(body=seen.body))
        self.assertEqual(body, client.request("POST", "/answer", body=body).body)

    def test_one_stalled_stream_blocks_nobody(self):
        client = self.client()
        stalled = client.open("GET", "/h2/large/3000000")  # not read: its window stays shut, others' are open
        self.assertEqual(200, self.client().request("GET", "/h2/other").status)
        self.assertEqual(200, fetch(self.proxy.address(), "/h2/other").status)
        self.assertEqual(3000000, len(client.wait(stalled).body))

    def test_names_and_pseudo_headers(self):
        client = self.client()
        seen = client.request("GET", "/names", [("x-mixed", "MiXed"), ("te", "trailers")], authority="some.test").json()
        headers = dict(seen["headers"])
        self.assertEqual("some.test", headers["host"])
        self.assertEqual("MiXed", headers["x-mixed"])
        self.assertFalse([name for name in headers if name.startswith(":")])
        sent = [("X-Mixed", "1"), ("Connection", "x-gone"), ("x-gone", "1")]
        fields = dict(fetch(self.proxy.address(), "/h2/names", headers=sent).json()["headers"])
        self.assertEqual({":method": "GET", ":path": "/h2/names", ":authority": "main.test", ":scheme": "http"},
                         {name: value for name, value in fields.items() if name.startswith(":")})
        self.assertIn("x-mixed", fields)
        self.assertNotIn("x-gone", fields)
        self.assertNotIn("connection", fields)

    def test_local_replies_and_status(self):
        client = self.client()
        self.assertEqual(404, client.request("GET", "/h2/status/404").status)
        self.assertEqual(204, fetch(self.proxy.address(), "/h2/status/204").status)

    def test_truncated_answer_resets_the_stream_alone(self):
        self.h1.on("/cut", Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", close=True))
        client = self.client()
        with self.assertRaises(ConnectionResetError):
            client.request("GET", "/cut")
        self.assertIsNone(client.goaway)
        self.assertEqual(200, client.request("GET", "/after").status)

    def test_client_that_resets_frees_the_upstream(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.h1.on("/reset", Reply(hold=release))
        client = self.client()
        stream = client.open("GET", "/reset")
        wait_for(lambda: self.h1.count("/reset"), "the request at the upstream")
        client.protocol.reset_stream(stream, 8)
        client._flush()
        wait_for(lambda: self.proxy.stat("cluster.h1.upstream_rq_active") == 0, "no active request")
        self.assertEqual(200, client.request("GET", "/after-reset").status)

    def test_bad_frames_end_the_connection_only(self):
        from meshtest.raw_http import Connection
        with Connection(self.proxy.address("only-h2")) as connection:
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("ffffff" "ff" "ff" "ffffffff") + b"\xff" * 100)
            connection.settimeout(5)
            connection.reader.to_end()
        self.assertEqual(200, self.client().request("GET", "/alive").status)


if __name__ == "__main__":
    unittest.main()
