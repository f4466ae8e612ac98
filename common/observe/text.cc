#include "common/observe/text.h"

#include "common/observe/number_text.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>

namespace weft::observe {
namespace {

constexpr double kQuantiles[] = {0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100};
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// One metric to print.
struct Line {
  std::string name;  // "cluster.x.upstream_rq_200"
  const Scope* scope;
  unsigned metric;
  Kind kind;  // never kCodes
  int64_t value = 0;
  int status = 0;  // of a code counter
  bool used = false;
};

bool wanted(Kind kind, StatsType type) {
  switch (type) {
    case StatsType::kAll: return true;
    case StatsType::kCounters: return kind == Kind::kCounter || kind == Kind::kCodes;
    case StatsType::kGauges: return kind == Kind::kGauge;
    case StatsType::kHistograms: return kind == Kind::kHistogram;
    case StatsType::kTextReadouts: return kind == Kind::kText;
  }
  return false;
}

class Selection {
 public:
  Selection(const StatsQuery& query, const RE2* filter) : query_(query), filter_(filter) {}
  // Scopes outlive the lines.
  void add(const Scope& scope) {
    for (unsigned i = 0; i < scope.shape().size; ++i) {
      const Metric& metric = scope.shape().metrics[i];
      if (!wanted(metric.kind, query_.type)) continue;
      if (metric.kind == Kind::kCodes) {
        size_t place = metric.name.find('<');
        for (auto [status, count] : scope.codes(i))
          take({scope.prefix() + std::string(metric.name.substr(0, place)) + (status == 0 ? "unknown" : std::to_string(status)), &scope, i,
                Kind::kCounter, count, status, true});
        continue;
      }
      bool used = (query_.used_only || metric.lazy) && scope.used(i);
      if ((query_.used_only || metric.lazy) && !used) continue;
      bool number = metric.kind == Kind::kCounter || metric.kind == Kind::kGauge;
      take({scope.prefix() + std::string(metric.name), &scope, i, metric.kind, number ? scope.sum(i) : 0, 0, used});
    }
  }
  std::vector<Line>& sorted() {
    std::stable_sort(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) { return a.name < b.name; });
    return lines_;
  }

