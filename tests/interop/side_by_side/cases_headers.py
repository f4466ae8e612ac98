"""What a proxy adds, removes and keeps in both heads."""
from meshtest.upstream import Reply

from .case import case, get, post

# -- identity of a request
UUID = "11111111-2222-4333-8444-555555555555"
case("request-id-made", get("/echo"))
case("request-id-from-outside-replaced", get("/echo", ("x-request-id", UUID)))
case("request-id-from-outside-kept", get("/echo", ("x-request-id", UUID)), listener="edge")
case("request-id-not-a-uuid-kept", get("/echo", ("x-request-id", "my own")), listener="edge")
case("request-id-off", get("/echo", host="inner.test"), listener="inner")
case("request-id-off-passes", get("/echo", ("x-request-id", "my own"), host="inner.test"), listener="inner")

# -- where it came from
case("forwarded-for-added", get("/echo"))
case("forwarded-for-this-very-machine", get("/echo"), source="127.0.0.1")
case("forwarded-for-appended", get("/echo", ("x-forwarded-for", "10.1.2.3")))
case("forwarded-for-two-lines", get("/echo", ("x-forwarded-for", "10.1.2.3"), ("x-forwarded-for", "10.4.5.6")))
case("forwarded-for-trusted-hop", get("/echo", ("x-forwarded-for", "10.1.2.3, 203.0.113.7")), listener="edge")
case("forwarded-for-passed", get("/echo", ("x-forwarded-for", "10.1.2.3"), host="inner.test"), listener="inner")
case("forwarded-proto-replaced", get("/echo", ("x-forwarded-proto", "https")))
case("forwarded-proto-trusted", get("/echo", ("x-forwarded-proto", "https"), ("x-forwarded-for", "10.1.2.3")), listener="edge")
case("forwarded-proto-passed", get("/echo", ("x-forwarded-proto", "https"), host="inner.test"), listener="inner")
case("forwarded-proto-nonsense", get("/echo", ("x-forwarded-proto", "gopher"), host="inner.test"), listener="inner")
case("forwarded-proto-decides-redirect", get("/a", ("x-forwarded-proto", "https"), host="secure.test"))
case("envoy-headers-from-outside", get(
    "/echo", ("x-envoy-expected-rq-timeout-ms", "5"), ("x-envoy-internal", "true"), ("x-envoy-original-path", "/lie"),
    ("x-envoy-attempt-count", "7"), ("x-envoy-decorator-operation", "lie"), ("x-envoy-external-address", "1.2.3.4")))
case("envoy-headers-from-inside", get("/echo", ("x-envoy-internal", "true"), ("x-envoy-original-path", "/lie"), host="inner.test"),
     listener="inner")
case("via", get("/echo", ("via", "1.1 other")), listener="edge")

# -- what an answer says of the proxy
case("server-overwritten", get("/server"), script={"/server": [Reply(headers=(("server", "upstream/1"),), body=b"x")]})
case("server-named", get("/server-edge"), listener="edge", script={"/server-edge": [Reply(headers=(("server", "upstream/1"),), body=b"x")]})
case("server-passed", get("/server-inner", host="inner.test"), listener="inner",
     script={"/server-inner": [Reply(headers=(("server", "upstream/1"),), body=b"x")]})
case("server-passed-none", get("/server-none", host="inner.test"), listener="inner", script={"/server-none": [Reply(body=b"x")]})
case("upstream-time-from-upstream", get("/time"), script={"/time": [Reply(headers=(("x-envoy-upstream-service-time", "77777"),))]})
case("upstream-time-suppressed", get("/time-edge"), listener="edge", script={"/time-edge": [Reply()]})
case("date-kept", get("/date"), script={"/date": [Reply(headers=(("date", "Thu, 01 Jan 1970 00:00:00 GMT"),))]})
case("attempt-count", get("/echo"))

