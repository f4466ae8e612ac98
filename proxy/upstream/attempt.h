// One try of a request on a host: its place in the breakers, its wait for a stream, its stream, its marks on the host's
// counters. The owner (an exchange, a call of a filter, the xDS client) sends through it and is told what comes back.
#pragma once
#include "common/http/codec.h"
#include "proxy/upstream/cluster.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace weft::upstream {

enum class AttemptEnd : uint8_t {
  kConnectFailed,
  kLocalConnectFailed,  // at our end: no such source address
  kConnectTimeout,
  kOverflow,  // pending requests or requests of the circuit breaker
  kRemoteReset,
  kRefusedStream,
  kConnectionClosed,
  kProtocolError,
  kLocalOverflow,  // a limit of ours on what came
};

class AttemptEvents {
 public:
  virtual http::Head& response_head() = 0;
  virtual http::Head& answer_trailers() = 0;
  virtual void on_attempt_ready() = 0;          // stream() is there: send
  virtual void on_attempt_informational() = 0;  // a 1xx stands in response_head()
  virtual void on_attempt_head(bool end) = 0;
  virtual void on_attempt_body(Slice slice, bool end) = 0;
  virtual void on_attempt_trailers() = 0;
  // It is over without a whole answer. `detail` is valid during the call.
  virtual void on_attempt_failed(AttemptEnd how, std::string_view detail) = 0;
  virtual void on_attempt_drained() = 0;  // stream() is writable again

 protected:
  ~AttemptEvents() = default;
};

class Attempt final : public http::StreamReceiver, private PoolWaiter {
 public:
  explicit Attempt(AttemptEvents& events) : events_(events) {}
  ~Attempt() { cancel(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // `host` is one of `cluster`'s present endpoints. May call on_attempt_ready or on_attempt_failed before it returns.
  void start(std::shared_ptr<Cluster> cluster, const Host& host, http::Protocol protocol, Priority priority);
  // Gives it up: nothing more is heard of it.
  void cancel();
  // The owner has the whole answer and has sent the whole request: the place in the breakers is given back.
  void complete();

  bool active() const { return cluster_ != nullptr; }
  // Null until on_attempt_ready, and once our half has ended and the answer is complete.
  http::Stream* stream() { return stream_; }
  Cluster& cluster() { return *cluster_; }
  const std::shared_ptr<HostState>& host_state() const { return host_state_; }
  // Of the connection that it got; valid until the next start().
  std::string_view local_address() const { return local_address_; }
  uint64_t connection_id() const { return connection_id_; }
  http::Protocol protocol() const { return protocol_; }
  bool is_canary() const { return canary_; }           // its host
  bool request_sent() const { return request_sent_; }  // something of it may have reached the host
  void mark_sent() { request_sent_ = true; }

 private:
  // http::StreamReceiver
  http::Head& incoming_head() override { return events_.response_head(); }
  http::Head& incoming_trailers() override { return events_.answer_trailers(); }
  void on_head(bool end) override;
  void on_informational() override { events_.on_attempt_informational(); }
  void on_body(Slice slice, bool end) override;
  void on_trailers() override;
  void on_reset(http::ResetReason reason, std::string_view details) override;
  void on_invalid(int, std::string_view) override {}  // server side only
  void on_drained() override { events_.on_attempt_drained(); }
  // PoolWaiter
  http::StreamReceiver& receiver() override { return *this; }
  bool admit() override;
  void on_stream(http::Stream& stream, ClientConnection& connection) override;
  void on_pool_failure(PoolFailure failure, std::string_view detail) override;

  void finish(bool success);
  AttemptEvents& events_;
  std::shared_ptr<Cluster> cluster_;
  std::shared_ptr<Budget> budget_;  // once admitted: the one it took its place from, as an update may bring another
  std::shared_ptr<HostState> host_state_;
  HostPool* pool_ = nullptr;  // while waiting
  http::Stream* stream_ = nullptr;
  std::string local_address_;
  uint64_t connection_id_ = 0;
  http::Protocol protocol_ = http::Protocol::kHttp11;
  Priority priority_ = Priority::kDefault;
  bool request_sent_ = false, answer_ended_ = false, succeeded_ = false;
  bool canary_ = false;
};

}  // namespace weft::upstream
