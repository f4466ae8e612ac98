#include "controlplane/model/sidecar.h"

#include <algorithm>

namespace weft::model {

bool EgressHost::takes(std::string_view service_ns, std::string_view hostname, std::string_view client_ns) const {
  if (ns == "~") return false;
  if (ns != "*" && (ns == "." ? client_ns : std::string_view(ns)) != service_ns) return false;
  // A rule for *.b stands beside services that the listener knows as a.b, and the other way round.
  return host_matches(host, hostname) || (hostname.starts_with('*') && host_matches(hostname, host));
}

bool EgressListener::takes(std::string_view service_ns, std::string_view hostname, std::string_view client_ns) const {
  bool in = false;
  for (const EgressHost& one : hosts) {
    if (!one.takes(service_ns, hostname, client_ns)) continue;
    if (one.without) return false;
    in = true;
  }
  return in;
}

}  // namespace weft::model
