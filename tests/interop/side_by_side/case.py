"""A case: the bytes to send, how many answers to wait for, and what the upstream is to do. Both proxies get the same one."""
import dataclasses

from meshtest.raw_http import message

# The case's name stands for this in its bytes, so that its line in the access log can be found.
NAME_MARK = b"@@"


class AwaitInterim:
    """A step: read one head (100 Continue, say) before sending more."""


@dataclasses.dataclass
class Case:
    """`steps` are bytes or AwaitInterim. `script` is for upstream `a`: path -> replies. `ignore` names aspects that chance decides.
    After the answers a probe request tells whether the connection lives; `probe=False` only looks whether it gets closed.
    `follows`: the request behind the first is an honest next one, to be served.
    `source` is where the client sits: Envoy takes 127.0.0.1 for itself and writes the machine's own address in x-forwarded-for."""
    name: str
    steps: list
    listener: str = "main"
    answers: int = 1
    methods: tuple = ("GET",)
    script: dict = dataclasses.field(default_factory=dict)
    authority: dict = dataclasses.field(default_factory=dict)
    ignore: frozenset = frozenset()
    well_formed: bool = True
    probe: bool = True
    patience: float = 4.0
    follows: bool = False
    source: str = "127.0.0.2"
    http2: tuple = None


CASES = []


def case(name, *steps, **fields):
    """Adds a case of HTTP/1 bytes."""
    steps = [step.replace(NAME_MARK, name.encode()) if isinstance(step, bytes) else step for step in steps]
    if any(known.name == name for known in CASES):
        raise ValueError(f"two cases are called {name}")
    CASES.append(Case(name, steps, **fields))


def bad(name, *steps, **fields):
    """Adds a case of bytes that no polite client sends."""
    case(name, *steps, well_formed=False, **fields)


def http2(name, method, path, headers=(), body=None, authority="main.test", **fields):
    """Adds a case that an HTTP/2 client sends with prior knowledge."""
    CASES.append(Case(name, [], methods=(method,), http2=(method, path, [("x-case", name), *headers], body, authority), **fields))


def request(method, target, *headers, body=None, host="main.test", version="HTTP/1.1"):
    """A well-formed request that carries the case's name."""
    return message(method, target, [("x-case", "@@"), *headers], body, host, version)


def get(target, *headers, host="main.test"):
    return request("GET", target, *headers, host=host)


def post(target, body, *headers, host="main.test"):
    return request("POST", target, *headers, body=body, host=host)
