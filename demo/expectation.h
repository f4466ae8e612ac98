// What the rules in force ask for: which share of a lane's requests each version should answer. Reads the same YAML as the mesh,
// but none of the mesh's code, so that "asked" and "measured" are told by two parties. It knows the part of the Istio API that
// routes a request by host, path and headers; what it does not know makes the answer "unknown", never wrong.
#pragma once
#include "common/base/yaml.h"
#include "demo/load.h"

#include <boost/json/object.hpp>
#include <map>
#include <optional>

namespace weft::demo {

// The objects in force, by kind, namespace and name, in the order in which they came.
class World {
 public:
  // Adds or replaces. `text` is YAML of one or more documents.
  Status add(const std::string& text, const std::string& file);
  void add(const boost::json::object& object);
  // Forgets all objects of `kind` whose name is not in `keep` ("ns/name").
  void keep_only(const std::string& kind, const std::vector<std::string>& keep);
  const std::vector<boost::json::object>& objects() const { return objects_; }
  std::vector<const boost::json::object*> of_kind(const std::string& kind) const;

 private:
  std::vector<boost::json::object> objects_;
};

// Percent by version, faults included ("500 injected", "delayed 3 s", "404 no route"); nothing when this cannot be told.
using Shares = std::map<std::string, double>;
std::optional<Shares> asked(const World& world, const Lane& lane);

}  // namespace weft::demo
