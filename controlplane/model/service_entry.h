// ServiceEntry, WorkloadEntry and WorkloadGroup as validation left them.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

struct WorkloadEntry {
  std::string address;  // an IP, a host name, or "unix://PATH"
  std::map<std::string, uint32_t> ports;
  Labels labels;
  std::string network;
  Locality locality;
  std::optional<uint32_t> weight;
  std::string service_account;
};

// How proxies learn where a service is: endpoints that are told (kStatic), the address that the client dialled (kNone), or DNS: all
// addresses of each name, one at a time, or of whatever name a request has.
enum class Resolution : unsigned char { kStatic, kNone, kDns, kDnsRoundRobin, kDynamicDns };
inline bool is_dns(Resolution resolution) { return resolution == Resolution::kDns || resolution == Resolution::kDnsRoundRobin; }
enum class Location : unsigned char { kMeshExternal, kMeshInternal };

struct EntryPort {
  uint32_t number = 0;
  std::string name;
  Protocol protocol = Protocol::kTcp;
  std::optional<uint32_t> target_port;
};

struct ServiceEntry {
  std::vector<std::string> hosts, addresses;
  std::vector<EntryPort> ports;
  Location location = Location::kMeshExternal;
  Resolution resolution = Resolution::kStatic;
  std::vector<WorkloadEntry> endpoints;
  std::optional<Labels> workload_selector;
  std::vector<std::string> export_to;
};

// What WorkloadEntries of a group would look like. Nothing is made of it yet.
struct WorkloadGroup {
  Labels labels;
  WorkloadEntry entry;  // without address
};

}  // namespace weft::model
