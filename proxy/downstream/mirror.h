// A mirrored request: a copy of one that goes to another cluster as well, and whose answer nobody reads. Fed by its exchange as
// the request's bytes come; what it meets is counted on its cluster and touches nothing else. When it falls behind by more than
// the listener's buffer limit it is given up. Owned by the worker's MirrorPool: it may outlive its exchange, and the other way round.
#pragma once
#include "common/base/timing_wheel.h"
#include "common/net/loop.h"
#include "proxy/format/request_info.h"
#include "proxy/upstream/attempt.h"

#include <chrono>
#include <memory>
#include <vector>

namespace weft::downstream {

class MirrorPool;

class Mirror final : public net::Retirable, private upstream::AttemptEvents {
 public:
  Mirror(MirrorPool& pool, net::Loop& loop, size_t buffer_limit);
  ~Mirror() override;

  // --- from its exchange, in this order ---
  http::Head& request() { return request_; }  // to be filled in before start()
  void start(std::shared_ptr<upstream::Cluster> cluster, http::Protocol downstream, std::chrono::milliseconds timeout,
             const format::RequestInfo& info);
  void body(const Slice& slice);
  void end(const http::Head* trailers);  // null: none
  // The exchange forgets it. A request that has not ended is given up.
  void release();

 private:
  friend class MirrorPool;
  http::Head& response_head() override { return response_; }
  http::Head& answer_trailers() override { return response_; }
  void on_attempt_ready() override;
  void on_attempt_informational() override { response_.clear(); }
  void on_attempt_head(bool end) override;
  void on_attempt_body(Slice, bool end) override;
  void on_attempt_trailers() override { answered(); }
  void on_attempt_failed(upstream::AttemptEnd how, std::string_view detail) override;
  void on_attempt_drained() override { send(); }
  void send();
  void answered();
  void give_up();
  void on_timeout();
  void note_code(int status);
  void leave_if_over();

  MirrorPool& pool_;
  net::Loop& loop_;
  http::Head request_, trailers_, response_;
  std::shared_ptr<upstream::Cluster> cluster_;
  std::shared_ptr<const upstream::EndpointSet> endpoints_;
  upstream::Attempt attempt_{*this};
  std::vector<Slice> held_;
  size_t held_bytes_ = 0, buffer_limit_;
  std::chrono::milliseconds time_{0};
  std::chrono::steady_clock::time_point ended_at_;
  bool head_sent_ = false, ended_ = false, has_trailers_ = false, sent_ = false;
  bool over_ = false, released_ = false, gone_ = false;
  Timeout<Mirror, &Mirror::on_timeout> timeout_{*this};
};

class MirrorPool {
 public:
  explicit MirrorPool(net::Loop& loop) : loop_(loop) {}
  Mirror& make(size_t buffer_limit);
  // The worker ends.
  void clear() { mirrors_.clear(); }

 private:
  friend class Mirror;
  void retire(Mirror& mirror);
  net::Loop& loop_;
  std::vector<std::unique_ptr<Mirror>> mirrors_;
};

// Head lines and first line of `from`, into an empty head.
void copy_head(const http::Head& from, http::Head& to);

}  // namespace weft::downstream
