// HTTP filters. A factory is const and lives with the configuration; a filter belongs to one exchange and is built in its
// arena. Hooks that a filter does not name are masked out when the chain is built, so they cost nothing. Request hooks run in
// the order of the chain, response hooks in reverse; local replies pass the response hooks too. The router is no filter: it
// is what the exchange does when the chain has let the request through.
#pragma once
#include "common/base/buffer.h"
#include "common/http/head.h"
#include "common/observe/response_flags.h"
#include "proxy/upstream/attempt_chain.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft {
class TimingWheel;
}
namespace weft::format {
struct RequestInfo;
}
namespace weft::observe {
class Cells;
}
namespace weft::routing {
class HeaderToAdd;
struct FilterConfig;
struct FilterConfigs;
struct Route;
struct Url;
}  // namespace weft::routing
namespace weft::telemetry {
class AccessLog;
}
namespace weft::upstream {
class Caller;
struct EndpointSet;
}  // namespace weft::upstream

namespace weft::filters {

enum class Verdict : uint8_t {
  kContinue,  // on to the next filter
  kWait,      // this filter will call resume_request() / resume_response(); meanwhile the body is held back
  kReplied,   // reply() was called, or begin_anew()
};

// Body bytes on their way through the filters: take slices out, put slices in.
struct Body {
  std::vector<Slice> slices;
  size_t size() const {
    size_t n = 0;
    for (const Slice& slice : slices) n += slice.size;
    return n;
  }
};

struct LocalReply {
  int status = 500;
  std::string body;          // text/plain; becomes grpc-message for gRPC requests
  std::string_view details;  // static text: response_code_details
  std::optional<observe::ResponseFlag> flag = std::nullopt;
  std::vector<std::pair<std::string, std::string>> headers;  // lower-case names; set on the reply
  std::optional<int> grpc_status = std::nullopt;             // for gRPC requests, in place of what fits `status`
  // Sent as it stands: neither reshaped for gRPC nor changed by what the route says of responses.
  bool as_it_stands = false;
  const std::vector<routing::HeaderToAdd>* mutations = nullptr;  // of the reply's head, after what the route says
};

// What a filter leaves to itself in the next pass of a request that begins anew.
struct Carried {
  virtual ~Carried() = default;
};

class HttpFilter;

// The exchange as a filter sees it. Valid until on_done.
class FilterContext {
 public:
  virtual http::Head& request() = 0;
  virtual http::Head& response() = 0;
  // The matched route, or null. Stays matched unless clear_route() asks for another match after this filter.
  virtual const routing::Route* route() const = 0;
  virtual void clear_route() = 0;
  // What weighted cluster, route, virtual host or route configuration say to the filter of that name; null if nothing.
  virtual const routing::FilterConfig* route_config(std::string_view filter_name) const = 0;
  // What each of them says, the most specific first.
  virtual routing::FilterConfigs route_configs(std::string_view filter_name) const = 0;
  virtual format::RequestInfo& info() = 0;
  // Answers the request in place of the upstream. From request hooks (return kReplied) or before resume_request(). From
  // on_response_head (return kReplied) it takes the place of an answer: that one is dropped, and no filter sees this one.
  virtual void reply(LocalReply reply) = 0;
  // From on_response_head (return kReplied): the answer is dropped, and the request begins anew as a GET of that place, through all
  // filters, which find `carried` there. False, and all is as before: no route leads there, or the request has not come in full.
  virtual bool begin_anew(const routing::Url& place, std::shared_ptr<const Carried> carried) { return false; }
  virtual const Carried* carried() const { return nullptr; }
  virtual void resume_request() = 0;
  // From on_request_head, with kWait: the request goes on by itself when all of its body is here, and leaves with a
  // content-length. A body of more than `limit` bytes is answered with 413.
  virtual void wait_for_body(uint64_t limit) = 0;
  virtual void resume_response() = 0;
  // From on_response_head, with kWait: the answer goes on by itself when all of it is here, after on_whole_response. One of more than
  // the buffer limit becomes a 500.
  virtual void wait_for_response() {}
  // The answer's trailers, if it has any and they have come.
  virtual http::Head* response_trailers() { return nullptr; }
  // From on_response_trailers: bytes before the trailers, which later filters see as body. Without trailers left it ends with them.
  virtual void append_response_body(std::string_view) {}
  virtual uint64_t buffer_limit() const { return 1 << 20; }  // per_connection_buffer_limit_bytes
  // For filters that pace a body. From request hooks or on_response_head: on_response_body shall be called in this exchange (a filter
  // with kOnResponseBodyIfAsked). From on_response_body, with `end`: this filter keeps bytes back for longer; what comes behind the
  // body waits until it gives them with send_response_body(..., true).
  virtual void ask_for_response_body() = 0;
  virtual void hold_response_end() = 0;
  // From outside of hooks: bytes that `filter` has kept, on to the filters behind it and to the client.
  virtual void send_response_body(HttpFilter& filter, Body body, bool end) = 0;
  // From on_response_body: the rest cannot be given, and the client sees a cut.
  virtual void abandon_response(std::string_view details) = 0;
  virtual bool response_begun() const = 0;  // its head is on its way: too late for reply()
  // Whether whoever the response comes from shall stop sending.
  virtual void pause_response(bool pause) = 0;
  virtual TimingWheel& wheel() = 0;
  virtual std::chrono::steady_clock::time_point now() const = 0;
  virtual uint64_t random() = 0;
  virtual SlabPool& slabs() = 0;
  virtual upstream::Caller& caller() = 0;  // one request of the filter's own to a cluster
  // The hosts of that cluster; null if there is none of that name.
  virtual std::shared_ptr<const upstream::EndpointSet> endpoints(std::string_view cluster) = 0;
  // What a filter keeps for the client's connection under a key that it shares with nobody; null at first.
  virtual std::shared_ptr<const void>& connection_state(const std::shared_ptr<const void>& key) = 0;
  virtual bool health_check_failed() const = 0;  // somebody told the process to fail its health checks
  virtual observe::Cells& http_cells() = 0;      // observe::HttpStat of the connection manager
  virtual unsigned thread() const = 0;           // whose cells of a filter's own scope: scope->cells(thread())

