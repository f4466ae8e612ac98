// VirtualService: the HTTP part.
#include "controlplane/validation/kinds.h"

#include <algorithm>
#include <set>

namespace weft::validation::virtual_service {
namespace {

using model::HttpRoute;
using model::StringMatch;

constexpr std::string_view kTls = "TLS and TCP routing come with a later version";

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
constexpr Field kRewriteFields[] = {{"uri", Type::kString},
                                    {"authority", Type::kString},
                                    {"uriRegexRewrite", Type::kObject, Use::kRefused, "use rewrite.uri with a prefix match"}};
constexpr Table kRewrite{kRewriteFields};
constexpr Field kRetriesFields[] = {{"attempts", Type::kInteger, Use::kWorks, "0 turns retries off"},
                                    {"perTryTimeout", Type::kDuration},
                                    {"retryOn", Type::kString},
                                    {"backoff", Type::kDuration},
                                    {"retryIgnorePreviousHosts", Type::kBool},
                                    {"retryRemoteLocalities", Type::kBool, Use::kRefused}};
constexpr Table kRetries{kRetriesFields};
constexpr Field kPercentFields[] = {{"value", Type::kNumber}};
constexpr Table kPercent{kPercentFields};
constexpr Field kDelayFields[] = {{"fixedDelay", Type::kDuration},
                                  {"percentage", Type::kObject, Use::kWorks, "0 when absent", &kPercent},
                                  {"percent", Type::kInteger, Use::kOld, "write percentage: {value: ...}"},
                                  {"exponentialDelay", Type::kDuration, Use::kRefused, "use fixedDelay"}};
constexpr Table kDelay{kDelayFields};
constexpr Field kAbortFields[] = {{"httpStatus", Type::kInteger},
                                  {"percentage", Type::kObject, Use::kWorks, "0 when absent", &kPercent},
                                  {"grpcStatus", Type::kString, Use::kRefused, "use httpStatus"},
                                  {"http2Error", Type::kString, Use::kRefused, "use httpStatus"}};
constexpr Table kAbort{kAbortFields};
constexpr Field kFaultFields[] = {{"delay", Type::kObject, Use::kWorks, "", &kDelay}, {"abort", Type::kObject, Use::kWorks, "", &kAbort}};
constexpr Table kFault{kFaultFields};
constexpr Field kHttpFields[] = {{"name", Type::kString},
                                 {"match", Type::kObjects, Use::kWorks, "any of them; none takes everything", &kMatch},
                                 {"route", Type::kObjects, Use::kWorks, "", &kRoute},
                                 {"redirect", Type::kObject, Use::kWorks, "", &kRedirect},
                                 {"directResponse", Type::kObject, Use::kWorks, "", &kDirect},
                                 {"rewrite", Type::kObject, Use::kWorks, "", &kRewrite},
                                 {"timeout", Type::kDuration, Use::kWorks, "0s or absent: none"},
                                 {"retries", Type::kObject, Use::kWorks, "", &kRetries},
                                 {"fault", Type::kObject, Use::kWorks, "", &kFault},
                                 {"headers", Type::kObject, Use::kWorks, "", &kHeaders},
                                 {"delegate", Type::kObject, Use::kRefused, "write the routes into this VirtualService"},
                                 {"mirror", Type::kObject, Use::kRefused},
                                 {"mirrors", Type::kObjects, Use::kRefused},
                                 {"mirrorPercentage", Type::kObject, Use::kRefused},
                                 {"mirrorPercent", Type::kInteger, Use::kRefused},
                                 {"corsPolicy", Type::kObject, Use::kRefused}};
constexpr Table kHttp{kHttpFields};
constexpr Field kSpecFields[] = {{"hosts", Type::kStrings},
                                 {"gateways", Type::kStrings, Use::kWorks, "mesh when absent"},
                                 {"http", Type::kObjects, Use::kWorks, "", &kHttp},
                                 {"tls", Type::kObjects, Use::kRefused, kTls},
                                 {"tcp", Type::kObjects, Use::kRefused, kTls},
                                 {"exportTo", Type::kStrings}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

constexpr size_t kMaxBody = 1 << 20;
// The conditions that weft-proxy acts upon; the last five look at the grpc-status of a response.
constexpr std::string_view kRetryOn[] = {"5xx",
                                         "gateway-error",
                                         "reset",
                                         "reset-before-request",
                                         "connect-failure",
                                         "refused-stream",
                                         "retriable-4xx",
                                         "envoy-ratelimited",
                                         "retriable-status-codes",
                                         "cancelled",
                                         "deadline-exceeded",
                                         "internal",
                                         "resource-exhausted",
                                         "unavailable"};
constexpr std::string_view kRetryOnRefused[] = {"retriable-headers", "http3-post-connect-failure"};

class Builder {
 public:
  explicit Builder(const Reader& root) : spec_(root["spec"]) {}

  model::VirtualService build() {
    for (const Reader& gateway : spec_["gateways"].items()) virtual_service_.gateways.push_back(gateway_name(gateway, gateway.text()));
    if (virtual_service_.gateways.empty()) virtual_service_.gateways.push_back(std::string(model::kMesh));
    hosts();
    virtual_service_.export_to = export_to(spec_["exportTo"], false);
    const Reader http = spec_["http"];
    for (const Reader& item : http.items()) virtual_service_.http.push_back(route(item));
    if (virtual_service_.http.empty()) spec_.missing("http", "at least one route");
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
    if (spec_["hosts"].items().empty()) spec_.missing("hosts", "at least one host");
  }

  HttpRoute route(const Reader& http) {
    HttpRoute route;
    route.name = http["name"].text();
    for (const Reader& item : http["match"].items()) route.matches.push_back(match(item));
    const bool redirect = bool(http["redirect"]), direct = bool(http["directResponse"]);
    destinations(http["route"], route.routes);
    const int actions = !route.routes.empty() + redirect + direct;
    if (actions == 0) http.missing("route", "one of route, redirect and directResponse");
    if (actions > 1) http.error(codes::kConflict, "found more than one of route, redirect and directResponse, expected one");
    for (const char* other : {"fault", "rewrite"})
      if ((redirect || direct) && http[other])
        http[other].error(
            codes::kConflict,
            std::string("found ") + other + " beside " + (redirect ? "redirect" : "directResponse") + ", which it does not apply to",
            std::string("remove ") + other);
    if (redirect) route.redirect = redirect_of(http["redirect"]);
    if (direct) route.direct_response = direct_response(http["directResponse"]);
    if (Reader rewrite = http["rewrite"]) {
      route.rewrite = {rewrite["uri"].optional_text(), rewrite["authority"].optional_text()};
      if (!route.rewrite->uri && !route.rewrite->authority)
        rewrite.error(codes::kMissing, "found an empty rewrite, expected uri or authority");
    }
    route.timeout = http["timeout"].duration(model::Duration(0));
    if (Reader retries = http["retries"]) route.retries = retries_of(retries);
    if (Reader fault = http["fault"]) route.fault = fault_of(fault);
    route.headers = headers(http["headers"]);
    return route;
  }

  model::HttpMatch match(const Reader& from) {
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
    match.source_namespace = from["sourceNamespace"].optional_text();
    for (const Reader& gateway : from["gateways"].items()) match.gateways.push_back(gateway_name(gateway, gateway.text()));
    match.stat_prefix = from["statPrefix"].text();
    return match;
  }

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
    redirect.uri = from["uri"].optional_text();
    redirect.prefix_rewrite = from["prefixRewrite"].optional_text();
    redirect.authority = from["authority"].optional_text();
    redirect.scheme = from["scheme"].optional_text();
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
    }
    if (response.body && response.body->size() > kMaxBody)
      body.error(codes::kTooLarge, "found a body of " + std::to_string(response.body->size()) + " bytes, expected at most 1048576");
    return response;
  }

