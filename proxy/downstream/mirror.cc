#include "proxy/downstream/mirror.h"

#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::downstream {

using observe::ClusterStat;

void copy_head(const http::Head& from, http::Head& to) {
  if (!from.method().empty()) {
    to.set_method(from.method());
    to.set_path(from.path());
    to.set_scheme(from.scheme());
  }
  for (const http::Header& line : from.headers()) {
    if (line.removed) continue;
    line.id == http::HeaderId::kOther ? to.add(line.name(), line.value()) : to.add(line.id, line.value());
  }
}

Mirror::Mirror(MirrorPool& pool, net::Loop& loop, size_t buffer_limit)
    : pool_(pool), loop_(loop), request_(loop.slabs()), trailers_(loop.slabs()), response_(loop.slabs()), buffer_limit_(buffer_limit) {}

Mirror::~Mirror() { timeout_.disarm(); }

void Mirror::start(std::shared_ptr<upstream::Cluster> cluster, http::Protocol downstream, std::chrono::milliseconds timeout,
                   const format::RequestInfo& info) {
  cluster_ = std::move(cluster);
  time_ = timeout;
  endpoints_ = cluster_->endpoints();
  // The route's hash policy is for the request itself: as in Envoy, a copy goes by its own cluster's or by chance.
  const upstream::HashingOptions* hashing = cluster_->config().hashing.get();
  std::optional<uint64_t> hash;
  if (hashing && hashing->policy) hash = hashing->policy->hash(request_, info).value;
  const upstream::Pick pick = cluster_->pick({.random = loop_.random(), .hash = hash, .request = &info});
  if (!pick.host) {
    note_code(503);
    over_ = true;
    return;
  }
  attempt_.start(cluster_, *pick.host, cluster_->protocol_for(downstream), upstream::Priority::kDefault);
}

void Mirror::body(const Slice& slice) {
  if (over_ || !slice.size) return;
  held_.push_back(slice);
  held_bytes_ += slice.size;
  send();
  if (held_bytes_ <= buffer_limit_ || over_) return;
  cluster_->stats().add(ClusterStat::kRetryOrShadowAbandoned);
  give_up();
}

void Mirror::end(const http::Head* trailers) {
  if (over_ || ended_) return;
  ended_ = true;
  ended_at_ = loop_.now();
  if (trailers) {
    has_trailers_ = true;
    copy_head(*trailers, trailers_);
  }
  if (time_.count() > 0) loop_.wheel().arm(timeout_, time_);
  if (head_sent_) send();
}

void Mirror::on_attempt_ready() {
  head_sent_ = true;
  attempt_.mark_sent();
  const bool whole = ended_ && held_.empty() && !has_trailers_;
  sent_ = whole;
  attempt_.stream()->send_head(request_, whole);
  if (!whole) send();
}

void Mirror::send() {
  http::Stream* to = attempt_.stream();
  if (!to || !head_sent_ || sent_) return;
  size_t done = 0;
  while (done < held_.size() && to && to->writable()) {
    Slice slice = std::move(held_[done++]);
    held_bytes_ -= slice.size;
    const bool last = ended_ && done == held_.size() && !has_trailers_;
    if (last) sent_ = true;
    to->send_body(std::move(slice), last);
    to = attempt_.stream();
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(std::min(done, held_.size())));
  if (!to || sent_ || !ended_ || !held_.empty()) return;
  sent_ = true;
  has_trailers_ ? to->send_trailers(trailers_) : to->send_body({}, true);
}

void Mirror::on_attempt_head(bool end) {
  note_code(response_.status());
  if (end) answered();
}

void Mirror::on_attempt_body(Slice, bool end) {
  if (end) answered();
}

void Mirror::answered() {
  timeout_.disarm();
  over_ = true;
  if (ended_)
    cluster_->stats().record(ClusterStat::kUpstreamRqTime,
                             static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - ended_at_).count()));
  sent_ ? attempt_.complete() : attempt_.cancel();
  leave_if_over();
}

void Mirror::on_attempt_failed(upstream::AttemptEnd how, std::string_view) {
  if (over_) return;
  timeout_.disarm();
  over_ = true;
  if (response_.status() == 0) note_code(how == upstream::AttemptEnd::kProtocolError ? 502 : 503);
  leave_if_over();
}

void Mirror::on_timeout() {
  cluster_->stats().add(ClusterStat::kUpstreamRqTimeout);
  if (response_.status() == 0) note_code(504);
  give_up();
}

void Mirror::give_up() {
  over_ = true;
  timeout_.disarm();
  held_.clear();
  held_bytes_ = 0;
  attempt_.cancel();
  leave_if_over();
}

void Mirror::release() {
  released_ = true;
  if (!ended_ && !over_) return give_up();
  leave_if_over();
}

void Mirror::note_code(int status) {
  observe::Cells& stats = cluster_->stats();
  stats.add(ClusterStat::kUpstreamRqCompleted);
  stats.add(observe::class_index(ClusterStat::kUpstreamRq1xx, status));
  stats.count_code(ClusterStat::kUpstreamRqCodes, status);
}

void Mirror::leave_if_over() {
  if (!over_ || !released_ || gone_) return;
  gone_ = true;
  pool_.retire(*this);
}

Mirror& MirrorPool::make(size_t buffer_limit) {
  mirrors_.push_back(std::make_unique<Mirror>(*this, loop_, buffer_limit));
  return *mirrors_.back();
}

void MirrorPool::retire(Mirror& mirror) {
  const auto found = std::find_if(mirrors_.begin(), mirrors_.end(), [&](const auto& one) { return one.get() == &mirror; });
  if (found == mirrors_.end()) return;
  std::swap(*found, mirrors_.back());
  loop_.retire(std::move(mirrors_.back()));
  mirrors_.pop_back();
}

}  // namespace weft::downstream
