#include "demo/expectation.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>

namespace weft::demo {
namespace {

namespace json = boost::json;

const json::value* at(const json::value* value, std::string_view key) {
  return value != nullptr && value->is_object() ? value->get_object().if_contains(key) : nullptr;
}

const json::value* at(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::value* value = nullptr;
  for (std::string_view key : path) {
    value = value == nullptr ? object.if_contains(key) : at(value, key);
    if (value == nullptr) return nullptr;
  }
  return value;
}

std::string text(const json::value* value, std::string fallback = {}) {
  if (value == nullptr) return fallback;
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_bool()) return value->get_bool() ? "true" : "false";
  if (value->is_int64()) return std::to_string(value->get_int64());
  return fallback;
}

double number(const json::value* value, double fallback = 0) {
  if (value == nullptr) return fallback;
  boost::system::error_code error;
  const double result = value->to_number<double>(error);
  return error ? fallback : result;
}

std::string name_space(const json::object& object) { return text(at(object, {"metadata", "namespace"}), "default"); }
std::string name_of(const json::object& object) { return text(at(object, {"metadata", "name"})); }
std::string key_of(const json::object& object) {
  return text(object.if_contains("kind")) + "/" + name_space(object) + "/" + name_of(object);
}

// "user-service", "user-service.default" and "user-service.default.svc.cluster.local" are one host.
std::string full_host(const std::string& host, const std::string& ns) {
  if (host.find('.') == std::string::npos) return host + "." + ns + ".svc.cluster.local";
  return host;
}

const json::array* list(const json::value* value) { return value != nullptr && value->is_array() ? &value->get_array() : nullptr; }

// Whether all of `wanted` stand in `labels`.
bool selects(const json::value* wanted, const json::value* labels) {
  if (wanted == nullptr || !wanted->is_object()) return true;
  for (const auto& [key, value] : wanted->get_object())
    if (at(labels, key) == nullptr || text(at(labels, key)) != text(&value)) return false;
  return true;
}

// exact and prefix; a regex or anything else: unknown.
std::optional<bool> matches(const json::value& matcher, const std::string* value) {
  if (!matcher.is_object() || matcher.get_object().size() != 1) return std::nullopt;
  const auto& [kind, wanted] = *matcher.get_object().begin();
  if (value == nullptr) return false;
  if (kind == "exact") return *value == text(&wanted);
  if (kind == "prefix") return value->starts_with(text(&wanted));
  return std::nullopt;
}

std::optional<bool> matches_request(const json::value& match, const Lane& lane) {
  bool all = true;
  for (const auto& [key, value] : match.as_object()) {
    std::optional<bool> one;
    if (key == "uri")
      one = matches(value, &lane.path);
    else if (key == "name")
      one = true;
    else if (key == "method") {
      const std::string get = "GET";
      one = matches(value, &get);
    } else if (key == "headers" && value.is_object()) {
      one = true;
      for (const auto& [name, matcher] : value.get_object()) {
        const auto found =
            std::find_if(lane.headers.begin(), lane.headers.end(), [&](const auto& h) { return h.first == std::string_view(name); });
        const std::optional<bool> fits = matches(matcher, found == lane.headers.end() ? nullptr : &found->second);
        if (!fits) return std::nullopt;
        one = *one && *fits;
      }
    }
    if (!one) return std::nullopt;
    all = all && *one;
  }
  return all;
}

// The versions of the pods behind a service (and subset), each with its part of `percent`.
bool spread(const World& world, const std::string& host, const std::string& subset, double percent, Shares& shares) {
  const json::object* service = nullptr;
  for (const json::object* candidate : world.of_kind("Service"))
    if (full_host(name_of(*candidate), name_space(*candidate)) == host) service = candidate;
  if (service == nullptr) return false;
  const json::value* labels = nullptr;
  if (!subset.empty()) {
    for (const json::object* rule : world.of_kind("DestinationRule")) {
      if (full_host(text(at(*rule, {"spec", "host"})), name_space(*rule)) != host) continue;
      if (const json::array* subsets = list(at(*rule, {"spec", "subsets"})))
        for (const json::value& entry : *subsets)
          if (text(at(&entry, "name")) == subset && labels == nullptr) labels = at(&entry, "labels");
    }
    if (labels == nullptr) {
      shares["503 by proxy"] += percent;
      return true;
    }
  }
  std::map<std::string, int> versions;
  int pods = 0;
  for (const json::object* pod : world.of_kind("Pod")) {
    const json::value* own = at(*pod, {"metadata", "labels"});
    if (name_space(*pod) != name_space(*service) || !selects(at(*service, {"spec", "selector"}), own) || !selects(labels, own)) continue;
    ++versions[text(at(own, "version"))];
    ++pods;
  }
  if (pods == 0) shares["503 by proxy"] += percent;
  for (const auto& [version, count] : versions) shares[version] += percent * count / pods;
  return true;
}

bool applies(const json::object& rule, const Lane& lane) {
  const json::array* hosts = list(at(rule, {"spec", "hosts"}));
  if (hosts == nullptr) return false;
  const std::string wanted = full_host(lane.host, "default");
  if (std::none_of(hosts->begin(), hosts->end(),
                   [&](const json::value& host) { return full_host(text(&host), name_space(rule)) == wanted || text(&host) == "*"; }))
    return false;
  const json::array* gateways = list(at(rule, {"spec", "gateways"}));
  if (gateways == nullptr) return !lane.gateway;
  return std::any_of(gateways->begin(), gateways->end(),
                     [&](const json::value& gateway) { return (text(&gateway) == "mesh") != lane.gateway; });
}

double seconds(const std::string& duration) {
  char* unit = nullptr;
  const double value = std::strtod(duration.c_str(), &unit);
  return std::string_view(unit) == "ms" ? value / 1000 : std::string_view(unit) == "m" ? value * 60 : value;
}

std::string trimmed(double value) { return std::to_string(static_cast<int>(std::lround(value))); }

// Delay and abort are drawn one after the other, as Envoy does: an aborted request may have been delayed too.
Shares with_faults(Shares shares, const json::value* fault) {
  const double abort = number(at(at(at(fault, "abort"), "percentage"), "value"));
  const double delay = number(at(at(at(fault, "delay"), "percentage"), "value"));
  const double length = seconds(text(at(at(fault, "delay"), "fixedDelay")));
  double rest = 1 - abort / 100;
  if (length >= 2.9) rest *= 1 - delay / 100;
  for (auto& [version, percent] : shares) percent *= rest;
  if (abort > 0) shares[text(at(at(fault, "abort"), "httpStatus")) + " injected"] = abort;
  if (delay > 0 && length >= 2.9) shares["delayed " + trimmed(length) + " s"] = (100 - abort) * delay / 100;
  return shares;
}

}  // namespace

