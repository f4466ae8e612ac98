#include "proxy/dns_proxy/lookup.h"

#include "proxy/dns_proxy/in_event.h"
#include "proxy/dns_proxy/stats.h"

#include <netinet/in.h>
#include <sys/random.h>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

namespace weft::dns_proxy {
namespace {

// Datagrams of others that one try listens to before it gives its port up.
constexpr unsigned kMaxDisbelieved = 100;
constexpr uint16_t kPayload = 1232;  // fits every path without fragments

// Ids must not be guessed: the kernel's randomness.
uint16_t random_id(net::Loop& loop) {
  uint16_t id = 0;
  if (::getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id) id = static_cast<uint16_t>(loop.random());
  return id;
}

std::string framed(const std::string& message) {
  std::string out{static_cast<char>(message.size() >> 8), static_cast<char>(message.size() & 255)};
  return out += message;
}

}  // namespace

Lookup::Lookup(LookupWorld& world, const dns::Message& query, const ResolvConf& conf, std::vector<Resolver> resolvers, Finished finished)
    : world_(world),
      timeout_(conf.timeout),
      attempts_(conf.attempts),
      resolvers_(std::move(resolvers)),
      finished_(std::move(finished)),
      datagrams_(world.loop.executor()),
      stream_(world.loop.executor()) {
  query_.recursion_desired = query.recursion_desired;
  query_.checking_disabled = query.checking_disabled;
  query_.authentic_data = query.authentic_data;
  query_.questions = query.questions;
  if (query.edns) query_.edns = dns::Edns{kPayload, 0, query.edns->dnssec_ok, {}};
}

template <class F>
auto Lookup::within(F f) {
  return [self = shared_from_this(), turn = turn_, f](boost::system::error_code error, size_t = 0) {
    if (self->over_ || self->turn_ != turn) return;  // and the world may be gone
    const InEvent event(self->world_.loop);
    f(*self, error);
  };
}

void Lookup::start() {
  began_ = world_.loop.now();
  world_.stats.add(DnsStat::kUpstreamRequests);
  try_next();
}

void Lookup::cancel() {
  over_ = true;
  close();
}

void Lookup::close() {
  ++turn_;
  patience_.disarm();
  boost::system::error_code ignored;
  datagrams_.close(ignored);
  stream_.close(ignored);
  if (marked_) world_.under_way.erase(world_.under_way.find(*marked_));
  marked_.reset();
}

void Lookup::try_next() {
  const auto self = shared_from_this();  // `finished` may let go of it
  close();
  if (tries_ >= resolvers_.size() * attempts_) return refusal_ ? finish(&refusal_->first, refusal_->second) : finish(nullptr, 0);
  resolver_ = resolvers_[tries_++ % resolvers_.size()];
  query_.id = random_id(world_.loop);
  disbelieved_ = 0;
  world_.loop.wheel().arm(patience_, timeout_);
  ask_by_datagram();
}

void Lookup::ask_by_datagram() {
  boost::system::error_code error;
  datagrams_.open(resolver_.protocol(), error);
  if (error) return try_next();
  datagrams_.non_blocking(true, error);
  // Not connected, so that what comes from elsewhere is seen and counted; and yet told when nobody listens there.
  const int on = 1;
  const bool v6 = resolver_.address().is_v6();
  ::setsockopt(datagrams_.native_handle(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof on);
  datagrams_.send_to(asio::buffer(dns::encode(query_)), resolver_, 0, error);
  if (error) return try_next();
  marked_ = mark(datagrams_.local_endpoint(error).port(), query_.id);
  world_.under_way.insert(*marked_);
  wait_for_datagram();
}

void Lookup::wait_for_datagram() {
  datagrams_.async_wait(asio::socket_base::wait_read,
                        within([](Lookup& self, boost::system::error_code error) { error ? self.try_next() : self.read_datagrams(); }));
}

void Lookup::read_datagrams() {
  const unsigned turn = turn_;
  for (;;) {
    boost::system::error_code error;
    Resolver from;
    const size_t size = datagrams_.receive_from(asio::buffer(world_.buffer), from, 0, error);
    if (error == asio::error::would_block || error == asio::error::try_again) return wait_for_datagram();
    if (error) return try_next();
    const bool believed = from == resolver_ && take(std::string_view(world_.buffer).substr(0, size), false);
    if (over_ || turn_ != turn) return;
    if (believed) continue;
    world_.stats.add(DnsStat::kUpstreamInvalid);
    if (++disbelieved_ >= kMaxDisbelieved) return try_next();
  }
}

void Lookup::ask_by_stream() {
  close();
  query_.id = random_id(world_.loop);
  world_.loop.wheel().arm(patience_, timeout_);
  out_ = framed(dns::encode(query_));
  stream_.async_connect({resolver_.address(), resolver_.port()}, within([](Lookup& self, boost::system::error_code failed) {
                          if (failed) return self.try_next();
                          asio::async_write(self.stream_, asio::buffer(self.out_),
                                            self.within([](Lookup& lookup, boost::system::error_code error) {
                                              error ? lookup.try_next() : lookup.read_stream();
                                            }));
                        }));
}

void Lookup::read_stream() {
  asio::async_read(stream_, asio::buffer(length_), within([](Lookup& self, boost::system::error_code failed) {
                     if (failed) return self.try_next();
                     self.in_.resize(static_cast<size_t>(static_cast<unsigned char>(self.length_[0])) << 8 |
                                     static_cast<unsigned char>(self.length_[1]));
                     asio::async_read(self.stream_, asio::buffer(self.in_),
                                      self.within([](Lookup& lookup, boost::system::error_code error) {
                                        if (error) return lookup.try_next();
                                        if (lookup.take(lookup.in_, true)) return;
                                        lookup.world_.stats.add(DnsStat::kUpstreamInvalid);
                                        lookup.try_next();
                                      }));
                   }));
}

bool Lookup::take(std::string_view bytes, bool by_stream) {
  const Result<dns::Message> answer = dns::decode(bytes);
  if (!answer || !answer->response || answer->opcode != 0 || answer->id != query_.id || answer->questions.size() != 1 ||
      !answer->questions[0].same(query_.questions[0]))
    return false;
  if (answer->truncated && by_stream) return false;
  answer->truncated ? ask_by_stream() : judge(*answer, bytes.size());
  return true;
}

void Lookup::judge(const dns::Message& answer, size_t bytes) {
  if (answer.code == dns::kNoError || answer.code == dns::kNoSuchName) return finish(&answer, bytes);
  // An old server does not know EDNS: once more, without.
  if ((answer.code == dns::kFormatError || answer.code == dns::kNotImplemented) && query_.edns) {
    query_.edns.reset();
    --tries_;
  } else {
    refusal_.emplace(answer, bytes);
  }
  try_next();
}

void Lookup::finish(const dns::Message* answer, size_t bytes) {
  const auto self = shared_from_this();
  over_ = true;
  close();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(world_.loop.now() - began_);
  world_.stats.record(DnsStat::kUpstreamRequestDuration, static_cast<uint64_t>(std::max<int64_t>(0, took.count())));
  finished_(answer, bytes);
}

}  // namespace weft::dns_proxy
