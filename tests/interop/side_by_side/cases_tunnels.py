"""Upgrades and CONNECT: what opens a tunnel, what a refusal looks like. What is said through one is an HTTP request, for the probe's
sake: the host answers it as it would outside."""
from meshtest.upstream import Reply

from .case import bad, case, get, post, request

WEBSOCKET = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"


def tunnel(name, *steps, **fields):
    case(f"tunnel-{name}", *steps, listener="tunnels", **fields)


def websocket(target, *more):
    return get(target, *WEBSOCKET, *more)


def connect(authority, *headers):
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", "x-case: @@", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


tunnel("websocket", websocket("/ws"), script={"/ws": [Reply(raw=SWITCHED)]})
tunnel("websocket-case", get("/ws-case", ("upgrade", "WebSocket"), ("connection", "upgrade")), script={"/ws-case": [Reply(raw=SWITCHED)]})
tunnel("websocket-host-speaks-first", websocket("/ws-first") + get("/inside"), answers=2, script={"/ws-first": [Reply(raw=SWITCHED)]})
tunnel("websocket-length-0", get("/ws-0", *WEBSOCKET, ("content-length", "0")), script={"/ws-0": [Reply(raw=SWITCHED)]})
tunnel("websocket-not-named", get("/ws-plain", ("Upgrade", "websocket")))
tunnel("websocket-refused", websocket("/ws-403"), script={"/ws-403": [Reply(403, body=b"not you")]})
tunnel("websocket-refused-404", websocket("/ws-404"), script={"/ws-404": [Reply(404)]})
tunnel("websocket-answered-200", websocket("/ws-200"), script={"/ws-200": [Reply(200, body=b"a page")]})
tunnel("websocket-answered-302", websocket("/ws-302"), script={"/ws-302": [Reply(302, (("location", "/login"),))]})
tunnel("websocket-other-protocol", websocket("/ws-other"), script={"/ws-other": [Reply(raw=SWITCHED.replace(b"websocket", b"chess"))]})
tunnel("websocket-no-answer", websocket("/slow-ws"), script={"/slow-ws": [Reply(delay=3.0, body=b"late")]})
tunnel("websocket-dead", websocket("/dead"))
tunnel("websocket-off", websocket("/off"))
tunnel("websocket-no-route", get("/x", *WEBSOCKET, host="nowhere.test"))
tunnel("websocket-redirect", websocket("/redirect"))
tunnel("other-type", get("/x", ("Upgrade", "chess"), ("Connection", "Upgrade")))
tunnel("other-type-by-route", get("/chess", ("Upgrade", "Chess"), ("Connection", "Upgrade")),
       script={"/chess": [Reply(raw=SWITCHED.replace(b"websocket", b"chess"))]})
tunnel("two-types", get("/x", ("Upgrade", "websocket, chess"), ("Connection", "Upgrade")))
tunnel("two-lines", get("/x", ("Upgrade", "websocket"), ("Upgrade", "chess"), ("Connection", "Upgrade")))
bad("tunnel-websocket-with-body", request("POST", "/ws-body", *WEBSOCKET, body=b"12345"), listener="tunnels",
    script={"/ws-body": [Reply(raw=SWITCHED)]})
# Asked for by nobody but the route, or taken back by it.
tunnel("upgrade-added", get("/added"))
tunnel("upgrade-added-post", post("/added/post", b"12345"), patience=1.0)
tunnel("upgrade-added-switches", get("/added/switches"), script={"/added/switches": [Reply(raw=SWITCHED)]})
tunnel("upgrade-line-added", get("/added-line"))
tunnel("upgrade-line-added-post", post("/added-line/post", b"12345"))
tunnel("upgrade-line-added-switches", get("/added-line/switches"), script={"/added-line/switches": [Reply(raw=SWITCHED)]})
tunnel("upgrade-taken", websocket("/taken"), patience=1.0)
tunnel("connect-terminated", connect("end.test:80"))
tunnel("connect-terminated-early-bytes", connect("end.test:80") + get("/inside"), answers=2)
tunnel("connect-passed", connect("pass.test:80"), script={"pass.test:80": [Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n")]})
tunnel("connect-passed-length", connect("length.test:80"),
       script={"length.test:80": [Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]})
tunnel("connect-refused", connect("refuse.test:80"), script={"refuse.test:80": [Reply(407, body=b"who?")]})
tunnel("connect-dead", connect("dead.test:80"))
tunnel("connect-not-offered", connect("closed.test:80"))
tunnel("connect-no-route", connect("nowhere.test:80"))
tunnel("get-on-connect-route", get("/x", host="end.test:80"))
bad("tunnel-connect-no-port", b"CONNECT end.test HTTP/1.1\r\nHost: end.test\r\n\r\n", listener="tunnels")
bad("tunnel-connect-with-body", connect("end.test:80", "content-length: 5") + b"hello", listener="tunnels")
