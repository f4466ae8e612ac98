// What arrives is built, one response after another, on a thread of its own (streams and timers go on meanwhile); what is good of
// it is taken, the response is acknowledged or refused, and what /config_dump shows is noted.
#include "proxy/xds/discovery_impl.h"

#include "common/base/log.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace weft::xds {
namespace {

using std::chrono::milliseconds;

// All types have their name as field 1, but for the name table, of which there is one.
std::string resource_name(ResourceType type, const config::RawResource& resource) {
  if (!resource.name.empty() || type == ResourceType::kNameTable) return resource.name;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(resource.bytes.data()),
                                            static_cast<int>(resource.bytes.size()));
  std::string name;
  while (const uint32_t tag = in.ReadTag()) {
    if (tag == (1 << 3 | 2)) {
      google::protobuf::internal::WireFormatLite::ReadString(&in, &name);
    } else if (!google::protobuf::internal::WireFormatLite::SkipField(&in, tag)) {
      break;
    }
  }
  return name;
}

void reject(config::Built& built, const std::string& name, const std::string& why) {
  config::Rejected one;
  one.name = name;
  one.detail = name + ": " + why;
  built.rejected.push_back(std::move(one));
  std::erase(built.accepted, name);
}

}  // namespace

void Discovery::Impl::enqueue(Response response, std::string path) {
  if (stopped_) return;
  queue_.push_back({std::move(response), std::move(path)});
  build_next();
}

void Discovery::Impl::build_next() {
  if (building_ || queue_.empty() || stopped_) return;
  building_ = true;
  const auto began = std::chrono::steady_clock::now();
  auto arrived = std::make_shared<Arrived>(std::move(queue_.front()));
  queue_.pop_front();
  if (arrived->response.complete) add_absent(arrived->response.changes);
  // values_ is not touched by this thread until the build is back.
  asio::post(builder_, [this, arrived, began, alive = std::weak_ptr<char>(alive_)] {
    auto built = std::make_shared<config::Built>(config::build(values_, arrived->response.changes, context_));
    loop_.post([this, arrived, began, built, alive] {
      if (alive.expired()) return;
      building_ = false;
      if (!stopped_) take(*arrived, *built, began);
      build_next();
    });
  });
}

// State of the world: what is not in it any more is gone.
void Discovery::Impl::add_absent(config::Changes& changes) const {
  std::set<std::string> present;
  for (const config::RawResource& resource : changes.resources) present.insert(resource_name(changes.type, resource));
  auto absent = [&](const auto& held) {
    for (const auto& [name, value] : held)
      if (!present.contains(name)) changes.removed.push_back(name);
  };
  if (changes.type == ResourceType::kCluster) absent(values_.clusters);
  if (changes.type == ResourceType::kListener) absent(values_.listeners);
  if (changes.type != ResourceType::kScope) return;
  for (const auto& [name, scope] : values_.scopes)
    if (scope->path == changes.path && !present.contains(name)) changes.removed.push_back(name);
}

void Discovery::Impl::take(const Arrived& arrived, config::Built& built, std::chrono::steady_clock::time_point began) {
  const Response& response = arrived.response;
  const ResourceType type = response.changes.type;
  // A listener whose port cannot be had is as wrong as one that cannot be read.
  if (type == ResourceType::kListener) {
    std::erase_if(built.update.listeners, [&](const auto& listener) {
      Status possible = target_.reserve(*listener, built.update.removed_listeners);
      if (possible) return false;
      reject(built, listener->name, possible.error().detail);
      return true;
    });
  }
  std::set<std::string> rejected;
  for (const config::Rejected& one : built.rejected) rejected.insert(one.name);
  note_states(arrived, built, rejected);
  config::apply(built, values_);

  const std::string detail = built.nack_detail();
  if (!detail.empty()) log::get(log::Logger::kConfig).warn("{} rejected: {}", config::type_url(type), detail);
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
  if (type == ResourceType::kCluster || type == ResourceType::kListener || type == ResourceType::kScope ||
      type == ResourceType::kNameTable) {
    // Clusters, listeners and the name table have one source; scopes are counted by theirs.
    const std::string source = type == ResourceType::kScope ? response.changes.path : "";
    if (detail.empty())
      stats_.accepted(type, source, response.version, took, !built.update.empty());
    else
      stats_.rejected(type, source);
  } else {
    for (const config::RawResource& resource : response.changes.resources) {
      const std::string name = resource_name(type, resource);
      if (rejected.contains(name))
        stats_.rejected(type, name);
      else
        stats_.accepted(type, name, response.version, took,
                        std::find(built.accepted.begin(), built.accepted.end(), name) != built.accepted.end() &&
                            std::find(built.unchanged.begin(), built.unchanged.end(), name) == built.unchanged.end());
    }
  }
  if (arrived.path.empty() && ads_) detail.empty() ? ads_->ack(response) : ads_->nack(response, detail, rejected);

  if (type == ResourceType::kScope) note_scopes_answer(arrived.path);
  if (type == ResourceType::kRoute && !arrived.path.empty()) routes_of_files_.insert(built.accepted.begin(), built.accepted.end());
  warm(built.update);
  if (type == ResourceType::kCluster) clusters_first_.answered = true;
  if (type == ResourceType::kListener) listeners_first_.answered = true;
  complete_if_first();
}

void Discovery::Impl::note_states(const Arrived& arrived, const config::Built& built, const std::set<std::string>& rejected) {
  const config::Changes& changes = arrived.response.changes;
  const auto now = std::chrono::system_clock::now();
  auto version_of = [&](const std::string& name) {
    auto found = arrived.response.versions.find(name);
    return found == arrived.response.versions.end() ? arrived.response.version : found->second;
  };
  for (const config::RawResource& resource : changes.resources) {
    const std::string name = resource_name(changes.type, resource);
    ResourceState& state = states_[{changes.type, name}];
    state.type = changes.type;
    state.name = name;
    state.path = arrived.path;
    if (rejected.contains(name)) {
      state.error_version = version_of(name);
      state.last_error = now;
      for (const config::Rejected& one : built.rejected)
        if (one.name == name) state.error = one.detail;
      continue;
    }
    if (!state.bytes || *state.bytes != resource.bytes) state.last_updated = now;
    state.bytes = std::make_shared<const std::string>(resource.bytes);
    state.version = version_of(name);
    state.error.clear();
  }
  for (const std::string& name : changes.removed) states_.erase({changes.type, name});
  if (!arrived.response.complete) return;
  // What was refused and is not offered any more.
  std::set<std::string> offered;
  for (const config::RawResource& resource : changes.resources) offered.insert(resource_name(changes.type, resource));
  std::erase_if(states_, [&](const auto& entry) {
    return entry.first.first == changes.type && entry.second.path == arrived.path && !entry.second.bytes &&
           !offered.contains(entry.first.second);
  });
}

}  // namespace weft::xds