 protected:
  ~FilterContext() = default;
};

enum Hook : unsigned {
  kOnRequestHead = 1,
  kOnRequestBody = 2,
  kOnRequestTrailers = 4,
  kOnResponseHead = 8,
  kOnResponseBody = 16,
  kOnResponseTrailers = 32,
  kOnDone = 64,
  kOnResponseBodyIfAsked = 128,  // on_response_body, in exchanges in which some filter calls ask_for_response_body()
};

class HttpFilter {
 public:
  virtual ~HttpFilter() = default;
  // `end`: the message has no body and no trailers.
  virtual Verdict on_request_head(FilterContext&, bool end) { return Verdict::kContinue; }
  // Changes `body` as it likes; with `end`, what it still holds back must come out now. A filter that changes the body's size
  // has dealt with content-length at the head. Before on_request_trailers the body's end comes as a call with end = true.
  virtual void on_request_body(FilterContext&, Body& body, bool end) {}
  virtual void on_request_trailers(FilterContext&, http::Head& trailers) {}
  virtual Verdict on_response_head(FilterContext&, bool end) { return Verdict::kContinue; }
  // What wait_for_response() asked for: `body` is all there is, and may be changed.
  virtual void on_whole_response(FilterContext&, Body& body) {}
  virtual void on_response_body(FilterContext&, Body& body, bool end) {}
  virtual void on_response_trailers(FilterContext&, http::Head& trailers) {}
  // The exchange is over, however it ended: give up what is pending. Always the last call.
  virtual void on_done(FilterContext&) {}
};

class FilterFactory {
 public:
  explicit FilterFactory(std::string name) : name_(std::move(name)) {}
  virtual ~FilterFactory() = default;
  // The instance's name in the configuration, under which per-route configuration is found.
  const std::string& name() const { return name_; }
  virtual unsigned hooks() const = 0;
  virtual size_t size() const = 0;
  virtual size_t alignment() const = 0;
  virtual HttpFilter* create(void* where) const = 0;

