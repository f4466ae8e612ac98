#include "proxy/dns_proxy/query_service.h"

#include "common/base/log.h"
#include "proxy/dns_proxy/stats.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weft::dns_proxy {
namespace {

constexpr size_t kMaxDatagram = 4096;  // even if a client says that it takes more

size_t limit_of(const dns::Message& query, bool datagram) {
  if (!datagram) return dns::kMaxMessage;
  return query.edns ? std::clamp<size_t>(query.edns->payload, dns::kPlainDatagram, kMaxDatagram) : dns::kPlainDatagram;
}

}  // namespace

void QueryService::take_datagram(std::string_view bytes, uint16_t port, Reply reply) { take(bytes, true, port, std::move(reply)); }
void QueryService::take_stream(std::string_view bytes, Reply reply) { take(bytes, false, 0, std::move(reply)); }

void QueryService::take(std::string_view bytes, bool datagram, uint16_t port, Reply reply) {
  stats_.add(DnsStat::kRequests);
  const auto seen = dns::glimpse(bytes);
  // An answer to an answer would go back and forth for ever.
  if (!seen || seen->response) {
    stats_.add(DnsStat::kMalformedRequests);
    return reply({});
  }
  const Result<dns::Message> query = dns::decode(bytes);
  if (!query) {
    stats_.add(DnsStat::kMalformedRequests);
    dns::Message broken;
    broken.id = seen->id;
    broken.opcode = seen->opcode;
    broken.response = true;
    broken.code = dns::kFormatError;
    return reply(dns::encode(broken));
  }
  if (const uint16_t fault = fault_of(*query, datagram, port); fault != dns::kNoError)
    return reply(dns::encode(dns::reply_to(*query, fault)));
  const size_t limit = limit_of(*query, datagram);
  if (auto records = table_->find(query->questions.front(), forwarder_.search())) {
    dns::Message answer = dns::reply_to(*query);
    answer.authoritative = true;
    answer.answers = std::move(*records);
    shuffle_addresses(answer.answers, loop_);
    return reply(dns::encode(answer, limit));
  }
  forwarder_.ask(*query, [limit, reply = std::move(reply)](const dns::Message& answer) { reply(dns::encode(answer, limit)); });
}

uint16_t QueryService::fault_of(const dns::Message& query, bool datagram, uint16_t port) {
  if (query.opcode != 0) return dns::kNotImplemented;
  if (query.edns && query.edns->version != 0) return dns::kBadVersion;
  if (query.questions.empty()) return dns::kServerFailure;
  if (query.questions.size() > 1) return dns::kFormatError;
  const uint16_t type = query.questions.front().type;
  if (type == dns::kAxfr || type == dns::kIxfr) return dns::kRefused;
  if (datagram && forwarder_.is_own(port, query.id)) {
    stats_.add(DnsStat::kLoops);
    if (std::exchange(circle_told_, true)) return dns::kRefused;
    log::get(log::Logger::kUpstream)
        .warn("a query of our own for {} came back: what this process sends to resolvers is captured, too",
              query.questions.front().name.text());
    return dns::kRefused;
  }
  return table_ == nullptr ? dns::kServerFailure : dns::kNoError;
}

}  // namespace weft::dns_proxy
