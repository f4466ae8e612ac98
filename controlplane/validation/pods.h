// Which workloads a set of labels selects, found by their first label instead of by looking at all of them.
#pragma once
#include "controlplane/model/view.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::validation {

class Pods {
 public:
  // Of Pods and WorkloadEntries.
  explicit Pods(const model::View& view);

  bool known() const { return !all_.empty(); }  // proxies may come without pods: then nothing can be said of them
  // Of one namespace, or of any where `ns` is empty. No labels: all of them.
  std::vector<const model::Resource*> selected(const model::Labels& labels, std::string_view ns) const;

 private:
  struct Workload {
    const model::Resource* resource;
    const model::Labels* labels;
  };
  std::vector<Workload> all_;
  std::unordered_map<std::string, std::vector<Workload>> by_label_;  // "key=value"
};

}  // namespace weft::validation
