#include "common/observe/prometheus_registry.h"

#include <charconv>
#include <cmath>

namespace weft::observe {
namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string render_labels(LabelPairs labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out;
}

void append_number(std::string& out, double value) {
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (std::isnan(value)) {
    out += "NaN";
  } else {
    char text[32];
    auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out.append(text, end);
  }
}

void append_line(std::string& out, std::string_view name, std::string_view suffix, std::string_view labels, std::string_view le,
                 double value) {
  out += name;
  out += suffix;
  if (!labels.empty() || !le.empty()) {
    out += '{';
    out += labels;
    if (!le.empty()) {
      if (!labels.empty()) out += ',';
      out += "le=\"";
      out += le;
      out += '"';
    }
    out += '}';
  }
  out += ' ';
  append_number(out, value);
  out += '\n';
}

}  // namespace

PrometheusRegistry::Family& PrometheusRegistry::family(std::string_view name) {
  auto found = families_.find(name);
  if (found == families_.end()) found = families_.emplace(std::string(name), Family{}).first;
  return found->second;
}

PrometheusRegistry::Family& PrometheusRegistry::declare(std::string_view name, std::string_view help, Kind kind) {
  Family& f = family(name);
  f.kind = kind;
  f.help = help;
  return f;
}

void PrometheusRegistry::declare_counter(std::string_view name, std::string_view help) {
  std::lock_guard lock(mutex_);
  declare(name, help, Kind::kCounter);
}

void PrometheusRegistry::declare_gauge(std::string_view name, std::string_view help) {
  std::lock_guard lock(mutex_);
  declare(name, help, Kind::kGauge);
}

void PrometheusRegistry::declare_histogram(std::string_view name, std::string_view help, std::vector<double> bounds) {
  std::lock_guard lock(mutex_);
  Family& f = declare(name, help, Kind::kHistogram);
  if (f.series.empty()) f.bounds = std::move(bounds);
}

void PrometheusRegistry::add(std::string_view name, LabelPairs labels, double amount) {
  std::lock_guard lock(mutex_);
  family(name).series[render_labels(labels)].value += amount;
}

void PrometheusRegistry::set(std::string_view name, LabelPairs labels, double value) {
  std::lock_guard lock(mutex_);
  family(name).series[render_labels(labels)].value = value;
}

void PrometheusRegistry::observe(std::string_view name, LabelPairs labels, double value) {
  std::lock_guard lock(mutex_);
  Family& f = family(name);
  Series& series = f.series[render_labels(labels)];
  series.buckets.resize(f.bounds.size() + 1);
  size_t bucket = 0;
  while (bucket < f.bounds.size() && value > f.bounds[bucket]) ++bucket;
  ++series.buckets[bucket];
  ++series.count;
  series.value += value;
}

void PrometheusRegistry::drop(std::string_view name, LabelPairs labels) {
  std::lock_guard lock(mutex_);
  family(name).series.erase(render_labels(labels));
}

void PrometheusRegistry::on_scrape(std::function<void(PrometheusRegistry&)> collect) {
  std::lock_guard lock(mutex_);
  collectors_.push_back(std::move(collect));
}

double PrometheusRegistry::value(std::string_view name, LabelPairs labels) const {
  std::lock_guard lock(mutex_);
  auto found = families_.find(name);
  if (found == families_.end()) return 0;
  auto series = found->second.series.find(render_labels(labels));
  if (series == found->second.series.end()) return 0;
  return found->second.kind == Kind::kHistogram ? static_cast<double>(series->second.count) : series->second.value;
}

std::string PrometheusRegistry::text() {
  std::vector<std::function<void(PrometheusRegistry&)>> collectors;
  {
    std::lock_guard lock(mutex_);
    collectors = collectors_;
  }
  for (const auto& collect : collectors) collect(*this);

  static constexpr std::string_view kKinds[] = {"untyped", "counter", "gauge", "histogram"};
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, f] : families_) {
    if (f.series.empty()) continue;
    if (!f.help.empty()) {
      out += "# HELP " + name + " ";
      append_escaped(out, f.help, false);
      out += '\n';
    }
    out += "# TYPE " + name + " ";
    out += kKinds[static_cast<size_t>(f.kind)];
    out += '\n';
    for (const auto& [labels, series] : f.series) {
      if (f.kind != Kind::kHistogram) {
        append_line(out, name, "", labels, "", series.value);
        continue;
      }
      uint64_t below = 0;
      for (size_t i = 0; i < series.buckets.size(); ++i) {
        below += series.buckets[i];
        std::string le = "+Inf";
        if (i < f.bounds.size()) {
          le.clear();
          append_number(le, f.bounds[i]);
        }
        append_line(out, name, "_bucket", labels, le, static_cast<double>(below));
      }
      append_line(out, name, "_sum", labels, "", series.value);
      append_line(out, name, "_count", labels, "", static_cast<double>(series.count));
    }
  }
  return out;
}

}  // namespace weft::observe
