#include "init/backend.h"

#include <algorithm>

namespace weft::init {
namespace {

std::vector<std::string> only_in_first(std::vector<std::string> first, std::vector<std::string> second) {
  std::vector<std::string> found;
  std::sort(second.begin(), second.end());
  for (std::string& line : first) {
    const auto other = std::lower_bound(second.begin(), second.end(), line);
    if (other != second.end() && *other == line)
      second.erase(other);  // each counts once
    else
      found.push_back(std::move(line));
  }
  return found;
}

}  // namespace

std::vector<std::string> difference(const std::vector<std::string>& now, const std::vector<std::string>& then) {
  std::vector<std::string> lines;
  for (const std::string& line : only_in_first(now, then)) lines.push_back("- " + line);
  for (const std::string& line : only_in_first(then, now)) lines.push_back("+ " + line);
  if (!lines.empty()) return lines;
  for (size_t i = 0; i < now.size(); ++i)
    if (now[i] != then[i]) lines.push_back("~ " + now[i] + " (stands where \"" + then[i] + "\" should)");
  return lines;
}

}  // namespace weft::init
