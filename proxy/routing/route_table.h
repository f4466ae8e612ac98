// A route configuration, compiled: the virtual host by hash (exact, then wildcards by length), then its routes in order.
// Immutable; any thread. An exchange that keeps a Route keeps the table's shared_ptr.
#pragma once
#include "proxy/routing/route.h"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::routing {

struct RouteTableOptions {
  std::string name;
  std::vector<VirtualHost> virtual_hosts;
  std::shared_ptr<const HeaderMutations> mutations;
  std::shared_ptr<const FilterOverrides> filters;
  std::shared_ptr<const MirrorPolicies> mirrors;  // for virtual hosts that have none
  bool most_specific_header_mutations_wins = false;
  bool ignore_port_in_host_matching = false;
  bool ignore_path_parameters_in_path_matching = false;  // "/a;x=1" matches as "/a"
  bool validate_clusters = false;                        // whoever knows the clusters calls unknown_cluster()
  std::string virtual_host_header;                       // vhost_header: its value instead of the host
  uint32_t max_direct_response_body_size = 4096;
  std::vector<std::string> internal_only_headers;  // in lower case; removed from external requests
};

class RouteTable {
 public:
  // Refuses, in Envoy's words: duplicate domains, weights that do not add up to 1..2^32-1, direct bodies that are too long.
  static Result<std::shared_ptr<const RouteTable>> build(RouteTableOptions options);
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  // Null: no virtual host or no route. `random` decides runtime fractions. The scheme that require_tls looks at is
  // x-forwarded-proto, as Envoy does; when TLS is missing the answer is a route that redirects.
  const Route* match(const http::Head& request, uint64_t random, const Circumstances& circumstances = {}) const;
  // Null when no domain fits.
  const VirtualHost* virtual_host(std::string_view authority) const;

  const RouteTableOptions& options() const { return options_; }
  const std::string& name() const { return options_.name; }
  // The first cluster named by a route that `known(name)` denies; empty if there is none. For validate_clusters.
  template <class Known>
  std::string unknown_cluster(Known known) const {
    for (const std::string& cluster : clusters())
      if (!known(cluster)) return cluster;
    return {};
  }
  // Every cluster that a route names, sorted, without doubles.
  std::vector<std::string> clusters() const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const;
  };
  using Names = std::unordered_map<std::string, const VirtualHost*, Hash, std::equal_to<>>;
  struct Wildcards {  // of one length
    size_t length;
    Names names;
  };
  RouteTable() = default;
  Status index();
  Status add_domain(const std::string& domain, const VirtualHost& host);
  static const VirtualHost* find_wildcard(const std::vector<Wildcards>& wildcards, std::string_view host, bool suffix);

  RouteTableOptions options_;
  Names exact_;
  std::vector<Wildcards> suffixes_;  // "*.foo.com", longest first
  std::vector<Wildcards> prefixes_;  // "foo.*", longest first
  const VirtualHost* any_ = nullptr;
  VirtualHost tls_redirect_host_;  // holds the one route of require_tls
};

}  // namespace weft::routing
