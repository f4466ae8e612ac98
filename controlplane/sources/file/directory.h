// What a directory of YAML defines, look after look. Each file is good or bad as a whole: a bad one keeps its last good content, and
// disturbs no other. An object in two files stays with the file that had it first; the other file is bad.
#pragma once
#include "controlplane/store/store.h"

#include <map>
#include <string>
#include <vector>

namespace weft::sources {

class Directory {
 public:
  Directory(std::string path, std::vector<store::Owned> owned);

  struct Look {
    model::Batch batch;               // the difference to what was taken so far; may be empty
    Diagnostics findings;             // of every file, as it stands
    std::vector<std::string> files;   // that changed
  };
  // Reads what changed since the last look. An error: the directory itself cannot be read.
  Result<Look> look();
  // The sink took the batch of the last look (otherwise the next look offers the difference again).
  void taken();

 private:
  struct Stamp {
    long long inode = 0, size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct File {
    Stamp stamp;
    std::map<model::Key, model::ResourcePtr> objects;     // last good content
    Diagnostics findings;
    bool bad = false;
  };
  Result<std::map<std::string, Stamp>> list() const;

  std::string path_;
  std::map<std::string, File> files_;                     // by name inside the directory
  std::map<model::Key, std::string> taken_;               // what the sink holds of us, and from which file
  std::map<model::Key, std::string> taken_json_;
  std::map<model::Key, model::ResourcePtr> offered_;
};

}  // namespace weft::sources
