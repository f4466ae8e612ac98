// A page of the admin interface: a function from a request to an answer. The table in pages.cc names them all; /help and the
// 404 text are printed from it.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::observe {
class Registry;
}

namespace weft::admin {

class AdminSource;

struct PageRequest {
  std::string method;
  std::string path;                                             // without the query
  std::vector<std::pair<std::string, std::string>> parameters;  // decoded, in order
  bool has(std::string_view name) const;
  std::string_view value(std::string_view name) const;  // empty when absent
};

struct Page {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=UTF-8";
  std::function<void()> after = nullptr;  // once the answer has left
};

struct PageContext {
  AdminSource& source;
  observe::Registry& registry;
};

struct Parameter {
  std::string_view name, help;
};
struct PageEntry {
  std::string_view path;
  bool mutates;  // POST only
  std::string_view help;
  std::vector<Parameter> parameters;
  Page (*make)(PageContext& context, const PageRequest& request);
};

const std::vector<PageEntry>& pages();
// Finds the page and asks it; 404 and 405 as Envoy words them.
Page answer(PageContext& context, const PageRequest& request);
// "/stats?filter=a%2Eb&usedonly" into path and parameters.
PageRequest parse_target(std::string_view method, std::string_view target);
void parse_parameters(std::string_view query, PageRequest& request);

// One file each.
Page home_page(PageContext&, const PageRequest&);
Page help_page(PageContext&, const PageRequest&);
Page stats_page(PageContext&, const PageRequest&);
Page prometheus_page(PageContext&, const PageRequest&);
Page clusters_page(PageContext&, const PageRequest&);
Page config_dump_page(PageContext&, const PageRequest&);
Page listeners_page(PageContext&, const PageRequest&);
Page server_info_page(PageContext&, const PageRequest&);
Page ready_page(PageContext&, const PageRequest&);
Page memory_page(PageContext&, const PageRequest&);
Page certs_page(PageContext&, const PageRequest&);
Page init_dump_page(PageContext&, const PageRequest&);
Page runtime_page(PageContext&, const PageRequest&);
Page runtime_modify_page(PageContext&, const PageRequest&);
Page hot_restart_version_page(PageContext&, const PageRequest&);
Page logging_page(PageContext&, const PageRequest&);
Page drain_page(PageContext&, const PageRequest&);
Page health_fail_page(PageContext&, const PageRequest&);
Page health_ok_page(PageContext&, const PageRequest&);
Page reopen_page(PageContext&, const PageRequest&);
Page reset_page(PageContext&, const PageRequest&);
Page quit_page(PageContext&, const PageRequest&);

std::string help_text();  // what /help prints after its first line

}  // namespace weft::admin
