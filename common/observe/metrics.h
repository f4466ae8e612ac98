// Metrics that cost a request next to nothing: each scope (a listener, a cluster, a connection manager) has a shape, a fixed
// table of names; each thread has its own cells for it, written by that thread alone with relaxed stores (no lock prefix) and
// summed by whoever scrapes. Cells are allocated at a thread's first use; until then the names appear as 0.
//
//   enum ClusterStat : unsigned { kRqTotal, ... };           // indices
//   extern const Shape kClusterShape;                        // the names, in the same order
//   auto scope = registry.scope(kClusterShape, "cluster.orders.", {{"envoy_cluster_name", "orders"}});
//   Cells& cells = scope->cells(worker_index);               // once per worker, then kept
//   cells.add(kRqTotal);
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::observe {

enum class Kind : unsigned char {
  kCounter,
  kGauge,
  kHistogram,   // of milliseconds unless the name says otherwise
  kCodes,       // one counter per HTTP status code: "upstream_rq_<code>", made as codes appear; 100..599, others fold into 0
};

struct Metric {
  std::string_view name;   // without the scope's prefix: "upstream_rq_total"
  Kind kind = Kind::kCounter;
};

struct Shape {
  std::string_view family;            // "cluster", "http", "listener", ...: the first part of a stat's name
  const Metric* metrics;
  unsigned size;
};
template <unsigned N>
constexpr Shape make_shape(std::string_view family, const Metric (&metrics)[N]) {
  return {family, metrics, N};
}

// Log-linear bins: 16 per power of two, so a quantile is off by at most 3 %. One writer.
class Histogram {
 public:
  static constexpr unsigned kBins = 16 * 40;
  void record(uint64_t value);
  void merge_into(std::vector<uint64_t>& bins, uint64_t& count, uint64_t& sum) const;
  // The middle of a bin.
  static double value_of(unsigned bin);

 private:
  std::array<std::atomic<uint64_t>, kBins> bins_{};
  std::atomic<uint64_t> sum_{0};
};

class CodeCounters;

// One thread's cells of a scope. Written by its thread only; readable by any.
class Cells {
 public:
  explicit Cells(const Shape& shape);
  ~Cells();
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;
  void add(unsigned metric, int64_t n = 1) {
    std::atomic<int64_t>& cell = values_[metric];
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(unsigned metric, int64_t n = 1) { add(metric, -n); }
  // For gauges that one thread alone owns.
  void set(unsigned metric, int64_t value) { values_[metric].store(value, std::memory_order_relaxed); }
  void record(unsigned metric, uint64_t value);       // a kHistogram
  void count_code(unsigned metric, int status);       // a kCodes
  int64_t value(unsigned metric) const { return values_[metric].load(std::memory_order_relaxed); }

 private:
  friend class Scope;
  const Shape& shape_;
  std::unique_ptr<std::atomic<int64_t>[]> values_;
  // Histograms and code tables are large: made by the owning thread at the first record, published for readers by release.
  struct Extra;
  std::unique_ptr<Extra> extra_;
};

using Tags = std::vector<std::pair<std::string, std::string>>;

struct HistogramSummary {
  uint64_t count = 0, sum = 0;
  std::vector<uint64_t> bins;
  double quantile(double q) const;
};

// A named set of metrics, shared by all threads. Dies (and leaves every page) when its last owner lets go.
class Scope {
 public:
  Scope(const Shape& shape, std::string prefix, Tags tags, unsigned threads);
  // The calling thread's cells; `thread` is its index (control 0, worker n is n + 1). The reference stays valid as long as the scope.
  Cells& cells(unsigned thread);
  const Shape& shape() const { return shape_; }
  const std::string& prefix() const { return prefix_; }  // "cluster.orders."
  const Tags& tags() const { return tags_; }
  int64_t sum(unsigned metric) const;
  HistogramSummary histogram(unsigned metric) const;
  std::vector<std::pair<int, int64_t>> codes(unsigned metric) const;
  bool used(unsigned metric) const;   // whether it was ever written to
  void reset_counters();              // /reset_counters: remembers a baseline, cells are not touched

 private:
  const Shape& shape_;
  std::string prefix_;
  Tags tags_;
  std::vector<std::atomic<Cells*>> cells_;
  mutable std::mutex baseline_mutex_;
  std::vector<int64_t> baseline_;
};

// Every scope of the process. Thread-safe; never on a request's path.
class Registry {
 public:
  explicit Registry(unsigned threads) : threads_(threads) {}
  std::shared_ptr<Scope> scope(const Shape& shape, std::string prefix, Tags tags = {});
  // Live scopes ordered by prefix.
  std::vector<std::shared_ptr<Scope>> scopes() const;
  unsigned threads() const { return threads_; }

 private:
  unsigned threads_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<Scope>> scopes_;
};

}  // namespace weft::observe
