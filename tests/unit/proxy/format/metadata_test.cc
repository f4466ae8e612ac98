#include "proxy/format/metadata.h"

#include "proxy/format/formatter.h"
#include "proxy/format/request_info.h"

#include <gtest/gtest.h>

namespace weft::format {
namespace {

MetadataStruct some() {
  MetadataStruct inner;
  inner["list"] = {MetadataList{{1.0}, {std::string("x")}, {true}, {}}};
  inner["text"] = {std::string("a\"b")};
  MetadataStruct outer;
  outer["inner"] = {inner};
  outer["number"] = {1.25};
  outer["text"] = {std::string("plain")};
  return outer;
}

TEST(Metadata, FindsByPath) {
  Metadata metadata;
  metadata.set("ns", some());
  EXPECT_EQ(*metadata.find("ns", {"number"})->as<double>(), 1.25);
  EXPECT_EQ(*metadata.find("ns", {"inner", "text"})->as<std::string>(), "a\"b");
  for (const std::vector<std::string>& path : {std::vector<std::string>{}, {"none"}, {"number", "deeper"}, {"inner", "list", "0"}})
    EXPECT_FALSE(metadata.find("ns", path));
  EXPECT_FALSE(metadata.find("other", {"number"}));
  EXPECT_FALSE(metadata.find("other"));
}

TEST(Metadata, SetReplacesMembersAndMergeJoinsThem) {
  Metadata metadata;
  metadata.set("ns", some());
  metadata.set("ns", "number", {std::string("two")});
  EXPECT_EQ(*metadata.find("ns", {"number"})->as<std::string>(), "two");
  EXPECT_TRUE(metadata.find("ns", {"text"}));
  MetadataStruct inner, more;
  inner["list"] = {MetadataList{{2.0}}};
  inner["new"] = {true};
  more["inner"] = {inner};
  more["text"] = {3.0};
  metadata.merge("ns", more);
  EXPECT_EQ(metadata.find("ns", {"inner", "list"})->as<MetadataList>()->size(), 5u);
  EXPECT_TRUE(metadata.find("ns", {"inner", "text"}));
  EXPECT_TRUE(metadata.find("ns", {"inner", "new"}));
  EXPECT_EQ(*metadata.find("ns", {"text"})->as<double>(), 3.0);
}

std::string line(std::string_view format, const RequestInfo& info, FormatOptions options = {}) {
  std::string out;
  Formatter::text(format, options).value().append(out, info);
  return out;
}

TEST(Metadata, IsPrinted) {
  RequestInfo info;
  EXPECT_EQ(line("%DYNAMIC_METADATA(ns:text)%", info), "-");
  EXPECT_EQ(line("<%DYNAMIC_METADATA(ns:text)%>", info, {.omit_empty = true}), "<>");
  metadata_of(info).set("ns", some());
  EXPECT_EQ(line("%DYNAMIC_METADATA(ns:text)%", info), "plain");
  EXPECT_EQ(line("%DYNAMIC_METADATA(ns:text):3%", info), "pla");
  EXPECT_EQ(line("%DYNAMIC_METADATA(ns:number)% %METADATA(DYNAMIC:ns:inner:list)%", info), "1.25 [1,\"x\",true,null]");
  EXPECT_EQ(line("%DYNAMIC_METADATA(ns)%", info),
            "{\"inner\":{\"list\":[1,\"x\",true,null],\"text\":\"a\\\"b\"},\"number\":1.25,\"text\":\"plain\"}");
  EXPECT_EQ(line("%DYNAMIC_METADATA(ns:no)% %DYNAMIC_METADATA(no)%", info), "- -");
  EXPECT_FALSE(Formatter::text("%METADATA(CLUSTER:a:b)%"));
  EXPECT_FALSE(Formatter::text("%DYNAMIC_METADATA%"));
}

TEST(Metadata, IsPrintedIntoJson) {
  RequestInfo info;
  metadata_of(info).set("ns", some());
  JsonTemplate object;
  object.kind = JsonTemplate::Kind::kObject;
  for (const char* text : {"%DYNAMIC_METADATA(ns:inner)%", "%DYNAMIC_METADATA(ns:number)%", "%DYNAMIC_METADATA(ns:text)%",
                           "%DYNAMIC_METADATA(ns:none)%", "<%DYNAMIC_METADATA(ns:number)%>"}) {
    JsonTemplate value;
    value.kind = JsonTemplate::Kind::kFormat;
    value.format = text;
    object.members.push_back({std::string(1, static_cast<char>('a' + object.members.size())), value});
  }
  std::string out;
  Formatter::json(object).value().append(out, info);
  EXPECT_EQ(out, "{\"a\":{\"list\":[1,\"x\",true,null],\"text\":\"a\\\"b\"},\"b\":1.25,\"c\":\"plain\",\"d\":null,\"e\":\"<1.25>\"}\n");
}

}  // namespace
}  // namespace weft::format
