#include "common/observe/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace weft::observe {
namespace {

constexpr std::array<uint64_t, 12> kPowers = {1,         10,         100,         1'000,         10'000,         100'000,
                                              1'000'000, 10'000'000, 100'000'000, 1'000'000'000, 10'000'000'000, 100'000'000'000};

// Adds without a lock prefix: one writer.
template <class T>
void bump(std::atomic<T>& cell, T n) {
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace

// --- Histogram ---

Histogram::~Histogram() {
  for (std::atomic<Block*>& block : blocks_) delete block.load(std::memory_order_acquire);
}

unsigned Histogram::bin_of(uint64_t value) {
  if (value < 100) return static_cast<unsigned>(value);
  unsigned block = 1;
  while (block + 1 < kBlocks && value >= kPowers[block + 2]) ++block;
  return block * kBlock + static_cast<unsigned>(std::min<uint64_t>(value / kPowers[block], 99));
}

double Histogram::lower_of(unsigned bin) { return static_cast<double>(bin % kBlock) * static_cast<double>(kPowers[bin / kBlock]); }

double Histogram::width_of(unsigned bin) {
  if (bin == 0) return 0;
  if (bin < 10) return 0.1;
  return static_cast<double>(kPowers[bin / kBlock]);
}

double Histogram::value_of(unsigned bin) { return lower_of(bin) + width_of(bin) / 2; }

void Histogram::record(uint64_t value) {
  unsigned bin = bin_of(value);
  std::atomic<Block*>& slot = blocks_[bin / kBlock];
  Block* block = slot.load(std::memory_order_relaxed);
  if (block == nullptr) {
    block = new Block{};
    slot.store(block, std::memory_order_release);
  }
  bump<uint64_t>((*block)[bin % kBlock], 1);
  bump<uint64_t>(sum_, value);
}

void Histogram::merge_into(std::vector<uint64_t>& bins, uint64_t& count, uint64_t& sum) const {
  bins.resize(kBins);
  for (unsigned b = 0; b < kBlocks; ++b) {
    const Block* block = blocks_[b].load(std::memory_order_acquire);
    if (block == nullptr) continue;
    for (unsigned i = 0; i < kBlock; ++i) {
      uint64_t n = (*block)[i].load(std::memory_order_relaxed);
      bins[b * kBlock + i] += n;
      count += n;
    }
  }
  sum += sum_.load(std::memory_order_relaxed);
}

double HistogramSummary::quantile(double q) const {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  auto wanted = static_cast<uint64_t>(std::max(1.0, std::ceil(q * static_cast<double>(count) - 1e-9)));
  uint64_t before = 0;
  for (unsigned bin = 0; bin < bins.size(); ++bin) {
    if (bins[bin] == 0) continue;
    if (before + bins[bin] >= wanted)
      return Histogram::lower_of(bin) +
             Histogram::width_of(bin) * (static_cast<double>(wanted - before) / static_cast<double>(bins[bin] + 1));
    before += bins[bin];
  }
  return std::numeric_limits<double>::quiet_NaN();
}

uint64_t HistogramSummary::below(double bound) const {
  uint64_t n = 0;
  for (unsigned bin = 0; bin < bins.size(); ++bin)
    if (bins[bin] != 0 && Histogram::lower_of(bin) <= bound) n += bins[bin];
  return n;
}

// --- Cells ---

Cells::Cells(const Shape& shape) : shape_(shape), values_(new std::atomic<int64_t>[shape.size]) {
  for (unsigned i = 0; i < shape.size; ++i) values_[i].store(0, std::memory_order_relaxed);
}

template <class T>
T* Cells::table(unsigned metric) const {
  return reinterpret_cast<T*>(values_[metric].load(std::memory_order_acquire));
}

Cells::~Cells() {
  for (unsigned i = 0; i < shape_.size; ++i) {
    if (shape_.metrics[i].kind == Kind::kHistogram) delete table<Histogram>(i);
    if (shape_.metrics[i].kind == Kind::kCodes) delete table<CodeCounters>(i);
  }
}

void Cells::record(unsigned metric, uint64_t value) {
  auto* histogram = table<Histogram>(metric);
  if (histogram == nullptr) {
    histogram = new Histogram;
    values_[metric].store(reinterpret_cast<int64_t>(histogram), std::memory_order_release);
  }
  histogram->record(value);
}

void Cells::count_code(unsigned metric, int status) {
  auto* codes = table<CodeCounters>(metric);
  if (codes == nullptr) {
    codes = new CodeCounters;
    values_[metric].store(reinterpret_cast<int64_t>(codes), std::memory_order_release);
  }
  bump<int64_t>(codes->counts[CodeCounters::slot(status)], 1);
}

// --- Scope ---

Scope::Scope(const Shape& shape, std::string prefix, Tags tags, unsigned threads)
    : shape_(shape), prefix_(std::move(prefix)), tags_(std::move(tags)), cells_(threads) {}

Scope::~Scope() {
  for (std::atomic<Cells*>& slot : cells_) delete slot.load(std::memory_order_acquire);
}

Cells& Scope::cells(unsigned thread) {
  Cells* cells = cells_[thread].load(std::memory_order_relaxed);
  if (cells == nullptr) {
    cells = new Cells(shape_);
    cells_[thread].store(cells, std::memory_order_release);
  }
  return *cells;
}

template <class F>
void Scope::each_cells(F f) const {
  for (const std::atomic<Cells*>& slot : cells_)
    if (const Cells* cells = slot.load(std::memory_order_acquire)) f(*cells);
}

int64_t Scope::raw_sum(unsigned metric) const {
  Kind kind = shape_.metrics[metric].kind;
  if (kind != Kind::kCounter && kind != Kind::kGauge) return 0;
  int64_t sum = 0;
  each_cells([&](const Cells& cells) { sum += cells.value(metric); });
  return sum;
}

int64_t Scope::sum(unsigned metric) const {
  int64_t sum = raw_sum(metric);
  if (shape_.metrics[metric].kind != Kind::kCounter) return sum;
  std::lock_guard lock(mutex_);
  return baseline_.empty() ? sum : sum - baseline_[metric];
}

HistogramSummary Scope::histogram(unsigned metric) const {
  HistogramSummary summary;
  if (shape_.metrics[metric].kind != Kind::kHistogram) return summary;
  each_cells([&](const Cells& cells) {
    if (const auto* histogram = cells.table<Histogram>(metric)) histogram->merge_into(summary.bins, summary.count, summary.sum);
  });
  return summary;
}

HistogramSummary Scope::interval(unsigned metric) const {
  HistogramSummary summary;
  std::lock_guard lock(mutex_);
  for (const Interval& interval : intervals_) {
    if (interval.metric != metric || interval.window.empty()) continue;
    summary.bins.resize(Histogram::kBins);
    for (auto [bin, count] : interval.window) {
      summary.bins[bin] = count;
      summary.count += count;
    }
    summary.sum = interval.sum;
  }
  return summary;
}

void Scope::turn_intervals() {
  for (unsigned i = 0; i < shape_.size; ++i) {
    if (shape_.metrics[i].kind != Kind::kHistogram) continue;
    const HistogramSummary now = histogram(i);
    if (now.count == 0) continue;
    std::lock_guard lock(mutex_);
    auto at = std::find_if(intervals_.begin(), intervals_.end(), [i](const Interval& interval) { return interval.metric == i; });
    if (at == intervals_.end()) at = intervals_.insert(at, Interval{.metric = i, .before = {}, .window = {}});
    SparseBins after, window;
    auto before = at->before.begin();
    for (unsigned bin = 0; bin < now.bins.size(); ++bin) {
      if (now.bins[bin] == 0) continue;
      after.emplace_back(bin, now.bins[bin]);
      const bool had = before != at->before.end() && before->first == bin;
      const uint64_t more = now.bins[bin] - (had ? before++->second : 0);
      if (more > 0) window.emplace_back(bin, more);
    }
    at->sum = now.sum - at->sum_before;
    at->sum_before = now.sum;
    at->before = std::move(after);
    at->window = std::move(window);
  }
}

std::vector<std::pair<int, int64_t>> Scope::codes(unsigned metric) const {
  std::vector<std::pair<int, int64_t>> result;
  if (shape_.metrics[metric].kind != Kind::kCodes) return result;
  std::array<int64_t, CodeCounters::kSlots> sums{};
  each_cells([&](const Cells& cells) {
    const auto* codes = cells.table<CodeCounters>(metric);
    if (codes == nullptr) return;
    for (unsigned i = 0; i < sums.size(); ++i) sums[i] += codes->counts[i].load(std::memory_order_relaxed);
  });
  std::lock_guard lock(mutex_);
  const std::vector<int64_t>* baseline = nullptr;
  for (const auto& [which, values] : code_baselines_)
    if (which == metric) baseline = &values;
  for (unsigned i = 0; i < sums.size(); ++i)
    if (sums[i] != 0) result.emplace_back(CodeCounters::status(i), sums[i] - (baseline ? (*baseline)[i] : 0));
  return result;
}

bool Scope::used(unsigned metric) const {
  switch (shape_.metrics[metric].kind) {
    case Kind::kCounter: return raw_sum(metric) != 0;
    case Kind::kGauge: {
      bool any = false;
      each_cells([&](const Cells&) { any = true; });
      return any;
    }
    case Kind::kHistogram: return histogram(metric).count != 0;
    case Kind::kCodes: return !codes(metric).empty();
    case Kind::kText: return !text(metric).empty();
  }
  return false;
}

void Scope::set_text(unsigned metric, std::string text) {
  std::lock_guard lock(mutex_);
  for (auto& [which, value] : texts_)
    if (which == metric) return void(value = std::move(text));
  texts_.emplace_back(metric, std::move(text));
}

std::string Scope::text(unsigned metric) const {
  std::lock_guard lock(mutex_);
  for (const auto& [which, value] : texts_)
    if (which == metric) return value;
  return {};
}

void Scope::reset_counters() {
  for (unsigned i = 0; i < shape_.size; ++i) {
    if (shape_.metrics[i].kind == Kind::kCounter) {
      int64_t now = raw_sum(i);
      std::lock_guard lock(mutex_);
      baseline_.resize(shape_.size);
      baseline_[i] = now;
    } else if (shape_.metrics[i].kind == Kind::kCodes) {
      std::vector<std::pair<int, int64_t>> shown = codes(i);  // counted since the last reset
      std::lock_guard lock(mutex_);
      auto at = std::find_if(code_baselines_.begin(), code_baselines_.end(), [i](const auto& entry) { return entry.first == i; });
      if (at == code_baselines_.end()) at = code_baselines_.insert(at, {i, std::vector<int64_t>(CodeCounters::kSlots)});
      for (auto [status, count] : shown) at->second[CodeCounters::slot(status)] += count;
    }
  }
}

// --- Registry ---

std::shared_ptr<Scope> Registry::scope(const Shape& shape, std::string prefix, Tags tags) {
  std::lock_guard lock(mutex_);
  if (scopes_.size() >= prune_at_) {
    std::erase_if(scopes_, [](const auto& entry) { return entry.second.expired(); });
    prune_at_ = std::max<size_t>(64, 2 * scopes_.size());
  }
  std::weak_ptr<Scope>& slot = scopes_[{prefix, &shape}];
  std::shared_ptr<Scope> scope = slot.lock();
  if (scope == nullptr) {
    scope = std::make_shared<Scope>(shape, std::move(prefix), std::move(tags), threads_);
    slot = scope;
  }
  return scope;
}

void Registry::turn_intervals() const {
  for (const auto& scope : scopes()) scope->turn_intervals();
}

std::vector<std::shared_ptr<Scope>> Registry::scopes() const {
  std::vector<std::shared_ptr<Scope>> live;
  std::lock_guard lock(mutex_);
  live.reserve(scopes_.size());
  for (const auto& [key, weak] : scopes_)
    if (auto scope = weak.lock()) live.push_back(std::move(scope));
  return live;
}

}  // namespace weft::observe
