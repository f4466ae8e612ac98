// envoy.filters.http.header_mutation: adds and removes header lines, trailers and query parameters, in the order in which they
// are listed. Those of the filter come first; then those of the levels of the route, the most general last (it has the last
// word), or the other way round where most_specific_header_mutations_wins says so.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/mutations.h"
#include "proxy/routing/route.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::format {
class Formatter;
struct RequestInfo;
}  // namespace weft::format

namespace weft::filters {

using routing::HeaderStep;

struct QueryStep {
  enum class Action : uint8_t { kAppendIfExistsOrAdd, kAddIfAbsent, kOverwriteIfExistsOrAdd, kOverwriteIfExists, kRemove };
  Action action = Action::kAppendIfExistsOrAdd;
  std::string key, value;                                   // not encoded
  std::shared_ptr<const format::Formatter> formatter = {};  // in place of `value`, when that has operators
};

struct MutationSteps {
  std::vector<HeaderStep> request, response, request_trailers, response_trailers;
  std::vector<QueryStep> query;
};

// "/a?x=1&y=2" after these steps. Parameters come out ordered by name; those that stay keep their bytes.
std::string mutate_query(std::string_view path, const std::vector<QueryStep>& steps, const format::RequestInfo& info);

struct HeaderMutationRoute final : routing::FilterConfig {
  MutationSteps steps;
};

struct HeaderMutationOptions {
  MutationSteps steps;
  bool most_specific_wins = false;
};

class HeaderMutation final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestTrailers | kOnResponseHead | kOnResponseTrailers;
  HeaderMutation(const HeaderMutationOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_trailers(FilterContext& context, http::Head& trailers) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_response_trailers(FilterContext& context, http::Head& trailers) override;

 private:
  template <class Visit>  // visit(const MutationSteps&), in order
  void for_each_level(FilterContext& context, Visit visit) const;
  void mutate(FilterContext& context, http::Head& head, std::vector<HeaderStep> MutationSteps::*part) const;

  const HeaderMutationOptions& options_;
  const std::string& name_;
};

HttpFilterType header_mutation_type();

}  // namespace weft::filters
