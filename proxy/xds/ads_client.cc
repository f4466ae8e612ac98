#include "proxy/xds/ads_client.h"

#include "common/base/log.h"
#include "common/observe/shapes.h"

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "google/rpc/status.pb.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace weft::xds {
namespace {

namespace discovery = envoy::service::discovery::v3;
using observe::ControlPlaneStat;

// Make before break, also when several types are due at once.
constexpr ResourceType kOrder[] = {ResourceType::kRuntime,   ResourceType::kCluster, ResourceType::kEndpoints, ResourceType::kListener,
                                   ResourceType::kExtension, ResourceType::kScope,   ResourceType::kRoute,     ResourceType::kNameTable};
constexpr int kInvalidArgument = 3;

bool type_of(std::string_view url, ResourceType& type) {
  for (ResourceType candidate : kOrder)
    if (config::type_url(candidate) == url) return type = candidate, true;
  return false;
}

// Resources may come wrapped, to carry a name, a version or a time to live.
config::RawResource unwrap(const google::protobuf::Any& any) {
  discovery::Resource wrapper;
  if (any.Is<discovery::Resource>() && any.UnpackTo(&wrapper))
    return {wrapper.resource().type_url(), wrapper.resource().value(), wrapper.name()};
  return {any.type_url(), any.value(), ""};
}

}  // namespace

AdsClient::AdsClient(net::Loop& loop, upstream::ClusterTable& clusters, const config::AdsConfig& options,
                     std::shared_ptr<const envoy::config::core::v3::Node> node, observe::Registry& metrics, AdsEvents& events)
    : loop_(loop),
      clusters_(clusters),
      options_(options),
      node_(std::move(node)),
      events_(events),
      stats_(observe::control_plane_scope(metrics)) {}

AdsClient::~AdsClient() = default;

void AdsClient::start() { connect(); }

void AdsClient::connect() {
  ++stream_number_;
  const char* method = options_.delta ? "DeltaAggregatedResources" : "StreamAggregatedResources";
  GrpcTarget target{options_.cluster, std::string("/envoy.service.discovery.v3.AggregatedDiscoveryService/") + method, options_.authority,
                    options_.metadata};
  stream_ = std::make_unique<GrpcStream>(loop_, clusters_, std::move(target), static_cast<GrpcStreamEvents&>(*this));
  stream_->start();
}

void AdsClient::on_stream_open() {
  open_ = true;
  node_sent_ = false;
  stats_->cells(0).set(ControlPlaneStat::kConnectedState, 1);
  for (ResourceType type : kOrder) {
    Subscription& subscription = of(type);
    subscription.sent.clear();
    subscription.requested = false;
    subscription.nonce.clear();
    if (subscription.wanted && (subscription.wildcard || !subscription.names.empty())) request(type, nullptr, nullptr);
  }
  events_.on_ads_connected();
}

void AdsClient::on_stream_closed(int status, const std::string& reason) {
  open_ = false;
  stats_->cells(0).set(ControlPlaneStat::kConnectedState, 0);
  // Exponential with full jitter, so that a restarted control plane is not met by everybody at once.
  const int64_t base = std::max<int64_t>(1, options_.backoff_base.count());
  const int64_t ceiling = std::min<int64_t>(options_.backoff_max.count(), base << std::min(failures_, 20u));
  ++failures_;
  const auto wait = std::chrono::milliseconds(static_cast<int64_t>(loop_.random() % static_cast<uint64_t>(std::max<int64_t>(1, ceiling))));
  log::get(log::Logger::kConfig)
      .warn("gRPC config stream to {} closed: {}, {}; next attempt in {} ms", options_.cluster, status, reason, wait.count());
  loop_.wheel().arm(backoff_, wait);
  events_.on_ads_disconnected(reason);
}

void AdsClient::on_stream_message(std::string_view message) {
  failures_ = 0;
  options_.delta ? on_delta(message) : on_sotw(message);
}

void AdsClient::on_sotw(std::string_view message) {
  discovery::DiscoveryResponse parsed;
  ResourceType type;
  if (!parsed.ParseFromArray(message.data(), static_cast<int>(message.size())) || !type_of(parsed.type_url(), type) || !of(type).wanted) {
    return log::get(log::Logger::kConfig).warn("ignoring a discovery response for \"{}\" that was not asked for", parsed.type_url());
  }
  if (!parsed.control_plane().identifier().empty()) stats_->set_text(ControlPlaneStat::kIdentifier, parsed.control_plane().identifier());
  Response response;
  response.changes.type = type;
  for (const auto& any : parsed.resources()) response.changes.resources.push_back(unwrap(any));
  response.version = parsed.version_info();
  response.nonce = of(type).nonce = parsed.nonce();
  response.complete = of(type).wildcard;
  response.stream = stream_number_;
  events_.on_ads_response(std::move(response));
}

