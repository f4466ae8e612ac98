// What resolvers said, for as long as they said it holds. Bounded in number and bytes; what was not asked for the longest goes first.
#pragma once
#include "common/base/event_clock.h"
#include "common/dns/message.h"

#include <list>
#include <optional>
#include <string>
#include <unordered_map>

namespace weft::dns_proxy {

// What an answer depends on, besides whom one asks: the question (case does not count) and the bits of the query that resolvers heed.
std::string question_key(const dns::Message& query);

class AnswerCache {
 public:
  AnswerCache(size_t max_answers, size_t max_bytes) : max_answers_(max_answers), max_bytes_(max_bytes) {}

  // With what is left of its times to live. The id and the spelling of the question are those of who asked first.
  std::optional<dns::Message> find(const std::string& key, EventClock::Time now);
  // Not kept: failures, and what says itself that it does not last.
  void put(const std::string& key, const dns::Message& answer, size_t bytes, EventClock::Time now);
  void clear();
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    dns::Message answer;
    size_t bytes = 0;
    EventClock::Time taken, expires;
  };
  using Entries = std::list<Entry>;  // the last one asked for stands first
  void drop(Entries::iterator entry);

  size_t max_answers_, max_bytes_, bytes_ = 0;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

// For how many seconds an answer may be given again: the least time to live in it; of an answer that denies, at most what the zone's
// SOA says (RFC 2308), and nothing without one.
uint32_t lifetime(const dns::Message& answer);

}  // namespace weft::dns_proxy