  model::Retries retries_of(const Reader& from) {
    model::Retries retries;
    if (Reader attempts = from["attempts"]) {
      retries.attempts = attempts.integer(0, INT32_MAX).value_or(0);
      if (retries.attempts == 0 && (from["perTryTimeout"] || from["retryOn"] || from["backoff"]))
        attempts.error(codes::kConflict, "found attempts: 0, which turns retries off, beside a retry policy",
                       "set attempts above 0, or remove the other fields");
    } else {
      from.missing("attempts", "how often to try again (0 turns retries off)");
    }
    retries.per_try_timeout = from["perTryTimeout"].duration();
    retries.backoff = from["backoff"].duration();
    retries.retry_on = from["retryOn"].text();
    if (from["retryOn"]) check_retry_on(from["retryOn"], retries.retry_on);
    if (Reader ignore = from["retryIgnorePreviousHosts"]) retries.ignore_previous_hosts = ignore.flag();
    return retries;
  }

  void check_retry_on(const Reader& at, std::string_view text) {
    std::vector<std::string_view> known(std::begin(kRetryOn), std::end(kRetryOn));
    while (!text.empty()) {
      const size_t comma = text.find(',');
      std::string_view word = text.substr(0, comma);
      text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
      while (word.starts_with(' ')) word.remove_prefix(1);
      while (word.ends_with(' ')) word.remove_suffix(1);
      if (std::find(known.begin(), known.end(), word) != known.end()) continue;
      const std::string shown(word.substr(0, 60));
      if (!word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos) {
        if (word.size() != 3 || word < "100" || word > "599")
          at.error(codes::kChoice, "found the status " + shown + ", expected 100 to 599");
      } else if (std::find(std::begin(kRetryOnRefused), std::end(kRetryOnRefused), word) != std::end(kRetryOnRefused)) {
        at.error(codes::kUnsupportedField, at.path() + ": " + shown + " is not supported by this version of Weft");
      } else {
        const std::string_view meant = did_you_mean(word, known);
        at.error(
            codes::kChoice,
            "found \"" + shown + "\", expected a status or a condition such as 5xx, gateway-error, reset, connect-failure, refused-stream",
            meant.empty() ? "" : "did you mean " + std::string(meant) + "?");
      }
    }
  }

