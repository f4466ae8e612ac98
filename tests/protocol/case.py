"""A case of the corpus: what is sent, and what must hold of it."""
import dataclasses

# In a case's bytes this stands for its name, so that what was hidden in it can be recognised wherever it turns up.
MARK = b"@@"
HIDDEN = b"GET /hidden/@@ HTTP/1.1\r\nHost: main.test\r\n\r\n"
# As a step of `sent`: read one answer, interim or final, before sending more.
WAIT = None


@dataclasses.dataclass
class Case:
    """`sent` are the pieces, in their order. `upstream` is what must arrive behind both proxies, whole: (method, target, body) each;
    None: nothing, or the first request alone. `statuses` are the answers'; None: a refusal, by a status or in silence. `replies` are
    what the backend answers by target (see Backend). `http2`: the pieces are frames."""
    name: str
    sent: tuple
    upstream: tuple = ()
    statuses: tuple = None
    replies: dict = dataclasses.field(default_factory=dict)
    http2: bool = False
    first: str = "/x"  # the target of the request that anything may be hidden in
    # For bytes from upstream: the statuses that the client may see, of which each must be the only answer.
    shown: tuple = ()


class Corpus:
    """Cases by name."""

    def __init__(self, http2=False):
        self.cases, self._http2 = [], http2

    def _add(self, name, sent, **fields):
        if any(case.name == name for case in self.cases):
            raise ValueError(f"two cases are called {name}")
        sent = tuple(piece and piece.replace(MARK, name.encode()) for piece in sent)
        self.cases.append(Case(name, sent, http2=self._http2, **fields))

    def refused(self, name, *sent, **fields):
        """Nothing of it arrives."""
        self._add(name, sent, **fields)

    def harmless(self, name, *sent, **fields):
        """Refused, or the first request arrives with one meaning and nothing that was hidden in it does."""
        self._add(name, sent, upstream=None, **fields)

    def served(self, name, *sent, upstream, statuses=(200,), **fields):
        """Arrives as said."""
        self._add(name, sent, upstream=tuple(upstream), statuses=tuple(statuses), **fields)

    def answered(self, name, reply, *shown, close=False):
        """The backend's answer to a plain GET is `reply`; the client sees one of `shown`, the next request its own answer."""
        request = b"GET /answer/@@ HTTP/1.1\r\nHost: main.test\r\n\r\n"
        replies = {f"/answer/{name}": (reply, None) if close else (reply,)}
        self._add(name, (request,), upstream=(("GET", f"/answer/{name}", b""),), replies=replies, shown=shown)
