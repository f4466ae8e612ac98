// DNS by c-ares on the loop's own sockets: c-ares tells which descriptors it waits on and when it wants to be called anyway.
#include "common/resolve/resolver.h"

#include <ares.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

namespace weft::resolve {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

// Of one question, shared with c-ares, which cannot forget a single one.
struct Asked {
  std::string name;
  Resolver::Done done;     // null: given up
  int second = AF_UNSPEC;  // the family to ask for if the first has nothing; AF_UNSPEC: none
};

struct AskedQuestion final : Question {
  explicit AskedQuestion(std::shared_ptr<Asked> asked) : asked(std::move(asked)) {}
  ~AskedQuestion() override { asked->done = nullptr; }
  const std::shared_ptr<Asked> asked;
};

bool has_interface_of(int family) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return true;
  bool found = false;
  for (const ifaddrs* one = all; one && !found; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != family) continue;
    if (family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      found = ntohl(v4->sin_addr.s_addr) >> 24 != 127;
    } else {
      found = !IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr);
    }
  }
  ::freeifaddrs(all);
  return found;
}

class CaresResolver final : public Resolver {
 public:
  CaresResolver(net::Loop& loop, const Options& options) : loop_(loop), options_(options) {
    static std::once_flag once;
    std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
    open();
  }
  ~CaresResolver() override {
    alive_.reset();
    timeout_.disarm();
    if (channel_) ares_destroy(channel_);  // closes its sockets, through on_socket_state
  }

  std::unique_ptr<Question> ask(const std::string& name, Family family, Done done) override {
    auto asked = std::make_shared<Asked>();
    asked->name = name;
    asked->done = std::move(done);
    int first = AF_UNSPEC;
    switch (family) {
      case Family::kAuto: first = AF_INET6, asked->second = AF_INET; break;
      case Family::kV4Preferred: first = AF_INET, asked->second = AF_INET6; break;
      case Family::kV4Only: first = AF_INET; break;
      case Family::kV6Only: first = AF_INET6; break;
      case Family::kAll: break;
    }
    if (channel_)
      send(asked, first);
    else
      answer(asked, {true, "cares_initialization_failure", {}});
    return std::make_unique<AskedQuestion>(std::move(asked));
  }

 private:
  // A socket of c-ares. Asio watches it only: it is closed by whoever opened it.
  struct Watch {
    explicit Watch(net::Loop& loop, int fd) : descriptor(loop.executor(), fd) {}
    ~Watch() { descriptor.release(); }
    Descriptor descriptor;
    bool read = false, write = false;       // what c-ares waits for
    bool reading = false, writing = false;  // waits under way
    bool open = true;
  };

  void open() {
    ares_options to{};
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS;
    to.sock_state_cb = [](void* self, ares_socket_t fd, int read, int write) {
      static_cast<CaresResolver*>(self)->on_socket_state(fd, read != 0, write != 0);
    };
    to.sock_state_cb_data = this;
    to.timeout = static_cast<int>(std::min<int64_t>(options_.timeout.count(), 3600) * 1000);
    to.tries = static_cast<int>(std::clamp<uint32_t>(options_.tries, 1, 1000));
    if (options_.use_tcp) to.flags |= ARES_FLAG_USEVC;
    if (options_.no_search) to.flags |= ARES_FLAG_NOSEARCH;
    if (options_.rotate) mask |= ARES_OPT_ROTATE;
    if (options_.edns_size != 0) {
      to.flags |= ARES_FLAG_EDNS;
      to.ednspsz = static_cast<int>(options_.edns_size);
      mask |= ARES_OPT_EDNSPSZ;
    }
    if (ares_init_options(&channel_, &to, mask) != ARES_SUCCESS) {
      channel_ = nullptr;
      return;
    }
    if (options_.servers.empty() || (options_.servers_as_fallback && system_has_servers())) return;
    std::string servers;
    for (const net::Endpoint& server : options_.servers) servers += (servers.empty() ? "" : ",") + net::to_string(server);
    ares_set_servers_ports_csv(channel_, servers.c_str());
  }

  // Without any, c-ares falls back to 127.0.0.1.
  bool system_has_servers() const {
    ares_addr_port_node* servers = nullptr;
    if (ares_get_servers_ports(channel_, &servers) != ARES_SUCCESS || !servers) return false;
    const bool just_default = !servers->next && servers->family == AF_INET && ntohl(servers->addr.addr4.s_addr) == INADDR_LOOPBACK;
    ares_free_data(servers);
    return !just_default;
  }

