// Who the client is and what may be believed of its headers: the first thing done with a request's head, before filters and
// routes. x-forwarded-for and -proto, x-envoy-internal and -external-address, x-request-id, via, the host's port, the path's
// form, and the removal of x-envoy-* that an outsider has no business to send.
#pragma once
#include "common/http/head.h"
#include "proxy/routing/path.h"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::routing {

using Address = boost::asio::ip::address;

struct AddressRange {
  Address prefix;
  uint8_t bits = 0;
  bool contains(const Address& address) const;
};

// How to find the client's address where it is not the connection's (original_ip_detection_extensions).
struct IpDetection {
  enum class Kind : uint8_t { kForwardedFor, kHeader };
  Kind kind = Kind::kForwardedFor;
  uint32_t trusted_hops = 0;          // kForwardedFor
  std::vector<AddressRange> trusted;  // kForwardedFor: in place of hops, the proxies whose word counts
  bool append = false;                // kForwardedFor: x-forwarded-for gains the connection's address
  std::string header;                 // kHeader: its name in lower case
  bool trust_address = false;         // kHeader: the address may make the request an internal one
  int reject_status = 0;              // kHeader: without an address the request is refused; 0: it is not
};

// What a TLS connection tells of its client, for x-forwarded-client-cert. Every text is as the header takes it.
struct ClientCertificate {
  std::string hash;                     // SHA-256 of it, in hexadecimal
  std::vector<std::string> local_uris;  // of our own certificate
  std::vector<std::string> uris, dns;   // subject alternative names
  std::string subject, pem, chain;      // pem and chain URL encoded
};
enum class ForwardClientCert : uint8_t { kSanitize, kForwardOnly, kAppendForward, kSanitizeSet, kAlwaysForwardOnly };
struct ClientCertDetails {
  bool subject = false, cert = false, chain = false, dns = false, uri = false;
};

// The fields of HttpConnectionManager that say so.
struct ForwardedOptions {
  enum class HostPort : uint8_t { kKeep, kStripMatching, kStripAny };

  bool use_remote_address = false;
  uint32_t xff_num_trusted_hops = 0;
  bool skip_xff_append = false;
  bool append_x_forwarded_port = false;
  std::string via;
  bool add_user_agent = false;  // x-envoy-downstream-service-cluster and -node, user-agent if there is none
  std::string local_cluster;    // node.cluster, for add_user_agent
  std::string local_node;       // node.id
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  std::vector<AddressRange> internal_addresses;   // internal_address_config.cidr_ranges; empty: nobody is internal
  std::vector<IpDetection> ip_detection;          // the first that finds an address; not beside use_remote_address
  std::string scheme;                             // scheme_to_overwrite; empty: as it comes
  std::vector<uint32_t> https_ports, http_ports;  // forward_proto_config
  ForwardClientCert client_cert = ForwardClientCert::kSanitize;
  ClientCertDetails client_cert_details;
  Address node_address;  // what x-forwarded-for says for a client on loopback: the machine's own address
  HostPort host_port = HostPort::kKeep;
  bool strip_trailing_host_dot = false;
  PathOptions path;
};

struct Client {
  Address remote;  // of the connection
  uint16_t remote_port = 0;
  uint16_t local_port = 0;
  bool tls = false;
  bool local_restored = false;                     // local_port is not the socket's: a PROXY header or redirected traffic named it
  const ClientCertificate* certificate = nullptr;  // null: the client presented none
};

struct Forwarded {
  Address client;            // trusted client address (%DOWNSTREAM_REMOTE_ADDRESS%)
  uint16_t client_port = 0;  // 0 when it came from x-forwarded-for
  bool internal = false;     // x-envoy-internal: true
  PathVerdict path = PathVerdict::kAccept;
  int reject_status = 0;  // not 0: no client address was found where one must be
};

// Changes the head as Envoy's connection manager does. `internal_only`: headers that the route configuration lets nobody bring
// along from outside, in lower case.
Forwarded mutate_request(http::Head& request, const ForwardedOptions& options, const Client& client,
                         std::span<const std::string> internal_only = {});

// The pieces.
bool in_any(const std::vector<AddressRange>& ranges, const Address& address);
bool is_internal(const Address& address, const ForwardedOptions& options);
struct XffAddress {
  std::optional<Address> address;
  bool single = false;  // x-forwarded-for holds this address alone
};
// The address that x-forwarded-for names when its last `hops` entries are trusted proxies.
XffAddress last_address(std::string_view x_forwarded_for, uint32_t hops);
void strip_host_port(http::Head& request, ForwardedOptions::HostPort how, uint16_t local_port);
std::string_view host_without_port(std::string_view authority);
void strip_trailing_host_dot(http::Head& request);
// The last address that is no trusted proxy's; where all are, the first.
XffAddress last_untrusted_address(std::string_view x_forwarded_for, const std::vector<AddressRange>& trusted);
void forward_client_cert(http::Head& request, const ForwardedOptions& options, const ClientCertificate* certificate);

}  // namespace weft::routing
