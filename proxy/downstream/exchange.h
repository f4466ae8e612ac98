// One request and its answer: fed by the client's codec on one side and by its attempt on the upstream on the other, with the
// filters in between. An object without a loop of its own; recycled. It pins what it uses of the configuration: its
// connection manager, route table and cluster. One class, and a file for each part of the way (see the private functions).
//
// The request's way: on_head -> request filters -> go_upstream() -> start_attempt() -> send_request_body(). The answer's way:
// on_attempt_head (or reply()) -> response filters -> send_response_head(). Each side waits for the other by pause and resume.
#pragma once
#include "common/base/timing_wheel.h"
#include "common/http/codec.h"
#include "common/net/alarm.h"
#include "proxy/downstream/attempt_filters.h"
#include "proxy/downstream/environment.h"
#include "proxy/filters/filter.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/forwarded.h"
#include "proxy/routing/timeouts.h"
#include "proxy/upstream/attempt.h"
#include "proxy/upstream/retry.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::downstream {

class HttpConnection;
class Mirror;

class Exchange final : public http::StreamReceiver, public filters::FilterContext, private upstream::AttemptEvents {
 public:
  explicit Exchange(net::Loop& loop);
  ~Exchange();

  void begin(HttpConnection& connection, http::Stream& stream);
  // Where the connection keeps it.
  size_t index = 0;
  // At the end of the event in which it ended: until then its functions and filters may be on the stack.
  void rest();

  // --- http::StreamReceiver: the client ---
  http::Head& incoming_head() override { return request_; }
  http::Head& incoming_trailers() override { return request_trailers_; }
  void on_head(bool end) override;
  void on_informational() override {}
  void on_body(Slice slice, bool end) override;
  void on_trailers() override;
  void on_reset(http::ResetReason reason, std::string_view details) override;
  void on_invalid(int status, std::string_view details) override;
  void on_drained() override;
  bool is_recent() const override { return loop_.now() - info_.start < std::chrono::seconds(1); }
  bool awaits_head() const { return phase_ == Phase::kHead; }
  // The request's head has been awaited for too long.
  void on_slow_head();

  // --- filters::FilterContext ---
  http::Head& request() override { return request_; }
  http::Head& response() override { return response_; }
  const routing::Route* route() const override { return route_; }
  void clear_route() override { route_cleared_ = true; }
  const routing::FilterConfig* route_config(std::string_view filter_name) const override;
  routing::FilterConfigs route_configs(std::string_view filter_name) const override;
  format::RequestInfo& info() override { return info_; }
  void reply(filters::LocalReply reply) override;
  bool begin_anew(const routing::Url& place, std::shared_ptr<const filters::Carried> carried) override;
  const filters::Carried* carried() const override { return redirects_ ? redirects_->carried.get() : nullptr; }
  void resume_request() override;
  void wait_for_body(uint64_t limit) override { body_limit_ = limit; }
  void resume_response() override;
  void wait_for_response() override { whole_response_ = true; }
  http::Head* response_trailers() override { return has_response_trailers_ ? &response_trailers_ : nullptr; }
  void append_response_body(std::string_view bytes) override;
  uint64_t buffer_limit() const override { return service_->buffer_limit; }
  void ask_for_response_body() override { response_body_asked_ = true; }
  void hold_response_end() override { end_held_ = true; }
  void send_response_body(filters::HttpFilter& filter, filters::Body body, bool end) override;
  void abandon_response(std::string_view details) override;
  bool response_begun() const override { return response_head_sent_; }
  void pause_response(bool pause) override;
  TimingWheel& wheel() override { return loop_.wheel(); }
  std::chrono::steady_clock::time_point now() const override { return loop_.now(); }
  uint64_t random() override { return loop_.random(); }
  SlabPool& slabs() override { return loop_.slabs(); }
  upstream::Caller& caller() override { return service_->environment.caller; }
  std::shared_ptr<const upstream::EndpointSet> endpoints(std::string_view cluster) override;
  std::shared_ptr<const void>& connection_state(const std::shared_ptr<const void>& key) override;
  bool health_check_failed() const override { return service_->environment.health_check_failed; }
  observe::Cells& http_cells() override { return service_->http; }
  unsigned thread() const override { return loop_.thread(); }

 private:
  enum class Phase : uint8_t {
    kIdle,        // resting
    kHead,        // the request's head is awaited
    kFiltering,   // request filters run, or one of them waits
    kForwarding,  // the upstream has it, or will
    kAnswering,   // the answer is on its way
    kOver,
  };

  // --- upstream::AttemptEvents ---
  http::Head& response_head() override { return response_; }
  http::Head& answer_trailers() override { return response_trailers_; }
  void on_attempt_ready() override;
  void on_attempt_informational() override;
  void on_attempt_head(bool end) override;
  void on_attempt_body(Slice slice, bool end) override;
  void on_attempt_trailers() override;
  void on_attempt_failed(upstream::AttemptEnd how, std::string_view detail) override;
  void on_attempt_drained() override;

