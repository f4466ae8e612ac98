#include "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.pb.h"
#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h"
#include "envoy/extensions/filters/http/set_metadata/v3/set_metadata.pb.h"
#include "proxy/filters/http/header_to_metadata/filter.h"
#include "proxy/filters/http/set_filter_state/filter.h"
#include "proxy/filters/http/set_metadata/filter.h"
#include "proxy/format/filter_state.h"

#include "fake_context.h"

#include <google/protobuf/struct.pb.h>

namespace weft::filters {
namespace {

using HeaderConfig = envoy::extensions::filters::http::header_to_metadata::v3::Config;
using StateConfig = envoy::extensions::filters::http::set_filter_state::v3::Config;
using SetConfig = envoy::extensions::filters::http::set_metadata::v3::Config;

HeaderConfig::KeyValuePair* note(HeaderConfig& config, const char* header, HeaderConfig::ValueType type = HeaderConfig::STRING,
                                 HeaderConfig::ValueEncode encode = HeaderConfig::NONE) {
  HeaderConfig::Rule* rule = config.add_request_rules();
  rule->set_header(header);
  rule->mutable_on_header_present()->set_metadata_namespace("ns");
  rule->mutable_on_header_present()->set_key(header);
  rule->mutable_on_header_present()->set_type(type);
  rule->mutable_on_header_present()->set_encode(encode);
  return rule->mutable_on_header_present();
}

const format::MetadataValue* noted(FakeContext& context, const char* key) {
  return context.info_.metadata ? context.info_.metadata->find("ns", {key}) : nullptr;
}

TEST(HeaderToMetadata, TypesOfValues) {
  HeaderConfig config;
  note(config, "x-text");
  note(config, "x-number", HeaderConfig::NUMBER);
  note(config, "x-base", HeaderConfig::STRING, HeaderConfig::BASE64);
  note(config, "x-value", HeaderConfig::PROTOBUF_VALUE, HeaderConfig::BASE64);
  note(config, "x-fixed")->set_value("always this");
  auto factory = factory_of(header_to_metadata_type(), config);
  FakeContext context;
  MadeFilter filter(*factory);
  filter->on_request_head(context, true);
  EXPECT_FALSE(context.info_.metadata);
  for (auto [name, value] : {std::pair{"x-text", "a"},
                             {"x-text", "b"},
                             {"x-number", "1.5e3"},
                             {"x-base", "aGVsbG8="},
                             {"x-value", "GgR0ZXh0"},
                             {"x-fixed", "z"}})
    context.request_.add(name, value);
  filter->on_request_head(context, true);
  EXPECT_EQ(*noted(context, "x-text")->as<std::string>(), "a,b");
  EXPECT_EQ(*noted(context, "x-number")->as<double>(), 1500);
  EXPECT_EQ(*noted(context, "x-base")->as<std::string>(), "hello");
  EXPECT_EQ(*noted(context, "x-value")->as<std::string>(), "text");
  EXPECT_EQ(*noted(context, "x-fixed")->as<std::string>(), "always this");
}

TEST(HeaderToMetadata, ValuesThatAreNone) {
  HeaderConfig config;
  note(config, "x-text");
  note(config, "x-number", HeaderConfig::NUMBER);
  note(config, "x-base", HeaderConfig::STRING, HeaderConfig::BASE64);
  note(config, "x-value", HeaderConfig::PROTOBUF_VALUE, HeaderConfig::BASE64);
  auto factory = factory_of(header_to_metadata_type(), config);
  const std::string too_long(8192, 'x');
  for (auto [name, value] : {std::pair<const char*, std::string>{"x-text", ""},
                             {"x-text", too_long},
                             {"x-number", "12a"},
                             {"x-number", ""},
                             {"x-base", "a"},
                             {"x-base", "a==="},
                             {"x-base", "aGVsbG9="},
                             {"x-base", "!!!!"},
                             {"x-value", "////"}}) {
    FakeContext context;
    context.request_.add(name, value);
    MadeFilter filter(*factory);
    filter->on_request_head(context, true);
    EXPECT_FALSE(noted(context, name)) << name << " " << value;
  }
}

google::protobuf::Struct one(const char* key, double value) {
  google::protobuf::Struct out;
  (*out.mutable_fields())[key].set_number_value(value);
  return out;
}

TEST(SetMetadata, WhoMayOverwrite) {
  SetConfig config;
  auto* first = config.add_metadata();
  first->set_metadata_namespace("ns");
  *first->mutable_value() = one("old", 1);
  for (const bool overwrite : {false, true}) {
    auto* item = config.add_metadata();
    item->set_metadata_namespace("ns");
    item->set_allow_overwrite(overwrite);
    *item->mutable_value() = one(overwrite ? "taken" : "denied", 2);
  }
  auto factory = factory_of(set_metadata_type(), config);
  FakeContext context;
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
  EXPECT_TRUE(noted(context, "old"));
  EXPECT_TRUE(noted(context, "taken"));
  EXPECT_FALSE(noted(context, "denied"));
}

TEST(SetFilterState, LeavesTextsOfTheRequest) {
  StateConfig config;
  config.set_clear_route_cache(true);
  auto add = [&](const std::string& key, const std::string& factory, const std::string& format) {
    auto* item = config.add_on_request_headers();
    item->set_object_key(key);
    item->set_factory_key(factory);
    item->mutable_format_string()->mutable_text_format_source()->set_inline_string(format);
    return item;
  };
  add("plain", "envoy.string", "<%REQ(x-a)%>");
  add("envoy.hashable_string", "", "h");
  auto* skipped = add("skipped", "envoy.string", "%REQ(x-no)%");
  skipped->set_skip_if_empty(true);
  skipped->mutable_format_string()->set_omit_empty_values(true);
  auto factory = factory_of(set_filter_state_type(), config);
  FakeContext context;
  context.info().request = &context.request();
  context.request().add("x-a", "1");
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
  const format::FilterState& state = *context.info().filter_state;
  EXPECT_EQ(state.find("plain")->text, "<1>");
  EXPECT_FALSE(state.find("plain")->hashable);
  EXPECT_TRUE(state.find("envoy.hashable_string")->hashable);
  EXPECT_EQ(state.find("skipped"), nullptr);
}

}  // namespace
}  // namespace weft::filters
