// envoy.filters.http.grpc_stats: gRPC calls by status and by messages, in the stats of the cluster that the route names. A call counts
// once its grpc-status is there; messages as they pass.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/grpc/calls.h"
#include "proxy/filters/table.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace weft::filters {

struct GrpcStatsOptions {
  bool all_methods = false;                                           // else only those listed are told apart
  std::map<std::string, std::set<std::string>, std::less<>> methods;  // service to its methods
  bool upstream_time = false;
  bool tells_state = false;                // messages so far are filter state, for logs
  bool replace_dots = false;               // in the service's name, where its stats are
  std::shared_ptr<GrpcCallScopes> scopes;  // null: not counted
};

class GrpcStats final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestBody | kOnResponseHead | kOnResponseBody | kOnResponseTrailers;
  GrpcStats(const GrpcStatsOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_body(FilterContext& context, Body& body, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_response_body(FilterContext& context, Body& body, bool end) override;
  void on_response_trailers(FilterContext& context, http::Head& trailers) override;

 private:
  void charge(FilterContext& context, const http::Head& head);
  void count(FilterContext& context, GrpcMessages& passed, Body& body, uint64_t& sum, unsigned metric);
  const GrpcStatsOptions& options_;
  observe::Cells* cells_ = nullptr;  // null: no gRPC call of a method
  bool charged_ = false, messages_pass_ = false;
  GrpcMessages requests_, responses_;
  uint64_t request_messages_ = 0, response_messages_ = 0;
};

HttpFilterType grpc_stats_type();

}  // namespace weft::filters
