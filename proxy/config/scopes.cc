#include "proxy/config/scopes.h"

#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/protocol_options.h"
#include "proxy/config/routes.h"

#include <algorithm>
#include <map>
#include <utility>

namespace weft::config {
namespace {

using filters::Where;
using ScopeProto = envoy::config::route::v3::ScopedRouteConfiguration;
using FragmentProto =
    envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor;

std::string scope_key(const ScopeProto& from) {
  std::string key;
  for (const auto& fragment : from.key().fragments()) routing::append_scope_fragment(key, fragment.string_key());
  return key;
}

// With the routes that it brings, if it does. Unlike those of SRDS, the connection manager's own are checked unless told otherwise.
std::shared_ptr<Scope> read_scope(const ScopeProto& from, bool validate, std::string_view stat_prefix, const BuildContext& context,
                                  const Where& where) {
  auto to = std::make_shared<Scope>();
  to->name = from.name();
  to->key = scope_key(from);
  to->rds_name = from.route_configuration_name();
  if (!from.has_route_configuration()) return to;
  const Where at(where, "route_configuration");
  const filters::FilterBuild build{context.runtime, context.registry, stat_prefix, context.local_cluster};
  to->routes = build_routes(from.route_configuration(), build, at);
  if (from.route_configuration().has_validate_clusters()) validate = from.route_configuration().validate_clusters().value();
  if (to->routes && validate) check_clusters(*to->routes, context, at);
  return to;
}

routing::ScopeFragment scope_fragment(const FragmentProto& from, const Where& where) {
  routing::ScopeFragment to;
  to.header = from.name();
  std::transform(to.header.begin(), to.header.end(), to.header.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  to.separator = from.element_separator();
  to.index = from.index();
  to.assign = from.element().separator();
  to.key = from.element().key();
  if (to.separator.empty() && to.index > 0)
    Where(where, "index").fail("must be 0 where there is no element_separator, found " + std::to_string(to.index));
  return to;
}

}  // namespace

std::shared_ptr<const Scope> build_scope(const ScopeProto& from, uint64_t hash, const std::string& path, const BuildContext& context,
                                         const Where& where) {
  const size_t before = where.problems().size();
  if (from.route_configuration_name().empty() != from.has_route_configuration())
    where.fail("needs exactly one of route_configuration_name, route_configuration");
  std::shared_ptr<Scope> to = read_scope(from, false, {}, context, where);
  to->path = path;
  to->hash = hash;
  return where.problems().size() == before ? to : nullptr;
}

void build_scoped_routes(const envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes& from,
                         const BuildContext& context, HttpConnectionManager& to, const Where& where) {
  auto scoped = std::make_shared<ScopedRoutes>();
  scoped->name = from.name();
  std::vector<routing::ScopeFragment> fragments;
  const Where builder(where, "scope_key_builder");
  for (int i = 0; i < from.scope_key_builder().fragments_size(); ++i) {
    const Where at(builder, "fragments", i);
    fragments.push_back(
        scope_fragment(from.scope_key_builder().fragments(i).header_value_extractor(), Where(at, "header_value_extractor")));
  }
  scoped->key = routing::ScopeKeyBuilder(std::move(fragments));
  if (from.has_rds_config_source()) {
    if (const auto source = config_source(from.rds_config_source(), Where(where, "rds_config_source"))) {
      to.rds_path = source->path;
      to.rds_directory = source->watched_directory;
      to.rds_fetch_timeout = source->initial_fetch_timeout;
    }
  }
  if (from.has_scoped_rds()) {
    if (!from.has_rds_config_source()) Where(where, "rds_config_source").fail("is required beside scoped_rds");
    const Where at(where, "scoped_rds");
    if (const auto source = config_source(from.scoped_rds().scoped_rds_config_source(), Where(at, "scoped_rds_config_source"))) {
      scoped->path = source->path;
      scoped->watched_directory = source->watched_directory;
      scoped->fetch_timeout = source->initial_fetch_timeout;
    }
  } else {
    const Where list(where, "scoped_route_configurations_list");
    std::vector<std::shared_ptr<const Scope>> scopes;
    auto table = std::make_shared<ScopeTable>();
    for (int i = 0; i < from.scoped_route_configurations_list().scoped_route_configurations_size(); ++i) {
      const ScopeProto& one = from.scoped_route_configurations_list().scoped_route_configurations(i);
      const Where at(list, "scoped_route_configurations", i);
      if (!one.route_configuration_name().empty())
        Where(at, "route_configuration_name").fail("is for scopes that come by SRDS: a scope in a list brings its route_configuration");
      else if (!one.has_route_configuration())
        Where(at, "route_configuration").fail("is required");
      std::shared_ptr<const Scope> scope = read_scope(one, true, to.stat_prefix, context, at);
      table->emplace(scope->key, scope);
      scopes.push_back(std::move(scope));
      scoped->sources.push_back(one.SerializeAsString());
      if (const ScopeConflict conflict = find_conflict(scopes); !conflict.reason.empty()) {
        at.fail(conflict.reason);
        break;
      }
    }
    scoped->scopes = std::move(table);
  }
  to.scoped = std::move(scoped);
}

ScopeConflict find_conflict(const std::vector<std::shared_ptr<const Scope>>& scopes) {
  std::map<std::pair<std::string, std::string>, std::string> by_key;
  std::map<std::string, const Scope*> by_name;
  for (const auto& scope : scopes) {
    if (!by_name.emplace(scope->name, scope.get()).second)
      return {scope->name, "duplicate scoped route configuration '" + scope->name + "' found"};
    const auto [first, added] = by_key.emplace(std::pair(scope->path, scope->key), scope->name);
    if (!added)
      return {scope->name, "scope key conflict found, first scope is '" + first->second + "', second scope is '" + scope->name + "'"};
  }
  return {};
}

std::vector<const ScopedRoutes*> scoped_routes(const Listener& listener) {
  std::vector<const ScopedRoutes*> all;
  for_each_manager(listener, [&all](const HttpConnectionManager& manager) {
    if (manager.scoped) all.push_back(manager.scoped.get());
  });
  return all;
}

}  // namespace weft::config
