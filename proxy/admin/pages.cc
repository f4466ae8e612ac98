#include "proxy/admin/page.h"

#include <algorithm>

namespace weft::admin {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

bool PageRequest::has(std::string_view name) const {
  return std::any_of(parameters.begin(), parameters.end(), [name](const auto& p) { return p.first == name; });
}

std::string_view PageRequest::value(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return {};
}

void parse_parameters(std::string_view query, PageRequest& request) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    request.parameters.emplace_back(decode(pair.substr(0, equals)),
                                    equals == std::string_view::npos ? "" : decode(pair.substr(equals + 1)));
  }
}

PageRequest parse_target(std::string_view method, std::string_view target) {
  PageRequest request;
  request.method = method;
  size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) parse_parameters(target.substr(mark + 1), request);
  return request;
}

const std::vector<PageEntry>& pages() {
  static const std::vector<PageEntry> kPages = {
      {"/", false, "Admin home page", {}, home_page},
      {"/certs", false, "print certs on machine", {}, certs_page},
      {"/clusters",
       false,
       "upstream cluster status",
       {{"filter", "Regular expression (Google re2) for filtering clusters by name"},
        {"format", "File format to use; One of (text, json)"}},
       clusters_page},
      {"/config_dump",
       false,
       "dump current configuration",
       {{"resource", "The resource to dump"},
        {"mask", "The mask to apply. When both resource and mask are specified, the mask is applied to every element of that resource"},
        {"name_regex", "Dump only the configurations whose names match the regular expression"},
        {"include_eds", "Dump endpoints, too"}},
       config_dump_page},
      {"/drain_listeners",
       true,
       "drain listeners",
       {{"graceful", "Enter a graceful drain period prior to closing listeners"},
        {"skip_exit", "Drain the connections but never stop the listeners"},
        {"inboundonly", "Drain inbound listeners only"}},
       drain_page},
      {"/healthcheck/fail", true, "cause the server to fail health checks", {}, health_fail_page},
      {"/healthcheck/ok", true, "cause the server to pass health checks", {}, health_ok_page},
      {"/help", false, "print out list of admin commands", {}, help_page},
      {"/hot_restart_version", false, "print the hot restart compatibility version", {}, hot_restart_version_page},
      {"/init_dump", false, "dump what is not initialized yet", {}, init_dump_page},
      {"/listeners", false, "print listener info", {{"format", "File format to use; One of (text, json)"}}, listeners_page},
      {"/logging",
       true,
       "query/change logging levels",
       {{"paths", "Change multiple logging levels by setting to <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>"},
        {"level",
         "desired logging level, this will change all loggers's level; One of (, trace, debug, info, warning, error, critical, off)"}},
       logging_page},
      {"/memory", false, "print current allocation/heap usage", {}, memory_page},
      {"/quitquitquit", true, "exit the server", {}, quit_page},
      {"/ready", false, "print server state, return 200 if LIVE, otherwise return 503", {}, ready_page},
      {"/reopen_logs", true, "reopen access logs", {}, reopen_page},
      {"/reset_counters", true, "reset all counters to zero", {}, reset_page},
      {"/runtime", false, "print runtime values", {}, runtime_page},
      {"/runtime_modify",
       true,
       "Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty string as the value. "
       "Note that deletion only applies to overrides added via this endpoint; values loaded from disk can be modified via override but not "
       "deleted. E.g. ?key1=value1&key2=value2...",
       {},
       runtime_modify_page},
      {"/server_info", false, "print server version/status information", {}, server_info_page},
      {"/stats",
       false,
       "print server stats",
       {{"usedonly", "Only include stats that have been written by system since restart"},
        {"filter", "Regular expression (Google re2) for filtering stats"},
        {"invert_filter", "Invert the filter regex"},
        {"format", "Format to use; One of (html, active-html, text, json, prometheus)"},
        {"type", "Stat types to include.; One of (All, Counters, Histograms, Gauges, TextReadouts)"},
        {"histogram_buckets", "Histogram bucket display mode; One of (cumulative, disjoint, detailed, summary)"}},
       stats_page},
      {"/stats/prometheus",
       false,
       "print server stats in prometheus format",
       {{"usedonly", "Only include stats that have been written by system since restart"},
        {"text_readouts", "Render text_readouts as new gauges with value 0 (increases Prometheus data size)"},
        {"filter", "Regular expression (Google re2) for filtering stats"},
        {"invert_filter", "Invert the filter regex"},
        {"histogram_buckets", "Histogram bucket display mode; One of (cumulative, summary)"}},
       prometheus_page},
  };
  return kPages;
}

Page answer(PageContext& context, const PageRequest& request) {
  for (const PageEntry& entry : pages()) {
    if (entry.path != request.path) continue;
    if (entry.mutates && request.method != "POST") return {405, "Method " + request.method + " not allowed, POST required."};
    return entry.make(context, request);
  }
  return {404, "invalid path. " + help_text()};
}

}  // namespace weft::admin
