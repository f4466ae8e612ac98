#include "proxy/routing/route_table.h"

#include "proxy/routing/forwarded.h"
#include "proxy/routing/route_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <limits>

namespace weft::routing {
namespace {

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool has_upper_case(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// The chance of a runtime fraction must not be the chance of the weighted cluster behind it.
uint64_t stirred(uint64_t random) {
  random = (random ^ (random >> 31)) * 0x9E3779B97F4A7C15u;
  return random ^ (random >> 29);
}

Status check_weights(const Route& route) {
  const Forward* forward = route.forward();
  if (!forward || !forward->weighted) return {};
  WeightedClusters& weighted = *forward->weighted;
  weighted.total_weight = 0;
  for (const WeightedCluster& cluster : weighted.clusters) weighted.total_weight += cluster.weight;
  if (weighted.total_weight > std::numeric_limits<uint32_t>::max())
    return invalid("The sum of weights of all weighted clusters of route " + route.name + " exceeds 4294967295");
  if (weighted.total_weight == 0) return invalid("Sum of weights in the weighted_cluster must be greater than 0.");
  return {};
}

void collect(const MirrorPolicies* mirrors, std::vector<std::string>& out) {
  if (!mirrors) return;
  for (const MirrorPolicy& mirror : *mirrors)
    if (!mirror.cluster.empty()) out.push_back(mirror.cluster);
}

void collect(const Route& route, std::vector<std::string>& out) {
  const Forward* forward = route.forward();
  if (!forward) return;
  if (!forward->cluster.empty()) out.push_back(forward->cluster);
  collect(forward->mirrors.get(), out);
  if (forward->weighted)
    for (const WeightedCluster& cluster : forward->weighted->clusters)
      if (!cluster.cluster.empty()) out.push_back(cluster.cluster);
}

}  // namespace

size_t RouteTable::Hash::operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }

Result<std::shared_ptr<const RouteTable>> RouteTable::build(RouteTableOptions options) {
  std::shared_ptr<RouteTable> table(new RouteTable);
  table->options_ = std::move(options);
  if (Status status = table->index(); !status) return status.error();
  return std::shared_ptr<const RouteTable>(std::move(table));
}

Status RouteTable::index() {
  for (VirtualHost& host : options_.virtual_hosts) {
    host.table = this;
    uint32_t order = 0;
    for (Route& route : host.routes) {
      route.virtual_host = &host;
      route.order = order++;
      if (Status status = check_weights(route); !status) return status;
      if (const DirectResponse* direct = route.direct_response(); direct && direct->body.size() > options_.max_direct_response_body_size)
        return invalid("response body size is " + std::to_string(direct->body.size()) + " bytes; maximum is " +
                       std::to_string(options_.max_direct_response_body_size));
    }
    if (host.routes.size() >= RouteIndex::kWorthwhile && !host.matcher) host.index = std::make_shared<const RouteIndex>(host.routes);
    for (const std::string& domain : host.domains)
      if (Status status = add_domain(domain, host); !status) return status;
  }
  auto longest_first = [](const Wildcards& a, const Wildcards& b) { return a.length > b.length; };
  std::sort(suffixes_.begin(), suffixes_.end(), longest_first);
  std::sort(prefixes_.begin(), prefixes_.end(), longest_first);

  auto redirect = std::make_shared<Redirect>();
  redirect->scheme = "https";
  Route route;
  route.path.text.clear();
  route.action = std::shared_ptr<const Redirect>(std::move(redirect));
  tls_redirect_host_.require_tls = TlsRequirement::kAll;
  tls_redirect_host_.routes.push_back(std::move(route));
  tls_redirect_host_.routes.front().virtual_host = &tls_redirect_host_;
  return {};
}

Status RouteTable::add_domain(const std::string& domain, const VirtualHost& host) {
  std::string name = lower_case(domain);
  if (name == "*") {
    if (any_) return invalid("Only a single wildcard domain is permitted in route " + options_.name);
    any_ = &host;
    return {};
  }
  const bool suffix = name.starts_with('*'), prefix = !suffix && name.ends_with('*');
  Names* names = &exact_;
  if (suffix || prefix) {
    suffix ? name.erase(0, 1) : name.erase(name.size() - 1);
    std::vector<Wildcards>& all = suffix ? suffixes_ : prefixes_;
    auto same = std::find_if(all.begin(), all.end(), [&](const Wildcards& wildcards) { return wildcards.length == name.size(); });
    if (same == all.end()) same = all.insert(all.end(), Wildcards{name.size(), {}});
    names = &same->names;
  }
  if (!names->emplace(std::move(name), &host).second)
    return invalid("Only unique values for domains are permitted. Duplicate entry of domain " + domain + " in route " + options_.name);
  return {};
}

const VirtualHost* RouteTable::find_wildcard(const std::vector<Wildcards>& wildcards, std::string_view host, bool suffix) {
  for (const Wildcards& one : wildcards) {
    if (one.length >= host.size()) continue;  // the "*" stands for something
    auto found = one.names.find(suffix ? host.substr(host.size() - one.length) : host.substr(0, one.length));
    if (found != one.names.end()) return found->second;
  }
  return nullptr;
}

const VirtualHost* RouteTable::virtual_host(std::string_view authority) const {
  if (exact_.empty() && suffixes_.empty() && prefixes_.empty()) return any_;
  if (options_.ignore_port_in_host_matching) authority = host_without_port(authority);
  std::string lowered;
  if (has_upper_case(authority)) authority = lowered = lower_case(authority);
  if (auto found = exact_.find(authority); found != exact_.end()) return found->second;
  if (const VirtualHost* found = find_wildcard(suffixes_, authority, true)) return found;
  if (const VirtualHost* found = find_wildcard(prefixes_, authority, false)) return found;
  return any_;
}

const Route* RouteTable::match(const http::Head& request, uint64_t random, const Circumstances& circumstances) const {
  const VirtualHost* host =
      virtual_host(options_.virtual_host_header.empty() ? request.authority() : request.value(options_.virtual_host_header));
  if (!host) return nullptr;
  if (host->require_tls != TlsRequirement::kNone && request.value(http::HeaderId::kXForwardedProto) != "https" &&
      (host->require_tls == TlsRequirement::kAll || request.value(http::HeaderId::kXEnvoyInternal) != "true"))
    return &tls_redirect_host_.routes.front();
  random = stirred(random);
  std::string_view plain = path_of(request.path());
  if (options_.ignore_path_parameters_in_path_matching) plain = plain.substr(0, plain.find(';'));
  const Route* found = nullptr;
  auto fits = [&](const Route& route) {
    if (route.matches(request, plain, random, circumstances)) found = &route;
    return found != nullptr;
  };
  if (host->matcher) {
    if (const auto* some = static_cast<const RouteRange*>(host->matcher->find({&request, nullptr})))
      std::any_of(host->routes.begin() + some->first, host->routes.begin() + some->first + some->count, fits);
  } else if (host->index) {
    host->index->each_candidate(plain, [&](uint32_t number) { return fits(host->routes[number]); });
  } else {
    std::any_of(host->routes.begin(), host->routes.end(), fits);
  }
  return found;
}

std::vector<std::string> RouteTable::clusters() const {
  std::vector<std::string> out;
  collect(options_.mirrors.get(), out);
  for (const VirtualHost& host : options_.virtual_hosts) {
    collect(host.mirrors.get(), out);
    for (const Route& route : host.routes) collect(route, out);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace weft::routing
