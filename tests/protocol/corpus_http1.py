"""Requests over HTTP/1 that hide a second one, or would if anybody read them otherwise than the proxy does. From RFC 9110 and 9112 and
the published attacks: CL.TE, TE.CL and TE.TE (Linhart 2005, Kettle 2019), CL.0 and 0.CL (Kettle 2022, 2025), chunk extensions
(TERM.EXT, EXT.TERM, SPILL, 2025), upgrades (h2c smuggling 2020)."""
import os
import sys

from case import HIDDEN, WAIT, Corpus

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
import proxy_malformed_test as malformed  # pylint: disable=wrong-import-position

corpus = Corpus()
CL, TE = b"Content-Length: ", b"Transfer-Encoding: "
CHUNKED = TE + b"chunked"


def head(*lines, line=b"POST /x HTTP/1.1", host=b"Host: main.test"):
    return b"\r\n".join([line] + ([host] if host else []) + list(lines)) + b"\r\n\r\n"


def second(target=b"/second", *lines):
    """An honest request behind the first."""
    return head(*lines, line=b"GET " + target + b" HTTP/1.1")


def lines_refused(group, **cases):
    """Header lines with a hidden request as the body."""
    for name, lines in cases.items():
        corpus.refused(f"{group}-{name.replace('_', '-')}", head(*lines) + b"0\r\n\r\n" + HIDDEN)


def chunks_refused(**cases):
    for name, body in cases.items():
        corpus.refused(f"chunk-{name.replace('_', '-')}", head(CHUNKED) + body + HIDDEN)


# -- what one proxy is asked in tests/integration, here asked of two
for _number, _value in enumerate(malformed.LENGTHS):
    corpus.refused(f"length-{_number}", head(CL + _value) + b"hello" + HIDDEN)
for _number, _value in enumerate(malformed.CODINGS):
    corpus.refused(f"coding-{_number}", head(TE + _value) + b"0\r\n\r\n" + HIDDEN)
    corpus.refused(f"coding-{_number}-and-length", head(TE + _value, CL + b"5") + b"0\r\n\r\n" + HIDDEN)
for _number, _value in enumerate(malformed.HEADERS):
    corpus.refused(f"header-{_number}", head(_value, CL + b"0") + HIDDEN)
for _number, _value in enumerate(malformed.CHUNKS):
    corpus.refused(f"chunked-{_number}", head(CHUNKED) + _value + HIDDEN)
for _number, _value in enumerate(malformed.LINES):
    corpus.refused(f"line-{_number}", head(line=_value) + HIDDEN)
SHARED = len(corpus.cases)

# -- two framings at once
lines_refused(
    "both", cl_te=[CL + b"6", CHUNKED], te_cl=[CHUNKED, CL + b"4"], zero_cl_te=[CL + b"0", CHUNKED], te_zero_cl=[CHUNKED, CL + b"0"],
    cl_te_cl=[CL + b"5", CHUNKED, CL + b"5"], te_cl_te=[CHUNKED, CL + b"5", CHUNKED], lower_case=[b"content-length: 5",
    b"transfer-encoding: chunked"],
    upper_case=[b"CONTENT-LENGTH: 5", b"TRANSFER-ENCODING: CHUNKED"], tab=[CL + b"5", b"Transfer-Encoding:\tchunked"],
    no_space=[CL + b"5", b"Transfer-Encoding:chunked"], far_apart=[CL + b"5", *[b"X-%d: y" % index for index in range(50)], CHUNKED],
    te_named_by_connection=[b"Connection: Transfer-Encoding", CHUNKED, CL + b"5"],
    cl_named_by_connection=[b"Connection: Content-Length", CHUNKED, CL + b"5"])
corpus.refused("both-get", head(CL + b"5", CHUNKED, line=b"GET /x HTTP/1.1") + b"0\r\n\r\n" + HIDDEN)
corpus.refused("both-http10", head(CL + b"5", CHUNKED, line=b"POST /x HTTP/1.0") + b"0\r\n\r\n" + HIDDEN)

