"""A scripted xDS control plane: ADS over gRPC, state of the world and delta, for a data plane under test.

It is correct by default (order, nonces, fresh endpoints after a cluster's change, no resending after a NACK), so that a failure is the
proxy's. It can be told to be wrong: `say` sends whatever it is given. No generated stubs: gRPC's generic handlers and Protos are enough.
"""
import dataclasses
import hashlib
import itertools
import queue
import threading
from concurrent import futures

import grpc

from .wait import wait_for

CLUSTER = "envoy.config.cluster.v3.Cluster"
ENDPOINTS = "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = "envoy.config.listener.v3.Listener"
ROUTES = "envoy.config.route.v3.RouteConfiguration"
RUNTIME = "envoy.service.runtime.v3.Runtime"
EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
SCOPE = "envoy.config.route.v3.ScopedRouteConfiguration"
NAMES = "istio.networking.nds.v1.NameTable"  # one, without a name
# Make before break: what is pointed at goes first.
ORDER = (CLUSTER, ENDPOINTS, LISTENER, ROUTES)
_KINDS = (*ORDER, RUNTIME, EXTENSION, SCOPE, NAMES)
_COMPLETE = (CLUSTER, LISTENER, SCOPE, NAMES)  # of these a state-of-the-world response is the whole world
_PREFIX = "type.googleapis.com/"
_SERVICE = "envoy.service.discovery.v3"


@dataclasses.dataclass
class Asked:
    """One request of the data plane, as far as tests care."""
    stream: int
    delta: bool
    type: str
    message: object

    @property
    def error(self):
        return self.message.error_detail.message if self.message.HasField("error_detail") else None

    @property
    def nonce(self):
        return self.message.response_nonce


class ControlPlane:
    """Holds resources by type and name and pushes each change to every stream."""

    def __init__(self, protos, port=0):
        self.protos = protos
        self._resources = {kind: {} for kind in _KINDS}
        self._lock = threading.RLock()
        self._streams = {}
        self._numbers = itertools.count(1)
        self._nonces = itertools.count(1)
        self.asked, self.said = [], []
        self.silent_about = set()  # names that are never answered for, not even with "does not exist"
        self.port = port
        self._server = None
        self.start()

    # -- life

    def start(self):
        """Listens, on the port it had before if it had one."""
        self._server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(f"{_SERVICE}.AggregatedDiscoveryService", {
            "StreamAggregatedResources": self._handler("DiscoveryRequest", "DiscoveryResponse", _SotwStream),
            "DeltaAggregatedResources": self._handler("DeltaDiscoveryRequest", "DeltaDiscoveryResponse", _DeltaStream)})])

        def bind():
            try:
                return self._server.add_insecure_port(f"127.0.0.1:{self.port}")
            except RuntimeError as error:
                raise OSError(error) from None
        self.port = wait_for(bind, "the control plane's port")
        self._server.start()

    def stop(self):
        """Dies: every stream breaks, the port refuses."""
        with self._lock:
            for stream in self._streams.values():
                stream.events.put(None)
        self._server.stop(None).wait(10)

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # -- what the world is

    def set(self, kind, *contents):
        """Adds or replaces resources (dicts) and pushes. Clusters and listeners are named by `name`, endpoints by `cluster_name`."""
        with self._lock:
            for content in contents:
                self._put(kind, content)
        self.push()

    def change(self, **by_kind):
        """Several kinds in one push: change(clusters=[...], endpoints=[...], listeners=[...], routes=[...])."""
        kinds = {"clusters": CLUSTER, "endpoints": ENDPOINTS, "listeners": LISTENER, "routes": ROUTES}
        with self._lock:
            for name, contents in by_kind.items():
                for content in contents:
                    self._put(kinds[name], content)
        self.push()

    def remove(self, kind, *names):
        with self._lock:
            for name in names:
                self._resources[kind].pop(name, None)
        self.push()

    def _put(self, kind, content):
        name = "" if kind == NAMES else content["cluster_name" if kind == ENDPOINTS else "name"]
        self._resources[kind][name] = self.protos.make(kind, content).SerializeToString(deterministic=True)

    def world(self, kind):
        """Name to (version, bytes)."""
        with self._lock:
            return {name: (_version(data), data) for name, data in self._resources[kind].items()}

    def push(self):
        with self._lock:
            for stream in self._streams.values():
                stream.events.put("push")

    def say(self, kind, *contents):
        """Sends these resources in one response, outside of the world: the control plane at its worst. Returns the nonce."""
        datas = [(content["cluster_name" if kind == ENDPOINTS else "name"], self.protos.make(kind, content).SerializeToString())
                 for content in contents]
        nonce = self._nonce()
        with self._lock:
            for stream in self._streams.values():
                stream.events.put((kind, datas, nonce))
        return nonce

    # -- what was asked

    def requests(self, kind=None, stream=None):
        with self._lock:
            return [asked for asked in self.asked if kind in (None, asked.type) and stream in (None, asked.stream)]

    def nacks(self, kind=None):
        return [asked for asked in self.requests(kind) if asked.error is not None]

    def wait_nack(self, kind, count=1):
        """The count-th NACK of a kind."""
        return wait_for(lambda: (self.nacks(kind)[count - 1:] or [None])[0], f"NACK {count} of {kind}")

    def wait_acked(self, kind, deadline=20.0):
        """Until every stream has acknowledged the newest response of this kind."""
        def done():
            with self._lock:
                return self._streams and all(stream.acked(kind) for stream in self._streams.values())
        wait_for(done, f"an ACK of {kind}", deadline)

    @property
    def streams(self):
        """How many streams have ever been opened."""
        with self._lock:
            return max(self._streams, default=0)

    @property
    def live_streams(self):
        with self._lock:
            return len(self._streams)

    # -- gRPC

    def _nonce(self):
        return f"n{next(self._nonces)}"

    def _handler(self, request_name, response_name, stream_class):
        request_class = self.protos.message_class(f"{_SERVICE}.{request_name}")
        return grpc.stream_stream_rpc_method_handler(
            lambda requests, context: self._serve(stream_class, requests, context),
            request_deserializer=request_class.FromString,
            response_serializer=lambda message: message.SerializeToString())

    def _serve(self, stream_class, requests, context):
        number = next(self._numbers)
        stream = stream_class(self)
        with self._lock:
            self._streams[number] = stream
        threading.Thread(target=_read, args=(requests, stream.events), daemon=True).start()
        try:
            while True:
                event = stream.events.get()
                if event is None:
                    return
                if event == "push":
                    yield from stream.push()
                elif isinstance(event, tuple):
                    yield stream.say(*event)
                else:
                    kind = event.type_url[len(_PREFIX):]
                    with self._lock:
                        self.asked.append(Asked(number, stream.delta, kind, event))
                    yield from stream.on_request(kind, event)
        finally:
            with self._lock:
                del self._streams[number]


