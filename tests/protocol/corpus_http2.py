"""Requests over HTTP/2 that become two, or others than they were, for whoever writes them down as HTTP/1: H2.CL and H2.TE (Kettle 2021),
fields and pseudo-headers with line ends in them, pseudo-headers twice, late and unknown. RFC 9113 8.1 to 8.3."""
import os
import sys

from case import HIDDEN, Corpus

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
from meshtest.frames import (  # pylint: disable=wrong-import-position
    DATA, END_HEADERS, END_STREAM, HEADERS, fields, frame, get, literal, post, request)

corpus = Corpus(http2=True)
SPLIT = b" HTTP/1.1\r\nHost: main.test\r\n\r\nGET /hidden/@@ HTTP/1.1\r\nX: "
BODY = b"hello"


def data(payload, stream=1, end=True):
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def trailers(*pairs):
    return frame(HEADERS, END_STREAM | END_HEADERS, 1, fields(*pairs))


# The names of the cases stand for themselves in the bytes, of which frames count the length: so it is put in before.
def hidden(name):
    return HIDDEN.replace(b"@@", name.encode())


for _name, _field in {
        "crlf": b"x\r\ntransfer-encoding", "lf": b"x\ny", "cr": b"x\ry", "nul": b"x\0y", "colon": b"x:y", "space": b"x y",
        "space-last": b"x ", "space-first": b" x",
        "tab": b"x\ty", "upper": b"X", "upper-late": b"xY", "empty": b"", "delete": b"x\x7f", "high": b"x\x80", "colon-last": b"x:",
        "split": b"x: y\r\n\r\nGET /hidden/n HTTP/1.1\r\nx",
        "quote": b'x"', "bracket": b"x[", "slash": b"x/", "bell": b"x\x07", "comma": b"x,y", "equals": b"x=y"}.items():
    corpus.refused(f"h2-name-{_name}", get(1, (_field, "1"), path="/x"))
for _name, _value in {
        "crlf": b"a\r\nTransfer-Encoding: chunked", "lf": b"a\nb", "cr": b"a\rb", "nul": b"a\0b", "lf-first": b"\na", "cr-last": b"a\r",
        "lf-last": b"a\n", "bell": b"a\x07",
        "delete": b"a\x7f", "vertical-tab": b"a\x0bb", "split": b"a\r\n\r\nGET /hidden/v HTTP/1.1\r\nHost: a\r\n\r\n",
        "escape": b"\x1b[2J"}.items():
    corpus.refused(f"h2-value-{_name}", get(1, ("x", _value), path="/x"))
    corpus.refused(f"h2-cookie-{_name}", get(1, ("cookie", "a=b"), ("cookie", _value), path="/x"))
for _name, _value in {"split": b"/x" + SPLIT.replace(b"@@", b"p"), "crlf": b"/x\r\n", "space": b"/x y", "tab": b"/x\t", "nul": b"/\0",
        "lf": b"/\n", "relative": b"x", "empty": b"",
                      "star": b"*", "absolute": b"http://evil.test/x", "fragment": b"/x#y", "high": b"/\xff", "delete": b"/\x7f",
                      "version": b"/x HTTP/1.1"}.items():
    corpus.refused(f"h2-path-{_name}", get(1, path=_value))
for _name, _value in {"split": b"GET /hidden/m HTTP/1.1\r\nHost: a\r\n\r\nGET", "space": b"GET ", "nul": b"G\0ET", "empty": b"",
        "crlf": b"GET\r\n", "colon": b"GET:", "line": b"GET /x",
                      "high": b"G\xc9T", "slash": b"GET/", "tab": b"\tGET"}.items():
    corpus.refused(f"h2-method-{_name}", get(1, method=_value, path="/x"))
for _name, _value in {"crlf": b"main.test\r\nX: y", "space": b"main test", "path": b"main.test/x", "user": b"a@main.test",
        "nul": b"main\0", "fragment": b"main.test#", "query": b"main.test?",
                      "bracket": b"[::1", "port": b"main.test:http", "backslash": b"main.test\\x", "high": b"main\xff.test",
                      "url": b"http://main.test"}.items():
    corpus.refused(f"h2-authority-{_name}", get(1, authority=_value, path="/x"))
for _name, _value in {"crlf": b"http\r\nX: y", "javascript": b"javascript", "url": b"http://evil.test/x?", "space": b"http ",
        "empty": b"", "nul": b"http\0", "file": b"file"}.items():
    corpus.refused(f"h2-scheme-{_name}", get(1, scheme=_value, path="/x"))
for _name, _pairs in {
        "method-twice": [(":method", "POST")], "path-twice": [(":path", "/y")], "scheme-twice": [(":scheme", "https")],
        "authority-twice": [(":authority", "evil.test")],
        "late": [("x", "y"), (":path", "/y")], "unknown": [(":x", "y")], "status": [(":status", "200")], "protocol": [(":protocol",
        "websocket")],
        "empty-name": [(":", "y")], "host": [("host", "evil.test")], "hosts": [("host", "main.test"), ("host", "evil.test")],
        "connection": [("connection", "close")],
        "keep-alive": [("keep-alive", "timeout=5")], "proxy-connection": [("proxy-connection", "close")], "upgrade": [("upgrade", "h2c")],
        "coding": [("transfer-encoding", "chunked")], "coding-identity": [("transfer-encoding", "identity")], "te": [("te", "gzip")],
        "te-list": [("te", "trailers, chunked")],
        "http2-settings-upgrade": [("upgrade", "h2c"), ("http2-settings", "AAMAAABk")]}.items():
    corpus.refused(f"h2-field-{_name}", get(1, *_pairs, path="/x"))
for _name in ("method", "path", "scheme"):
    corpus.refused(f"h2-without-{_name}", get(1, **{"path": "/x", _name: None}))
