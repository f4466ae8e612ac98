#include "ctl/input_files.h"

#include "common/base/utf8.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace weft::ctl {
namespace {

namespace fs = std::filesystem;

bool is_ours(const fs::path& path) {
  const std::string end = path.extension().string();
  return !path.filename().string().starts_with('.') && (end == ".yaml" || end == ".yml" || end == ".json");
}

template <class Walk>
Result<std::vector<std::string>> files_below(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code error;
  Walk at(directory, error);
  for (; !error && at != Walk(); at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && is_ours(at->path())) found.push_back(at->path().string());
  }
  if (error) return invalid("cannot read the directory " + directory + ": " + error.message());
  std::sort(found.begin(), found.end());
  return found;
}

Status read_one(const std::string& path, NamedTexts& out) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf() || file.peek() == std::ifstream::traits_type::eof()))
    return system_error("cannot read " + path, errno ? errno : EIO);
  out.emplace_back(path, text.str());
  return {};
}

}  // namespace

Result<NamedTexts> read_files(const std::vector<std::string>& names, bool recursive, std::istream& input) {
  NamedTexts texts;
  for (const std::string& name : names) {
    if (name == "-") {
      texts.emplace_back("(standard input)", std::string(std::istreambuf_iterator<char>(input), {}));
      continue;
    }
    std::error_code error;
    if (!fs::is_directory(name, error)) {
      if (Status read = read_one(name, texts); !read) return read.error();
      continue;
    }
    auto found = recursive ? files_below<fs::recursive_directory_iterator>(name) : files_below<fs::directory_iterator>(name);
    if (!found) return found.error();
    if (found->empty()) return invalid("found no *.yaml, *.yml or *.json in " + name + (recursive ? "" : "; directories below it need -R"));
    for (const std::string& path : *found) {
      if (Status read = read_one(path, texts); !read) return read.error();
    }
  }
  for (const auto& [name, text] : texts) {
    const size_t bad = find_invalid_utf8(text);
    if (bad == std::string::npos) continue;
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    return invalid(name + ":" + std::to_string(line) + ": found a byte that is no UTF-8, which YAML and JSON are written in");
  }
  return texts;
}

}  // namespace weft::ctl
