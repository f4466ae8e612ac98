// Which outbound listeners a captured sidecar gets, by istiod's rules: HTTP meets on 0.0.0.0:PORT, where the Host tells services apart;
// TCP has the service's own address, or 0.0.0.0 where it has none. Who comes first to one address and port stays, oldest first.
#include "controlplane/translate/outbound_plan.h"

#include "controlplane/translate/names.h"

#include <algorithm>
#include <array>
#include <set>

namespace weft::translate {
namespace {

// Of virtualOutbound and virtualInbound, and of the readiness and metrics listeners of Istio's bootstrap.
constexpr std::array<uint32_t, 4> kReserved = {kVirtualOutboundPort, kVirtualInboundPort, 15021, 15090};

bool is_tls(model::Protocol protocol) { return protocol == model::Protocol::kTls || protocol == model::Protocol::kHttps; }
bool is_ipv6(std::string_view address) { return address.find(':') != std::string_view::npos; }

class Planner {
 public:
  Planner(const model::View& view, const Scope& scope) : view_(view), scope_(scope), wildcard_(wildcard_address(scope.ipv6)) {}

  OutboundPlan run() {
    for (const Egress& egress : egress_of(view_, scope_)) {
      ++egress_;
      for (const model::ServiceInfo* service : egress.services) {
        for (const model::ServicePort& port : service->ports) {
          if (egress.port == 0) {
            add(egress, *service, port, port.number, port.protocol);
          } else if (port.number == egress.port || service->ports.size() == 1) {
            add(egress, *service, port, egress.port, egress.protocol);
          }
        }
      }
      if (egress.port != 0) asked_.insert(egress.port);
    }
    for (auto& [key, listener] : listeners_) plan_.listeners.push_back(std::move(listener));
    return std::move(plan_);
  }

 private:
  struct At {
    std::string address, cidr;
    bool wildcard = false;
  };

  // Where a service's port is called.
  std::vector<At> places(const Egress& egress, const model::ServiceInfo& service, const model::ServicePort& port, bool http) const {
    const At everywhere{wildcard_, "", true};
    if (!egress.bind.empty()) return {{egress.bind, "", egress.bind == wildcard_}};
    if (http) return {everywhere};
    std::vector<At> found;
    if (service.headless) {  // each pod by its own address
      for (const model::Endpoint& endpoint : view_.endpoints(service, port.number))
        if (is_ipv6(endpoint.address) == scope_.ipv6) found.push_back({endpoint.address, "", false});
      return found;
    }
    for (const std::string& address : addresses_of(view_, service, scope_.automatic)) {
      if (is_ipv6(address) != scope_.ipv6) continue;
      const bool range = address.find('/') != std::string::npos;
      found.push_back(range ? At{wildcard_, address, true} : At{address, "", false});
    }
    if (found.empty()) found.push_back(everywhere);
    return found;
  }

  void add(const Egress& egress, const model::ServiceInfo& service, const model::ServicePort& port, uint32_t number,
           model::Protocol protocol) {
    const bool http = is_http(protocol), unknown = protocol == model::Protocol::kUnknown;
    if ((http || unknown) && (egress.port != 0 || !asked_.contains(number))) {
      auto& services = plan_.http[number];
      if (services.empty() || services.back() != &service) services.push_back(&service);
    }
    for (At& at : places(egress, service, port, http)) {
      if (at.wildcard && std::find(kReserved.begin(), kReserved.end(), number) != kReserved.end()) {
        plan_.conflicts.push_back({Conflict::Kind::kReserved, "outbound port " + std::to_string(number) + ": " + service.hostname +
                                                                  " is not listened for, the port is the proxy's own"});
        continue;
      }
      auto [found, fresh] = listeners_.try_emplace({at.address, number});
      OutboundListener& listener = found->second;
      if (fresh) {
        listener.address = at.address;
        listener.port = number;
        listener.wildcard = at.wildcard;
        listener.bound = egress.bound;
        listener.egress = egress_;
      } else if (listener.egress != egress_ && asked_.contains(number)) {
        continue;
      }
      if (http || unknown) add_http(listener, service, protocol);
      if (!http) add_tcp(listener, {&service, &port, number, std::move(at.cidr), at.wildcard});
    }
  }

  void add_http(OutboundListener& listener, const model::ServiceInfo& service, model::Protocol protocol) {
    listener.grpc_web = listener.grpc_web || protocol == model::Protocol::kGrpcWeb;
    if (!listener.routes.empty()) return;
    const bool shared = listener.wildcard || protocol != model::Protocol::kUnknown;
    if (!shared) listener.sole = &service;
    listener.routes = shared ? std::to_string(listener.port) : virtual_host_name(service.hostname, listener.port);
  }

  void add_tcp(OutboundListener& listener, TcpPlace place) {
    const bool by_name = place.wildcard && is_tls(place.port->protocol);  // chains that several hosts can have side by side
    for (const TcpPlace& other : listener.tcp) {
      if (other.cidr != place.cidr || by_name || (other.wildcard && is_tls(other.port->protocol))) continue;
      plan_.conflicts.push_back({Conflict::Kind::kTcpOverTcp, "outbound port " + std::to_string(listener.port) + ": TCP of " +
                                                                  place.service->hostname + " gives way to TCP of " +
                                                                  other.service->hostname});
      break;
    }
    listener.tcp.push_back(std::move(place));
  }

  const model::View& view_;
  const Scope& scope_;
  const std::string wildcard_;
  size_t egress_ = 0;
  std::set<uint32_t> asked_;  // ports that an egress was asked for by number
  std::map<std::pair<std::string, uint32_t>, OutboundListener> listeners_;
  OutboundPlan plan_;
};

}  // namespace

OutboundPlan outbound_plan(const model::View& view, const Scope& scope) { return Planner(view, scope).run(); }

}  // namespace weft::translate
