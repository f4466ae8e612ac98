// What the load generator saw: a sample per request, and sums over the samples since a moment. Shared between the thread that
// loads and the one that shows, under one lock.
#pragma once
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace weft::demo {

using Clock = std::chrono::steady_clock;

// The value below which `fraction` of the values lie, by the nearest-rank rule; 0 for none. Reorders `values`.
double percentile(std::vector<double>& values, double fraction);

struct Sample {
  std::string version;  // who answered, or what happened: "v1", "aborted 500", "no route 404"
  double milliseconds = 0;
  bool failed = false;  // 5xx of a service, or no answer
  Clock::time_point at{};
};

// The samples of one lane that fell to one version.
struct Sum {
  size_t count = 0, failed = 0;
  double share = 0;  // of the lane, 0..1
  double per_second = 0;
  double p50 = 0, p99 = 0;  // milliseconds
};

class Statistics {
 public:
  explicit Statistics(size_t lanes) : lanes_(lanes) {}

  void add(size_t lane, Sample sample);
  // By version, over samples since `since` and until `now`.
  std::map<std::string, Sum> sums(size_t lane, Clock::time_point since, Clock::time_point now) const;
  size_t total() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::deque<Sample>> lanes_;  // the last two minutes
  size_t total_ = 0;
};

}  // namespace weft::demo
