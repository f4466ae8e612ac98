// RateLimit, a kind of our own: how many requests the selected proxies let through to their workload, or into the mesh.
#pragma once
#include "controlplane/model/virtual_service.h"

namespace weft::model {

// What requests are told apart by: each value has a bucket of its own.
struct RateLimitKey {
  enum class Kind : unsigned char { kHeader, kQueryParam, kRemoteAddress };
  Kind kind = Kind::kHeader;
  std::string name;
};

struct RateLimitRule {
  std::string name;  // unique in the object
  HttpMatch match;   // path, method, authority, headers and query only
  std::vector<RateLimitKey> per;
  uint32_t requests = 0;  // in each `unit`
  std::chrono::seconds unit{1};
  uint32_t burst = 0;  // at once; requests when nothing was said
};

struct RateLimit {
  struct Target {
    std::string kind, name;  // Service or Gateway, of the object's namespace
  };
  Labels selector;  // empty: every workload of the namespace; of the root namespace: every workload
  std::vector<Target> targets;
  std::vector<RateLimitRule> rules;
  uint32_t status = 429;
  bool dry_run = false, headers = false;
  uint32_t max_values = 1000;  // buckets that one rule's `per` keeps
};

}  // namespace weft::model
