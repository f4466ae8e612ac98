#include "common/http/keepalive.h"

#include "common/net/loop.h"

namespace weft::http {

using std::chrono::milliseconds;

Keepalive::Keepalive(net::Loop& loop, const KeepaliveOptions& options, Codec& codec, std::function<void()> on_dead)
    : loop_(loop), options_(options), codec_(codec), on_dead_(std::move(on_dead)), heard_(loop.now()) {
  wait();
}

void Keepalive::wait() {
  if (options_.interval.count() == 0) return;
  const auto most = static_cast<uint64_t>(static_cast<double>(options_.interval.count()) * options_.interval_jitter / 100);
  loop_.wheel().arm(interval_, options_.interval + milliseconds(most ? loop_.random() % (most + 1) : 0));
}

void Keepalive::on_bytes() { heard_ = loop_.now(); }

void Keepalive::on_stream() {
  if (options_.idle_interval.count() > 0 && !patience_.armed() && loop_.now() - heard_ > options_.idle_interval) ask();
}

void Keepalive::ask() {
  if (patience_.armed()) return;
  interval_.disarm();
  codec_.send_ping();
  loop_.wheel().arm(patience_, options_.timeout);
}

void Keepalive::on_answered() {
  patience_.disarm();
  wait();
}

// The answer may stand behind much else that the peer is sending.
void Keepalive::on_unanswered() {
  const auto silent = std::chrono::duration_cast<milliseconds>(loop_.now() - heard_);
  if (silent < options_.timeout) return loop_.wheel().arm(patience_, options_.timeout - silent);
  stop();
  on_dead_();
}

void Keepalive::stop() {
  interval_.disarm();
  patience_.disarm();
}

}  // namespace weft::http
