// What a request means before anybody handles it: its target, and whether a browser was tricked into sending it.
#include "controlplane/api/http_server.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace weft::api {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode(std::string_view text, bool plus, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex(text[i + 1]), low = hex(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus && text[i] == '+' ? ' ' : text[i];
    }
  }
  return true;
}

// "[::1]:80" and "a.b:80" without the port and the brackets.
std::string_view name_of_host(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, std::min(host.find(']'), host.size()) - 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

std::string Request::parameter(const std::string& name) const {
  auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

bool parse_target(std::string_view target, Request& request) {
  if (!target.starts_with('/')) return false;
  const size_t mark = target.find('?');
  if (!decode(target.substr(0, mark), false, request.path)) return false;
  if (mark == std::string_view::npos) return true;
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    std::string name, value;
    const size_t equals = part.find('=');
    if (!decode(part.substr(0, equals), true, name)) return false;
    if (equals != std::string_view::npos && !decode(part.substr(equals + 1), true, value)) return false;
    if (!name.empty()) request.query[name] = value;
  }
  return true;
}

std::string refusal(const Request& request, const std::vector<std::string>& names) {
  if (!request.host.empty()) {
    const std::string name(name_of_host(request.host));
    boost::system::error_code no_address;
    asio::ip::make_address(name, no_address);
    if (no_address && name != "localhost" && std::find(names.begin(), names.end(), name) == names.end())
      return "the Host \"" + name.substr(0, 200) + "\" is not a name of this server; use its IP address, or start it with --http-name";
  }
  if (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS") return {};
  // A browser tells whose page asks; everything else sends neither header.
  if (!request.origin.empty() && request.origin != "http://" + request.host && request.origin != "https://" + request.host)
    return "changes from a page of another site are refused (Origin " + request.origin.substr(0, 200) + ")";
  if (request.fetch_site == "cross-site" || request.fetch_site == "same-site") return "changes from a page of another site are refused";
  return {};
}

}  // namespace weft::api
