// /config_dump: what runs, and what was refused, as admin.v3.ConfigDump with secrets redacted.
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/admin/v3/config_dump_shared.pb.h"
#include "proxy/admin/admin_source.h"
#include "proxy/admin/json.h"
#include "proxy/admin/page.h"

#include <re2/re2.h>

#include <map>
#include <memory>

namespace weft::admin {
namespace {

using namespace envoy::admin::v3;
namespace pb = google::protobuf;
using Kind = ConfigEntry::Kind;
using State = ConfigEntry::State;

bool refused(const ConfigEntry& entry) { return !entry.error_details.empty(); }

template <class T>
void fill_error(T& to, const ConfigEntry& entry) {
  to.set_client_status(refused(entry) ? NACKED : entry.bytes.empty() ? REQUESTED : ACKED);
  if (!refused(entry)) return;
  auto& error = *to.mutable_error_state();
  error.set_details(entry.error_details);
  error.set_version_info(entry.error_version);
  set_time(*error.mutable_last_update_attempt(), entry.error_time);
  if (!entry.error_bytes.empty()) pack_for_show(*error.mutable_failed_configuration(), entry.type_url, entry.error_bytes);
}

// For the messages that differ only in the name of the field that holds the resource.
template <class T>
void fill(T& to, pb::Any& resource, const ConfigEntry& entry) {
  if (!entry.bytes.empty()) {
    pack_for_show(resource, entry.type_url, entry.bytes);
    set_time(*to.mutable_last_updated(), entry.last_updated);
  }
  if constexpr (requires { to.set_version_info(""); }) {
    to.set_version_info(entry.version);
    if constexpr (requires { to.mutable_error_state(); }) fill_error(to, entry);
  }
}

struct Dumps {
  BootstrapConfigDump bootstrap;
  ClustersConfigDump clusters;
  EcdsConfigDump extensions;
  EndpointsConfigDump endpoints;
  ListenersConfigDump listeners;
  RoutesConfigDump routes;
  SecretsConfigDump secrets;
  std::map<std::string, ListenersConfigDump::DynamicListener*> by_name;

