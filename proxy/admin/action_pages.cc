// The pages that do something, and answer OK.
#include "proxy/admin/admin_source.h"
#include "proxy/admin/page.h"

namespace weft::admin {

Page drain_page(PageContext& context, const PageRequest& request) {
  context.source.drain_listeners(request.has("graceful"), request.has("skip_exit"), request.has("inboundonly"));
  return {200, "OK\n"};
}
Page health_fail_page(PageContext& context, const PageRequest&) {
  context.source.fail_health_check(true);
  return {200, "OK\n"};
}
Page health_ok_page(PageContext& context, const PageRequest&) {
  context.source.fail_health_check(false);
  return {200, "OK\n"};
}
Page reopen_page(PageContext& context, const PageRequest&) {
  context.source.reopen_logs();
  return {200, "OK\n"};
}
Page runtime_modify_page(PageContext& context, const PageRequest& request) {
  if (request.parameters.empty())
    return {400,
            "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n"
            "       or send the parameters as form values\n"
            "use an empty value to remove a previously added override\n"};
  const std::string why_not = context.source.modify_runtime(request.parameters);
  if (!why_not.empty()) return {503, why_not + "\n"};
  return {200, "OK\n"};
}
Page quit_page(PageContext& context, const PageRequest&) {
  Page page{200, "OK\n"};
  page.after = [&source = context.source] { source.quit(); };
  return page;
}

}  // namespace weft::admin