  double percentage(const Reader& from) {
    const Reader value = from["percentage"]["value"];
    if (from["percentage"]) return value.number(0, 100).value_or(0);
    if (from["percent"]) return from["percent"].integer(0, 100).value_or(0);
    from.warn(codes::kNoEffect, "found no percentage, so nothing is injected", "add percentage: {value: 100}");
    return 0;
  }

  model::Fault fault_of(const Reader& from) {
    model::Fault fault;
    if (Reader delay = from["delay"]) {
      fault.delay.emplace();
      if (!delay["fixedDelay"]) delay.missing("fixedDelay", "a duration");
      fault.delay->fixed = delay["fixedDelay"].duration().value_or(model::Duration(0));
      fault.delay->percentage = percentage(delay);
    }
    if (Reader abort = from["abort"]) {
      fault.abort.emplace();
      if (!abort["httpStatus"]) abort.missing("httpStatus", "a status from 200 to 599");
      fault.abort->http_status = abort["httpStatus"].integer(200, 599).value_or(0);
      fault.abort->percentage = percentage(abort);
    }
    if (!fault.delay && !fault.abort) from.error(codes::kMissing, "found an empty fault, expected delay or abort");
    return fault;
  }

  model::HeaderOperations operations(const Reader& from) {
    model::HeaderOperations operations;
    auto check = [](const Reader& at, const std::string& name) {
      const bool pseudo = name == ":authority";
      if (!pseudo && !is_header_name(name)) at.error(codes::kName, "found \"" + name + "\", expected the name of a header");
    };
    for (auto [name, into] : {std::pair{"set", &operations.set}, {"add", &operations.add}}) {
      for (const auto& [header, value] : from[name].entries()) {
        check(value, header);
        if (value.text().find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
          value.error(codes::kValue, "found a line break inside a header's value");
        (*into)[header] = value.text();
      }
    }
    for (const Reader& header : from["remove"].items()) {
      check(header, header.text());
      operations.remove.push_back(header.text());
    }
    return operations;
  }

  model::Headers headers(const Reader& from) { return {operations(from["request"]), operations(from["response"])}; }

  Reader spec_;
  model::VirtualService virtual_service_;
};

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) { return Builder(root).build(); }

}  // namespace weft::validation::virtual_service
