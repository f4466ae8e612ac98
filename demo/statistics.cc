#include "demo/statistics.h"

#include <algorithm>
#include <cmath>

namespace weft::demo {

double percentile(std::vector<double>& values, double fraction) {
  if (values.empty()) return 0;
  const double rank = std::ceil(fraction * static_cast<double>(values.size()));
  const size_t index = std::min(values.size() - 1, static_cast<size_t>(std::max(rank, 1.0)) - 1);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  return values[index];
}

void Statistics::add(size_t lane, Sample sample) {
  const std::lock_guard lock(mutex_);
  auto& samples = lanes_[lane];
  while (!samples.empty() && sample.at - samples.front().at > std::chrono::minutes(2)) samples.pop_front();
  samples.push_back(std::move(sample));
  ++total_;
}

std::map<std::string, Sum> Statistics::sums(size_t lane, Clock::time_point since, Clock::time_point now) const {
  std::map<std::string, Sum> sums;
  std::map<std::string, std::vector<double>> times;
  size_t all = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const Sample& sample : lanes_[lane]) {
      if (sample.at < since || sample.at > now) continue;
      Sum& sum = sums[sample.version];
      ++sum.count;
      ++all;
      if (sample.failed) ++sum.failed;
      times[sample.version].push_back(sample.milliseconds);
    }
  }
  const double seconds = std::max(0.1, std::chrono::duration<double>(now - since).count());
  for (auto& [version, sum] : sums) {
    sum.share = static_cast<double>(sum.count) / static_cast<double>(all);
    sum.per_second = static_cast<double>(sum.count) / seconds;
    sum.p50 = percentile(times[version], 0.50);
    sum.p99 = percentile(times[version], 0.99);
  }
  return sums;
}

size_t Statistics::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace weft::demo
