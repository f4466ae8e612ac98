// envoy.retry_priorities.previous_priorities: which priorities the tries of one request went to, so that later ones leave those out.
// Every `frequency` tries what was tried is left out from then on; where nothing else is there, it begins anew.
#pragma once
#include <cstdint>

namespace weft::upstream {

class TriedPriorities {
 public:
  explicit TriedPriorities(uint32_t frequency) : frequency_(frequency) {}

  bool active() const { return frequency_ != 0; }
  void note(uint32_t priority) {
    ++tries_;
    if (priority < 64) tried_ |= uint64_t{1} << priority;
  }
  // Those that the next pick leaves out, by bit.
  uint64_t avoided() {
    if (tries_ < frequency_) return 0;
    if (tries_ % frequency_ == 0) avoided_ = tried_;
    return avoided_;
  }
  void forget() {
    tries_ = 0;
    tried_ = avoided_ = 0;
  }

 private:
  uint32_t frequency_;
  uint32_t tries_ = 0;
  uint64_t tried_ = 0, avoided_ = 0;
};

}  // namespace weft::upstream