# -- Transfer-Encoding in disguise
lines_refused(
    "te", form_feed=[b"Transfer-Encoding:\x0cchunked"], next_line=[b"Transfer-Encoding: \x85chunked"], hard_space=[TE + b"\xa0chunked"],
    comma_first=[TE + b", chunked"], commas=[TE + b",,chunked,,"], short=[TE + b"chunk"], long=[TE + b"chunkedchunked"],
    apostrophes=[TE + b"'chunked'"], deflate=[TE + b"deflate, chunked"], trailers=[TE + b"trailers, chunked"], compress=[TE + b"compress"],
    empty_twice=[CHUNKED, b"Transfer-Encoding:"], colon_on_next_line=[b"Transfer-Encoding", b": chunked"],
    fold_after_comma=[TE + b"identity,", b" chunked"], fold_tab=[b"Transfer-Encoding:", b"\tchunked"],
    nul_in_name=[b"Transfer\0-Encoding: chunked"],
    nul_before=[b"\0Transfer-Encoding: chunked"], vertical_tab_name=[b"Transfer\x0b-Encoding: chunked"],
    byte_order_mark=[b"\xef\xbb\xbfTransfer-Encoding: chunked"],
    space_first=[b"X: y", b" Transfer-Encoding: chunked"], quoted_pair=[TE + b'"\\chunked"'], two_with_length=[CHUNKED, TE + b"x",
    CL + b"5"],
    bare_lf_hides=[b"X: y\nTransfer-Encoding: chunked"], bare_cr_hides=[b"X: y\rTransfer-Encoding: chunked"], semicolon=[TE + b"chunked;"],
    parameter=[TE + b"chunked; a=b"], equals=[b"Transfer-Encoding= chunked", CL + b"0"], unicode=[TE + b"chun\xe2\x84\xaaed"])
for _name, _line in {"tab": b"Transfer-Encoding:\tchunked", "blanks": TE + b" \tchunked \t", "no-space": b"Transfer-Encoding:chunked",
                     "case": b"tRANSFER-eNCODING: cHuNkEd", "named": b"Connection: Transfer-Encoding\r\n" + CHUNKED}.items():
    corpus.served(f"te-honest-{_name}", head(_line) + b"5\r\nhello\r\n0\r\n\r\n" + second(),
                  upstream=[("POST", "/x", b"hello"), ("GET", "/second", b"")], statuses=(200, 200))
# Fields that only look like it: the length frames the message, the rest is its body.
for _name in (b"Transfer_Encoding", b"X-Transfer-Encoding", b"Transfer-Encoding-X", b"TransferEncoding", b"Content-Encoding", b"TE"):
    corpus.served(f"te-lookalike-{_name.decode().lower()}", head(_name + b": chunked",
        CL + b"48") + (b"0\r\n\r\n" + HIDDEN)[:48].ljust(48, b"."),
                  upstream=[("POST", "/x", None)])

# -- Content-Length
lines_refused(
    "cl", twice=[CL + b"5", CL + b"5"], list_equal=[CL + b"5, 5"], list_open=[CL + b"5,"], comma=[CL + b","], point=[CL + b"5.0"],
    exponent=[CL + b"1e1"],
    binary=[CL + b"0b101"], octal=[CL + b"0o5"], arabic=[CL + b"\xd9\xa5"], minus_zero=[CL + b"-0"], not_a_number=[CL + b"NaN"],
    vertical_tab=[CL + b"5\x0b"], form_feed=[CL + b"\x0c5"], hard_space=[CL + b"\xa05"], two_to_63=[CL + b"9223372036854775808"],
    two_to_64=[CL + b"18446744073709551616"], hundred_digits=[CL + b"9" * 100], letters=[CL + b"five"], quoted=[CL + b'"5"'],
    fold=[b"Content-Length:", b" 5"], fold_digits=[CL + b"1", b" 0"], name_space=[b"Content-Length : 5"], name_tab=[b"Content-Length\t: 5"],
    bare_lf=[CL + b"5\nX: y"], bare_cr=[CL + b"5\rX: y"], three=[CL + b"5", CL + b"0", CL + b"5"], plus_zero=[CL + b"+0"],
    percent=[CL + b"%35"],
    zero_then_five=[CL + b"0", CL + b"5"])
