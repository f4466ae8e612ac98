// A watched directory of YAML: its thread waits for inotify, lets writers finish (a small quiet time), and looks again. The looking
// itself is `Directory`, which knows nothing of threads.
#pragma once
#include "controlplane/sources/file/directory.h"
#include "controlplane/sources/source.h"

#include <chrono>
#include <thread>

namespace weft::sources {

class FileSource : public Source {
 public:
  // `owned`: what the store holds of this source from earlier runs (store.owned("file")).
  FileSource(std::string path, std::vector<store::Owned> owned, Sinks sinks,
             std::chrono::milliseconds quiet = std::chrono::milliseconds(50));
  ~FileSource() override;

  std::string_view name() const override { return store::kOwnerFile; }
  Status start() override;
  void stop() override;

 private:
  bool look();  // false: failed, to be tried again soon
  void run();

  std::string path_;
  Sinks sinks_;
  std::chrono::milliseconds quiet_;
  Directory directory_;
  int inotify_ = -1;
  int wake_ = -1;
  std::thread thread_;
};

}  // namespace weft::sources
