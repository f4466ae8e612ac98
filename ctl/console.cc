#include "ctl/console.h"

#include <algorithm>
#include <cstdio>
#include <ostream>

namespace weft::ctl {
namespace {

bool wants_colour(const Environment& environment, const Options& options, bool terminal) {
  if (options.colour != "auto") return options.colour == "always";
  if (!environment.variable("NO_COLOR").empty()) return false;
  if (!environment.variable("FORCE_COLOR").empty()) return true;
  return terminal && environment.variable("TERM") != "dumb";
}

// What a terminal shows of UTF-8: one column for each character.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Text of others may hold anything; only what prints goes to a terminal.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) out += (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c;
  return out;
}

}  // namespace

Console::Console(const Environment& environment, const Options& options)
    : environment_(environment),
      quiet_(options.quiet),
      verbose_(options.verbose),
      colour_data_(wants_colour(environment, options, environment.out_is_terminal)),
      colour_messages_(wants_colour(environment, options, environment.err_is_terminal)) {}

void Console::say(const std::string& text) const {
  if (!quiet_) environment_.err << printable(text) << "\n";
}

void Console::verbose(const std::string& text) const {
  if (verbose_) environment_.err << printable(text) << "\n";
}

void Console::warn(const std::string& text) const {
  if (!quiet_) environment_.err << (colour_messages_ ? "\x1b[1;33mwarning\x1b[0m: " : "warning: ") << printable(text) << "\n";
}

void Console::error(const std::string& text) const {
  environment_.err << (colour_messages_ ? "\x1b[1;31merror\x1b[0m: " : "error: ") << printable(text) << "\n";
}

namespace {

void write_findings(std::ostream& out, const Diagnostics& findings, bool colour, bool only_errors) {
  bool first = true;
  for (Diagnostic finding : findings) {
    if (only_errors && finding.severity != Severity::kError) continue;
    for (std::string* text : {&finding.message, &finding.file, &finding.source_line, &finding.object, &finding.field, &finding.fix})
      *text = printable(*text);
    if (!first) out << "\n";
    first = false;
    out << render(finding, colour);
  }
}

}  // namespace

void Console::findings(const Diagnostics& findings) const { write_findings(environment_.err, findings, colour_messages_, quiet_); }
void Console::print(const Diagnostics& findings) const { write_findings(environment_.out, findings, colour_data_, false); }

std::string Table::text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += printable(row[i]);
      if (i + 1 < row.size()) line += std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

std::string age_text(double seconds) {
  if (seconds < 0) return "-";
  char text[64];
  const auto whole = static_cast<long long>(seconds);
  if (seconds < 10) {
    snprintf(text, sizeof text, "%.1fs", seconds);
  } else if (whole < 60) {
    snprintf(text, sizeof text, "%llds", whole);
  } else if (whole < 3600) {
    snprintf(text, sizeof text, "%lldm%llds", whole / 60, whole % 60);
  } else if (whole < 86400) {
    snprintf(text, sizeof text, "%lldh%lldm", whole / 3600, whole % 3600 / 60);
  } else {
    snprintf(text, sizeof text, "%lldd%lldh", whole / 86400, whole % 86400 / 3600);
  }
  return text;
}

}  // namespace weft::ctl
