#include "proxy/config/linked_types.h"

#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.pb.h"
#include "envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h"
#include "envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config.pb.h"
#include "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb.h"
#include "envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config.pb.h"
#include "envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver.pb.h"
#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"
#include "envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.pb.h"
#include "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/type/matcher/v3/http_inputs.pb.h"
#include "envoy/type/matcher/v3/status_code_input.pb.h"
#include "udpa/type/v1/typed_struct.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

#include <google/protobuf/message.h>

namespace weft::config {

void link_extension_types() {
  namespace extensions = envoy::extensions;
  namespace lb = extensions::load_balancing_policies;
  google::protobuf::LinkMessageReflection<extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig>();
  google::protobuf::LinkMessageReflection<extensions::clusters::dns::v3::DnsCluster>();
  google::protobuf::LinkMessageReflection<extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig>();
  google::protobuf::LinkMessageReflection<extensions::network::dns_resolver::getaddrinfo::v3::GetAddrInfoDnsResolverConfig>();
  google::protobuf::LinkMessageReflection<lb::cluster_provided::v3::ClusterProvided>();
  google::protobuf::LinkMessageReflection<lb::least_request::v3::LeastRequest>();
  google::protobuf::LinkMessageReflection<lb::maglev::v3::Maglev>();
  google::protobuf::LinkMessageReflection<lb::random::v3::Random>();
  google::protobuf::LinkMessageReflection<lb::ring_hash::v3::RingHash>();
  google::protobuf::LinkMessageReflection<lb::round_robin::v3::RoundRobin>();
  google::protobuf::LinkMessageReflection<extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation>();
  google::protobuf::LinkMessageReflection<extensions::http::original_ip_detection::custom_header::v3::CustomHeaderConfig>();
  google::protobuf::LinkMessageReflection<extensions::http::original_ip_detection::xff::v3::XffConfig>();
  google::protobuf::LinkMessageReflection<extensions::path::match::uri_template::v3::UriTemplateMatchConfig>();
  google::protobuf::LinkMessageReflection<extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig>();
  google::protobuf::LinkMessageReflection<extensions::internal_redirect::allow_listed_routes::v3::AllowListedRoutesConfig>();
  google::protobuf::LinkMessageReflection<extensions::internal_redirect::previous_routes::v3::PreviousRoutesConfig>();
  google::protobuf::LinkMessageReflection<extensions::internal_redirect::safe_cross_scheme::v3::SafeCrossSchemeConfig>();
  google::protobuf::LinkMessageReflection<extensions::request_id::uuid::v3::UuidRequestIdConfig>();
  google::protobuf::LinkMessageReflection<extensions::retry::host::omit_canary_hosts::v3::OmitCanaryHostsPredicate>();
  google::protobuf::LinkMessageReflection<extensions::retry::host::omit_host_metadata::v3::OmitHostMetadataConfig>();
  google::protobuf::LinkMessageReflection<extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate>();
  google::protobuf::LinkMessageReflection<extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig>();
  google::protobuf::LinkMessageReflection<extensions::transport_sockets::raw_buffer::v3::RawBuffer>();
  namespace inputs = envoy::type::matcher::v3;
  google::protobuf::LinkMessageReflection<inputs::HttpRequestHeaderMatchInput>();
  google::protobuf::LinkMessageReflection<inputs::HttpResponseHeaderMatchInput>();
  google::protobuf::LinkMessageReflection<inputs::HttpResponseStatusCodeMatchInput>();
  google::protobuf::LinkMessageReflection<inputs::HttpResponseStatusCodeClassMatchInput>();
  google::protobuf::LinkMessageReflection<udpa::type::v1::TypedStruct>();
  google::protobuf::LinkMessageReflection<xds::type::v3::TypedStruct>();
}

}  // namespace weft::config
