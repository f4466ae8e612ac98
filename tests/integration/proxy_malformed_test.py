"""Requests that two parsers could read differently: refused, the connection closed, and nothing of them at the upstream.

Each hides a second request behind the first. tests/interop compares the answers with Envoy's; here only the harm counts.
"""
import unittest

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane, weft_only
from meshtest.raw_http import Closed, Connection, Silence, fetch
from meshtest.upstream import Upstream

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: main.test\r\n\r\n"
REFUSED = (400, 414, 426, 431, 501, 505)

# Header lines (or a whole head where it begins with a method), body.
LENGTHS = [b"+5", b"-5", b"0x5", b"", b"5\0", b"5 5", b"5, 6", b"5,5,6", b"1_0", b"18446744073709551621", b"\xef\xbc\x95", b"5;q=1"]
CODINGS = [b"xchunked", b"chunked, identity", b"identity, chunked", b"chunked;q=1", b'"chunked"', b"\x0bchunked", b"chunked\0",
           b"chunked, chunked",
           b"gzip, chunked", b"identity", b"", b"chunked,", b"cow"]
HEADERS = [b": z", b"no colon at all", b"X Y: 1", b"X\t: 1", b"X : 1", b"X\0: 1", b"X\x80: 1", b"X: a\0b", b"X: a\x01b", b"X: a\x7fb",
           b"X: a\rb", b"X: a\nb",
           b" fold: 1", b"X: a\r\n folded", b"X(: 1", b"X\"y: 1", b"@x: 1"]
CHUNKS = [b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n",
          b"5_0\r\nhello\r\n0\r\n\r\n",
          b"\r\nhello\r\n0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"5\0\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n",
          b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n", b"2;\nxx\r\n0\r\n\r\n",
          b"2;a\rb\r\nxx\r\n0\r\n\r\n",
          b"g\r\nhello\r\n0\r\n\r\n", b"5 \t5\r\nhello\r\n0\r\n\r\n", b"0\r\nbad trailer\r\n\r\n", b"0\r\n: x\r\n\r\n",
          b"0\r\nx : y\r\n\r\n"]
LINES = [b"GET  /x HTTP/1.1", b"GET /x  HTTP/1.1", b" GET /x HTTP/1.1", b"GET /x y HTTP/1.1", b"GET /x\ty HTTP/1.1", b"GE\0T /x HTTP/1.1",
         b"GET /x\0 HTTP/1.1",
         b"GET /x\x80 HTTP/1.1", b"GET x HTTP/1.1", b"GET /x HTTP/1.1 ", b"GET /x HTTP/2.0", b"GET /x HTTP/1.2", b"GET /x HTTP/11",
         b"GET /x http/1.1",
         b"GET /x XTTP/1.1", b"GET /x", b"GET", b"GET /a#b HTTP/1.1", b"GET ftp://main.test/ HTTP/1.1", b"GET /x HTTP/0.9"]


class Malformed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.proxy = DataPlane(bootstrap([listener(hcm(routes(route("/", "up"))))], [cluster("up", cls.upstream.address)]))
        cls.addClassCleanup(cls.proxy.stop)

    def refuse(self, data, name):
        """Sends it with a second request behind; both must stay outside."""
        self.upstream.forget()
        with self.subTest(name), Connection(self.proxy.address()) as connection:
            connection.send(data + SMUGGLED)
            connection.settimeout(5)
            try:
                answer = connection.read_response()
                self.assertIn(answer.status, REFUSED)
                connection.reader.to_end()
            except Closed:
                pass
            except Silence:
                self.fail("neither answered nor closed")
            self.assertEqual(200, fetch(self.proxy.address(), "/fence").status)
            self.assertEqual(["/fence"], [seen.path for seen in self.upstream.requests()])

    def head(self, *lines):
        return b"POST /x HTTP/1.1\r\nHost: main.test\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"

    @weft_only("Envoy's parser lets some of these through")
    def test_all(self):
        for value in LENGTHS:
            self.refuse(self.head(b"Content-Length: " + value) + b"hello", f"length {value}")
        for value in CODINGS:
            self.refuse(self.head(b"Transfer-Encoding: " + value) + b"0\r\n\r\n", f"coding {value}")
            self.refuse(self.head(b"Transfer-Encoding: " + value, b"Content-Length: 5") + b"0\r\n\r\n", f"coding {value} and length")
        for first, second in ((b"Content-Length: 6", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Content-Length: 6"),
                              (b"Content-Length: 5", b"Content-Length: 6"), (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
                              (b"Transfer-Encoding:\r\n chunked", b"Content-Length: 5"),
                              (b"Transfer-Encoding : chunked", b"Content-Length: 5"),
                              (b"Content-Length : 5", b"X: y"), (b"X: b\nTransfer-Encoding: chunked", b"Content-Length: 5")):
            self.refuse(self.head(first, second) + b"0\r\n\r\nG", f"{first} {second}")
        for line in HEADERS:
            self.refuse(self.head(line, b"Content-Length: 0"), f"header {line}")
        for body in CHUNKS:
            self.refuse(self.head(b"Transfer-Encoding: chunked") + body, f"chunk {body}")
        for line in LINES:
            self.refuse(line + b"\r\nHost: main.test\r\n\r\n", f"line {line}")

    @weft_only("Envoy's parser lets some of these through")
    def test_every_byte_beside_the_coding(self):
        """Any byte that is not a blank or a letter of the coding's list, in four places."""
        for byte in [*range(0, 33), *range(127, 256)]:
            letter = bytes([byte])
            if letter in b"\t ":
                continue
            for place, value in (("before", letter + b"chunked"), ("after", b"chunked" + letter), ("inside", b"chun" + letter + b"ked")):
                if letter in (b"\r", b"\n") and place == "after":
                    continue  # that is the line's end, judged above
                self.refuse(self.head(b"Transfer-Encoding: " + value) + b"0\r\n\r\n", f"{byte} {place}")
            self.refuse(self.head(b"Transfer-Encoding" + letter + b": chunked") + b"0\r\n\r\n", f"{byte} in the name")

    @weft_only("Envoy answers some with 404")
    def test_host(self):
        for name, lines in {"missing": b"", "twice": b"Host: a\r\nHost: b\r\n", "twice equal": b"Host: a\r\nHost: a\r\n",
                            "slash": b"Host: a/b\r\n",
                            "at": b"Host: a@b\r\n", "space": b"Host: a b\r\n"}.items():
            self.refuse(b"GET /x HTTP/1.1\r\n" + lines + b"\r\n", f"host {name}")

    def test_limits(self):
        for name, data in {
                "field of 200 KB": self.head(b"X: " + b"x" * 200000), "10000 fields": self.head(*[b"X: 1"] * 10000),
                "target of 128 KB": b"GET /" + b"u" * 131072 + b" HTTP/1.1\r\nHost: main.test\r\n\r\n",
                "method of 64 KB": b"G" * 65536 + b" / HTTP/1.1\r\nHost: main.test\r\n\r\n",
                "trailers of 1 MB":
                self.head(b"Transfer-Encoding: chunked") + b"0\r\n" + (b"x: " + b"y" * 1000 + b"\r\n") * 1000 + b"\r\n"}.items():
            self.refuse(data, name)

    def test_not_http_at_all(self):
        for name, data in {"TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(150), "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
                           "zeros": bytes(1000),
                           "HTTP/0.9": b"GET /x\r\n\r\n", "broken preface": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"}.items():
            self.refuse(data, name)


if __name__ == "__main__":
    unittest.main()
