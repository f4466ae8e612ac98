#include "common/base/yaml.h"

#include <gtest/gtest.h>

namespace weft::yaml {
namespace {

Node parse_one(std::string_view text) {
  std::vector<Document> documents;
  Diagnostic problem;
  EXPECT_TRUE(parse(text, "t.yaml", documents, problem)) << render(problem);
  return documents.empty() ? Node{} : documents[0].root;
}

Diagnostic parse_error(std::string_view text, const Limits& limits = {}) {
  std::vector<Document> documents;
  Diagnostic problem;
  EXPECT_FALSE(parse(text, "t.yaml", documents, problem, limits)) << text;
  return problem;
}

TEST(Yaml, KeepsTextMarksAndOrder) {
  Node root = parse_one("b: no\na:\n- 0o17\n- \"x\"\n");
  ASSERT_TRUE(root.is_map());
  EXPECT_EQ(root.entries[0].key, "b");
  EXPECT_EQ(root.entries[0].value.text, "no");
  bool b;
  EXPECT_FALSE(to_bool(root.entries[0].value, b));
  long long i;
  ASSERT_TRUE(to_int(root.find("a")->items[0], i));
  EXPECT_EQ(i, 15);
  EXPECT_TRUE(root.find("a")->items[1].quoted);
  EXPECT_EQ(root.find("a")->items[1].mark.line, 4);
  EXPECT_EQ(root.find("a")->items[1].mark.column, 3);
}

TEST(Yaml, ReadsJson) {
  Node root = parse_one(R"({"a": [1, true, null, "t\/\"x\"\u00e9"], "b": {}})");
  EXPECT_EQ(to_json(root), R"({"a":[1,true,null,"t/\"x\"é"],"b":{}})");
}

TEST(Yaml, SplitsDocuments) {
  std::vector<Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(parse("---\na: 1\n---\n---\nb: 2\n", "t.yaml", documents, problem));
  EXPECT_EQ(documents.size(), 2u);
}

TEST(Yaml, DuplicateKeyNamesTheLine) {
  Diagnostic problem = parse_error("a: 1\nb: 2\na: 3\n");
  EXPECT_EQ(problem.mark.line, 3);
  EXPECT_NE(render(problem).find("t.yaml:3:1"), std::string::npos) << render(problem);
  EXPECT_NE(render(problem).find("3 | a: 3"), std::string::npos) << render(problem);
}

TEST(Yaml, RefusesWhatHurts) {
  parse_error("a:\tb\n\t- c");
  parse_error("a: !!binary aGk=");
  parse_error("a: !custom x");
  parse_error("[1, 2");
  parse_error("a: *nobody");
  parse_error(std::string(200, '['));
  parse_error("a: 1", {.bytes = 2});
}

TEST(Yaml, BillionLaughsIsBounded) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string p = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + p;
    for (int j = 0; j < 9; ++j) text += "," + p;
    text += "]\n";
  }
  EXPECT_NE(parse_error(text).message.find("nodes"), std::string::npos);
}

TEST(Yaml, MergeKeys) {
  Node root = parse_one("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n");
  EXPECT_EQ(to_json(*root.find("use")), R"({"y":3,"x":1})");
}

TEST(Yaml, YamlRoundTrip) {
  const char* json = R"({"a":"true","b":[{"c":1,"d":["x",{"e":null}]},[],{}],"f":"- x: \"y\"\n","g":"007","h":"","<<":"x","i":"a\u2028 b"})";
  Node root = parse_one(json);
  EXPECT_EQ(to_json(parse_one(to_yaml(root))), to_json(root)) << to_yaml(root);
}

TEST(Diagnostic, DidYouMean) {
  EXPECT_EQ(did_you_mean("wieght", {"weight", "host", "subset"}), "weight");
  EXPECT_EQ(did_you_mean("zzzzzz", {"weight", "host", "subset"}), "");
}

}  // namespace
}  // namespace weft::yaml
