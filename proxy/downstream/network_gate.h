// A connection before the network filters of its chain, which let it pass or have it closed, at once or after a while. Made only where
// a chain has such filters; lives as long as the connection, whose end some of them want to know.
#pragma once
#include "common/net/loop.h"
#include "proxy/filters/network/network_filter.h"

#include <functional>
#include <string_view>
#include <utility>

namespace weft::downstream {

class NetworkGate {
 public:
  NetworkGate(net::Loop& loop, const filters::NetworkFilters& filters, std::string_view server_name)
      : loop_(loop), arrival_{server_name, loop.now(), loop.thread(), {}, {}}, passage_(filters, arrival_) {}

  // Nothing: it may pass.
  const std::optional<filters::Refusal>& refusal() const { return passage_.refusal(); }
  // The filters' choice for tcp_proxy; empty: none.
  const std::string& cluster() const { return arrival_.cluster; }
  // Of a refused one: calls `close` when it is time.
  void close_later(std::function<void()> close) {
    close_ = std::move(close);
    loop_.wheel().arm(delay_, refusal()->delay);
  }

 private:
  void on_delay_over() { close_(); }
  net::Loop& loop_;
  filters::Arrival arrival_;
  filters::Passage passage_;
  std::function<void()> close_;
  Timeout<NetworkGate, &NetworkGate::on_delay_over> delay_{*this};
};

}  // namespace weft::downstream