corpus.served("cl-body-is-a-request", head(CL + b"%d" % len(HIDDEN.replace(b"@@", b"cl-body-is-a-request"))) + HIDDEN,
              upstream=[("POST", "/x", HIDDEN.replace(b"@@", b"cl-body-is-a-request"))])
corpus.served("cl-get-body-is-a-request", head(CL + b"%d" % len(HIDDEN.replace(b"@@", b"cl-get-body-is-a-request")),
    line=b"GET /x HTTP/1.1") + HIDDEN,
              upstream=[("GET", "/x", HIDDEN.replace(b"@@", b"cl-get-body-is-a-request"))])
corpus.served("cl-blanks", head(b"Content-Length: \t5\t ") + b"hello", upstream=[("POST", "/x", b"hello")])
corpus.served("cl-leading-zeros", head(CL + b"0005") + b"hello", upstream=[("POST", "/x", b"hello")])
corpus.served("cl-named-by-connection", head(b"Connection: Content-Length", CL + b"5") + b"hello" + second(),
              upstream=[("POST", "/x", b"hello"), ("GET", "/second", b"")], statuses=(200, 200))
corpus.served("cl-lookalike", head(b"Content_Length: 41") + b"helloGET /hidden/@@ HTTP/1.1\r\nHost: a\r\n\r\n",
              upstream=[("POST", "/x", b"")], statuses=(200, 400))
corpus.served("cl-too-short", head(CL + b"2") + b"hello" + HIDDEN, upstream=[("POST", "/x", b"he")], statuses=(200, 400))
corpus.served("cl-none", head() + second(), upstream=[("POST", "/x", b""), ("GET", "/second", b"")], statuses=(200, 200))

# -- line ends
lines_refused(
    "eol", lf_between=[b"X: a\nY: b"], cr_between=[b"X: a\rY: b"], cr_twice=[b"X: a\r"], cr_at_start=[b"\rX: a"], lf_at_start=[b"\nX: a"],
    cr_in_name=[b"X\rY: a"], lf_in_name=[b"X\nY: a"], cr_before_colon=[b"X\r: a"], head_ends_cr=[b"X: a\r\r"], lf_cr=[b"X: a\n\rY: b"],
    response_splitting=[b"X: a\r\n\nHTTP/1.1 200 OK"], nel=[b"X\xc2\x85: a"], vertical=[b"X: a\x0bb"], backspace=[b"X: a\x08b"],
    escape=[b"X: a\x1bb"])
corpus.refused("eol-lf-everywhere", b"POST /x HTTP/1.1\nHost: main.test\nContent-Length: 0\n\n" + HIDDEN)
corpus.refused("eol-lf-after-line", b"POST /x HTTP/1.1\nHost: main.test\r\n\r\n" + HIDDEN)
corpus.refused("eol-cr-after-line", b"POST /x HTTP/1.1\rHost: main.test\r\n\r\n" + HIDDEN)
corpus.refused("eol-head-ends-lf", b"POST /x HTTP/1.1\r\nHost: main.test\r\n\n" + HIDDEN)
corpus.refused("eol-head-ends-lf-crlf", b"POST /x HTTP/1.1\r\nHost: main.test\n\r\n" + HIDDEN)
corpus.refused("eol-cr-first", b"\rPOST /x HTTP/1.1\r\nHost: main.test\r\n\r\n" + HIDDEN)
corpus.harmless("eol-lf-first", b"\nPOST /x HTTP/1.1\r\nHost: main.test\r\nConnection: close\r\n\r\n" + HIDDEN)
corpus.served("eol-crlf-first", b"\r\n" + head(), upstream=[("POST", "/x", b"")])
corpus.served("eol-crlf-between", head() + b"\r\n" + second(), upstream=[("POST", "/x", b""), ("GET", "/second", b"")], statuses=(200, 200))

