#include "proxy/downstream/connection_log.h"

#include "proxy/telemetry/access_log.h"

namespace weft::downstream {

ConnectionLog::ConnectionLog(std::shared_ptr<const config::Listener> listener, const net::ConnectionFacts& facts, net::Loop& loop)
    : listener_(std::move(listener)), loop_(loop), server_name_(facts.server_name) {
  const auto text = [&facts](const net::Endpoint& endpoint) { return facts.path.empty() ? net::to_string(endpoint) : facts.path; };
  info_.downstream_remote_address = remote_ = text(facts.remote);
  info_.downstream_local_address = local_ = text(facts.local);
  info_.downstream_direct_remote_address = direct_remote_ = text(facts.direct_remote);
  info_.downstream_direct_local_address = direct_local_ = text(facts.direct_local);
  info_.requested_server_name = server_name_;
  info_.start_time = std::chrono::system_clock::now();
  info_.start = info_.connection_begin = loop.now();
}

void ConnectionLog::write(uint64_t received, uint64_t sent) {
  info_.end = loop_.now();
  info_.bytes_received = received;
  info_.bytes_sent = sent;
  for (const auto& log : listener_->access_logs) log->log(loop_.thread(), info_);
}

}  // namespace weft::downstream
