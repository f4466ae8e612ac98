#include "proxy/config/dns.h"

#include "envoy/config/core/v3/base.pb.h"
#include "istio/networking/nds/v1/nds.pb.h"

#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace weft::config {
namespace {

using google::protobuf::Value;

constexpr std::string_view kKubernetes = "Kubernetes";

std::string metadata_text(const envoy::config::core::v3::Node& node, const char* key) {
  const auto found = node.metadata().fields().find(key);
  if (found == node.metadata().fields().end()) return {};
  const Value& value = found->second;
  if (value.kind_case() == Value::kBoolValue) return value.bool_value() ? "true" : "false";
  return value.string_value();
}

// The parts of sidecar~IP~NAME.NAMESPACE~DOMAIN.
std::string id_part(std::string_view id, int index) {
  for (; index > 0; --index) {
    const size_t tilde = id.find('~');
    if (tilde == std::string_view::npos) return {};
    id.remove_prefix(tilde + 1);
  }
  return std::string(id.substr(0, id.find('~')));
}

// The namespace, and the domain without it: "orders" and "svc.cluster.local".
dns_proxy::Place place_of(const envoy::config::core::v3::Node& node) {
  dns_proxy::Place place{metadata_text(node, "NAMESPACE"), id_part(node.id(), 3)};
  const std::string workload = id_part(node.id(), 2);
  if (const size_t dot = workload.rfind('.'); place.ns.empty() && dot != std::string::npos) place.ns = workload.substr(dot + 1);
  if (!place.ns.empty() && place.domain.starts_with(place.ns + ".")) place.domain.erase(0, place.ns.size() + 1);
  return place;
}

// "localhost:15053", "127.0.0.1:15053", "[::1]:15053".
bool read_address(std::string_view text, dns_proxy::Options& out) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size()) return false;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out.host = host;
  boost::system::error_code wrong;
  boost::asio::ip::make_address(out.host, wrong);
  return out.host == "localhost" || !wrong;
}

}  // namespace

std::optional<dns_proxy::Options> dns_options(const envoy::config::core::v3::Node& node, bool has_ads, const Where& where) {
  const Where metadata(where, "metadata");
  const std::string capture = metadata_text(node, "DNS_CAPTURE");
  if (capture.empty() || capture == "false") return std::nullopt;
  if (capture != "true") {
    Where(metadata, "DNS_CAPTURE").fail("found \"" + capture + "\", expected true or false");
    return std::nullopt;
  }
  dns_proxy::Options out;
  out.place = place_of(node);
  out.table_awaited = has_ads;
  if (const std::string address = metadata_text(node, "DNS_PROXY_ADDR"); !address.empty() && !read_address(address, out))
    Where(metadata, "DNS_PROXY_ADDR").fail("found \"" + address + "\", expected HOST:PORT, the host localhost or an IP address");
  if (const std::string path = metadata_text(node, "DNS_RESOLV_CONF"); !path.empty()) out.resolv_conf = path;
  return out;
}

std::shared_ptr<const dns_proxy::NameTable> build_name_table(const istio::networking::nds::v1::NameTable& from, const Where& where) {
  auto table = std::make_shared<dns_proxy::NameTable>();
  const size_t before = where.problems().size();
  const auto name_of = [](const std::string& text, const Where& at) {
    auto name = dns::Name::from_text(text);
    if (!name) at.fail("found \"" + text.substr(0, 300) + "\", expected a host name");
    return name;
  };
  for (const auto& [text, info] : from.table()) {
    const std::string key = "[\"" + text.substr(0, 300) + "\"]";
    const Where list(where, "table");
    const Where at(list, key);
    auto name = name_of(text, at);
    dns_proxy::NameTable::Host host{name.value_or(dns::Name()), {}, info.registry() == kKubernetes, text, info.shortname(),
                                    info.namespace_(),          {}};
    for (int i = 0; i < info.ips_size(); ++i) {
      boost::system::error_code wrong;
      host.addresses.push_back(boost::asio::ip::make_address(info.ips(i), wrong));
      if (wrong) Where(at, "ips", i).fail("found \"" + info.ips(i).substr(0, 100) + "\", expected an IP address");
    }
    for (int i = 0; i < info.alt_hosts_size(); ++i)
      if (auto other = name_of(info.alt_hosts(i), Where(at, "alt_hosts", i))) host.alternatives.push_back(std::move(*other));
    table->hosts.push_back(std::move(host));
  }
  if (where.problems().size() > before) return nullptr;
  std::sort(table->hosts.begin(), table->hosts.end(), [](const auto& a, const auto& b) { return a.text < b.text; });
  return table;
}

}  // namespace weft::config