  // exchange.cc: ends, and the client's patience.
  void abandon();  // the answer had begun and cannot be completed
  void finish_if_over();
  void finish();
  void record(bool answered = true);
  void log(format::AccessLogType type);
  void log_again();
  void log_attempt(format::AccessLogType type);
  void log_attempt_again();
  void disarm_all();
  void arm_idle();
  void on_stream_idle();
  void on_request_too_long();
  void on_stream_too_long();
  static uint64_t elapsed_ms(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to);
  // exchange_request.cc
  bool admit();
  std::string_view asked_tunnel() const;
  bool admit_tunnel();
  bool refuse_tunnel();
  bool open_tunnel();
  std::span<const std::string> internal_only_headers() const;
  bool check_underscores();
  std::shared_ptr<const routing::RouteTable> table_now() const;
  void enter_scope();
  void match_route();
  void find_cluster();
  const filters::ChainPlan& chain() const;
  void make_filters();
  void destroy_filters();
  void run_request_filters(size_t from);
  void end_request();
  bool check_awaited_body();
  void take_request_body(Slice slice, bool end);
  // exchange_forward.cc
  void go_upstream();
  void redirect(const routing::Redirect& redirect);
  bool check_strictly();
  bool forward_to_cluster(const routing::Forward& forward);
  void hash_request(const routing::Forward& forward);
  // `beside`: on that one, while others run.
  void start_attempt(upstream::Attempt* beside = nullptr);
  void run_attempt_filters();
  void send_request_body();
  void arm_route_timeout();
  void on_route_timeout();
  void note_upstream_code(int status);
  unsigned side_stats() const;
  void count_side_code(unsigned first, int status);
  // exchange_retry.cc
  upstream::RetryDecision decide_on_failed(upstream::AttemptEnd how, bool request_sent);
  bool retry_on_head();
  void schedule_retry(const upstream::RetryDecision& decision, bool after_timeout = false);
  void on_retry_due();
  void note_not_retried(const upstream::RetryDecision& decision);
  void on_per_try_timeout();
  void arm_try_idle();
  void on_per_try_idle();
  void on_upstream_too_long();
  void give_up_try(unsigned counter, std::string_view details);
  // exchange_hedging.cc
  struct Rival;
  struct Hedging;
  void hedge();
  void begin_another_later(const upstream::RetryDecision& decision, bool after_timeout);
  void begin_beside();
  void on_rival_ready(Rival& rival);
  void on_rival_head(Rival& rival, bool end);
  void on_rival_failed(Rival& rival, upstream::AttemptEnd how, std::string_view detail);
  bool others_run(const upstream::Attempt& attempt) const;
  bool contends(upstream::Attempt& attempt, http::Head& answer);
  bool is_outrun(upstream::Attempt& attempt, upstream::AttemptEnd how);
  void settle_on(upstream::Attempt& attempt);
  void give_up_others();
  void log_loser(const upstream::Attempt& attempt, int status, observe::ResponseFlags flags = {});
  static observe::ResponseFlag flag_of(upstream::AttemptEnd how);
  // exchange_detours.cc
  void start_mirrors();
  void end_mirrors();
  void release_mirrors();
  void find_kinds();
  void count_kinds(unsigned stat);  // observe::VirtualHostStat
  void count_kinds_code(int status);
  void record_kinds_time(uint64_t milliseconds);
  bool redirect_on_head();
  bool prepare_redirect(const routing::InternalRedirect& policy);
  void begin_anew();
  void become_get();
  // exchange_response.cc
  void begin_response(bool end);
  void run_response_filters(size_t from);
  bool finish_whole_response();
  void release_whole_response();
  void release_held_response();
  void send_response_head();
  void take_response_body(Slice slice, bool end);
  const std::vector<uint8_t>& body_filters() const;
  void pass_response(size_t below, filters::Body body, bool end);
  void write_response(filters::Body body, bool end);
  void write_response_body(Slice slice, bool end);
  void take_response_trailers();
  void end_response();
  void answer(int status, std::string_view body, std::string_view details);
  void fail(int status, std::string_view body, std::string_view details, observe::ResponseFlag flag);

  net::Loop& loop_;
  HttpConnection* connection_ = nullptr;
  http::Stream* stream_ = nullptr;
  std::shared_ptr<HttpService> service_;
  http::Head request_, request_trailers_, response_, response_trailers_;
  format::RequestInfo info_;

