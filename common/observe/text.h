// Metrics as Envoy's admin pages print them: text lines, JSON, HTML, and Prometheus' exposition 0.0.4 with Envoy's names
// ("envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"x\"}"). Never on a request's path.
#pragma once
#include "common/base/error.h"
#include "common/observe/metrics.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::observe {

enum class StatsFormat : unsigned char { kText, kJson, kHtml, kPrometheus };
enum class StatsType : unsigned char { kAll, kCounters, kGauges, kHistograms, kTextReadouts };
enum class HistogramBuckets : unsigned char { kUnset, kCumulative, kDisjoint, kDetailed, kSummary };

struct StatsQuery {
  bool used_only = false;
  bool pretty = false;  // accepted; Envoy's JSON is the same
  bool invert_filter = false;
  bool text_readouts = false;  // Prometheus: text readouts as gauges of 0
  std::string filter;          // RE2, matched anywhere in the name; empty is all
  StatsFormat format = StatsFormat::kText;
  StatsType type = StatsType::kAll;
  HistogramBuckets buckets = HistogramBuckets::kUnset;

  // Reads one parameter; those that are unknown are ignored as in Envoy. The error is the body of a 400.
  Status take(std::string_view name, std::string_view value);
};

// "text/plain; charset=UTF-8" and the like.
std::string_view content_type(StatsFormat format);

// The whole page. The error (a bad filter) is the body of a 400.
Result<std::string> print_stats(const Registry& registry, const StatsQuery& query);

// A label's value with '\', '"' and newline escaped.
void append_label_value(std::string& out, std::string_view value);
// A metric or label name with everything but [A-Za-z0-9_:] made '_'.
std::string prometheus_name(std::string_view name);
// The bounds of histogram buckets, Envoy's defaults.
const std::vector<double>& default_bounds();

}  // namespace weft::observe
