"""Routes chosen by a key (scoped routes), by a matcher and by filter state; rewrites by formats; a length beside chunks."""
from .case import bad, case, request

ALL = ("X-Scope", "a=1;s=all")


def get(target, *headers, host="main.test"):
    return request("GET", target, ALL, *headers, host=host)


# -- scopes
case("scope", get("/plain"), listener="choices")
case("scope-of-no-value", request("GET", "/", ("x-scope", "s=")), listener="choices")
case("scope-of-no-separator", request("GET", "/", ("x-scope", "q;s")), listener="choices")
case("scope-unknown", request("GET", "/", ("x-scope", "s=other")), listener="choices")
case("scope-without-its-element", request("GET", "/", ("x-scope", "t=all")), listener="choices")
case("scope-without-its-header", request("GET", "/"), listener="choices")
case("scope-of-the-first-element", request("GET", "/", ("x-scope", "s=all;s=other")), listener="choices")
case("scope-of-the-first-line", request("GET", "/", ("x-scope", "s=all"), ("x-scope", "s=other")), listener="choices")
case("scope-with-blanks", request("GET", "/", ("x-scope", "s = all")), listener="choices")
case("scope-without-the-host", get("/", host="other.test"), listener="choices")

# -- filter state
case("state", get("/x", ("x-user", 'jason"s')), listener="choices")
case("state-none", get("/x"), listener="choices")
case("state-matched", get("/state", ("x-user", "jason")), listener="choices")
case("state-not-matched", get("/state", ("x-user", "ann")), listener="choices")
case("state-nothing-to-match", get("/state"), listener="choices")

# -- formats
case("format-path", get("/path/x?y=1", ("x-p", "a")), listener="choices")
case("format-path-empty", get("/bare/x?y=1"), listener="choices")
case("format-path-part-missing", get("/path/x?y=1"), listener="choices")
case("format-path-with-query", get("/bare/x?y=1", ("x-p", "/w?z=2")), listener="choices")
case("format-path-with-blank", get("/path/x", ("x-p", "a b")), listener="choices")
case("format-host", get("/host/x", ("x-h", "a")), listener="choices")
case("format-host-part-missing", get("/host/x"), listener="choices")
case("format-redirect", get("/to/x?y=1", ("x-p", "a")), listener="choices")
case("format-redirect-with-query", get("/to/x?y=1", ("x-p", "a?b")), listener="choices")
case("format-redirect-empty", get("/bto/x?y=1"), listener="choices")
case("format-redirect-strip", get("/strip/x?y=1", ("x-p", "a?b")), listener="choices")

# -- a matcher
for name, target, headers in (
        ("list", "/x", [("x-kind", "ax")]), ("list-not", "/x", [("x-kind", "ab")]), ("list-lines", "/x", [("x-kind", "a"), ("x-kind", "b")]),
        ("none", "/x", []), ("otherwise-first", "/one", [("x-kind", "c")]), ("otherwise-second", "/two/x", []),
        ("tree-short", "/a/x", [("x-kind", "b1")]), ("tree-long", "/a/bc", [("x-kind", "b1"), ("x-long", "1")]),
        ("tree-long-fails", "/a/bc", [("x-kind", "b1")]), ("tree-nothing", "/one", [("x-kind", "b1")])):
    case(f"matcher-{name}", get(target, *headers, host="matched.test"), listener="choices")

# -- allow_chunked_length
both = b"POST /chunks HTTP/1.1\r\nhost: main.test\r\nx-case: @@\r\nx-scope: s=all\r\ncontent-length: %s\r\n%s\r\n3\r\nabc\r\n0\r\n\r\n"
bad("length-beside-chunks", both % (b"5", b"transfer-encoding: chunked\r\n"), methods=("POST",), listener="choices")
bad("length-beside-chunks-zero", both % (b"0", b"transfer-encoding: chunked\r\n"), methods=("POST",), listener="choices")
bad("length-beside-chunks-faulty", both % (b"x", b"transfer-encoding: chunked\r\n"), methods=("POST",), listener="choices")
bad("length-beside-other-coding", both % (b"5", b"transfer-encoding: gzip\r\n"), methods=("POST",), listener="choices")
