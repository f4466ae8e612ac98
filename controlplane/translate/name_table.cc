// NDS: what the DNS proxy beside a workload answers itself. Services by their virtual addresses, headless ones by those of their
// pods (and each such pod by its own name), hosts of ServiceEntries by the addresses written there or given automatically.
#include "controlplane/translate/translate.h"

#include "istio/networking/nds/v1/nds.pb.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <iterator>
#include <set>

namespace weft::translate {
namespace {

using NameInfo = istio::networking::nds::v1::NameTable::NameInfo;

// A CIDR is no answer.
bool is_address(const std::string& text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error;
}

bool is_set(const model::Node& node, std::string_view key) {
  const yaml::Node* value = node.metadata.find(key);
  return value != nullptr && value->is_scalar() && value->text == "true";
}

NameInfo& add_host(NameTable& out, const model::ServiceInfo& service, const std::string& host, std::string shortname) {
  NameInfo& info = (*out.mutable_table())[host];
  info.Clear();
  info.set_registry(service.kubernetes ? "Kubernetes" : "External");
  if (service.kubernetes) {
    info.set_shortname(std::move(shortname));
    info.set_namespace_(service.ns);
  }
  return info;
}

// Everybody is found on the first port, or nowhere.
void add_headless(const model::View& view, const model::ServiceInfo& service, NameTable& out) {
  if (service.ports.empty()) return;
  std::set<std::string> addresses;
  const size_t dot = service.hostname.find('.');
  for (const model::Endpoint& endpoint : view.endpoints(service, service.ports.front().number)) {
    if (endpoint.health != model::Endpoint::Health::kHealthy || !is_address(endpoint.address)) continue;
    addresses.insert(endpoint.address);
    if (endpoint.subdomain.empty() || dot == std::string::npos) continue;
    const std::string shortname = endpoint.hostname + "." + endpoint.subdomain;
    *add_host(out, service, shortname + service.hostname.substr(dot), shortname).add_ips() = endpoint.address;
  }
  if (addresses.empty()) return;
  NameInfo& info = add_host(out, service, service.hostname, service.name);
  for (const std::string& address : addresses) info.add_ips(address);
}

}  // namespace

std::optional<NamesFor> names_for(const model::Node& node) {
  if (node.type != model::Node::Type::kSidecar || node.proxyless || !is_set(node, "DNS_CAPTURE")) return std::nullopt;
  NamesFor out{node.ns, is_set(node, "DNS_AUTO_ALLOCATE"), false, false};
  auto note = [&](std::string_view ip) { (ip.find(':') == std::string_view::npos ? out.v4 : out.v6) = true; };
  note(node.ip);
  if (const yaml::Node* all = node.metadata.find("INSTANCE_IPS"); all != nullptr && all->is_scalar()) {
    for (std::string_view rest = all->text; !rest.empty();) {
      note(rest.substr(0, rest.find(',')));
      rest.remove_prefix(std::min(rest.size(), rest.substr(0, rest.find(',')).size() + 1));
    }
  }
  return out;
}

NameTable name_table(const model::View& view, const NamesFor& whom) {
  NameTable out;
  for (const model::ServiceInfo* service : view.visible_services(whom.ns)) {
    if (service->headless) {
      add_headless(view, *service, out);
      continue;
    }
    std::vector<std::string> addresses;
    std::copy_if(service->addresses.begin(), service->addresses.end(), std::back_inserter(addresses), is_address);
    if (const model::AutomaticAddresses* given = whom.automatic ? view.automatic_addresses(*service) : nullptr) {
      if (whom.v4) addresses.push_back(given->v4);
      if (whom.v6) addresses.push_back(given->v6);
    }
    if (addresses.empty()) continue;
    NameInfo& info = add_host(out, *service, service->hostname, service->name);
    for (const std::string& address : addresses) info.add_ips(address);
  }
  return out;
}

}  // namespace weft::translate
