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
    model::Batch batch;              // the difference to what was taken so far; may be empty
    Diagnostics findings;            // of every file, as it stands
    std::vector<std::string> files;  // that changed
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
  using Objects = std::map<model::Key, model::ResourcePtr>;
  struct File {
    Stamp stamp;
    bool parsed = false;  // the text as it stands is good in itself
    Objects content;      // what it says, when parsed
    Objects active;       // what we hold of it: its last good content
    Diagnostics findings;
    bool ever_good = false;
  };
  Result<std::map<std::string, Stamp>> list() const;
  void read(const std::string& name, File& file) const;
  // Each file's objects for this look; conflicts go to `findings`.
  std::map<std::string, Objects> settle(Diagnostics& findings) const;
  std::string shown(const std::string& name) const { return path_ + "/" + name; }

  std::string path_;
  std::map<std::string, File> files_;          // by name inside the directory
  std::map<model::Key, std::string> earlier_;  // held by the sink from earlier runs, by file name
  Objects taken_, offered_;
  bool first_ = true;
};

}  // namespace weft::sources
