// Discovery messages on the wire, by hand where the generated code would copy: a response is put together from the cached bytes of its
// resources, and of a request the node (60 KB from a real Envoy, repeated on every request) is only read when it is wanted.
#pragma once
#include "common/base/error.h"
#include "controlplane/model/node.h"
#include "controlplane/xds/session.h"

namespace grpc {
class ByteBuffer;
}

namespace weft::xds {

struct DecodedRequest {
  std::string type_url;
  std::optional<model::Node> node;
  SotwRequest sotw;  // the one that the stream speaks is filled in
  DeltaRequest delta;
};

Result<DecodedRequest> decode_request(const grpc::ByteBuffer& bytes, Session::Protocol protocol, bool want_node);
grpc::ByteBuffer encode_response(const Outgoing& response, Session::Protocol protocol);

// The node of a serialised envoy.config.core.v3.Node.
Result<model::Node> decode_node(std::string_view bytes);

}  // namespace weft::xds
