#include "proxy/config/snapshot_builder.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "istio/networking/nds/v1/nds.pb.h"
#include "proxy/config/clusters.h"
#include "proxy/config/dns.h"
#include "proxy/config/endpoints.h"
#include "proxy/config/field_check.h"
#include "proxy/config/listeners.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/routes.h"
#include "proxy/config/runtime_layers.h"
#include "proxy/config/scopes.h"
#include "proxy/config/typed_struct.h"
#include "proxy/filters/table.h"

#include <xxhash.h>

#include <algorithm>
#include <set>

namespace weft::config {
namespace {

namespace pb = google::protobuf;

std::string detail_of(const std::string& name, const Diagnostics& findings) {
  std::string out;
  for (const Diagnostic& finding : findings) {
    if (!out.empty()) out += "; ";
    if (!finding.field.empty()) out += finding.field + ": ";
    out += finding.message;
  }
  return name.empty() ? out : name + ": " + out;
}

const std::string& name_of(const envoy::config::cluster::v3::Cluster& from) { return from.name(); }
const std::string& name_of(const envoy::config::listener::v3::Listener& from) { return from.name(); }
const std::string& name_of(const envoy::config::route::v3::RouteConfiguration& from) { return from.name(); }
const std::string& name_of(const envoy::config::route::v3::ScopedRouteConfiguration& from) { return from.name(); }
const std::string& name_of(const envoy::config::core::v3::TypedExtensionConfig& from) { return from.name(); }
const std::string& name_of(const envoy::service::runtime::v3::Runtime& from) { return from.name(); }
const std::string& name_of(const envoy::config::endpoint::v3::ClusterLoadAssignment& from) { return from.cluster_name(); }
const std::string& name_of(const istio::networking::nds::v1::NameTable&) {  // there is but one
  static const std::string kNone;
  return kNone;
}

class SnapshotBuilder {
 public:
  SnapshotBuilder(const Values& current, const Changes& changes, const BuildContext& context)
      : current_(current), changes_(changes), context_(context) {
    context_.extension = [this](std::string_view name) { return extension(name); };
  }

  Built build() {
    for (const RawResource& raw : changes_.resources) {
      switch (changes_.type) {
        case ResourceType::kCluster: one<envoy::config::cluster::v3::Cluster>(raw); break;
        case ResourceType::kEndpoints: one<envoy::config::endpoint::v3::ClusterLoadAssignment>(raw); break;
        case ResourceType::kListener: one<envoy::config::listener::v3::Listener>(raw); break;
        case ResourceType::kRoute: one<envoy::config::route::v3::RouteConfiguration>(raw); break;
        case ResourceType::kRuntime: one<envoy::service::runtime::v3::Runtime>(raw); break;
        case ResourceType::kExtension: one<envoy::config::core::v3::TypedExtensionConfig>(raw); break;
        case ResourceType::kScope: one<envoy::config::route::v3::ScopedRouteConfiguration>(raw); break;
        case ResourceType::kNameTable: one<istio::networking::nds::v1::NameTable>(raw); break;
      }
    }
    for (const std::string& name : changes_.removed) remove(name);
    if (changes_.type == ResourceType::kExtension) rebuild_listeners();
    if (changes_.type == ResourceType::kScope) refuse_conflicts();
    return std::move(built_);
  }

 private:
  template <class Message>
  void one(const RawResource& raw) {
    Message message;
    Diagnostics problems;
    const Where root(problems, {});
    if (raw.type_url != type_url(changes_.type)) {
      root.fail("has type " + raw.type_url + ", expected " + std::string(type_url(changes_.type)));
      return reject(raw.name, std::move(problems));
    }
    if (!message.ParseFromString(raw.bytes)) {
      root.fail("holds bytes that are no " + Message::descriptor()->full_name());
      return reject(raw.name, std::move(problems));
    }
    const bool nameless = changes_.type == ResourceType::kNameTable;
    const std::string name = nameless ? raw.name : name_of(message);
    if (name.empty() && !nameless) {
      root.fail("has no name");
      return reject(raw.name, std::move(problems));
    }
    if (!raw.name.empty() && raw.name != name) {
      root.fail("comes under the name \"" + raw.name + "\", but calls itself \"" + name + "\"");
      return reject(raw.name, std::move(problems));
    }
    if (!seen_.insert(name).second) {
      root.fail("duplicate name in one response");
      return reject(name, std::move(problems));
    }
    if (is_static(name)) {
      root.fail("is defined in the bootstrap and cannot be replaced");
      return reject(name, std::move(problems));
    }
    const uint64_t hash = XXH3_64bits(raw.bytes.data(), raw.bytes.size());
    if (is_current(name, hash)) {
      built_.accepted.push_back(name);
      built_.unchanged.push_back(name);
      return;
    }
    const bool unwrapped = raw.bytes.find("TypedStruct") == std::string::npos || unwrap_typed_structs(message, {}, problems);
    if (unwrapped && check_fields(message, {}, problems)) take(name, message, hash, root);
    if (!problems.empty()) return reject(name, std::move(problems));
    built_.accepted.push_back(name);
  }

