// nft: all tables of ours, for both address families, change in one transaction.
#include "init/backend.h"
#include "init/nft_text.h"

#include <algorithm>

namespace weft::init {
namespace {

std::vector<std::string> lines_of(const std::vector<NftTable>& tables) {
  std::vector<std::string> lines;
  for (const NftTable& table : tables) {
    for (const NftChain& chain : table.chains) {
      const std::string place = "nft inet " + table.name + " " + chain.name + ": ";
      if (!chain.hook.empty()) lines.push_back(place + chain.hook);
      if (chain.hook.empty() && chain.rules.empty()) lines.push_back(place + "(empty)");
      for (const std::string& rule : chain.rules) lines.push_back(place + rule);
    }
  }
  return lines;
}

class NftBackend final : public Backend {
 public:
  explicit NftBackend(CommandRunner run) : run_(std::move(run)) {}

  const char* name() const override { return "nft"; }
  std::vector<std::string> missing_programs() const override {
    return is_installed("nft") ? std::vector<std::string>() : std::vector<std::string>{"nft"};
  }

  Result<std::vector<std::string>> in_force() override {
    const auto names = tables_in_force();
    if (!names) return names.error();
    std::vector<NftTable> tables;
    for (const std::string& name : *names) {
      const std::vector<std::string> command = {"nft", "-s", "-y", "-u", "list", "table", "inet", name};
      const auto listed = run_(command, {});
      if (!listed) return listed.error();
      if (listed->code != 0) return command_error(command, *listed);
      tables.push_back(parse_nft_table(name, listed->output));
    }
    return lines_of(tables);
  }

  std::vector<std::string> wanted(const std::vector<Rule>& rules, bool ipv6) const override { return lines_of(nft_tables(rules, ipv6)); }

  Status replace(const std::vector<Rule>& rules, bool ipv6) override {
    const auto names = tables_in_force();
    if (!names) return names.error();
    const std::string text = nft_transaction(*names, nft_tables(rules, ipv6));
    if (text.empty()) return {};
    const std::vector<std::string> command = {"nft", "-f", "-"};
    const auto result = run_(command, text);
    if (!result) return result.error();
    if (result->code != 0) return command_error(command, *result);
    return {};
  }

  std::string script(const std::vector<Rule>& rules, bool ipv6) const override {
    return "# nft -f -\n" + nft_transaction({}, nft_tables(rules, ipv6));
  }

 private:
  Result<std::vector<std::string>> tables_in_force() {
    const std::vector<std::string> command = {"nft", "list", "tables", "inet"};
    const auto listed = run_(command, {});
    if (!listed) return listed.error();
    if (listed->code != 0) return command_error(command, *listed);
    std::vector<std::string> names;
    for (const Table table : kTables) {
      const std::string line = "table inet " + std::string(nft_table_name(table)) + "\n";
      if (("\n" + listed->output + "\n").find("\n" + line) != std::string::npos) names.emplace_back(nft_table_name(table));
    }
    return names;
  }

  CommandRunner run_;
};

}  // namespace

std::unique_ptr<Backend> nft_backend(CommandRunner run) { return std::make_unique<NftBackend>(std::move(run)); }

}  // namespace weft::init
