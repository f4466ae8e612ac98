// The files that -f names: texts with the names that findings will show.
#pragma once
#include "common/base/error.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace weft::ctl {

using NamedTexts = std::vector<std::pair<std::string, std::string>>;  // name, text

// Files as named, directories' *.yaml, *.yml and *.json in order of name, and "-" for `input`. Naming nothing readable is an error.
Result<NamedTexts> read_files(const std::vector<std::string>& names, bool recursive, std::istream& input);

}  // namespace weft::ctl
