// The runtime: settings by key, in layers of which later ones win (layered_runtime). Whoever builds configuration asks for the Value
// of a key and keeps it; a change of a layer is written to the Values that somebody still holds, so everything that names the key
// follows at once, without being built anew. Layers change on the control thread, values are asked for on any.
#pragma once
#include "proxy/runtime/value.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weft::runtime {

using Layer = std::map<std::string, Setting, std::less<>>;

class Runtime {
 public:
  Runtime() = default;
  Runtime(const Runtime&) = delete;

  // What `key` says, now and later; null for an empty key.
  Key value(std::string_view key) const;
  Flag flag(std::string_view key, bool otherwise) const { return {otherwise, value(key)}; }
  Number number(std::string_view key, uint64_t otherwise) const { return {otherwise, value(key)}; }
  Real real(std::string_view key, double otherwise) const { return {otherwise, value(key)}; }

  // Adds a layer above those that are there; returns its index. An absent one (no such folder) is not shown.
  size_t add_layer(std::string name, Layer layer, bool absent = false);
  void replace(size_t layer, Layer values, bool absent = false);
  // Sets keys of one layer; an empty text takes a key out.
  void modify(size_t layer, const std::vector<std::pair<std::string, std::string>>& texts);
  // One key of a layer of its own at the bottom, read as a person's text.
  void set(std::string key, std::string text);

  struct Entry {
    std::string key;
    std::vector<std::string> by_layer;  // empty where a layer has none
    std::string text;                   // what holds
  };
  std::vector<std::string> layer_names() const;
  std::vector<Entry> entries() const;
  bool empty(size_t layer) const;

 private:
  struct Named {
    std::string name;
    Layer values;
    bool absent = false;
  };
  const Setting* find(std::string_view key) const;
  void refresh();

  mutable std::mutex mutex_;  // held for look-ups and changes, never on a request's way
  std::vector<Named> layers_;
  mutable std::map<std::string, std::weak_ptr<Value>, std::less<>> values_;
  mutable size_t next_sweep_ = 256;  // at so many names, those that nobody holds any more are dropped
};

}  // namespace weft::runtime
