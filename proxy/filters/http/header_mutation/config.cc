#include "proxy/filters/matching/config.h"
#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "proxy/filters/http/header_mutation/filter.h"
#include "proxy/format/formatter.h"

namespace weft::filters {
namespace {

namespace mutation = envoy::extensions::filters::http::header_mutation::v3;
namespace core = envoy::config::core::v3;
using google::protobuf::RepeatedPtrField;

constexpr Field kHeaderMutation[] = {
    {"mutations"},
    {"most_specific_header_mutations_wins"},
};
constexpr Field kHeaderMutationPerRoute[] = {
    {"mutations"},
};
constexpr Field kMutations[] = {
    {"request_mutations"},           {"response_mutations"},         {"query_parameter_mutations"},
    {"response_trailers_mutations"}, {"request_trailers_mutations"},
};
constexpr Field kOneMutation[] = {
    {.name = "remove", .checks = kNotEmpty | kHeaderName},
    {"append"},
    {"remove_on_match"},
};
constexpr Field kRemoveOnMatch[] = {
    {.name = "key_matcher", .checks = kRequired},
};
constexpr Field kKeyValueMutation[] = {
    {"append"},
    {.name = "remove", .max = 16384},
};
constexpr Field kKeyValueAppend[] = {
    {.name = "record", .note = "or entry, the older form; one of them is required"},
    {.name = "entry"},
    {"action"},
};
constexpr Field kKeyValue[] = {
    {.name = "key", .checks = kNotEmpty, .max = 16384},
    {.name = "value", .max = 16384},
};
constexpr Field kKeyValuePair[] = {
    {.name = "key", .checks = kNotEmpty, .max = 16384},
    {.name = "value", .note = "text"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", kHeaderMutation, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute", kHeaderMutationPerRoute, "", "per_route"),
    fields_of("envoy.extensions.filters.http.header_mutation.v3.Mutations", kMutations),
    fields_of("envoy.config.common.mutation_rules.v3.HeaderMutation", kOneMutation, "action"),
    fields_of("envoy.config.common.mutation_rules.v3.HeaderMutation.RemoveOnMatch", kRemoveOnMatch),
    fields_of("envoy.config.core.v3.KeyValueMutation", kKeyValueMutation),
    fields_of("envoy.config.core.v3.KeyValueAppend", kKeyValueAppend),
    fields_of("envoy.config.core.v3.KeyValuePair", kKeyValuePair),
    fields_of("envoy.config.core.v3.KeyValue", kKeyValue),
    whole_message("google.protobuf.Value"),
};

std::vector<QueryStep> query_steps(const RepeatedPtrField<core::KeyValueMutation>& from, const Where& parent) {
  using Action = QueryStep::Action;
  std::vector<QueryStep> to;
  for (int i = 0; i < from.size(); ++i) {
    const Where where(parent, "query_parameter_mutations", i);
    if (!from[i].has_append()) {
      if (from[i].remove().empty()) where.fail("needs one of append, remove");
      to.push_back({Action::kRemove, from[i].remove(), {}});
      continue;
    }
    if (!from[i].remove().empty()) where.fail("must not have both append and remove");
    const core::KeyValueAppend& append = from[i].append();
    Action action = Action::kAppendIfExistsOrAdd;
    switch (append.action()) {
      case core::KeyValueAppend::ADD_IF_ABSENT: action = Action::kAddIfAbsent; break;
      case core::KeyValueAppend::OVERWRITE_IF_EXISTS_OR_ADD: action = Action::kOverwriteIfExistsOrAdd; break;
      case core::KeyValueAppend::OVERWRITE_IF_EXISTS: action = Action::kOverwriteIfExists; break;
      default: break;
    }
    if (append.has_record() == append.has_entry()) Where(where, "append").fail("needs one of record, entry");
    if (append.has_record() && !append.record().value().has_string_value()) Where(where, "append").fail("record.value must be text");
    QueryStep step = append.has_record() ? QueryStep{action, append.record().key(), append.record().value().string_value()}
                                         : QueryStep{action, append.entry().key(), append.entry().value()};
    if (step.value.find('%') != std::string::npos) {
      Result<format::Formatter> formatter = format::Formatter::text(step.value, {.omit_empty = true});
      if (!formatter) {
        Where(where, "append").fail("record.value: " + formatter.error().detail);
        continue;
      }
      step.formatter = std::make_shared<const format::Formatter>(std::move(*formatter));
      step.value.clear();
    }
    to.push_back(std::move(step));
  }
  return to;
}

MutationSteps all_steps(const mutation::Mutations& from, const Where& parent) {
  const Where where(parent, "mutations");
  MutationSteps to;
  to.request = header_steps(from.request_mutations(), where, "request_mutations");
  to.response = header_steps(from.response_mutations(), where, "response_mutations");
  to.request_trailers = header_steps(from.request_trailers_mutations(), where, "request_trailers_mutations");
  to.response_trailers = header_steps(from.response_trailers_mutations(), where, "response_trailers_mutations");
  to.query = query_steps(from.query_parameter_mutations(), where);
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild&, const Where& where) {
  mutation::HeaderMutation from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no HeaderMutation"), nullptr;
  HeaderMutationOptions options{all_steps(from.mutations(), where), from.most_specific_header_mutations_wins()};
  return std::make_unique<FactoryOf<HeaderMutation, HeaderMutationOptions>>(instance, HeaderMutation::kHooks, std::move(options));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild&, const Where& where) {
  mutation::HeaderMutationPerRoute from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no HeaderMutationPerRoute"), nullptr;
  auto config = std::make_shared<HeaderMutationRoute>();
  config->steps = all_steps(from.mutations(), where);
  return config;
}

}  // namespace

HttpFilterType header_mutation_type() {
  return {"envoy.filters.http.header_mutation",
          "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
          "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
          [] { return all_of(kTables); },
          &make,
          &make_for_route,
          true};
}

}  // namespace weft::filters
