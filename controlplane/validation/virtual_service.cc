// VirtualService.
#include "controlplane/validation/virtual_service.h"

#include "controlplane/validation/http_policies.h"

#include <algorithm>
#include <set>

namespace weft::validation::virtual_service {
namespace {

using model::HttpRoute;
using model::StringMatch;

constexpr Field kPortFields[] = {{"number", Type::kInteger}};
constexpr Table kPort{kPortFields};
constexpr Field kDestinationFields[] = {
    {"host", Type::kString}, {"subset", Type::kString}, {"port", Type::kObject, Use::kWorks, "", &kPort}};
constexpr Table kDestination{kDestinationFields};
constexpr Field kOperationFields[] = {{"set", Type::kStringMap}, {"add", Type::kStringMap}, {"remove", Type::kStrings}};
constexpr Table kOperations{kOperationFields};
constexpr Field kHeadersFields[] = {{"request", Type::kObject, Use::kWorks, "", &kOperations},
                                    {"response", Type::kObject, Use::kWorks, "", &kOperations}};
constexpr Table kHeaders{kHeadersFields};
constexpr Field kRouteFields[] = {{"destination", Type::kObject, Use::kWorks, "", &kDestination},
                                  {"weight", Type::kInteger},
                                  {"headers", Type::kObject, Use::kWorks, "", &kHeaders}};
constexpr Table kRoute{kRouteFields};
constexpr Field kMatchFields[] = {
    {"name", Type::kString},          {"uri", Type::kMatch},        {"ignoreUriCase", Type::kBool},     {"scheme", Type::kMatch},
    {"method", Type::kMatch},         {"authority", Type::kMatch},  {"headers", Type::kMatchMap},       {"withoutHeaders", Type::kMatchMap},
    {"queryParams", Type::kMatchMap}, {"port", Type::kInteger},     {"sourceLabels", Type::kStringMap}, {"sourceNamespace", Type::kString},
    {"gateways", Type::kStrings},     {"statPrefix", Type::kString}};
constexpr Table kMatch{kMatchFields};
constexpr Field kRedirectFields[] = {{"uri", Type::kString},
                                     {"prefixRewrite", Type::kString},
                                     {"authority", Type::kString},
                                     {"port", Type::kInteger},
                                     {"derivePort", Type::kChoice, Use::kWorks, "", nullptr, "FROM_PROTOCOL_DEFAULT FROM_REQUEST_PORT"},
                                     {"scheme", Type::kString},
                                     {"redirectCode", Type::kInteger, Use::kWorks, "301, 302, 303, 307 or 308; 301 when absent"}};
constexpr Table kRedirect{kRedirectFields};
constexpr Field kBodyFields[] = {{"string", Type::kString}, {"bytes", Type::kString, Use::kWorks, "base64"}};
constexpr Table kBody{kBodyFields};
constexpr Field kDirectFields[] = {{"status", Type::kInteger}, {"body", Type::kObject, Use::kWorks, "at most 1 MiB", &kBody}};
constexpr Table kDirect{kDirectFields};
constexpr Field kDelegateFields[] = {{"name", Type::kString}, {"namespace", Type::kString, Use::kWorks, "that of this object when absent"}};
constexpr Table kDelegate{kDelegateFields};
constexpr Field kMirrorFields[] = {{"destination", Type::kObject, Use::kWorks, "", &kDestination},
                                   {"percentage", Type::kObject, Use::kWorks, "100 when absent", &kPercentTable}};
constexpr Table kMirror{kMirrorFields};
constexpr Field kHttpFields[] = {{"name", Type::kString},
                                 {"match", Type::kObjects, Use::kWorks, "any of them; none takes everything", &kMatch},
                                 {"route", Type::kObjects, Use::kWorks, "", &kRoute},
                                 {"redirect", Type::kObject, Use::kWorks, "", &kRedirect},
                                 {"directResponse", Type::kObject, Use::kWorks, "", &kDirect},
                                 {"rewrite", Type::kObject, Use::kWorks, "", &kRewriteTable},
                                 {"timeout", Type::kDuration, Use::kWorks, "0s or absent: none"},
                                 {"retries", Type::kObject, Use::kWorks, "", &kRetriesTable},
                                 {"fault", Type::kObject, Use::kWorks, "", &kFaultTable},
                                 {"headers", Type::kObject, Use::kWorks, "", &kHeaders},
                                 {"delegate", Type::kObject, Use::kWorks, "the routes of a VirtualService without hosts", &kDelegate},
                                 {"mirror", Type::kObject, Use::kWorks, "", &kDestination},
                                 {"mirrors", Type::kObjects, Use::kWorks, "", &kMirror},
                                 {"mirrorPercentage", Type::kObject, Use::kWorks, "of mirror; 100 when absent", &kPercentTable},
                                 {"mirrorPercent", Type::kInteger, Use::kOld, "write mirrorPercentage: {value: ...}"},
                                 {"corsPolicy", Type::kObject, Use::kWorks, "", &kCorsTable}};
constexpr Table kHttp{kHttpFields};
constexpr Field kL4DestinationFields[] = {{"destination", Type::kObject, Use::kWorks, "", &kDestination}, {"weight", Type::kInteger}};
constexpr Table kL4Destination{kL4DestinationFields};
#define WEFT_L4_MATCH_FIELDS                                                                                             \
  {"destinationSubnets", Type::kStrings, Use::kWorks, "addresses or CIDRs that were dialled"}, {"port", Type::kInteger}, \
      {"sourceLabels", Type::kStringMap}, {"gateways", Type::kStrings}, {                                                \
    "sourceNamespace", Type::kString                                                                                     \
  }
constexpr Field kTlsMatchFields[] = {{"sniHosts", Type::kStrings, Use::kWorks, "within spec.hosts"}, WEFT_L4_MATCH_FIELDS};
constexpr Table kTlsMatch{kTlsMatchFields};
constexpr Field kTcpMatchFields[] = {WEFT_L4_MATCH_FIELDS, {"sourceSubnet", Type::kString, Use::kRefused, "Istio makes nothing of it"}};
constexpr Table kTcpMatch{kTcpMatchFields};
constexpr Field kTlsRouteFields[] = {{"match", Type::kObjects, Use::kWorks, "any of them", &kTlsMatch},
                                     {"route", Type::kObjects, Use::kWorks, "", &kL4Destination}};
constexpr Table kTlsRoute{kTlsRouteFields};
constexpr Field kTcpRouteFields[] = {{"match", Type::kObjects, Use::kWorks, "any of them; none takes everything", &kTcpMatch},
                                     {"route", Type::kObjects, Use::kWorks, "", &kL4Destination}};
constexpr Table kTcpRoute{kTcpRouteFields};
constexpr Field kSpecFields[] = {
    {"hosts", Type::kStrings, Use::kWorks, "without them it is a delegate"},
    {"gateways", Type::kStrings, Use::kWorks, "mesh when absent"},
    {"http", Type::kObjects, Use::kWorks, "", &kHttp},
    {"tls", Type::kObjects, Use::kWorks, "of ports named tls or https, and of PASSTHROUGH servers", &kTlsRoute},
    {"tcp", Type::kObjects, Use::kWorks, "of ports that carry neither HTTP nor TLS", &kTcpRoute},
    {"exportTo", Type::kStrings}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

constexpr size_t kMaxBody = 1 << 20;
std::map<std::string, StringMatch> header_matches(const Reader& from) {
  std::map<std::string, StringMatch> matches;
  for (const auto& [name, value] : from.entries()) {
    if (name.starts_with("@request.auth")) {
      value.error(codes::kUnsupportedField, "matching JWT claims by " + name + " is not supported by this version of Weft");
    } else if (!is_header_name(name) && !(name.starts_with(':') && is_header_name(std::string_view(name).substr(1)))) {
      value.error(codes::kName, "found \"" + name + "\", expected the name of a header");
    } else if (auto match = value.match(true)) {
      std::string key = name;
      std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
      if (!matches.emplace(key, *match).second)
        value.error(codes::kDuplicate, "found the header " + key + " twice; case makes no difference");
    }
  }
  return matches;
}

std::optional<std::string> read_namespace(const Reader& from) {
  std::optional<std::string> name = from.optional_text();
  if (name && !name->empty() && !is_dns_label(*name)) from.error(codes::kName, "found \"" + *name + "\", expected the name of a namespace");
  return name;
}

class Builder {
 public:
  explicit Builder(const Reader& root) : spec_(root["spec"]) {}

  model::VirtualService build() {
    delegate_ = spec_["hosts"].items().empty();
    for (const Reader& gateway : spec_["gateways"].items()) virtual_service_.gateways.push_back(gateway_name(gateway, gateway.text()));
    if (delegate_ && !virtual_service_.gateways.empty())
      spec_["gateways"].error(codes::kConflict, "found gateways and no hosts; a delegate has the gateways of those that refer to it",
                              "add hosts, or remove gateways");
    if (virtual_service_.gateways.empty() && !delegate_) virtual_service_.gateways.push_back(std::string(model::kMesh));
    hosts();
    virtual_service_.export_to = export_to(spec_["exportTo"], false);
    const Reader http = spec_["http"];
    for (const Reader& item : http.items()) virtual_service_.http.push_back(route(item));
    for (const Reader& item : spec_["tls"].items()) virtual_service_.tls.push_back(l4_route(item, true));
    for (const Reader& item : spec_["tcp"].items()) virtual_service_.tcp.push_back(l4_route(item, false));
    const bool passes_on = !virtual_service_.tls.empty() || !virtual_service_.tcp.empty();
    if (virtual_service_.http.empty() && !passes_on) spec_.missing("http", "at least one route of http, tls or tcp");
    if (delegate_ && passes_on)
      spec_[virtual_service_.tls.empty() ? "tcp" : "tls"].error(
          codes::kConflict, "found connections to pass on in a VirtualService without hosts; only http is delegated", "add hosts");
    return std::move(virtual_service_);
  }

 private:
  void hosts() {
    const auto& gateways = virtual_service_.gateways;
    const bool mesh = std::find(gateways.begin(), gateways.end(), model::kMesh) != gateways.end();
    std::set<std::string> seen;
    for (const Reader& host : spec_["hosts"].items()) {
      const std::string text = host.text();
      if (mesh && text == "*") {
        host.error(codes::kHost, "found \"*\" for the gateway mesh, which would take every service of the mesh",
                   "name the hosts, or bind to a Gateway by spec.gateways");
        continue;
      }
      if (is_ip(text)) {
        if (mesh) host.error(codes::kHost, "found the address " + text + ", which only a Gateway can serve; expected a host name");
      } else if (!check_host(host, text, true)) {
        continue;
      }
      const std::string full = qualified(host, text);
      if (!seen.insert(full).second) host.error(codes::kDuplicate, "found the host " + full + " twice", "remove one of them");
      virtual_service_.hosts.push_back(full);
    }
  }

  HttpRoute route(const Reader& http) {
    HttpRoute route;
    route.name = http["name"].text();
    route.index = virtual_service_.http.size();
    const Reader delegate = http["delegate"];
    const bool redirect = bool(http["redirect"]), direct = bool(http["directResponse"]);
    for (const Reader& item : http["match"].items()) {
      route.matches.push_back(read_match(item));
      route.matches.back().index = route.matches.size() - 1;
    }
    destinations(http["route"], route.routes);
    if (delegate)
      route.delegate = delegate_of(http, delegate);
    else
      check_action(http, int(!route.routes.empty()) + redirect + direct, redirect, direct);
    if (redirect) {
      route.redirect = redirect_of(http["redirect"]);
      if (route.redirect->prefix_rewrite) only_prefixes(http["redirect"]["prefixRewrite"], route.matches);
    }
    if (direct) route.direct_response = direct_response(http["directResponse"]);
    if (Reader rewrite = http["rewrite"]) route.rewrite = read_rewrite(rewrite);
    route.timeout = http["timeout"].duration(model::Duration(0));
    if (Reader retries = http["retries"]) route.retries = read_retries(retries);
    if (Reader fault = http["fault"]) route.fault = read_fault(fault);
    if (Reader cors = http["corsPolicy"]) route.cors = read_cors(cors);
    mirrors(http, route.mirrors);
    route.headers = headers(http["headers"]);
    check_authority(http);
    return route;
  }

  model::L4Route l4_route(const Reader& from, bool tls) {
    model::L4Route route;
    for (const Reader& item : from["match"].items()) route.matches.push_back(l4_match(item, tls));
    if (tls && route.matches.empty()) from.missing("match", "at least one match with sniHosts");
    destinations(from["route"], route.routes);
    if (route.routes.empty()) from.missing("route", "at least one destination");
    return route;
  }

  model::L4Match l4_match(const Reader& from, bool tls) {
    model::L4Match match;
    for (const Reader& item : from["sniHosts"].items()) {
      std::string name = item.text();
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      match.sni_hosts.push_back(name);
      if (!check_host(item, name, true)) continue;
      const auto& hosts = virtual_service_.hosts;
      if (std::none_of(hosts.begin(), hosts.end(), [&](const std::string& host) { return model::host_matches(host, name); }))
        item.error(codes::kHost, "found the name " + name + ", which is in none of spec.hosts", "add it to spec.hosts");
    }
    if (tls && match.sni_hosts.empty()) from.missing("sniHosts", "at least one name");
    for (const Reader& item : from["destinationSubnets"].items()) {
      if (!is_cidr_or_ip(item.text()))
        item.error(codes::kValue, "found \"" + item.text().substr(0, 100) + "\", expected an IP address or a CIDR");
      match.destination_subnets.push_back(item.text());
    }
    match.port = port_number(from["port"]);
    check_labels(from["sourceLabels"]);
    match.source_labels = from["sourceLabels"].text_map();
    match.source_namespace = read_namespace(from["sourceNamespace"]);
    for (const Reader& gateway : from["gateways"].items()) match.gateways.push_back(gateway_name(gateway, gateway.text()));
    return match;
  }

  void check_action(const Reader& http, int actions, bool redirect, bool direct) {
    if (actions == 0) http.missing("route", "one of route, redirect and directResponse");
    if (actions > 1) http.error(codes::kConflict, "found more than one of route, redirect and directResponse, expected one");
    for (const char* other : {"fault", "rewrite", "mirror", "mirrors"})
      if ((redirect || direct) && http[other])
        http[other].error(
            codes::kConflict,
            std::string("found ") + other + " beside " + (redirect ? "redirect" : "directResponse") + ", which it does not apply to",
            std::string("remove ") + other);
  }

  std::optional<model::Delegate> delegate_of(const Reader& http, const Reader& from) {
    for (const char* other : {"route", "redirect", "directResponse"})
      if (http[other])
        http[other].error(codes::kConflict, std::string("found ") + other + " beside delegate, whose routes stand here",
                          std::string("remove ") + other);
    if (delegate_)
      from.error(codes::kConflict,
                 "found a delegate in a VirtualService without hosts, which is a delegate itself; they go one level deep");
    if (from["name"].text().empty()) from.missing("name", "the name of a VirtualService");
    const std::string ns = from["namespace"].text();
    return model::Delegate{ns.empty() ? from.subject().ns : ns, from["name"].text()};
  }

  void mirrors(const Reader& http, std::vector<model::Mirror>& out) {
    const Reader one = http["mirror"], old = http["mirrorPercent"];
    if (one && http["mirrors"]) http["mirrors"].error(codes::kConflict, "found mirrors and mirror, expected one of them");
    for (const char* percent : {"mirrorPercentage", "mirrorPercent"})
      if (http[percent] && !one)
        http[percent].warn(codes::kNoEffect, std::string("found ") + percent + " without mirror",
                           http["mirrors"] ? "write percentage beside each destination of mirrors" : "add mirror");
    if (one) {
      model::Mirror& mirror = out.emplace_back();
      mirror.destination = destination(one);
      if (Reader percentage = http["mirrorPercentage"])
        mirror.percentage = percentage["value"].number(0, 100).value_or(0);
      else if (old)
        mirror.percentage = old.integer(0, 100).value_or(0);
    }
    for (const Reader& item : http["mirrors"].items()) {
      model::Mirror& mirror = out.emplace_back();
      if (Reader to = item["destination"])
        mirror.destination = destination(to);
      else
        item.missing("destination", "a destination with a host");
      if (Reader percentage = item["percentage"]) mirror.percentage = percentage["value"].number(0, 100).value_or(0);
    }
  }

  // One place may say what the authority becomes.
  void check_authority(const Reader& http) {
    int said = http["rewrite"]["authority"] ? 1 : 0;
    for (const char* operation : {"set", "add"})
      for (const auto& [name, value] : http["headers"]["request"][operation].entries())
        if (is_authority(name) && ++said > 1)
          value.error(codes::kConflict, "found another value for the authority, expected one", "write it once, as rewrite.authority");
  }

  model::Destination destination(const Reader& from) {
    model::Destination destination;
    const Reader host = from["host"];
    if (!host || host.text().empty()) {
      from.missing("host", "the name of a service");
      return destination;
    }
    destination.written_host = host.text();
    if (is_ip(destination.written_host))
      host.error(codes::kHost, "found the address " + destination.written_host + ", expected the name of a service",
                 "make a ServiceEntry for it");
    else
      check_host(host, destination.written_host, false);
    destination.host = qualified(host, destination.written_host);
    destination.subset = from["subset"].text();
    if (Reader port = from["port"]) {
      destination.port = port_number(port["number"]);
      if (!port["number"]) port.missing("number", "a port number");
    }
    return destination;
  }

  void destinations(const Reader& list, std::vector<model::RouteDestination>& out) {
    uint64_t total = 0;
    for (const Reader& item : list.items()) {
      model::RouteDestination& route = out.emplace_back();
      if (Reader from = item["destination"])
        route.destination = destination(from);
      else
        item.missing("destination", "a destination with a host");
      route.weight = item["weight"].integer(0, INT32_MAX);
      total += route.weight.value_or(0);
      route.headers = headers(item["headers"]);
    }
    if (out.size() < 2) return;
    if (total == 0)
      list.error(codes::kValue, "found a total destination weight of 0, expected more", "give each route a weight, such as 90 and 10");
    if (total > UINT32_MAX)
      list.error(codes::kValue, "found a total destination weight of " + std::to_string(total) + ", expected at most 4294967295");
  }

  model::Redirect redirect_of(const Reader& from) {
    model::Redirect redirect;
    for (auto [name, into] : {std::pair{"uri", &redirect.uri},
                              {"prefixRewrite", &redirect.prefix_rewrite},
                              {"authority", &redirect.authority},
                              {"scheme", &redirect.scheme}})
      if (!from[name].text().empty()) *into = from[name].text();
    if (redirect.uri && redirect.prefix_rewrite) from.error(codes::kConflict, "found uri and prefixRewrite, expected one of them");
    if (redirect.scheme && redirect.scheme != "http" && redirect.scheme != "https")
      from["scheme"].error(codes::kValue, "found \"" + *redirect.scheme + "\", expected http or https");
    if (from["port"] && from["derivePort"]) from.error(codes::kConflict, "found port and derivePort, expected one of them");
    if (auto port = port_number(from["port"])) {
      redirect.port_kind = model::Redirect::Port::kFixed;
      redirect.port = *port;
    } else if (Reader derive = from["derivePort"]) {
      redirect.port_kind =
          derive.text() == "FROM_REQUEST_PORT" ? model::Redirect::Port::kFromRequestPort : model::Redirect::Port::kFromProtocolDefault;
    }
    if (Reader code = from["redirectCode"]) {
      redirect.code = code.integer().value_or(301);
      if (redirect.code != 301 && redirect.code != 302 && redirect.code != 303 && redirect.code != 307 && redirect.code != 308)
        code.error(codes::kValue, "found " + code.text() + ", expected 301, 302, 303, 307 or 308");
    }
    if (!redirect.uri && !redirect.prefix_rewrite && !redirect.authority && !redirect.scheme && !from["port"] && !from["derivePort"])
      from.error(codes::kMissing, "found a redirect to the same place, expected uri, prefixRewrite, authority, scheme or port");
    return redirect;
  }

  static void only_prefixes(const Reader& at, const std::vector<model::HttpMatch>& matches) {
    for (const model::HttpMatch& match : matches)
      if (match.uri && match.uri->kind != StringMatch::Kind::kPrefix)
        return at.error(codes::kConflict, "found prefixRewrite beside a match whose uri is no prefix", "use uri, or match by prefix");
  }

  model::DirectResponse direct_response(const Reader& from) {
    model::DirectResponse response;
    if (Reader status = from["status"])
      response.status = status.integer(200, 599).value_or(200);
    else
      from.missing("status", "a status from 200 to 599");
    const Reader body = from["body"];
    if (body["string"] && body["bytes"]) body.error(codes::kConflict, "found string and bytes, expected one of them");
    response.body = body["string"].optional_text();
    if (Reader bytes = body["bytes"]) {
      std::string decoded;
      if (!decode_base64(bytes.text(), decoded)) bytes.error(codes::kValue, "found text that is not base64");
      response.body = std::move(decoded);
      response.bytes = true;
    }
    if (response.body && response.body->size() > kMaxBody)
      body.error(codes::kTooLarge, "found a body of " + std::to_string(response.body->size()) + " bytes, expected at most 1048576");
    return response;
  }

  static bool is_authority(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name == "host" || name == ":authority";
  }

  model::HeaderOperations operations(const Reader& from, bool request) {
    model::HeaderOperations operations;
    auto check = [](const Reader& at, const std::string& name, bool authority) {
      if (is_authority(name) && !authority)
        at.error(codes::kName, "found \"" + name + "\", which can only be set, and only in a request", "use rewrite.authority");
      else if (name != ":authority" && !is_header_name(name))
        at.error(codes::kName, "found \"" + name + "\", expected the name of a header");
    };
    for (auto [name, into] : {std::pair{"set", &operations.set}, {"add", &operations.add}}) {
      for (const auto& [header, value] : from[name].entries()) {
        check(value, header, request);
        if (value.text().find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
          value.error(codes::kValue, "found a line break inside a header's value");
        (*into)[header] = value.text();
      }
    }
    for (const Reader& header : from["remove"].items()) {
      check(header, header.text(), false);
      operations.remove.push_back(header.text());
    }
    return operations;
  }

  model::Headers headers(const Reader& from) { return {operations(from["request"], true), operations(from["response"], false)}; }

  Reader spec_;
  model::VirtualService virtual_service_;
  bool delegate_ = false;  // it has no hosts
};

}  // namespace

model::HttpMatch read_match(const Reader& from) {
  model::HttpMatch match;
  match.name = from["name"].text();
  match.uri = from["uri"].match(false);
  match.method = from["method"].match(false);
  match.scheme = from["scheme"].match(false);
  match.authority = from["authority"].match(false);
  match.ignore_uri_case = from["ignoreUriCase"].flag();
  match.headers = header_matches(from["headers"]);
  match.without_headers = header_matches(from["withoutHeaders"]);
  for (const auto& [name, value] : from["queryParams"].entries())
    if (auto parsed = value.match(true)) match.query_params[name] = *parsed;
  match.port = from["port"].integer(1, 65535);
  check_labels(from["sourceLabels"]);
  match.source_labels = from["sourceLabels"].text_map();
  match.source_namespace = read_namespace(from["sourceNamespace"]);
  for (const Reader& gateway : from["gateways"].items()) match.gateways.push_back(gateway_name(gateway, gateway.text()));
  match.stat_prefix = from["statPrefix"].text();
  return match;
}

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) { return Builder(root).build(); }

}  // namespace weft::validation::virtual_service
