#include "common/observe/text.h"
#include "proxy/admin/admin_source.h"
#include "proxy/admin/page.h"

namespace weft::admin {
namespace {

Page print(PageContext& context, const PageRequest& request, observe::StatsQuery query) {
  for (const auto& [name, value] : request.parameters)
    if (auto status = query.take(name, value); !status) return {400, status.error().detail};
  context.source.refresh_stats();
  auto text = observe::print_stats(context.registry, query);
  if (!text) return {400, text.error().detail};
  return {200, std::move(*text), std::string(observe::content_type(query.format))};
}

}  // namespace

Page stats_page(PageContext& context, const PageRequest& request) { return print(context, request, {}); }

Page prometheus_page(PageContext& context, const PageRequest& request) {
  observe::StatsQuery query;
  query.format = observe::StatsFormat::kPrometheus;
  return print(context, request, std::move(query));
}

Page reset_page(PageContext& context, const PageRequest&) {
  for (const auto& scope : context.registry.scopes()) scope->reset_counters();
  return {200, "OK\n"};
}

}  // namespace weft::admin
