#include "proxy/dns_proxy/answer_cache.h"

#include <algorithm>

namespace weft::dns_proxy {
namespace {

constexpr uint32_t kLongest = 3600, kLongestDenial = 300;

// The SOA's last number.
uint32_t minimum_of(const dns::Record& soa) {
  uint32_t value = 0;
  for (size_t i = soa.data.size() - 4; i < soa.data.size(); ++i) value = value << 8 | static_cast<unsigned char>(soa.data[i]);
  return value;
}

template <class F>
void each_record(dns::Message& message, F f) {
  for (auto* section : {&message.answers, &message.authorities, &message.additionals})
    for (dns::Record& record : *section) f(record);
}

}  // namespace

std::string question_key(const dns::Message& query) {
  const dns::Question& question = query.questions.front();
  const bool dnssec = query.edns && query.edns->dnssec_ok;
  std::string key = question.name.key();
  for (unsigned byte : {question.type >> 8, question.type & 255, question.klass >> 8, question.klass & 255,
                        (query.recursion_desired ? 1 : 0) | (query.checking_disabled ? 2 : 0) | (dnssec ? 4 : 0)})
    key += static_cast<char>(byte);
  return key;
}

uint32_t lifetime(const dns::Message& answer) {
  if (answer.questions.empty() || (answer.code != dns::kNoError && answer.code != dns::kNoSuchName)) return 0;
  uint32_t seconds = kLongest;
  const uint16_t wanted = answer.questions.front().type;
  bool answered = false;
  for (const dns::Record& record : answer.answers) {
    seconds = std::min(seconds, record.ttl);
    answered = answered || record.type == wanted || wanted == dns::kAny;
  }
  if (answered && answer.code == dns::kNoError) return seconds;
  for (const dns::Record& record : answer.authorities)
    if (record.type == dns::kSoa && record.klass == dns::kInternet)
      return std::min({seconds, kLongestDenial, record.ttl, minimum_of(record)});
  return 0;
}

std::optional<dns::Message> AnswerCache::find(const std::string& key, EventClock::Time now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const auto entry = found->second;
  if (entry->expires <= now) {
    drop(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  dns::Message answer = entry->answer;
  const auto age = static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - entry->taken).count());
  each_record(answer, [&](dns::Record& record) { record.ttl -= std::min(record.ttl, age); });
  return answer;
}

void AnswerCache::put(const std::string& key, const dns::Message& answer, size_t bytes, EventClock::Time now) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
  const uint32_t seconds = lifetime(answer);
  bytes += 2 * key.size() + sizeof(Entry);
  if (seconds == 0 || bytes > max_bytes_) return;
  entries_.push_front({key, answer, bytes, now, now + std::chrono::seconds(seconds)});
  by_key_[key] = entries_.begin();
  bytes_ += bytes;
  while (entries_.size() > max_answers_ || bytes_ > max_bytes_) drop(std::prev(entries_.end()));
}

void AnswerCache::clear() {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

void AnswerCache::drop(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace weft::dns_proxy