  void take(const std::string&, const envoy::config::cluster::v3::Cluster& message, uint64_t hash, const Where& where) {
    if (auto value = build_cluster(message, hash, context_, where)) built_.update.clusters.push_back(std::move(value));
  }
  void take(const std::string&, const envoy::config::listener::v3::Listener& message, uint64_t hash, const Where& where) {
    if (auto value = build_listener(message, hash, context_, where)) built_.update.listeners.push_back(std::move(value));
  }
  void take(const std::string& name, const envoy::config::endpoint::v3::ClusterLoadAssignment& message, uint64_t hash, const Where& where) {
    if (auto value = build_endpoints(message, where)) {
      built_.update.endpoints.emplace_back(name, std::move(value));
      built_.hashes.emplace_back(name, hash);
    }
  }
  void take(const std::string& name, const envoy::config::route::v3::RouteConfiguration& message, uint64_t hash, const Where& where) {
    const filters::FilterBuild build{context_.runtime, context_.registry, {}, context_.local_cluster};
    auto value = build_routes(message, build, where);
    if (!value) return;
    if (message.validate_clusters().value()) {
      check_clusters(*value, context_, where);
      if (!where.problems().empty()) return;
    }
    built_.update.routes.emplace_back(name, std::move(value));
    built_.hashes.emplace_back(name, hash);
  }

  void take(const std::string& name, const envoy::config::core::v3::TypedExtensionConfig& message, uint64_t hash, const Where& where) {
    const std::string type(type_name(message.typed_config().type_url()));
    const filters::HttpFilterType* known = filters::find_http_filter(type);
    const Where at(where, "typed_config");
    if (!known) return at.unsupported("extension " + type + " is not supported here by this version");
    for (const auto* listeners : {&current_.static_listeners, &current_.listeners}) {
      for (const auto& [listener, value] : *listeners) {
        for (const ExtensionRef& ref : value->extensions) {
          if (ref.name != name || ref.types.empty() || std::find(ref.types.begin(), ref.types.end(), type) != ref.types.end()) continue;
          std::string expected;
          for (const std::string& one : ref.types) expected += (expected.empty() ? "" : ", ") + one;
          return at.fail("has type " + type + ", but listener \"" + listener + "\" expects " + expected);
        }
      }
    }
    // Built for nothing but to see that it can be: each chain builds its own.
    const filters::FilterBuild build{context_.runtime, nullptr, {}, context_.local_cluster};
    const std::string inner = "(" + std::string(short_name(type)) + ")";
    if (!known->make(name, message.typed_config().value(), build, Where(at, inner))) return;
    built_.update.extensions.emplace_back(name, std::make_shared<const Extension>(Extension{type, message.typed_config().value(), hash}));
  }
  void take(const std::string& name, const envoy::config::route::v3::ScopedRouteConfiguration& message, uint64_t hash, const Where& where) {
    const auto held = current_.scopes.find(name);
    if (held != current_.scopes.end() && held->second->path != changes_.path)
      return where.fail("is there already, from " + (held->second->path.empty() ? std::string("ADS") : held->second->path));
    if (auto value = build_scope(message, hash, changes_.path, context_, where)) built_.update.scopes.push_back(std::move(value));
  }