# -- obs-fold, white space, names
lines_refused(
    "fold", host=[b" .evil.test"], value=[b"X: a", b" b"], tab=[b"X: a", b"\tb"], blank_line=[b"X: a", b" "], name=[b"X", b" Y: a"],
    last=[b"X: a", b"  ", b" b"], hides_host=[b"X: a", b" Host: evil.test"], first_tab=[b"\tX: a"])
lines_refused(
    "name", space=[b"X : a"], tab=[b"X\t: a"], inner=[b"X Y: a"], colon_first=[b":X: a"], empty=[b": a"], no_colon=[b"X"],
    bracket=[b"X[0]: a"], equals=[b"X=Y: a"],
    slash=[b"X/Y: a"], backslash=[b"X\\Y: a"], brace=[b"X{: a"], latin=[b"X\xe9: a"], control=[b"X\x02: a"], delete=[b"X\x7f: a"],
    comma=[b"X,Y: a"],
    question=[b"X?: a"], parenthesis=[b"X(c): a"], greater=[b"X>: a"], nul=[b"X\0: a"], host_space=[b"Host : evil.test"], quote=[b'"X": a'])
corpus.served("name-honest", head(b"X:a", b"Y:", b"Z: \t z\t ", b"!#$%&'*+-.^_`|~9: tokens"), upstream=[("POST", "/x", b"")])

# -- Host and the target
for _name, _lines in {"twice": [b"Host: main.test", b"Host: evil.test"], "twice-equal": [b"Host: main.test", b"Host: main.test"],
                      "case": [b"Host: main.test", b"hOST: evil.test"], "list": [b"Host: main.test, evil.test"], "none": [],
                      "empty": [b"Host:"],
                      "blank": [b"Host: \t"], "nul": [b"Host: main.test\0"], "fragment": [b"Host: main.test#x"],
                      "query": [b"Host: main.test?x"],
                      "path": [b"Host: main.test/x"], "url": [b"Host: http://main.test"], "user": [b"Host: a@main.test"],
                      "space": [b"Host: main.test evil.test"],
                      "port-letters": [b"Host: main.test:http"], "port-twice": [b"Host: main.test:80:81"], "bracket-open": [b"Host: [::1"],
                      "backslash": [b"Host: main.test\\evil"], "control": [b"Host: main\x01.test"], "fold": [b"Host:",
                      b" main.test"]}.items():
    corpus.refused(f"host-{_name}", b"\r\n".join([b"GET /x HTTP/1.1", *_lines]) + b"\r\n\r\n" + HIDDEN)
for _name, _target in {"user": b"http://a@main.test/x", "no-host": b"http:///x", "only-scheme": b"http:", "file": b"file:///x",
        "ftp": b"ftp://main.test/x",
                       "open-bracket": b"http://[::1/x", "backslash": b"http://main.test\\x", "control": b"http://main.test/\x01",
                       "relative": b"x",
                       "authority": b"main.test:80", "space": b"/x /y", "fragment": b"/x#y", "high": b"/\xc3\xa9", "nul": b"/x\0",
                       "tab": b"/x\ty",
                       "delete": b"/x\x7f", "star-get": b"x*"}.items():
    corpus.refused(f"target-{_name}", head(line=b"GET " + _target + b" HTTP/1.1") + HIDDEN)
corpus.served("target-absolute", head(line=b"GET http://main.test/x HTTP/1.1"), upstream=[("GET", "/x", b"")])
corpus.served("target-absolute-other-host", head(line=b"GET http://main.test/x HTTP/1.1", host=b"Host: evil.test"), upstream=[("GET",
    "/x", b"")])
corpus.served("target-encoded-split", head(line=b"GET /x%20HTTP/1.1%0d%0aX:%20y HTTP/1.1"), upstream=[("GET", "/x%20HTTP/1.1%0d%0aX:%20y",
    b"")])
