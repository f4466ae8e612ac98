// A view from YAML, for the tests of translation.
#pragma once
#include "controlplane/model/view.h"
#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace weft::translate {

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Objects are as old as their place in the text.
inline std::shared_ptr<const model::View> view_of(const std::string& yaml) {
  auto verdicts = validation::validate_text(yaml, "world.yaml");
  EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
  std::vector<model::ResourcePtr> resources;
  uint64_t age = 0;
  for (model::Resource& resource : verdicts.resources) {
    resource.created = ++age;
    resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  }
  return model::View::build(1, std::move(resources));
}

inline model::Node node_of(const std::string& id, const std::string& metadata = R"({"INTERCEPTION_MODE":"NONE"})") {
  auto node = model::parse_node(id, "", metadata);
  EXPECT_TRUE(node) << (node ? "" : node.error().detail);
  return node ? *node : model::Node{};
}

}  // namespace weft::translate
