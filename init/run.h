// What weft-init does once its flags are read, over whatever runs commands: tests give it a machine of their own.
#pragma once
#include "init/backend.h"
#include "init/options.h"

#include <iosfwd>

namespace weft::init {

// What this process may use of the machine.
struct Machine {
  CommandRunner run;
  std::function<Surroundings()> look_around;
  std::function<Status()> may_change_rules;
  std::function<Status(const CapturePlan&, std::chrono::milliseconds)> probe;
  std::vector<std::shared_ptr<Backend>> backends;  // the preferred one first
};
Machine this_machine(const Options& options);

int run(const Options& options, Machine machine, std::ostream& out, std::ostream& err);

}  // namespace weft::init