  void send(const std::shared_ptr<Asked>& asked, int family) {
    struct Pending {
      CaresResolver& resolver;
      std::shared_ptr<Asked> asked;
    };
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(
        channel_, asked->name.c_str(), nullptr, &hints,
        [](void* argument, int status, int, ares_addrinfo* result) {
          const std::unique_ptr<Pending> pending(static_cast<Pending*>(argument));
          const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owned(result, &ares_freeaddrinfo);
          if (status != ARES_EDESTRUCTION) pending->resolver.on_answer(pending->asked, status, result);
        },
        new Pending{*this, asked});
    set_timeout();
  }

  void on_answer(const std::shared_ptr<Asked>& asked, int status, const ares_addrinfo* result) {
    if (!asked->done) return;
    Answer told;
    if (status == ARES_SUCCESS && result) {
      for (const ares_addrinfo_node* node = result->nodes; node; node = node->ai_next) add(*node, told.addresses);
    } else if (status != ARES_ENODATA && status != ARES_ENOTFOUND) {
      told.failed = true;
      told.reason = std::string("cares_failure:") + ares_strerror(status);
    }
    if (options_.filter_unroutable) {
      const bool v4 = has_interface_of(AF_INET), v6 = has_interface_of(AF_INET6);
      std::erase_if(told.addresses, [&](const Address& one) { return one.ip.is_v6() ? !v6 : !v4; });
    }
    if (told.addresses.empty() && asked->second != AF_UNSPEC) return send(asked, std::exchange(asked->second, AF_UNSPEC));
    answer(asked, std::move(told));
  }

  static void add(const ares_addrinfo_node& node, std::vector<Address>& to) {
    Address one;
    if (node.ai_family == AF_INET && node.ai_addrlen >= sizeof(sockaddr_in)) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(node.ai_addr);
      one.ip = asio::ip::address_v4(ntohl(v4->sin_addr.s_addr));
    } else if (node.ai_family == AF_INET6 && node.ai_addrlen >= sizeof(sockaddr_in6)) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(node.ai_addr);
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &v6->sin6_addr, bytes.size());
      one.ip = asio::ip::address_v6(bytes);
    } else {
      return;
    }
    one.ttl = std::chrono::seconds(std::max(node.ai_ttl, 0));
    to.push_back(one);
  }

  // In an event of its own: c-ares is on the stack.
  void answer(const std::shared_ptr<Asked>& asked, Answer told) {
    loop_.post([asked, told = std::move(told)]() mutable {
      if (!asked->done) return;
      const Done done = std::exchange(asked->done, nullptr);
      done(std::move(told));
    });
  }

  void on_socket_state(int fd, bool read, bool write) {
    if (!read && !write) {  // about to be closed
      const auto found = watches_.find(fd);
      if (found == watches_.end()) return;
      found->second->open = false;
      found->second->descriptor.release();
      watches_.erase(found);
      return;
    }
    auto& watch = watches_[fd];
    if (!watch) watch = std::make_shared<Watch>(loop_, fd);
    watch->read = read;
    watch->write = write;
    if (read && !watch->reading) wait(watch, fd, false);
    if (write && !watch->writing) wait(watch, fd, true);
  }

  void wait(const std::shared_ptr<Watch>& watch, int fd, bool write) {
    (write ? watch->writing : watch->reading) = true;
    watch->descriptor.async_wait(write ? Descriptor::wait_write : Descriptor::wait_read,
                                 [this, watch, fd, write, alive = std::weak_ptr<char>(alive_)](boost::system::error_code error) {
                                   (write ? watch->writing : watch->reading) = false;
                                   if (error || alive.expired() || !watch->open) return;
                                   net::Loop& loop = loop_;
                                   loop.begin_event();
                                   ares_process_fd(channel_, write ? ARES_SOCKET_BAD : fd, write ? fd : ARES_SOCKET_BAD);
                                   set_timeout();
                                   if (watch->open && (write ? watch->write && !watch->writing : watch->read && !watch->reading))
                                     wait(watch, fd, write);
                                   loop.end_event();
                                 });
  }

  void set_timeout() {
    timeval time{};
    const timeval* next = ares_timeout(channel_, nullptr, &time);
    if (!next) return timeout_.disarm();
    loop_.wheel().arm(timeout_, std::chrono::milliseconds(next->tv_sec * 1000 + next->tv_usec / 1000 + 1));
  }

  void on_timeout() {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timeout();
  }

  net::Loop& loop_;
  const Options options_;
  ares_channel channel_ = nullptr;
  std::map<int, std::shared_ptr<Watch>> watches_;
  Timeout<CaresResolver, &CaresResolver::on_timeout> timeout_{*this};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

std::shared_ptr<Resolver> make_cares_resolver(net::Loop& loop, const Options& options) {
  return std::make_shared<CaresResolver>(loop, options);
}

}  // namespace weft::resolve
