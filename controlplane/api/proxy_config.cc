// What a proxy was sent, as protobuf JSON.
#include "controlplane/api/api.h"
#include "controlplane/api/json.h"
#include "controlplane/api/message_text.h"
#include "controlplane/api/proxies.h"

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
  if (word == "names") return ResourceType::kNameTable;
  return std::nullopt;
}

}  // namespace

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

Reply Api::proxy_config(const Request& request) {
  constexpr std::string_view kPrefix = "/v1/proxies/";
  const std::string rest = request.path.substr(kPrefix.size());
  const size_t slash = rest.find('/');
  const std::string word = rest.substr(0, slash), page = slash == std::string::npos ? "" : rest.substr(slash + 1);
  const auto type = page.starts_with("config/") ? type_named(page.substr(7)) : std::nullopt;
  if (word.empty() || !type)
    return error_reply(404, "not_found", "expected /v1/proxies/NODE/config/clusters, listeners, routes, endpoints or names");
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
                                   {"resource", parsed(message_text(*type, resource->message(), false))}});
    }
  }
  answer["items"] = std::move(items);
  return json_reply(answer);
}

}  // namespace weft::api
