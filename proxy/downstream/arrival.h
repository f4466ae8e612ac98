// A connection between accept and the filter chain that serves it: listener filters look at its first bytes and at its socket, one
// after the other, and note what they find as ConnectionFacts. What they read waits here for whoever serves the connection; a header
// of the PROXY protocol is taken away. Lives until all filters are through, one of them ends it, the client leaves or time is up.
#pragma once
#include "common/net/connection_facts.h"
#include "common/net/loop.h"
#include "common/net/stream.h"
#include "common/observe/shapes.h"
#include "proxy/config/values.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weft::format {
class Metadata;
}

namespace weft::downstream {

class Arrival;

// Who keeps arrivals, and decides over them.
class ArrivalOwner {
 public:
  // All filters are through: its chain may be chosen, or another listener go on with it (go_on).
  virtual void on_arrived(Arrival& arrival) = 0;
  // It is over before that; its stream is closed.
  virtual void on_arrival_lost(Arrival& arrival) = 0;

 protected:
  ~ArrivalOwner() = default;
};

class Arrival final : public net::Retirable, private net::Ready {
 public:
  // `original`: what redirected traffic was meant for, if the socket knows. `path`: of a Unix socket.
  Arrival(ArrivalOwner& owner, net::Loop& loop, std::unique_ptr<net::Stream> stream, std::optional<net::Endpoint> original,
          std::string path = {});
  ~Arrival() override;

  // Runs the filters of `listener`; may call the owner back at once. `stats`: observe::ListenerStat. From on_arrived, again: with
  // those of another listener, which the connection is handed to.
  void go_on(std::shared_ptr<const config::Listener> listener, std::shared_ptr<const std::string> name,
             std::shared_ptr<observe::Scope> stats);

  // The name under which its listener is known to the owner.
  const std::string& listener() const { return *name_; }
  bool handed_over() const { return listeners_ > 1; }
  const net::ConnectionFacts& facts() const { return *facts_; }
  void end(bool reset);

  // Something that lasts as long as the connection.
  void hold(std::shared_ptr<void> what) { held_ = std::move(what); }

  // For whoever serves it.
  std::shared_ptr<void> take_held() { return std::move(held_); }
  std::unique_ptr<net::Stream> take_stream() { return std::move(stream_); }
  std::shared_ptr<const net::ConnectionFacts> take_facts() { return std::move(facts_); }
  std::shared_ptr<format::Metadata> take_metadata() { return std::move(metadata_); }
  std::string_view bytes() const { return in_.view(); }
  bool more() const { return more_; }

 private:
  enum class Step : unsigned char { kDone, kRead, kClose };
  void on_readable() override;
  void on_writable() override {}
  void on_timeout();
  void run();
  void wait();
  void count(observe::ListenerStat::Index stat, int64_t n = 1) { stats_->cells(loop_.thread()).add(stat, n); }
  void leave_listener();
  void lose(bool reset);
  Step take(const config::ListenerFilter& filter);
  Step take(const config::OriginalDst&);
  Step take(const config::TlsInspector& inspector);
  Step take(const config::HttpInspector& inspector);
  Step take(const config::ProxyProtocol& filter);
  void note_tlvs(const config::ProxyProtocol& filter, const std::vector<std::pair<uint8_t, std::string>>& tlvs);

  ArrivalOwner& owner_;
  net::Loop& loop_;
  std::unique_ptr<net::Stream> stream_;
  std::optional<net::Endpoint> original_;
  std::shared_ptr<const config::Listener> config_;
  std::shared_ptr<const std::string> name_;
  std::shared_ptr<observe::Scope> stats_;  // of the listener whose filters run
  std::shared_ptr<net::ConnectionFacts> facts_ = std::make_shared<net::ConnectionFacts>();
  std::shared_ptr<format::Metadata> metadata_;  // null until a TLV is noted
  std::shared_ptr<void> held_;
  ReadBuffer in_;
  Timeout<Arrival, &Arrival::on_timeout> patience_{*this};
  size_t next_ = 0;  // the filter that is asked
  unsigned listeners_ = 0;
  bool fresh_ = true;  // nobody has waited for its first bytes yet
  bool more_ = false;  // the socket may hold more
  bool over_ = false;
};

}  // namespace weft::downstream
