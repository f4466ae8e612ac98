// envoy.filters.http.set_metadata: notes fixed values as dynamic metadata of every request that passes.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/format/metadata.h"

#include <memory>
#include <string>
#include <vector>

namespace weft::filters {

struct SetMetadataOptions {
  struct Item {
    std::string name_space;
    format::MetadataStruct values;
    bool overwrite = false;  // joined with what is there; else what is there stays alone
  };
  std::vector<Item> items;
  std::shared_ptr<observe::Scope> stats;  // null when only validating
};

class SetMetadata final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead;
  SetMetadata(const SetMetadataOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;

 private:
  const SetMetadataOptions& options_;
};

HttpFilterType set_metadata_type();

}  // namespace weft::filters
