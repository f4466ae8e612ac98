#include "controlplane/model/delegates.h"

#include <algorithm>

namespace weft::model {
namespace {

using Kind = StringMatch::Kind;

// Whether `leaf` wants something that `root` has not given away. Regular expressions cannot be compared, so they never fit.
bool contradicts(const StringMatch& root, const StringMatch& leaf) {
  if (root.kind == Kind::kPresent) return false;
  if (root.kind == Kind::kRegex || leaf.kind == Kind::kRegex || leaf.kind == Kind::kPresent) return true;
  if (root.kind == Kind::kExact) return leaf.kind != Kind::kExact || leaf.value != root.value;
  return !leaf.value.starts_with(root.value);
}

bool contradicts(const std::optional<StringMatch>& root, const std::optional<StringMatch>& leaf) {
  return root && leaf && contradicts(*root, *leaf);
}

using Matches = std::map<std::string, StringMatch>;

bool contradicts(const Matches& root, const Matches& leaf) {
  return std::any_of(leaf.begin(), leaf.end(), [&](const auto& wanted) {
    auto given = root.find(wanted.first);
    return given != root.end() && contradicts(given->second, wanted.second);
  });
}

bool contradicts(const HttpMatch& root, const HttpMatch& leaf) {
  if (contradicts(root.uri, leaf.uri) || contradicts(root.method, leaf.method) || contradicts(root.scheme, leaf.scheme) ||
      contradicts(root.authority, leaf.authority) || contradicts(root.headers, leaf.headers) ||
      contradicts(root.without_headers, leaf.without_headers) || contradicts(root.query_params, leaf.query_params)) {
    return true;
  }
  if (root.ignore_uri_case != leaf.ignore_uri_case) return true;
  if (root.port && leaf.port && root.port != leaf.port) return true;
  if (root.source_namespace && leaf.source_namespace && root.source_namespace != leaf.source_namespace) return true;
  for (const auto& [label, value] : leaf.source_labels) {
    auto given = root.source_labels.find(label);
    if (given != root.source_labels.end() && given->second != value) return true;
  }
  return !root.gateways.empty() && std::any_of(leaf.gateways.begin(), leaf.gateways.end(), [&](const std::string& gateway) {
    return std::find(root.gateways.begin(), root.gateways.end(), gateway) == root.gateways.end();
  });
}

std::string joined(const std::string& root, const std::string& leaf) {
  if (root.empty() || leaf.empty()) return root + leaf;
  return root + "-" + leaf;
}

template <class T>
void inherit(T& own, const T& root) {
  if (!own) own = root;
}

HttpMatch both(const HttpMatch& root, const HttpMatch& leaf) {
  HttpMatch out = leaf;
  out.name = joined(root.name, leaf.name);
  inherit(out.uri, root.uri);
  inherit(out.method, root.method);
  inherit(out.scheme, root.scheme);
  inherit(out.authority, root.authority);
  out.headers.insert(root.headers.begin(), root.headers.end());
  out.without_headers.insert(root.without_headers.begin(), root.without_headers.end());
  out.query_params.insert(root.query_params.begin(), root.query_params.end());
  inherit(out.port, root.port);
  inherit(out.source_namespace, root.source_namespace);
  out.source_labels.insert(root.source_labels.begin(), root.source_labels.end());
  if (out.gateways.empty()) out.gateways = root.gateways;
  if (out.stat_prefix.empty()) out.stat_prefix = root.stat_prefix;
  return out;
}

// Every match of the leaf must fit into one of the root's; nothing when one does not.
std::optional<std::vector<HttpMatch>> both(const std::vector<HttpMatch>& root, const std::vector<HttpMatch>& leaf) {
  if (root.empty()) return leaf;
  std::vector<HttpMatch> out;
  if (leaf.empty()) {
    out = root;
    for (HttpMatch& match : out) match.index = HttpMatch::kInherited;
    return out;
  }
  for (const HttpMatch& wanted : leaf) {
    const size_t before = out.size();
    for (const HttpMatch& given : root)
      if (!contradicts(given, wanted)) out.push_back(both(given, wanted));
    if (out.size() == before) return std::nullopt;
  }
  return out;
}

}  // namespace

std::vector<HttpRoute> merge_delegate(const HttpRoute& root, const VirtualService& leaf, std::vector<size_t>* dropped) {
  std::vector<HttpRoute> merged;
  for (const HttpRoute& route : leaf.http) {
    auto matches = both(root.matches, route.matches);
    if (!matches) {
      if (dropped != nullptr) dropped->push_back(route.index);
      continue;
    }
    HttpRoute& out = merged.emplace_back(route);
    out.matches = std::move(*matches);
    out.name = joined(root.name, route.name);
    inherit(out.rewrite, root.rewrite);
    inherit(out.fault, root.fault);
    inherit(out.timeout, root.timeout);
    inherit(out.retries, root.retries);
    if (out.mirrors.empty()) out.mirrors = root.mirrors;
    inherit(out.cors, root.cors);
    if (out.headers.empty()) out.headers = root.headers;
    out.index = root.index;
    out.origin =
        RouteOrigin{root.delegate ? root.delegate->ns : std::string(), root.delegate ? root.delegate->name : std::string(), route.index};
  }
  return merged;
}

}  // namespace weft::model
