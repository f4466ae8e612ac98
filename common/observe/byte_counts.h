// A connection's bytes as two counters of its cells. Noted in each event that moved some, so that they move while a stream lasts.
#pragma once
#include "common/observe/metrics.h"

#include <cstdint>

namespace weft::observe {

class ByteCounts {
 public:
  void note(Cells& cells, unsigned received_metric, uint64_t received, unsigned sent_metric, uint64_t sent) {
    if (received != received_) cells.add(received_metric, static_cast<int64_t>(received - received_));
    if (sent != sent_) cells.add(sent_metric, static_cast<int64_t>(sent - sent_));
    received_ = received;
    sent_ = sent;
  }

 private:
  uint64_t received_ = 0, sent_ = 0;  // what the cells have
};

}  // namespace weft::observe
