"""A proxy as far as a control plane can tell, written by hand: delta ADS that answers, refuses or stays silent as it is told."""
import queue
import threading

import grpc

from .ads import CLUSTER, ENDPOINTS, LISTENER, ROUTES

_PREFIX = "type.googleapis.com/"
_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class XdsClient:
    """Takes all clusters, listeners, and by name what is asked of it with `subscribe`.

    `refuses` maps a resource's name to the NACK for each response that holds it; `mute` answers nothing any more.
    """

    def __init__(self, protos, address, name, namespace="default", kinds=(CLUSTER, LISTENER), held=None, metadata=None):
        self._request = protos.message_class("envoy.service.discovery.v3.DeltaDiscoveryRequest")
        response = protos.message_class("envoy.service.discovery.v3.DeltaDiscoveryResponse")
        self.node = f"sidecar~127.0.9.9~{name}.{namespace}~{namespace}.svc.cluster.local"
        self.refuses, self.mute = {}, False
        self.held = {kind: dict((held or {}).get(kind, {})) for kind in (CLUSTER, ENDPOINTS, LISTENER, ROUTES)}
        self.responses, self.sent = 0, []
        self._out = queue.Queue()
        first = True
        for kind in kinds:
            request = self._request(type_url=_PREFIX + kind, initial_resource_versions=self.held[kind])
            if first:
                request.node.id = self.node
                request.node.metadata.update({"INTERCEPTION_MODE": "NONE", **(metadata or {})})
                first = False
            self._out.put(request)
        self._channel = grpc.insecure_channel("%s:%d" % address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._stream = self._channel.stream_stream(
            _METHOD, request_serializer=lambda message: message.SerializeToString(), response_deserializer=response.FromString)(
                iter(self._out.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def subscribe(self, kind, *names):
        self._out.put(self._request(type_url=_PREFIX + kind, resource_names_subscribe=names))

    def _read(self):
        try:
            for response in self._stream:
                self.sent += [resource.name for resource in response.resources]
                self.responses += 1
                if self.mute:
                    continue
                held = self.held[response.type_url[len(_PREFIX):]]
                answer = self._request(type_url=response.type_url, response_nonce=response.nonce)
                bad = [self.refuses[resource.name] for resource in response.resources if resource.name in self.refuses]
                if bad:
                    answer.error_detail.code, answer.error_detail.message = 3, "; ".join(bad)
                for resource in response.resources:
                    if resource.name not in self.refuses:
                        held[resource.name] = resource.version
                for name in response.removed_resources:
                    held.pop(name, None)
                self._out.put(answer)
        except grpc.RpcError:
            pass

    def close(self):
        self._out.put(None)
        self._stream.cancel()
        self._channel.close()
