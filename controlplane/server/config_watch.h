// The watched directory joined to the store: batches go in, findings are logged when they are new and kept for /v1/status.
#pragma once
#include "controlplane/api/api.h"
#include "controlplane/sources/file/file_source.h"

#include <mutex>
#include <set>

namespace weft::control {

class ConfigWatch {
 public:
  // `store` outlives this.
  ConfigWatch(std::string directory, store::Store& store);
  Status start();
  void stop();
  // From any thread.
  api::SourceStatus status() const;

 private:
  void on_findings(const Diagnostics& findings);

  std::string directory_;
  store::Store& store_;
  mutable std::mutex mutex_;
  Diagnostics findings_;        // guarded by mutex_
  std::set<std::string> told_;  // on the source's thread
  sources::FileSource source_;
};

}  // namespace weft::control
