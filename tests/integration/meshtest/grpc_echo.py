"""A gRPC service without a .proto, on Debian's python3-grpcio: messages are bytes, what a method does stands in its name."""
import concurrent.futures
import threading

import grpc

SERVICE = "/test.Echo/"
FORMS = ("Unary", "ServerStream", "ClientStream", "BothStream")


class EchoServer:
    """Unary echoes; ServerStream sends its message four times; ClientStream sends all messages as one; BothStream echoes each as it
    comes. `Fail` and `FailLate` end with NOT_FOUND, without and behind a message; `Hang` waits until the call is over."""

    def __init__(self, host="127.0.0.1", port=0):
        self.seen, self.cancelled = [], threading.Event()
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 16 << 20)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {
            "Unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "ServerStream": grpc.unary_stream_rpc_method_handler(lambda request, context: iter([request] * 4)),
            "ClientStream": grpc.stream_unary_rpc_method_handler(lambda requests, context: b"".join(requests)),
            "BothStream": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
            "Fail": grpc.unary_unary_rpc_method_handler(self._fail),
            "FailLate": grpc.unary_stream_rpc_method_handler(self._fail_late),
            "Hang": grpc.unary_unary_rpc_method_handler(self._hang)}),))
        self.address = (host, self._server.add_insecure_port(f"{host}:{port}"))
        self._server.start()

    def _unary(self, request, context):
        self.seen.append(dict(context.invocation_metadata()))
        context.send_initial_metadata((("x-first", "head"),))
        context.set_trailing_metadata((("x-last", "trailer"),))
        return request

    @staticmethod
    def _fail(request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: " + request.decode())

    @staticmethod
    def _fail_late(request, context):
        yield request
        context.abort(grpc.StatusCode.NOT_FOUND, "späte Reue")

    def _hang(self, request, context):
        over = threading.Event()
        context.add_callback(over.set)
        over.wait(20)
        self.cancelled.set()
        return request

    def close(self):
        self._server.stop(0)


class EchoClient:
    def __init__(self, address):
        self.channel = grpc.insecure_channel("%s:%d" % address, options=[("grpc.max_receive_message_length", 16 << 20),
                                                                         ("grpc.enable_http_proxy", 0)])

    def unary(self, request, method="Unary", **options):
        return self.channel.unary_unary(SERVICE + method).with_call(request, **options)

    def call(self, form, requests, **options):
        """The replies of one of FORMS."""
        make = {"Unary": self.channel.unary_unary, "ServerStream": self.channel.unary_stream, "ClientStream": self.channel.stream_unary,
                "BothStream": self.channel.stream_stream}[form]
        many = form in ("ClientStream", "BothStream")
        answer = make(SERVICE + form)(iter(requests) if many else requests[0], **options)
        return [answer] if isinstance(answer, bytes) else list(answer)

    def close(self):
        self.channel.close()
