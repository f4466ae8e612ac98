// ORIGINAL_DST: the client says where it wants to go, by the destination of its connection before that was redirected to us, or by
// what the cluster is told to look at before: filter state, dynamic metadata, a header (in this order, as in Envoy). Hosts are made
// on demand; their health does not count.
#pragma once
#include "proxy/upstream/balancing/load_balancer.h"
#include "proxy/upstream/original_hosts.h"

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace weft::upstream {

class OriginalBalancer final : public LoadBalancer {
 public:
  // `hosts`: null, and it picks nothing.
  OriginalBalancer(std::shared_ptr<const OriginalDestination> options, std::shared_ptr<const EndpointSet> endpoints,
                   std::shared_ptr<OriginalHosts> hosts)
      : options_(std::move(options)), endpoints_(std::move(endpoints)), hosts_(std::move(hosts)) {}
  Pick pick(const PickContext& context) override;
  void refresh() override {}
  const std::shared_ptr<const EndpointSet>& endpoints() const override { return endpoints_; }
  bool holds(const HostState& host) const override { return hosts_ && hosts_->holds(host); }

 private:
  struct Hash {
    size_t operator()(const net::Endpoint& address) const;
  };
  std::optional<net::Endpoint> named_by_request(const format::RequestInfo& request, bool& misnamed) const;

  std::shared_ptr<const OriginalDestination> options_;
  std::shared_ptr<const EndpointSet> endpoints_;
  std::shared_ptr<OriginalHosts> hosts_;
  std::unordered_map<net::Endpoint, std::shared_ptr<OriginalHosts::Made>, Hash> met_;
};

// "1.2.3.4:80" or "[::1]:80"; nothing if it is something else.
std::optional<net::Endpoint> parse_destination(std::string_view text);

}  // namespace weft::upstream