def _read(requests, events):
    try:
        for request in requests:
            events.put(request)
    except grpc.RpcError:
        pass
    except Exception:  # pylint: disable=broad-except  (grpc raises a bare Exception when the stream breaks)
        pass
    events.put(None)


def _version(data):
    return hashlib.sha256(data).hexdigest()[:12]


class _Stream:
    """What both variants share: nonces and the newest response of each kind."""

    def __init__(self, plane):
        self.plane = plane
        self.events = queue.Queue()
        self.newest, self.answered = {}, {}

    def acked(self, kind):
        return kind not in self.newest or self.answered.get(kind) == self.newest[kind]

    def _note(self, kind, nonce):
        self.newest[kind] = nonce
        self.plane.said.append((kind, nonce))

    def _fresh(self, kind, request):
        """Takes note of an ACK or NACK; whether the request belongs to the newest response of its kind."""
        if request.response_nonce and not request.HasField("error_detail"):
            self.answered[kind] = request.response_nonce
        return not request.response_nonce or request.response_nonce == self.newest.get(kind)

    def push(self):
        for kind in _KINDS:
            yield from self.push_kind(kind)

    def _any(self, message, kind, data):
        message.type_url = _PREFIX + kind
        message.value = data


class _SotwStream(_Stream):
    """State of the world: names wanted per kind (None: all), and what was sent."""
    delta = False

    def __init__(self, plane):
        super().__init__(plane)
        self.wanted, self.sent = {}, {}

    def on_request(self, kind, request):
        fresh = self._fresh(kind, request)
        if kind not in _KINDS or not fresh:
            return
        names = set(request.resource_names)
        before = self.wanted.get(kind, set())
        if not names and kind in _COMPLETE and kind not in self.wanted or before is None and not names:
            self.wanted[kind] = None
        else:
            self.wanted[kind] = None if "*" in names else names
            sent = self.sent.setdefault(kind, {})
            for name in (names - before if before is not None else ()):
                sent.pop(name, None)  # newly named: owed even if sent before
            for name in (before - names if before else ()):
                sent.pop(name, None)
        yield from self.push_kind(kind)

    def push_kind(self, kind):
        if kind not in self.wanted:
            return
        wanted, sent = self.wanted[kind], self.sent.get(kind)
        world = {name: item for name, item in self.plane.world(kind).items() if wanted is None or name in wanted}
        changed = {name for name, (version, _) in world.items() if (sent or {}).get(name) != version}
        gone = set(sent or ()) - set(world)
        if kind in _COMPLETE:
            if sent is not None and not changed and not gone:
                return
            content = world
        else:
            content = {name: world[name] for name in changed}
            if not content:
                return
        if kind == CLUSTER:  # a changed cluster warms until its endpoints come again
            for name in changed:
                self.sent.get(ENDPOINTS, {}).pop(name, None)
        self.sent[kind] = {name: version for name, (version, _) in world.items()}
        yield self._response(kind, [(name, data) for name, (_, data) in content.items()],
                             _version("".join(sorted(version for version, _ in world.values())).encode()), self.plane._nonce())

    def say(self, kind, datas, nonce):
        return self._response(kind, datas, f"said-{nonce}", nonce)

    def _response(self, kind, datas, version, nonce):
        message = self.plane.protos.message_class(f"{_SERVICE}.DiscoveryResponse")()
        message.version_info, message.nonce, message.type_url = version, nonce, _PREFIX + kind
        for _, data in datas:
            self._any(message.resources.add(), kind, data)
        self._note(kind, nonce)
        return message


