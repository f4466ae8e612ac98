// Metrics that cost a request next to nothing: each scope (a listener, a cluster, a connection manager) has a shape, a fixed
// table of names; each thread has its own cells for it, written by that thread alone with relaxed stores (no lock prefix) and
// summed by whoever scrapes. Cells are allocated at a thread's first use; until then the names appear as 0. Shapes and the
// functions that make their scopes are in shapes.h, the ways to print them in text.h.
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
#include <map>
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
  kHistogram,  // of milliseconds unless the name says otherwise
  kCodes,      // one counter per HTTP status code: "upstream_rq_<code>", made as codes appear; 100..599, others fold into 0
  kText,       // a text readout: Scope::set_text
};

struct Metric {
  std::string_view name;  // without the scope's prefix: "upstream_rq_total"
  Kind kind = Kind::kCounter;
  bool lazy = false;  // not shown before its first use, as Envoy makes it only then
};

struct Shape {
  std::string_view family;  // "cluster", "http", "listener", ...: the first part of a stat's name
  const Metric* metrics;
  unsigned size;
};
template <unsigned N>
constexpr Shape make_shape(std::string_view family, const Metric (&metrics)[N]) {
  return {family, metrics, N};
}

// Log-linear bins with two decimal digits, as Envoy's circllhist has them: whole numbers below 100 exact, then 90 bins per
// power of ten up to 10^11, so a quantile is off by at most 5 %. Bins come in blocks of 100, one per power of ten, made at
// their first use. One writer.
class Histogram {
 public:
  static constexpr unsigned kBlocks = 10;
  static constexpr unsigned kBlock = 100;
  static constexpr unsigned kBins = kBlocks * kBlock;
  Histogram() = default;
  ~Histogram();
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;
  void record(uint64_t value);
  void merge_into(std::vector<uint64_t>& bins, uint64_t& count, uint64_t& sum) const;
  static unsigned bin_of(uint64_t value);
  // A bin's lower edge, width and middle.
  static double lower_of(unsigned bin);
  static double width_of(unsigned bin);
  static double value_of(unsigned bin);

 private:
  using Block = std::array<std::atomic<uint64_t>, kBlock>;
  std::array<std::atomic<Block*>, kBlocks> blocks_{};
  std::atomic<uint64_t> sum_{0};
};

// One counter per status code, for one writer: 0 (every other), 100..599.
struct CodeCounters {
  static constexpr unsigned kSlots = 501;
  static unsigned slot(int status) { return status < 100 || status > 599 ? 0 : static_cast<unsigned>(status) - 99; }
  static int status(unsigned slot) { return slot == 0 ? 0 : static_cast<int>(slot) + 99; }
  std::array<std::atomic<int64_t>, kSlots> counts{};
};

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
  void record(unsigned metric, uint64_t value);  // a kHistogram
  void count_code(unsigned metric, int status);  // a kCodes
  int64_t value(unsigned metric) const { return values_[metric].load(std::memory_order_relaxed); }

 private:
  friend class Scope;
  const Shape& shape_;
  // A kHistogram's and a kCodes' cell holds the address of its bins or counters: large, so made by the owning thread at the
  // first record and published for readers by release.
  std::unique_ptr<std::atomic<int64_t>[]> values_;
  template <class T>
  T* table(unsigned metric) const;
};

using Tags = std::vector<std::pair<std::string, std::string>>;

struct HistogramSummary {
  uint64_t count = 0, sum = 0;
  std::vector<uint64_t> bins;
  double quantile(double q) const;     // 0..1; NaN when empty; interpolated as Envoy does
  uint64_t below(double bound) const;  // how many values are at most `bound` (a bin counts by its lower edge, as in Envoy)
};

// The bins of a histogram that are not empty.
using SparseBins = std::vector<std::pair<unsigned, uint64_t>>;

// A named set of metrics, shared by all threads. Dies (and leaves every page) when its last owner lets go.
class Scope {
 public:
  Scope(const Shape& shape, std::string prefix, Tags tags, unsigned threads);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // The calling thread's cells; `thread` is its index (control 0, worker n is n + 1). The reference stays valid as long as the scope.
  Cells& cells(unsigned thread);
  const Shape& shape() const { return shape_; }
  const std::string& prefix() const { return prefix_; }  // "cluster.orders."
  const Tags& tags() const { return tags_; }
  int64_t sum(unsigned metric) const;
  HistogramSummary histogram(unsigned metric) const;
  // What a histogram took in the last closed interval; empty before the first one.
  HistogramSummary interval(unsigned metric) const;
  // Closes an interval: what came since the last call becomes interval(). Any one thread.
  void turn_intervals();
  std::vector<std::pair<int, int64_t>> codes(unsigned metric) const;
  // Whether it was ever written to. A gauge counts as used as soon as any thread has cells here.
  bool used(unsigned metric) const;
  void set_text(unsigned metric, std::string text);  // a kText; any thread
  std::string text(unsigned metric) const;
  void reset_counters();  // /reset_counters: remembers a baseline, cells are not touched

 private:
  int64_t raw_sum(unsigned metric) const;
  template <class F>
  void each_cells(F f) const;
  const Shape& shape_;
  std::string prefix_;
  Tags tags_;
  std::vector<std::atomic<Cells*>> cells_;
  mutable std::mutex mutex_;       // what follows
  std::vector<int64_t> baseline_;  // by metric, empty before the first reset
  std::vector<std::pair<unsigned, std::vector<int64_t>>> code_baselines_;
  std::vector<std::pair<unsigned, std::string>> texts_;
  struct Interval {
    unsigned metric = 0;
    SparseBins before, window;  // up to its end, and within it
    uint64_t sum_before = 0, sum = 0;
  };
  std::vector<Interval> intervals_;
};

// Every scope of the process. Thread-safe; never on a request's path.
class Registry {
 public:
  explicit Registry(unsigned threads) : threads_(threads) {}
  // A live scope of the same shape and prefix is shared.
  std::shared_ptr<Scope> scope(const Shape& shape, std::string prefix, Tags tags = {});
  void turn_intervals() const;
  // Live scopes ordered by prefix.
  std::vector<std::shared_ptr<Scope>> scopes() const;
  unsigned threads() const { return threads_; }

 private:
  unsigned threads_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::string, const Shape*>, std::weak_ptr<Scope>> scopes_;
  size_t prune_at_ = 64;
};

}  // namespace weft::observe
