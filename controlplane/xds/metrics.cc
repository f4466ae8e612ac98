#include "controlplane/xds/metrics.h"

#include "controlplane/xds/resource_type.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::xds {
namespace {

using observe::PrometheusRegistry;

// process_*: from /proc/self, as every Prometheus client shows them.
void collect_process(PrometheusRegistry& registry) {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0, ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  fields >> user >> system;
  for (int i = 0; i < 6; ++i) fields >> skipped;
  double start = 0, virtual_bytes = 0, pages = 0;
  fields >> start >> virtual_bytes >> pages;
  registry.set("process_cpu_seconds_total", {}, (user + system) / ticks);
  registry.set("process_virtual_memory_bytes", {}, virtual_bytes);
  registry.set("process_resident_memory_bytes", {}, pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  std::ifstream uptime_file("/proc/uptime");
  double uptime = 0;
  uptime_file >> uptime;
  double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  registry.set("process_start_time_seconds", {}, now - uptime + start / ticks);
  std::error_code error;
  double open = 0;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error); !error && at != std::filesystem::directory_iterator();
       at.increment(error))
    ++open;
  registry.set("process_open_fds", {}, open);
}

}  // namespace

void declare_metrics(PrometheusRegistry& r, std::string_view version) {
  const std::vector<double> push_seconds = {.01, .1, 1, 3, 5, 10, 20, 30};
  r.declare_gauge("pilot_xds", "Connected xDS clients.");
  r.declare_counter("pilot_xds_pushes", "xDS responses sent, by type.");
  r.declare_histogram("pilot_xds_push_time", "Seconds to make the resources of a push.", push_seconds);
  r.declare_histogram("pilot_proxy_convergence_time", "Seconds from a change to the moment all of it was handed to a proxy.",
                      {.1, .5, 1, 3, 5, 10, 20, 30});
  r.declare_histogram("pilot_proxy_queue_time", "Seconds that a proxy waited in the push queue.", {.1, .5, 1, 3, 5, 10, 20, 30});
  r.declare_counter("pilot_total_xds_rejects", "Responses that proxies refused, by type.");
  for (std::string_view type : {"cds", "eds", "lds", "rds"}) {
    r.declare_gauge("pilot_xds_" + std::string(type) + "_reject", "Whether a proxy refuses its present resources of this type.");
  }
  r.declare_counter("pilot_total_xds_internal_errors", "Requests that could not be understood.");
  r.declare_histogram("pilot_xds_send_time", "Seconds until the transport took a response.", {.01, .1, 1, 3, 5, 10, 20, 30});
  r.declare_histogram("pilot_xds_config_size_bytes", "Sizes of responses.", {1, 10000, 1000000, 4000000, 10000000, 40000000});
  r.declare_counter("pilot_xds_expired_nonce", "Requests with a nonce that is not the newest.");
  r.declare_counter("pilot_xds_write_timeout", "Proxies let go because they took no responses.");
  r.declare_histogram("pilot_pushcontext_init_seconds", "Seconds to take a new view of the world.", push_seconds);
  r.declare_histogram("pilot_debounce_time", "Seconds from the first change of a push to its start.", push_seconds);
  r.declare_counter("pilot_push_triggers", "What asked for pushes.");
  r.declare_counter("pilot_inbound_updates", "Changes received, by type.");
  r.declare_gauge("pilot_conflict_inbound_listener", "Inbound ports that several services claim.");
  r.declare_gauge("pilot_conflict_outbound_listener_http_over_current_tcp", "Outbound ports where an HTTP service stands over a TCP one.");
  r.declare_gauge("pilot_conflict_outbound_listener_tcp_over_current_http", "Outbound ports where a TCP service gives way to HTTP.");
  r.declare_gauge("pilot_conflict_outbound_listener_tcp_over_current_tcp", "Outbound ports that several TCP services claim.");
  r.declare_gauge("pilot_info", "The program's version.");
  r.declare_gauge("istiod_uptime_seconds", "Seconds since the start.");
  r.declare_counter("process_cpu_seconds_total", "Processor seconds used.");
  r.declare_gauge("process_virtual_memory_bytes", "Virtual memory.");
  r.declare_gauge("process_resident_memory_bytes", "Resident memory.");
  r.declare_gauge("process_open_fds", "Open files.");
  r.declare_gauge("process_start_time_seconds", "Start time since the epoch.");

  r.set("pilot_info", {{"version", version}}, 1);
  r.set("pilot_xds", {{"version", version}}, 0);
  // A rate needs a zero to start from.
  for (std::string_view counter : {"pilot_total_xds_internal_errors", "pilot_xds_expired_nonce", "pilot_xds_write_timeout"})
    r.add(counter, {}, 0);
  for (ResourceType type : kMakeOrder) {
    r.add("pilot_xds_pushes", {{"type", short_name(type)}}, 0);
    r.add("pilot_total_xds_rejects", {{"type", short_name(type)}}, 0);
  }
  r.on_scrape([start = std::chrono::steady_clock::now()](PrometheusRegistry& registry) {
    registry.set("istiod_uptime_seconds", {}, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    collect_process(registry);
  });
}

}  // namespace weft::xds
