#include "proxy/filters/http/buffer/filter.h"

namespace weft::filters {

Verdict Buffer::on_request_head(FilterContext& context, bool end) {
  if (end) return Verdict::kContinue;
  std::optional<uint64_t> limit = options_.max_request_bytes;
  if (const auto* route = dynamic_cast<const BufferRoute*>(context.route_config(name_))) limit = route->max_request_bytes;
  if (!limit) return Verdict::kContinue;
  context.wait_for_body(*limit);
  return Verdict::kWait;
}

}  // namespace weft::filters
