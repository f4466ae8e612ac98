#include "proxy/filters/http/header_mutation/filter.h"

#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;
namespace core = envoy::config::core::v3;
using Step = envoy::config::common::mutation_rules::v3::HeaderMutation;

void append(Step& step, const char* name, const char* value,
            core::HeaderValueOption::HeaderAppendAction action = core::HeaderValueOption::APPEND_IF_EXISTS_OR_ADD) {
  step.mutable_append()->mutable_header()->set_key(name);
  step.mutable_append()->mutable_header()->set_value(value);
  step.mutable_append()->set_append_action(action);
}

TEST(HeaderMutation, InTheOrderInWhichTheyAreListed) {
  v3::HeaderMutation proto;
  auto& mutations = *proto.mutable_mutations();
  append(*mutations.add_request_mutations(), "X-A", "1");
  mutations.add_request_mutations()->set_remove("x-a");
  append(*mutations.add_request_mutations(), "x-a", "2");
  mutations.add_request_mutations()->mutable_remove_on_match()->mutable_key_matcher()->set_prefix("x-secret-");
  append(*mutations.add_response_mutations(), "x-path", "%REQ(:PATH)%");
  append(*mutations.add_request_trailers_mutations(), "x-t", "3");
  mutations.add_response_trailers_mutations()->set_remove("x-t");
  auto factory = factory_of(header_mutation_type(), proto);
  FakeContext context;
  context.info_.request = &context.request_;
  context.request_.set_path("/p");
  context.request_.set_authority("h");
  context.request_.add("x-secret-one", "1");
  context.request_.add("x-secret-two", "1");
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_request_head(context, true), Verdict::kContinue);
  EXPECT_EQ(context.request_.value("x-a"), "2");
  EXPECT_EQ(context.request_.count(), 2u);
  filter->on_response_head(context, true);
  EXPECT_EQ(context.response_.value("x-path"), "/p");
  http::Head trailers(context.pool);
  filter->on_request_trailers(context, trailers);
  EXPECT_EQ(trailers.value("x-t"), "3");
  filter->on_response_trailers(context, trailers);
  EXPECT_EQ(trailers.count(), 0u);
}

TEST(HeaderMutation, RemovingEverythingLeavesTheHost) {
  v3::HeaderMutation proto;
  proto.mutable_mutations()->add_request_mutations()->mutable_remove_on_match()->mutable_key_matcher()->mutable_safe_regex()->set_regex(
      ".*");
  auto factory = factory_of(header_mutation_type(), proto);
  FakeContext context;
  context.request_.set_authority("h");
  context.request_.add("x-a", "1");
  MadeFilter filter(*factory);
  filter->on_request_head(context, true);
  EXPECT_EQ(context.request_.authority(), "h");
  EXPECT_EQ(context.request_.count(), 1u);
}

TEST(HeaderMutation, WhoHasTheLastWord) {
  for (const auto& [most_specific_wins, winner] : {std::pair{false, "general"}, std::pair{true, "specific"}}) {
    v3::HeaderMutation proto;
    proto.set_most_specific_header_mutations_wins(most_specific_wins);
    append(*proto.mutable_mutations()->add_request_mutations(), "x-level", "filter");
    v3::HeaderMutationPerRoute specific, general;
    append(*specific.mutable_mutations()->add_request_mutations(), "x-level", "specific",
           core::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
    append(*general.mutable_mutations()->add_request_mutations(), "x-level", "general",
           core::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
    auto factory = factory_of(header_mutation_type(), proto);
    FakeContext context;
    context.configs["envoy.filters.http.header_mutation"] = route_config_of(header_mutation_type(), specific);
    context.more_general.push_back(route_config_of(header_mutation_type(), general));
    MadeFilter filter(*factory);
    filter->on_request_head(context, true);
    EXPECT_EQ(context.request_.value("x-level"), winner);
  }
}

TEST(HeaderMutation, QueryParameters) {
  using Action = QueryStep::Action;
  const std::vector<QueryStep> steps = {{Action::kAppendIfExistsOrAdd, "a", "1"},
                                        {Action::kOverwriteIfExistsOrAdd, "b", "x y&"},
                                        {Action::kAddIfAbsent, "c", "3"},
                                        {Action::kOverwriteIfExists, "d", "4"},
                                        {Action::kRemove, "e", ""}};
  const format::RequestInfo info;
  EXPECT_EQ(mutate_query("/q", steps, info), "/q?a=1&b=x%20y%26&c=3");
  EXPECT_EQ(mutate_query("/q?", steps, info), "/q?a=1&b=x%20y%26&c=3");
  EXPECT_EQ(mutate_query("/q?a=0&b=0&c=0&d=0&e=0&f=1", steps, info), "/q?a=0&a=1&b=x%20y%26&c=0&d=4&f=1");
  EXPECT_EQ(mutate_query("/q?f&%65=1&e&&z=%20", steps, info), "/q?a=1&b=x%20y%26&c=3&f=&z=%20");
  EXPECT_EQ(mutate_query("/q?e=1", {{Action::kRemove, "e", ""}}, info), "/q");
}

TEST(HeaderMutation, WhatCannotBeDone) {
  v3::HeaderMutation proto;
  auto& mutations = *proto.mutable_mutations();
  mutations.add_request_mutations()->set_remove("Host");
  append(*mutations.add_request_mutations(), ":path", "/");
  append(*mutations.add_response_mutations(), "x-a", "%NO_SUCH_THING%");
  mutations.add_query_parameter_mutations();
  auto* record = mutations.add_query_parameter_mutations()->mutable_append()->mutable_record();
  record->set_key("k");
  record->mutable_value()->set_number_value(1);
  Diagnostics problems;
  const Runtime runtime;
  const Where where(problems, "f");
  header_mutation_type().make("m", proto.SerializeAsString(), {runtime, nullptr, {}}, where);
  const std::string text = render(problems);
  for (const char* field : {"f.mutations.request_mutations[0].remove", "f.mutations.request_mutations[1].append.header",
                            "f.mutations.response_mutations[0].append.header", "f.mutations.query_parameter_mutations[0]",
                            "f.mutations.query_parameter_mutations[1].append"})
    EXPECT_NE(text.find(field), std::string::npos) << field << " in " << text;
}

}  // namespace
}  // namespace weft::filters
