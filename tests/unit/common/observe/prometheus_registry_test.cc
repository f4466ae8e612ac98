#include "common/observe/prometheus_registry.h"

#include <gtest/gtest.h>

namespace weft::observe {
namespace {

TEST(PrometheusRegistry, ShowsCountersGaugesAndHistograms) {
  PrometheusRegistry registry;
  registry.declare_counter("pushes", "How many.\nReally.");
  registry.declare_gauge("clients", "Now.");
  registry.declare_histogram("seconds", "Time.", {0.1, 1});
  registry.add("pushes", {{"type", "cds"}});
  registry.add("pushes", {{"type", "cds"}}, 2);
  registry.add("pushes", {{"type", "a\"\\\n"}});
  registry.set("clients", {}, 4);
  registry.observe("seconds", {}, 0.1);
  registry.observe("seconds", {}, 0.5);
  registry.observe("seconds", {}, 7);
  EXPECT_EQ(registry.text(),
            "# HELP clients Now.\n# TYPE clients gauge\nclients 4\n"
            "# HELP pushes How many.\\nReally.\n# TYPE pushes counter\n"
            "pushes{type=\"a\\\"\\\\\\n\"} 1\npushes{type=\"cds\"} 3\n"
            "# HELP seconds Time.\n# TYPE seconds histogram\n"
            "seconds_bucket{le=\"0.1\"} 1\nseconds_bucket{le=\"1\"} 2\nseconds_bucket{le=\"+Inf\"} 3\nseconds_sum 7.6\nseconds_count 3\n");
  EXPECT_EQ(registry.value("seconds"), 3);
}

TEST(PrometheusRegistry, AsksCollectorsAndForgetsSeries) {
  PrometheusRegistry registry;
  registry.declare_gauge("up", "");
  registry.on_scrape([](PrometheusRegistry& r) { r.set("up", {{"node", "a"}}, 1); });
  EXPECT_EQ(registry.text(), "# TYPE up gauge\nup{node=\"a\"} 1\n");
  registry.drop("up", {{"node", "a"}});
  EXPECT_EQ(registry.value("up", {{"node", "a"}}), 0);
}

}  // namespace
}  // namespace weft::observe
