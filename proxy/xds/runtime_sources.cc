#include "proxy/xds/runtime_sources.h"

#include "common/base/log.h"
#include "common/observe/shapes.h"
#include "proxy/runtime/disk_layer.h"

#include <spdlog/spdlog.h>

namespace weft::xds {

using config::RuntimeSource;
using observe::RuntimeStat;

RuntimeSources::RuntimeSources(net::Loop& control, const config::Bootstrap& bootstrap, observe::Registry& metrics)
    : bootstrap_(bootstrap), stats_(observe::runtime_scope(metrics)) {
  for (const RuntimeSource& source : bootstrap_.runtime_sources) {
    if (source.kind != RuntimeSource::Kind::kDisk) continue;
    read(source);
    // Tells of the link once at the start, too: what was moved before the watch began is not missed.
    watches_.push_back(std::make_unique<PathSource>(
        control, source.link, "",
        [this, &source](const std::string&) {
          read(source);
          note();
        },
        [](const std::string& reason) { log::get(log::Logger::kRuntime).warn("{}", reason); }));
  }
  note();
}

Status RuntimeSources::modify(const std::vector<std::pair<std::string, std::string>>& texts) {
  for (const RuntimeSource& source : bootstrap_.runtime_sources) {
    if (source.kind != RuntimeSource::Kind::kAdmin) continue;
    bootstrap_.runtime->modify(source.layer, texts);
    note();
    return {};
  }
  return invalid("No admin layer specified");
}

void RuntimeSources::set_resource(const std::string& name, const runtime::Layer* layer) {
  for (const RuntimeSource& source : bootstrap_.runtime_sources)
    if (source.kind == RuntimeSource::Kind::kRtds && source.name == name)
      bootstrap_.runtime->replace(source.layer, layer ? *layer : runtime::Layer());
  note();
}

void RuntimeSources::read(const RuntimeSource& source) {
  std::erase(present_folders_, source.layer);
  std::erase(bad_folders_, source.layer);
  auto layer = runtime::read_disk_layer(source.folder);
  if (!layer) {
    // What was there stays.
    log::get(log::Logger::kRuntime).warn("runtime layer {}: {}", source.folder, layer.error().detail);
    bad_folders_.push_back(source.layer);
    return;
  }
  if (*layer) present_folders_.push_back(source.layer);
  bootstrap_.runtime->replace(source.layer, layer->value_or(runtime::Layer()), !layer->has_value());
}

// As Envoy counts: each change of any layer is a load of all; two folders or more make an override.
void RuntimeSources::note() {
  observe::Cells& stats = stats_->cells(0);
  stats.add(bad_folders_.empty() ? RuntimeStat::kLoadSuccess : RuntimeStat::kLoadError);
  stats.add(present_folders_.size() > 1 ? RuntimeStat::kOverrideDirExists : RuntimeStat::kOverrideDirNotExists);
  stats.set(RuntimeStat::kNumKeys, static_cast<int64_t>(bootstrap_.runtime->entries().size()));
  stats.set(RuntimeStat::kNumLayers, static_cast<int64_t>(bootstrap_.runtime->layer_names().size()));
  int64_t overrides = 0;
  for (const RuntimeSource& source : bootstrap_.runtime_sources)
    if (source.kind == RuntimeSource::Kind::kAdmin && !bootstrap_.runtime->empty(source.layer)) overrides = 1;
  stats.set(RuntimeStat::kAdminOverridesActive, overrides);
}

}  // namespace weft::xds
