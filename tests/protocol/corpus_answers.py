"""Answers that two readers would end at different places: nothing of one may be taken for the next one's (response queue poisoning), and
no connection to a host is used again after one."""
from case import Corpus

corpus = Corpus()
OK = b"HTTP/1.1 200 OK\r\n"
POISON = OK + b"content-length: 6\r\n\r\npoison"
BROKEN = (502, 503)


def poisoned(name, *lines, body=b"hello", shown=BROKEN, line=OK):
    corpus.answered(f"answer-{name}", line + b"".join(text + b"\r\n" for text in lines) + b"\r\n" + body + POISON, *shown)


for _name, _lines in {
        "cl-te": [b"Content-Length: 5", b"Transfer-Encoding: chunked"], "te-cl": [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        "cl-twice": [b"Content-Length: 5", b"Content-Length: 6"], "cl-list": [b"Content-Length: 5, 6"], "cl-minus": [b"Content-Length: -5"],
        "cl-plus": [b"Content-Length: +5"], "cl-hex": [b"Content-Length: 0x5"], "cl-empty": [b"Content-Length:"],
        "cl-huge": [b"Content-Length: 18446744073709551621"],
        "te-unknown": [b"Transfer-Encoding: xchunked"], "te-twice": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        "te-identity": [b"Transfer-Encoding: chunked, identity"], "space-before-colon": [b"Content-Length : 5"], "no-colon": [b"what"],
        "nul": [b"X: a\0b", b"Content-Length: 5"],
        "bare-cr": [b"X: a\rb", b"Content-Length: 5"], "bare-lf": [b"X: a\nb: c", b"Content-Length: 5"], "nameless": [b": a",
        b"Content-Length: 5"],
        "fold-first": [b" X: a", b"Content-Length: 5"], "control": [b"X: \x01", b"Content-Length: 5"]}.items():
    poisoned(_name, *_lines)
for _name, _line in {"version": b"HTTP/2.0 200 OK\r\n", "status": b"HTTP/1.1 20 OK\r\n", "status-letters": b"HTTP/1.1 abc OK\r\n",
        "status-long": b"HTTP/1.1 2000 OK\r\n",
                     "no-line": b"hello\r\n", "lower-case": b"http/1.1 200 OK\r\n",
                     "unasked-101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"}.items():
    poisoned(_name, b"Content-Length: 5", line=_line)
poisoned("interim-flood", shown=BROKEN, line=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5000 + OK)
poisoned("head-flood", *[b"X-%d: y" % index for index in range(20000)])
# One whole answer and another that nobody asked for.
poisoned("extra", b"Content-Length: 5", shown=(200,))
poisoned("extra-chunked", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n", shown=(200,))
poisoned("extra-204", line=b"HTTP/1.1 204 No Content\r\n", body=b"", shown=(204,))
poisoned("extra-304", b"Content-Length: 5", line=b"HTTP/1.1 304 Not Modified\r\n", body=b"", shown=(304,))
poisoned("body-204", line=b"HTTP/1.1 204 No Content\r\n", body=b"hello", shown=(204, *BROKEN))
# The head was good and has gone out: the client sees its answer cut.
for _name, _body in {"chunk-hex": b"0x5\r\nhello\r\n0\r\n\r\n", "chunk-lf": b"5\nhello\r\n0\r\n\r\n",
        "chunk-end": b"5\r\nhello!\r\n0\r\n\r\n", "chunk-huge": b"FFFFFFFFFFFFFFFF1\r\nhello",
                     "chunk-extension-lf": b"5;\nhello\r\n0\r\n\r\n"}.items():
    poisoned(_name, b"Transfer-Encoding: chunked", body=_body, shown=("cut", *BROKEN))
corpus.answered("answer-short", OK + b"Content-Length: 50\r\n\r\nhello", "cut", *BROKEN, close=True)
corpus.answered("answer-until-close", OK + b"\r\nhello", 200, close=True)

CASES = corpus.cases
