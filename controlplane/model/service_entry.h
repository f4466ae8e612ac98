// ServiceEntry and WorkloadEntry as validation left them.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

struct WorkloadEntry {
  std::string address;  // an IP
  std::map<std::string, uint32_t> ports;
  Labels labels;
  std::string network;
  Locality locality;
  std::optional<uint32_t> weight;
  std::string service_account;
};

enum class Resolution : unsigned char { kStatic };
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

}  // namespace weft::model
