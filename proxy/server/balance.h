// connection_balance_config.exact_balance: how many connections of a listener each worker has. A new one goes to the worker that has the
// fewest, whoever accepted it. Shared by all workers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace weft::server {

class Worker;

class Balance : public std::enable_shared_from_this<Balance> {
 public:
  explicit Balance(std::vector<Worker*> workers) : workers_(std::move(workers)), counts_(workers_.size(), 0) {}

  // A connection's place among those of a worker, for as long as somebody holds it.
  struct Seat {
    Worker* worker = nullptr;
    std::shared_ptr<void> held;
  };
  Seat take() {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<size_t>(std::min_element(counts_.begin(), counts_.end()) - counts_.begin());
    ++counts_[index];
    return {workers_[index], std::shared_ptr<void>(nullptr, [self = shared_from_this(), index](void*) { self->give_back(index); })};
  }

 private:
  void give_back(size_t index) {
    const std::lock_guard lock(mutex_);
    --counts_[index];
  }
  const std::vector<Worker*> workers_;
  std::mutex mutex_;
  std::vector<size_t> counts_;
};

}  // namespace weft::server
