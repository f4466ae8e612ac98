#include "controlplane/server/config_watch.h"

#include "common/base/log.h"
#include "controlplane/validation/validation.h"

#include <spdlog/spdlog.h>

namespace weft::control {

ConfigWatch::ConfigWatch(std::string directory, store::Store& store)
    : directory_(std::move(directory)),
      store_(store),
      source_(directory_, store.owned(store::kOwnerFile),
              {[this](const model::Batch& batch) { return store_.apply(batch, store::kOwnerFile); },
               [this](const Diagnostics& findings) { on_findings(findings); }}) {}

Status ConfigWatch::start() { return source_.start(); }
void ConfigWatch::stop() { source_.stop(); }

api::SourceStatus ConfigWatch::status() const {
  std::lock_guard lock(mutex_);
  return {"file", directory_, findings_};
}

void ConfigWatch::on_findings(const Diagnostics& findings) {
  Diagnostics all = findings;
  // References across files, from whatever is in force now.
  for (Diagnostic& finding : validation::check_references(*store_.view())) all.push_back(std::move(finding));
  spdlog::logger& logger = log::get(log::Logger::kConfig);
  std::set<std::string> standing;
  for (const Diagnostic& finding : all) {
    std::string line = render_short(finding);
    if (!told_.contains(line)) logger.log(finding.severity == Severity::kError ? spdlog::level::err : spdlog::level::warn, "{}", line);
    standing.insert(std::move(line));
  }
  told_ = std::move(standing);
  std::lock_guard lock(mutex_);
  findings_ = std::move(all);
}

}  // namespace weft::control
