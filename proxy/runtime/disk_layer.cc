#include "proxy/runtime/disk_layer.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::runtime {
namespace {

namespace fs = std::filesystem;
constexpr int kMaxDepth = 16;
constexpr size_t kMaxFileBytes = 64 * 1024;

std::string without_comments(std::istream& in) {
  std::string out, line;
  while (std::getline(in, line))
    if (!line.starts_with('#')) out += line + "\n";
  out.erase(out.find_last_not_of(" \t\r\n") + 1);
  return out;
}

Status walk(const fs::path& folder, const std::string& prefix, int depth, Layer& out) {
  if (depth > kMaxDepth) return invalid(folder.string() + ": more than " + std::to_string(kMaxDepth) + " folders deep");
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("..")) continue;  // what a ConfigMap keeps for itself
    const std::string key = prefix.empty() ? name : prefix + "." + name;
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      if (Status done = walk(at->path(), key, depth + 1, out); !done) return done;
      continue;
    }
    if (!at->is_regular_file(ignored)) continue;
    if (at->file_size(ignored) > kMaxFileBytes)
      return invalid(at->path().string() + ": more than " + std::to_string(kMaxFileBytes) + " bytes");
    std::ifstream in(at->path(), std::ios::binary);
    if (!in) return invalid("cannot read " + at->path().string());
    out.insert_or_assign(key, read_setting(without_comments(in)));
  }
  if (error) return invalid("cannot read " + folder.string() + ": " + error.message());
  return {};
}

}  // namespace

Result<std::optional<Layer>> read_disk_layer(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return std::optional<Layer>();
  Layer out;
  if (Status done = walk(folder, "", 1, out); !done) return done.error();
  return std::optional<Layer>(std::move(out));
}

}  // namespace weft::runtime