corpus.served("target-two-slashes", head(line=b"GET //evil.test/x HTTP/1.1"), upstream=[("GET", "//evil.test/x", b"")])
for _name, _line in {"vertical-tab": b"GET\x0b/x HTTP/1.1", "tab": b"GET\t/x\tHTTP/1.1", "version-long": b"GET /x HTTP/1.10",
        "version-zero": b"GET /x HTTP/01.1",
                     "version-twice": b"GET /x HTTP/1.1 HTTP/1.1", "version-comma": b"GET /x HTTP/1,1",
                     "version-space": b"GET /x HTTP /1.1",
                     "version-plus": b"GET /x HTTP/+1.1", "nul": b"GET /x HTTP/1.1\0", "method-empty": b" /x HTTP/1.1",
                     "method-colon": b"GET: /x HTTP/1.1",
                     "method-latin": b"G\xc9T /x HTTP/1.1", "hard-space": b"GET\xa0/x HTTP/1.1", "icy": b"GET /x ICY/1.1"}.items():
    corpus.refused(f"start-{_name}", head(line=_line) + HIDDEN)

# -- HTTP/1.0
corpus.refused("http10-chunked", head(CHUNKED, line=b"POST /x HTTP/1.0") + b"0\r\n\r\n" + HIDDEN)
corpus.refused("http10-chunked-keep-alive", head(CHUNKED, b"Connection: keep-alive", line=b"POST /x HTTP/1.0") + b"0\r\n\r\n" + HIDDEN)
corpus.refused("http10-two-lengths", head(CL + b"0", CL + b"5", line=b"POST /x HTTP/1.0") + HIDDEN)
corpus.served("http10-no-keep-alive", head(line=b"GET /x HTTP/1.0") + HIDDEN, upstream=[("GET", "/x", b"")])
corpus.served("http10-length", head(CL + b"5", line=b"POST /x HTTP/1.0") + b"hello" + HIDDEN, upstream=[("POST", "/x", b"hello")])
corpus.served("http10-expect", head(CL + b"5", b"Expect: 100-continue", line=b"POST /x HTTP/1.0") + b"hello" + HIDDEN, upstream=[("POST",
    "/x", b"hello")])
corpus.refused("http09", b"GET /x\r\n\r\n" + HIDDEN)

# -- inside chunks
chunks_refused(
    quoted_spill=b'5;a="\r\nhello\r\n0\r\n\r\n"\r\n0\r\n\r\n', extension_lf=b"5;\nhello\r\n0\r\n\r\n",
    extension_cr=b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    extension_nul=b"5;a\0b\r\nhello\r\n0\r\n\r\n", extension_lf_size=b"5;a\n\r\nhello\r\n0\r\n\r\n",
    term_ext=b"2;\n15\r\nxx\r\n0\r\n\r\n", cr_cr_lf=b"5\r\r\nhello\r\n0\r\n\r\n",
    lf_lf=b"5\n\nhello\r\n0\r\n\r\n", cr=b"5\rhello\r\n0\r\n\r\n", data_no_end=b"5\r\nhello0\r\n\r\n", data_cr=b"5\r\nhello\r0\r\n\r\n",
    data_lf=b"5\r\nhello\n0\r\n\r\n",
    data_lf_cr=b"5\r\nhello\n\r0\r\n\r\n", data_short=b"6\r\nhello\r\n0\r\n\r\n", crlf_first=b"\r\n5\r\nhello\r\n0\r\n\r\n",
    max=b"FFFFFFFFFFFFFFFF\r\nhello",
    max_less_one=b"FFFFFFFFFFFFFFFE\r\nhello", seventeen=b"10000000000000000\r\nhello\r\n0\r\n\r\n", minus_zero=b"-0\r\n\r\n",
    hex_zero=b"0x0\r\n\r\n",
    full_width=b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n", comma=b"5,5\r\nhello\r\n0\r\n\r\n", point=b"5.\r\nhello\r\n0\r\n\r\n",
    empty=b"\r\n\r\n", letters=b"hello\r\n",
    space_inside=b"1 0\r\n0123456789\r\n0\r\n\r\n", nul_first=b"\x005\r\nhello\r\n0\r\n\r\n", last_lf=b"0\n\n", last_no_end=b"0\r\n",
    last_one_cr=b"0\r\n\r",
    last_data=b"0\r\nhello\r\n\r\n", extension_long=b"5;" + b"a" * 40000 + b"\r\nhello\r\n0\r\n\r\n",
    trailer_fold=b"0\r\nX: a\r\n b\r\n\r\n", trailer_space=b"0\r\nX : a\r\n\r\n", trailer_lf=b"0\r\nX: a\n\r\n",
    trailer_cr=b"0\r\nX: a\rb\r\n\r\n", trailer_nul=b"0\r\nX: \0\r\n\r\n",
    trailer_no_colon=b"0\r\nX\r\n\r\n", trailer_first_space=b"0\r\n X: a\r\n\r\n",
    trailer_flood=b"0\r\n" + b"X: aaaaaaaaaaaaaaaa\r\n" * 20000 + b"\r\n")
