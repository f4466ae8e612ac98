#include "proxy/routing/forwarded.h"

#include "proxy/format/request_id.h"

#include <algorithm>
#include <charconv>

namespace weft::routing {
namespace {

using http::HeaderId;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A plain address: no brackets, no port, and no scope id, which means nothing beyond the link it came from.
std::optional<Address> parse_address(std::string_view text) {
  if (text.empty() || text.size() > 45 || text.find('%') != std::string_view::npos) return std::nullopt;
  boost::system::error_code error;
  Address address = boost::asio::ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return address;
}

bool is_scheme(std::string_view text) { return text == "http" || text == "https"; }

// What no outsider may say; an insider's own words for the router, which takes them out itself.
constexpr HeaderId kInternalOnly[] = {HeaderId::kXEnvoyRetriableStatusCodes,
                                      HeaderId::kXEnvoyRetriableHeaderNames,
                                      HeaderId::kXEnvoyRetryOn,
                                      HeaderId::kXEnvoyRetryGrpcOn,
                                      HeaderId::kXEnvoyMaxRetries,
                                      HeaderId::kXEnvoyUpstreamAltStatName,
                                      HeaderId::kXEnvoyUpstreamRqTimeoutMs,
                                      HeaderId::kXEnvoyUpstreamRqPerTryTimeoutMs,
                                      HeaderId::kXEnvoyUpstreamRqTimeoutAltResponse,
                                      HeaderId::kXEnvoyExpectedRqTimeoutMs,
                                      HeaderId::kXEnvoyIpTags,
                                      HeaderId::kXEnvoyHedgeOnPerTryTimeout};

void remove_internal(http::Head& request, std::span<const std::string> internal_only, bool edge) {
  // Most requests carry none of them: one pass over what there is instead of twenty look-ups by name.
  bool any = !internal_only.empty();
  for (const http::Header& header : request.headers()) any = any || (!header.removed && header.name().starts_with("x-envoy-"));
  if (!any) return;
  if (edge) {
    request.remove(HeaderId::kXEnvoyDecoratorOperation);
    request.remove("x-envoy-downstream-service-cluster");
    request.remove("x-envoy-downstream-service-node");
    request.remove(HeaderId::kXEnvoyOriginalPath);
    request.remove("x-envoy-original-host");
  }
  for (HeaderId id : kInternalOnly) request.remove(id);
  request.remove("x-envoy-force-trace");
  request.remove("x-envoy-original-url");
  for (const std::string& name : internal_only) request.remove(name);
}

void add_user_agent(http::Head& request, const ForwardedOptions& options) {
  request.set("x-envoy-downstream-service-cluster", options.local_cluster);
  if (request.value(HeaderId::kUserAgent).empty()) request.set(HeaderId::kUserAgent, options.local_cluster);
  if (!options.local_node.empty()) request.set("x-envoy-downstream-service-node", options.local_node);
}

size_t port_start(std::string_view authority) {
  size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  size_t bracket = authority.rfind(']');
  return bracket == std::string_view::npos || bracket < colon ? colon : std::string_view::npos;
}

// Not all of 127.0.0.0/8: only the address that a client on this machine has by default stands for the machine (Envoy's rule).
bool is_this_machine(const Address& address) {
  return address == Address(boost::asio::ip::address_v4::loopback()) || address == Address(boost::asio::ip::address_v6::loopback());
}

// What x-forwarded-proto says where nobody before us is believed.
std::string_view seen_scheme(const ForwardedOptions& options, const Client& client) {
  auto has = [&](const std::vector<uint32_t>& ports) { return std::find(ports.begin(), ports.end(), client.local_port) != ports.end(); };
  if (client.local_restored && has(options.https_ports)) return "https";
  if (client.local_restored && has(options.http_ports)) return "http";
  return client.tls ? "https" : "http";
}

void append_forwarded_for(http::Head& request, const ForwardedOptions& options, const Client& client) {
  if (client.remote.is_unspecified()) return;  // a Unix socket's peer has no address
  std::string scratch;
  request.joined("x-forwarded-for", scratch);
  if (!scratch.empty()) request.set(HeaderId::kXForwardedFor, scratch);  // several lines become one, as with Envoy
  const bool local = is_this_machine(client.remote) && !options.node_address.is_unspecified();
  request.append(HeaderId::kXForwardedFor, (local ? options.node_address : client.remote).to_string());
}

// What the extension finds; `single` says whether the address may make the request an internal one.
XffAddress detect(const IpDetection& detection, const http::Head& request, std::string_view forwarded_for, const Client& client) {
  if (detection.kind == IpDetection::Kind::kHeader) {
    std::string scratch;
    return {parse_address(trimmed(request.joined(detection.header, scratch))), detection.trust_address};
  }
  if (detection.trusted.empty()) return last_address(forwarded_for, detection.trusted_hops);
  if (!in_any(detection.trusted, client.remote)) return {};
  return last_untrusted_address(forwarded_for, detection.trusted);
}

}  // namespace

bool AddressRange::contains(const Address& address) const {
  if (address.is_v6() && address.to_v6().is_v4_mapped() && prefix.is_v4())
    return contains(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()));
  auto same_bits = [this](const auto& a, const auto& b) {
    unsigned left = bits;
    for (size_t i = 0; i < a.size() && left != 0; ++i) {
      unsigned n = left < 8 ? left : 8;
      unsigned mask = 0xff00u >> n & 0xffu;
      if ((a[i] & mask) != (b[i] & mask)) return false;
      left -= n;
    }
    return true;
  };
  if (address.is_v4() != prefix.is_v4()) return false;
  return address.is_v4() ? same_bits(address.to_v4().to_bytes(), prefix.to_v4().to_bytes())
                         : same_bits(address.to_v6().to_bytes(), prefix.to_v6().to_bytes());
}

