"""Filters that judge, answer, hold, change and limit requests, each switched on by a route of the listener `judged`."""
from meshtest.upstream import Reply

from .case import case as any_case, get, http2, post, request


def case(name, *steps, **fields):
    any_case(name, *steps, listener="judged", **fields)


def preflight(path, origin, *more):
    return request("OPTIONS", path, ("origin", origin), ("access-control-request-method", "PUT"), *more)


SHOP, EVIL = "http://shop.test", "http://evil.test"

# -- cors
case("cors-get", get("/cors", ("origin", SHOP)))
case("cors-get-other-origin", get("/cors", ("origin", EVIL)))
case("cors-preflight", preflight("/cors", SHOP))
case("cors-preflight-other-origin", preflight("/cors", EVIL))
case("cors-preflight-kept", preflight("/cors/credentials", EVIL))
case("cors-preflight-credentials", preflight("/cors/credentials", SHOP))
case("cors-preflight-private-network", preflight("/cors/credentials", SHOP, ("access-control-request-private-network", "true")))
case("cors-preflight-grpc", preflight("/cors/credentials", SHOP, ("content-type", "application/grpc-web")))
case("cors-options-no-method", request("OPTIONS", "/cors", ("origin", SHOP)))
case("cors-off", preflight("/cors/off", SHOP))
http2("h2-cors-preflight", "OPTIONS", "/cors", [("origin", SHOP), ("access-control-request-method", "PUT")], listener="judged")

# -- csrf
case("csrf-own-page", post("/csrf", b"x", ("origin", "http://main.test")))
case("csrf-referer", post("/csrf", b"x", ("referer", "https://main.test/a?b")))
case("csrf-other-page", post("/csrf", b"x", ("origin", EVIL)))
case("csrf-no-origin", request("DELETE", "/csrf"))
case("csrf-get", get("/csrf", ("origin", EVIL)))
case("csrf-grpc", post("/csrf", b"x", ("origin", EVIL), ("content-type", "application/grpc")))

# -- buffer
case("buffer-length", post("/buffer", b"x" * 1000))
case("buffer-chunks", post("/buffer", [b"one", b"two"]))
case("buffer-too-long", post("/buffer", b"x" * 70000), probe=False, ignore=frozenset({"log received"}))
case("buffer-no-body", get("/buffer"))
http2("h2-buffer", "POST", "/buffer", body=b"x" * 1000, listener="judged")
http2("h2-buffer-too-long", "POST", "/buffer", body=b"x" * 1001, listener="judged")

# -- health_check
case("health-ok", get("/healthz"))
case("health-cluster-empty", get("/unhealthy"))
case("health-other-path", get("/health"))

# -- header_mutation
case("mutated", get("/mutated", ("x-secret-a", "1"), ("X-Secret-B", "1"), ("x-there", "old"), ("x-in", "i n")))
case("mutated-query", get("/mutated?c=1&b=0&a=2&b=1&d"))
case("mutated-post", post("/mutated?x=1", b"body"))

# -- local_ratelimit
case("limited", get("/limited"))
case("limited-post", post("/limited", b"x"))
case("limited-head", request("HEAD", "/limited"), methods=("HEAD",))
case("limited-grpc", get("/limited", ("content-type", "application/grpc")))
case("limited-not-enforced", get("/lenient"))
http2("h2-limited", "GET", "/limited", listener="judged")

# -- custom_response


def answered(path, status):
    return {path: [Reply(status, (("x-why", "because"), ("content-type", "a/b")), b"original")]}


case("custom-local", get("/custom/local"), script=answered("/custom/local", 404))
case("custom-local-head", request("HEAD", "/custom/local-head"), methods=("HEAD",), script=answered("/custom/local-head", 404))
case("custom-local-post", post("/custom/local-post", b"body"), script=answered("/custom/local-post", 404))
case("custom-local-grpc", get("/custom/local-grpc", ("content-type", "application/grpc")), script=answered("/custom/local-grpc", 404))
case("custom-redirect", get("/custom/redirect"), script=answered("/custom/redirect", 503))
case("custom-redirect-post", post("/custom/redirect-post", b"body"), script=answered("/custom/redirect-post", 500))
case("custom-redirect-chunked", post("/custom/redirect-chunked", [b"bo", b"dy"]), script=answered("/custom/redirect-chunked", 500))
case("custom-kept", get("/custom/kept"), script=answered("/custom/kept", 403))
http2("h2-custom-local", "GET", "/custom/h2-local", listener="judged", script=answered("/custom/h2-local", 404))
http2("h2-custom-redirect", "POST", "/custom/h2-redirect", body=b"body", listener="judged", script=answered("/custom/h2-redirect", 502))

# -- upstream_http_filters
case("attempt", get("/attempts/once"))
case("attempt-again", get("/attempts/again"), script={"/attempts/again": [Reply(503)]})