  std::shared_ptr<const routing::RouteTable> table_;
  std::vector<std::shared_ptr<const routing::RouteTable>> former_tables_;  // of scopes that it was in: filters may look into them
  const routing::Route* route_ = nullptr;
  const routing::WeightedCluster* weighted_ = nullptr;
  std::shared_ptr<upstream::Cluster> cluster_;
  std::shared_ptr<const upstream::ClusterConfig> cluster_config_;  // as it was: info_ has views into it
  std::shared_ptr<const upstream::EndpointSet> endpoints_;
  upstream::Attempt first_{*this};
  upstream::Attempt* attempt_ = &first_;             // that whose answer is awaited, or comes; another one only where attempts run at once
  std::unique_ptr<Hedging> hedging_;                 // several attempts run at once; null: they never did
  std::unique_ptr<AttemptFilters> attempt_filters_;  // null: neither router nor cluster has some
  uint64_t attempt_sent_bytes_ = 0, attempt_received_bytes_ = 0;  // bodies
  std::optional<upstream::RetryState> retry_;
  std::shared_ptr<upstream::Budget> retry_budget_;
  std::vector<const upstream::HostState*> tried_;
  std::vector<Mirror*> mirrors_;            // copies of the request under way
  std::array<observe::Cells*, 2> kinds_{};  // of the virtual cluster and of the route's stat_prefix; null: none
  struct Redirects {
    uint32_t count = 0;
    std::vector<std::pair<std::string, std::string>> steps;  // from route to route
    std::shared_ptr<const filters::Carried> carried;         // by the filter that sent the request elsewhere
  };
  std::unique_ptr<Redirects> redirects_;  // once a redirect has been followed
  unsigned replies_ = 0;                  // answers of our own so far
  routing::RequestHash hash_;             // for a cluster that hashes
  routing::Timeouts timeouts_;
  std::string client_text_, failure_text_, details_text_;

  // Filters: in the arena, in the plan's order; those from `made_` on do not exist.
  const filters::ChainPlan* plan_ = nullptr;
  std::vector<filters::HttpFilter*> filters_;
  std::unique_ptr<std::byte[]> arena_;
  size_t arena_size_ = 0;
  size_t next_request_filter_ = 0, next_response_filter_ = 0;

  // The request's body that has not been sent, or is kept for another attempt.
  std::vector<Slice> body_;
  size_t body_bytes_ = 0, body_sent_ = 0;  // body_sent_: how many slices of body_ the present attempt has got
  bool keep_body_ = false;
  std::vector<Slice> held_request_;  // came while a request filter waits
  size_t held_bytes_ = 0;
  std::optional<uint64_t> body_limit_;  // a filter waits for the whole body, of at most so many bytes
  bool whole_body_ = false;             // and has got it: the length is known
  bool whole_response_ = false;         // a filter waits for the whole answer
  std::vector<Slice> held_response_;    // came while a response filter waits
  filters::Body* appended_ = nullptr;   // where a trailers hook may put bytes

  Phase phase_ = Phase::kIdle;
  bool request_ended_ = false;         // the client has said all
  bool request_filtered_end_ = false;  // and so have the filters
  bool has_request_trailers_ = false, has_response_trailers_ = false;
  bool request_sent_ = false;  // the present attempt has the whole request
  bool request_waits_ = false, response_waits_ = false;
  bool response_ended_ = false;  // the upstream (or we ourselves) has said all
  bool response_head_sent_ = false, response_sent_ = false;
  bool response_body_asked_ = false, end_held_ = false, response_paused_ = false;  // by filters
  bool local_ = false;                                                             // the answer is ours
  bool head_request_ = false, grpc_ = false;
  bool route_cleared_ = false, replying_ = false;
  bool anew_ = false;       // a filter wants the request to begin anew
  bool replacing_ = false;  // our answer replaces one that the filters have seen: they see no other
  enum class Tunnel : uint8_t { kNo, kWanted, kAsked, kOpen } tunnel_ = Tunnel::kNo;  // kAsked: the upstream is to say 101 or 2xx
  bool to_tcp_ = false;  // a CONNECT that is terminated, or a POST that is treated like one
  bool attempt_to_log_ = false;
  bool timed_out_ = false, upstream_counted_ = false, local_body_pending_ = false;
  bool of_canary_ = false;  // the answer

  Timeout<Exchange, &Exchange::on_stream_idle> idle_timeout_{*this};
  Timeout<Exchange, &Exchange::on_request_too_long> request_timeout_{*this};
  Timeout<Exchange, &Exchange::on_stream_too_long> stream_timeout_{*this};
  Timeout<Exchange, &Exchange::on_route_timeout> route_timeout_{*this};
  Timeout<Exchange, &Exchange::log_again> log_timeout_{*this};
  Timeout<Exchange, &Exchange::log_attempt_again> attempt_log_timeout_{*this};
  Timeout<Exchange, &Exchange::on_per_try_timeout> try_timeout_{*this};
  Timeout<Exchange, &Exchange::on_per_try_idle> try_idle_timeout_{*this};
  Timeout<Exchange, &Exchange::on_upstream_too_long> upstream_timeout_{*this};
  std::unique_ptr<net::Alarm> retry_timer_;  // made at the first retry
};

}  // namespace weft::downstream
