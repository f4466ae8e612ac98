// Network filters that stand before a chain's last one. Those that there are judge a connection as it arrives and never look at its
// bytes, so what is asked of them is one call for each connection; and nothing at all of a chain without them. Const, shared by all
// workers.
#pragma once
#include "common/observe/response_flags.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

class NetworkFilter;

// A connection that nobody serves yet.
struct Arrival {
  std::string_view server_name;  // of a ClientHello; empty: none, or nobody looked
  std::chrono::steady_clock::time_point now;
  unsigned thread = 0;                               // whose cells of a filter's scope
  std::string cluster;                               // a filter's choice for tcp_proxy; empty: its own
  std::vector<const NetworkFilter*> to_tell_of_end;  // who wants on_over()
};

// Why a connection is closed without having been served.
struct Refusal {
  std::chrono::milliseconds delay{0};  // it is kept for so long first, and not read
  observe::ResponseFlags flags;
};

class NetworkFilter {
 public:
  virtual ~NetworkFilter() = default;
  virtual std::optional<Refusal> on_arrival(Arrival& arrival) const = 0;
  // The connection is over, or was refused by whomever.
  virtual void on_over(unsigned thread) const {}
};

using NetworkFilters = std::vector<std::shared_ptr<const NetworkFilter>>;

// A connection's way through them; its end tells those who wanted to know.
class Passage {
 public:
  Passage(const NetworkFilters& filters, Arrival& arrival);
  ~Passage();
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;
  const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  const NetworkFilters filters_;  // they outlive a change of the configuration
  std::vector<const NetworkFilter*> to_tell_;
  std::optional<Refusal> refusal_;
  unsigned thread_;
};

}  // namespace weft::filters