bool in_any(const std::vector<AddressRange>& ranges, const Address& address) {
  for (const AddressRange& range : ranges)
    if (range.contains(address)) return true;
  return false;
}

bool is_internal(const Address& address, const ForwardedOptions& options) { return in_any(options.internal_addresses, address); }

XffAddress last_untrusted_address(std::string_view x_forwarded_for, const std::vector<AddressRange>& trusted) {
  XffAddress found;
  for (std::string_view rest = x_forwarded_for; !rest.empty();) {
    const size_t comma = rest.rfind(',');
    const std::optional<Address> address = parse_address(trimmed(comma == std::string_view::npos ? rest : rest.substr(comma + 1)));
    if (!address) return {};
    found = {address, comma == std::string_view::npos && rest.size() == x_forwarded_for.size()};
    if (comma == std::string_view::npos || !in_any(trusted, *address)) break;
    rest = rest.substr(0, comma);
  }
  return found;
}

void forward_client_cert(http::Head& request, const ForwardedOptions& options, const ClientCertificate* certificate) {
  if (options.client_cert == ForwardClientCert::kAlwaysForwardOnly) return;
  // Without mutual TLS nobody vouches for what a client claims.
  if (options.client_cert == ForwardClientCert::kSanitize || !certificate) return request.remove(HeaderId::kXForwardedClientCert);
  if (options.client_cert == ForwardClientCert::kForwardOnly) return;
  std::string text;
  auto add = [&text](std::string_view key, std::string_view value) {
    if (!text.empty()) text += ';';
    text.append(key).append("=").append(value);
  };
  for (const std::string& uri : certificate->local_uris) add("By", uri);
  if (!certificate->hash.empty()) add("Hash", certificate->hash);
  const ClientCertDetails& details = options.client_cert_details;
  if (details.cert && !certificate->pem.empty()) add("Cert", '"' + certificate->pem + '"');
  if (details.chain && !certificate->chain.empty()) add("Chain", '"' + certificate->chain + '"');
  if (details.subject) add("Subject", '"' + certificate->subject + '"');
  if (details.uri && certificate->uris.empty()) add("URI", "");
  if (details.uri)
    for (const std::string& uri : certificate->uris) add("URI", uri);
  if (details.dns)
    for (const std::string& name : certificate->dns) add("DNS", name);
  if (options.client_cert == ForwardClientCert::kAppendForward)
    request.append(HeaderId::kXForwardedClientCert, text);
  else
    request.set(HeaderId::kXForwardedClientCert, text);
}

XffAddress last_address(std::string_view x_forwarded_for, uint32_t hops) {
  for (; hops != 0; --hops) {
    size_t comma = x_forwarded_for.rfind(',');
    if (comma == std::string_view::npos) return {};
    x_forwarded_for = x_forwarded_for.substr(0, comma);
  }
  size_t comma = x_forwarded_for.rfind(',');
  std::string_view last = comma == std::string_view::npos ? x_forwarded_for : x_forwarded_for.substr(comma + 1);
  return {parse_address(trimmed(last)), comma == std::string_view::npos};
}

std::string_view host_without_port(std::string_view authority) { return authority.substr(0, port_start(authority)); }

