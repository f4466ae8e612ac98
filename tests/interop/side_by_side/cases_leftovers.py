"""What goes wrong told by proxy-status, older forms of fields, chains for upgrades, POST as plain TCP, limits that say when to come back;
on the listener `leftovers`."""
from meshtest.upstream import Reply

from .case import case as any_case, get, http2 as any_http2, post, request


def case(name, *steps, **fields):
    any_case(name, *steps, listener="leftovers", **fields)


def http2(name, *rest, **fields):
    any_http2(name, *rest, listener="leftovers", **fields)


def leads(location):
    return Reply(302, (("location", location),), b"moved")


# -- proxy-status
case("status-dead", get("/dead"))
case("status-empty", get("/empty"))
case("status-no-cluster", get("/nowhere"))
case("status-slow", get("/slow/x"), script={"/slow/x": [Reply(delay=1.0, body=b"late")]})
case("status-no-route", get("/", host="nowhere.test"))
case("status-direct-response", get("/direct"))
case("status-of-the-host", get("/status-of-the-host"), script={"/status-of-the-host": [Reply(503, (("proxy-status", "host; error=dns_error"),))]})
case("status-rate-limited", get("/spent"))
case("status-dead-head", request("HEAD", "/dead"), methods=("HEAD",))
case("status-dead-grpc", post("/dead", b"", ("content-type", "application/grpc")), methods=("POST",))
http2("h2-status-dead", "GET", "/dead")

# -- older forms
case("older-redirect", get("/red/older"), script={"/red/older": [leads("http://main.test/landed")]})
case("older-redirect-once", get("/red/twice"), script={"/red/twice": [leads("http://main.test/red/again")],
                                                       "/red/again": [leads("http://main.test/landed")]})
case("older-redirect-twice", get("/red2/twice"), script={"/red2/twice": [leads("http://main.test/red2/again")],
                                                         "/red2/again": [leads("http://main.test/landed")]})
case("older-redirect-not-asked-for", get("/red0/x"), script={"/red0/x": [leads("http://main.test/landed")]})
case("older-cors-of-the-host", get("/", ("origin", "http://host.test")))
case("older-cors-of-the-route", get("/cors", ("origin", "http://route.test")))
case("older-cors-preflight", request("OPTIONS", "/", ("origin", "http://host.test"), ("access-control-request-method", "PUT")),
     methods=("OPTIONS",))
case("older-cors-other", get("/cors", ("origin", "http://host.test")))
case("limits-of-both", get("/both"))
case("limits-of-the-route", get("/own"))
case("limits-untold", get("/untold"))
case("limits-spent", get("/spent"))
case("limits-near", get("/near"))
case("limits-near-post", post("/near", b"x"), methods=("POST",))
case("limits-far", get("/far"))

# -- chains for upgrades
for kind in ("websocket", "WebSocket", "chess", "draughts"):
    switched = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {kind}\r\nConnection: Upgrade\r\n\r\n".encode()
    case(f"chain-{kind}", get(f"/chain-{kind}", ("Upgrade", kind), ("Connection", "Upgrade")),
         script={f"/chain-{kind}?old=form": [Reply(raw=switched)], f"/chain-{kind}": [Reply(raw=switched)]})

# -- POST as plain TCP
inside = b"GET /inside HTTP/1.1\r\nhost: main.test\r\n\r\n"
case("post-to-tcp", post("/any", inside, host="end.test"), methods=("POST",), probe=False)
case("post-to-tcp-get", get("/any", host="end.test"))

# -- hosts and headers
case("canary-is-left-out", get("/canary"), script={"/canary": [Reply(503), Reply(503)]}, ignore=frozenset({"log attempts"}))
http2("h2-obs-text", "GET", "/", (("x-text", "a\xe9b"),))
