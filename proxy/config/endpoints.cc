#include "proxy/config/endpoints.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/endpoint/v3/endpoint_components.pb.h"
#include "proxy/filters/matching/config.h"
#include "proxy/format/metadata.h"

#include <algorithm>
#include <limits>
#include <map>

namespace weft::config {
namespace {

namespace endpoint_v3 = envoy::config::endpoint::v3;
namespace core = envoy::config::core::v3;

upstream::Health health_of(core::HealthStatus status) {
  switch (status) {
    case core::HEALTHY: return upstream::Health::kHealthy;
    case core::UNHEALTHY: return upstream::Health::kUnhealthy;
    case core::DRAINING: return upstream::Health::kDraining;
    case core::TIMEOUT: return upstream::Health::kTimeout;
    case core::DEGRADED: return upstream::Health::kDegraded;
    default: return upstream::Health::kUnknown;
  }
}

// Metadata "envoy.lb": the key hash_key (what is no text counts as absent, as in Envoy), the key canary, and all of it for those
// that choose hosts by it.
void take_metadata(const core::Metadata& metadata, upstream::Host& to) {
  const auto filter = metadata.filter_metadata().find("envoy.lb");
  if (filter == metadata.filter_metadata().end() || filter->second.fields().empty()) return;
  upstream::Labels labels = lb_labels(metadata);
  for (const auto& [key, value] : filter->second.fields()) {
    if (key == "hash_key") to.hash_key = value.string_value();
    if (key == "canary") to.canary = value.bool_value();
  }
  to.labels = std::make_shared<const upstream::Labels>(std::move(labels));
}

// False after a complaint.
bool read_addresses(const endpoint_v3::Endpoint& from, upstream::Host& to, const Where& where) {
  const std::optional<net::Endpoint> first = endpoint(from.address(), Where(where, "address"));
  if (!first) return false;
  to.address = *first;
  if (from.additional_addresses().empty()) return true;
  net::Addresses all{*first};
  for (int i = 0; i < from.additional_addresses_size(); ++i) {
    const Where at(where, "additional_addresses", i);
    const std::optional<net::Endpoint> one = endpoint(from.additional_addresses(i).address(), Where(at, "address"));
    if (!one) return false;
    all.push_back(*one);
  }
  to.addresses = upstream::in_order(all, {});
  return true;
}

void name_target(const endpoint_v3::Endpoint& from, upstream::Host host, size_t locality, std::vector<upstream::Naming::Target>& to,
                 const Where& where) {
  const Where at(where, "address");
  const core::SocketAddress& address = from.address().socket_address();
  if (address.port_specifier_case() == core::SocketAddress::PORT_SPECIFIER_NOT_SET)
    return Where(Where(at, "socket_address"), "port_value").fail("is required");
  if (!from.additional_addresses().empty())
    return Where(where, "additional_addresses").fail("must not be set beside a name, which may have several addresses by itself");
  if (host.hostname.empty()) host.hostname = address.address();
  to.push_back({address.address(), static_cast<uint16_t>(address.port_value()), locality, std::move(host)});
}

}  // namespace

upstream::Labels lb_labels(const core::Metadata& metadata) {
  upstream::Labels to;
  const auto filter = metadata.filter_metadata().find("envoy.lb");
  if (filter == metadata.filter_metadata().end()) return to;
  for (const auto& [key, value] : filter->second.fields()) {
    std::string text;
    format::append_json(text, filters::metadata_value(value));
    to.emplace_back(key, std::move(text));
  }
  return to;
}

std::shared_ptr<const upstream::EndpointSet> build_endpoints(const endpoint_v3::ClusterLoadAssignment& from, const Where& where,
                                                             std::vector<upstream::Naming::Target>* names) {
  const size_t before = where.problems().size();
  auto set = std::make_shared<upstream::EndpointSet>();
  set->cluster_name = from.cluster_name();
  if (from.policy().has_overprovisioning_factor()) set->overprovisioning_factor = from.policy().overprovisioning_factor().value();
  std::map<uint32_t, uint64_t> weight_of_priority;
  set->localities.reserve(static_cast<size_t>(from.endpoints_size()));
  for (int i = 0; i < from.endpoints_size(); ++i) {
    const endpoint_v3::LocalityLbEndpoints& group = from.endpoints(i);
    const Where at(where, "endpoints", i);
    upstream::Locality locality;
    locality.region = group.locality().region();
    locality.zone = group.locality().zone();
    locality.sub_zone = group.locality().sub_zone();
    locality.priority = group.priority();
    locality.weight = group.load_balancing_weight().value();
    locality.hosts.reserve(static_cast<size_t>(group.lb_endpoints_size()));
    uint64_t weight_of_hosts = 0;
    for (int j = 0; j < group.lb_endpoints_size(); ++j) {
      const endpoint_v3::LbEndpoint& one = group.lb_endpoints(j);
      const Where host_at(at, "lb_endpoints", j);
      if (!one.has_endpoint()) {
        host_at.fail("needs an endpoint");
        continue;
      }
      const Where endpoint_at(host_at, "endpoint");
      if (!one.endpoint().has_address()) {
        Where(endpoint_at, "address").fail("is required");
        continue;
      }
      upstream::Host host;
      if (!names && !read_addresses(one.endpoint(), host, endpoint_at)) continue;
      host.hostname = one.endpoint().hostname();
      take_metadata(one.metadata(), host);
      host.health = health_of(one.health_status());
      if (one.has_load_balancing_weight()) host.weight = one.load_balancing_weight().value();
      weight_of_hosts += host.weight;
      if (names)
        name_target(one.endpoint(), std::move(host), set->localities.size(), *names, endpoint_at);
      else
        locality.hosts.push_back(std::move(host));
    }
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    if (weight_of_hosts > kMax) at.fail("the weights of its endpoints add up to more than 4294967295");
    uint64_t& sum = weight_of_priority[locality.priority];
    sum += locality.weight;
    if (sum > kMax)
      Where(at, "load_balancing_weight")
          .fail("the weights of priority " + std::to_string(locality.priority) + " add up to more than 4294967295");
    set->size += locality.hosts.size();
    set->priorities = std::max(set->priorities, locality.priority + 1);
    set->localities.push_back(std::move(locality));
  }
  if (names) return where.problems().size() == before ? set : nullptr;  // they know their localities by number
  std::stable_sort(set->localities.begin(), set->localities.end(), [](const auto& a, const auto& b) { return a.priority < b.priority; });
  return where.problems().size() == before ? set : nullptr;
}

}  // namespace weft::config
