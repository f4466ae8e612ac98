"""Many spellings of one thing: paths, hosts, methods, addresses of forwarders, numbers in headers. What each comes to is compared; what it
ought to come to is asked in tests/integration."""
from .case import case, get, http2, post, request

# -- paths: as they stand (main) and normalised, slashes merged, escaped ones refused (edge)
PATHS = {
    "dot-end": "/a/b/.", "dots-end": "/a/b/..", "dots-only": "/..", "dot-only": "/.", "slash-end": "/a/b/", "slashes-end": "/a/b//",
    "slashes-start": "//a/b", "dots-middle": "/a/../b/./c/../d", "escaped-dot": "/a/%2e/b", "escaped-dots-case": "/a/%2E%2e/b",
    "escaped-letter": "/%61%62c", "escaped-unreserved": "/%7e%2D%5f%2e", "escaped-reserved": "/a%3Fb%23c%26d%3D", "escaped-space": "/a%20b",
    "escaped-percent": "/a%25b", "escaped-twice": "/a%252e%252e/b", "escaped-high": "/%c3%a9%ff", "lower-hex": "/a%c3%bf", "plus": "/a+b",
    "semicolon": "/a;b=c/d;e", "semicolon-dots": "/a/..;b/c", "colon": "/a:b/c", "at": "/a@b", "star": "/a*b", "comma": "/a,b",
    "tilde": "/~a", "quote": "/a'b", "parentheses": "/(a)", "brackets": "/[a]", "bar": "/a|b", "caret": "/a^b", "brace": "/{a}",
    "backtick": "/a`b", "double-quote": '/a"b', "angle": "/<a>", "dollar": "/$a", "bang": "/!a", "query-empty": "/a?", "query-two": "/a?b?c",
    "query-slashes": "/a?b=//c/../d", "query-escaped": "/a?b=%2F%2e%5C", "query-dots": "/a/?../b", "long": "/" + "a/" * 500 + "b"}
for _name, _path in PATHS.items():
    case(f"spelling-{_name}", get(_path))
    case(f"spelling-{_name}-edge", get(_path), listener="edge")
for _name in ("dots-middle", "escaped-dots-case", "semicolon", "query-slashes", "brackets", "slashes-start"):
    http2(f"spelling-{_name}-h2", "GET", PATHS[_name])

# -- hosts
for _name, _host in {"dot": "main.test.", "port-80": "main.test:80", "port-443": "main.test:443", "port-large": "main.test:65535",
                     "port-zero": "main.test:0", "address": "127.0.0.1", "address-port": "127.0.0.1:8080", "six": "[::1]",
                     "six-port": "[::1]:8080", "underscore": "my_host.test", "dash": "-a-.test", "digits": "123", "long": "a" * 250,
                     "upper": "MAIN.TEST:8080", "wild": "a.b.wild.test", "star": "*.wild.test"}.items():
    case(f"spelling-host-{_name}", get("/echo", host=_host))
    http2(f"spelling-host-{_name}-h2", "GET", "/echo", authority=_host)

# -- methods
for _method in ("PUT", "PATCH", "DELETE", "OPTIONS", "REPORT", "PROPFIND", "MKCOL", "LOCK", "SEARCH", "PURGE", "LINK"):
    case(f"spelling-method-{_method.lower()}", request(_method, "/echo", body=b"body"))
http2("spelling-method-put-h2", "PUT", "/echo", body=b"body")
http2("spelling-method-own-h2", "BREW", "/echo")

# -- who forwarded it
for _name, _value in {"six": "2001:db8::1", "mapped": "::ffff:10.0.0.1", "scope": "fe80::1%lo", "port": "10.0.0.1:80", "six-port": "[::1]:80",
                      "word": "unknown", "empty": "", "comma": ",", "commas": "1.2.3.4,,5.6.7.8", "blanks": " 1.2.3.4 ,\t5.6.7.8 ",
                      "many": ", ".join(["10.0.0.1"] * 50), "large-number": "999.1.1.1", "short": "1.2.3"}.items():
    case(f"spelling-xff-{_name}", get("/echo", ("x-forwarded-for", _value)))
    case(f"spelling-xff-{_name}-edge", get("/echo", ("x-forwarded-for", _value)), listener="edge")

# -- numbers for the router
for _name, _value in {"zero": "0", "minus": "-5", "word": "soon", "huge": "99999999999999999999", "blank": "", "float": "1.5"}.items():
    case(f"spelling-timeout-{_name}", get("/echo", ("x-envoy-upstream-rq-timeout-ms", _value), host="inner.test"), listener="inner")
    case(f"spelling-retries-{_name}", post("/echo", b"x", ("x-envoy-max-retries", _value), ("x-envoy-retry-on", "5xx"), host="inner.test"),
         listener="inner")
