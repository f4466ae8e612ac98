// Where rules are put and how they are read back. A backend changes everything or nothing, and knows ours from others'.
#pragma once
#include "init/command.h"
#include "init/rules.h"

#include <memory>

namespace weft::init {

class Backend {
 public:
  virtual ~Backend() = default;

  virtual const char* name() const = 0;
  // The programs that it needs and that are not here.
  virtual std::vector<std::string> missing_programs() const = 0;

  // What is in force of ours, one line for each chain and rule, in order.
  virtual Result<std::vector<std::string>> in_force() = 0;
  // The same lines as they should be.
  virtual std::vector<std::string> wanted(const std::vector<Rule>& rules, bool ipv6) const = 0;
  // Replaces ours by these; without any rule, removes ours. Nothing has changed where this fails.
  virtual Status replace(const std::vector<Rule>& rules, bool ipv6) = 0;
  // What `replace` would feed to which program where nothing of ours is there yet.
  virtual std::string script(const std::vector<Rule>& rules, bool ipv6) const = 0;
};

// `variant`: "", or "legacy" or "nft" for the iptables of that name.
std::unique_ptr<Backend> iptables_backend(CommandRunner run, const std::string& variant = {});
std::unique_ptr<Backend> nft_backend(CommandRunner run);

// What must be added to, or removed from, the first to get the second: "+ line" and "- line"; where only the order is another, the places.
std::vector<std::string> difference(const std::vector<std::string>& now, const std::vector<std::string>& then);

}  // namespace weft::init
