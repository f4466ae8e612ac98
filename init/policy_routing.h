// What TPROXY needs beside rules: packets with the mark are delivered here, whatever address they are for. A rule of policy routing
// and a table of one route, by the program `ip`.
#pragma once
#include "init/command.h"
#include "init/plan.h"

namespace weft::init {

// One line each, as in Backend.
std::vector<std::string> routing_wanted(const CapturePlan& plan);
// Those for the plan's mark and table, in both address families, whether the plan wants them or not.
Result<std::vector<std::string>> routing_in_force(const CommandRunner& run, const CapturePlan& plan);
// Adds and removes until exactly `wanted` is there. After a failure what was added is gone again.
Status replace_routing(const CommandRunner& run, const CapturePlan& plan, const std::vector<std::string>& wanted);
// The commands, for people.
std::string routing_script(const CapturePlan& plan);

}  // namespace weft::init