void AdsClient::on_delta(std::string_view message) {
  discovery::DeltaDiscoveryResponse parsed;
  ResourceType type;
  if (!parsed.ParseFromArray(message.data(), static_cast<int>(message.size())) || !type_of(parsed.type_url(), type) || !of(type).wanted) {
    return log::get(log::Logger::kConfig).warn("ignoring a discovery response for \"{}\" that was not asked for", parsed.type_url());
  }
  if (!parsed.control_plane().identifier().empty()) stats_->set_text(ControlPlaneStat::kIdentifier, parsed.control_plane().identifier());
  Response response;
  response.changes.type = type;
  for (const auto& resource : parsed.resources()) {
    if (resource.has_resource())
      response.changes.resources.push_back({resource.resource().type_url(), resource.resource().value(), resource.name()});
    response.versions[resource.name()] = resource.version();
  }
  for (const auto& name : parsed.removed_resources()) response.changes.removed.push_back(name);
  response.version = parsed.system_version_info();
  response.nonce = of(type).nonce = parsed.nonce();
  response.stream = stream_number_;
  events_.on_ads_response(std::move(response));
}

void AdsClient::subscribe_all(ResourceType type) {
  of(type).wanted = of(type).wildcard = true;
  mark(type);
}

void AdsClient::subscribe(ResourceType type, std::set<std::string> names) {
  Subscription& subscription = of(type);
  if (subscription.wanted && subscription.names == names) return;
  for (const std::string& name : subscription.names)
    if (!names.contains(name)) subscription.held.erase(name);
  subscription.wanted = true;
  subscription.names = std::move(names);
  mark(type);
}

void AdsClient::forget(ResourceType type, const std::string& name) { of(type).held.erase(name); }

void AdsClient::mark(ResourceType type) {
  of(type).dirty = true;
  if (flush_posted_) return;
  flush_posted_ = true;
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) flush();
  });
}

void AdsClient::flush() {
  flush_posted_ = false;
  for (ResourceType type : kOrder) {
    Subscription& subscription = of(type);
    if (!subscription.dirty) continue;
    subscription.dirty = false;
    if (!open_) continue;
    if (subscription.wildcard ? subscription.requested : subscription.names == subscription.sent) continue;
    request(type, nullptr, nullptr);
  }
}

void AdsClient::ack(const Response& response) {
  Subscription& subscription = of(response.changes.type);
  subscription.version = response.version;
  for (const auto& [name, version] : response.versions) subscription.held[name] = version;
  for (const std::string& name : response.changes.removed) subscription.held.erase(name);
  if (open_ && response.stream == stream_number_) request(response.changes.type, &response, nullptr);
}

void AdsClient::nack(const Response& response, const std::string& detail, const std::set<std::string>& rejected) {
  Subscription& subscription = of(response.changes.type);
  for (const auto& [name, version] : response.versions)
    if (!rejected.contains(name)) subscription.held[name] = version;
  for (const std::string& name : response.changes.removed) subscription.held.erase(name);
  if (open_ && response.stream == stream_number_) request(response.changes.type, &response, &detail);
}

void AdsClient::request(ResourceType type, const Response* answered, const std::string* error) {
  options_.delta ? request_delta(type, answered, error) : request_sotw(type, answered, error);
  of(type).requested = true;
}

void AdsClient::request_sotw(ResourceType type, const Response* answered, const std::string* error) {
  Subscription& subscription = of(type);
  discovery::DiscoveryRequest request;
  request.set_type_url(std::string(config::type_url(type)));
  request.set_version_info(subscription.version);
  request.set_response_nonce(answered ? answered->nonce : subscription.nonce);
  for (const std::string& name : subscription.names) request.add_resource_names(name);
  subscription.sent = subscription.names;
  if (!node_sent_ || !options_.node_on_first_message_only) *request.mutable_node() = *node_;
  node_sent_ = true;
  if (error) {
    request.mutable_error_detail()->set_code(kInvalidArgument);
    request.mutable_error_detail()->set_message(*error);
  }
  stream_->send(request.SerializeAsString());
}

void AdsClient::request_delta(ResourceType type, const Response* answered, const std::string* error) {
  Subscription& subscription = of(type);
  discovery::DeltaDiscoveryRequest request;
  request.set_type_url(std::string(config::type_url(type)));
  if (answered) request.set_response_nonce(answered->nonce);
  for (const std::string& name : subscription.names)
    if (!subscription.sent.contains(name)) request.add_resource_names_subscribe(name);
  for (const std::string& name : subscription.sent)
    if (!subscription.names.contains(name)) request.add_resource_names_unsubscribe(name);
  subscription.sent = subscription.names;
  if (!subscription.requested) {
    // A new stream: what we hold need not be sent again. An empty first subscription is the (legacy) wildcard.
    for (const auto& [name, version] : subscription.held) (*request.mutable_initial_resource_versions())[name] = version;
  }
  if (!node_sent_ || !options_.node_on_first_message_only) *request.mutable_node() = *node_;
  node_sent_ = true;
  if (error) {
    request.mutable_error_detail()->set_code(kInvalidArgument);
    request.mutable_error_detail()->set_message(*error);
  }
  stream_->send(request.SerializeAsString());
}

}  // namespace weft::xds
