// The blocks of an HTTP route that say how a request is treated on its way: retries, faults, CORS, rewrites.
#pragma once
#include "controlplane/validation/kinds.h"

namespace weft::validation::virtual_service {

extern const Table kRetriesTable, kFaultTable, kCorsTable, kRewriteTable, kPercentTable;

model::Retries read_retries(const Reader& from);
model::Fault read_fault(const Reader& from);
model::CorsPolicy read_cors(const Reader& from);
model::Rewrite read_rewrite(const Reader& from);

}  // namespace weft::validation::virtual_service