Status World::add(const std::string& yaml_text, const std::string& file) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  if (!yaml::parse(yaml_text, file, documents, problem)) return invalid(problem.message);
  for (const yaml::Document& document : documents) {
    boost::system::error_code error;
    json::value value = json::parse(yaml::to_json(document.root), error);
    if (!error && value.is_object()) add(value.get_object());
  }
  return {};
}

void World::add(const json::object& object) {
  for (json::object& own : objects_) {
    if (key_of(own) == key_of(object)) {
      own = object;
      return;
    }
  }
  objects_.push_back(object);
}

void World::keep_only(const std::string& kind, const std::vector<std::string>& keep) {
  std::erase_if(objects_, [&](const json::object& object) {
    return text(object.if_contains("kind")) == kind &&
           std::find(keep.begin(), keep.end(), name_space(object) + "/" + name_of(object)) == keep.end();
  });
}

std::vector<const json::object*> World::of_kind(const std::string& kind) const {
  std::vector<const json::object*> found;
  for (const json::object& object : objects_)
    if (text(object.if_contains("kind")) == kind) found.push_back(&object);
  return found;
}

std::optional<Shares> asked(const World& world, const Lane& lane) {
  if (lane.gateway && world.of_kind("Gateway").empty()) return std::nullopt;
  Shares shares;
  for (const json::object* rule : world.of_kind("VirtualService")) {
    if (!applies(*rule, lane)) continue;
    const json::array* routes = list(at(*rule, {"spec", "http"}));
    if (routes == nullptr) return std::nullopt;
    for (const json::value& route : *routes) {
      bool chosen = true;
      if (const json::array* conditions = list(at(&route, "match"))) {
        chosen = false;
        for (const json::value& condition : *conditions) {
          if (!condition.is_object()) return std::nullopt;
          const std::optional<bool> fits = matches_request(condition, lane);
          if (!fits) return std::nullopt;
          chosen = chosen || *fits;
        }
      }
      if (!chosen) continue;
      const json::array* destinations = list(at(&route, "route"));
      if (destinations == nullptr || destinations->empty()) return std::nullopt;
      double total = 0;
      for (const json::value& entry : *destinations) total += number(at(&entry, "weight"), destinations->size() == 1 ? 100 : 0);
      if (total <= 0) return std::nullopt;
      for (const json::value& entry : *destinations) {
        const json::value* destination = at(&entry, "destination");
        const double weight = number(at(&entry, "weight"), destinations->size() == 1 ? 100 : 0);
        if (weight > 0 && !spread(world, full_host(text(at(destination, "host")), name_space(*rule)), text(at(destination, "subset")),
                                  100 * weight / total, shares))
          return std::nullopt;
      }
      return with_faults(std::move(shares), at(&route, "fault"));
    }
    return Shares{{"404 no route", 100}};
  }
  if (lane.gateway) return Shares{{"404 no route", 100}};
  if (!spread(world, full_host(lane.host, "default"), "", 100, shares)) return std::nullopt;
  return shares;
}

}  // namespace weft::demo
