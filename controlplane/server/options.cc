#include "controlplane/server/options.h"

#include "common/base/log.h"
#include "controlplane/validation/schema.h"

#include <CLI/CLI.hpp>
#include <boost/asio/ip/address.hpp>

namespace weft::control {
namespace {

// "127.0.0.1:15010", "[::1]:0", ":15010" is refused: say which address.
std::string read_address(const std::string& text, ListenAddress& out) {
  const std::string expected = "expected IP:PORT such as 127.0.0.1:15010";
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return expected;
  std::string ip = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  const bool brackets = ip.starts_with('[') && ip.ends_with(']');
  if (brackets) ip = ip.substr(1, ip.size() - 2);
  if (ip == "localhost") ip = "127.0.0.1";
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(ip, error);
  if (error || address.is_v6() != brackets) return "\"" + ip + "\" is no IP address; " + expected;
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos || std::stoul(port) > 65535)
    return "\"" + port + "\" is no port; " + expected;
  out = {ip, static_cast<unsigned short>(std::stoul(port))};
  return {};
}

std::string read_duration(const std::string& text, std::chrono::milliseconds& out) {
  std::string problem;
  const auto value = validation::parse_duration(text, problem);
  if (!value || value->count() < 0) return "found \"" + text + "\", expected a duration such as 100ms";
  out = std::chrono::duration_cast<std::chrono::milliseconds>(*value);
  return {};
}

}  // namespace

std::string ListenAddress::text() const { return (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" + std::to_string(port); }

ParsedOptions parse_options(int argc, const char* const* argv) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  std::string xds, http, after, max;
  CLI::App app("weft-control: the control plane of Weft. It reads Istio's YAML and steers proxies over Envoy's xDS v3.", "weft-control");
  app.set_version_flag("--version", std::string("weft-control ") + kVersion);
  app.add_option("--config-dir", options.config_dir, "directory of YAML files that is watched (*.yaml, *.yml, *.json)")->type_name("DIR");
  app.add_option("--store", options.store, "SQLite file that keeps all objects and revisions (default: in memory, gone at the end)")
      ->type_name("FILE");
  app.add_option("--xds-address", xds, "where proxies connect, by gRPC (default 127.0.0.1:15010; port 0: a free one)")
      ->type_name("IP:PORT");
  app.add_option("--http-address", http,
                 "where weftctl and monitoring connect; there is no login, so keep it on loopback (default 127.0.0.1:15014)")
      ->type_name("IP:PORT");
  app.add_option("--http-name", options.http_names,
                 "a host name by which clients may call the HTTP address, besides IP addresses and localhost; may be repeated")
      ->type_name("NAME");
  app.add_option("--address-path", options.address_path, "file to write {\"xds\":\"ip:port\",\"http\":\"ip:port\"} to once listening")
      ->type_name("FILE");
  app.add_option("--debounce-after", after, "push changes after this much quiet (default 100ms)")->type_name("DURATION");
  app.add_option("--debounce-max", max, "and no later than this after the first (default 10s)")->type_name("DURATION");
  app.add_option("-l,--log-level", options.log_level, "trace, debug, info, warning, error, critical or off (default info)")
      ->type_name("LEVEL");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, problem;
    const int code = app.exit(error, out, problem);
    parsed.exit_code = code == 0 ? 0 : 2;
    parsed.text = out.str() + problem.str();
    return parsed;
  }
  const auto refuse = [&](const char* flag, const std::string& why) {
    if (why.empty()) return false;
    parsed.exit_code = 2;
    parsed.text = std::string("weft-control: ") + flag + ": " + why + "\n";
    return true;
  };
  if (!xds.empty() && refuse("--xds-address", read_address(xds, options.xds))) return parsed;
  if (!http.empty() && refuse("--http-address", read_address(http, options.http))) return parsed;
  if (!after.empty() && refuse("--debounce-after", read_duration(after, options.debounce_after))) return parsed;
  if (!max.empty() && refuse("--debounce-max", read_duration(max, options.debounce_max))) return parsed;
  if (!log::level(options.log_level) &&
      refuse("--log-level", "found \"" + options.log_level + "\", expected trace, debug, info, warning, error, critical or off"))
    return parsed;
  for (std::string& name : options.http_names)
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  parsed.run = true;
  return parsed;
}

}  // namespace weft::control