  // Two scopes of one place cannot have the same key. One that is refused leaves its predecessor, which may be in another's way.
  void refuse_conflicts() {
    for (;;) {
      std::vector<std::shared_ptr<const Scope>> all;
      for (const auto& [name, scope] : current_.scopes) {
        const bool gone =
            std::find(built_.update.removed_scopes.begin(), built_.update.removed_scopes.end(), name) != built_.update.removed_scopes.end();
        const bool changed = std::any_of(built_.update.scopes.begin(), built_.update.scopes.end(),
                                         [&name = name](const auto& one) { return one->name == name; });
        if (!gone && !changed) all.push_back(scope);
      }
      all.insert(all.end(), built_.update.scopes.begin(), built_.update.scopes.end());
      const ScopeConflict conflict = find_conflict(all);
      if (conflict.reason.empty()) return;
      std::erase_if(built_.update.scopes, [&](const auto& one) { return one->name == conflict.second; });
      std::erase(built_.accepted, conflict.second);
      Diagnostics problems;
      Where(problems, {}).fail(conflict.reason);
      reject(conflict.second, std::move(problems));
    }
  }

  void take(const std::string& name, const envoy::service::runtime::v3::Runtime& message, uint64_t, const Where&) {
    built_.update.runtime_layers.emplace_back(name, std::make_shared<const runtime::Layer>(runtime_layer(message.layer())));
  }

  void take(const std::string&, const istio::networking::nds::v1::NameTable& message, uint64_t, const Where& where) {
    built_.update.name_table = build_name_table(message, where);
  }

  // As it is with these changes.
  std::shared_ptr<const Extension> extension(std::string_view name) const {
    for (const auto& [changed, value] : built_.update.extensions)
      if (changed == name) return value;
    const auto& removed = built_.update.removed_extensions;
    if (std::find(removed.begin(), removed.end(), name) != removed.end()) return nullptr;
    auto at = current_.extensions.find(name);
    return at == current_.extensions.end() ? nullptr : at->second;
  }

  bool touched(const Listener& listener) const {
    const auto& refs = listener.extensions;
    return std::any_of(refs.begin(), refs.end(), [&](const ExtensionRef& ref) {
      const Update& update = built_.update;
      return std::any_of(update.extensions.begin(), update.extensions.end(), [&](const auto& one) { return one.first == ref.name; }) ||
             std::find(update.removed_extensions.begin(), update.removed_extensions.end(), ref.name) != update.removed_extensions.end();
    });
  }

  void rebuild_listeners() {
    for (const auto* listeners : {&current_.static_listeners, &current_.listeners}) {
      for (const auto& [name, listener] : *listeners) {
        if (!listener->source || !touched(*listener)) continue;
        envoy::config::listener::v3::Listener message;
        Diagnostics problems;
        const Where root(problems, {});
        // What was taken once, with extensions that have been tried: there is nothing to refuse.
        if (message.ParseFromString(*listener->source))
          if (auto value = build_listener(message, listener->hash, context_, root)) built_.update.listeners.push_back(std::move(value));
      }
    }
  }

  bool is_static(std::string_view name) const {
    if (changes_.type == ResourceType::kCluster) return context_.static_cluster && context_.static_cluster(name);
    return changes_.type == ResourceType::kListener && context_.static_listener && context_.static_listener(name);
  }

  bool is_current(const std::string& name, uint64_t hash) const {
    auto same = [&](const auto& values) {
      auto at = values.find(name);
      return at != values.end() && at->second->hash == hash;
    };
    auto noted = [&](const auto& values, const auto& hashes) {
      auto at = hashes.find(name);
      return values.contains(name) && at != hashes.end() && at->second == hash;
    };
    switch (changes_.type) {
      case ResourceType::kCluster: return same(current_.clusters);
      case ResourceType::kListener: return same(current_.listeners);
      case ResourceType::kEndpoints: return noted(current_.endpoints, current_.endpoint_hashes);
      case ResourceType::kRoute: return noted(current_.routes, current_.route_hashes);
      case ResourceType::kRuntime: break;  // cheap to take again
      case ResourceType::kExtension: return same(current_.extensions);
      case ResourceType::kScope: return same(current_.scopes);
      case ResourceType::kNameTable: break;  // nobody keeps it here
    }
    return false;
  }