 private:
  std::string name_;
};

// A factory for a filter type whose constructor takes the factory's options: FactoryOf<Fault, FaultOptions>.
template <class Filter, class Options>
class FactoryOf final : public FilterFactory {
 public:
  FactoryOf(std::string name, unsigned hooks, Options options)
      : FilterFactory(std::move(name)), hooks_(hooks), options_(std::move(options)) {}
  unsigned hooks() const override { return hooks_; }
  size_t size() const override { return sizeof(Filter); }
  size_t alignment() const override { return alignof(Filter); }
  HttpFilter* create(void* where) const override { return new (where) Filter(options_, name()); }

 private:
  unsigned hooks_;
  Options options_;
};

struct AttemptPlan;

// envoy.extensions.filters.http.router.v3.Router: what the end of the chain does.
struct RouterOptions {
  bool suppress_envoy_headers = false;
  bool respect_expected_rq_timeout = false;
  bool suppress_grpc_failure_stats = false;
  bool reject_early_connect_data = false;                            // 400 to a CONNECT whose client speaks before the answer
  std::vector<http::HeaderId> strict_check_headers;                  // x-envoy-*: refused with 400 where they make no sense
  std::vector<std::shared_ptr<telemetry::AccessLog>> upstream_logs;  // a line per attempt
  bool log_upstream_streams = false;                                 // and one when it has got a stream
  std::chrono::milliseconds upstream_log_interval{0};                // and one each time; 0: none
  std::shared_ptr<const AttemptPlan> attempt_filters;                // upstream_http_filters, where the cluster has none; or null
};

// A connection manager's filters, compiled: which ones have which hook, and where each lies in the exchange's arena.
class ChainPlan {
 public:
  ChainPlan() = default;
  // `disabled`: which of them run only where a route says so; missing items are false.
  ChainPlan(std::vector<std::unique_ptr<const FilterFactory>> factories, RouterOptions router, const std::vector<bool>& disabled = {});

  struct Entry {
    const FilterFactory* factory;
    uint32_t offset;
    bool disabled;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  // Indices into entries(), in calling order.
  const std::vector<uint8_t>& request_head() const { return request_head_; }
  const std::vector<uint8_t>& request_body() const { return request_body_; }
  const std::vector<uint8_t>& request_trailers() const { return request_trailers_; }
  const std::vector<uint8_t>& response_head() const { return response_head_; }
  const std::vector<uint8_t>& response_body() const { return response_body_; }
  // With those that may ask.
  const std::vector<uint8_t>& response_body_asked() const { return response_body_asked_; }
  const std::vector<uint8_t>& response_trailers() const { return response_trailers_; }
  const std::vector<uint8_t>& done() const { return done_; }
  size_t arena_size() const { return arena_size_; }
  const RouterOptions& router() const { return router_; }

 private:
  std::vector<std::unique_ptr<const FilterFactory>> factories_;
  std::vector<Entry> entries_;
  std::vector<uint8_t> request_head_, request_body_, request_trailers_, response_head_, response_body_, response_body_asked_,
      response_trailers_, done_;
  size_t arena_size_ = 0;
  RouterOptions router_;
};

// The filters of an attempt; a cluster may have its own.
struct AttemptPlan final : upstream::AttemptChain {
  explicit AttemptPlan(ChainPlan plan) : plan(std::move(plan)) {}
  ChainPlan plan;
};

}  // namespace weft::filters
