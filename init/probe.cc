#include "init/probe.h"

#include "init/surroundings.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace weft::init {
namespace {

constexpr int kOriginalDestination = 80;  // SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST

struct Place {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  bool v6 = false;

  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&bytes); }
  std::string text() const {
    char address[INET6_ADDRSTRLEN] = {};
    if (v6) {
      const auto& in6 = reinterpret_cast<const sockaddr_in6&>(bytes);
      ::inet_ntop(AF_INET6, &in6.sin6_addr, address, sizeof address);
      return "[" + std::string(address) + "]:" + std::to_string(ntohs(in6.sin6_port));
    }
    const auto& in = reinterpret_cast<const sockaddr_in&>(bytes);
    ::inet_ntop(AF_INET, &in.sin_addr, address, sizeof address);
    return std::string(address) + ":" + std::to_string(ntohs(in.sin_port));
  }
};

Place place_at(const std::string& address, uint16_t port) {
  Place place;
  place.v6 = address.find(':') != std::string::npos;
  if (place.v6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(place.bytes);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    ::inet_pton(AF_INET6, address.c_str(), &in6.sin6_addr);
    place.size = sizeof in6;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(place.bytes);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &in.sin_addr);
    place.size = sizeof in;
  }
  return place;
}

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

bool wait_for_event(int fd, short events, std::chrono::milliseconds patience) {
  pollfd wait{fd, events, 0};
  int ready = 0;
  do ready = ::poll(&wait, 1, static_cast<int>(patience.count()));
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

Status listen_at(Descriptor& listener, Place place, bool transparent) {
  listener.fd = ::socket(place.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener.fd < 0) return system_error("validation: socket", errno);
  const int on = 1;
  ::setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (place.v6) ::setsockopt(listener.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (transparent &&
      ::setsockopt(listener.fd, place.v6 ? IPPROTO_IPV6 : IPPROTO_IP, place.v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on) != 0)
    return system_error("validation: a transparent socket", errno);
  if (::bind(listener.fd, place.raw(), place.size) != 0 || ::listen(listener.fd, 1) != 0)
    return system_error("validation: listening on " + place.text() + ", before the proxy does", errno);
  return {};
}

// In a child: become the proxy's user and connect. The exit code is an errno.
int connect_as_proxy(const CapturePlan& plan, Place target, std::chrono::milliseconds patience) {
  if (::setgroups(0, nullptr) != 0) return errno;
  if (!plan.gids.empty() && ::setgid(plan.gids.front()) != 0) return errno;
  if (!plan.uids.empty() && ::setuid(plan.uids.front()) != 0) return errno;
  const int fd = ::socket(target.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  if (::connect(fd, target.raw(), target.size) != 0) {
    if (errno != EINPROGRESS) return errno;
    if (!wait_for_event(fd, POLLOUT, patience)) return ETIMEDOUT;
    int code = 0;
    socklen_t size = sizeof code;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) return code;
  }
  char byte = 0;
  wait_for_event(fd, POLLIN, patience);  // until the other end has seen enough and closes
  (void)!::read(fd, &byte, 1);
  return 0;
}

Status judge_arrival(int listener, Place target, bool transparent, std::chrono::milliseconds patience) {
  const std::string what = "validation: a connection of the proxy's user to " + target.text();
  if (!wait_for_event(listener, POLLIN, patience))
    return Error{Error::Kind::kTimeout, what + " did not arrive at the proxy's inbound port"};
  Descriptor connection{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
  if (connection.fd < 0) return system_error("validation: accept", errno);
  Place told = target;
  const int failed = transparent
                         ? ::getsockname(connection.fd, told.raw(), &told.size)
                         : ::getsockopt(connection.fd, told.v6 ? IPPROTO_IPV6 : IPPROTO_IP, kOriginalDestination, told.raw(), &told.size);
  if (failed != 0) return system_error(what + " does not tell its destination", errno);
  if (told.text() != target.text()) return invalid(what + " says that it was for " + told.text());
  return {};
}

Status probe_one(const CapturePlan& plan, const Place& target, std::chrono::milliseconds patience) {
  const bool transparent = plan.mode == Interception::kTproxy;
  Descriptor listener;
  if (Status listening = listen_at(listener, place_at(target.v6 ? "::" : "0.0.0.0", plan.inbound_port), transparent); !listening)
    return listening;
  const pid_t child = ::fork();
  if (child < 0) return system_error("validation: fork", errno);
  if (child == 0) ::_exit(connect_as_proxy(plan, target, patience));
  const Status judged = judge_arrival(listener.fd, target, transparent, patience);
  if (!judged) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!judged && WIFEXITED(status) && WEXITSTATUS(status) != 0)
    return system_error(judged.error().detail + "; connecting", WEXITSTATUS(status));
  return judged;
}

}  // namespace

Status probe_capture(const CapturePlan& plan, std::chrono::milliseconds patience) {
  if (plan.mode == Interception::kNone) return {};
  uint16_t port = plan.probe_port;
  if (plan.mode == Interception::kTproxy) {
    if (!plan.policy_routing()) return {};  // no inbound capture that could be tried
    if (!plan.all_inbound) port = plan.inbound_ports.front();
  }
  // An address of loopback, but not the one that is never captured.
  if (Status done = probe_one(plan, place_at("127.0.0.6", port), patience); !done) return done;
  if (const auto address = reachable_address(true); plan.ipv6 && address) return probe_one(plan, place_at(*address, port), patience);
  return {};
}

}  // namespace weft::init
