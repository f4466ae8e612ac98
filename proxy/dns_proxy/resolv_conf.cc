#include "proxy/dns_proxy/resolv_conf.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

namespace weft::dns_proxy {
namespace {

constexpr uint16_t kDnsPort = 53;
constexpr size_t kMaxResolvers = 8;
constexpr unsigned kMaxTimeout = 30, kMaxAttempts = 5;  // glibc's bounds
constexpr std::chrono::seconds kLook{1};

unsigned number_of(std::string_view text, unsigned least, unsigned most, unsigned otherwise) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return otherwise;
  return std::clamp(value, least, most);
}

std::optional<Resolver> resolver_of(std::string text) {
  uint16_t port = kDnsPort;
  if (text.starts_with('[')) {
    const size_t close = text.rfind("]:");
    if (close == std::string::npos) return std::nullopt;
    port = static_cast<uint16_t>(number_of(std::string_view(text).substr(close + 2), 0, 65535, 0));
    if (port == 0) return std::nullopt;
    text = text.substr(1, close - 1);
  }
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(text, error);
  if (error) return std::nullopt;
  return Resolver(address, port);
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf out;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#') || line.starts_with(';')) continue;
    std::istringstream words(line);
    std::string keyword, word;
    words >> keyword;
    if (keyword == "nameserver" && words >> word && out.resolvers.size() < kMaxResolvers) {
      if (auto resolver = resolver_of(word)) out.resolvers.push_back(*resolver);
    } else if (keyword == "search" || keyword == "domain") {
      if (words >> word) out.search = dns::Name::from_text(word).value_or(dns::Name());
    } else if (keyword == "options") {
      while (words >> word) {
        if (word.starts_with("timeout:")) out.timeout = std::chrono::seconds(number_of(word.substr(8), 1, kMaxTimeout, 5));
        if (word.starts_with("attempts:")) out.attempts = number_of(word.substr(9), 1, kMaxAttempts, 2);
      }
    }
  }
  return out;
}

bool ResolvConfFile::refresh(EventClock::Time now) {
  if (now < next_look_) return false;
  next_look_ = now + kLook;
  struct stat status {};
  State state;
  state.there = ::stat(path_.c_str(), &status) == 0;
  if (state.there) {
    state.modified_ns = static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
    state.size = status.st_size;
    state.inode = status.st_ino;
  }
  if (state == state_) return false;
  state_ = state;
  std::ifstream file(path_, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  ResolvConf conf = parse_resolv_conf(text.str());
  if (conf == conf_) return false;
  conf_ = std::move(conf);
  return true;
}

}  // namespace weft::dns_proxy
