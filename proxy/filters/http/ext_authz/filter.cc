#include "proxy/filters/http/ext_authz/filter.h"

#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::filters {
namespace {

using observe::ExtAuthzStat;

bool any_matches(const NameMatchers& matchers, std::string_view name) {
  return std::any_of(matchers.begin(), matchers.end(), [&](const routing::StringMatcher& matcher) { return matcher.matches(name); });
}

// What describes the answer's own body and connection, and must not describe another's.
bool of_the_message(const http::Header& header) {
  switch (header.id) {
    case http::HeaderId::kContentLength:
    case http::HeaderId::kTransferEncoding:
    case http::HeaderId::kConnection:
    case http::HeaderId::kKeepAlive:
    case http::HeaderId::kTrailer:
    case http::HeaderId::kUpgrade: return true;
    default: return false;
  }
}

}  // namespace

Verdict ExtAuthz::on_request_head(FilterContext& context, bool) {
  context_ = &context;
  if (const auto* route = dynamic_cast<const ExtAuthzRoute*>(context.route_config(name_)); route && route->disabled) {
    count(ExtAuthzStat::kDisabled);
    return Verdict::kContinue;
  }
  if (!context.route()) return Verdict::kContinue;  // no route: nothing to protect, as Envoy sees it
  call_ = context.caller().call(question(), *this);
  return Verdict::kWait;
}

upstream::CallRequest ExtAuthz::question() const {
  const http::Head& request = context_->request();
  upstream::CallRequest question;
  question.cluster = options_.cluster;
  question.method = request.method();
  question.path = options_.path_prefix + std::string(request.path());
  question.authority = request.authority();
  question.timeout = options_.timeout;
  for (const http::Header& header : request.headers()) {
    if (header.removed || header.id == http::HeaderId::kHost || of_the_message(header)) continue;
    if (any_matches(options_.disallowed_headers, header.name())) continue;
    if (header.id == http::HeaderId::kAuthorization || any_matches(options_.allowed_headers, header.name()))
      question.headers.emplace_back(header.name(), header.value());
  }
  for (const auto& header : options_.headers_to_add) question.headers.push_back(header);
  question.headers.emplace_back("content-length", "0");
  return question;
}

void ExtAuthz::on_answer(const http::Head& head, std::string_view body) {
  const std::unique_ptr<upstream::Call> over = std::move(call_);
  if (head.status() >= 500) return fail();
  if (head.status() == 200) return allow(head);
  deny(head, body);
}

void ExtAuthz::on_failed(observe::ResponseFlag flag, std::string_view) {
  const std::unique_ptr<upstream::Call> over = std::move(call_);
  if (flag == observe::ResponseFlag::kUpstreamRequestTimeout) count(ExtAuthzStat::kTimeout);
  fail();
}

void ExtAuthz::allow(const http::Head& answer) {
  count(ExtAuthzStat::kOk);
  http::Head& request = context_->request();
  bool changed = false;
  auto touchable = [](std::string_view name) { return !name.empty() && name.front() != ':' && name != "host"; };
  // Names in x-envoy-auth-headers-to-remove leave the request before others come.
  std::string joined;
  std::string_view names = answer.joined("x-envoy-auth-headers-to-remove", joined);
  while (!names.empty()) {
    const size_t comma = names.find(',');
    std::string name(names.substr(0, comma));
    names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    name.erase(0, name.find_first_not_of(" \t"));
    name.erase(name.find_last_not_of(" \t") + 1);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (!touchable(name)) continue;
    request.remove(name);
    changed = true;
  }
  for (const http::Header& header : answer.headers()) {
    if (header.removed || of_the_message(header) || !touchable(header.name())) continue;
    if (any_matches(options_.upstream_headers, header.name())) {
      request.set(header.name(), header.value());
      changed = true;
    }
    // Appended only to what is there already: Envoy's way.
    if (any_matches(options_.upstream_headers_to_append, header.name()) && request.find(header.name())) {
      request.add(header.name(), header.value());
      changed = true;
    }
    if (any_matches(options_.client_headers_on_success, header.name())) response_headers_.emplace_back(header.name(), header.value());
  }
  if (changed && options_.clear_route_cache) context_->clear_route();
  context_->resume_request();
}

void ExtAuthz::deny(const http::Head& answer, std::string_view body) {
  count(ExtAuthzStat::kDenied);
  LocalReply reply;
  reply.status = answer.status();
  reply.body = body;
  reply.details = "ext_authz_denied";
  reply.flag = observe::ResponseFlag::kUnauthorizedExternalService;
  for (const http::Header& header : answer.headers()) {
    if (header.removed || of_the_message(header) || header.id == http::HeaderId::kHost) continue;
    const bool given = !options_.client_headers || header.id == http::HeaderId::kLocation || header.name() == "www-authenticate" ||
                       any_matches(*options_.client_headers, header.name());
    if (given) reply.headers.emplace_back(header.name(), header.value());
  }
  context_->reply(std::move(reply));
}

void ExtAuthz::fail() {
  count(ExtAuthzStat::kError);
  if (options_.failure_mode_allow) {
    count(ExtAuthzStat::kFailureModeAllowed);
    if (options_.failure_mode_allow_header_add) context_->request().add("x-envoy-auth-failure-mode-allowed", "true");
    return context_->resume_request();
  }
  LocalReply reply;
  reply.status = options_.status_on_error;
  reply.details = "ext_authz_error";
  reply.flag = observe::ResponseFlag::kUnauthorizedExternalService;
  context_->reply(std::move(reply));
}

Verdict ExtAuthz::on_response_head(FilterContext& context, bool) {
  for (const auto& [name, value] : response_headers_) context.response().add(name, value);
  return Verdict::kContinue;
}

void ExtAuthz::on_done(FilterContext&) { call_.reset(); }

void ExtAuthz::count(unsigned metric) {
  if (options_.stats) options_.stats->cells(context_->thread()).add(metric);
}

}  // namespace weft::filters
