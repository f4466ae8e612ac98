// connectionPool, as DestinationRules and Sidecars have it.
#pragma once
#include "controlplane/validation/kinds.h"

namespace weft::validation {

extern const Table kConnectionPoolTable;
model::ConnectionPool read_connection_pool(const Reader& from);

}  // namespace weft::validation
