#include "proxy/filters/http/grpc_stats/filter.h"

#include "proxy/format/filter_state.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/timeouts.h"

#include <algorithm>
#include <string>
#include <utility>

namespace weft::filters {

using observe::GrpcCallStat;

Verdict GrpcStats::on_request_head(FilterContext& context, bool) {
  if (!options_.scopes || !routing::is_grpc(context.request())) return Verdict::kContinue;
  const GrpcMethod call = grpc_method_of(context.request().path());
  const std::string_view cluster = context.info().upstream_cluster;
  if (!call || cluster.empty()) return Verdict::kContinue;
  bool apart = options_.all_methods;
  if (!apart) {
    auto service = options_.methods.find(call.service);
    apart = service != options_.methods.end() && service->second.contains(std::string(call.method));
  }
  if (!apart) {
    cells_ = &options_.scopes->cells(context.thread(), cluster, {}, {});
  } else if (options_.replace_dots) {
    std::string service(call.service);
    std::replace(service.begin(), service.end(), '.', '_');
    cells_ = &options_.scopes->cells(context.thread(), cluster, service, call.method);
  } else {
    cells_ = &options_.scopes->cells(context.thread(), cluster, call.service, call.method);
  }
  return Verdict::kContinue;
}

void GrpcStats::on_request_body(FilterContext& context, Body& body, bool) {
  if (cells_) count(context, requests_, body, request_messages_, GrpcCallStat::kRequestMessages);
}

void GrpcStats::count(FilterContext& context, GrpcMessages& passed, Body& body, uint64_t& sum, unsigned metric) {
  const uint64_t messages = passed.count(body);
  if (messages == 0) return;
  cells_->add(metric, static_cast<int64_t>(messages));
  sum += messages;
  if (!options_.tells_state) return;
  // The message envoy.extensions.filters.http.grpc_stats.v3.FilterObject, as protobuf has it in JSON.
  std::string json = "{";
  if (request_messages_ != 0) json += "\"requestMessageCount\":\"" + std::to_string(request_messages_) + "\"";
  if (request_messages_ != 0 && response_messages_ != 0) json += ",";
  if (response_messages_ != 0) json += "\"responseMessageCount\":\"" + std::to_string(response_messages_) + "\"";
  format::filter_state_of(context.info())
      .set("envoy.filters.http.grpc_stats",
           {std::to_string(request_messages_) + "," + std::to_string(response_messages_), false, std::move(json += "}")});
}

Verdict GrpcStats::on_response_head(FilterContext& context, bool) {
  if (!cells_) return Verdict::kContinue;
  charge(context, context.response());
  messages_pass_ = routing::is_grpc(context.response());
  return Verdict::kContinue;
}

void GrpcStats::on_response_body(FilterContext& context, Body& body, bool) {
  if (cells_ && messages_pass_) count(context, responses_, body, response_messages_, GrpcCallStat::kResponseMessages);
}

void GrpcStats::on_response_trailers(FilterContext& context, http::Head& trailers) {
  if (cells_) charge(context, trailers);
}

void GrpcStats::charge(FilterContext& context, const http::Head& head) {
  const std::optional<int> status = charged_ ? std::nullopt : grpc_status_of(head);
  if (!status) return;
  charged_ = true;
  charge_grpc_call(*cells_, *status);
  const format::RequestInfo& info = context.info();
  if (!options_.upstream_time || info.upstream_request_begin == format::RequestInfo::Moment{}) return;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(context.now() - info.upstream_request_begin);
  cells_->record(GrpcCallStat::kUpstreamRqTime, static_cast<uint64_t>(std::max<int64_t>(0, took.count())));
}

}  // namespace weft::filters
