// How long it takes to find a request's route: nanoseconds per look-up in tables of 10 to 10,000 routes of one virtual host, and of
// as many virtual hosts. "walk" tries one route after the other, as a table without an index must (and as Envoy does).
// Build it in a release folder: ninja -C build/release route_lookup && build/release/bin/route_lookup
#include "proxy/routing/route_table.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace weft;
using namespace weft::routing;
using Clock = std::chrono::steady_clock;

constexpr size_t kSizes[] = {10, 1000, 10000};
constexpr int kRounds = 7;

Route route(PathMatcher path) {
  Route to;
  to.path = std::move(path);
  auto forward = std::make_shared<Forward>();
  forward->cluster = "up";
  to.action = std::shared_ptr<const Forward>(std::move(forward));
  return to;
}

struct Kind {
  const char* name;
  std::function<PathMatcher(size_t)> path;
  std::function<std::string(size_t)> target;
};

std::string numbered(const char* front, size_t n, const char* back = "") { return front + std::to_string(n) + back; }

const Kind kKinds[] = {
    {"exact paths", [](size_t n) { return PathMatcher(PathMatcher::Kind::kExact, numbered("/api/v1/things/", n)); },
     [](size_t n) { return numbered("/api/v1/things/", n, "?q=1"); }},
    {"prefixes", [](size_t n) { return PathMatcher(PathMatcher::Kind::kPrefix, numbered("/service-", n, "/")); },
     [](size_t n) { return numbered("/service-", n, "/list?page=2"); }},
    {"regular expressions", [](size_t n) { return PathMatcher(*Regex::compile(numbered("/users-", n, "/[0-9]+/(a|b)"))); },
     [](size_t n) { return numbered("/users-", n, "/17/b"); }},
    {"a third of each, mixed",
     [](size_t n) {
       return n % 3 == 0   ? PathMatcher(PathMatcher::Kind::kExact, numbered("/mixed/", n))
              : n % 3 == 1 ? PathMatcher(PathMatcher::Kind::kPrefix, numbered("/mixed/", n, "/"))
                           : PathMatcher(*Regex::compile(numbered("/mixed/", n, "-[a-z]+")));
     },
     [](size_t n) {
       return numbered("/mixed/", n, n % 3 == 0 ? "" : n % 3 == 1 ? "/x" : "-x");
     }},
};

// The median over the rounds of the time that each call of `once(i)` takes, in nanoseconds.
double nanoseconds(size_t calls, const std::function<void(size_t)>& once) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    for (size_t i = 0; i < calls; ++i) once(i);
    rounds.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / static_cast<double>(calls));
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[rounds.size() / 2];
}

struct Requests {
  SlabPool slabs;
  std::vector<std::unique_ptr<http::Head>> heads;
  void add(const std::string& host, const std::string& target) {
    auto head = std::make_unique<http::Head>(slabs);
    head->set_method("GET");
    head->set_scheme("http");
    head->set_path(target);
    head->set_authority(host);
    heads.push_back(std::move(head));
  }
  const http::Head& at(size_t i) const { return *heads[i * 7919 % heads.size()]; }
};

size_t found = 0;

void measure_routes(const Kind& kind, size_t size) {
  RouteTableOptions options;
  VirtualHost host;
  host.name = "all";
  host.domains = {"*"};
  Requests requests;
  for (size_t n = 0; n < size; ++n) {
    host.routes.push_back(route(kind.path(n)));
    requests.add("main.test", kind.target(n));
  }
  options.virtual_hosts.push_back(std::move(host));
  const auto table = *RouteTable::build(std::move(options));
  const double indexed = nanoseconds(100'000, [&](size_t i) { found += table->match(requests.at(i), i) != nullptr; });
  const std::vector<Route>& routes = table->options().virtual_hosts.front().routes;
  const double walked = nanoseconds(std::max<size_t>(200, 2'000'000 / size), [&](size_t i) {
    const http::Head& request = requests.at(i);
    const std::string_view plain = path_of(request.path());
    found += std::any_of(routes.begin(), routes.end(), [&](const Route& one) { return one.matches(request, plain, i, {}); });
  });
  std::printf("%-24s %6zu %10.0f %12.0f %9.1f\n", kind.name, size, indexed, walked, walked / indexed);
}

void measure_hosts(const char* name, size_t size, bool wildcard) {
  RouteTableOptions options;
  Requests requests;
  for (size_t n = 0; n < size; ++n) {
    VirtualHost host;
    host.name = numbered("host-", n);
    host.domains = {numbered(wildcard ? "*.shop-" : "shop-", n, ".test")};
    host.routes.push_back(route(PathMatcher(PathMatcher::Kind::kPrefix, "/")));
    options.virtual_hosts.push_back(std::move(host));
    requests.add(numbered(wildcard ? "www.shop-" : "shop-", n, ".test"), "/list");
  }
  const auto table = *RouteTable::build(std::move(options));
  const double time = nanoseconds(100'000, [&](size_t i) { found += table->match(requests.at(i), i) != nullptr; });
  std::printf("%-24s %6zu %10.0f\n", name, size, time);
}

}  // namespace

int main() {
  std::printf("%-24s %6s %10s %12s %9s\n", "", "many", "ns", "ns by walk", "times");
  for (const Kind& kind : kKinds)
    for (const size_t size : kSizes) measure_routes(kind, size);
  for (const size_t size : kSizes) measure_hosts("hosts, exact", size, false);
  for (const size_t size : kSizes) measure_hosts("hosts, wildcard", size, true);
  return found == 0;
}
