"""Internal redirects, mirrors, templates of paths, metadata, local replies and where the client is, on the listener `detours`."""
from meshtest.upstream import Reply

from .case import case as any_case, get, http2 as any_http2, post, request


def case(name, *steps, **fields):
    any_case(name, *steps, listener="detours", **fields)


def http2(name, *rest, **fields):
    any_http2(name, *rest, listener="detours", **fields)


def leads(location, status=302, *headers):
    return Reply(status, (("location", location), *headers), b"moved")


def redirect(name, location, status=302, *headers, step=None, **fields):
    case(name, step or get(f"/red/{name}"), script={f"/red/{name}": [leads(location, status, *headers)]}, **fields)


# -- redirects that the proxy follows
redirect("red-followed", "http://main.test/landed?x=1#fragment")
redirect("red-copies-headers", "http://main.test/landed", 301, ("x-copied", "a"), ("x-copied", "b"),
         step=get("/red/red-copies-headers", ("x-copied", "mine")))
redirect("red-drops-a-copied-header", "http://main.test/landed", step=get("/red/red-drops-a-copied-header", ("x-copied", "mine")))
redirect("red-303-post", "http://main.test/landed", 303, step=post("/red/red-303-post", b"payload"))
redirect("red-307-post", "http://main.test/landed", 307, step=post("/red/red-307-post", b"payload"))
redirect("red-308-chunked", "http://main.test/landed", 308, step=post("/red/red-308-chunked", [b"one", b"two"]))
redirect("red-303-head", "http://main.test/landed", 303, step=request("HEAD", "/red/red-303-head"), methods=("HEAD",))
redirect("red-relative", "/landed")
redirect("red-https", "https://main.test/landed")
redirect("red-no-path", "http://main.test")
redirect("red-query-only", "http://main.test?a=b")
redirect("red-no-host", "http:///landed")
redirect("red-other-scheme", "ftp://main.test/landed")
redirect("red-no-virtual-host", "http://elsewhere.test/landed")
redirect("red-loop", "http://main.test/red/red-loop")
redirect("red-to-a-local-answer", "http://main.test/formatted")
redirect("red-to-nothing", "http://main.test/dead", 302)
redirect("red-304-is-none", "http://main.test/landed", 304)
redirect("red-capitals", "HTTP://main.test/landed")
http2("h2-red-post", "POST", "/red/h2-red-post", body=b"payload", script={"/red/h2-red-post": [leads("http://main.test/landed", 307)]})

# -- templates, cookies, mirrors
case("template", get("/t/en/x-42-y/a/b?q=1"))
case("template-empty-rest", get("/t/en/x-42-y/"))
case("template-no-match", get("/t/en/x--y/a"))
case("template-escaped", get("/t/%65n/x-%2f-y/a%20b"))
case("cookie-match", get("/cookie", ("cookie", "a=b; c=1")))
case("cookie-other", get("/cookie", ("cookie", "c=2")))
case("cookie-quoted", get("/cookie", ("cookie", 'c="1"')))
case("cookie-two-lines", get("/cookie", ("cookie", "a=b"), ("cookie", "c=1")))
case("mirrored-get", get("/mirrored/x"))
case("mirrored-post", post("/mirrored/x", b"x" * 1000))
http2("h2-mirrored", "POST", "/mirrored/h2", body=b"x" * 1000)

# -- metadata
case("noted", get("/", ("x-note", "one")))
case("noted-twice", get("/", ("x-note", "one"), ("x-note", "two")))
case("noted-not", get("/"))
case("noted-empty", get("/", ("x-note", "")))
case("noted-post", post("/", b"x"))

# -- local replies
case("local-mapped", get("/gone"))
case("local-mapped-head", request("HEAD", "/gone"), methods=("HEAD",))
case("local-mapped-grpc", get("/gone", ("content-type", "application/grpc")))
case("local-no-route", get("/", host="other.test"))
case("local-json", get("/dead"))
case("local-json-grpc", get("/dead", ("content-type", "application/grpc")))
case("local-formatted", get("/formatted"))
case("local-upstreams-own", get("/status/404"))
http2("h2-local-mapped", "GET", "/gone")
http2("h2-local-json", "GET", "/dead")

# -- where the client is
case("client-header", get("/", ("x-client-ip", "9.9.9.9"), ("x-forwarded-for", "1.1.1.1, 2.2.2.2")))
case("client-header-bad", get("/", ("x-client-ip", "9.9.9"), ("x-forwarded-for", "1.1.1.1, 2.2.2.2")))
case("client-forwarded", get("/", ("x-forwarded-for", "1.1.1.1, 2.2.2.2")))
case("client-nobody", get("/", ("x-forwarded-for", "1.1.1.1")))
case("client-ipv6", get("/", ("x-client-ip", "::1")))
case("early-removed", get("/early", ("x-early-gone", "1"), ("x-early", "mine")))
