// The request arrives: what holds for every request (admit), its route, then the filters in order. A filter that waits stops the
// way here; the body that comes meanwhile is held, within the bound of its listener. Past the last filter is go_upstream().
#include "proxy/downstream/exchange.h"

#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/mirror.h"
#include "proxy/routing/rewrite.h"

#include <utility>

namespace weft::downstream {
namespace {

using http::HeaderId;
using observe::HttpStat;

}  // namespace

void Exchange::on_head(bool end) {
  connection_->on_request_head();
  request_ended_ = end;
  if (end) end_request();
  arm_idle();
  head_request_ = request_.method() == "HEAD";
  grpc_ = routing::is_grpc(request_);
  phase_ = Phase::kFiltering;
  if (!admit()) return;
  match_route();
  if (service_->config->log_new_requests) log(format::AccessLogType::kDownstreamStart);
  if (service_->config->log_interval.count() > 0) loop_.wheel().arm(log_timeout_, service_->config->log_interval);
  if (tunnel_ != Tunnel::kNo && !admit_tunnel()) return;
  make_filters();
  run_request_filters(0);
}

// What holds for every request before filters and routes look at it.
bool Exchange::admit() {
  const config::HttpConnectionManager& config = *service_->config;
  if (!check_underscores()) return false;
  if (asked_tunnel().empty()) {
    http::remove_hop_by_hop(request_);
  } else {
    tunnel_ = Tunnel::kWanted;
    request_.has(HeaderId::kUpgrade) ? http::remove_hop_by_hop_but_upgrade(request_) : http::remove_hop_by_hop(request_);
  }
  if (!config.early_mutations.empty()) routing::apply_steps(config.early_mutations, request_, info_);
  const net::Endpoint& peer = connection_->client();
  routing::Client client{peer.address(), peer.port(), connection_->destination().port(), false};
  // One table for the whole request: filters and the log keep views into it.
  table_ = table_now();
  const routing::Forwarded forwarded = routing::mutate_request(request_, config.forwarded, client, internal_only_headers());
  info_.request_id = request_.value(HeaderId::kXRequestId);
  if (forwarded.client != peer.address()) {
    client_text_ = net::to_string({forwarded.client, forwarded.client_port});
    info_.downstream_remote_address = client_text_;
  }
  if (forwarded.reject_status != 0) {
    service_->http.add(HttpStat::kDownstreamRqRejectedViaIpDetection);
    answer(forwarded.reject_status, "", "rejecting because detection failed");
    return false;
  }
  if (forwarded.path == routing::PathVerdict::kReject) {
    service_->http.add(HttpStat::kDownstreamRqFailedPathNormalization);
    request_.remove(HeaderId::kXRequestId);
    info_.request_id = {};
    connection_->drain();
    answer(400, "", "path_normalization_failed");
    return false;
  }
  if (forwarded.path == routing::PathVerdict::kRedirect) {
    service_->http.add(HttpStat::kDownstreamRqRedirectedWithNormalizedPath);
    filters::LocalReply moved{307, "", "path_normalization_failed", std::nullopt, {{"location", std::string(request_.path())}}};
    reply(std::move(moved));
    return false;
  }
  if (request_.path().empty() && request_.method() != "CONNECT") {
    answer(404, "", "missing_path_rejected");
    return false;
  }
  if (request_.has(HeaderId::kExpect) && !config.proxy_100_continue && request_.value(HeaderId::kExpect) == "100-continue") {
    request_.remove(HeaderId::kExpect);
    if (!request_ended_) {
      http::Head go_on(loop_.slabs());
      go_on.set_status(100);
      stream_->send_head(go_on, false);
    }
  }
  return true;
}

// What the request wants to switch to: the type by which upgrade_configs know it, or nothing.
std::string_view Exchange::asked_tunnel() const {
  if (request_.method() == "CONNECT") return request_.method();
  if (!request_.has(HeaderId::kUpgrade) || stream_->protocol() == http::Protocol::kHttp10) return {};
  const std::string_view wanted = http::wanted_upgrade(request_);
  const http::IgnoredUpgrades* const ignored = service_->config->http1.ignored_upgrades.get();
  if (ignored && stream_->protocol() == http::Protocol::kHttp11 && ignored->ignores(wanted)) return {};
  return http::is_h2c(wanted) ? std::string_view() : wanted;  // which is nothing to switch to: HTTP/2 is taken as it comes
}

// Whether route or connection manager let it switch; the route has the last word. False: it was answered.
bool Exchange::admit_tunnel() {
  if (!route_) return true;  // that is answered in its place
  const routing::Forward* forward = route_->forward();
  const std::string_view type = asked_tunnel();
  const routing::Upgrade* upgrade = routing::find_upgrade(forward ? forward->upgrades.get() : nullptr, type);
  const bool by_route = upgrade != nullptr;
  if (!upgrade) upgrade = routing::find_upgrade(service_->config->upgrades.get(), type);
  if (!upgrade || !upgrade->enabled) return refuse_tunnel();
  const std::string_view length = request_.value(HeaderId::kContentLength);
  if (request_.has(HeaderId::kTransferEncoding) || (!length.empty() && length != "0")) {
    connection_->on_protocol_error();
    connection_->drain();
    answer(400, "Bad Request", "http1.body_disallowed");
    return false;
  }
  tunnel_ = Tunnel::kAsked;
  to_tcp_ = by_route && upgrade->terminates && type == "CONNECT";
  service_->http.add(HttpStat::kDownstreamCxUpgradesTotal);
  service_->http.add(HttpStat::kDownstreamCxUpgradesActive);
  return true;
}

bool Exchange::refuse_tunnel() {
  service_->http.add(HttpStat::kDownstreamRqWsOnNonWsRoute);
  if (!plan_) make_filters();  // as in Envoy the refusal meets them on its way
  connection_->drain();
  answer(403, "", "upgrade_failed");
  return false;
}

std::span<const std::string> Exchange::internal_only_headers() const {
  if (!table_) return {};
  return table_->options().internal_only_headers;
}

// common_http_protocol_options.headers_with_underscores_action.
bool Exchange::check_underscores() {
  using Action = config::HttpConnectionManager::UnderscoreHeaders;
  const Action action = service_->config->underscore_headers;
  if (action == Action::kAllow) return true;
  bool found = false;
  int dropped = 0;
  request_.remove_if([&](const http::Header& header) {
    const bool has = header.name().find('_') != std::string_view::npos;
    found = found || has;
    dropped += has;
    return has && action == Action::kDropHeader;
  });
  if (!found) return true;
  const bool http2 = stream_->protocol() == http::Protocol::kHttp2;
  if (action == Action::kDropHeader) {
    http2 ? service_->http2.add(observe::Http2Stat::kDroppedHeadersWithUnderscores, dropped)
          : service_->http1.add(observe::Http1Stat::kDroppedHeadersWithUnderscores, dropped);
    return true;
  }
  http2 ? service_->http2.add(observe::Http2Stat::kRequestsRejectedWithUnderscores)
        : service_->http1.add(observe::Http1Stat::kRequestsRejectedWithUnderscores);
  connection_->on_protocol_error();
  connection_->drain();
  answer(400, "Bad Request", "http1.unexpected_underscore");
  return false;
}

// --- its route ---

// With scoped routes the table is that of the request's key, which filters may have changed. Null: no scope has it.
std::shared_ptr<const routing::RouteTable> Exchange::table_now() const {
  if (!service_->scopes) return service_->routes->table;
  const std::optional<std::string> key = service_->config->scoped->key.key_of(request_);
  if (!key) return nullptr;
  const auto found = service_->scopes->routes.find(*key);
  return found == service_->scopes->routes.end() ? nullptr : found->second->table;
}

void Exchange::enter_scope() {
  std::shared_ptr<const routing::RouteTable> table = table_now();
  if (table != table_) former_tables_.push_back(std::exchange(table_, std::move(table)));
}

void Exchange::match_route() {
  info_.route_name = {};
  if (service_->scopes) enter_scope();
  route_ = table_ ? table_->match(request_, loop_.random(), {info_.metadata.get(), info_.filter_state.get()}) : nullptr;
  weighted_ = nullptr;
  if (!route_) return;
  info_.route_name = route_->name;
  if (const routing::Forward* forward = route_->forward(); forward && forward->weighted) {
    weighted_ = routing::pick_weighted(*forward, request_, routing::weighted_point(*forward, request_, info_, loop_.random()));
  }
  const routing::Forward* forward = route_->forward();
  if (forward && forward->idle_timeout) arm_idle();
  if (forward) return find_cluster();
  cluster_ = nullptr;
  cluster_config_ = nullptr;
  info_.upstream_cluster_raw = info_.upstream_cluster = {};
}

void Exchange::find_cluster() {
  const std::string_view name = routing::cluster_name(*route_->forward(), weighted_, request_);
  if (cluster_ && cluster_->config().name == name) return;
  cluster_ = name.empty() ? nullptr : service_->environment.clusters.find(name);
  cluster_config_ = cluster_ ? cluster_->shared()->config : nullptr;
  info_.upstream_cluster_raw = cluster_ ? std::string_view(cluster_config_->name) : std::string_view();
  info_.upstream_cluster = cluster_ ? std::string_view(cluster_config_->stat_name()) : std::string_view();
}

const routing::FilterConfig* Exchange::route_config(std::string_view filter_name) const {
  if (!route_) return nullptr;
  const routing::FilterOverride* told = routing::filter_override(*route_, weighted_, filter_name);
  return told ? told->config.get() : nullptr;
}

routing::FilterConfigs Exchange::route_configs(std::string_view filter_name) const {
  return route_ ? routing::filter_configs(*route_, weighted_, filter_name) : routing::FilterConfigs();
}

std::shared_ptr<const upstream::EndpointSet> Exchange::endpoints(std::string_view cluster) {
  const std::shared_ptr<upstream::Cluster> found = service_->environment.clusters.find(cluster);
  return found ? found->endpoints() : nullptr;
}

std::shared_ptr<const void>& Exchange::connection_state(const std::shared_ptr<const void>& key) { return connection_->state_of(key); }

// --- its filters ---

// A connection manager may have a chain of its own for requests that switch to a type.
const filters::ChainPlan& Exchange::chain() const {
  const config::HttpConnectionManager& config = *service_->config;
  if (tunnel_ == Tunnel::kAsked && !config.upgrade_chains.empty()) {
    const std::string_view type = asked_tunnel();
    for (const auto& [name, chain] : config.upgrade_chains)
      if (routing::equals_ignoring_case(name, type)) return chain;
  }
  return config.chain;
}

void Exchange::make_filters() {
  plan_ = &chain();
  if (arena_size_ < plan_->arena_size()) {
    arena_size_ = plan_->arena_size();
    arena_ = std::make_unique<std::byte[]>(arena_size_);
  }
  filters_.clear();
  for (const filters::ChainPlan::Entry& entry : plan_->entries()) {
    const routing::FilterOverride* told = route_ ? routing::filter_override(*route_, weighted_, entry.factory->name()) : nullptr;
    // A filter that is disabled keeps its place, so that the plan's indices hold.
    const bool disabled = told ? told->disabled : entry.disabled;
    filters_.push_back(disabled ? nullptr : entry.factory->create(arena_.get() + entry.offset));
  }
}

void Exchange::destroy_filters() {
  for (filters::HttpFilter* filter : filters_)
    if (filter) filter->~HttpFilter();
  filters_.clear();
  attempt_filters_.reset();
  plan_ = nullptr;
}

void Exchange::run_request_filters(size_t from) {
  const std::vector<uint8_t>& order = plan_->request_head();
  for (size_t i = from; i < order.size(); ++i) {
    filters::HttpFilter* filter = filters_[order[i]];
    if (!filter) continue;
    next_request_filter_ = i + 1;
    const filters::Verdict verdict = filter->on_request_head(*this, request_ended_ && held_request_.empty() && !has_request_trailers_);
    if (verdict == filters::Verdict::kReplied || phase_ != Phase::kFiltering) return;
    if (route_cleared_) {
      route_cleared_ = false;
      match_route();
    }
    if (verdict == filters::Verdict::kWait) {
      request_waits_ = true;
      if (!body_limit_ || !check_awaited_body()) return;
    }
  }
  go_upstream();
}

// A filter waits for the whole body. True: it is here, and the request may go on.
bool Exchange::check_awaited_body() {
  if (tunnel_ != Tunnel::kNo) {  // no body, and no end of it to wait for
    body_limit_.reset();
    request_waits_ = false;
    return true;
  }
  if (held_bytes_ > *body_limit_) {
    body_limit_.reset();
    service_->http.add(HttpStat::kDownstreamRqTooLarge);
    answer(413, "Payload Too Large", "request_payload_too_large");
    return false;
  }
  if (!request_ended_) {
    if (stream_) stream_->resume();  // an earlier filter's wait may have stopped it
    return false;
  }
  body_limit_.reset();
  whole_body_ = true;
  request_waits_ = false;
  return true;
}

void Exchange::resume_request() {
  if (!request_waits_ || phase_ != Phase::kFiltering) return;
  request_waits_ = false;
  if (stream_ && !request_ended_) stream_->resume();
  if (route_cleared_) {
    route_cleared_ = false;
    match_route();
  }
  run_request_filters(next_request_filter_);
}

// --- its body ---

// Bytes of the client on their way: held while a filter waits, changed by the body filters, then sent on or kept.
void Exchange::on_body(Slice slice, bool end) {
  arm_idle();
  info_.bytes_received += slice.size;
  if (end) {
    request_ended_ = true;
    end_request();
    // As Envoy logs it. Over HTTP/2 the end of a stream is the ordinary end.
    if (tunnel_ == Tunnel::kOpen && !response_ended_ && stream_ && stream_->protocol() != http::Protocol::kHttp2) {
      info_.flags.set(observe::ResponseFlag::kDownstreamConnectionTermination);
      info_.response_code_details = "downstream_remote_disconnect";
    }
  }
  if (phase_ == Phase::kFiltering) {
    held_bytes_ += slice.size;
    if (slice.size || end) held_request_.push_back(std::move(slice));
    if (body_limit_ && request_waits_) {
      if (check_awaited_body()) run_request_filters(next_request_filter_);
      return;
    }
    if (held_bytes_ > service_->buffer_limit && stream_ && !request_ended_) stream_->pause();
    return;
  }
  if (phase_ == Phase::kForwarding || (phase_ == Phase::kAnswering && attempt_->active())) {
    if (end) arm_route_timeout();
    take_request_body(std::move(slice), end);
    send_request_body();
  }
  finish_if_over();
}

void Exchange::on_trailers() {
  arm_idle();
  has_request_trailers_ = true;
  if (!request_ended_) {
    request_ended_ = true;
    end_request();
  }
  if (phase_ == Phase::kFiltering) {
    if (body_limit_ && request_waits_ && check_awaited_body()) run_request_filters(next_request_filter_);
    return;
  }
  if (phase_ == Phase::kForwarding || (phase_ == Phase::kAnswering && attempt_->active())) {
    arm_route_timeout();
    if (!plan_->request_body().empty()) take_request_body({}, true);
    for (uint8_t i : plan_->request_trailers())
      if (filters_[i]) filters_[i]->on_request_trailers(*this, request_trailers_);
    request_filtered_end_ = true;
    if (!mirrors_.empty()) end_mirrors();
    send_request_body();
  }
  finish_if_over();
}

void Exchange::end_request() {
  info_.request_end = loop_.now();
  request_timeout_.disarm();
}

void Exchange::take_request_body(Slice slice, bool end) {
  auto keep = [this](Slice piece) {
    if (!piece.size) return;
    for (Mirror* mirror : mirrors_) mirror->body(piece);
    body_bytes_ += piece.size;
    body_.push_back(std::move(piece));
  };
  if (plan_->request_body().empty()) {
    keep(std::move(slice));
  } else {
    filters::Body body;
    if (slice.size) body.slices.push_back(std::move(slice));
    for (uint8_t i : plan_->request_body())
      if (filters_[i]) filters_[i]->on_request_body(*this, body, end);
    for (Slice& piece : body.slices) keep(std::move(piece));
  }
  if (tunnel_ == Tunnel::kAsked && body_bytes_ > 0 && plan_->router().reject_early_connect_data && request_.method() == "CONNECT")
    return answer(400, "", "early_connect_data");
  if (end) request_filtered_end_ = true;
  if (end && !has_request_trailers_ && !mirrors_.empty()) end_mirrors();
  // A body that is too long to be kept is sent once only.
  const uint64_t limit = route_->request_body_buffer_limit.value_or(
      route_->virtual_host ? route_->virtual_host->request_body_buffer_limit.value_or(service_->buffer_limit) : service_->buffer_limit);
  if (keep_body_ && body_bytes_ > limit) keep_body_ = false;
  if (!attempt_->stream() && body_bytes_ > limit && stream_ && !request_ended_) stream_->pause();
}

}  // namespace weft::downstream
