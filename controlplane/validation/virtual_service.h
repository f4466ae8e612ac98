// What other kinds share with VirtualService: how a request is matched.
#pragma once
#include "controlplane/validation/kinds.h"

namespace weft::validation::virtual_service {

// Conditions on the request. Those on where it comes from and goes to are read too, where the kind's table lets them through.
model::HttpMatch read_match(const Reader& from);

}  // namespace weft::validation::virtual_service
