"""What happens when an upstream is slow, wrong or gone: timeouts, retries, faults, limits, broken answers."""
from meshtest.upstream import Reply

from .case import case, get, http2, post, request

CHANCE = frozenset({"header x-envoy-attempt-count", "upstream header x-envoy-attempt-count", "log attempts"})


def fails(status, then=200):
    return [Reply(status, body=b"failed"), Reply(then, body=b"recovered")]


# -- timeouts
SLOW = [Reply(delay=1.0, body=b"late")]
case("timeout-route", get("/timeout/route"), script={"/timeout/route": SLOW})
case("timeout-route-not-reached", get("/timeout/route/fast"))
case("timeout-route-post", post("/timeout/route/post", b"x" * 5000), script={"/timeout/route/post": SLOW})
case("timeout-none", get("/timeout/none"), script={"/timeout/none": [Reply(delay=0.3, body=b"patience")]})
case("timeout-from-client-header", get("/echo-timeout", ("x-envoy-upstream-rq-timeout-ms", "100"), host="inner.test"),
     listener="inner", script={"/echo-timeout": SLOW})
case("timeout-per-try", get("/timeout/per-try"), script={"/timeout/per-try": [Reply(delay=1.0), Reply(body=b"second try")]})
case("timeout-per-try-exhausted", get("/timeout/per-try/always"), script={"/timeout/per-try/always": SLOW})
case("timeout-per-try-not-retriable", get("/timeout/per-try-other"), script={"/timeout/per-try-other": SLOW})
case("timeout-idle", get("/timeout/idle"), script={"/timeout/idle": SLOW})
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
case("timeout-stream", get("/timeout/stream"), script={"/timeout/stream": SLOW})
case("timeout-stream-grpc", get("/timeout/stream/grpc", *GRPC), script={"/timeout/stream/grpc": SLOW})
case("timeout-stream-grpc-told", get("/timeout/stream/told", *GRPC))
case("timeout-stream-asks-longer", get("/timeout/stream/longer", ("grpc-timeout", "5S")), script={"/timeout/stream/longer": [Reply(delay=0.5, body=b"ok")]})
case("timeout-stream-begun", get("/timeout/stream/begun"), probe=False,
     script={"/timeout/stream/begun": [Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123")]})
case("timeout-stream-half-a-body", b"POST /timeout/stream/half HTTP/1.1\r\nHost: main.test\r\nx-case: @@\r\ncontent-length: 10\r\n\r\n123",
     methods=("POST",), probe=False)
for _number, _value in enumerate(("0S", "0n", "-1S", "1X", "1", "123456789S", "99999999H", "+1S", "1.5S")):
    # Where the time is over at once, Envoy has begun an attempt before it notices.
    _ignored = frozenset({"log attempts"}) if _number < 2 else frozenset()
    case(f"timeout-asked-{_number}", get(f"/timeout/stream/asked-{_number}", ("grpc-timeout", _value)), ignore=_ignored)
    case(f"timeout-asked-{_number}-grpc", get(f"/timeout/stream/asked-{_number}-grpc", ("grpc-timeout", _value), *GRPC), ignore=_ignored)
case("timeout-request-head", b"GET / HTTP/1.1\r\nHost: edge.test\r\n", listener="edge", well_formed=False)
http2("h2-timeout-route", "GET", "/timeout/route/h2", script={"/timeout/route/h2": SLOW})

# -- retries
case("retry-5xx", get("/retry/5xx/a"), script={"/retry/5xx/a": fails(503)})
case("retry-5xx-500", get("/retry/5xx/b"), script={"/retry/5xx/b": fails(500)})
case("retry-5xx-exhausted", get("/retry/5xx/c"), script={"/retry/5xx/c": [Reply(503, (("x-try", "1"),), b"one"), Reply(502, (("x-try",
    "2"),), b"two"),
                                                                           Reply(500, (("x-try", "3"),), b"three")]})
case("retry-5xx-replays-body", post("/retry/5xx/d", b"again " * 100), script={"/retry/5xx/d": [Reply(503), None]})
case("retry-5xx-replays-chunks", post("/retry/5xx/e", [b"again ", b"and again"]), script={"/retry/5xx/e": [Reply(503), None]})
case("retry-5xx-on-drop", get("/retry/5xx/f"), script={"/retry/5xx/f": [Reply(drop=True), Reply(body=b"recovered")]})
case("retry-5xx-not-4xx", get("/retry/5xx/g"), script={"/retry/5xx/g": fails(404)})
case("retry-gateway-503", get("/retry/gateway/a"), script={"/retry/gateway/a": fails(503)})
case("retry-gateway-not-500", get("/retry/gateway/b"), script={"/retry/gateway/b": fails(500)})
case("retry-status-409", get("/retry/status/a"), script={"/retry/status/a": fails(409)})
case("retry-status-not-503", get("/retry/status/b"), script={"/retry/status/b": fails(503)})
case("retry-4xx-is-409", get("/retry/4xx/a"), script={"/retry/4xx/a": fails(409)})
case("retry-4xx-not-404", get("/retry/4xx/b"), script={"/retry/4xx/b": fails(404)})
case("retry-reset", get("/retry/reset/a"), script={"/retry/reset/a": [Reply(reset=True), Reply(body=b"recovered")]})
case("retry-reset-not-503", get("/retry/reset/b"), script={"/retry/reset/b": fails(503)})
case("retry-connect-other-host", get("/retry/connect"), ignore=CHANCE)
case("retry-connect-post", post("/retry/connect/post", b"payload"), ignore=CHANCE)
case("retry-connect-all-dead", get("/retry/connect-dead"))
case("retry-none-503", get("/retry/none/a"), script={"/retry/none/a": fails(503)})
case("retry-none-drop", get("/retry/none/b"), script={"/retry/none/b": [Reply(drop=True)]})
case("retry-asked-by-header", get("/retry/none/c", ("x-envoy-retry-on", "5xx"), host="inner.test"), listener="inner",
     script={"/retry/none/c": fails(503)})
case("retry-header-from-outside-ignored", get("/retry/none/d", ("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "2")),
     script={"/retry/none/d": fails(503)})
http2("h2-retry-5xx", "POST", "/retry/5xx/h2", body=b"again", script={"/retry/5xx/h2": [Reply(503), None]})

# -- faults
case("fault-abort", get("/fault/abort"))
case("fault-abort-post", post("/fault/abort", b"x" * 100))
case("fault-abort-head", request("HEAD", "/fault/abort"), methods=("HEAD",))
case("fault-never", get("/fault/never"))
case("fault-delay", get("/fault/delay"))
case("fault-delay-abort", get("/fault/delay-abort"))
case("fault-for-header", get("/fault/for-header", ("x-chaos", "true")))
case("fault-not-for-others", get("/fault/for-header"))
case("fault-delay-with-body", post("/fault/delay", [b"held", b"back"]))

# -- limits
case("breaker-overflow", get("/breaker"))
case("breaker-overflow-post", post("/breaker", b"x"))
case("one-request-per-upstream-connection", get("/one-per-connection/a") + get("/one-per-connection/b"), answers=2)
case("connection-limit-of-requests", *[get("/echo") for _ in range(3)], listener="edge", answers=3)

# -- answers of every kind
case("answer-204", get("/204"), script={"/204": [Reply(204)]})
case("answer-304", get("/304"), script={"/304": [Reply(304, (("etag", '"x"'), ("content-length", "1234")))]})
case("answer-304-without-length", get("/304n"), script={"/304n": [Reply(raw=b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n")]})
case("answer-head-length", request("HEAD", "/head"), methods=("HEAD",), script={"/head": [Reply(headers=(("content-length", "5000"),))]})
case("answer-head-chunked", request("HEAD", "/head-chunked"), methods=("HEAD",),
     script={"/head-chunked": [Reply(raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")]})
case("answer-chunked", get("/chunked"), script={"/chunked": [Reply(chunks=(b"one", b"two", b"x" * 20000))]})
case("answer-chunked-trailers", get("/trailers"), script={"/trailers": [Reply(chunks=(b"one",), trailers=(("x-sum", "1"),))]})
case("answer-until-close", get("/until-close"), script={"/until-close": [Reply(raw=b"HTTP/1.1 200 OK\r\nx-a: b\r\n\r\nto the end",
                                                                               close=True)]})
case("answer-http10", get("/answer10"), script={"/answer10": [Reply(raw=b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nten", close=True)]})
case("answer-large", get("/large"), script={"/large": [Reply(body=b"0123456789" * 100000)]})
case("answer-103", get("/103"), script={"/103": [Reply(interim=b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", body=b"x")]})
case("answer-reason-kept", get("/reason"), script={"/reason": [Reply(raw=b"HTTP/1.1 200 Fine By Me\r\ncontent-length: 0\r\n\r\n")]})
case("answer-reason-none", get("/reason-none"), script={"/reason-none": [Reply(raw=b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n")]})
case("answer-status-599", get("/599"), script={"/599": [Reply(599, body=b"x")]})
case("answer-status-unknown", get("/299"), script={"/299": [Reply(299, body=b"x")]})
case("answer-early-before-body", request("POST", "/early", ("content-length", "1000")) + b"only a little",
     script={"/early": [Reply(raw=b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig", early=True)]}, probe=False)

# -- answers that are broken: never passed on as whole, never a second one on that connection
BROKEN = {
    "length-and-chunked": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "negative-length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
    "nul-in-value": b"HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n",
    "garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
    "not-a-status": b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
    "space-before-colon": b"HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
    "bad-chunk-size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "unasked-101": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nraw",
    "extra-answer": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "huge-head": b"HTTP/1.1 200 OK\r\nx-big: " + b"x" * 200000 + b"\r\ncontent-length: 0\r\n\r\n",
    "many-headers": b"HTTP/1.1 200 OK\r\n" + b"x-many: 1\r\n" * 5000 + b"content-length: 0\r\n\r\n",
}
for _name, _raw in BROKEN.items():
    case(f"broken-{_name}", get(f"/broken/{_name}"), get("/echo"), answers=2, script={f"/broken/{_name}": [Reply(raw=_raw)]})
case("truncated-length", get("/cut-length"), script={"/cut-length": [Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
                                                                           close=True)]})
case("truncated-chunked", get("/cut-chunked"),
     script={"/cut-chunked": [Reply(raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", close=True)]})
case("truncated-head", get("/cut-head"), script={"/cut-head": [Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-le", close=True)]})

# -- raw TCP
case("tcp-proxy", get("/through/tcp") + get("/through/tcp/2"), listener="tcp", answers=2)
case("tcp-proxy-large", post("/through/tcp/large", b"z" * 300000), listener="tcp")
case("tcp-proxy-upstream-closes", get("/tcp/close"), listener="tcp", script={"/tcp/close": [Reply(body=b"bye", close=True)]})
case("tcp-proxy-dead", get("/"), listener="tcp-dead")
