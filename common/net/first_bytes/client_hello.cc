#include "common/net/first_bytes/client_hello.h"

#include "common/net/first_bytes/digest.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <optional>

namespace weft::net {
namespace {

enum Extension : uint16_t {
  kServerName = 0,
  kSupportedGroups = 10,
  kPointFormats = 11,
  kSignatureAlgorithms = 13,
  kAlpn = 16,
  kSupportedVersions = 43,
};

// A piece of the message. A read past its end makes it bad, and all that follows empty.
class Octets {
 public:
  explicit Octets(std::string_view bytes) : left_(bytes) {}
  uint32_t number(size_t width) {
    uint32_t value = 0;
    for (const char c : bytes(width)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  std::string_view bytes(size_t count) {
    if (count > left_.size()) {
      good_ = false;
      left_ = {};
      return {};
    }
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  // With a length of `width` bytes before it.
  std::string_view counted(size_t width) {
    const uint32_t length = number(width);
    return bytes(length);
  }
  bool empty() const { return left_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view left_;
  bool good_ = true;
};

// Values that clients make up so that servers stay used to unknown ones (RFC 8701).
bool is_grease(uint32_t value) { return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff); }

struct Message {
  uint32_t version = 0;
  std::vector<uint16_t> ciphers, extensions, groups, signatures, versions;
  std::vector<uint8_t> point_formats;
  bool names_server = false;
};

std::vector<uint16_t> without_grease(std::string_view list) {
  std::vector<uint16_t> values;
  for (Octets octets(list); !octets.empty();) {
    const uint32_t value = octets.number(2);
    if (octets.good() && !is_grease(value)) values.push_back(static_cast<uint16_t>(value));
  }
  return values;
}

// False: broken.
bool read_server_name(std::string_view content, std::string& into) {
  Octets octets(content);
  Octets list(octets.counted(2));
  if (!octets.good() || !octets.empty()) return false;
  const uint32_t type = list.number(1);
  const std::string_view name = list.counted(2);
  // One name, of the only type that there is; a NUL in it would be its end for some readers.
  if (!list.good() || !list.empty() || type != 0 || name.empty() || name.size() > 255 || name.find('\0') != name.npos) return false;
  into.assign(name);
  for (char& c : into)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return true;
}

bool read_alpn(std::string_view content, std::vector<std::string>& into) {
  Octets octets(content);
  Octets list(octets.counted(2));
  if (!octets.good() || !octets.empty() || list.empty()) return false;
  while (!list.empty()) {
    const std::string_view name = list.counted(1);
    if (!list.good() || name.empty()) return false;
    into.emplace_back(name);
  }
  return true;
}

bool read_extension(uint16_t type, std::string_view content, Message& message, ClientHello& hello) {
  Octets octets(content);
  switch (type) {
    case kServerName: message.names_server = true; return read_server_name(content, hello.server_name);
    case kAlpn: return read_alpn(content, hello.alpn);
    case kSupportedGroups: message.groups = without_grease(octets.counted(2)); return octets.good();
    case kSignatureAlgorithms: message.signatures = without_grease(octets.counted(2)); return octets.good();
    case kSupportedVersions: message.versions = without_grease(octets.counted(1)); return octets.good();
    case kPointFormats:
      for (const char format : octets.counted(1)) message.point_formats.push_back(static_cast<uint8_t>(format));
      return octets.good();
    default: return true;
  }
}

bool read_message(std::string_view body, Message& message, ClientHello& hello) {
  Octets octets(body);
  message.version = octets.number(2);
  octets.bytes(32);  // random
  const std::string_view session = octets.counted(1);
  const std::string_view ciphers = octets.counted(2);
  const std::string_view compressions = octets.counted(1);
  if (!octets.good() || session.size() > 32 || ciphers.empty() || ciphers.size() % 2 != 0 || compressions.empty()) return false;
  message.ciphers = without_grease(ciphers);
  if (octets.empty()) return true;
  Octets extensions(octets.counted(2));
  if (!octets.good() || !octets.empty()) return false;
  std::vector<uint16_t> seen;
  while (!extensions.empty()) {
    const auto type = static_cast<uint16_t>(extensions.number(2));
    const std::string_view content = extensions.counted(2);
    if (!extensions.good() || !read_extension(type, content, message, hello)) return false;
    seen.push_back(type);
    if (!is_grease(type)) message.extensions.push_back(type);
  }
  // Of two server names each reader might take another (RFC 8446 4.2).
  std::sort(seen.begin(), seen.end());
  return std::adjacent_find(seen.begin(), seen.end()) == seen.end();
}

template <class Value>
std::string joined(const std::vector<Value>& values, char between, const char* format) {
  std::string text;
  for (const Value value : values) {
    char one[8];
    std::snprintf(one, sizeof one, format, unsigned{value});
    if (!text.empty()) text += between;
    text += one;
  }
  return text;
}

std::string ja3_of(const Message& message) {
  return md5_hex(std::to_string(message.version) + "," + joined(message.ciphers, '-', "%u") + "," + joined(message.extensions, '-', "%u") +
                 "," + joined(message.groups, '-', "%u") + "," + joined(message.point_formats, '-', "%u"));
}

std::string_view ja4_version(const Message& message) {
  uint32_t highest = message.versions.empty() ? message.version : 0;
  for (const uint16_t version : message.versions) highest = std::max<uint32_t>(highest, version);
  switch (highest) {
    case 0x0304: return "13";
    case 0x0303: return "12";
    case 0x0302: return "11";
    case 0x0301: return "10";
    case 0x0300: return "s3";
    case 0x0002: return "s2";
    default: return "00";
  }
}

// The ends of the first protocol; of one that does not begin and end with a letter or a digit, those of its hexadecimal spelling.
std::string ja4_alpn(const std::vector<std::string>& alpn) {
  if (alpn.empty()) return "00";
  const auto first = static_cast<uint8_t>(alpn.front().front()), last = static_cast<uint8_t>(alpn.front().back());
  const auto plain = [](uint8_t c) { return c < 0x80 && std::isalnum(c) != 0; };
  if (plain(first) && plain(last)) return {static_cast<char>(first), static_cast<char>(last)};
  return {"0123456789abcdef"[first >> 4], "0123456789abcdef"[last & 15]};
}

std::string ja4_hash(const std::string& text) { return text.empty() ? std::string(12, '0') : sha256_hex(text).substr(0, 12); }

std::string ja4_of(const Message& message, const ClientHello& hello) {
  char counts[48];
  std::snprintf(counts, sizeof counts, "%02zu%02zu", std::min<size_t>(message.ciphers.size(), 99),
                std::min<size_t>(message.extensions.size(), 99));
  std::vector<uint16_t> ciphers = message.ciphers, extensions;
  // What the address or the use changes is left out of what is hashed; it is in the first part.
  for (const uint16_t type : message.extensions)
    if (type != kServerName && type != kAlpn) extensions.push_back(type);
  std::sort(ciphers.begin(), ciphers.end());
  std::sort(extensions.begin(), extensions.end());
  std::string hashed = joined(extensions, ',', "%04x");
  if (!hashed.empty() && !message.signatures.empty()) hashed += "_" + joined(message.signatures, ',', "%04x");
  return "t" + std::string(ja4_version(message)) + (message.names_server ? "d" : "i") + counts + ja4_alpn(hello.alpn) + "_" +
         ja4_hash(joined(ciphers, ',', "%04x")) + "_" + ja4_hash(hashed);
}

}  // namespace

Verdict read_client_hello(std::string_view bytes, ClientHello& into, Fingerprints wanted) {
  constexpr size_t kRecordHead = 5, kMessageHead = 4;
  // The message of the records so far; one record is looked at in place.
  std::string gathered;
  std::string_view message;
  std::optional<size_t> length;  // of the message with its head, once it is known
  while (true) {
    // What is there of the record's head must fit before more is waited for.
    constexpr uint8_t kHandshake = 0x16, kMajorVersion = 3;
    const bool first = gathered.empty() && message.empty();
    if (!bytes.empty() && static_cast<uint8_t>(bytes[0]) != kHandshake) return first ? Verdict::kNotIt : Verdict::kMalformed;
    if (bytes.size() > 1 && static_cast<uint8_t>(bytes[1]) != kMajorVersion) return first ? Verdict::kNotIt : Verdict::kMalformed;
    if (bytes.size() < kRecordHead) return Verdict::kNeedMore;
    Octets head(bytes.substr(3, 2));
    const size_t announced = head.number(2);
    if (announced == 0 || announced > 16 * 1024) return Verdict::kMalformed;
    const std::string_view fragment = bytes.substr(kRecordHead, announced);
    if (first) {
      message = fragment;
    } else {
      if (gathered.empty()) gathered.assign(message);
      gathered += fragment;
      message = gathered;
    }
    if (!message.empty() && message[0] != 1) return first ? Verdict::kNotIt : Verdict::kMalformed;
    if (!length && message.size() >= kMessageHead) {
      length = kMessageHead + Octets(message.substr(1, 3)).number(3);
      if (*length > kMaxClientHello) return Verdict::kMalformed;
    }
    if (length && message.size() >= *length) break;
    if (fragment.size() < announced) return Verdict::kNeedMore;
    bytes.remove_prefix(kRecordHead + announced);
  }
  ClientHello hello;
  Message content;
  if (!read_message(message.substr(kMessageHead, *length - kMessageHead), content, hello)) return Verdict::kMalformed;
  if (wanted.ja3) hello.ja3 = ja3_of(content);
  if (wanted.ja4) hello.ja4 = ja4_of(content, hello);
  into = std::move(hello);
  return Verdict::kFound;
}

}  // namespace weft::net
