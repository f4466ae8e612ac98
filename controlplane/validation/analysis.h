// Parts of check_references, by kind. None refuses anything.
#pragma once
#include "controlplane/model/view.h"
#include "controlplane/validation/codes.h"
#include "controlplane/validation/pods.h"

namespace weft::validation {

Diagnostic finding_at(const model::Resource& resource, const Code& code, Severity severity, std::string message, std::string field,
                      std::string fix);

std::string item_of(std::string_view list, size_t i);  // "list[2]"
std::string text_of(const model::Labels& labels);      // "app=web,tier=x"

void analyze_gateways(const model::View& view, const Pods& pods, Diagnostics& findings);
void analyze_service_entries(const model::View& view, Diagnostics& findings);
void analyze_rate_limits(const model::View& view, Diagnostics& findings);
void analyze_workloads(const model::View& view, const Pods& pods, Diagnostics& findings);

}  // namespace weft::validation
