#include "proxy/runtime/runtime.h"

#include <algorithm>

namespace weft::runtime {

Key Runtime::value(std::string_view key) const {
  if (key.empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  auto found = values_.find(key);
  if (found != values_.end())
    if (std::shared_ptr<Value> held = found->second.lock()) return held;
  auto made = std::make_shared<Value>();
  made->set(find(key));
  values_.insert_or_assign(std::string(key), made);
  if (values_.size() >= next_sweep_) {
    std::erase_if(values_, [](const auto& entry) { return entry.second.expired(); });
    next_sweep_ = std::max<size_t>(256, values_.size() * 2);
  }
  return made;
}

size_t Runtime::add_layer(std::string name, Layer layer, bool absent) {
  const std::lock_guard lock(mutex_);
  layers_.push_back({std::move(name), std::move(layer), absent});
  refresh();
  return layers_.size() - 1;
}

void Runtime::replace(size_t layer, Layer values, bool absent) {
  const std::lock_guard lock(mutex_);
  layers_[layer].values = std::move(values);
  layers_[layer].absent = absent;
  refresh();
}

void Runtime::modify(size_t layer, const std::vector<std::pair<std::string, std::string>>& texts) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, text] : texts) {
    if (text.empty())
      layers_[layer].values.erase(key);
    else
      layers_[layer].values.insert_or_assign(key, read_setting(text));
  }
  refresh();
}

void Runtime::set(std::string key, std::string text) {
  const std::lock_guard lock(mutex_);
  if (layers_.empty() || !layers_.front().name.empty()) layers_.insert(layers_.begin(), Named{});
  layers_.front().values.insert_or_assign(std::move(key), read_setting(std::move(text)));
  refresh();
}

std::vector<std::string> Runtime::layer_names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const Named& layer : layers_)
    if (!layer.absent) out.push_back(layer.name);
  return out;
}

std::vector<Runtime::Entry> Runtime::entries() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string_view, Entry> all;
  size_t shown = 0;
  for (const Named& layer : layers_) shown += layer.absent ? 0 : 1;
  size_t index = 0;
  for (const Named& layer : layers_) {
    if (layer.absent) continue;
    for (const auto& [key, setting] : layer.values) {
      Entry& entry = all[key];
      entry.key = key;
      entry.by_layer.resize(shown);
      entry.by_layer[index] = entry.text = setting.text;
    }
    ++index;
  }
  std::vector<Entry> out;
  for (auto& [key, entry] : all) out.push_back(std::move(entry));
  return out;
}

bool Runtime::empty(size_t layer) const {
  const std::lock_guard lock(mutex_);
  return layers_[layer].values.empty();
}

const Setting* Runtime::find(std::string_view key) const {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
    if (auto at = layer->values.find(key); at != layer->values.end()) return &at->second;
  return nullptr;
}

void Runtime::refresh() {
  for (const auto& [key, held] : values_)
    if (const std::shared_ptr<Value> value = held.lock()) value->set(find(key));
}

}  // namespace weft::runtime
