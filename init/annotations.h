// What a pod's annotations ask for, as flags of weft-init: the one table of which annotation is which flag.
#pragma once
#include "init/plan.h"

#include <map>

namespace weft::init {

using Annotations = std::map<std::string, std::string>;

// The flags that the injector gives weft-init in a pod without annotations: everything in, everything out, but not the ports that the
// proxy itself serves.
CaptureFlags sidecar_flags();

// `flags` changed by the annotations. Those that say nothing about capture are left alone; a value that no flag takes is an error that
// names the annotation.
Result<CaptureFlags> flags_of(const Annotations& annotations, CaptureFlags flags = sidecar_flags());

// As weft-init's command line, all that differs from the defaults of its flags.
std::vector<std::string> arguments_of(const CaptureFlags& flags);

}  // namespace weft::init
