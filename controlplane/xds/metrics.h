// The control plane's metric families, under istiod's names, so that dashboards and alerts made for istiod work.
#pragma once
#include "common/observe/prometheus_registry.h"

namespace weft::xds {

// Declares every family and sets what is constant. `version` is the program's.
void declare_metrics(observe::PrometheusRegistry& registry, std::string_view version);

}  // namespace weft::xds
