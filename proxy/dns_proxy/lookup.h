// One question on its way to the resolvers: one after another, each for as long as resolv.conf says, over UDP and, where the answer is
// cut, over TCP. Each try has a fresh socket, so a port and an id that cannot be guessed. What does not come from the address that was
// asked, has another id or another question, or is no message, is counted and not believed: the wait goes on. Lives on the DNS thread.
#pragma once
#include "common/dns/message.h"
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "proxy/dns_proxy/resolv_conf.h"

#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace weft::dns_proxy {

// What all lookups share.
struct LookupWorld {
  net::Loop& loop;
  observe::Cells& stats;
  // The local port and the id of each datagram that waits for its answer: one that comes back as a query has gone in a circle.
  std::unordered_multiset<uint32_t> under_way = {};
  std::string buffer = std::string(dns::kMaxMessage, '\0');
};

class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  // The answer and its size; null: nobody had one.
  using Finished = std::function<void(const dns::Message* answer, size_t bytes)>;
  Lookup(LookupWorld& world, const dns::Message& query, const ResolvConf& conf, std::vector<Resolver> resolvers, Finished finished);
  void start();
  // Nobody waits any more; `finished` is not called.
  void cancel();

  static uint32_t mark(uint16_t port, uint16_t id) { return static_cast<uint32_t>(port) << 16 | id; }

 private:
  void try_next();
  void ask_by_datagram();
  void wait_for_datagram();
  void read_datagrams();
  void ask_by_stream();
  void read_stream();
  // False: not an answer to this.
  bool take(std::string_view bytes, bool by_stream);
  void judge(const dns::Message& answer, size_t bytes);
  void close();
  void finish(const dns::Message* answer, size_t bytes);
  void on_timeout() { try_next(); }
  // A handler of this try; it does nothing once the try is over.
  template <class F>
  auto within(F f);

  LookupWorld& world_;
  dns::Message query_;
  const std::chrono::milliseconds timeout_;
  const unsigned attempts_;
  const std::vector<Resolver> resolvers_;
  Finished finished_;
  asio::basic_datagram_socket<asio::ip::udp, Executor> datagrams_;
  asio::basic_stream_socket<asio::ip::tcp, Executor> stream_;
  Timeout<Lookup, &Lookup::on_timeout> patience_{*this};
  std::string out_, in_;
  char length_[2] = {};
  EventClock::Time began_{};
  Resolver resolver_;
  std::optional<uint32_t> marked_;
  std::optional<std::pair<dns::Message, size_t>> refusal_;  // an answer, but none that helps
  unsigned tries_ = 0, turn_ = 0, disbelieved_ = 0;
  bool over_ = false;
};

}  // namespace weft::dns_proxy
