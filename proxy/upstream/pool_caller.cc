#include "proxy/upstream/pool_caller.h"

#include "proxy/upstream/attempt.h"

namespace weft::upstream {
namespace {

using observe::ResponseFlag;

class PoolCall final : public Call, private AttemptEvents {
 public:
  PoolCall(net::Loop& loop, ClusterTable& clusters, CallRequest request, CallEvents& events)
      : loop_(loop), request_(std::move(request)), events_(&events), head_(loop.slabs()), answer_(loop.slabs()), trailers_(loop.slabs()) {
    loop.wheel().arm(deadline_, request_.timeout);
    cluster_ = clusters.find(request_.cluster);
    // Events must not come from inside call(): begin in an event of its own.
    loop.post([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) begin();
    });
  }

 private:
  void begin() {
    if (!cluster_) return fail(ResponseFlag::kNoClusterFound, "no cluster \"" + request_.cluster + "\"");
    const Pick pick = cluster_->pick({loop_.random(), {}, 1});
    if (!pick.host) return fail(ResponseFlag::kNoHealthyUpstream, "no healthy host in cluster \"" + request_.cluster + "\"");
    endpoints_ = cluster_->endpoints();
    head_.set_method(request_.method);
    head_.set_path(request_.path);
    head_.set_scheme("http");
    head_.set_authority(request_.authority.empty() ? request_.cluster : request_.authority);
    for (const auto& [name, value] : request_.headers) head_.add(name, value);
    head_.set(http::HeaderId::kContentLength, std::to_string(request_.body.size()));
    attempt_.start(cluster_, *pick.host, cluster_->protocol_for(http::Protocol::kHttp11), Priority::kDefault);
  }

  http::Head& response_head() override { return answer_; }
  http::Head& answer_trailers() override { return trailers_; }
  void on_attempt_ready() override {
    attempt_.mark_sent();
    attempt_.stream()->send_head(head_, request_.body.empty());
    std::string_view rest = request_.body;
    while (!rest.empty() && attempt_.stream()) {
      Slice slice = copy_to_slice(loop_.slabs(), rest);
      rest.remove_prefix(slice.size);
      attempt_.stream()->send_body(std::move(slice), rest.empty());
    }
  }
  void on_attempt_informational() override {}
  void on_attempt_head(bool end) override {
    if (end) finish();
  }
  void on_attempt_body(Slice slice, bool end) override {
    if (body_.size() + slice.size > request_.max_response_body) return fail(ResponseFlag::kUpstreamOverflow, "the answer is too long");
    body_.append(slice.view());
    if (end) finish();
  }
  void on_attempt_trailers() override {
    events_->on_trailers(trailers_);
    finish();
  }
  void on_attempt_failed(AttemptEnd how, std::string_view detail) override {
    const bool unreachable =
        how == AttemptEnd::kConnectFailed || how == AttemptEnd::kLocalConnectFailed || how == AttemptEnd::kConnectTimeout;
    const bool overflow = how == AttemptEnd::kOverflow || how == AttemptEnd::kLocalOverflow;
    fail(unreachable ? ResponseFlag::kUpstreamConnectionFailure
         : overflow  ? ResponseFlag::kUpstreamOverflow
                     : ResponseFlag::kUpstreamConnectionTermination,
         std::string(detail));
  }
  void on_attempt_drained() override {}

  void finish() {
    deadline_.disarm();
    attempt_.complete();
    events_->on_answer(answer_, body_);  // may destroy this
  }
  void fail(ResponseFlag flag, std::string detail) {
    deadline_.disarm();
    attempt_.cancel();
    events_->on_failed(flag, detail);  // may destroy this
  }
  void on_deadline() { fail(ResponseFlag::kUpstreamRequestTimeout, "timeout"); }

  net::Loop& loop_;
  CallRequest request_;
  CallEvents* events_;
  http::Head head_, answer_, trailers_;
  std::string body_;
  std::shared_ptr<Cluster> cluster_;
  std::shared_ptr<const EndpointSet> endpoints_;
  Attempt attempt_{*this};
  Timeout<PoolCall, &PoolCall::on_deadline> deadline_{*this};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::unique_ptr<Call> PoolCaller::call(CallRequest request, CallEvents& events) {
  return std::make_unique<PoolCall>(loop_, clusters_, std::move(request), events);
}

void PoolCaller::tell(CallRequest request) {
  Told& told = *told_.emplace_back(std::make_unique<Told>(*this));
  told.call = call(std::move(request), told);
}

void PoolCaller::forget(Told& told) {
  told_.remove_if([&told](const std::unique_ptr<Told>& one) { return one.get() == &told; });
}

}  // namespace weft::upstream
