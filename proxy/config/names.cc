#include "proxy/config/names.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver.pb.h"
#include "proxy/config/endpoints.h"
#include "proxy/config/protocol_options.h"

#include <algorithm>
#include <optional>

namespace weft::config {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
namespace core = envoy::config::core::v3;
namespace dns_resolver = envoy::extensions::network::dns_resolver;
using Dns = envoy::extensions::clusters::dns::v3::DnsCluster;
using cluster_v3::Cluster;
using resolve::Family;
using upstream::Naming;

void read_servers(const google::protobuf::RepeatedPtrField<core::Address>& from, resolve::Options& to, const Where& where,
                  const char* field) {
  to.servers.clear();
  for (int i = 0; i < from.size(); ++i)
    if (const auto server = endpoint(from.Get(i), Where(where, field, i))) to.servers.push_back(*server);
}

void read_resolver(const core::DnsResolverOptions& from, resolve::Options& to) {
  to.use_tcp = from.use_tcp_for_dns_lookups();
  to.no_search = from.no_default_search_domain();
}

void read_resolver(const core::DnsResolutionConfig& from, resolve::Options& to, const Where& where) {
  to = {};
  read_servers(from.resolvers(), to, where, "resolvers");
  read_resolver(from.dns_resolver_options(), to);
}

void read_resolver(const core::TypedExtensionConfig& from, resolve::Options& to, const Where& where) {
  to = {};
  const Where config(where, "typed_config");
  dns_resolver::cares::v3::CaresDnsResolverConfig cares;
  dns_resolver::getaddrinfo::v3::GetAddrInfoDnsResolverConfig system;
  if (from.typed_config().UnpackTo(&cares)) {
    const Where at(config, "(CaresDnsResolverConfig)");
    read_servers(cares.resolvers(), to, at, "resolvers");
    read_resolver(cares.dns_resolver_options(), to);
    to.servers_as_fallback = cares.use_resolvers_as_fallback();
    to.filter_unroutable = cares.filter_unroutable_families();
    to.rotate = cares.rotate_nameservers();
    if (cares.has_query_timeout_seconds()) to.timeout = std::chrono::seconds(cares.query_timeout_seconds().value());
    if (cares.has_query_tries()) to.tries = cares.query_tries().value();
    if (cares.has_edns0_max_payload_size()) to.edns_size = cares.edns0_max_payload_size().value();
  } else if (from.typed_config().UnpackTo(&system)) {
    to.by_system = true;
    to.retries = system.num_retries().value();
    if (system.has_num_resolver_threads()) to.threads = system.num_resolver_threads().value();
  } else {
    config.unsupported("is no resolver that this version knows");
  }
}

// Each way to say it has its time; the newest that is set counts.
resolve::Options cluster_resolver(const Cluster& from, const resolve::Options& fallback, const Where& where) {
  resolve::Options to = fallback;
  if (from.has_typed_dns_resolver_config()) {
    read_resolver(from.typed_dns_resolver_config(), to, Where(where, "typed_dns_resolver_config"));
  } else if (from.has_dns_resolution_config()) {
    read_resolver(from.dns_resolution_config(), to, Where(where, "dns_resolution_config"));
  } else if (from.dns_resolvers_size() > 0 || from.use_tcp_for_dns_lookups()) {
    to = {};
    read_servers(from.dns_resolvers(), to, where, "dns_resolvers");
    to.use_tcp = from.use_tcp_for_dns_lookups();
  }
  return to;
}

template <class Message>
void read_back_off(const Message& from, Naming& to, const Where& where) {
  to.failure_base = milliseconds(from.base_interval());
  to.failure_max = from.has_max_interval() ? milliseconds(from.max_interval()) : *to.failure_base * 10;
  if (*to.failure_max < *to.failure_base) Where(where, "max_interval").fail("must be at least base_interval");
}

void read_targets(const Cluster& from, Naming& to, const Where& where) {
  const Where at(where, "load_assignment");
  const auto frame = build_endpoints(from.load_assignment(), at, &to.targets);
  if (!frame) return;
  to.frame = *frame;
  if (to.frame.cluster_name.empty()) to.frame.cluster_name = from.name();
  if (to.logical && to.targets.size() != 1)
    at.fail("must have exactly one endpoint, for all addresses of its name are one host; found " + std::to_string(to.targets.size()));
}

std::shared_ptr<const Naming> finished(std::shared_ptr<Naming> naming, size_t before, const Where& where) {
  return where.problems().size() == before ? std::move(naming) : nullptr;
}

}  // namespace