  void remove(const std::string& name) {
    if (is_static(name)) return;
    switch (changes_.type) {
      case ResourceType::kCluster:
        if (current_.clusters.contains(name)) built_.update.removed_clusters.push_back(name);
        break;
      case ResourceType::kEndpoints:
        if (current_.endpoints.contains(name)) built_.update.removed_endpoints.push_back(name);
        break;
      case ResourceType::kListener:
        if (current_.listeners.contains(name)) built_.update.removed_listeners.push_back(name);
        break;
      case ResourceType::kRoute:
        if (current_.routes.contains(name)) built_.update.removed_routes.push_back(name);
        break;
      case ResourceType::kRuntime:
        if (current_.runtime_layers.contains(name)) built_.update.removed_runtime_layers.push_back(name);
        break;
      case ResourceType::kExtension:
        if (current_.extensions.contains(name)) built_.update.removed_extensions.push_back(name);
        break;
      case ResourceType::kScope:
        if (current_.scopes.contains(name)) built_.update.removed_scopes.push_back(name);
        break;
      case ResourceType::kNameTable: break;  // the last one serves
    }
  }

  void reject(const std::string& name, Diagnostics problems) {
    for (Diagnostic& problem : problems) problem.object = std::string(short_name(type_url(changes_.type))) + " " + name;
    std::string detail = detail_of(name, problems);
    built_.rejected.push_back({name, std::move(problems), std::move(detail)});
  }

  const Values& current_;
  const Changes& changes_;
  BuildContext context_;
  std::set<std::string> seen_;
  Built built_;
};

}  // namespace

std::string Built::nack_detail() const {
  std::string out;
  for (const Rejected& one : rejected) out += (out.empty() ? "" : "\n") + one.detail;
  return out;
}

Built build(const Values& current, const Changes& changes, const BuildContext& context) {
  return SnapshotBuilder(current, changes, context).build();
}

void apply(const Built& built, Values& values) {
  const Update& update = built.update;
  for (const auto& listener : update.listeners) {
    auto at = values.static_listeners.find(listener->name);
    if (at != values.static_listeners.end())
      at->second = listener;
    else
      values.listeners.insert_or_assign(listener->name, listener);
  }
  for (const auto& [name, extension] : update.extensions) values.extensions.insert_or_assign(name, extension);
  for (const std::string& name : update.removed_extensions) values.extensions.erase(name);
  for (const auto& cluster : update.clusters) values.clusters.insert_or_assign(cluster->name, cluster);
  for (const auto& [name, set] : update.endpoints) values.endpoints.insert_or_assign(name, set);
  for (const auto& [name, table] : update.routes) values.routes.insert_or_assign(name, table);
  for (const auto& scope : update.scopes) values.scopes.insert_or_assign(scope->name, scope);
  for (const std::string& name : update.removed_scopes) values.scopes.erase(name);
  for (const auto& [name, layer] : update.runtime_layers) values.runtime_layers.insert_or_assign(name, layer);
  for (const std::string& name : update.removed_runtime_layers) values.runtime_layers.erase(name);
  for (const auto& [name, hash] : built.hashes)
    (update.routes.empty() ? values.endpoint_hashes : values.route_hashes).insert_or_assign(name, hash);
  for (const std::string& name : update.removed_listeners) values.listeners.erase(name);
  for (const std::string& name : update.removed_clusters) values.clusters.erase(name);
  for (const std::string& name : update.removed_endpoints) values.endpoints.erase(name), values.endpoint_hashes.erase(name);
  for (const std::string& name : update.removed_routes) values.routes.erase(name), values.route_hashes.erase(name);
}

std::vector<std::string_view> rds_names(const Listener& listener) {
  std::vector<std::string_view> names;
  for_each_manager(listener, [&names](const HttpConnectionManager& manager) {
    if (!manager.rds_name.empty() && std::find(names.begin(), names.end(), manager.rds_name) == names.end())
      names.push_back(manager.rds_name);
  });
  return names;
}

std::string_view eds_name(const upstream::ClusterConfig& cluster) {
  return cluster.discovery == upstream::ClusterConfig::Discovery::kEds ? std::string_view(cluster.eds_name()) : std::string_view();
}

}  // namespace weft::config
