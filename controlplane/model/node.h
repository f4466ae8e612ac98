// A connected proxy, as its xDS node describes it: `sidecar~10.0.0.1~app-1.default~default.svc.cluster.local`.
#pragma once
#include "common/base/error.h"
#include "common/base/yaml.h"
#include "controlplane/model/values.h"

namespace weft::model {

struct Node {
  enum class Type : unsigned char { kSidecar, kRouter };
  enum class Interception : unsigned char { kRedirect, kTproxy, kNone };

  std::string id, cluster;
  Type type = Type::kSidecar;
  bool proxyless = false;                               // metadata GENERATOR is grpc: gRPC's own client or server, without a proxy
  std::string ip, name, ns, domain;                     // name and ns of the workload; domain "default.svc.cluster.local"
  Labels labels;                                        // metadata LABELS
  Interception interception = Interception::kRedirect;  // metadata INTERCEPTION_MODE
  Locality locality;
  std::string service_account, network;
  std::string software;  // what the proxy says it is: "envoy 1.40.0"; may be empty
  yaml::Node metadata;   // the whole, as a tree
};

// `metadata_json`: the node's metadata as JSON text (may be empty). An id that is not of the four parts is refused with what is wrong.
Result<Node> parse_node(std::string_view id, std::string_view cluster, std::string_view metadata_json, Locality locality = {});

}  // namespace weft::model
