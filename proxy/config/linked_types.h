// A message that is only ever met inside an Any must be linked by name, or the pool of descriptors does not know it.
#pragma once

namespace weft::config {

void link_extension_types();

}  // namespace weft::config
