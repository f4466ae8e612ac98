"""compressor and decompressor with gzip (what Python can read and write): both directions, bombs and broken bodies; and which of several
compressors answers."""
import gzip
import unittest

from meshtest.bootstrap import hcm, listener, route, routes
from meshtest.data_plane import weft_only
from meshtest.filters import HTTP, FilterTest
from meshtest.raw_http import Closed, fetch
from meshtest.upstream import Reply

LIBRARY = "type.googleapis.com/envoy.extensions.compression"
TEXT = b"".join(b"line %d of a text that repeats itself\n" % index for index in range(2000))
PLAIN = (("content-type", "text/plain"),)
MESSAGES = {"gzip": "Gzip", "brotli": "Brotli", "zstd": "Zstd"}


def library(kind, what):
    return {"name": kind, "typed_config": {"@type": f"{LIBRARY}.{kind}.{what}.v3.{MESSAGES[kind]}"}}


def compressor(kind, **fields):
    return {"name": f"c-{kind}", "typed_config": {"@type": f"{HTTP}.compressor.v3.Compressor",
                                                  "compressor_library": library(kind, "compressor"), **fields}}


def decompressor(kind, **fields):
    return {"name": f"d-{kind}", "typed_config": {"@type": f"{HTTP}.decompressor.v3.Decompressor",
                                                  "decompressor_library": library(kind, "decompressor"), **fields}}


class Compression(FilterTest):
    @classmethod
    def setUpClass(cls):
        table = routes(route("/", "up"))
        several = [compressor(kind, response_direction_config={}) for kind in ("gzip", "brotli", "zstd")]
        # Packed by the inner filter, unpacked by the outer one: what arrives is what was sent, whatever the library.
        both_ways = [listener(hcm(table, [decompressor(kind), compressor(kind, response_direction_config={})]), name=f"through-{kind}")
                     for kind in MESSAGES]
        told = compressor("gzip", response_direction_config={
            "status_header_enabled": True, "disable_on_etag_header": True, "uncompressible_response_codes": [206],
            "common_config": {"min_content_length": 100, "content_type": ["text/plain"]}})
        cls.start([listener(hcm(table, [decompressor("gzip")])), listener(hcm(table, [told]), name="told"), listener(hcm(table, several), name="several"), *both_ways])

    def test_a_request_is_unpacked(self):
        answer = self.ask("/in", [("content-encoding", "gzip")], "POST", body=gzip.compress(TEXT))
        self.assertEqual(200, answer.status)
        seen = self.upstream.requests("/in")[-1]
        self.assertEqual((TEXT, None), (seen.body, seen.header("content-encoding")))

    def test_an_answer_is_unpacked(self):
        self.upstream.on("/out", Reply(headers=(*PLAIN, ("content-encoding", "gzip")), body=gzip.compress(TEXT)))
        answer = self.ask("/out")
        self.assertEqual((TEXT, None), (answer.body, answer.header("content-encoding")))
        self.assertEqual("gzip", self.upstream.requests("/out")[-1].header("accept-encoding"))
        self.assertGreaterEqual(self.proxy.stat("http.main.decompressor.gzip.gzip.response.decompressed"), 1)

    def test_no_transform_is_left_alone(self):
        packed = gzip.compress(TEXT)
        headers = (*PLAIN, ("content-encoding", "gzip"), ("cache-control", "no-transform"))
        self.upstream.on("/fixed", Reply(headers=headers, body=packed))
        self.assertEqual(packed, self.ask("/fixed").body)

    @weft_only("Envoy passes on what it could unpack, as if it were the whole")
    def test_broken_bodies_and_bombs(self):
        bomb = gzip.compress(b"0" * 5_000_000)
        for body in (b"no gzip at all", gzip.compress(TEXT)[:-10], bomb):
            answer = self.ask("/bad", [("content-encoding", "gzip")], "POST", body=body)
            self.assertEqual(400, answer.status)
        self.assertEqual(0, self.upstream.count("/bad"))
        self.upstream.on("/bomb", Reply(headers=(*PLAIN, ("content-encoding", "gzip")), body=bomb))
        with self.assertRaises(Closed):
            self.ask("/bomb")
        self.assertGreaterEqual(self.proxy.stat("http.main.decompressor.gzip.gzip.decompressor_library.zlib_data_error"), 2)

    def test_every_library_gives_back_what_it_got(self):
        for kind in MESSAGES:
            self.upstream.on("/round", Reply(headers=PLAIN, body=TEXT))
            answer = fetch(self.proxy.address(f"through-{kind}"), "/round", "GET", [("accept-encoding", "identity;q=0.1")])
            self.assertEqual(TEXT, answer.body, kind)

    def test_the_status_header_says_why(self):
        image = (("content-type", "image/png"),)
        for reply, said in ((Reply(headers=PLAIN, body=TEXT), f"gzip;Compressed;OriginalLength={len(TEXT)}"),
                            (Reply(headers=PLAIN, chunks=(TEXT,)), "gzip;Compressed;OriginalLength="),
                            (Reply(headers=image, body=b"short"), "gzip;ContentLengthTooSmall"),
                            (Reply(headers=image, body=TEXT), "gzip;ContentTypeNotAllowed"),
                            (Reply(206, headers=(*PLAIN, ("etag", '"x"')), body=TEXT), "gzip;EtagNotAllowed"),
                            (Reply(206, headers=PLAIN, body=TEXT), "gzip;StatusCodeNotAllowed"),
                            (Reply(headers=(*PLAIN, ("cache-control", "no-transform")), body=TEXT), None),
                            (Reply(headers=(*PLAIN, ("content-encoding", "br")), body=TEXT), None)):
            self.upstream.on("/why", reply)
            answer = fetch(self.proxy.address("told"), "/why", "GET", [("accept-encoding", "gzip")])
            self.assertEqual(said, answer.header("x-envoy-compression-status"))
        self.upstream.on("/why", Reply(headers=PLAIN, body=TEXT))
        self.assertIsNone(fetch(self.proxy.address("told"), "/why").header("x-envoy-compression-status"))

    def test_the_client_chooses(self):
        for accept, coding in (("gzip, br, zstd", "gzip"), ("br, gzip", "br"), ("gzip;q=0.5, zstd", "zstd"), ("*", "gzip"), ("deflate", None)):
            self.upstream.on("/many", Reply(headers=PLAIN, body=TEXT))
            answer = fetch(self.proxy.address("several"), "/many", "GET", [("accept-encoding", accept)])
            self.assertEqual(coding, answer.header("content-encoding"), accept)
            if coding:
                self.assertLess(len(answer.body), len(TEXT) // 2)
                self.assertEqual("Accept-Encoding", answer.header("vary"))
        self.assertGreaterEqual(self.proxy.stat("http.main.compressor.gzip.gzip.header_compressor_overshadowed"), 2)
        self.assertGreaterEqual(self.proxy.stat("http.main.compressor.brotli.brotli.header_compressor_used"), 1)


if __name__ == "__main__":
    unittest.main()
