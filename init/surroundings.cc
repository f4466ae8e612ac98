#include "init/surroundings.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace weft::init {

Status enter_network_namespace(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("--network-namespace: " + path, errno);
  const int failed = ::setns(fd, CLONE_NEWNET) == 0 ? 0 : errno;
  ::close(fd);
  if (failed != 0) return system_error("--network-namespace: entering " + path, failed);
  return {};
}

std::vector<std::string> nameservers_of(std::string_view resolv_conf) {
  std::vector<std::string> servers;
  std::istringstream lines{std::string(resolv_conf)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, value;
    if (words >> key >> value && key == "nameserver") servers.push_back(value);
  }
  return servers;
}

std::optional<std::string> reachable_address(bool v6) {
  std::optional<std::string> found;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return found;
  const int family = v6 ? AF_INET6 : AF_INET;
  for (const ifaddrs* one = all; one && !found; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != family || (one->ifa_flags & IFF_LOOPBACK)) continue;
    const void* address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    if (v6) address = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
    if (v6 && IN6_IS_ADDR_LINKLOCAL(static_cast<const in6_addr*>(address))) continue;
    char text[INET6_ADDRSTRLEN] = {};
    if (::inet_ntop(family, address, text, sizeof text)) found = text;
  }
  ::freeifaddrs(all);
  return found;
}

Surroundings look_around(const std::string& resolv_conf) {
  Surroundings found;
  found.only_ipv6 = reachable_address(true) && !reachable_address(false);
  std::ifstream file(resolv_conf);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  found.nameservers = nameservers_of(text.str());
  found.group_id = [](const std::string& name) -> std::optional<uint32_t> {
    const group* known = ::getgrnam(name.c_str());
    if (known == nullptr) return std::nullopt;
    return known->gr_gid;
  };
  return found;
}

Status may_change_rules() {
  constexpr int kNetAdmin = 12, kNetRaw = 13;  // of linux/capability.h
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const uint64_t held = std::strtoull(line.c_str() + 7, nullptr, 16);
    std::string missing;
    if (!(held >> kNetAdmin & 1)) missing = "NET_ADMIN";
    if (!(held >> kNetRaw & 1)) missing += missing.empty() ? "NET_RAW" : " and NET_RAW";
    if (missing.empty()) return {};
    return Error{Error::Kind::kRefused, "changing a pod's rules needs the capabilities NET_ADMIN and NET_RAW; missing: " + missing};
  }
  return {};
}

}  // namespace weft::init
