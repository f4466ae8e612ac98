#include "proxy/filters/http/set_metadata/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"

namespace weft::filters {

Verdict SetMetadata::on_request_head(FilterContext& context, bool) {
  if (options_.items.empty()) return Verdict::kContinue;
  format::Metadata& metadata = format::metadata_of(context.info());
  for (const SetMetadataOptions::Item& item : options_.items) {
    if (!metadata.has(item.name_space) || item.overwrite)
      metadata.merge(item.name_space, item.values);
    else if (options_.stats)
      options_.stats->cells(context.thread()).add(observe::SetMetadataStat::kOverwriteDenied);
  }
  return Verdict::kContinue;
}

}  // namespace weft::filters
