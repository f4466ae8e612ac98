#include "proxy/downstream/arrival.h"

#include "common/base/base64.h"
#include "common/net/first_bytes/http_sniffer.h"
#include "common/net/first_bytes/proxy_header.h"
#include "common/observe/listener_filter_shapes.h"
#include "proxy/format/metadata.h"

#include <algorithm>
#include <variant>

namespace weft::downstream {
namespace {

using net::Verdict;
using observe::HttpInspectorStat;
using observe::ListenerStat;
using observe::ProxyProtocolStat;
using observe::TlsInspectorStat;

// A ClientHello that is malformed because it says that it is longer than anybody reads.
bool says_too_much(std::string_view bytes) {
  constexpr size_t kRecord = 5, kMessage = 4;  // their heads: type and version and length, type and length
  if (bytes.size() < kRecord + kMessage || bytes[0] != 0x16 || bytes[kRecord] != 1) return false;
  const auto byte = [&bytes](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(bytes[at])); };
  return (byte(kRecord + 1) << 16 | byte(kRecord + 2) << 8 | byte(kRecord + 3)) > net::kMaxClientHello - kMessage;
}

// A wait that nobody asks for any more.
struct Nobody final : net::Ready {
  void on_readable() override {}
  void on_writable() override {}
};

// Envoy's way: what is not printable ASCII becomes "!".
std::string sanitized(std::string_view bytes) {
  std::string out(bytes);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '!';
  return out;
}

}  // namespace

Arrival::Arrival(ArrivalOwner& owner, net::Loop& loop, std::unique_ptr<net::Stream> stream, std::optional<net::Endpoint> original,
                 std::string path)
    : owner_(owner), loop_(loop), stream_(std::move(stream)), original_(std::move(original)), in_(loop.slabs()) {
  facts_->direct_local = facts_->local = stream_->local_address();
  facts_->direct_remote = facts_->remote = stream_->peer_address();
  facts_->path = std::move(path);
}

Arrival::~Arrival() { leave_listener(); }

void Arrival::leave_listener() {
  patience_.disarm();
  if (stats_) count(ListenerStat::kDownstreamPreCxActive, -1);
  stats_.reset();
}

void Arrival::go_on(std::shared_ptr<const config::Listener> listener, std::shared_ptr<const std::string> name,
                    std::shared_ptr<observe::Scope> stats) {
  leave_listener();
  config_ = std::move(listener);
  name_ = std::move(name);
  stats_ = std::move(stats);
  count(ListenerStat::kDownstreamPreCxActive);
  next_ = 0;
  ++listeners_;
  run();
}

void Arrival::run() {
  while (next_ < config_->filters.size()) {
    const config::ListenerFilter& filter = config_->filters[next_];
    const bool skipped = filter.disabled && filter.disabled->matches(facts_->local.port());
    switch (skipped ? Step::kDone : take(filter)) {
      case Step::kDone: ++next_; continue;
      case Step::kClose: return lose(!in_.empty());
      case Step::kRead: break;
    }
    if (fresh_) return wait();
    const net::Transfer transfer = stream_->try_read(in_);
    if (transfer.state == net::Transfer::State::kDone) {
      more_ = transfer.more;
    } else if (transfer.state == net::Transfer::State::kBlock) {
      more_ = false;
      return wait();
    } else {
      if (std::holds_alternative<config::HttpInspector>(filter.of))
        if (const auto& counted = std::get<config::HttpInspector>(filter.of).stats)
          counted->cells(loop_.thread()).add(HttpInspectorStat::kReadError);
      count(ListenerStat::kDownstreamListenerFilterRemoteClose);
      return lose(false);
    }
  }
  leave_listener();
  owner_.on_arrived(*this);
}

void Arrival::wait() {
  fresh_ = false;
  if (in_.empty()) in_.release();
  if (config_->filters_timeout.count() > 0 && !patience_.armed()) loop_.wheel().arm(patience_, config_->filters_timeout);
  stream_->wait_readable(*this);
}

void Arrival::on_readable() {
  loop_.begin_event();
  if (!over_) run();
  loop_.end_event();
}

void Arrival::on_timeout() {
  count(ListenerStat::kDownstreamPreCxTimeout);
  if (!config_->continues_on_timeout) return lose(!in_.empty());
  // Who goes on with the stream may wait for nothing at first, and must look for itself then.
  static Nobody nobody;
  stream_->wait_readable(nobody);
  more_ = true;
  leave_listener();
  owner_.on_arrived(*this);
}

void Arrival::end(bool reset) {
  over_ = true;
  patience_.disarm();
  if (stream_) stream_->close(reset);
}

// With bytes that nobody has taken, a plain close would reset the connection as well.
void Arrival::lose(bool reset) {
  leave_listener();
  end(reset);
  owner_.on_arrival_lost(*this);
}

Arrival::Step Arrival::take(const config::ListenerFilter& filter) {
  return std::visit([this](const auto& one) { return take(one); }, filter.of);
}

Arrival::Step Arrival::take(const config::OriginalDst&) {
  if (original_) {
    facts_->local = *original_;
    facts_->local_restored = true;
  }
  return Step::kDone;
}