class _DeltaStream(_Stream):
    """Delta: subscriptions per kind, and the version of each resource that the client has."""
    delta = True

    def __init__(self, plane):
        super().__init__(plane)
        self.wanted, self.has, self.absent = {}, {}, {}

    def on_request(self, kind, request):
        self._fresh(kind, request)
        if kind not in _KINDS:
            return
        first = kind not in self.wanted
        wanted, has = self.wanted.setdefault(kind, set()), self.has.setdefault(kind, {})
        has.update(request.initial_resource_versions)
        subscribe = set(request.resource_names_subscribe)
        if first and not subscribe and kind in _COMPLETE:
            subscribe = {"*"}
        wanted |= subscribe
        for name in subscribe:
            if name not in request.initial_resource_versions:
                has.pop(name, None)  # every subscribed name is answered
            self.absent.setdefault(kind, set()).discard(name)
        for name in request.resource_names_unsubscribe:
            wanted.discard(name)
            has.pop(name, None)
        answered = False
        for response in self.push_kind(kind):
            answered = True
            yield response
        if first and not answered and "*" in subscribe:  # "there is nothing" is an answer too
            yield self._response(kind, [], [], self.plane._nonce())

    def push_kind(self, kind):
        if kind not in self.wanted:
            return
        wanted, has, absent = self.wanted[kind], self.has[kind], self.absent.setdefault(kind, set())
        world = {name: item for name, item in self.plane.world(kind).items() if "*" in wanted or name in wanted}
        changed = [name for name, (version, _) in world.items() if has.get(name) != version]
        removed = [name for name in has if name not in world]
        missing = [name for name in wanted if name != "*" and name not in world and name not in absent and name not in removed
                   and name not in self.plane.silent_about]
        if not (changed or removed or missing):
            return
        if kind == CLUSTER:
            for name in changed:
                self.has.get(ENDPOINTS, {}).pop(name, None)
        for name in changed:
            has[name] = world[name][0]
            absent.discard(name)
        for name in removed:
            del has[name]
        absent.update(missing, removed)
        yield self._response(kind, [(name, world[name][0], world[name][1]) for name in changed], removed + missing, self.plane._nonce())

    def say(self, kind, datas, nonce):
        return self._response(kind, [(name, f"said-{nonce}", data) for name, data in datas], [], nonce)

    def _response(self, kind, items, removed, nonce):
        message = self.plane.protos.message_class(f"{_SERVICE}.DeltaDiscoveryResponse")()
        message.nonce, message.type_url, message.system_version_info = nonce, _PREFIX + kind, nonce
        for name, version, data in items:
            resource = message.resources.add()
            resource.name, resource.version = name, version
            self._any(resource.resource, kind, data)
        message.removed_resources.extend(removed)
        self._note(kind, nonce)
        return message
