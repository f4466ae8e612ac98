#include "common/base/error.h"

#include <cstring>

namespace weft {

Error system_error(std::string what, int code) {
  char text[128];
  return {Error::Kind::kSystem, std::move(what) + ": " + strerror_r(code, text, sizeof text)};
}

}  // namespace weft
