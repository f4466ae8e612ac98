// A finding about a text that a person wrote: what, where (file, line, column, the line itself), why and how to mend it.
// Bootstrap files, Istio YAML and xDS resources all report through this type, so that all complaints look alike.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft {

// Where a thing stands in its text. Lines and columns count from 1; 0 means unknown.
struct Mark {
  int line = 0;
  int column = 0;
};

enum class Severity : unsigned char { kError, kWarning, kInfo };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string code;     // "WEFT0101"; frozen once released
  std::string alias;    // Istio's analyzer code where there is one: "IST0101"
  std::string message;  // what was found and what was expected
  std::string file;     // as the user named it; empty when the text came over a wire
  Mark mark;
  std::string field;        // "spec.http[0].route[1].weight"
  std::string object;       // "VirtualService default/canary"
  std::string source_line;  // the text of the line, for the caret
  std::string fix;          // one line that can be acted upon; may be empty
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& findings);

// error[WEFT0101]: what (# IST0101)
//   --> file.yaml:12:9
//    |
// 12 |         subset: v9
//    |         ^
//   fix: ...
std::string render(const Diagnostic& finding, bool colour = false);
std::string render(const Diagnostics& findings, bool colour = false);
// The same on one line, for logs, NACKs and JSON messages.
std::string render_short(const Diagnostic& finding);

// The line `number` (from 1) of `text`, without its end.
std::string_view line_of(std::string_view text, int number);

// The candidate that a mistyped `word` most likely meant, or an empty view.
std::string_view did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace weft
