// iptables-save and iptables-restore, and their siblings for IPv6. A table changes at once; where a later step fails, the earlier
// are taken back.
#include "init/backend.h"
#include "init/iptables_text.h"

#include <algorithm>

namespace weft::init {
namespace {

struct Saved {
  std::vector<IptablesLine> lines;
  std::vector<std::string> chains;
};

// In the order of tables and chains, however they were listed; rules of a chain stay in their order.
std::vector<IptablesLine> in_order(std::vector<IptablesLine> lines) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const IptablesLine& a, const IptablesLine& b) { return a.table != b.table ? a.table < b.table : a.chain < b.chain; });
  return lines;
}

class IptablesBackend final : public Backend {
 public:
  IptablesBackend(CommandRunner run, const std::string& variant) : run_(std::move(run)) {
    const std::string end = variant.empty() ? "" : "-" + variant;
    for (const bool v6 : {false, true}) {
      save_[v6] = std::string(v6 ? "ip6tables" : "iptables") + end + "-save";
      restore_[v6] = std::string(v6 ? "ip6tables" : "iptables") + end + "-restore";
    }
  }

  const char* name() const override { return "iptables"; }
  std::vector<std::string> missing_programs() const override {
    std::vector<std::string> missing;
    for (const bool v6 : {false, true})
      for (const std::string& program : {save_[v6], restore_[v6]})
        if (!is_installed(program)) missing.push_back(program);
    return missing;
  }

  Result<std::vector<std::string>> in_force() override {
    std::vector<std::string> lines;
    for (const bool v6 : {false, true}) {
      const auto saved = save(v6);
      if (!saved) return saved.error();
      append(lines, v6, saved->lines, saved->chains);
    }
    return lines;
  }

  std::vector<std::string> wanted(const std::vector<Rule>& rules, bool ipv6) const override {
    std::vector<std::string> lines;
    for (const bool v6 : {false, true}) {
      if (v6 && !ipv6) continue;
      const std::vector<IptablesLine> made = iptables_lines(rules, v6);
      append(lines, v6, made, chains_of(made));
    }
    return lines;
  }

  Status replace(const std::vector<Rule>& rules, bool ipv6) override {
    Saved before;
    for (const bool v6 : {false, true}) {
      const auto saved = save(v6);
      Status done;
      if (!saved)
        done = saved.error();
      else
        done = restore(v6, *saved, !v6 || ipv6 ? iptables_lines(rules, v6) : std::vector<IptablesLine>());
      if (!done) {
        if (v6) put_back(false, before);
        if (saved) put_back(v6, *saved);
        return done;
      }
      if (!v6) before = *saved;
    }
    return {};
  }

  std::string script(const std::vector<Rule>& rules, bool ipv6) const override {
    std::string text;
    for (const bool v6 : {false, true}) {
      if (v6 && !ipv6) continue;
      text += "# " + restore_[v6] + " --noflush\n" + restore_text({}, {}, iptables_lines(rules, v6));
    }
    return text;
  }

 private:
  static void append(std::vector<std::string>& lines, bool v6, const std::vector<IptablesLine>& rules, std::vector<std::string> chains) {
    const std::string family = v6 ? "ip6tables " : "iptables ";
    for (const IptablesLine& rule : in_order(rules)) {
      lines.push_back(family + text_of(rule));
      std::erase(chains, std::string(name_of(rule.table)) + " " + rule.chain);
    }
    // A chain without a rule is ours all the same.
    std::sort(chains.begin(), chains.end());
    for (const std::string& chain : chains) lines.push_back(family + chain + " (empty)");
  }

  Result<Saved> save(bool v6) {
    const auto result = run_({save_[v6]}, {});
    if (!result) return result.error();
    if (result->code != 0 && v6) return Saved{};  // a kernel without IPv6 has no rules for it
    if (result->code != 0) return command_error({save_[v6]}, *result);
    return Saved{our_lines(result->output), our_chains(result->output)};
  }

  Status restore(bool v6, const Saved& now, const std::vector<IptablesLine>& then) {
    const std::string text = restore_text(now.lines, now.chains, then);
    if (text.empty()) return {};
    const std::vector<std::string> command = {restore_[v6], "--wait=10", "--noflush"};
    const auto result = run_(command, text);
    if (!result) return result.error();
    if (result->code != 0) return command_error(command, *result);
    return {};
  }

  // After a failure: whatever of the change has come about goes again. Errors of this are not told over the first one.
  void put_back(bool v6, const Saved& before) {
    if (const auto now = save(v6); now && !(now->lines == before.lines && now->chains == before.chains)) {
      (void)restore(v6, *now, before.lines);
    }
  }

  CommandRunner run_;
  std::string save_[2], restore_[2];
};

}  // namespace

std::unique_ptr<Backend> iptables_backend(CommandRunner run, const std::string& variant) {
  return std::make_unique<IptablesBackend>(std::move(run), variant);
}

}  // namespace weft::init
