// What the process is and how it does: /server_info /ready /memory /certs /init_dump /runtime /hot_restart_version.
#include "envoy/admin/v3/init_dump.pb.h"
#include "envoy/admin/v3/server_info.pb.h"
#include "proxy/admin/admin_source.h"
#include "proxy/admin/json.h"
#include "proxy/admin/page.h"

#include <google/protobuf/struct.pb.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace weft::admin {
namespace {

Page json_page(const google::protobuf::Message& message, bool print_defaults = false) {
  auto json = to_json(message, print_defaults);
  if (!json) return {500, json.error().detail};
  return {200, std::move(*json), "application/json"};
}

}  // namespace

Page server_info_page(PageContext& context, const PageRequest&) {
  ServerView view = context.source.server();
  envoy::admin::v3::ServerInfo info;
  info.set_version(view.version);
  info.set_state(static_cast<envoy::admin::v3::ServerInfo::State>(view.state));
  info.mutable_uptime_current_epoch()->set_seconds(view.uptime.count());
  info.mutable_uptime_all_epochs()->set_seconds(view.uptime.count());
  info.set_hot_restart_version("disabled");
  info.mutable_command_line_options()->ParseFromString(view.options_bytes);
  info.mutable_node()->ParseFromString(view.node_bytes);
  redact(info);
  return json_page(info, true);
}

Page ready_page(PageContext& context, const PageRequest&) {
  static constexpr std::string_view kNames[] = {"LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING"};
  ServerState state = context.source.server().state;
  return {state == ServerState::kLive ? 200 : 503, std::string(kNames[static_cast<size_t>(state)]) + "\n"};
}

Page memory_page(PageContext&, const PageRequest&) {
  struct mallinfo2 heap = mallinfo2();
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  auto line = [](const char* name, size_t value, const char* end) {
    return " \"" + std::string(name) + "\": \"" + std::to_string(value) + "\"" + end;
  };
  return {200,
          "{\n" + line("allocated", heap.uordblks + heap.hblkhd, ",\n") + line("heap_size", heap.arena + heap.hblkhd, ",\n") +
              line("pageheap_unmapped", 0, ",\n") + line("pageheap_free", heap.fordblks, ",\n") + line("total_thread_cache", 0, ",\n") +
              line("total_physical_bytes", resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)), "\n") + "}\n",
          "application/json"};
}

Page certs_page(PageContext&, const PageRequest&) { return {200, "{\n \"certificates\": []\n}\n", "application/json"}; }

Page init_dump_page(PageContext& context, const PageRequest&) {
  envoy::admin::v3::UnreadyTargetsDumps dumps;
  for (auto& [owner, targets] : context.source.unready()) {
    auto& dump = *dumps.add_unready_targets_dumps();
    dump.set_name(owner);
    for (std::string& target : targets) dump.add_target_names(std::move(target));
  }
  return json_page(dumps);
}

Page runtime_page(PageContext& context, const PageRequest&) {
  google::protobuf::Struct out;
  auto& entries = *(*out.mutable_fields())["entries"].mutable_struct_value();
  auto& layers = *(*out.mutable_fields())["layers"].mutable_list_value();
  const RuntimeView view = context.source.runtime();
  for (const std::string& name : view.layers) layers.add_values()->set_string_value(name);
  for (const RuntimeView::Entry& one : view.entries) {
    auto& entry = *(*entries.mutable_fields())[one.key].mutable_struct_value();
    (*entry.mutable_fields())["final_value"].set_string_value(one.text);
    auto& values = *(*entry.mutable_fields())["layer_values"].mutable_list_value();
    for (const std::string& text : one.by_layer) values.add_values()->set_string_value(text);
  }
  return json_page(out);
}

Page hot_restart_version_page(PageContext&, const PageRequest&) { return {200, "disabled"}; }

}  // namespace weft::admin