Arrival::Step Arrival::take(const config::TlsInspector& inspector) {
  if (!facts_->transport_protocol.empty()) return Step::kDone;
  const auto note = [&](TlsInspectorStat::Index stat) {
    if (inspector.stats) inspector.stats->cells(loop_.thread()).add(stat);
  };
  net::ClientHello hello;
  const Verdict verdict = in_.empty() ? Verdict::kNeedMore : net::read_client_hello(in_.view(), hello, inspector.fingerprints);
  const bool too_large = verdict == Verdict::kMalformed && says_too_much(in_.view());
  if (verdict == Verdict::kNeedMore || too_large) {
    if (!too_large && in_.size() < inspector.max_hello) return Step::kRead;
    note(TlsInspectorStat::kClientHelloTooLarge);
    return Step::kClose;
  }
  if (inspector.stats) inspector.stats->cells(loop_.thread()).record(TlsInspectorStat::kBytesProcessed, in_.size());
  if (verdict != Verdict::kFound) {
    note(TlsInspectorStat::kTlsNotFound);
    return verdict == Verdict::kMalformed && inspector.close_on_error ? Step::kClose : Step::kDone;
  }
  note(TlsInspectorStat::kTlsFound);
  note(hello.server_name.empty() ? TlsInspectorStat::kSniNotFound : TlsInspectorStat::kSniFound);
  note(hello.alpn.empty() ? TlsInspectorStat::kAlpnNotFound : TlsInspectorStat::kAlpnFound);
  facts_->transport_protocol = "tls";
  facts_->server_name = std::move(hello.server_name);
  facts_->protocols = std::move(hello.alpn);
  facts_->ja3 = std::move(hello.ja3);
  facts_->ja4 = std::move(hello.ja4);
  return Step::kDone;
}

Arrival::Step Arrival::take(const config::HttpInspector& inspector) {
  if (facts_->transport_protocol == "tls") return Step::kDone;
  const auto note = [&](HttpInspectorStat::Index stat) {
    if (inspector.stats) inspector.stats->cells(loop_.thread()).add(stat);
  };
  std::string protocol;
  Verdict verdict = in_.empty() ? Verdict::kNeedMore : net::sniff_http(in_.view(), protocol);
  if (verdict == Verdict::kNeedMore && in_.full()) verdict = Verdict::kNotIt;
  if (verdict == Verdict::kNeedMore) return Step::kRead;
  if (verdict != Verdict::kFound) {
    note(HttpInspectorStat::kHttpNotFound);
    return Step::kDone;
  }
  note(protocol == "h2c"        ? HttpInspectorStat::kHttp2Found
       : protocol == "http/1.1" ? HttpInspectorStat::kHttp11Found
                                : HttpInspectorStat::kHttp10Found);
  facts_->protocols = {std::move(protocol)};
  return Step::kDone;
}

Arrival::Step Arrival::take(const config::ProxyProtocol& filter) {
  const auto note = [&](ProxyProtocolStat::Index stat) {
    if (filter.stats) filter.stats->cells(loop_.thread()).add(stat);
  };
  net::ProxyHeader header;
  const Verdict verdict = in_.empty() ? Verdict::kNeedMore : net::read_proxy_header(in_.view(), header);
  if (verdict == Verdict::kNeedMore && !in_.full()) return Step::kRead;
  if (verdict == Verdict::kNotIt && filter.optional) {
    note(ProxyProtocolStat::kNotFoundAllowed);
    return Step::kDone;
  }
  if (verdict != Verdict::kFound) {
    const bool is_text = !in_.empty() && in_.view().front() == 'P';
    if (verdict == Verdict::kNotIt)
      note(ProxyProtocolStat::kNotFoundDisallowed);
    else
      note(is_text ? ProxyProtocolStat::kV1Error : ProxyProtocolStat::kV2Error);
    if (filter.total) filter.total->cells(loop_.thread()).add(observe::ProxyProtocolTotalStat::kErrors);
    return Step::kClose;
  }
  const bool first = header.version == 1;
  if (!filter.allows[first ? 0 : 1]) {
    if (filter.optional) {  // as in Envoy, it is taken for the connection's own bytes
      note(ProxyProtocolStat::kNotFoundAllowed);
      return Step::kDone;
    }
    note(first ? ProxyProtocolStat::kV1Disallowed : ProxyProtocolStat::kV2Disallowed);
    if (filter.total) filter.total->cells(loop_.thread()).add(observe::ProxyProtocolTotalStat::kErrors);
    return Step::kClose;
  }
  note(first ? ProxyProtocolStat::kV1Found : ProxyProtocolStat::kV2Found);
  in_.consume(header.length);
  if (!header.local) {
    // As in Envoy, what it was meant for counts as redirected only if it is another than the socket's.
    if (header.destination != facts_->local) {
      facts_->local = header.destination;
      facts_->local_restored = true;
    }
    facts_->remote = header.source;
  }
  note_tlvs(filter, header.tlvs);
  return Step::kDone;
}

void Arrival::note_tlvs(const config::ProxyProtocol& filter, const std::vector<std::pair<uint8_t, std::string>>& tlvs) {
  using Text = config::ProxyProtocol::Rule::Text;
  for (const config::ProxyProtocol::Rule& rule : filter.rules) {
    for (const auto& [type, value] : tlvs) {
      if (type != rule.type) continue;
      if (!metadata_) metadata_ = std::make_shared<format::Metadata>();
      std::string text = rule.text == Text::kBase64 ? to_base64(value) : rule.text == Text::kSanitized ? sanitized(value) : value;
      metadata_->set(rule.name_space, rule.key, {std::move(text)});
    }
  }
}

}  // namespace weft::downstream
