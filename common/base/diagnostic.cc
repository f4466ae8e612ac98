#include "common/base/diagnostic.h"

#include <algorithm>
#include <cctype>

namespace weft {
namespace {

struct Style {
  std::string_view name;
  std::string_view colour;
};

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::kError: return {"error", "\x1b[1;31m"};
    case Severity::kWarning: return {"warning", "\x1b[1;33m"};
    case Severity::kInfo: return {"info", "\x1b[1;36m"};
  }
  return {"error", ""};
}

// Edit distance with swaps of neighbours counted once; bounded by the short names we compare.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  auto lower = [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); };
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

bool has_errors(const Diagnostics& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Diagnostic& f) { return f.severity == Severity::kError; });
}

std::string render(const Diagnostic& f, bool colour) {
  const Style style = style_of(f.severity);
  const std::string_view bold = colour ? "\x1b[1m" : "", off = colour ? "\x1b[0m" : "";
  std::string out;
  if (colour) out += style.colour;
  out += style.name;
  if (!f.code.empty()) out += "[" + f.code + "]";
  out += off;
  out += ": ";
  out += bold;
  out += f.message;
  out += off;
  if (!f.alias.empty()) out += " (# " + f.alias + ")";
  out += '\n';
  if (!f.file.empty() || f.mark.line > 0) {
    out += "  --> " + (f.file.empty() ? std::string("(input)") : f.file);
    if (f.mark.line > 0) out += ":" + std::to_string(f.mark.line) + ":" + std::to_string(std::max(1, f.mark.column));
    out += '\n';
  }
  if (f.mark.line > 0 && !f.source_line.empty()) {
    const std::string number = std::to_string(f.mark.line);
    const std::string gutter(number.size(), ' ');
    out += " " + gutter + " |\n " + number + " | " + f.source_line + "\n " + gutter + " | ";
    out += std::string(static_cast<size_t>(std::max(1, f.mark.column) - 1), ' ');
    if (colour) out += style.colour;
    out += '^';
    out += off;
    out += '\n';
  }
  if (!f.object.empty()) out += "  in:  " + f.object + "\n";
  if (!f.field.empty()) out += "  at:  " + f.field + "\n";
  if (!f.fix.empty()) out += "  fix: " + f.fix + "\n";
  return out;
}

std::string render(const Diagnostics& findings, bool colour) {
  std::string out;
  for (const Diagnostic& finding : findings) out += render(finding, colour);
  return out;
}

std::string render_short(const Diagnostic& f) {
  std::string out;
  if (!f.file.empty()) {
    out += f.file;
    if (f.mark.line > 0) out += ":" + std::to_string(f.mark.line) + ":" + std::to_string(std::max(1, f.mark.column));
    out += ": ";
  }
  out += style_of(f.severity).name;
  if (!f.code.empty()) out += "[" + f.code + "]";
  out += ": ";
  if (!f.object.empty()) out += f.object + ": ";
  if (!f.field.empty() && !f.message.starts_with(f.field)) out += f.field + ": ";  // not twice
  return out + f.message;
}

std::string_view line_of(std::string_view text, int number) {
  for (int i = 1; i < number; ++i) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

std::string_view did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    const size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace weft