  void add(const ConfigEntry& entry) {
    switch (entry.kind) {
      case Kind::kCluster:
        if (entry.from_bootstrap) {
          auto& to = *clusters.add_static_clusters();
          fill(to, *to.mutable_cluster(), entry);
        } else {
          auto& to = entry.state == State::kWarming ? *clusters.add_dynamic_warming_clusters() : *clusters.add_dynamic_active_clusters();
          fill(to, *to.mutable_cluster(), entry);
          if (entry.bytes.empty()) to.clear_cluster();
        }
        break;
      case Kind::kEndpoint:
        if (entry.from_bootstrap) {
          auto& to = *endpoints.add_static_endpoint_configs();
          fill(to, *to.mutable_endpoint_config(), entry);
        } else {
          auto& to = *endpoints.add_dynamic_endpoint_configs();
          fill(to, *to.mutable_endpoint_config(), entry);
          if (entry.bytes.empty()) to.clear_endpoint_config();
        }
        break;
      case Kind::kExtension: {
        if (entry.bytes.empty() && !refused(entry)) break;  // asked for, that is all
        auto& to = *extensions.add_ecds_filters();
        fill(to, *to.mutable_ecds_filter(), entry);
        if (entry.bytes.empty()) to.clear_ecds_filter();
        break;
      }
      case Kind::kRoute:
        if (entry.from_bootstrap) {
          auto& to = *routes.add_static_route_configs();
          fill(to, *to.mutable_route_config(), entry);
        } else {
          auto& to = *routes.add_dynamic_route_configs();
          fill(to, *to.mutable_route_config(), entry);
          if (entry.bytes.empty()) to.clear_route_config();
        }
        break;
      case Kind::kListener: add_listener(entry); break;
      case Kind::kSecret:
        if (entry.from_bootstrap) {
          auto& to = *secrets.add_static_secrets();
          to.set_name(entry.name);
          fill(to, *to.mutable_secret(), entry);
        } else {
          auto& to = entry.state == State::kWarming ? *secrets.add_dynamic_warming_secrets() : *secrets.add_dynamic_active_secrets();
          to.set_name(entry.name);
          fill(to, *to.mutable_secret(), entry);
        }
        break;
    }
  }
  // One DynamicListener holds the active, warming and draining states of a name.
  void add_listener(const ConfigEntry& entry) {
    if (entry.from_bootstrap) {
      auto& to = *listeners.add_static_listeners();
      fill(to, *to.mutable_listener(), entry);
      return;
    }
    auto*& listener = by_name[entry.name];
    if (listener == nullptr) {
      listener = listeners.add_dynamic_listeners();
      listener->set_name(entry.name);
      listener->set_client_status(ACKED);
    }
    if (refused(entry)) fill_error(*listener, entry);
    if (entry.bytes.empty()) return;
    auto& state = entry.state == State::kWarming    ? *listener->mutable_warming_state()
                  : entry.state == State::kDraining ? *listener->mutable_draining_state()
                                                    : *listener->mutable_active_state();
    state.set_version_info(entry.version);
    pack_for_show(*state.mutable_listener(), entry.type_url, entry.bytes);
    set_time(*state.mutable_last_updated(), entry.last_updated);
  }
};

void add_scopes(ScopedRoutesConfigDump& to, const ScopedRoutesView& view) {
  constexpr std::string_view kType = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration";
  auto fill_scopes = [&](auto& one) {
    one.set_name(view.name);
    for (const std::string& bytes : view.scopes) pack_for_show(*one.add_scoped_route_configs(), std::string(kType), bytes);
    set_time(*one.mutable_last_updated(), view.last_updated);
  };
  if (view.inlined) return fill_scopes(*to.add_inline_scoped_route_configs());
  auto& one = *to.add_dynamic_scoped_route_configs();
  fill_scopes(one);
  one.set_version_info(view.version);
  if (view.error_details.empty()) return;
  one.set_client_status(NACKED);
  one.mutable_error_state()->set_details(view.error_details);
  one.mutable_error_state()->set_version_info(view.error_version);
  set_time(*one.mutable_error_state()->mutable_last_update_attempt(), view.error_time);
}

std::vector<std::string_view> split(std::string_view mask) {
  std::vector<std::string_view> paths;
  while (!mask.empty()) {
    std::string_view path = mask.substr(0, mask.find(','));
    mask.remove_prefix(std::min(mask.size(), path.size() + 1));
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

Page fault(int status, std::string text) { return {status, std::move(text), "text/plain"}; }

// The elements of one repeated field. Empty when no dump has such a field.
Page dump_resource(const std::vector<pb::Message*>& dumps, const std::string& name, const std::vector<std::string_view>& paths,
                   std::string_view mask) {
  for (pb::Message* dump : dumps) {
    const pb::FieldDescriptor* field = dump->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) return fault(400, name + " is not a repeated field. Use ?mask=" + name + " to get only this field");
    ConfigDump all;
    const pb::Reflection& reflection = *dump->GetReflection();
    for (int i = 0; i < reflection.FieldSize(*dump, field); ++i) {
      pb::Message& element = *reflection.MutableRepeatedMessage(dump, field, i);
      if (!paths.empty() && !keep_only(element, paths))
        return fault(400, "FieldMask " + std::string(mask) + " could not be successfully applied to any configs.");
      all.add_configs()->PackFrom(element);
    }
    auto json = to_json(all);
    return json ? Page{200, std::move(*json), "application/json"} : fault(500, json.error().detail);
  }
  return fault(404, name + " not found in config dump");
}

}  // namespace

Page config_dump_page(PageContext& context, const PageRequest& request) {
  std::unique_ptr<RE2> names;
  if (!request.value("name_regex").empty()) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    std::string regex(request.value("name_regex"));
    names = std::make_unique<RE2>(regex, quiet);
    if (!names->ok()) return fault(400, "INVALID_ARGUMENT: Error while parsing name_regex from " + regex + ": " + names->error());
  }
  bool endpoints = request.has("include_eds");
  ConfigView config = context.source.config(endpoints);
  Dumps dumps;
  dumps.bootstrap.mutable_bootstrap()->ParseFromString(config.bootstrap_bytes);
  redact(*dumps.bootstrap.mutable_bootstrap());
  set_time(*dumps.bootstrap.mutable_last_updated(), config.bootstrap_time);
  dumps.clusters.set_version_info(config.cds_version);
  dumps.listeners.set_version_info(config.lds_version);
  for (const ConfigEntry& entry : config.entries)
    if (names == nullptr || RE2::FullMatch(entry.name, *names)) dumps.add(entry);

  std::vector<pb::Message*> order = {&dumps.bootstrap, &dumps.clusters};
  if (dumps.extensions.ecds_filters_size() > 0) order.push_back(&dumps.extensions);
  if (endpoints) order.push_back(&dumps.endpoints);
  ScopedRoutesConfigDump scoped;
  for (const ScopedRoutesView& view : config.scoped_routes)
    if (names == nullptr || RE2::FullMatch(view.name, *names)) add_scopes(scoped, view);
  order.insert(order.end(), {&dumps.listeners, &scoped, &dumps.routes, &dumps.secrets});

  std::string_view mask = request.value("mask");
  std::vector<std::string_view> paths = split(mask);
  std::string resource(request.value("resource"));
  if (!resource.empty()) return dump_resource(order, resource, paths, mask);

  ConfigDump all;
  for (pb::Message* dump : order) {
    if (!paths.empty() && !keep_only(*dump, paths)) continue;
    all.add_configs()->PackFrom(*dump);
  }
  if (!paths.empty() && all.configs().empty())
    return fault(400, "FieldMask " + std::string(mask) + " could not be successfully applied to any configs.");
  auto json = to_json(all);
  return json ? Page{200, std::move(*json), "application/json"} : fault(500, json.error().detail);
}

}  // namespace weft::admin
