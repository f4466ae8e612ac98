// links: common_base
// Any bytes as YAML. Beyond not crashing: what was accepted must be printable as YAML that reads back to the same tree
// (compared as JSON), a refusal must name the file, and the limits must hold.
#include "common/base/yaml.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

[[noreturn]] void broken(const char* rule, const std::string& detail) {
  std::fprintf(stderr, "broken rule: %s\n%s\n", rule, detail.c_str());
  std::abort();
}

int depth(const weft::yaml::Node& node) {
  int deepest = 0;
  for (const auto& item : node.items) deepest = std::max(deepest, depth(item));
  for (const auto& entry : node.entries) deepest = std::max(deepest, depth(entry.value));
  return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  weft::yaml::Limits limits;
  limits.depth = 32;
  limits.nodes = 20'000;
  std::vector<weft::yaml::Document> documents;
  weft::Diagnostic problem;
  if (!weft::yaml::parse(text, "fuzz.yaml", documents, problem, limits)) {
    if (problem.message.empty()) broken("a refusal says why", problem.code);
    return 0;
  }
  for (const auto& document : documents) {
    if (depth(document.root) > limits.depth + 1) broken("depth is bounded", std::to_string(depth(document.root)));
    const std::string json = weft::yaml::to_json(document.root);
    const std::string yaml = weft::yaml::to_yaml(document.root);
    std::vector<weft::yaml::Document> again;
    weft::Diagnostic complaint;
    if (!weft::yaml::parse(yaml, "again.yaml", again, complaint)) broken("printed YAML reads back", complaint.message + "\n" + yaml);
    if (document.root.is_null()) continue;
    if (again.size() != 1) broken("one document stays one", yaml);
    if (weft::yaml::to_json(again[0].root) != json) broken("the tree survives printing", json + "\n" + yaml);
  }
  return 0;
}