 private:
  void take(Line line) {
    if (filter_ != nullptr && RE2::PartialMatch(line.name, *filter_) == query_.invert_filter) return;
    lines_.push_back(std::move(line));
  }
  const StatsQuery& query_;
  const RE2* filter_;
  std::vector<Line> lines_;
};

// --- text ---

// Gauges are counts, but for the hash of a version.
std::string number(const Line& line) {
  const bool hash = line.kind == Kind::kGauge && line.scope->shape().metrics[line.metric].name == "version";
  return hash ? std::to_string(static_cast<uint64_t>(line.value)) : std::to_string(line.value);
}

void append_summary(std::string& out, const HistogramSummary& summary, const HistogramSummary& interval) {
  if (summary.count == 0) return void(out += "No recorded values");
  bool first = true;
  for (double quantile : kQuantiles) {
    if (!first) out += ' ';
    first = false;
    out += 'P';
    append_number(out, quantile);
    out += '(';
    append_number(out, interval.quantile(quantile / 100));
    out += ',';
    append_number(out, summary.quantile(quantile / 100));
    out += ')';
  }
}

// The count up to each bound, or between it and the one before.
uint64_t bucket(const HistogramSummary& summary, size_t bound, bool cumulative) {
  uint64_t upto = summary.below(default_bounds()[bound]);
  return cumulative || bound == 0 ? upto : upto - summary.below(default_bounds()[bound - 1]);
}

void append_bins(std::string& out, const HistogramSummary& summary) {
  bool first = true;
  for (unsigned bin = 0; bin < summary.bins.size(); ++bin) {
    if (summary.bins[bin] == 0) continue;
    if (!first) out += ", ";
    first = false;
    append_brief(out, Histogram::lower_of(bin));
    out += ',';
    append_brief(out, Histogram::width_of(bin));
    out += ':' + std::to_string(summary.bins[bin]);
  }
}

void append_histogram(std::string& out, const Line& line, HistogramBuckets mode) {
  const HistogramSummary summary = line.scope->histogram(line.metric);
  const HistogramSummary interval = line.scope->interval(line.metric);
  out += line.name;
  if (mode == HistogramBuckets::kDetailed) {
    out += ":\n  totals=";
    append_bins(out, summary);
    out += "\n  intervals=";
    append_bins(out, interval);
    out += "\n  summary=";
    append_summary(out, summary, interval);
  } else if (summary.count > 0 && (mode == HistogramBuckets::kCumulative || mode == HistogramBuckets::kDisjoint)) {
    out += ':';
    const bool cumulative = mode == HistogramBuckets::kCumulative;
    for (size_t i = 0; i < default_bounds().size(); ++i) {
      out += " B";
      append_brief(out, default_bounds()[i]);
      out += '(' + std::to_string(bucket(interval, i, cumulative)) + ',' + std::to_string(bucket(summary, i, cumulative)) + ')';
    }
  } else {
    out += ": ";
    append_summary(out, summary, interval);
  }
  out += '\n';
}

std::string print_text(const std::vector<Line>& lines, HistogramBuckets mode) {
  std::string out;
  for (const Line& line : lines)
    if (line.kind == Kind::kText) out += line.name + ": \"" + line.scope->text(line.metric) + "\"\n";
  for (const Line& line : lines)
    if (line.kind == Kind::kCounter || line.kind == Kind::kGauge) out += line.name + ": " + number(line) + '\n';
  for (const Line& line : lines)
    if (line.kind == Kind::kHistogram) append_histogram(out, line, mode);
  return out;
}

void append_html(std::string& out, std::string_view text) {
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
}

std::string print_html(const std::vector<Line>& lines, HistogramBuckets mode) {
  std::string out = "<!DOCTYPE html>\n<html lang='en'>\n<head>\n  <title>Envoy Admin</title>\n</head>\n<body>\n<pre>\n";
  append_html(out, print_text(lines, mode));
  return out + "</pre>\n</body>\n</html>\n";
}

// --- JSON ---

void append_json(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_json_quantiles(std::string& out, const HistogramSummary& summary, const HistogramSummary& interval) {
  out += '[';
  for (double quantile : kQuantiles) {
    if (quantile != 0) out += ',';
    out += "{\"cumulative\":";
    append_json_number(out, summary.quantile(quantile / 100));
    out += ",\"interval\":";
    append_json_number(out, interval.quantile(quantile / 100));
    out += '}';
  }
  out += ']';
}

void append_json_bins(std::string& out, const HistogramSummary& summary) {
  bool first = true;
  for (unsigned bin = 0; bin < summary.bins.size(); ++bin) {
    if (summary.bins[bin] == 0) continue;
    out += first ? "{\"lower_bound\":" : ",{\"lower_bound\":";
    first = false;
    append_json_number(out, Histogram::lower_of(bin));
    out += ",\"width\":";
    append_json_number(out, Histogram::width_of(bin));
    out += ",\"count\":" + std::to_string(summary.bins[bin]) + '}';
  }
}

void append_json_histogram(std::string& out, const Line& line, HistogramBuckets mode) {
  const HistogramSummary summary = line.scope->histogram(line.metric);
  const HistogramSummary interval = line.scope->interval(line.metric);
  out += "{\"name\":";
  append_json(out, line.name);
  if (mode == HistogramBuckets::kCumulative || mode == HistogramBuckets::kDisjoint) {
    out += ",\"buckets\":[";
    for (size_t i = 0; i < default_bounds().size(); ++i) {
      out += i == 0 ? "{\"upper_bound\":" : ",{\"upper_bound\":";
      append_json_number(out, default_bounds()[i]);
      out += ",\"interval\":" + std::to_string(bucket(interval, i, mode == HistogramBuckets::kCumulative)) +
             ",\"cumulative\":" + std::to_string(bucket(summary, i, mode == HistogramBuckets::kCumulative)) + '}';
    }
    out += ']';
  } else if (mode == HistogramBuckets::kDetailed) {
    out += ",\"totals\":[";
    append_json_bins(out, summary);
    out += "],\"intervals\":[";
    append_json_bins(out, interval);
    out += "],\"percentiles\":";
    append_json_quantiles(out, summary, interval);
  } else {
    out += ",\"values\":";
    append_json_quantiles(out, summary, interval);
  }
  out += '}';
}

std::string print_json(const std::vector<Line>& lines, HistogramBuckets mode) {
  std::string out = "{\"stats\":[";
  bool first = true;
  auto next = [&] {
    if (!first) out += ',';
    first = false;
  };
  auto one = [&](const Line& line) {
    next();
    out += "{\"name\":";
    append_json(out, line.name);
    out += ",\"value\":";
    if (line.kind == Kind::kText)
      append_json(out, line.scope->text(line.metric));
    else
      out += number(line);
    out += '}';
  };
  for (const Line& line : lines)
    if (line.kind == Kind::kText) one(line);
  for (const Line& line : lines)
    if (line.kind == Kind::kCounter || line.kind == Kind::kGauge) one(line);
  bool any = std::any_of(lines.begin(), lines.end(), [](const Line& line) { return line.kind == Kind::kHistogram; });
  if (any) {
    next();
    const char* close = "]}";
    if (mode == HistogramBuckets::kCumulative || mode == HistogramBuckets::kDisjoint) {
      out += "{\"histograms\":[";
    } else {
      out += mode == HistogramBuckets::kDetailed ? "{\"histograms\":{\"supported_percentiles\":["
                                                 : "{\"histograms\":{\"supported_quantiles\":[";
      for (double quantile : kQuantiles) {
        if (quantile != 0) out += ',';
        append_json_number(out, quantile);
      }
      out += mode == HistogramBuckets::kDetailed ? "],\"details\":[" : "],\"computed_quantiles\":[";
      close = "]}}";
    }
    bool first_histogram = true;
    for (const Line& line : lines) {
      if (line.kind != Kind::kHistogram) continue;
      if (!first_histogram) out += ',';
      first_histogram = false;
      append_json_histogram(out, line, mode);
    }
    out += close;
  }
  return out + "]}";
}

// --- Prometheus ---

struct Series {
  std::string labels;  // without braces
  const Line* line;
};

void append_label(std::string& labels, std::string_view name, std::string_view value) {
  if (!labels.empty()) labels += ',';
  labels += prometheus_name(name);
  labels += "=\"";
  append_label_value(labels, value);
  labels += '"';
}

// "upstream_rq_2xx" and "upstream_rq_<code>" become one name and a label, as Envoy's default tag extraction makes them.
std::pair<std::string, std::string> name_and_labels(const Line& line) {
  const Shape& shape = line.scope->shape();
  std::string_view metric = shape.metrics[line.metric].name;
  std::string labels, name = "envoy_" + std::string(shape.family) + "_";
  if (shape.metrics[line.metric].kind == Kind::kCodes) {
    name += metric.substr(0, metric.find("_<"));
    append_label(labels, "envoy_response_code", line.status == 0 ? "unknown" : std::to_string(line.status));
  } else if (metric.size() > 4 && metric.substr(metric.size() - 2) == "xx" && metric[metric.size() - 4] == '_' &&
             metric[metric.size() - 3] >= '1' && metric[metric.size() - 3] <= '5') {
    name += metric.substr(0, metric.size() - 3);
    name += "xx";
    append_label(labels, "envoy_response_code_class", metric.substr(metric.size() - 3, 1));
  } else {
    name += metric;
  }
  for (const auto& [tag, value] : line.scope->tags()) append_label(labels, tag, value);
  return {prometheus_name(name), std::move(labels)};
}

void append_series(std::string& out, const std::string& name, const Series& series, bool summary_form) {
  const Line& line = *series.line;
  if (line.kind != Kind::kHistogram) {
    out += name + '{' + series.labels + "} " + number(line) + '\n';
    return;
  }
  HistogramSummary summary = line.scope->histogram(line.metric);
  std::string comma = series.labels.empty() ? "" : ",";
  if (summary_form) {
    for (double quantile : kQuantiles) {
      out += name + '{' + series.labels + comma + "quantile=\"";
      append_number(out, quantile / 100);
      out += "\"} ";
      append_number(out, summary.quantile(quantile / 100));
      out += '\n';
    }
  } else {
    for (size_t i = 0; i < default_bounds().size(); ++i) {
      out += name + "_bucket{" + series.labels + comma + "le=\"";
      append_number(out, default_bounds()[i]);
      out += "\"} " + std::to_string(summary.below(default_bounds()[i])) + '\n';
    }
    out += name + "_bucket{" + series.labels + comma + "le=\"+Inf\"} " + std::to_string(summary.count) + '\n';
  }
  out += name + "_sum{" + series.labels + "} " + std::to_string(summary.sum) + '\n';
  out += name + "_count{" + series.labels + "} " + std::to_string(summary.count) + '\n';
}

std::string print_prometheus(const std::vector<Line>& lines, const StatsQuery& query) {
  std::string out;
  bool summary_form = query.buckets == HistogramBuckets::kSummary;
  for (Kind kind : {Kind::kCounter, Kind::kGauge, Kind::kText, Kind::kHistogram}) {
    if (kind == Kind::kText && !query.text_readouts) continue;
    std::map<std::string, std::vector<Series>> families;
    for (const Line& line : lines) {
      if (line.kind != kind) continue;
      auto [name, labels] = name_and_labels(line);
      if (kind == Kind::kText) append_label(labels, "text_value", line.scope->text(line.metric));
      families[std::move(name)].push_back({std::move(labels), &line});
    }
    for (const auto& [name, members] : families) {
      out += "# TYPE " + name +
             (kind == Kind::kCounter     ? " counter\n"
              : kind == Kind::kHistogram ? (summary_form ? " summary\n" : " histogram\n")
                                         : " gauge\n");
      for (const Series& series : members) append_series(out, name, series, summary_form);
    }
  }
  return out;
}

}  // namespace

Status StatsQuery::take(std::string_view name, std::string_view value) {
  if (name == "usedonly") used_only = true;
  if (name == "pretty") pretty = true;
  if (name == "text_readouts") text_readouts = true;
  if (name == "filter") filter = value;
  if (name == "invert_filter") invert_filter = true;
  if (name == "format") {
    if (value == "text")
      format = StatsFormat::kText;
    else if (value == "json")
      format = StatsFormat::kJson;
    else if (value == "html" || value == "active-html")
      format = StatsFormat::kHtml;
    else if (value == "prometheus")
      format = StatsFormat::kPrometheus;
    else
      return invalid("usage: /stats?format=(html|active-html|json|prometheus|text)\n\n");
  }
  if (name == "type") {
    if (value == "All" || value.empty())
      type = StatsType::kAll;
    else if (value == "Counters")
      type = StatsType::kCounters;
    else if (value == "Gauges")
      type = StatsType::kGauges;
    else if (value == "Histograms")
      type = StatsType::kHistograms;
    else if (value == "TextReadouts")
      type = StatsType::kTextReadouts;
    else
      return invalid("invalid &type= param");
  }
  if (name == "histogram_buckets") {
    if (value.empty() || value == "none")
      buckets = HistogramBuckets::kUnset;
    else if (value == "cumulative")
      buckets = HistogramBuckets::kCumulative;
    else if (value == "disjoint")
      buckets = HistogramBuckets::kDisjoint;
    else if (value == "detailed")
      buckets = HistogramBuckets::kDetailed;
    else if (value == "summary")
      buckets = HistogramBuckets::kSummary;
    else
      return invalid("usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n");
  }
  if (name == "hidden" && value != "include" && value != "only" && value != "exclude")
    return invalid("usage: /stats?hidden=(include|only|exclude)\n\n");
  return {};
}

std::string_view content_type(StatsFormat format) {
  switch (format) {
    case StatsFormat::kJson: return "application/json";
    case StatsFormat::kHtml: return "text/html; charset=UTF-8";
    case StatsFormat::kText:
    case StatsFormat::kPrometheus: break;
  }
  return "text/plain; charset=UTF-8";
}

Result<std::string> print_stats(const Registry& registry, const StatsQuery& query) {
  std::unique_ptr<RE2> filter;
  if (!query.filter.empty()) {
    RE2::Options options;
    options.set_log_errors(false);
    filter = std::make_unique<RE2>(query.filter, options);
    if (!filter->ok()) return invalid("Invalid re2 regex: " + filter->error());
  }
  std::vector<std::shared_ptr<Scope>> scopes = registry.scopes();
  Selection selection(query, filter.get());
  for (const auto& scope : scopes) selection.add(*scope);
  const std::vector<Line>& lines = selection.sorted();
  switch (query.format) {
    case StatsFormat::kJson: return print_json(lines, query.buckets);
    case StatsFormat::kHtml: return print_html(lines, query.buckets);
    case StatsFormat::kPrometheus: return print_prometheus(lines, query);
    case StatsFormat::kText: break;
  }
  return print_text(lines, query.buckets);
}

void append_label_value(std::string& out, std::string_view value) {
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

std::string prometheus_name(std::string_view name) {
  std::string result(name);
  for (char& c : result)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':')) c = '_';
  return result;
}

const std::vector<double>& default_bounds() {
  static const std::vector<double> kBounds = {0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
                                              2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
  return kBounds;
}

}  // namespace weft::observe
