// What a request is to a rate limiter: descriptors, lists of keys and values that rules of the configuration
// (config.route.v3.RateLimit) read off it. A rule whose actions do not all find what they look for gives none.
#pragma once
#include "proxy/format/formatter.h"
#include "proxy/format/metadata.h"
#include "proxy/routing/forwarded.h"
#include "proxy/routing/matchers.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::routing {

using RateLimitDescriptor = std::vector<std::pair<std::string, std::string>>;  // key, value

// type.metadata.v3.MetadataKey: one value of metadata.
struct MetadataPath {
  std::string name_space;
  std::vector<std::string> path;
};

// What the rate limit service shall take as the descriptor's limit, whatever it says itself.
struct RateLimitOverride {
  uint32_t requests = 0;
  std::string unit;  // "MINUTE"
};

// One action, one entry of the descriptor.
struct RateLimitAction {
  enum class Kind : uint8_t {
    kSourceCluster,       // node.cluster, as `value`
    kDestinationCluster,  // the route's
    kRemoteAddress,       // of the trusted client, without port
    kMaskedAddress,       // likewise, of its network: "10.1.0.0/16"
    kRequestHeader,       // the first line of `name`
    kQueryParameter,      // the first of that `name`
    kGenericKey,          // `value`
    kHeadersMatch,        // `value`, if `headers` match (or do not, as expect_match says)
    kQueryMatch,          // likewise
    kMetadata,            // the text at `metadata`, else `value` if that is not empty
    kAddressMatch,  // what `format` says, else `value`, if the trusted client's address is in `ranges` (or is not, as expect_match says)
  };
  Kind kind = Kind::kGenericKey;
  std::string key, value, name;
  bool skip_if_absent = false;  // without the header or parameter the rest still makes a descriptor
  bool expect_match = true;
  uint8_t v4_bits = 32, v6_bits = 128;  // kMaskedAddress
  std::vector<HeaderMatcher> headers = {};
  std::vector<QueryMatcher> query = {};
  MetadataPath metadata = {};
  bool of_route = false;  // kMetadata: what the route's configuration says, not what filters noted
  std::vector<AddressRange> ranges = {};
  std::shared_ptr<const format::Formatter> format = {};
};

// Whether the answer tells of the limit (x-ratelimit-limit, ...); kAsFilter: as the filter says.
enum class TellLimit : uint8_t { kAsFilter, kNever, kAlways };

struct RateLimitRule {
  uint32_t stage = 0;
  std::vector<RateLimitAction> actions;
  std::optional<uint64_t> hits;                               // that a request counts as; nothing: one
  std::shared_ptr<const format::Formatter> hits_format = {};  // in place of `hits`; what gives no number gives no descriptor
  bool gives_hits = false;                                    // the hits are given back, not taken
  std::optional<MetadataPath> limit = {};                     // where filters note a RateLimitOverride
  std::optional<RateLimitOverride> fixed_limit = {};          // in its place
  TellLimit tell = TellLimit::kAsFilter;
  bool on_done = false;    // asked when the request is over, and nobody waits for the answer
  Fraction enabled{1, 1};  // disable_key; of interest to the rate limit service's filter
};
using RateLimitRules = std::vector<RateLimitRule>;

struct RateLimitHits {
  RateLimitDescriptor descriptor;
  std::optional<uint64_t> hits;
  std::optional<RateLimitOverride> limit = {};
  bool gives_hits = false;
  TellLimit tell = TellLimit::kAsFilter;
};

struct RateLimitSubject {
  const http::Head& request;
  std::string_view cluster;                   // the route's
  std::string_view remote_address;            // "1.2.3.4:80"
  const format::RequestInfo* info = nullptr;  // for hits_format and what filters noted
  const format::Metadata* of_route = nullptr;
};

// Nothing: no descriptor, or one without entries.
std::optional<RateLimitDescriptor> rate_limit_descriptor(const RateLimitRule& rule, const RateLimitSubject& subject);
// The same with what a rule says of hits and limit.
std::optional<RateLimitHits> rate_limit_hits(const RateLimitRule& rule, const RateLimitSubject& subject);

}  // namespace weft::routing
