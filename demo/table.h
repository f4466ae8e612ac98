// The live table as text: columns as wide as their widest cell, the first rows of a route carry its name.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace weft::demo {

struct Row {
  std::string route;  // empty: the same as above
  std::string version;
  std::optional<double> asked;  // percent
  double measured = 0;          // percent
  double per_second = 0, p50 = 0, p99 = 0;
  double failed = 0;               // percent of this row
  std::string retries, ejections;  // of the route; empty on its later rows
  bool changed = false;            // touched by the last change: marked
};

struct Style {
  bool colour = false;
  bool utf8 = true;
};

std::string render(const std::vector<Row>& rows, const Style& style);
// 0.4 ms, 12 ms, 3.0 s
std::string duration_text(double milliseconds);

}  // namespace weft::demo
