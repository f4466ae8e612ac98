// The chapters of the demo: which files are applied when, what to look at and why the numbers move. Shown from the first file
// of the customer's to the last; the files themselves stay as the customer wrote them.
#pragma once
#include <string>
#include <vector>

namespace weft::demo {

struct Chapter {
  std::vector<std::string> files;   // below config/, applied together
  std::string what;                 // one line: what changed
  std::string why;                  // one line: why the numbers move
  std::vector<std::string> routes;  // the lanes it touches, by the start of their names
};

const std::vector<Chapter>& story();

}  // namespace weft::demo
