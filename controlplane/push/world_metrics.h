// Gauges about the world itself, counted when somebody looks: nothing of a push depends on them.
#pragma once
#include "common/observe/prometheus_registry.h"

namespace weft::model {
class View;
}

namespace weft::push {

void declare_world_metrics(observe::PrometheusRegistry& registry);
void count_world(const model::View& view, observe::PrometheusRegistry& registry);

}  // namespace weft::push
