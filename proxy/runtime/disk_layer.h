// A layer of the runtime in a folder: a file's path below it, its slashes as dots, is the key, what it holds is the value; lines
// that begin with # say something to people. One deployed atomically by moving a link, as ConfigMaps are.
#pragma once
#include "common/base/error.h"
#include "proxy/runtime/runtime.h"

#include <optional>
#include <string>

namespace weft::runtime {

// Nothing: there is no such folder. An error: a file in it cannot be read, or folders lie too deep.
Result<std::optional<Layer>> read_disk_layer(const std::string& folder);

}  // namespace weft::runtime
