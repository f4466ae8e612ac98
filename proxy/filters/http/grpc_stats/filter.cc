#include "proxy/filters/http/grpc_stats/filter.h"

#include "proxy/format/request_info.h"
#include "proxy/routing/timeouts.h"

#include <algorithm>

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

void GrpcStats::on_request_body(FilterContext&, Body& body, bool) {
  if (!cells_) return;
  if (const uint64_t messages = requests_.count(body)) cells_->add(GrpcCallStat::kRequestMessages, static_cast<int64_t>(messages));
}

Verdict GrpcStats::on_response_head(FilterContext& context, bool) {
  if (!cells_) return Verdict::kContinue;
  charge(context, context.response());
  messages_pass_ = routing::is_grpc(context.response());
  return Verdict::kContinue;
}

void GrpcStats::on_response_body(FilterContext&, Body& body, bool) {
  if (!cells_ || !messages_pass_) return;
  if (const uint64_t messages = responses_.count(body)) cells_->add(GrpcCallStat::kResponseMessages, static_cast<int64_t>(messages));
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
