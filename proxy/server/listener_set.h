// The listeners as the control thread knows them: opens their sockets, one per worker, and decides what a change means: the same
// address goes on in place, a new one opens beside it, a vanished one drains.
#pragma once
#include "common/net/stream.h"
#include "common/observe/metrics.h"
#include "proxy/config/values.h"
#include "proxy/server/worker.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::server {

class ListenerSet {
 public:
  ListenerSet(std::vector<std::unique_ptr<Worker>>& workers, observe::Registry& metrics, std::chrono::milliseconds drain_time);

  // Binds what `listener` will need, so that a port held by somebody else is known before it is accepted. Nobody can connect yet.
  Status reserve(const config::Listener& listener, const std::vector<std::string>& removed);
  // Opens or changes; what cannot be opened is returned by name with the reason, and changes nothing.
  std::vector<std::pair<std::string, std::string>> apply(const std::vector<std::shared_ptr<const config::Listener>>& changed,
                                                         const std::vector<std::string>& removed);
  struct Entry {
    std::shared_ptr<const config::Listener> config;
    std::vector<net::Endpoint> addresses;  // of its places, with the kernel's ports
    ListenerScopes scopes;
    std::shared_ptr<Balance> balance;  // null: the kernel spreads connections
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }
  // Everything ends, the process too.
  void drain_all();
  // /drain_listeners: the connections of these listeners end with their next request. Stopped ones take no new connection.
  struct DrainScope {
    bool inbound_only = false;
    bool stop = false;
  };
  void drain(DrainScope scope);

  ~ListenerSet();

 private:
  // Another listener at one of its addresses that is not about to go; null if there is none.
  const Entry* holder_of(const config::Listener& listener, const std::vector<std::string>& removed) const;
  // One that is about to go and has all its addresses, bound alike: its sockets are handed over.
  const Entry* predecessor_of(const config::Listener& listener, const std::vector<std::string>& removed) const;
  Result<std::vector<net::ListeningSockets>> bind(const config::Listener& listener) const;
  Status set(const std::shared_ptr<const config::Listener>& listener, const std::vector<std::string>& removed);
  ListenerScopes scopes_of(const config::Listener& listener);
  // Only one worker counts.
  Worker::Patience patience_of(size_t worker) const { return {drain_time_, worker == 0 ? stats_ : nullptr}; }
  void note();
  std::vector<std::unique_ptr<Worker>>& workers_;
  observe::Registry& metrics_;
  std::chrono::milliseconds drain_time_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::vector<net::ListeningSockets>> reserved_;  // bound, not listening
  std::shared_ptr<observe::Scope> stats_;
};

}  // namespace weft::server
