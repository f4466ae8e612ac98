// A file that holds resources and is watched (path_config_source): its text is handed on at the start and after each change.
// Editors and ConfigMaps replace files by moving another in place, so the folder is watched, not the file.
#pragma once
#include "common/base/error.h"
#include "common/net/loop.h"

#include <functional>
#include <memory>
#include <string>

namespace weft::xds {

class PathSource {
 public:
  // `on_text(text)` or, if the file cannot be read, `on_problem(reason)`: from the loop, never from inside the constructor.
  // `watched_directory` (may be empty): react to moves in this folder instead of in the file's own.
  PathSource(net::Loop& loop, std::string path, const std::string& watched_directory, std::function<void(std::string text)> on_text,
             std::function<void(std::string reason)> on_problem);
  ~PathSource();
  PathSource(const PathSource&) = delete;
  PathSource& operator=(const PathSource&) = delete;

 private:
  struct Watch;
  std::shared_ptr<Watch> watch_;
};

}  // namespace weft::xds
