"""Where a message begins and ends: bodies, pipelines, versions, and all the ways of lying about it (HTTP request smuggling).

A malformed request carries a second one for /smuggled/...: it must never reach the upstream, whatever the proxy answers.
"""
from meshtest.raw_http import chunked, message

from .case import AwaitInterim, bad, case, get, http2, post, request

HEAD = b"POST /echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n"
SMUGGLED = b"GET /smuggled/@@ HTTP/1.1\r\nHost: main.test\r\n\r\n"


def smuggle(name, *lines, body=b"", head=HEAD, **fields):
    """A request with these extra header lines and this body, with a second request hidden behind."""
    bad(name, head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body + SMUGGLED, **fields)


# -- honest bodies
case("body-length", post("/echo", b"hello"))
case("body-length-zero", post("/echo", b""))
case("body-none-post", request("POST", "/echo"))
case("body-get-with-length", request("GET", "/echo", body=b"odd but legal"))
case("body-chunked", post("/echo", [b"one", b"two"]))
# Whether a body without a chunk leaves as length 0 depends on when its end is seen.
case("body-chunked-empty", post("/echo", []),
     ignore=frozenset({"upstream framing", "upstream header content-length", "upstream header transfer-encoding"}))
case("body-chunked-upper-case-hex", HEAD + b"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", methods=("POST",))
case("body-chunked-name-case", HEAD + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
case("body-chunked-zeros", HEAD + b"Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n")
case("body-chunk-extension", HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;name=value\r\nabc\r\n0\r\n\r\n")
case("body-trailers", HEAD + b"Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n" + chunked(b"abc", trailers=[("x-sum", "1")]))
case("body-trailers-that-frame", HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(
    b"abc", trailers=[("content-length", "50"), ("transfer-encoding", "chunked"), ("host", "evil.test")]))
case("body-large", post("/echo", b"0123456789" * 30000))
case("body-large-chunked", post("/echo", [b"x" * 1000] * 300))
case("body-in-pieces", HEAD + b"Content-Length: 10\r\n\r\n", b"01234", b"56789")
case("body-delete", request("DELETE", "/echo", body=b"x"))
case("method-options-star", request("OPTIONS", "*"))
case("method-own", request("BREW", "/echo"))
case("method-patch", request("PATCH", "/echo", body=b"{}"))
case("method-trace", request("TRACE", "/echo"))
case("method-connect", b"CONNECT main.test:443 HTTP/1.1\r\nHost: main.test:443\r\nx-case: @@\r\n\r\n", probe=False)

# -- several on one connection
case("keep-alive-two", get("/echo/1"), get("/echo/2"), answers=2)
case("pipeline-three", get("/echo/1") + get("/echo/2?x") + request("HEAD", "/echo/3"), answers=3, methods=("GET", "GET", "HEAD"))
case("pipeline-posts", post("/echo/1", b"one") + post("/echo/2", [b"two"]) + get("/echo/3"), answers=3)
case("pipeline-behind-local-reply", post("/direct/200", b"unread") + get("/echo/2"), answers=2)
case("pipeline-behind-redirect", get("/redirect/path") + get("/echo/2"), answers=2)
case("pipeline-after-close", request("GET", "/echo/1", ("Connection", "close")) + get("/smuggled/@@"))
case("connection-close", get("/echo", ("Connection", "close")))
case("crlf-before-request", b"\r\n" + get("/echo"))
case("crlf-after-body", post("/echo", b"abc") + b"\r\n" + get("/echo/2"), answers=2)

# -- HTTP/1.0 and before
case("http10-refused", b"GET /echo HTTP/1.0\r\nHost: main.test\r\nx-case: @@\r\n\r\n", well_formed=False)
case("http10", b"GET /echo HTTP/1.0\r\nHost: edge.test\r\nx-case: @@\r\n\r\n", listener="edge")
case("http10-default-host", b"GET /echo HTTP/1.0\r\nx-case: @@\r\n\r\n", listener="edge")
case("http10-keep-alive", b"GET /echo HTTP/1.0\r\nHost: edge.test\r\nConnection: keep-alive\r\n\r\n", listener="edge")
case("http10-post", b"POST /echo HTTP/1.0\r\nHost: edge.test\r\nContent-Length: 3\r\n\r\nabc", listener="edge")
bad("http10-chunked",
    b"POST /echo HTTP/1.0\r\nHost: edge.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    listener="edge")
bad("http09", b"GET /echo\r\n\r\n")
bad("http-2-in-line", b"GET /echo HTTP/2.0\r\nHost: main.test\r\n\r\n")
bad("http-1-2", b"GET /echo HTTP/1.2\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("http-lower-case", b"GET /echo http/1.1\r\nHost: main.test\r\n\r\n")
bad("tls-hello", bytes.fromhex("16030100a5010000a10303") + b"\0" * 150)
bad("preface-broken", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", listener="edge")

# -- absolute form, authority
case("absolute-form", b"GET http://main.test/exact?x=1 HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
case("absolute-form-wins-over-host", b"GET http://main.test/exact HTTP/1.1\r\nHost: closed.test\r\nx-case: @@\r\n\r\n")
case("absolute-form-no-path", b"GET http://main.test HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
case("absolute-form-query-no-path", b"GET http://main.test?x=1 HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
case("absolute-form-https", b"GET https://main.test/echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("absolute-form-user", b"GET http://user@main.test/echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("absolute-form-ftp", b"GET ftp://main.test/echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("host-missing", b"GET /echo HTTP/1.1\r\nx-case: @@\r\n\r\n")
bad("host-empty", b"GET /echo HTTP/1.1\r\nHost:\r\nx-case: @@\r\n\r\n")
bad("host-twice", b"GET /echo HTTP/1.1\r\nHost: main.test\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("host-two-different", b"GET /echo HTTP/1.1\r\nHost: main.test\r\nHost: closed.test\r\nx-case: @@\r\n\r\n")
bad("host-with-slash", b"GET /echo HTTP/1.1\r\nHost: main.test/x\r\nx-case: @@\r\n\r\n", listener="edge")
bad("host-with-at", b"GET /echo HTTP/1.1\r\nHost: user@main.test\r\nx-case: @@\r\n\r\n", listener="edge")
bad("host-with-space", b"GET /echo HTTP/1.1\r\nHost: main test\r\nx-case: @@\r\n\r\n", listener="edge")
bad("host-port-letters", b"GET /echo HTTP/1.1\r\nHost: main.test:http\r\nx-case: @@\r\n\r\n", listener="edge")
bad("host-bracket-open", b"GET /echo HTTP/1.1\r\nHost: [::1\r\nx-case: @@\r\n\r\n", listener="edge")
bad("target-fragment", b"GET /exact#x HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("target-space", b"GET /ex act HTTP/1.1\r\nHost: main.test\r\n\r\n")
bad("target-control", b"GET /ex\x01act HTTP/1.1\r\nHost: main.test\r\n\r\n")
bad("target-high-byte", b"GET /ex\xffact HTTP/1.1\r\nHost: main.test\r\n\r\n")
bad("target-relative", b"GET echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("target-empty", b"GET  HTTP/1.1\r\nHost: main.test\r\n\r\n")
bad("target-two-spaces", b"GET  /echo HTTP/1.1\r\nHost: main.test\r\n\r\n")
bad("method-bad-letter", b"GE(T /echo HTTP/1.1\r\nHost: main.test\r\n\r\n")
bad("method-lower-case", b"get /echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\n\r\n")
bad("method-long", b"G" * 70000 + b" /echo HTTP/1.1\r\nHost: main.test\r\n\r\n")

# -- Expect
case("expect-continue", HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", AwaitInterim(), b"hello")
case("expect-continue-at-once", HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
case("expect-continue-local-reply",
     b"POST /direct/418 HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", probe=False,
     ignore=frozenset({"interim"}))
case("expect-other", HEAD + b"Expect: y 100-continue\r\nContent-Length: 5\r\n\r\nhello")

# -- smuggling: two framings
smuggle("cl-te", b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nG")
smuggle("te-cl", b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"5c\r\n")
smuggle("te-xchunked", b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")
smuggle("te-chunked-identity", b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")
smuggle("te-identity", b"Transfer-Encoding: identity", b"Content-Length: 0")
smuggle("te-gzip-chunked", b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")
smuggle("te-chunked-parameter", b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n")
smuggle("te-quoted", b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n")
smuggle("te-vertical-tab", b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n")
smuggle("te-nul", b"Transfer-Encoding: chunked\0", body=b"0\r\n\r\n")
smuggle("te-twice", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")
smuggle("te-two-fields", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n")
smuggle("te-empty", b"Transfer-Encoding:", b"Content-Length: 0")
smuggle("te-space-before-colon", b"Transfer-Encoding : chunked", b"Content-Length: 5", body=b"0\r\n\r\n")
smuggle("cl-space-before-colon", b"Content-Length : 5", body=b"hello")
smuggle("te-fold", b"Transfer-Encoding:\r\n chunked", b"Content-Length: 5", body=b"0\r\n\r\n")
smuggle("te-fold-hidden", b"X: a\r\n Transfer-Encoding: chunked", b"Content-Length: 5", body=b"hello")
smuggle("fold-first-line", b" leading-fold: 1")
smuggle("bare-lf", b"X: b\nTransfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n")
smuggle("bare-cr", b"X: a\rContent-Length: 5")
smuggle("bare-cr-end", b"X: a\r\r")
bad("bare-lf-everywhere", b"GET /echo HTTP/1.1\nHost: main.test\nx-case: @@\n\n")
smuggle("cl-two", b"Content-Length: 5", b"Content-Length: 6", body=b"hello")
smuggle("cl-two-equal", b"Content-Length: 5", b"Content-Length: 5", body=b"hello")
smuggle("cl-list", b"Content-Length: 5, 6", body=b"hello")
smuggle("cl-list-equal", b"Content-Length: 5, 5", body=b"hello")
smuggle("cl-plus", b"Content-Length: +5", body=b"hello")
smuggle("cl-minus", b"Content-Length: -5", body=b"hello")
smuggle("cl-hex", b"Content-Length: 0x5", body=b"hello")
smuggle("cl-empty", b"Content-Length:")
smuggle("cl-nul", b"Content-Length: 5\0", body=b"hello")
smuggle("cl-overflow", b"Content-Length: 18446744073709551621", body=b"hello")
smuggle("cl-underscore", b"Content-Length: 1_0", body=b"helloworld")
smuggle("cl-full-width", b"Content-Length: \xef\xbc\x95", body=b"hello")
smuggle("cl-inner-space", b"Content-Length: 5 5", body=b"hello")
smuggle("header-nameless", b": z")
smuggle("header-without-colon", b"what is this")
smuggle("header-nul", b"X: a\0b")
smuggle("header-control", b"X: a\x01b")
smuggle("header-del", b"X: a\x7fb")
smuggle("header-name-space", b"X Y: 1")
smuggle("header-name-high-byte", b"X\xe9: 1")
smuggle("hop-connection-content-length", b"Connection: Content-Length", b"Content-Length: 5", body=b"hello", answers=2, follows=True)
smuggle("hop-connection-host", b"Connection: Host", b"Content-Length: 0", answers=2, follows=True)

# -- smuggling: inside chunks
CHUNKED = b"Transfer-Encoding: chunked"
for _name, _body in {
        "0x": b"0x5\r\nhello\r\n0\r\n\r\n", "plus": b"+5\r\nhello\r\n0\r\n\r\n", "minus": b"-1\r\nhello\r\n0\r\n\r\n",
        "space-before": b" 5\r\nhello\r\n0\r\n\r\n", "space-after": b"5 \r\nhello\r\n0\r\n\r\n", "underscore": b"5_0\r\nhello\r\n0\r\n\r\n",
        "empty": b"\r\nhello\r\n0\r\n\r\n", "overflow-64": b"10000000000000005\r\nhello\r\n0\r\n\r\n", "nul": b"5\0\r\nhello\r\n0\r\n\r\n",
        "bare-lf": b"5\nhello\r\n0\r\n\r\n", "data-ends-lf": b"5\r\nhello\n0\r\n\r\n", "data-too-long": b"5\r\nhello!\r\n0\r\n\r\n",
        "extension-lf": b"2;\nxx\r\n34\r\n0\r\n\r\n", "extension-cr": b"2;a\rb\r\nxx\r\n0\r\n\r\n",
        "extension-nul": b"2;a\0\r\nxx\r\n0\r\n\r\n", "extension-quote-open": b'2;a="\r\nxx\r\n0\r\n\r\n',
        "trailer-nameless": b"0\r\n: x\r\n\r\n", "trailer-space": b"0\r\nx : y\r\n\r\n", "trailer-bare-lf": b"0\r\nx: y\n\r\n"}.items():
    smuggle(f"chunk-{_name}", CHUNKED, body=_body)
bad("chunk-overflow-32", HEAD + CHUNKED + b"\r\n\r\n100000005\r\nhello\r\n0\r\n\r\n", probe=False, patience=0.5)
bad("chunk-extension-flood", HEAD + CHUNKED + b"\r\n\r\n" + (b"1;" + b"x" * 1024 + b"\r\nz\r\n") * 300 + b"0\r\n\r\n")
bad("trailer-flood", HEAD + CHUNKED + b"\r\n\r\n0\r\n" + (b"x-t: " + b"x" * 1000 + b"\r\n") * 1000 + b"\r\n")

# -- sizes
bad("header-60k", message("GET", "/echo", [("x-case", "@@"), ("x-big", "x" * 70000)]))
case("header-50k", get("/direct/200", ("x-big", "x" * 50000)))
bad("header-200k", message("GET", "/echo", [("x-big", "x" * 200000)]))
case("headers-90", get("/direct/200", *[(f"x-h{i}", "1") for i in range(90)]))
bad("headers-10000", message("GET", "/echo", [("x-many", "1")] * 10000))
bad("uri-128k", message("GET", "/" + "u" * 131072))
case("edge-header-7k", get("/echo", ("x-big", "x" * 7000)), listener="edge")
bad("edge-header-9k", message("GET", "/echo", [("x-big", "x" * 9000)]), listener="edge")
bad("edge-headers-21", message("GET", "/echo", [(f"x-h{i}", "1") for i in range(21)]), listener="edge")
http2("h2-header-70k", "GET", "/echo", headers=[("x-big-%d" % i, "x" * 7000) for i in range(10)])

# -- upgrades nobody asked for
bad("upgrade-with-length",
    b"POST /echo HTTP/1.1\r\nHost: main.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 5\r\n\r\nhello" + SMUGGLED,
    answers=2)
