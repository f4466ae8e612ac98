// envoy.filters.http.ext_authz over HTTP: asks an authorization service about each request's head before it goes on. 200 lets
// it pass (and may add headers), 5xx or no answer is an error, any other status is the answer to the client.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/route.h"
#include "proxy/upstream/caller.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::filters {

using NameMatchers = std::vector<routing::StringMatcher>;  // of header names in lower case: any may match

struct ExtAuthzOptions {
  std::string cluster;
  std::string path_prefix;
  std::chrono::milliseconds timeout{200};
  bool failure_mode_allow = false;
  bool failure_mode_allow_header_add = false;  // x-envoy-auth-failure-mode-allowed: true
  bool clear_route_cache = false;
  int status_on_error = 403;
  // The client's headers that the service sees; host and authorization always.
  NameMatchers allowed_headers, disallowed_headers;
  std::vector<std::pair<std::string, std::string>> headers_to_add;
  // Of its answer: on 200, what goes upstream (replacing, or appended) and what joins the response; else, what the client gets.
  NameMatchers upstream_headers, upstream_headers_to_append, client_headers_on_success;
  std::optional<NameMatchers> client_headers;  // nothing: all but host
  std::shared_ptr<observe::Scope> stats;       // null: not counted
};

struct ExtAuthzRoute final : routing::FilterConfig {
  bool disabled = false;
};

class ExtAuthz final : public HttpFilter, private upstream::CallEvents {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead | kOnDone;
  ExtAuthz(const ExtAuthzOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_done(FilterContext& context) override;

 private:
  void on_answer(const http::Head& head, std::string_view body) override;
  void on_failed(observe::ResponseFlag flag, std::string_view detail) override;
  upstream::CallRequest question() const;
  void allow(const http::Head& answer);
  void deny(const http::Head& answer, std::string_view body);
  void fail();
  void count(unsigned metric);

  const ExtAuthzOptions& options_;
  const std::string& name_;
  FilterContext* context_ = nullptr;
  std::unique_ptr<upstream::Call> call_;
  std::vector<std::pair<std::string, std::string>> response_headers_;  // that the service gives a client whom it lets in
};

HttpFilterType ext_authz_type();

}  // namespace weft::filters
