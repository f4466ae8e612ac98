#include "controlplane/validation/rules.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <set>

namespace weft::validation {
namespace {

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= 63 && alphanumeric(text.front()) && alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return alphanumeric(c) || c == '-'; });
}

bool is_dns_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (;;) {
    const size_t dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_ip(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(text), error);
  return !error;
}

bool is_cidr_or_ip(std::string_view text) {
  if (is_ip(text)) return true;
  boost::system::error_code error;
  if (text.find(':') == std::string_view::npos)
    boost::asio::ip::make_network_v4(std::string(text), error);
  else
    boost::asio::ip::make_network_v6(std::string(text), error);
  return !error;
}

void check_unix_address(const Reader& at, const std::string& text) {
  const std::string path = text.substr(7);
  if (path.size() < 2 || (path.front() != '/' && path.front() != '@'))
    at.error(codes::kValue, "found \"" + text.substr(0, 120) + "\", expected unix:// and an absolute path, or @ and a name",
             "such as unix:///run/app.sock");
  else if (path.size() > 107)
    at.error(codes::kTooLarge, "found a path of " + std::to_string(path.size()) + " bytes, expected at most 107");
}

bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool decode_base64(std::string_view text, std::string& out) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return false;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return true;
}

bool check_host(const Reader& host, const std::string& text, bool wildcard) {
  std::string rest = lowered(text);
  if (rest == "*" && wildcard) return true;
  if (rest.starts_with("*.") && wildcard) rest.erase(0, 2);
  if (is_dns_name(rest)) return true;
  if (rest.find('*') != std::string::npos)
    host.error(codes::kHost,
               "found \"" + text + "\", expected a host name" +
                   (wildcard ? "; a wildcard is \"*\" or stands alone in front, as in \"*.example.com\"" : " without wildcard"));
  else if (size_t colon = rest.rfind(':'); colon != std::string::npos && is_dns_name(rest.substr(0, colon)))
    host.error(codes::kHost, "found \"" + text + "\", expected a host name without port", "write " + text.substr(0, colon));
  else
    host.error(codes::kHost,
               "found \"" + text.substr(0, 260) + "\", expected a host name (letters, digits and - between dots, each part at most 63)");
  return false;
}

std::string qualified(const Reader& at, const std::string& host) { return model::resolve_host(lowered(host), at.subject().ns); }

std::string gateway_name(const Reader& at, const std::string& text) {
  if (text == model::kMesh) return text;
  const size_t slash = text.find('/');
  std::string ns = slash == std::string::npos ? at.subject().ns : text.substr(0, slash);
  const std::string name = slash == std::string::npos ? text : text.substr(slash + 1);
  if (ns == ".") ns = at.subject().ns;
  if (!is_dns_label(ns) || !is_dns_name(name))
    at.error(codes::kName, "found \"" + text + "\", expected mesh, NAME or NAMESPACE/NAME of a Gateway");
  return ns + "/" + name;
}

std::vector<std::string> export_to(const Reader& list, bool nobody) {
  std::vector<std::string> all = list.texts();
  std::set<std::string> seen;
  for (const Reader& item : list.items()) {
    const std::string text = item.text();
    if (!seen.insert(text).second) item.error(codes::kDuplicate, "found \"" + text + "\" twice");
    if (text == "*" || text == ".") {
      if (text == "*" && all.size() > 1)
        item.error(codes::kConflict, "found \"*\" beside others, expected it alone", "\"*\" means every namespace already");
    } else if (text == "~") {
      if (!nobody)
        item.error(codes::kValue, "found \"~\", which only services know", "use \".\" for the own namespace only");
      else if (all.size() > 1)
        item.error(codes::kConflict, "found \"~\" (nobody) beside others, expected it alone");
    } else if (!is_dns_label(text)) {
      item.error(codes::kName, "found \"" + text + "\", expected \"*\", \".\" or the name of a namespace");
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

void check_labels(const Reader& map) {
  for (const auto& [key, value] : map.entries()) {
    const size_t slash = key.find('/');
    const std::string name = slash == std::string::npos ? key : key.substr(slash + 1);
    auto body = [](std::string_view text) {
      return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; }) &&
             (text.empty() ||
              (std::isalnum(static_cast<unsigned char>(text.front())) && std::isalnum(static_cast<unsigned char>(text.back()))));
    };
    if (name.empty() || name.size() > 63 || !body(name) || (slash != std::string::npos && !is_dns_name(key.substr(0, slash))))
      value.error(codes::kName,
                  "found the label key \"" + key.substr(0, 100) + "\", expected [prefix/]name of at most 63 letters, digits, -, _ and .");
    if (std::string text = value.text(); text.size() > 63 || !body(text))
      value.error(codes::kValue, "found the label value \"" + text.substr(0, 100) + "\", expected at most 63 letters, digits, -, _ and .");
  }
}

std::optional<uint32_t> port_number(const Reader& number) { return number.integer(1, 65535); }

}  // namespace weft::validation
