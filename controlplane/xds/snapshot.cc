#include "controlplane/xds/snapshot.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace weft::xds {
namespace {

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

bool by_id(const ResourcePtr& a, const ResourcePtr& b) { return a->id < b->id; }

}  // namespace

Resource::Resource(std::shared_ptr<NameTable> names, ResourceType type_, std::string_view name_, std::string_view message)
    : type(type_), name(name_), id(names->acquire(name_)), names_(std::move(names)) {
  // Any { type_url = 1; value = 2 }
  auto bytes = std::make_shared<std::string>();
  std::string_view url = type_url(type);
  bytes->reserve(url.size() + message.size() + 16);
  *bytes += '\x0a';
  append_varint(*bytes, url.size());
  *bytes += url;
  *bytes += '\x12';
  append_varint(*bytes, message.size());
  message_offset_ = bytes->size();
  *bytes += message;
  version = XXH3_64bits(bytes->data(), bytes->size());
  if (version == 0) version = 1;
  any = std::move(bytes);
}

Resource::~Resource() { names_->release(id); }

std::string_view Resource::message() const { return std::string_view(*any).substr(message_offset_); }

ResourceMap::ResourceMap(std::vector<ResourcePtr> resources) : resources_(std::move(resources)) {
  std::stable_sort(resources_.begin(), resources_.end(), by_id);
  size_t kept = 0;
  for (size_t i = 0; i < resources_.size(); ++i) {
    if (i + 1 < resources_.size() && resources_[i]->id == resources_[i + 1]->id) continue;
    if (kept != i) resources_[kept] = std::move(resources_[i]);
    ++kept;
  }
  resources_.resize(kept);
}

const ResourcePtr* ResourceMap::find(NameId id) const {
  auto at = std::lower_bound(resources_.begin(), resources_.end(), id, [](const ResourcePtr& r, NameId wanted) { return r->id < wanted; });
  return at != resources_.end() && (*at)->id == id ? &*at : nullptr;
}

const ResourcePtr* ResourceMap::find(std::string_view name) const {
  auto at = std::find_if(resources_.begin(), resources_.end(), [&](const ResourcePtr& r) { return r->name == name; });
  return at != resources_.end() ? &*at : nullptr;
}

std::shared_ptr<const ResourceMap> ResourceMap::with(std::span<const ResourcePtr> changed) const {
  std::vector<ResourcePtr> all = resources_;
  all.insert(all.end(), changed.begin(), changed.end());
  return std::make_shared<const ResourceMap>(std::move(all));
}

ResourcePtr ResourceMaker::make(ResourceType type, std::string_view name, std::string_view message, const ResourceMap* previous) const {
  auto made = std::make_shared<const Resource>(names_, type, name, message);
  if (previous != nullptr) {
    const ResourcePtr* old = previous->find(made->id);
    if (old != nullptr && (*old)->version == made->version) return *old;
  }
  return made;
}

std::string version_text(uint64_t version) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; version >>= 4) text[i] = kDigits[version & 15];
  return text;
}

uint64_t parse_version(std::string_view text) {
  uint64_t value = 0;
  if (text.size() != 16) return 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace weft::xds
