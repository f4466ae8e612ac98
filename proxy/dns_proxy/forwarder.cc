#include "proxy/dns_proxy/forwarder.h"

#include "common/base/log.h"
#include "proxy/dns_proxy/stats.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>

namespace weft::dns_proxy {
namespace {

bool is_us(const Resolver& own, const Resolver& resolver) {
  return own.port() == resolver.port() &&
         (own.address() == resolver.address() || (own.address().is_unspecified() && resolver.address().is_loopback()));
}

std::string text_of(const Resolver& resolver) {
  std::ostringstream out;
  out << resolver;
  return out.str();
}

}  // namespace

dns::Message reply_with(const dns::Message& query, const dns::Message& answer) {
  dns::Message reply = dns::reply_to(query, answer.code);
  if (reply.code > 15 && !reply.edns) reply.code = dns::kServerFailure;
  reply.authoritative = answer.authoritative;
  reply.recursion_available = answer.recursion_available;
  reply.authentic_data = answer.authentic_data;
  reply.answers = answer.answers;
  reply.authorities = answer.authorities;
  reply.additionals = answer.additionals;
  const dns::Name& asked = query.questions.front().name;
  for (dns::Record& record : reply.answers)
    if (record.name.same(asked)) record.name = asked;
  return reply;
}

void shuffle_addresses(std::vector<dns::Record>& records, net::Loop& loop) {
  std::vector<dns::Record*> addresses;
  for (dns::Record& record : records)
    if (record.type == dns::kA || record.type == dns::kAaaa) addresses.push_back(&record);
  for (size_t left = addresses.size(); left > 1; --left) std::swap(*addresses[left - 1], *addresses[loop.random() % left]);
}

Forwarder::Forwarder(net::Loop& loop, std::string resolv_conf, std::vector<Resolver> own, observe::Cells& stats, ForwardLimits limits)
    : world_{loop, stats},
      file_(std::move(resolv_conf)),
      own_(std::move(own)),
      limits_(limits),
      cache_(limits.answers, limits.answer_bytes) {}

Forwarder::~Forwarder() {
  for (auto& [key, out] : out_) out.lookup->cancel();
}

void Forwarder::refresh() {
  if (!file_.refresh(world_.loop.now())) return;
  cache_.clear();
  resolvers_.clear();
  auto& log = log::get(log::Logger::kUpstream);
  for (const Resolver& resolver : file_.conf().resolvers) {
    if (std::any_of(own_.begin(), own_.end(), [&](const Resolver& own) { return is_us(own, resolver); }))
      log.warn("{}: nameserver {} is this DNS proxy itself, it is not asked", file_.path(), text_of(resolver));
    else
      resolvers_.push_back(resolver);
  }
  if (resolvers_.empty()) log.warn("{} names no resolver: only names of the mesh are answered", file_.path());
}

const dns::Name& Forwarder::search() {
  refresh();
  return file_.conf().search;
}

void Forwarder::ask(const dns::Message& query, Done done) {
  refresh();
  const std::string key = question_key(query);
  if (const auto known = cache_.find(key, world_.loop.now())) {
    world_.stats.add(DnsStat::kCacheHits);
    dns::Message reply = reply_with(query, *known);
    shuffle_addresses(reply.answers, world_.loop);
    return done(std::move(reply));
  }
  auto found = out_.find(key);
  const bool full = waiting_ >= limits_.waiting || (found == out_.end() && out_.size() >= limits_.lookups);
  if (full) world_.stats.add(DnsStat::kOverflow);
  if (full || resolvers_.empty()) return done(dns::reply_to(query, dns::kServerFailure));
  ++waiting_;
  const bool fresh = found == out_.end();
  if (fresh) found = out_.try_emplace(key).first;
  found->second.waiting.push_back({query, std::move(done)});
  if (!fresh) return;
  const auto lookup = std::make_shared<Lookup>(world_, query, file_.conf(), resolvers_,
                                               [this, key](const dns::Message* answer, size_t bytes) { answered(key, answer, bytes); });
  found->second.lookup = lookup;
  lookup->start();
}

void Forwarder::answered(const std::string& key, const dns::Message* answer, size_t bytes) {
  auto node = out_.extract(key);
  if (answer == nullptr) {
    world_.stats.add(DnsStat::kUpstreamFailures);
  } else {
    cache_.put(node.key(), *answer, bytes, world_.loop.now());
  }
  for (Waiting& one : node.mapped().waiting) {
    --waiting_;
    one.done(answer != nullptr ? reply_with(one.query, *answer) : dns::reply_to(one.query, dns::kServerFailure));
  }
}

}  // namespace weft::dns_proxy