corpus.served("chunk-tiny", head(CHUNKED) + b"1;a=b\r\nx\r\n" * 40000 + b"0\r\n\r\n", upstream=[("POST", "/x", b"x" * 40000)])
for _name, _body in {"extension": b"5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n", "zeros": b"00005\r\nhello\r\n000\r\n\r\n",
        "upper": b"5\r\nhello\r\n0\r\n\r\n",
                     "trailer": b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "trailer-length": b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n",
                     "trailer-coding": b"5\r\nhello\r\n0\r\nTransfer-Encoding: identity\r\n\r\n",
                     "trailer-host": b"5\r\nhello\r\n0\r\nHost: evil.test\r\n\r\n",
                     "trailer-connection": b"5\r\nhello\r\n0\r\nConnection: close\r\n\r\n"}.items():
    corpus.served(f"chunk-honest-{_name}", head(CHUNKED) + _body + second(), upstream=[("POST", "/x", b"hello"), ("GET", "/second", b"")],
        statuses=(200, 200))

# -- Expect
corpus.served("expect", head(b"Expect: 100-continue", CL + b"5"), WAIT, b"hello", upstream=[("POST", "/x", b"hello")])
corpus.served("expect-at-once", head(b"Expect: 100-continue", CL + b"5") + b"hello" + second(),
              upstream=[("POST", "/x", b"hello"), ("GET", "/second", b"")], statuses=(200, 200))
corpus.served("expect-no-body", head(b"Expect: 100-continue", line=b"GET /x HTTP/1.1") + second(),
              upstream=[("GET", "/x", b""), ("GET", "/second", b"")], statuses=(200, 200))
corpus.served("expect-zero-length", head(b"Expect: 100-continue", CL + b"0") + second(), upstream=[("POST", "/x", b""), ("GET", "/second",
    b"")], statuses=(200, 200))
for _name, _value in {"list": b"100-continue, 100-continue", "prefix": b"y 100-continue", "suffix": b"100-continue y", "other": b"200-ok",
        "empty": b""}.items():
    corpus.harmless(f"expect-{_name}", head(b"Expect: " + _value, CL + b"41", b"Connection: close") + HIDDEN[:41].ljust(41, b"."))
