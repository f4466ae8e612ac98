"""HTTP/2 with prior knowledge from both sides, on Debian's python3-h2: a client for one connection and an echoing upstream.
For what that library would not send, or takes for the end of a connection (the first GOAWAY of two), there is frames.py."""
import json
import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from .raw_http import Response, TIMEOUT


def begin(protocol, window=None):
    """The connection preface; with `window`, that much for each stream and for the connection."""
    if window:
        client = protocol.config.client_side
        protocol.local_settings = h2.settings.Settings(client, {**protocol.local_settings, h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    protocol.initiate_connection()
    if window:
        protocol.increment_flow_control_window(window - 65535)


class Http2Client:
    """One connection. `request` is a whole exchange; `open` and `wait` let many streams run at once. `window` is granted for
    each stream and for the connection at once; with `acknowledges` off no window is given back for what was received."""

    def __init__(self, address, timeout=TIMEOUT, source=None, window=None, acknowledges=True):
        self._socket = socket.create_connection(address, timeout, (source, 0) if source else None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.protocol = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        begin(self.protocol, window)
        self._acknowledges = acknowledges
        self._answers, self._done, self.resets = {}, set(), {}
        self.goaway = None
        self._flush()

    def open(self, method, path, headers=(), body=None, authority="main.test"):
        """Sends a request and returns its stream id."""
        pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)]
        stream = self.protocol.get_next_available_stream_id()
        self.protocol.send_headers(stream, pseudo + list(headers), end_stream=body is None)
        self._answers[stream] = Response(0, "", "HTTP/2", [])
        self._flush()
        if body is not None:
            self._send_body(stream, body)
        return stream

    def wait(self, stream):
        """The answer of a stream, complete; an error if it was reset instead."""
        while stream not in self._done and stream not in self.resets and self.goaway is None:
            self._receive()
        if stream in self.resets:
            raise ConnectionResetError(f"stream {stream} was reset: {self.resets[stream]!r}")
        if stream not in self._done:
            raise ConnectionResetError(f"GOAWAY {self.goaway!r}")
        return self._answers[stream]

    def wait_reset(self, stream):
        """The code with which the peer resets a stream."""
        while stream not in self.resets:
            self._receive()
        return self.resets[stream]

    def request(self, method, path, headers=(), body=None, authority="main.test"):
        return self.wait(self.open(method, path, headers, body, authority))

    def _send_body(self, stream, body):
        view = memoryview(body)
        while view:
            room = min(self.protocol.local_flow_control_window(stream), self.protocol.max_outbound_frame_size, len(view))
            if room == 0:
                self._receive()
                continue
            self.protocol.send_data(stream, view[:room].tobytes())
            view = view[room:]
            self._flush()
        self.protocol.end_stream(stream)
        self._flush()

    def _flush(self):
        self._socket.sendall(self.protocol.data_to_send())

    def _receive(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the peer closed the HTTP/2 connection")
        for event in self.protocol.receive_data(data):
            self._on(event)
        self._flush()

    def _on(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            fields = list(event.headers)
            answer = self._answers[event.stream_id]
            answer.status = int(dict(fields)[":status"])
            answer.headers = [(name, value) for name, value in fields if not name.startswith(":")]
        elif isinstance(event, h2.events.DataReceived):
            self._answers[event.stream_id].body += event.data
            if self._acknowledges:
                self.protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self._answers[event.stream_id].trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            self._done.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = (event.error_code, event.last_stream_id)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Http2Upstream:
    """Answers each request with itself as JSON, like Upstream; a path with `/large/N` answers N bytes, with `/status/N` that status."""

    def __init__(self, name="h2"):
        self.name = name
        self.connections = 0
        self.seen = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        heads, bodies, waiting = {}, {}, {}
        try:
            connection.sendall(protocol.data_to_send())
            while True:
                data = connection.recv(65536)
                if not data:
                    return
                for event in protocol.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        heads[event.stream_id], bodies[event.stream_id] = list(event.headers), b""
                    elif isinstance(event, h2.events.DataReceived):
                        bodies[event.stream_id] += event.data
                        protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        waiting[event.stream_id] = self._answer(
                            protocol, event.stream_id, heads.pop(event.stream_id), bodies.pop(event.stream_id))
                    elif isinstance(event, h2.events.StreamReset):
                        waiting.pop(event.stream_id, None)
                self._pump(protocol, waiting)
                connection.sendall(protocol.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            connection.close()

    def _answer(self, protocol, stream, head, body):
        fields = dict(head)
        path = fields[":path"]
        self.seen.append((head, len(body)))
        status, text = "200", json.dumps({
            "upstream": self.name, "headers": head, "length": len(body), "body": body[:4096].decode("latin-1")}).encode()
        if "/large/" in path:
            text = b"x" * int(path.rsplit("/", 1)[1])
        elif "/status/" in path:
            status, text = path.rsplit("/", 1)[1], b""
        protocol.send_headers(stream, [(":status", status), ("content-type", "application/json"), ("content-length", str(len(text)))])
        return memoryview(b"" if fields[":method"] == "HEAD" else text)

    @staticmethod
    def _pump(protocol, waiting):
        """Sends what the windows allow of every answer that is under way."""
        for stream in list(waiting):
            rest = waiting[stream]
            while rest:
                room = min(protocol.local_flow_control_window(stream), protocol.max_outbound_frame_size, len(rest))
                if room <= 0:
                    break
                protocol.send_data(stream, rest[:room].tobytes())
                rest = rest[room:]
            waiting[stream] = rest
            if not rest:
                protocol.end_stream(stream)
                del waiting[stream]

    def close(self):
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
