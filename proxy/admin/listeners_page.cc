// /listeners: names and the addresses really bound.
#include "envoy/admin/v3/listeners.pb.h"
#include "proxy/admin/address.h"
#include "proxy/admin/admin_source.h"
#include "proxy/admin/json.h"
#include "proxy/admin/page.h"

namespace weft::admin {

Page listeners_page(PageContext& context, const PageRequest& request) {
  std::vector<ListenerView> listeners = context.source.listeners();
  if (request.value("format") != "json") {
    std::string out;
    for (const ListenerView& listener : listeners)
      for (const std::string& address : listener.addresses) out += listener.name + "::" + address + "\n";
    return {200, out};
  }
  envoy::admin::v3::Listeners all;
  for (const ListenerView& listener : listeners) {
    auto& status = *all.add_listener_statuses();
    status.set_name(listener.name);
    for (size_t i = 0; i < listener.addresses.size(); ++i)
      set_address(i == 0 ? *status.mutable_local_address() : *status.add_additional_local_addresses(), listener.addresses[i]);
  }
  auto json = to_json(all);
  if (!json) return {500, json.error().detail};
  return {200, std::move(*json), "application/json"};
}

}  // namespace weft::admin
