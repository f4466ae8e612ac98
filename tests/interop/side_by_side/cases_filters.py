"""Filters that judge, answer, hold, change and limit requests, each switched on by a route of the listener `judged`."""
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
