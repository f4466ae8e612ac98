// Token buckets for values that requests bring, made when they come: the one used longest ago gives way. Under a lock, since any
// worker may bring any value; it is held for a look-up.
#pragma once
#include "proxy/filters/http/local_ratelimit/token_bucket.h"
#include "proxy/routing/rate_limit.h"

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace weft::filters {

class ValueBuckets {
 public:
  ValueBuckets(uint32_t max_tokens, double tokens_per_second, size_t most) : max_(max_tokens), rate_(tokens_per_second), most_(most) {}

  std::shared_ptr<TokenBucket> of(const routing::RateLimitDescriptor& descriptor) {
    const std::lock_guard lock(mutex_);
    auto found = index_.find(descriptor);
    if (found != index_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return recent_.front().second;
    }
    recent_.emplace_front(descriptor, std::make_shared<TokenBucket>(max_, rate_));
    index_.emplace(descriptor, recent_.begin());
    auto made = recent_.front().second;
    if (recent_.size() > most_) {
      index_.erase(recent_.back().first);
      recent_.pop_back();
    }
    return made;
  }

 private:
  using Recent = std::list<std::pair<routing::RateLimitDescriptor, std::shared_ptr<TokenBucket>>>;
  const uint32_t max_;
  const double rate_;
  const size_t most_;
  std::mutex mutex_;
  Recent recent_;
  std::map<routing::RateLimitDescriptor, Recent::iterator> index_;
};

}  // namespace weft::filters