corpus.refused("h2-without-authority", get(1, path="/x", authority=None))
corpus.refused("h2-regular-first", frame(HEADERS, END_STREAM | END_HEADERS, 1, fields(("x", "y")) + request(path="/x")))

# -- H2.TE and H2.CL: the frames say where the body ends, nothing else may
corpus.refused("h2-te", post(1, ("transfer-encoding", "chunked"), path="/x") + data(b"0\r\n\r\n" + hidden("h2-te")))
corpus.refused("h2-te-cl", post(1, ("transfer-encoding", "chunked"), ("content-length", "5"), path="/x") + data(b"0\r\n\r\n"))
corpus.refused("h2-te-injected", post(1, ("x", b"y\r\ntransfer-encoding: chunked"),
    path="/x") + data(b"0\r\n\r\n" + hidden("h2-te-injected")))
for _name, _value in {"zero": "0", "short": "3", "long": "9", "list": "5, 5", "plus": "+5", "minus": "-5", "hex": "0x5", "empty": "",
        "huge": "18446744073709551621", "point": "5.0",
                      "space": "5 5", "letters": "five"}.items():
    corpus.refused(f"h2-cl-{_name}", post(1, ("content-length", _value), path="/x") + data(BODY))
corpus.refused("h2-cl-zero-hidden", post(1, ("content-length", "0"), path="/x") + data(hidden("h2-cl-zero-hidden")))
corpus.refused("h2-cl-twice", post(1, ("content-length", "5"), ("content-length", "6"), path="/x") + data(BODY))
corpus.refused("h2-cl-twice-equal", post(1, ("content-length", "5"), ("content-length", "5"), path="/x") + data(BODY))
corpus.refused("h2-cl-no-body", get(1, ("content-length", "5"), path="/x"))
corpus.refused("h2-cl-trailers", post(1, ("content-length", "9"), path="/x") + data(BODY, end=False) + trailers(("x", "y")))
_hidden = hidden("h2-body-is-a-request")
corpus.served("h2-body-is-a-request", post(1, path="/x") + data(_hidden), upstream=[("POST", "/x", _hidden)])
corpus.served("h2-body-is-a-request-get", frame(HEADERS, END_HEADERS, 1, request(path="/x")) + data(_hidden), upstream=[("GET", "/x",
    _hidden)])
corpus.served("h2-body-with-length", post(1, ("content-length", "5"), path="/x") + data(BODY), upstream=[("POST", "/x", BODY)])
corpus.served("h2-body-chunk-look", post(1, path="/x") + data(b"0\r\n\r\n" + _hidden), upstream=[("POST", "/x", b"0\r\n\r\n" + _hidden)])
corpus.served("h2-body-in-frames", post(1, path="/x") + b"".join(data(bytes([byte]), end=False) for byte in BODY) + data(b""),
    upstream=[("POST", "/x", BODY)])
corpus.served("h2-expect", post(1, ("expect", "100-continue"), ("content-length", "5"), path="/x") + data(BODY), upstream=[("POST", "/x",
    BODY)])
corpus.served("h2-host-equal", get(1, ("host", "main.test"), path="/x"), upstream=[("GET", "/x", b"")])
corpus.served("h2-host-alone", get(1, ("host", "main.test"), path="/x", authority=None), upstream=[("GET", "/x", b"")])
corpus.served("h2-authority-comma", get(1, authority="main.test,evil", path="/x"), upstream=[("GET", "/x", b"")])
corpus.served("h2-te-trailers", get(1, ("te", "trailers"), path="/x"), upstream=[("GET", "/x", b"")])
corpus.served("h2-two-slashes", get(1, path="//evil.test/x"), upstream=[("GET", "//evil.test/x", b"")])
corpus.served("h2-encoded-split", get(1, path="/x%0d%0aX:y"), upstream=[("GET", "/x%0d%0aX:y", b"")])
corpus.harmless("h2-method-lower", get(1, method="get", path="/x"))
corpus.harmless("h2-underscore", get(1, ("transfer_encoding", "chunked"), ("content_length", "5"), path="/x"))
corpus.harmless("h2-value-blanks", get(1, ("x", " y "), path="/x"))
corpus.harmless("h2-connect", frame(HEADERS, END_HEADERS, 1, request(method="CONNECT", path=None, scheme=None,
    authority="main.test:80")) + data(_hidden), first="main.test:80")
corpus.refused("h2-connect-with-path", get(1, method="CONNECT", path="/x"))
corpus.harmless("h2-http2-settings", get(1, ("http2-settings", "AAMAAABkAAQAAP__"), path="/x"))

# -- trailers
for _name, _pair in {"host": ("host", "evil.test"), "trailer": ("trailer", "x")}.items():
    corpus.served(f"h2-trailer-{_name}", post(1, path="/x") + data(BODY, end=False) + trailers(_pair), upstream=[("POST", "/x", BODY)])
for _name, _pair in {"coding": ("transfer-encoding", "chunked"), "length": ("content-length", "50"), "pseudo": (":path", "/y"),
        "status": (":status", "200"), "crlf": ("x", b"a\r\nb"), "name": (b"x\r\ny", "1"),
                     "upper": ("X", "1"), "connection": ("connection", "close")}.items():
    corpus.refused(f"h2-trailer-{_name}", post(1, path="/x") + data(BODY, end=False) + trailers(_pair))
corpus.refused("h2-trailer-without-end", post(1, path="/x") + data(BODY, end=False) + frame(HEADERS, END_HEADERS, 1, literal("x",
    "y")) + data(b"z"))
corpus.refused("h2-two-heads", post(1, path="/x") + post(1, path="/y") + data(BODY))

CASES = corpus.cases
