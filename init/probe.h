// --run-validation: a connection that the proxy's user makes to its own pod must arrive at the proxy's inbound port, and tell where it
// was going. Both ends are ours, so nothing but the rules is tried.
#pragma once
#include "common/base/error.h"
#include "init/plan.h"

#include <chrono>

namespace weft::init {

// The proxy must not be running yet: its port is what we listen on.
Status probe_capture(const CapturePlan& plan, std::chrono::milliseconds patience);

}  // namespace weft::init