# -- mutation
case("mutate-levels", get("/headers/route", ("x-level", "client"), ("x-table", "client"), ("x-table-removes", "1")))
case("mutate-route", get("/headers/route", ("x-add-if-absent", "mine"), ("x-overwrite", "old"), ("x-overwrite-existing", "old"),
                         ("x-route-removes", "1"), ("user-agent", "test")))
case("mutate-route-nothing-there", get("/headers/route"))
case("mutate-answer", get("/headers/route/answer"), script={"/headers/route/answer": [Reply(headers=(
    ("x-answer-level", "upstream"), ("x-from-upstream", "old"), ("x-unwanted", "1"), ("x-upstream-secret", "s")), body=b"x")]})
case("mutate-format", get("/headers/format", ("x-original", "value")))
case("mutate-format-missing", get("/headers/format"))
case("mutate-weighted-cluster", get("/headers/weighted", ("x-cluster-removes", "1")))
case("mutate-local-reply", get("/fault/abort"))
case("mutate-no-route", get("/cluster-missing"))

# -- hop by hop
case("hop-connection-named", get("/echo", ("Connection", "X-Secret, keep-alive"), ("X-Secret", "1"), ("X-Kept", "2")))
case("hop-connection-close-in-list", get("/echo", ("Connection", "X-Secret, close"), ("X-Secret", "1")))
case("hop-te-trailers", get("/echo", ("TE", "trailers")))
case("hop-te-gzip", get("/echo", ("TE", "gzip"), ("Connection", "TE")))
case("hop-keep-alive", get("/echo", ("Keep-Alive", "timeout=5")))
case("hop-proxy-connection", get("/echo", ("Proxy-Connection", "keep-alive")))
case("hop-proxy-authorization", get("/echo", ("Proxy-Authorization", "Basic eDp5")))
case("hop-upgrade-websocket-off", get("/echo", ("Connection", "Upgrade"), ("Upgrade", "websocket")))
case("hop-upgrade-h2c", get("/echo", ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")))
case("hop-in-answer", get("/hop"), script={"/hop": [Reply(headers=(
    ("Connection", "X-Gone"), ("X-Gone", "1"), ("Keep-Alive", "timeout=9"), ("Proxy-Connection", "keep-alive")), body=b"x")]})
case("hop-upstream-closes", get("/hop-close"), script={"/hop-close": [Reply(body=b"bye", close=True)]})

# -- odd but legal
case("header-empty-value", get("/echo", ("X-Empty", "")))
case("header-spaces-trimmed", b"GET /echo HTTP/1.1\r\nHost:main.test\r\nx-case: @@\r\nX-Pad:  \t padded \t \r\n\r\n")
case("header-high-bytes", b"GET /echo HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\nX-High: caf\xc3\xa9 \xff\r\n\r\n")
case("header-all-token-letters", get("/echo", ("!#$%&'*+-.^_`|~09aZ", "1")))
case("header-underscore", get("/echo", ("x_under", "1")))
case("header-underscore-rejected", get("/echo", ("x_under", "1")), listener="edge")
case("header-duplicates-kept", get("/echo", ("X-Multi", "1"), ("x-multi", "2"), ("X-MULTI", "1")))
case("header-cookies", get("/echo", ("Cookie", "a=1"), ("Cookie", "b=2")))
case("header-set-cookie-twice", get("/cookies"), script={"/cookies": [Reply(headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))]})
case("header-case-of-answer", get("/case"), script={"/case": [Reply(headers=(("X-MiXeD", "MiXeD"),))]})
case("header-user-agent", get("/echo", ("User-Agent", "a-rather-long-agent")))
case("host-port-stripped", get("/echo", host="inner.test:7777"), listener="inner")
case("host-port-empty", get("/echo", host="inner.test:"), listener="inner")
case("host-uppercase-passed", get("/echo", host="Inner.TEST"), listener="inner")

# -- paths normalised at the edge
case("normalize-dots", get("/a/./b/../c"), listener="edge")
case("normalize-escaped-dots", get("/a/%2e%2e/c"), listener="edge")
case("normalize-merge-slashes", get("//a///b//"), listener="edge")
case("normalize-decodes-unreserved", get("/%61%7Eb%2D"), listener="edge")
case("normalize-keeps-query", get("/a/../b?x=/../y//z"), listener="edge")
case("normalize-above-root", get("/../../etc/passwd"), listener="edge")
case("normalize-escaped-slash-refused", get("/a%2Fb"), listener="edge")
case("normalize-escaped-backslash-refused", get("/a%5cb"), listener="edge")
case("normalize-backslash", get("/a\\b\\..\\c"), listener="edge")
case("normalize-dots-with-parameters", get("/a/..;x=1/b/.;/c"), listener="edge")
case("normalize-escaped-dots-with-parameters", get("/a/%2e%2e;x/c"), listener="edge")
case("normalize-half-escape", get("/a%zz/b"), listener="edge")
case("normalize-half-escape-in-query", get("/a?b=%zz"), listener="edge")
case("normalize-escaped-nul", get("/a%00b"), listener="edge")
case("path-half-escape", get("/a%zz/b%"))
case("normalize-semicolon", get("/a;v=1/../b;x"), listener="edge")

# -- asked and transformed
ALLOWED = {"/filtered/allowed": [Reply()], "/filtered/allowed-gzip": [Reply()], "/filtered/small": [Reply()],
           "/filtered/no-gzip": [Reply()],
           "/filtered/capitals": [Reply()], "/filtered/zip": [Reply()]}
TEXT = b"The same line again and again. " * 100
PLAIN = (("content-type", "text/plain"),)
case("authz-allowed", get("/filtered/allowed"), listener="filtered", authority=ALLOWED)
case("authz-allowed-post", post("/filtered/allowed", b"a body that waits"), listener="filtered", authority=ALLOWED)
case("authz-denied", get("/filtered/denied"), listener="filtered",
     authority={"/filtered/denied": [Reply(403, (("x-why", "no"), ("content-type", "text/plain")), b"not for you")]})
case("authz-401", get("/filtered/401"), listener="filtered",
     authority={"/filtered/401": [Reply(401, (("www-authenticate", "Basic"),), b"who are you")]})
case("authz-500-is-no", get("/filtered/500"), listener="filtered", authority={"/filtered/500": [Reply(500, (), b"oops")]})
case("authz-away-is-no", get("/filtered/away"), listener="filtered", authority={"/filtered/away": [Reply(drop=True)]})
case("authz-denied-post", post("/filtered/denied-post", [b"chunk", b"chunk"]), listener="filtered",
     authority={"/filtered/denied-post": [Reply(403, (), b"no")]})
case("compress-gzip", get("/filtered/allowed-gzip", ("accept-encoding", "gzip")), listener="filtered", authority=ALLOWED,
     script={"/filtered/allowed-gzip": [Reply(headers=(*PLAIN, ("etag", '"strong"')), body=TEXT)]})
case("compress-capitals", get("/filtered/capitals", ("accept-encoding", "GZIP")), listener="filtered", authority=ALLOWED,
     script={"/filtered/capitals": [Reply(headers=PLAIN, body=TEXT)]})
case("compress-not-asked", get("/filtered/no-gzip"), listener="filtered", authority=ALLOWED,
     script={"/filtered/no-gzip": [Reply(headers=PLAIN, body=TEXT)]})
case("compress-refused-q0", get("/filtered/no-gzip", ("accept-encoding", "gzip;q=0")), listener="filtered", authority=ALLOWED,
     script={"/filtered/no-gzip": [Reply(headers=PLAIN, body=TEXT)]})
case("compress-too-small", get("/filtered/small", ("accept-encoding", "gzip")), listener="filtered", authority=ALLOWED,
     script={"/filtered/small": [Reply(headers=PLAIN, body=b"tiny")]})
case("compress-image-left-alone", get("/filtered/zip", ("accept-encoding", "gzip")), listener="filtered", authority=ALLOWED,
     script={"/filtered/zip": [Reply(headers=(("content-type", "image/png"),), body=TEXT)]})
