#include "init/run.h"

#include "init/policy_routing.h"
#include "init/probe.h"
#include "init/surroundings.h"

#include <ostream>

namespace weft::init {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

class Run {
 public:
  Run(const Options& options, Machine& machine, std::ostream& out, std::ostream& err)
      : options_(options), machine_(machine), out_(out), err_(err) {}
  int go();

 private:
  int fail(const std::string& text, int code = kFailed) {
    err_ << "weft-init: " << text << "\n";
    return code;
  }
  Status choose_backend();
  bool routes() const { return plan_.policy_routing() || is_installed("ip"); }
  Status look();
  int apply();
  int check();
  int clean_up();
  int dry_run();
  Status change();
  Status remove_all();

  const Options& options_;
  Machine& machine_;
  std::ostream& out_;
  std::ostream& err_;
  CapturePlan plan_;
  std::vector<Rule> rules_;
  Backend* backend_ = nullptr;
  std::vector<Backend*> others_;         // installed, too
  std::vector<std::string> now_, then_;  // of the backend and of routing
  std::vector<std::string> elsewhere_;   // ours, in the other backends
};

Status Run::choose_backend() {
  std::string missing;
  for (const auto& one : machine_.backends) {
    const std::vector<std::string> programs = one->missing_programs();
    const bool wanted = options_.backend == "auto" || options_.backend == one->name();
    if (programs.empty()) {
      if (wanted && backend_ == nullptr)
        backend_ = one.get();
      else
        others_.push_back(one.get());
    } else if (wanted) {
      missing += (missing.empty() ? "" : "; ") + std::string("backend ") + one->name() + " lacks " + joined(programs);
    }
  }
  if (backend_ == nullptr) return not_found(missing + ": not in PATH (packages iptables, nftables)");
  if (plan_.policy_routing() && !options_.dry_run && !is_installed("ip"))
    return not_found("TPROXY needs the program ip: not in PATH (package iproute2)");
  return {};
}

// What is in force, and what should be.
Status Run::look() {
  const auto now = backend_->in_force();
  if (!now) return now.error();
  now_ = *now;
  then_ = backend_->wanted(rules_, plan_.ipv6);
  if (routes()) {
    const auto routing = routing_in_force(machine_.run, plan_);
    if (!routing) return routing.error();
    now_.insert(now_.end(), routing->begin(), routing->end());
    for (std::string& line : routing_wanted(plan_)) then_.push_back(std::move(line));
  }
  for (Backend* other : others_) {
    // What cannot be read there is no reason to stop here.
    if (const auto lines = other->in_force()) elsewhere_.insert(elsewhere_.end(), lines->begin(), lines->end());
  }
  return {};
}

Status Run::remove_all() {
  if (Status done = backend_->replace({}, true); !done) return done;
  for (Backend* other : others_)
    if (const auto lines = other->in_force(); lines && !lines->empty())
      if (Status done = other->replace({}, true); !done) return done;
  return routes() ? replace_routing(machine_.run, plan_, {}) : Status();
}

Status Run::change() {
  // Routing first: without rules that mark it has no effect.
  std::vector<std::string> routing_before;
  if (routes()) {
    const auto before = routing_in_force(machine_.run, plan_);
    if (!before) return before.error();
    routing_before = *before;
    if (Status done = replace_routing(machine_.run, plan_, routing_wanted(plan_)); !done) return done;
  }
  if (Status done = backend_->replace(rules_, plan_.ipv6); !done) {
    if (routes()) (void)replace_routing(machine_.run, plan_, routing_before);
    return done;
  }
  if (elsewhere_.empty()) return {};
  for (Backend* other : others_)
    if (Status done = other->replace({}, true); !done) return done;
  return {};
}

int Run::apply() {
  if (!options_.skip_apply) {
    if (Status looked = look(); !looked) return fail(looked.error().detail);
    const std::vector<std::string> differences = difference(now_, then_);
    const bool in_force = differences.empty() && elsewhere_.empty();
    if (in_force && !options_.force) {
      out_ << "weft-init: in force already (" << backend_->name() << ", " << then_.size() << " rules)\n";
    } else {
      const bool ours_there = !now_.empty() || !elsewhere_.empty();
      if (ours_there && !in_force && !options_.reconcile && !options_.force) {
        for (const std::string& line : differences) err_ << line << "\n";
        for (const std::string& line : elsewhere_) err_ << "- " << line << "\n";
        return fail("other rules of ours are in force; nothing was changed (--reconcile replaces them)");
      }
      if (Status changed = change(); !changed) return fail(changed.error().detail + "; nothing was changed");
      out_ << "weft-init: " << then_.size() << " rules in force (" << backend_->name() << ")\n";
    }
  }
  if (!options_.validate) return kOk;
  if (Status probed = machine_.probe(plan_, options_.probe_timeout); !probed) return fail(probed.error().detail, kValidationFailed);
  out_ << "weft-init: a connection of the proxy's user is captured as it should be\n";
  return kOk;
}

int Run::check() {
  if (Status looked = look(); !looked) return fail(looked.error().detail);
  std::vector<std::string> differences = difference(now_, then_);
  for (const std::string& line : elsewhere_) differences.push_back("- " + line);
  if (differences.empty()) {
    out_ << "weft-init: in force (" << backend_->name() << ", " << then_.size() << " rules)\n";
    return kOk;
  }
  for (const std::string& line : differences) out_ << line << "\n";
  return fail("not in force as the flags say (" + std::string(backend_->name()) + "): " + std::to_string(differences.size()) +
              " differences");
}

int Run::clean_up() {
  if (Status done = remove_all(); !done) return fail(done.error().detail);
  out_ << "weft-init: no rules of ours are left\n";
  return kOk;
}

int Run::dry_run() {
  if (options_.action == Action::kCleanUp) {
    if (Status looked = look(); !looked) return fail(looked.error().detail);
    for (const std::string& line : now_) out_ << "- " << line << "\n";
    for (const std::string& line : elsewhere_) out_ << "- " << line << "\n";
    return kOk;
  }
  out_ << routing_script(plan_) << backend_->script(rules_, plan_.ipv6);
  return kOk;
}

int Run::go() {
  const auto plan = plan_of(options_.capture, machine_.look_around());
  if (!plan) {
    err_ << plan.error().detail << "\n";
    return fail("the flags are wrong; nothing was changed", kUsage);
  }
  plan_ = *plan;
  rules_ = rules_of(plan_);
  if (Status chosen = choose_backend(); !chosen) return fail(chosen.error().detail);
  if (options_.dry_run) return dry_run();
  if (Status may = machine_.may_change_rules(); !may) return fail(may.error().detail);
  switch (options_.action) {
    case Action::kCheck: return check();
    case Action::kCleanUp: return clean_up();
    case Action::kApply: break;
  }
  return apply();
}

}  // namespace

Machine this_machine(const Options& options) {
  return {run_command,
          [] { return look_around(); },
          may_change_rules,
          probe_capture,
          {iptables_backend(run_command, options.iptables_variant), nft_backend(run_command)}};
}

int run(const Options& options, Machine machine, std::ostream& out, std::ostream& err) { return Run(options, machine, out, err).go(); }

}  // namespace weft::init
