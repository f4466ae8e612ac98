// What one proxy should run: immutable, its resources serialised once and shared between proxies. A resource's version is a hash of
// its bytes, so equal content has equal versions in every process and after every restart.
#pragma once
#include "controlplane/xds/name_table.h"
#include "controlplane/xds/resource_type.h"

#include <chrono>
#include <memory>
#include <span>

namespace weft::xds {

struct Resource {
  ResourceType type = ResourceType::kCluster;
  std::string name;
  NameId id = 0;
  uint64_t version = 0;                    // of the content; never 0
  std::shared_ptr<const std::string> any;  // a serialised google.protobuf.Any

  Resource(std::shared_ptr<NameTable> names, ResourceType type, std::string_view name, std::string_view message);
  ~Resource();
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  // The message inside `any`.
  std::string_view message() const;

 private:
  std::shared_ptr<NameTable> names_;
  size_t message_offset_ = 0;
};
using ResourcePtr = std::shared_ptr<const Resource>;

// Resources of one type by name; the last one of a name stands.
class ResourceMap {
 public:
  ResourceMap() = default;
  explicit ResourceMap(std::vector<ResourcePtr> resources);
  const ResourcePtr* find(NameId id) const;
  const ResourcePtr* find(std::string_view name) const;            // walks
  std::span<const ResourcePtr> all() const { return resources_; }  // by id
  // This map with some resources put in or replaced.
  std::shared_ptr<const ResourceMap> with(std::span<const ResourcePtr> changed) const;

 private:
  std::vector<ResourcePtr> resources_;
};
using ResourceMapPtr = std::shared_ptr<const ResourceMap>;

struct Snapshot {
  uint64_t revision = 0;                          // of the store
  std::chrono::steady_clock::time_point since{};  // when the change that led to it arrived; for the convergence metric
  std::array<ResourceMapPtr, kTypeCount> maps;    // never null once made by make_snapshot

  const ResourceMap& map(ResourceType type) const { return *maps[index_of(type)]; }
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Makes resources, and gives back the one made before when the content is the same.
class ResourceMaker {
 public:
  explicit ResourceMaker(std::shared_ptr<NameTable> names) : names_(std::move(names)) {}
  // `message` is deterministic wire format. `previous` may be null.
  ResourcePtr make(ResourceType type, std::string_view name, std::string_view message, const ResourceMap* previous = nullptr) const;
  NameTable& names() const { return *names_; }

 private:
  std::shared_ptr<NameTable> names_;
};

std::string version_text(uint64_t version);     // 16 hex digits
uint64_t parse_version(std::string_view text);  // 0: not one of ours

}  // namespace weft::xds
