// Metrics of a process that counts rarely: families with labels behind one mutex, shown in Prometheus' text format 0.0.4.
// The control plane uses it; the proxy's request path has cells per worker instead.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::observe {

using LabelPairs = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class PrometheusRegistry {
 public:
  // A family's name, help and kind are fixed by its first declaration; using one that was never declared is an untyped family.
  void declare_counter(std::string_view name, std::string_view help);
  void declare_gauge(std::string_view name, std::string_view help);
  // `bounds` ascending, without +Inf.
  void declare_histogram(std::string_view name, std::string_view help, std::vector<double> bounds);

  void add(std::string_view name, LabelPairs labels = {}, double amount = 1);
  void set(std::string_view name, LabelPairs labels, double value);
  void observe(std::string_view name, LabelPairs labels, double value);
  // Forgets one series: a gauge of what is no longer there.
  void drop(std::string_view name, LabelPairs labels);

  // Runs before each exposition, without the lock: sets gauges that are cheaper to ask for than to keep.
  void on_scrape(std::function<void(PrometheusRegistry&)> collect);

  double value(std::string_view name, LabelPairs labels = {}) const;  // a histogram's: its count
  std::string text();

 private:
  enum class Kind : unsigned char { kUntyped, kCounter, kGauge, kHistogram };
  struct Series {
    double value = 0;  // a histogram's sum
    uint64_t count = 0;
    std::vector<uint64_t> buckets;  // not cumulative; the last one is above every bound
  };
  struct Family {
    Kind kind = Kind::kUntyped;
    std::string help;
    std::vector<double> bounds;
    std::map<std::string, Series, std::less<>> series;  // by rendered labels: `a="x",b="y"`
  };
  Family& declare(std::string_view name, std::string_view help, Kind kind);
  Family& family(std::string_view name);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
  std::vector<std::function<void(PrometheusRegistry&)>> collectors_;
};

}  // namespace weft::observe
