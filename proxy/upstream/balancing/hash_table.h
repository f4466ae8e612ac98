// Consistent hashing: from a number to a host, so that few keys move when hosts come and go. A ring (ketama) holds points of every
// host, and a key belongs to the next point; a Maglev table (Eisenbud et al., NSDI 2016, 3.4) is filled by the hosts in turn, each by
// its own permutation. Both are filled with Envoy's very arithmetic, floating point included: a key lands where Envoy puts it.
//
// A table is immutable and shared by all workers (hash_tables.h).
#pragma once
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/endpoint_set.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace weft::upstream {

// A host and its share of the traffic; all shares add up to 1, or to less if a locality has nobody.
struct Share {
  const Host* host;
  double weight;
  bool operator==(const Share&) const = default;
};
using Shares = std::vector<Share>;

enum class Eligible : uint8_t { kHealthy, kDegraded, kAll };

// The hosts of a priority that may be picked, in the order of the configuration; by locality: each locality has the share that its
// weight says, whatever becomes of its hosts.
Shares shares_of(const EndpointSet& endpoints, uint32_t priority, Eligible eligible, const HashingOptions& options);

class HashTable {
 public:
  // What the gauges tell: how many places there are, and how many the poorest and the richest host has.
  struct Spread {
    uint64_t size = 0, least = 0, most = 0;
  };
  virtual ~HashTable() = default;
  // `attempt` above 0: another place, for a host that was to be avoided. Null: nobody has a place.
  const Share* pick(uint64_t hash, uint32_t attempt) const { return spread_.size == 0 ? nullptr : &shares_[owner(hash, attempt)]; }

  const std::shared_ptr<const EndpointSet>& endpoints() const { return endpoints_; }
  const Shares& shares() const { return shares_; }
  const Spread& spread() const { return spread_; }

 protected:
  HashTable(std::shared_ptr<const EndpointSet> endpoints, Shares shares) : endpoints_(std::move(endpoints)), shares_(std::move(shares)) {}
  // Into shares(). There is a place at least.
  virtual uint32_t owner(uint64_t hash, uint32_t attempt) const = 0;
  void count(const std::vector<uint64_t>& places_by_share, uint64_t size);

 private:
  std::shared_ptr<const EndpointSet> endpoints_;  // whose hosts they are
  Shares shares_;
  Spread spread_;
};

std::shared_ptr<const HashTable> make_ring(const HashingOptions& options, std::shared_ptr<const EndpointSet> endpoints, Shares shares);
std::shared_ptr<const HashTable> make_maglev(const HashingOptions& options, std::shared_ptr<const EndpointSet> endpoints, Shares shares);

// What a host is hashed by: its hash_key, else its hostname if so wanted, else its address.
const std::string& hash_key(const Host& host, bool by_hostname);

}  // namespace weft::upstream
