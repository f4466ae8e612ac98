// Times that are drawn a little longer, so that connections opened at once do not all end at once.
#pragma once
#include "common/net/loop.h"

#include <chrono>

namespace weft::downstream {

// `time`, longer by up to `percent` of it.
inline std::chrono::milliseconds with_jitter(std::chrono::milliseconds time, double percent, net::Loop& loop) {
  const auto most = static_cast<uint64_t>(static_cast<double>(time.count()) * percent / 100);
  return most == 0 ? time : time + std::chrono::milliseconds(loop.random() % (most + 1));
}

}  // namespace weft::downstream
