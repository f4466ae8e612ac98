#include "demo/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace weft::demo {
namespace {

std::string formatted(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string percent(double value) { return formatted(value > 0 && value < 1 ? "%.1f%%" : "%.0f%%", value); }

}  // namespace

std::string duration_text(double milliseconds) {
  if (milliseconds <= 0) return "-";
  if (milliseconds < 9.95) return formatted("%.1f ms", milliseconds);
  if (milliseconds < 999.5) return formatted("%.0f ms", milliseconds);
  return formatted("%.1f s", milliseconds / 1000);
}

std::string render(const std::vector<Row>& rows, const Style& style) {
  using Cells = std::vector<std::string>;
  const Cells head{"ROUTE", "ANSWERED BY", "ASKED", "MEASURED", "REQ/S", "P50", "P99", "FAILED", "RETRIES", "EJECTIONS"};
  std::vector<Cells> lines{head};
  for (const Row& row : rows) {
    const bool seen = row.per_second > 0;
    lines.push_back({row.route, row.version, row.asked ? percent(*row.asked) : "-", percent(row.measured),
                     formatted("%.1f", row.per_second), seen ? duration_text(row.p50) : "-", seen ? duration_text(row.p99) : "-",
                     row.failed > 0 ? percent(row.failed) : "-", row.retries, row.ejections});
  }
  std::vector<size_t> widths(head.size());
  for (const Cells& cells : lines)
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  std::string text;
  for (size_t line = 0; line < lines.size(); ++line) {
    const Row* row = line > 0 ? &rows[line - 1] : nullptr;
    std::string out = row == nullptr ? "  " : row->changed ? (style.utf8 ? "▸ " : "> ") : "  ";
    for (size_t i = 0; i < lines[line].size(); ++i) {
      const std::string padding(widths[i] - lines[line][i].size(), ' ');
      const bool left = i < 2;
      out += left ? lines[line][i] + padding : padding + lines[line][i];
      if (i + 1 < lines[line].size()) out += "  ";
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    if (style.colour) {
      if (row == nullptr)
        out = "\033[2m" + out + "\033[0m";
      else if (row->failed >= 5)
        out = "\033[31m" + out + "\033[0m";
      else if (row->changed)
        out = "\033[1m" + out + "\033[0m";
    }
    text += out + "\n";
  }
  return text;
}

}  // namespace weft::demo