void strip_host_port(http::Head& request, ForwardedOptions::HostPort how, uint16_t local_port) {
  if (how == ForwardedOptions::HostPort::kKeep) return;
  std::string_view authority = request.authority();
  size_t start = port_start(authority);
  if (start == std::string_view::npos) return;
  std::string_view digits = authority.substr(start + 1);
  uint32_t port = 0;
  // "host:" means the same as "host" and would pass by a rule for it.
  if (!digits.empty()) {
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) return;
    if (how == ForwardedOptions::HostPort::kStripMatching && port != local_port) return;
  }
  request.set_authority(std::string(authority.substr(0, start)));
}

void strip_trailing_host_dot(http::Head& request) {
  std::string host(request.authority());
  size_t end = std::min(port_start(host), host.size());
  if (end == 0 || host[end - 1] != '.') return;
  host.erase(end - 1, 1);
  request.set_authority(host);
}

Forwarded mutate_request(http::Head& request, const ForwardedOptions& options, const Client& client,
                         std::span<const std::string> internal_only) {
  Forwarded result;
  if (options.strip_trailing_host_dot) strip_trailing_host_dot(request);
  strip_host_port(request, options.host_port, client.local_port);
  result.path = normalize_path(request, options.path);

  request.remove(HeaderId::kXEnvoyInternal);
  std::string scratch;
  std::string_view forwarded_for = request.joined("x-forwarded-for", scratch);
  const std::string_view encryption = client.tls ? "https" : "http";
  // Nobody else stands between the client and us; or just the one that x-forwarded-for names.
  bool single = false;
  std::optional<Address> address;
  if (options.use_remote_address) {
    single = !request.has(HeaderId::kXForwardedFor);
    if (options.xff_num_trusted_hops > 0) address = last_address(forwarded_for, options.xff_num_trusted_hops - 1).address;
    if (!address) address = client.remote, result.client_port = client.remote_port;
    if (!options.skip_xff_append) append_forwarded_for(request, options, client);
    if (options.xff_num_trusted_hops == 0 || !request.has(HeaderId::kXForwardedProto))
      request.set(HeaderId::kXForwardedProto, seen_scheme(options, client));
    if (options.append_x_forwarded_port && (options.xff_num_trusted_hops == 0 || !request.has(HeaderId::kXForwardedPort)))
      request.set(HeaderId::kXForwardedPort, std::to_string(client.local_port));
  } else if (!options.ip_detection.empty()) {
    for (const IpDetection& detection : options.ip_detection) {
      const XffAddress found = detect(detection, request, forwarded_for, client);
      if (!found.address && detection.reject_status != 0) {
        result.client = client.remote;
        result.client_port = client.remote_port;
        result.reject_status = detection.reject_status;
        return result;
      }
      address = found.address;
      single = found.single;
      if (detection.append) append_forwarded_for(request, options, client);
      if (address) break;
    }
  } else {
    XffAddress last = last_address(forwarded_for, options.xff_num_trusted_hops);
    address = last.address;
    single = last.single;
  }
  if (!request.has(HeaderId::kXForwardedProto)) request.set(HeaderId::kXForwardedProto, seen_scheme(options, client));
  if (!options.scheme.empty()) {
    request.set(HeaderId::kXForwardedProto, options.scheme);
    request.set_scheme(options.scheme);
  }
  if (request.scheme().empty()) {
    std::string_view said = request.value(HeaderId::kXForwardedProto);
    request.set_scheme(is_scheme(said) ? said : encryption);
  }

  result.internal = single && address && is_internal(*address, options);
  if (!address) address = client.remote, result.client_port = client.remote_port;
  result.client = *address;
  // The first of ours that an outsider's request meets.
  const bool edge = !result.internal && options.use_remote_address;
  if (result.internal) {
    request.set(HeaderId::kXEnvoyInternal, "true");
  } else {
    remove_internal(request, internal_only, edge);
  }
  if (options.add_user_agent) add_user_agent(request, options);
  if (!options.via.empty()) {
    std::string via(request.joined("via", scratch));
    if (!via.empty()) via += ", ";
    request.set(HeaderId::kVia, via += options.via);
  }
  if (edge) request.set(HeaderId::kXEnvoyExternalAddress, result.client.to_string());
  if (options.generate_request_id && (!request.has(HeaderId::kXRequestId) || (edge && !options.preserve_external_request_id)))
    request.set(HeaderId::kXRequestId, format::make_uuid().view());
  forward_client_cert(request, options, client.certificate);
  return result;
}

}  // namespace weft::routing
