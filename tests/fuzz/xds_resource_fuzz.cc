// links: proxy_config
// Any bytes as an xDS resource: the first byte chooses the type. A resource is accepted or rejected with a text, and what was
// accepted is accepted again, unchanged.
#include "proxy/config/snapshot_builder.h"

#include "proxy/config/values.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {
[[noreturn]] void broken(const char* rule, const std::string& detail) {
  std::fprintf(stderr, "broken rule: %s\n%s\n", rule, detail.c_str());
  std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using namespace weft::config;
  static const weft::filters::Runtime runtime;
  const BuildContext context{runtime};
  Values values;
  Changes changes;
  changes.type = static_cast<ResourceType>(data[0] % 4);
  changes.resources.push_back({std::string(type_url(changes.type)), std::string(reinterpret_cast<const char*>(data + 1), size - 1), {}});
  const Built first = build(values, changes, context);
  if (first.accepted.size() + first.rejected.size() != 1) broken("one resource, one verdict", first.nack_detail());
  for (const Rejected& rejected : first.rejected)
    if (rejected.detail.empty() || rejected.findings.empty()) broken("a rejection says why", rejected.name);
  apply(first, values);
  if (first.rejected.empty() && !build(values, changes, context).update.empty()) broken("equal bytes change nothing", first.accepted[0]);
  return 0;
}
