// All that the demo runs: weft-control, and for each Pod of config/demo/services.yaml its service and its proxy.
#pragma once
#include "demo/bootstrap.h"
#include "demo/control.h"
#include "demo/expectation.h"
#include "demo/options.h"
#include "demo/process.h"

#include <memory>

namespace weft::demo {

// A whole file.
Result<std::string> read_file(const std::string& path);

// What the proxies of the callers counted for one upstream host, summed over its subsets.
struct Counts {
  long retries = 0, ejections = 0, ejected_now = 0;
};

class Mesh {
 public:
  ~Mesh() { stop(); }

  // Starts everything and waits until weft-control is ready; proxies wait for their configuration by themselves.
  Status start(const Options& options, RunFolder& folder);
  // In order: proxies, services, weft-control. Waits for all.
  void stop();

  Control& control() { return *control_; }
  Address gateway() const { return {gateway_ip_, gateway_port_}; }       // where people from outside come in
  Address shopfront() const { return {shopfront_ip_, outbound_port_}; }  // the shop front's sidecar
  Address xds() const { return xds_; }
  const std::string& prefix() const { return prefix_; }
  size_t proxies() const { return proxies_.size(); }
  // A file's text with the demo's own addresses and ports in place of the ones it was written with.
  std::string placed(std::string text) const;
  // The programs that have ended by themselves since the last call, each with its last words.
  std::vector<std::string> casualties();
  // Counters of the shop front's and the gateway's proxies for `service` ("user-service").
  Counts counts(const std::string& service) const;

 private:
  struct Workload {
    std::string name, ns, ip, app, version;
    std::map<std::string, std::string> labels;
    bool fail = false;
  };
  Status choose_places(const std::string& services_yaml);
  Status read_workloads(const std::string& services_yaml, std::vector<Workload>& workloads) const;
  Status start_control(const Options& options, RunFolder& folder);
  Status start_workload(const Options& options, RunFolder& folder, const Workload& workload);

  std::string prefix_ = "127.0.77.", gateway_ip_, shopfront_ip_;
  unsigned short target_port_ = 8080, gateway_port_ = 18080, outbound_port_ = 8080, inner_outbound_port_ = 23080, admin_port_ = 15000;
  Address xds_;
  std::unique_ptr<Control> control_;
  std::vector<Process> services_, proxies_;
  Process controller_;
};

}  // namespace weft::demo
