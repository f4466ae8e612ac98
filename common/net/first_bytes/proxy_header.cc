#include "common/net/first_bytes/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace weft::net {
namespace {

using namespace std::literals;
using asio::ip::address_v4, asio::ip::address_v6;

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr size_t kFixedHead = 16;
constexpr uint8_t kIpv4Stream = 0x11, kIpv6Stream = 0x21;
// Envoy takes these for the same.
constexpr uint8_t kIpv4Datagrams = 0x12, kIpv6Datagrams = 0x22;

uint16_t number_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}

bool parse_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

bool parse_address(std::string_view text, bool v6, asio::ip::address& into) {
  boost::system::error_code error;
  const std::string owned(text);
  // A scope ("%eth0") means nothing outside its machine.
  if (owned.find('%') != std::string::npos) return false;
  if (v6)
    into = asio::ip::make_address_v6(owned, error);
  else
    into = asio::ip::make_address_v4(owned, error);
  return !error;
}

bool is_somebody(const asio::ip::address& address) {
  return !address.is_unspecified() && !address.is_multicast() && address != asio::ip::address(address_v4::broadcast());
}

// Connections are from one to another, never from or to a group.
bool make_sense(const ProxyHeader& header) { return is_somebody(header.source.address()) && is_somebody(header.destination.address()); }

// PROXY TCP4 192.0.2.1 192.0.2.2 1025 80
Verdict read_line(std::string_view bytes, ProxyHeader& into) {
  const std::string_view whole = bytes.substr(0, kMaxProxyLine);
  const size_t end = whole.find("\r\n");
  if (end == std::string_view::npos) return bytes.size() < kMaxProxyLine ? Verdict::kNeedMore : Verdict::kMalformed;
  ProxyHeader header;
  header.length = end + 2;
  header.version = 1;
  std::array<std::string_view, 5> words;
  size_t count = 0;
  std::string_view rest = whole.substr(0, end).substr(kLineStart.size());
  while (true) {
    const size_t blank = std::min(rest.find(' '), rest.size());
    if (count < words.size()) words[count] = rest.substr(0, blank);
    ++count;
    if (blank == rest.size()) break;
    rest.remove_prefix(blank + 1);
  }
  if (words[0] == "UNKNOWN") {
    header.local = true;
    into = std::move(header);
    return Verdict::kFound;
  }
  const bool v6 = words[0] == "TCP6";
  asio::ip::address source, destination;
  uint16_t from = 0, to = 0;
  if (count != words.size() || (!v6 && words[0] != "TCP4") || !parse_address(words[1], v6, source) ||
      !parse_address(words[2], v6, destination) || !parse_port(words[3], from) || !parse_port(words[4], to))
    return Verdict::kMalformed;
  header.source = {source, from};
  header.destination = {destination, to};
  if (!make_sense(header)) return Verdict::kMalformed;
  into = std::move(header);
  return Verdict::kFound;
}

template <class Address>
Endpoint endpoint_at(std::string_view bytes, size_t address, size_t port) {
  typename Address::bytes_type raw;
  std::memcpy(raw.data(), bytes.data() + address, raw.size());
  return {Address(raw), number_at(bytes, port)};
}

Verdict read_binary(std::string_view bytes, ProxyHeader& into) {
  // Each byte of the head is judged once it is there.
  if (bytes.size() > 12) {
    const auto version_and_command = static_cast<uint8_t>(bytes[12]);
    if (version_and_command != 0x20 && version_and_command != 0x21) return Verdict::kMalformed;
  }
  if (bytes.size() < kFixedHead) return Verdict::kNeedMore;
  const bool local = bytes[12] == 0x20;
  const auto family = static_cast<uint8_t>(bytes[13]);
  const size_t announced = number_at(bytes, 14);
  const bool v4 = family == kIpv4Stream || family == kIpv4Datagrams, v6 = family == kIpv6Stream || family == kIpv6Datagrams;
  const size_t addresses = v4 ? 12 : 36;
  if (!local && ((!v4 && !v6) || announced < addresses)) return Verdict::kMalformed;
  if (bytes.size() < kFixedHead + announced) return Verdict::kNeedMore;
  ProxyHeader header;
  header.length = kFixedHead + announced;
  header.local = local;
  std::string_view body = bytes.substr(kFixedHead, announced);
  if (!local) {
    if (v4) {
      header.source = endpoint_at<address_v4>(body, 0, 8);
      header.destination = endpoint_at<address_v4>(body, 4, 10);
    } else {
      header.source = endpoint_at<address_v6>(body, 0, 32);
      header.destination = endpoint_at<address_v6>(body, 16, 34);
    }
    if (!make_sense(header)) return Verdict::kMalformed;
    body.remove_prefix(addresses);
    while (!body.empty()) {
      if (body.size() < 3 || body.size() - 3 < number_at(body, 1)) return Verdict::kMalformed;
      const size_t length = number_at(body, 1);
      header.tlvs.emplace_back(static_cast<uint8_t>(body[0]), body.substr(3, length));
      body.remove_prefix(3 + length);
    }
  }
  into = std::move(header);
  return Verdict::kFound;
}

address_v6 as_v6(const asio::ip::address& address) {
  return address.is_v6() ? address.to_v6() : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
}

template <class Address>
void append_raw(std::string& to, const Address& address) {
  const auto raw = address.to_bytes();
  to.append(reinterpret_cast<const char*>(raw.data()), raw.size());
}

void append_number(std::string& to, size_t value) {
  to += static_cast<char>(value >> 8);
  to += static_cast<char>(value & 0xff);
}

std::string text_of(const asio::ip::address& address, bool v6) { return v6 ? as_v6(address).to_string() : address.to_string(); }

}  // namespace

Verdict read_proxy_header(std::string_view bytes, ProxyHeader& into) {
  for (const std::string_view beginning : {kSignature, kLineStart}) {
    const size_t common = std::min(bytes.size(), beginning.size());
    if (bytes.substr(0, common) != beginning.substr(0, common)) continue;
    if (common < beginning.size()) return Verdict::kNeedMore;
    return beginning == kLineStart ? read_line(bytes, into) : read_binary(bytes, into);
  }
  return Verdict::kNotIt;
}

std::string write_proxy_header(const ProxyHeader& header) {
  const auto &source = header.source.address(), &destination = header.destination.address();
  const bool v6 = source.is_v6() || destination.is_v6();
  if (header.version == 1) {
    if (header.local) return "PROXY UNKNOWN\r\n";
    return std::string(v6 ? "PROXY TCP6 " : "PROXY TCP4 ") + text_of(source, v6) + " " + text_of(destination, v6) + " " +
           std::to_string(header.source.port()) + " " + std::to_string(header.destination.port()) + "\r\n";
  }
  std::string body;
  if (!header.local) {
    if (v6) {
      append_raw(body, as_v6(source));
      append_raw(body, as_v6(destination));
    } else {
      append_raw(body, source.to_v4());
      append_raw(body, destination.to_v4());
    }
    append_number(body, header.source.port());
    append_number(body, header.destination.port());
    for (const auto& [type, value] : header.tlvs) {
      if (value.size() > 0xffff) return {};
      body += static_cast<char>(type);
      append_number(body, value.size());
      body += value;
    }
    if (body.size() > 0xffff) return {};
  }
  std::string text(kSignature);
  text += header.local ? '\x20' : '\x21';
  text += static_cast<char>(header.local ? 0 : v6 ? kIpv6Stream : kIpv4Stream);
  append_number(text, body.size());
  return text + body;
}

}  // namespace weft::net
