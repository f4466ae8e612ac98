"""The client of tests/programs/grpc_caller.cc in Python: the same lines in, the same lines out. `server ADDRESS NAME` serves instead,
with gRPC's xDS server, and answers NAME."""
import collections
import concurrent.futures
import json
import sys

import grpc


def call(channel, method, metadata):
    try:
        return channel.unary_unary(method)(b"", timeout=5, metadata=metadata).decode()
    except grpc.RpcError as error:
        return str(error.code().value[0])


def client():
    channels = {}
    for line in sys.stdin:
        target, method, count, *words = line.split()
        if target not in channels:
            channels[target] = grpc.insecure_channel(target)
        metadata = [tuple(word.split("=", 1)) for word in words]
        print(json.dumps(collections.Counter(call(channels[target], method, metadata) for _ in range(int(count)))), flush=True)


class Echo(grpc.GenericRpcHandler):
    def __init__(self, name):
        self._handler = grpc.unary_unary_rpc_method_handler(lambda request, context: name.encode())

    def service(self, details):
        return self._handler


def serve(address, name):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), xds=True)
    server.add_generic_rpc_handlers((Echo(name),))
    server.add_secure_port(address, grpc.xds_server_credentials(grpc.insecure_server_credentials()))
    server.start()
    print("started", flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["server"]:
        serve(*sys.argv[2:])
    else:
        client()