resolve::Options resolver_options(const envoy::config::bootstrap::v3::Bootstrap& from, const Where& where) {
  resolve::Options to;
  if (from.has_typed_dns_resolver_config())
    read_resolver(from.typed_dns_resolver_config(), to, Where(where, "typed_dns_resolver_config"));
  else if (from.has_dns_resolution_config())
    read_resolver(from.dns_resolution_config(), to, Where(where, "dns_resolution_config"));
  else
    to.use_tcp = from.use_tcp_for_dns_lookups();
  return to;
}

std::shared_ptr<const Naming> build_naming(const Cluster& from, const resolve::Options& fallback, const Where& where) {
  const size_t before = where.problems().size();
  auto to = std::make_shared<Naming>();
  to->logical = from.type() == Cluster::LOGICAL_DNS;
  switch (from.dns_lookup_family()) {
    case Cluster::V4_ONLY: to->family = Family::kV4Only; break;
    case Cluster::V6_ONLY: to->family = Family::kV6Only; break;
    case Cluster::V4_PREFERRED: to->family = Family::kV4Preferred; break;
    case Cluster::ALL: to->family = Family::kAll; break;
    default: break;
  }
  if (from.has_dns_refresh_rate()) to->refresh = milliseconds(from.dns_refresh_rate());
  if (from.has_dns_jitter()) to->jitter = milliseconds(from.dns_jitter());
  if (from.has_dns_failure_refresh_rate()) read_back_off(from.dns_failure_refresh_rate(), *to, Where(where, "dns_failure_refresh_rate"));
  to->respect_ttl = from.respect_dns_ttl();
  to->resolver = cluster_resolver(from, fallback, where);
  if (from.has_wait_for_warm_on_init()) to->wait = from.wait_for_warm_on_init().value();
  read_targets(from, *to, where);
  return finished(std::move(to), before, where);
}

std::shared_ptr<const Naming> build_naming(const Cluster& from, const Dns& extension, const resolve::Options& fallback, const Where& where,
                                           const Where& inside) {
  namespace common = envoy::extensions::clusters::common::dns::v3;
  const size_t before = where.problems().size();
  auto to = std::make_shared<Naming>();
  to->logical = extension.all_addresses_in_single_endpoint();
  switch (extension.dns_lookup_family()) {
    case common::V4_ONLY: to->family = Family::kV4Only; break;
    case common::V6_ONLY: to->family = Family::kV6Only; break;
    case common::V4_PREFERRED: to->family = Family::kV4Preferred; break;
    case common::ALL: to->family = Family::kAll; break;
    default: break;
  }
  if (extension.has_dns_refresh_rate()) to->refresh = milliseconds(extension.dns_refresh_rate());
  if (extension.has_dns_jitter()) to->jitter = milliseconds(extension.dns_jitter());
  if (extension.has_dns_failure_refresh_rate())
    read_back_off(extension.dns_failure_refresh_rate(), *to, Where(inside, "dns_failure_refresh_rate"));
  to->respect_ttl = extension.respect_dns_ttl();
  to->resolver = fallback;
  if (extension.has_typed_dns_resolver_config())
    read_resolver(extension.typed_dns_resolver_config(), to->resolver, Where(inside, "typed_dns_resolver_config"));
  if (from.has_wait_for_warm_on_init()) to->wait = from.wait_for_warm_on_init().value();
  read_targets(from, *to, where);
  return finished(std::move(to), before, where);
}

}  // namespace weft::config
