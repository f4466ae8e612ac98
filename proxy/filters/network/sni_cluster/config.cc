// envoy.filters.network.sni_cluster: the name that the client asks for in its ClientHello is the name of the cluster that tcp_proxy
// goes to. A listener filter (tls_inspector) has read it.
#include "proxy/filters/network/table.h"

namespace weft::filters {
namespace {

constexpr FieldTable kTables[] = {
    no_fields_of("envoy.extensions.filters.network.sni_cluster.v3.SniCluster", "network_filter"),
};

class SniCluster final : public NetworkFilter {
 public:
  std::optional<Refusal> on_arrival(Arrival& arrival) const override {
    arrival.cluster.assign(arrival.server_name);
    return {};
  }
};

std::shared_ptr<const NetworkFilter> make(const std::string&, const NetworkFilterBuild&, const Where&) {
  return std::make_shared<SniCluster>();
}

}  // namespace

NetworkFilterType sni_cluster_type() {
  return {"envoy.filters.network.sni_cluster", "envoy.extensions.filters.network.sni_cluster.v3.SniCluster", [] { return all_of(kTables); },
          &make};
}

}  // namespace weft::filters
