// What a proxy was sent, as protobuf JSON. The types are looked up by name among those linked in, so no generated header is needed.
#include "controlplane/api/api.h"
#include "controlplane/api/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

namespace weft::api {
namespace {

using xds::ProxyStatus;
using xds::ResourceType;

std::optional<ResourceType> type_named(std::string_view word) {
  if (word == "clusters") return ResourceType::kCluster;
  if (word == "endpoints") return ResourceType::kEndpoint;
  if (word == "listeners") return ResourceType::kListener;
  if (word == "routes") return ResourceType::kRoute;
  return std::nullopt;
}

json::value message_json(ResourceType type, std::string_view bytes) {
  std::string_view name = type_url(type);
  name.remove_prefix(name.rfind('/') + 1);
  const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(name));
  if (descriptor == nullptr) return nullptr;
  std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return nullptr;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(*message, &text, options);
  if (!status.ok()) return json::object{{"error", status.ToString()}};
  return parsed(text);
}

// By node id, else by "name.namespace", else by name where only one proxy has it.
std::variant<ProxyStatus, Reply> find_proxy(const xds::AckStatus& acks, const std::string& word) {
  if (auto exact = acks.find(word)) return std::move(*exact);
  std::vector<ProxyStatus> found;
  std::string known;
  for (ProxyStatus& proxy : acks.proxies()) {
    const model::Node& node = *proxy.node;
    known += (known.empty() ? "" : ", ") + node.name + "." + node.ns;
    if (word == node.name || word == node.name + "." + node.ns) found.push_back(std::move(proxy));
  }
  if (found.size() == 1) return std::move(found.front());
  if (known.size() > 500) known = known.substr(0, 500) + " ...";
  if (found.empty())
    return error_reply(404, "not_found",
                       "no proxy " + word.substr(0, 200) + " is connected; connected: " + (known.empty() ? "none" : known));
  std::string ids;
  for (const ProxyStatus& proxy : found) ids += (ids.empty() ? "" : ", ") + proxy.node->id;
  return error_reply(409, "ambiguous", word.substr(0, 200) + " is the name of several proxies: " + ids.substr(0, 1000));
}

}  // namespace

Reply Api::proxy_config(const Request& request) {
  constexpr std::string_view kPrefix = "/v1/proxies/";
  const std::string rest = request.path.substr(kPrefix.size());
  const size_t slash = rest.find('/');
  const std::string word = rest.substr(0, slash), page = slash == std::string::npos ? "" : rest.substr(slash + 1);
  const auto type = page.starts_with("config/") ? type_named(page.substr(7)) : std::nullopt;
  if (word.empty() || !type)
    return error_reply(404, "not_found", "expected /v1/proxies/NODE/config/clusters, listeners, routes or endpoints");
  auto found = find_proxy(services_.acks, word);
  if (auto* reply = std::get_if<Reply>(&found)) return std::move(*reply);
  const ProxyStatus& proxy = std::get<ProxyStatus>(found);

  json::object answer{{"node", proxy.node->id}, {"type", page.substr(7)}};
  json::array items;
  if (proxy.snapshot) {
    answer["revision"] = proxy.snapshot->revision;
    const auto all = proxy.snapshot->map(*type).all();
    std::vector<xds::ResourcePtr> resources(all.begin(), all.end());
    std::sort(resources.begin(), resources.end(), [](const auto& a, const auto& b) { return a->name < b->name; });
    for (const xds::ResourcePtr& resource : resources) {
      items.push_back(json::object{{"name", resource->name},
                                   {"version", xds::version_text(resource->version)},
                                   {"resource", message_json(*type, resource->message())}});
    }
  }
  answer["items"] = std::move(items);
  return json_reply(answer);
}

}  // namespace weft::api
