// Names to addresses, without blocking a loop. What comes from elsewhere is not trusted: an answer that does not fit its question is
// none (c-ares sees to that), and whoever asks keeps what was known before.
#pragma once
#include "common/net/loop.h"
#include "common/resolve/options.h"

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft::resolve {

struct Address {
  asio::ip::address ip;
  std::chrono::seconds ttl{0};  // 0: nobody said
  bool operator==(const Address&) const = default;
};

struct Answer {
  bool failed = false;             // nobody could tell
  std::string reason;              // then: why, "cares_failure:Timeout..."
  std::vector<Address> addresses;  // none, and not failed: the name has none
};

// A question under way. Destroying it gives it up; no answer follows.
class Question {
 public:
  virtual ~Question() = default;
};

// Lives on one loop.
class Resolver {
 public:
  using Done = std::function<void(Answer)>;
  virtual ~Resolver() = default;
  // `done` comes once, from the loop, never from inside; the Question may be destroyed in it.
  virtual std::unique_ptr<Question> ask(const std::string& name, Family family, Done done) = 0;
};

std::shared_ptr<Resolver> make_resolver(net::Loop& loop, const Options& options);
// The two kinds, for make_resolver().
std::shared_ptr<Resolver> make_cares_resolver(net::Loop& loop, const Options& options);
std::shared_ptr<Resolver> make_system_resolver(net::Loop& loop, const Options& options);

}  // namespace weft::resolve
