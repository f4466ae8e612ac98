// What a route may want beside the request's plain way: copies of it to other clusters, redirects of the upstream's that the proxy
// follows itself, and counting under names that the routes give. A route that wants none of it pays a pointer test for each.
#include "proxy/downstream/exchange.h"

#include "common/observe/shapes.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/mirror.h"
#include "proxy/routing/url.h"

#include <algorithm>

namespace weft::downstream {
namespace {

using http::HeaderId;
using observe::ClusterStat;
using observe::HttpStat;
using observe::VirtualHostStat;

}  // namespace

// --- mirrors ---

void Exchange::start_mirrors() {
  const routing::MirrorPolicies* policies = routing::mirror_policies(*route_);
  if (!policies || tunnel_ != Tunnel::kNo) return;
  for (const routing::MirrorPolicy& policy : *policies) {
    if (!policy.fraction.always() && !policy.fraction.matches(loop_.random())) continue;
    const std::string_view name = policy.cluster.empty() ? request_.value(policy.cluster_header) : std::string_view(policy.cluster);
    std::shared_ptr<upstream::Cluster> cluster = name.empty() ? nullptr : service_->environment.clusters.find(name);
    if (!cluster) continue;
    Mirror& mirror = service_->environment.mirrors.make(service_->buffer_limit);
    http::Head& request = mirror.request();
    copy_head(request_, request);
    routing::apply_steps(policy.mutations, request, info_);
    if (!policy.host.empty())
      request.set_authority(policy.host);
    else if (!policy.keep_host)
      request.set_authority(routing::shadow_host(request_.authority()));
    // The proxy's own request, as that of any caller inside.
    request.set(HeaderId::kXEnvoyInternal, "true");
    const routing::Address& here = service_->config->forwarded.node_address;
    if (!here.is_unspecified()) request.append(HeaderId::kXForwardedFor, here.to_string());
    mirror.start(std::move(cluster), connection_->protocol(), timeouts_.global, info_);
    for (const Slice& slice : body_) mirror.body(slice);
    if (request_filtered_end_) mirror.end(has_request_trailers_ ? &request_trailers_ : nullptr);
    mirrors_.push_back(&mirror);
  }
}

void Exchange::end_mirrors() {
  for (Mirror* mirror : mirrors_) mirror->end(has_request_trailers_ ? &request_trailers_ : nullptr);
}

void Exchange::release_mirrors() {
  for (Mirror* mirror : mirrors_) mirror->release();
  mirrors_.clear();
}

// --- names to count under ---

void Exchange::find_kinds() {
  kinds_ = {};
  const routing::VirtualHost* host = route_->virtual_host;
  if (host && host->virtual_clusters) {
    const routing::VirtualCluster* cluster = routing::virtual_cluster(*route_, request_);
    if (cluster) info_.virtual_cluster = cluster->name;
    const routing::CountingScope& scope = cluster ? cluster->stats : host->virtual_clusters->other;
    if (scope) kinds_[0] = &scope->cells(loop_.thread());
  }
  if (route_->stats) kinds_[1] = &route_->stats->cells(loop_.thread());
}

void Exchange::count_kinds(unsigned stat) {
  for (observe::Cells* cells : kinds_)
    if (cells) cells->add(stat);
}

void Exchange::count_kinds_code(int status) {
  for (observe::Cells* cells : kinds_) {
    if (!cells) continue;
    cells->add(VirtualHostStat::kUpstreamRqCompleted);
    cells->add(observe::class_index(VirtualHostStat::kUpstreamRq1xx, status));
    cells->count_code(VirtualHostStat::kUpstreamRqCodes, status);
  }
}

void Exchange::record_kinds_time(uint64_t milliseconds) {
  for (observe::Cells* cells : kinds_)
    if (cells) cells->record(VirtualHostStat::kUpstreamRqTime, milliseconds);
}

// --- internal redirects ---

bool Exchange::redirect_on_head() {
  const routing::Forward* forward = route_->forward();
  const routing::InternalRedirect* policy = forward ? forward->internal_redirect.get() : nullptr;
  if (!policy || tunnel_ != Tunnel::kNo || !policy->follows(response_.status())) return false;
  if (prepare_redirect(*policy)) {
    cluster_->stats().add(ClusterStat::kUpstreamInternalRedirectSucceededTotal);
    begin_anew();
    return true;
  }
  cluster_->stats().add(ClusterStat::kUpstreamInternalRedirectFailedTotal);
  return false;
}

// Makes the request one for the redirect's target, if the policy allows that; else leaves it as it is.
bool Exchange::prepare_redirect(const routing::InternalRedirect& policy) {
  observe::Cells& http = service_->http;
  auto refuse = [&http](unsigned stat) {
    http.add(stat);
    return false;
  };
  const bool whole = request_ended_ && request_filtered_end_ && (keep_body_ || info_.bytes_received == 0);
  if (!whole || !response_.has(HeaderId::kLocation) || !stream_) return false;
  const std::optional<routing::Url> target = routing::url_of(response_.value(HeaderId::kLocation));
  if (!target) return refuse(HttpStat::kRedirectBadLocation);
  const bool from_http = request_.scheme() != "https", to_http = target->scheme == "http";
  if (!policy.cross_scheme && from_http != to_http) return refuse(HttpStat::kRedirectUnsafeScheme);
  if (!redirects_) redirects_ = std::make_unique<Redirects>();
  if (redirects_->count >= policy.most) return refuse(HttpStat::kRedirectTooMany);

  const routing::Url old{std::string(request_.scheme()), std::string(request_.authority()), std::string(request_.path())};
  std::vector<std::pair<std::string, std::string>> old_lines;
  const int status = response_.status();
  for (const std::string& name : policy.copy) {
    for (const http::Header& line : request_.headers())
      if (!line.removed && line.name() == name) old_lines.emplace_back(name, line.value());
    request_.remove(name);
    for (const http::Header& line : response_.headers())
      if (!line.removed && line.name() == name) request_.add(name, line.value());
  }
  auto name_target = [this](const routing::Url& to) {
    request_.set_scheme(to.scheme);
    request_.set_authority(to.authority);
    request_.set_path(to.path);
  };
  name_target(*target);
  auto restore = [&] {
    name_target(old);
    for (const std::string& name : policy.copy) request_.remove(name);
    for (const auto& [name, value] : old_lines) request_.add(name, value);
  };
  if (service_->scopes) enter_scope();
  const routing::Route* next = table_ ? table_->match(request_, loop_.random(), {info_.metadata.get(), info_.filter_state.get()}) : nullptr;
  if (!next) return restore(), refuse(HttpStat::kRedirectNoRoute);
  bool allowed = !policy.no_downgrade || !from_http || to_http;
  if (allowed && policy.allowed_routes)
    allowed = std::find(policy.allowed_routes->begin(), policy.allowed_routes->end(), next->name) != policy.allowed_routes->end();
  if (allowed && policy.never_twice) {
    std::pair<std::string, std::string> step{route_->name, next->name};
    allowed = std::find(redirects_->steps.begin(), redirects_->steps.end(), step) == redirects_->steps.end();
    if (allowed) redirects_->steps.push_back(std::move(step));
  }
  if (!allowed) return restore(), refuse(HttpStat::kRedirectPredicate);
  if (status == 303 && request_.method() != "GET" && request_.method() != "HEAD") {  // RFC 9110 15.4.4
    become_get();
    head_request_ = false;
  }
  ++redirects_->count;
  request_.set("x-envoy-original-url", std::string(from_http ? "http" : "https") + "://" + old.authority + old.path);
  info_.route_name = next->name;
  return true;
}

// A filter sends the request elsewhere. It does so once its hook is over, since the filters end with the pass.
bool Exchange::begin_anew(const routing::Url& place, std::shared_ptr<const filters::Carried> carried) {
  if (!request_ended_ || !stream_ || tunnel_ != Tunnel::kNo || !table_ || response_head_sent_) return false;
  const routing::Url old{std::string(request_.scheme()), std::string(request_.authority()), std::string(request_.path())};
  auto name_place = [this](const routing::Url& to) {
    request_.set_scheme(to.scheme);
    request_.set_authority(to.authority);
    request_.set_path(to.path);
  };
  name_place(place);
  if (!table_->match(request_, loop_.random(), {info_.metadata.get()})) return name_place(old), false;
  become_get();
  if (!redirects_) redirects_ = std::make_unique<Redirects>();
  redirects_->carried = std::move(carried);
  return anew_ = true;
}

void Exchange::become_get() {
  request_.set_method("GET");
  request_.remove(HeaderId::kContentLength);
  request_.remove(HeaderId::kTransferEncoding);
  body_.clear();
  body_bytes_ = 0;
  has_request_trailers_ = false;
  request_trailers_.clear();
}

// The redirected request is one of its own: it is counted, logged and filtered again, with the body that was kept.
void Exchange::begin_anew() {
  ++replies_;
  if (response_ended_ && request_sent_)
    attempt_->complete();
  else
    attempt_->cancel();
  give_up_others();
  log_attempt(format::AccessLogType::kUpstreamEnd);
  release_mirrors();
  info_.response_code = response_.status();
  info_.response_code_details = "internal_redirect";
  info_.end = loop_.now();
  for (uint8_t i : plan_->done())
    if (filters_[i]) filters_[i]->on_done(*this);
  record(false);
  for (TimeoutNode* node : {static_cast<TimeoutNode*>(&route_timeout_), static_cast<TimeoutNode*>(&try_timeout_),
                            static_cast<TimeoutNode*>(&upstream_timeout_), static_cast<TimeoutNode*>(&try_idle_timeout_)})
    node->disarm();
  destroy_filters();
  retry_.reset();
  response_.clear();
  response_trailers_.clear();
  tried_.clear();
  hash_ = {};
  timeouts_ = {};
  kinds_ = {};
  held_request_ = std::move(body_);
  held_bytes_ = body_bytes_;
  body_.clear();
  info_.bytes_received += body_bytes_;
  body_bytes_ = body_sent_ = 0;
  keep_body_ = request_filtered_end_ = request_sent_ = response_ended_ = has_response_trailers_ = false;
  timed_out_ = upstream_counted_ = whole_body_ = whole_response_ = of_canary_ = false;
  anew_ = replacing_ = local_ = local_body_pending_ = response_waits_ = response_body_asked_ = end_held_ = response_paused_ = false;
  held_response_.clear();
  info_.response_code = 0;
  info_.response_code_details = {};
  info_.flags = {};
  info_.attempt_count = 0;
  info_.virtual_cluster = info_.upstream_host = info_.upstream_host_name = {};
  info_.end = {};
  info_.metadata.reset();
  info_.filter_state.reset();
  observe::Cells& http = service_->http;
  http.add(HttpStat::kDownstreamRqTotal);
  http.add(HttpStat::kDownstreamRqActive);
  http.add(stream_->protocol() == http::Protocol::kHttp2 ? HttpStat::kDownstreamRqHttp2Total : HttpStat::kDownstreamRqHttp1Total);
  phase_ = Phase::kFiltering;
  match_route();
  make_filters();
  run_request_filters(0);
}

}  // namespace weft::downstream