corpus.harmless("expect-twice", head(b"Expect: 100-continue", b"Expect: 100-continue", CL + b"5", b"Connection: close") + b"hello" + HIDDEN)
corpus.harmless("expect-fold", head(b"Expect: 100-continue,", b" y", CL + b"5") + b"hello" + HIDDEN)
# 0.CL: the answer comes before the body does; what then comes is not a request.
for _name, _reply in {"refused": b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "answered": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly",
                      "failed": b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n"}.items():
    _path = f"/early/{_name}"
    _status = int(_reply[9:12])
    corpus.served(f"early-{_name}", head(CL + b"500", line=b"POST %s HTTP/1.1" % _path.encode()), WAIT, HIDDEN * 4,
                  upstream=[], statuses=(_status,), replies={_path: (None, _reply)}, first=_path)
    corpus.served(f"early-{_name}-expect", head(b"Expect: 100-continue", CL + b"500", line=b"POST %s/2 HTTP/1.1" % _path.encode()), WAIT,
        HIDDEN * 4,
                  upstream=[], statuses=(_status,), replies={_path + "/2": (None, _reply)}, first=_path + "/2")
    corpus.served(f"early-{_name}-chunked", head(CHUNKED, line=b"POST %s/3 HTTP/1.1" % _path.encode()) + b"5\r\nhello\r\n", WAIT, HIDDEN,
                  upstream=[], statuses=(_status,), replies={_path + "/3": (None, _reply)}, first=_path + "/3")
# CL.0: the proxy itself answers and has no use for the body.
corpus.served("unread-body", head(CL + b"%d" % len(HIDDEN.replace(b"@@", b"unread-body")), line=b"POST /direct HTTP/1.1") + HIDDEN,
              upstream=[], statuses=(204,))
corpus.served("unread-body-chunked", head(CHUNKED, line=b"POST /direct HTTP/1.1") + b"5\r\nhello\r\n0\r\n\r\n",
              upstream=[], statuses=(204,))
corpus.served("unread-body-late", head(CL + b"45", line=b"POST /direct HTTP/1.1"), WAIT, HIDDEN, upstream=[], statuses=(204,))

# -- upgrades and tunnels that nobody offers
for _name, _lines in {"h2c": [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"],
                      "h2c-no-connection": [b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"], "tls": [b"Connection: Upgrade",
                      b"Upgrade: TLS/1.0"],
                      "websocket": [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
                      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
                      "websocket-777": [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 777"],
                      "empty": [b"Connection: Upgrade", b"Upgrade:"], "only-connection": [b"Connection: upgrade"],
                      "two": [b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"]}.items():
    corpus.harmless(f"upgrade-{_name}", head(*_lines, CL + b"5") + b"hello")
    corpus.harmless(f"upgrade-{_name}-get", head(*_lines, line=b"GET /x HTTP/1.1"))
corpus.harmless("connect", head(line=b"CONNECT main.test:80 HTTP/1.1", host=b"Host: main.test:80"), WAIT, HIDDEN, first="main.test:80")
corpus.harmless("connect-with-body", head(CL + b"5", line=b"CONNECT main.test:80 HTTP/1.1", host=b"Host: main.test:80"), WAIT,
    b"hello" + HIDDEN, first="main.test:80")
corpus.served("preface-late", head(), WAIT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN, upstream=[("POST", "/x", b"")], statuses=(200,
    400))

# -- one behind the other
corpus.served("pipeline", second(b"/1") + second(b"/2") + second(b"/3"), upstream=[("GET", f"/{n}", b"") for n in (1, 2, 3)],
    statuses=(200, 200, 200))
corpus.served("pipeline-garbage", second(b"/1") + b"\x16\x03\x01garbage\r\n\r\n" + HIDDEN, upstream=[("GET", "/1", b"")], statuses=(200,
    400))
corpus.served("pipeline-bad-second", second(b"/1") + head(CL + b"5", CHUNKED) + HIDDEN, upstream=[("GET", "/1", b"")], statuses=(200, 400))
corpus.served("pipeline-after-close", second(b"/1", b"Connection: close") + HIDDEN, upstream=[("GET", "/1", b"")])
corpus.served("pipeline-length-too-long", head(CL + b"60") + HIDDEN.ljust(60 + 12, b".")[:60], upstream=[("POST", "/x", None)])
for _name, _line in {"close-te": b"Connection: close, Transfer-Encoding", "host": b"Connection: Host",
        "keep-alive": b"Keep-Alive: timeout=5, max=1000",
                     "proxy": b"Proxy-Connection: keep-alive", "long": b"Connection: " + b"x, " * 2000 + b"x"}.items():
    corpus.served(f"hop-{_name}", head(_line, CL + b"5") + b"hello", upstream=[("POST", "/x", b"hello")])

CASES = corpus.cases
