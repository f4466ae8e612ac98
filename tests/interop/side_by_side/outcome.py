"""What a case led to, as a flat dict of aspects (`status`, `header server`, `upstream header host`, `end`, ...) that can be compared.

What must differ from run to run (dates, random ids, measured times) is replaced by a word here and nowhere else.
"""
import gzip
import json
import re

from meshtest.h2peer import Http2Client
from meshtest.raw_http import Closed, Connection, Silence, message

from .case import AwaitInterim

_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_PROBE = message("GET", "/probe-of-life", host="main.test")
_VOLATILE = {
    "date": lambda value: value if value.endswith("1970 00:00:00 GMT") else "<date>",
    "x-request-id": lambda value: "<uuid>" if _UUID.match(value) else value,
    "x-envoy-upstream-service-time": lambda value: "<ms>" if value.isdigit() and value != "77777" else value,
    # What is left of the time for a retry; a whole time stays as it is.
    "x-envoy-expected-rq-timeout-ms": lambda value: str(-(-int(value) // 100) * 100) if value.isdigit() and int(value) > 1000 else value,
}


def run_case(case, proxy):
    """Plays the case against a DataPlane and gives its aspects."""
    address = proxy.address(case.listener)
    aspects = _play_http2(case, address) if case.http2 else _play_http1(case, address)
    return {key: value for key, value in aspects.items() if key not in case.ignore}


def _play_http2(case, address):
    aspects = {}
    method, path, headers, body, authority = case.http2
    with Http2Client(address, case.patience, case.source) as client:
        try:
            _describe(aspects, "", client.request(method, path, headers, body, authority))
            aspects["end"] = "open"
        except ConnectionResetError as error:
            aspects["end"] = str(error)
        except OSError as error:
            aspects["end"] = f"no answer: {type(error).__name__}"
    return aspects


def _play_http1(case, address):
    aspects = {}
    with Connection(address, case.patience, case.source) as connection:
        aspects["end"] = _converse(case, connection, aspects)
    return aspects


def _converse(case, connection, aspects):
    """Sends the steps, reads the answers into `aspects`; returns how the connection ended."""
    answer = None
    try:
        for step in case.steps:
            if isinstance(step, AwaitInterim):
                aspects["interim"] = str(connection.read_head().status)
            else:
                connection.send(step)
        for index in range(case.answers):
            method = case.methods[index] if index < len(case.methods) else "GET"
            answer = connection.read_response(method)
            _describe(aspects, f"{index + 1}: " if index else "", answer)
        if not case.probe:
            connection.settimeout(1.5)
            connection.reader.until(b"\0 nothing more is expected \0")
        if case.listener.startswith("tcp"):
            return "open"
        connection.send(_PROBE)
        return "open" if connection.read_response().status else ""
    except Closed as closed:
        return _cut(aspects, closed, answer, "closed")
    except Silence as silence:
        return _cut(aspects, silence, answer, "silence")
    except ValueError as error:
        return f"not HTTP: {error}"


def _cut(aspects, error, answer, word):
    if error.response is not None:
        _describe(aspects, "cut ", error.response)
        return f"{word} inside an answer"
    if error.received and answer is None:
        return f"{word} after {error.received[:60]!r}"
    return word


def _describe(aspects, prefix, answer):
    aspects[prefix + "status"] = str(answer.status)
    aspects[prefix + "reason"] = answer.reason
    aspects[prefix + "version"] = answer.version
    if answer.interim:
        aspects[prefix + "interim"] = " ".join(str(head.status) for head in answer.interim)
    echo = _echo(answer)
    _describe_headers(aspects, prefix + "header ", answer.headers, echo is not None)
    if answer.trailers:
        aspects[prefix + "trailers"] = repr(answer.trailers)
    if echo is None:
        gzipped = answer.header("content-encoding") == "gzip" and answer.body
        aspects[prefix + "body"] = gzip.decompress(answer.body).decode() if gzipped else answer.text
        return
    _describe_headers(aspects, prefix + "upstream header ", echo.pop("headers"), False)
    for key, value in echo.items():
        aspects[f"{prefix}upstream {key}"] = str(value)


def _describe_headers(aspects, prefix, headers, is_echo):
    for name in {name for name, _ in headers}:
        values = [_VOLATILE.get(name, str)(value) for key, value in headers if key == name]
        if is_echo and name == "content-length":
            values = ["<length of the echo>"]
        aspects[prefix + name] = " | ".join(values)


def _echo(answer):
    """The request as the upstream saw it, when the answer is an upstream's echo."""
    if answer.header("content-type") != "application/json" or not answer.body.startswith(b'{"upstream"'):
        return None
    return json.loads(answer.body)


_LOG_LINE = re.compile(r"^ACCESS (\S+) (code=.*)$")
_LOG_FIELD = re.compile(r"(\w+)=(.*?)(?= \w+=|$)")


def access_log(text):
    """Case name to the fields of its (first) access log line."""
    lines = {}
    for line in text.splitlines():
        match = _LOG_LINE.match(line)
        if match and match.group(1) != "-":
            lines.setdefault(match.group(1), {f"log {key}": value for key, value in _LOG_FIELD.findall(match.group(2))})
    return lines


def add_log(case, aspects, lines):
    """Adds what the access log says of a case."""
    fields = dict(lines.get(case.name, {}))
    if "upstream target" in aspects:
        fields.pop("log sent", None)  # an echo's length tells about ids, not about the proxy
    for key, value in fields.items():
        if key not in case.ignore:
            aspects[key] = value
    if not fields and case.listener == "main" and case.well_formed:
        aspects["log"] = "no line"


def differences(left, right, well_formed=True):
    """Aspect to (left, right) where they differ. A malformed request need not be logged by both."""
    names = set(left) | set(right)
    found = {}
    for name in names:
        if name.startswith("log") and not well_formed and (name in left) != (name in right):
            continue
        if left.get(name) != right.get(name):
            found[name] = (left.get(name), right.get(name))
    return found
