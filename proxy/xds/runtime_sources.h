// Where the layers of the runtime come from that the bootstrap does not hold: folders, read again when the link to them is moved,
// what people set over the admin interface, and what RTDS brings (Discovery hands it on). Counts under runtime. Lives on the
// control thread.
#pragma once
#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "proxy/config/bootstrap.h"
#include "proxy/xds/path_source.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::xds {

class RuntimeSources {
 public:
  RuntimeSources(net::Loop& control, const config::Bootstrap& bootstrap, observe::Registry& metrics);

  // /runtime_modify: an empty text takes a key out. An error if there is no admin layer.
  Status modify(const std::vector<std::pair<std::string, std::string>>& texts);
  // The RTDS resource of that name; null: it is gone.
  void set_resource(const std::string& name, const runtime::Layer* layer);

 private:
  void read(const config::RuntimeSource& source);
  void note();

  const config::Bootstrap& bootstrap_;
  std::shared_ptr<observe::Scope> stats_;
  std::vector<std::unique_ptr<PathSource>> watches_;
  std::vector<size_t> present_folders_, bad_folders_;  // layers
};

}  // namespace weft::xds
