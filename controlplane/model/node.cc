#include "controlplane/model/node.h"

#include <boost/asio/ip/address.hpp>

#include <array>

namespace weft::model {
namespace {

std::string text_of(const yaml::Node& metadata, std::string_view key) {
  const yaml::Node* value = metadata.find(key);
  return value && value->is_scalar() ? value->text : std::string();
}

Error bad_id(std::string_view id, const std::string& why) {
  return invalid("node.id \"" + std::string(id.substr(0, 200)) + "\": " + why +
                 "; expected sidecar~IP~NAME.NAMESPACE~DNS_DOMAIN or router~IP~NAME.NAMESPACE~DNS_DOMAIN");
}

}  // namespace

Result<Node> parse_node(std::string_view id, std::string_view cluster, std::string_view metadata_json, Locality locality) {
  std::array<std::string_view, 4> parts;
  size_t count = 0;
  for (std::string_view rest = id; count < 4; ++count) {
    const size_t tilde = rest.find('~');
    parts[count] = rest.substr(0, tilde);
    if (tilde == std::string_view::npos) {
      ++count;
      break;
    }
    rest.remove_prefix(tilde + 1);
    if (count == 3) return bad_id(id, "found more than four parts between ~");
  }
  if (count != 4) return bad_id(id, "found " + std::to_string(count) + (count == 1 ? " part" : " parts") + " between ~, expected 4");

  Node node;
  node.id = id;
  node.cluster = cluster;
  node.locality = std::move(locality);
  if (parts[0] == "sidecar")
    node.type = Node::Type::kSidecar;
  else if (parts[0] == "router")
    node.type = Node::Type::kRouter;
  else
    return bad_id(id, "the type \"" + std::string(parts[0]) + "\" is not supported");

  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(parts[1]), error);
  if (error) return bad_id(id, "\"" + std::string(parts[1]) + "\" is not an IP address");
  node.ip = parts[1];

  if (!metadata_json.empty()) {
    std::vector<yaml::Document> documents;
    Diagnostic problem;
    if (!yaml::parse(metadata_json, "node.metadata", documents, problem)) return invalid("node.metadata: " + problem.message);
    if (!documents.empty()) node.metadata = std::move(documents.front().root);
    if (!node.metadata.is_map() && !node.metadata.is_null())
      return invalid("node.metadata: found " + node.metadata.describe() + ", expected a map");
  }
  const size_t dot = parts[2].rfind('.');
  node.name = parts[2].substr(0, dot);
  node.ns = text_of(node.metadata, "NAMESPACE");
  if (node.ns.empty() && dot != std::string_view::npos) node.ns = parts[2].substr(dot + 1);
  if (node.name.empty() || node.ns.empty()) return bad_id(id, "\"" + std::string(parts[2]) + "\" is not NAME.NAMESPACE");
  node.domain = parts[3].empty() ? node.ns + ".svc." + std::string(kDomain) : std::string(parts[3]);

  if (const yaml::Node* labels = node.metadata.find("LABELS"))
    for (const yaml::Entry& label : labels->entries)
      if (label.value.is_scalar()) node.labels[label.key] = label.value.text;
  const std::string mode = text_of(node.metadata, "INTERCEPTION_MODE");
  if (mode == "NONE")
    node.interception = Node::Interception::kNone;
  else if (mode == "TPROXY")
    node.interception = Node::Interception::kTproxy;
  else if (!mode.empty() && mode != "REDIRECT")
    return invalid("node.metadata.INTERCEPTION_MODE: found \"" + mode + "\", expected REDIRECT, TPROXY or NONE");
  node.proxyless = text_of(node.metadata, "GENERATOR") == "grpc";
  node.service_account = text_of(node.metadata, "SERVICE_ACCOUNT");
  node.network = text_of(node.metadata, "NETWORK");
  return node;
}

}  // namespace weft::model
