#include "common/observe/shapes.h"

#include <xxhash.h>

namespace weft::observe {

int64_t version_hash(std::string_view version_info) {
  return version_info.empty() ? 0 : static_cast<int64_t>(XXH64(version_info.data(), version_info.size(), 0));
}

}  // namespace weft::observe
