// Parts of check_references, by kind. None refuses anything.
#pragma once
#include "controlplane/model/view.h"
#include "controlplane/validation/codes.h"

namespace weft::validation {

Diagnostic finding_at(const model::Resource& resource, const Code& code, Severity severity, std::string message, std::string field,
                      std::string fix);

void analyze_gateways(const model::View& view, Diagnostics& findings);
void analyze_service_entries(const model::View& view, Diagnostics& findings);
void analyze_rate_limits(const model::View& view, Diagnostics& findings);

}  // namespace weft::validation
