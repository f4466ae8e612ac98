#include "controlplane/xds/wire.h"

#include "envoy/config/core/v3/base.pb.h"
#include "google/rpc/status.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/byte_buffer.h>

namespace weft::xds {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr size_t kShare = 512;  // a resource of fewer bytes is cheaper to copy than to share as a slice

constexpr char tag_of(int field) { return static_cast<char>((field << 3) | 2); }  // length-delimited, fields 1 to 15

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

size_t varint_size(uint64_t value) {
  size_t size = 1;
  while (value >>= 7) ++size;
  return size;
}

void append_field(std::string& out, int field, std::string_view bytes) {
  out += tag_of(field);
  append_varint(out, bytes.size());
  out += bytes;
}

size_t field_size(size_t bytes) { return 1 + varint_size(bytes) + bytes; }

// A slice that keeps the cached bytes alive.
grpc::Slice shared_slice(const std::shared_ptr<const std::string>& bytes) {
  auto* owner = new std::shared_ptr<const std::string>(bytes);
  return grpc::Slice(
      const_cast<char*>(bytes->data()), bytes->size(), [](void* held) { delete static_cast<std::shared_ptr<const std::string>*>(held); },
      owner);
}

bool read_bytes(CodedInputStream& in, std::string_view all, std::string_view& out) {
  uint32_t size = 0;
  if (!in.ReadVarint32(&size)) return false;
  auto at = static_cast<size_t>(in.CurrentPosition());
  if (size > all.size() - at) return false;
  out = all.substr(at, size);
  return in.Skip(static_cast<int>(size));
}

Result<std::string> error_text(std::string_view bytes) {
  google::rpc::Status status;
  if (!status.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return invalid("error_detail: not a google.rpc.Status");
  return status.message().empty() ? "code " + std::to_string(status.code()) + " without a message" : status.message();
}

bool read_version_entry(std::string_view bytes, std::pair<std::string, std::string>& out) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  while (uint32_t tag = in.ReadTag()) {
    std::string_view value;
    if (tag != 0x0a && tag != 0x12) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    if (!read_bytes(in, bytes, value)) return false;
    (tag == 0x0a ? out.first : out.second) = value;
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

Result<model::Node> decode_node(std::string_view bytes) {
  envoy::config::core::v3::Node node;
  if (!node.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return invalid("node: not an envoy.config.core.v3.Node");
  std::string metadata;
  if (node.has_metadata() && !google::protobuf::util::MessageToJsonString(node.metadata(), &metadata).ok()) {
    return invalid("node.metadata: cannot be shown as JSON");
  }
  auto result = model::parse_node(node.id(), node.cluster(), metadata,
                                  {node.locality().region(), node.locality().zone(), node.locality().sub_zone()});
  if (!result) return result;
  const auto& version = node.user_agent_build_version().version();
  result->software = node.user_agent_name();
  if (!node.user_agent_version().empty()) {
    result->software += " " + node.user_agent_version();
  } else if (node.has_user_agent_build_version()) {
    result->software +=
        " " + std::to_string(version.major_number()) + "." + std::to_string(version.minor_number()) + "." + std::to_string(version.patch());
  }
  return result;
}

Result<DecodedRequest> decode_request(const grpc::ByteBuffer& buffer, Session::Protocol protocol, bool want_node) {
  grpc::Slice slice;
  if (!buffer.TrySingleSlice(&slice).ok() && !buffer.DumpToSingleSlice(&slice).ok()) return invalid("request: no bytes");
  std::string_view all(reinterpret_cast<const char*>(slice.begin()), slice.size());
  CodedInputStream in(slice.begin(), static_cast<int>(slice.size()));

  const bool sotw = protocol == Session::Protocol::kSotw;
  const char* what = sotw ? "DiscoveryRequest: not valid wire format" : "DeltaDiscoveryRequest: not valid wire format";
  const int node_field = sotw ? 2 : 1, type_field = sotw ? 4 : 2;
  DecodedRequest request;
  while (uint32_t tag = in.ReadTag()) {
    std::string_view value;
    const int field = static_cast<int>(tag >> 3);
    if ((tag & 7) != 2) {
      if (!WireFormatLite::SkipField(&in, tag)) return invalid(what);
      continue;
    }
    if (!read_bytes(in, all, value)) return invalid(what);
    if (field == node_field) {
      if (!want_node) continue;
      auto node = decode_node(value);
      if (!node) return node.error();
      request.node = std::move(*node);
    } else if (field == type_field) {
      request.type_url = value;
    } else if (sotw) {
      if (field == 1) request.sotw.version_info = value;
      if (field == 3) request.sotw.names.emplace_back(value);
      if (field == 5) request.sotw.nonce = value;
    } else {
      if (field == 3) request.delta.subscribe.emplace_back(value);
      if (field == 4) request.delta.unsubscribe.emplace_back(value);
      if (field == 5 && !read_version_entry(value, request.delta.initial_versions.emplace_back())) return invalid(what);
      if (field == 6) request.delta.nonce = value;
    }
    if (field == (sotw ? 6 : 7)) {
      auto text = error_text(value);
      if (!text) return text.error();
      (sotw ? request.sotw.error : request.delta.error) = std::move(*text);
    }
  }
  if (!in.ConsumedEntireMessage()) return invalid(what);
  return request;
}

grpc::ByteBuffer encode_response(const Outgoing& response, Session::Protocol protocol) {
  const bool sotw = protocol == Session::Protocol::kSotw;
  std::vector<grpc::Slice> slices;
  std::string run;  // bytes not yet in a slice
  append_field(run, 1, response.version);
  for (const Outgoing::Item& item : response.items) {
    const std::string& any = *item.resource->any;
    if (!sotw) {
      std::string version = version_text(item.version);
      run += tag_of(2);
      append_varint(run, field_size(version.size()) + field_size(item.resource->name.size()) + field_size(any.size()));
      append_field(run, 1, version);
      append_field(run, 3, item.resource->name);
    }
    run += tag_of(2);  // DiscoveryResponse.resources, or Resource.resource
    append_varint(run, any.size());
    if (any.size() < kShare) {
      run += any;
    } else {
      slices.emplace_back(run);
      run.clear();
      slices.push_back(shared_slice(item.resource->any));
    }
  }
  append_field(run, 4, type_url(response.type));
  append_field(run, 5, response.nonce);
  if (!sotw) {
    for (const std::string& name : response.removed) append_field(run, 6, name);
  }
  slices.emplace_back(run);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace weft::xds
