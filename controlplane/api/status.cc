// Who runs what: the proxies as the xDS server sees them, and waiting for them.
#include "controlplane/api/api.h"
#include "controlplane/api/json.h"

#include <boost/asio/basic_waitable_timer.hpp>

#include <algorithm>
#include <optional>
#include <set>

namespace weft::api {
namespace {

using xds::ProxyStatus;
using xds::ResourceType;
using Clock = std::chrono::system_clock;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr std::chrono::milliseconds kLook{20};  // between two looks of a wait; a look is a walk over the proxies
constexpr std::chrono::minutes kLongestWait{10};

std::string_view type_of(const model::Node& node) {
  if (node.proxyless) return "grpc";
  return node.type == model::Node::Type::kRouter ? "router" : "sidecar";
}

// SYNCED: accepted everything; STALE: something was sent, or is about to be, and is not accepted yet; NACK: refuses something.
std::string_view state_of(const ProxyStatus& proxy, uint64_t revision) {
  for (const ProxyStatus::Type& type : proxy.types)
    if (type.rejected) return "NACK";
  return proxy.acked_revision >= revision ? "SYNCED" : "STALE";
}

json::value age(Clock::time_point time, Clock::time_point now) {
  if (time == Clock::time_point{}) return nullptr;
  return std::max(0.0, std::chrono::duration<double>(now - time).count());
}

json::object brief(const ProxyStatus& proxy, uint64_t revision) {
  const model::Node& node = *proxy.node;
  json::object object{{"node", node.id}, {"type", type_of(node)}, {"name", node.name}, {"namespace", node.ns}};
  object["state"] = state_of(proxy, revision);
  object["sent_revision"] = proxy.sent_revision;
  object["acked_revision"] = proxy.acked_revision;
  object["nack"] = proxy.refusals();
  return object;
}

json::object whole(const ProxyStatus& proxy, uint64_t revision, Clock::time_point now) {
  json::object object = brief(proxy, revision);
  object["address"] = proxy.address;
  object["software"] = proxy.node->software;
  object["protocol"] = proxy.protocol == xds::Session::Protocol::kDelta ? "delta" : "sotw";
  object["connected"] = to_json(proxy.connected);
  object["last_ack"] = to_json(proxy.last_ack);
  object["ack_age_seconds"] = age(proxy.last_ack, now);
  json::object types;
  for (ResourceType kind : xds::kMakeOrder) {
    const ProxyStatus::Type& type = proxy.types[index_of(kind)];
    json::object of{{"requested", type.requested}, {"sent_revision", type.sent_revision}, {"acked_revision", type.acked_revision}};
    of["unanswered"] = type.unanswered;
    of["last_ack"] = to_json(type.last_ack);
    of["rejected"] = type.rejected;
    if (type.nack.count > 0) {
      of["nacks"] = type.nack.count;
      of["nack"] = type.nack.text;
      of["nack_revision"] = type.nack.revision;
      of["last_nack"] = to_json(type.last_nack);
    }
    types[short_name(kind)] = std::move(of);
  }
  object["types"] = std::move(types);
  return object;
}

}  // namespace

Reply Api::status(const Request&) {
  const auto now = Clock::now();
  const std::shared_ptr<const model::View> view = services_.store.view();
  const uint64_t revision = view->revision();
  json::object answer{{"name", "weft-control"}, {"version", services_.version}, {"revision", revision}};
  answer["started"] = to_json(started_);
  answer["objects"] = view->resources().size();
  json::array proxies;
  for (const ProxyStatus& proxy : services_.acks.proxies()) proxies.push_back(whole(proxy, revision, now));
  answer["proxies"] = std::move(proxies);
  json::array sources;
  if (services_.sources) {
    for (const SourceStatus& source : services_.sources())
      sources.push_back(json::object{{"name", source.name}, {"path", source.path}, {"findings", to_json(source.findings)}});
  }
  answer["sources"] = std::move(sources);
  answer["refused"] = to_json(services_.store.refused());
  return json_reply(answer);
}

Task<Reply> Api::wait(Request request) {
  uint64_t revision = services_.store.view()->revision();
  if (const std::string text = request.parameter("revision"); !text.empty()) {
    if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
      co_return error_reply(400, "bad_request", "revision: found \"" + text.substr(0, 100) + "\", expected a number");
    const uint64_t asked = std::stoull(text);
    if (asked > revision)
      co_return error_reply(404, "not_found", "revision " + text + " does not exist yet; the newest is " + std::to_string(revision));
    revision = asked;
  }
  const std::string text = request.parameter("timeout");
  const auto timeout = text.empty() ? std::chrono::milliseconds(10'000) : read_duration(text);
  if (!timeout || *timeout > kLongestWait)
    co_return error_reply(400, "bad_request",
                          "timeout: found \"" + text.substr(0, 100) + "\", expected a duration such as 10s, at most 10m");

  // Asks again and again: a wait is rare and short, and so no thread is held and nothing must wake this one.
  // Who is no longer behind does not come back: what is sent to it later is not of this revision.
  const auto start = std::chrono::steady_clock::now();
  std::optional<std::set<std::string>> left;
  Timer timer(co_await asio::this_coro::executor);
  for (;;) {
    const auto passed = std::chrono::steady_clock::now() - start;
    std::vector<ProxyStatus> behind = services_.acks.behind(revision);
    std::erase_if(behind, [&](const ProxyStatus& proxy) { return left && !left->contains(proxy.node->id); });
    left.emplace();
    for (const ProxyStatus& proxy : behind) left->insert(proxy.node->id);
    const bool nack = std::any_of(behind.begin(), behind.end(), [&](const ProxyStatus& proxy) { return proxy.refuses(revision); });
    if (behind.empty() || nack || closing_ || passed >= *timeout) {
      const std::vector<ProxyStatus> all = services_.acks.proxies();
      const auto affected = std::count_if(all.begin(), all.end(), [&](const ProxyStatus& proxy) { return proxy.concerned(revision); });
      json::object answer{{"revision", revision}, {"acked", behind.empty()}, {"proxies", all.size()}, {"affected", affected}};
      answer["seconds"] = std::chrono::duration<double>(passed).count();
      json::array laggards;
      std::string names;
      for (const ProxyStatus& proxy : behind) {
        laggards.push_back(brief(proxy, revision));
        if (laggards.size() <= 5) names += (names.empty() ? "" : ", ") + proxy.node->id;
      }
      if (laggards.size() > 5) names += " and " + std::to_string(laggards.size() - 5) + " more";
      answer["behind"] = std::move(laggards);
      if (behind.empty()) co_return json_reply(answer);
      std::string message =
          nack ? "revision " + std::to_string(revision) + " is refused" : "revision " + std::to_string(revision) + " is not accepted yet";
      message += " by " + names;
      answer["error"] = json::object{{"code", nack ? "refused" : closing_ ? "closing" : "timeout"}, {"message", message}};
      co_return json_reply(answer, nack ? 409 : closing_ ? 503 : 504);
    }
    timer.expires_after(std::min<std::chrono::steady_clock::duration>(kLook, *timeout - passed));
    co_await timer.async_wait(kAwait);
  }
}

// istiod tells nonces where we tell revisions; equal ones mean the same thing.
Reply Api::syncz(const Request&) {
  json::array list;
  for (const ProxyStatus& proxy : services_.acks.proxies()) {
    json::object object{{"proxy", proxy.node->name + "." + proxy.node->ns}, {"proxy_type", type_of(*proxy.node)}};
    object["cluster_id"] = "Kubernetes";
    constexpr std::pair<ResourceType, std::string_view> kNames[] = {{ResourceType::kCluster, "cluster"},
                                                                    {ResourceType::kListener, "listener"},
                                                                    {ResourceType::kRoute, "route"},
                                                                    {ResourceType::kEndpoint, "endpoint"}};
    for (const auto& [kind, name] : kNames) {
      const ProxyStatus::Type& type = proxy.types[index_of(kind)];
      if (!type.requested) continue;
      object[std::string(name) + "_sent"] = std::to_string(type.sent_revision);
      object[std::string(name) + "_acked"] = std::to_string(type.acked_revision);
    }
    list.push_back(std::move(object));
  }
  return json_reply(list);
}

}  // namespace weft::api
