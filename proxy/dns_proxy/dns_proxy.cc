#include "proxy/dns_proxy/dns_proxy.h"

#include "common/base/log.h"
#include "proxy/dns_proxy/ports.h"
#include "proxy/dns_proxy/stats.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <thread>
#include <vector>

namespace weft::dns_proxy {
namespace {

Result<std::vector<BoundPorts>> bind_all(const Options& options) {
  std::vector<BoundPorts> bound;
  const bool both = options.host == "localhost";
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(both ? "127.0.0.1" : options.host, error);
  if (error) return invalid("DNS proxy: found \"" + options.host + "\", expected localhost or an IP address");
  auto first = bind_ports({address, options.port});
  if (!first) return first.error();
  bound.push_back(std::move(*first));
  if (!both) return bound;
  // A machine without IPv6 has no ::1.
  if (auto second = bind_ports({boost::asio::ip::address_v6::loopback(), bound.front().address.port()}))
    bound.push_back(std::move(*second));
  else
    log::get(log::Logger::kUpstream).info("{}", second.error().detail);
  return bound;
}

}  // namespace

class DnsProxy::Impl {
 public:
  Impl(const Options& options, observe::Registry& metrics, std::vector<BoundPorts> ports)
      : options_(options), scope_(dns_scope(metrics)), ports_(std::move(ports)) {
    loop_.post([this] { begin(); });
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "dns");
      loop_.run();
    });
  }

  ~Impl() {
    loop_.post([this] {
      datagrams_.clear();
      streams_.clear();
      service_.reset();
      forwarder_.reset();
      loop_.stop();
    });
    thread_.join();
  }

  // Sorting a table is this thread's work, too, not the control thread's.
  void set_table(std::shared_ptr<const NameTable> table) {
    loop_.post([this, table = std::move(table)] {
      if (service_) show(*table);
    });
  }

 private:
  void begin() {
    std::vector<Resolver> own;
    for (const BoundPorts& ports : ports_) own.push_back(ports.address);
    observe::Cells& stats = scope_->cells(loop_.thread());
    forwarder_ = std::make_unique<Forwarder>(loop_, options_.resolv_conf, own, stats);
    service_ = std::make_unique<QueryService>(loop_, *forwarder_, stats);
    if (!options_.table_awaited) show({});
    for (const BoundPorts& ports : ports_) {
      datagrams_.push_back(std::make_unique<DatagramPort>(loop_, *service_, ports));
      streams_.push_back(std::make_unique<StreamPort>(loop_, *service_, ports));
      std::ostringstream where;
      where << ports.address;
      log::get(log::Logger::kUpstream).info("DNS proxy on {}", where.str());
    }
  }

  void show(const NameTable& table) {
    auto made = std::make_shared<const LookupTable>(table, options_.place);
    scope_->cells(loop_.thread()).set(DnsStat::kHosts, static_cast<int64_t>(made->hosts()));
    service_->set_table(std::move(made));
  }

  const Options options_;
  const observe::ScopePtr scope_;
  const std::vector<BoundPorts> ports_;
  net::Loop loop_{0};  // no other thread writes the cells of this scope
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<QueryService> service_;
  std::vector<std::unique_ptr<DatagramPort>> datagrams_;
  std::vector<std::unique_ptr<StreamPort>> streams_;
  std::thread thread_;
};

Result<std::unique_ptr<DnsProxy>> DnsProxy::start(const Options& options, observe::Registry& metrics) {
  auto ports = bind_all(options);
  if (!ports) return ports.error();
  return std::unique_ptr<DnsProxy>(new DnsProxy(std::make_unique<Impl>(options, metrics, std::move(*ports))));
}

DnsProxy::DnsProxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DnsProxy::~DnsProxy() = default;
void DnsProxy::set_table(std::shared_ptr<const NameTable> table) { impl_->set_table(std::move(table)); }

}  // namespace weft::dns_proxy
