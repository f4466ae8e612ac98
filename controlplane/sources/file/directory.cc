#include "controlplane/sources/file/directory.h"

#include "controlplane/validation/validation.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace weft::sources {
namespace {

constexpr size_t kMaxFile = 64 << 20;  // the YAML reader has its own, smaller limit; this one bounds what is read at all

bool is_ours(const std::string& name) {
  if (name.empty() || name.front() == '.') return false;
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool same(const model::Resource& a, const model::Resource& b) {
  return a.json == b.json && a.origin.file == b.origin.file && a.origin.line == b.origin.line && *a.origin.text == *b.origin.text;
}

std::string cause_of(const std::vector<std::string>& files, const std::string& path, bool first) {
  if (first) return "first look at " + path;
  std::string names;
  for (size_t i = 0; i < files.size() && i < 3; ++i) names += (i ? ", " : "") + files[i];
  if (files.size() > 3) names += " and " + std::to_string(files.size() - 3) + " more";
  return (files.size() == 1 ? "file " : "files ") + names + " changed";
}

}  // namespace

Directory::Directory(std::string path, std::vector<store::Owned> owned) : path_(std::move(path)) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  for (store::Owned& object : owned) earlier_[std::move(object.key)] = base_name(object.file);
}

Result<std::map<std::string, Directory::Stamp>> Directory::list() const {
  DIR* directory = opendir(path_.c_str());
  if (!directory) return system_error("cannot read the directory " + path_, errno);
  std::map<std::string, Stamp> stamps;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    struct stat about;
    if (!is_ours(name) || stat(shown(name).c_str(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
    stamps[name] = {static_cast<long long>(about.st_ino), about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec};
  }
  closedir(directory);
  return stamps;
}

void Directory::read(const std::string& name, File& file) const {
  file.parsed = false;
  file.content.clear();
  file.findings.clear();
  const std::string path = shown(name);
  std::ostringstream text;
  std::ifstream in(path, std::ios::binary);
  if (in && file.stamp.size <= static_cast<long long>(kMaxFile)) text << in.rdbuf();
  if (!in || file.stamp.size > static_cast<long long>(kMaxFile)) {
    Diagnostic problem;
    problem.code = "WEFT0002";
    problem.file = path;
    problem.message = in ? "larger than " + std::to_string(kMaxFile) + " bytes" : system_error("cannot read", errno ? errno : EIO).detail;
    file.findings.push_back(std::move(problem));
    return;
  }
  validation::Verdicts verdicts = validation::validate_text(text.str(), path);
  file.findings = std::move(verdicts.findings);
  file.parsed = !has_errors(file.findings);
  if (!file.parsed) return;
  for (model::Resource& resource : verdicts.resources) {
    auto shared = std::make_shared<const model::Resource>(std::move(resource));
    file.content[shared->key] = shared;
  }
}

std::map<std::string, Directory::Objects> Directory::settle(Diagnostics& findings) const {
  std::map<std::string, Objects> proposals;
  for (const auto& [name, file] : files_) proposals[name] = file.parsed ? file.content : file.active;
  std::set<std::string> fallen;
  for (bool again = true; again;) {
    again = false;
    std::map<model::Key, std::vector<std::string>> claims;
    for (const auto& [name, objects] : proposals)
      for (const auto& [key, resource] : objects) claims[key].push_back(name);
    for (const auto& claim : claims) {
      const model::Key& key = claim.first;
      const std::vector<std::string>& names = claim.second;
      if (names.size() < 2) continue;
      auto had = [&](const std::string& name) {
        return files_.at(name).active.contains(key) || (earlier_.contains(key) && earlier_.at(key) == name);
      };
      auto winner = std::find_if(names.begin(), names.end(), had);
      if (winner == names.end()) winner = names.begin();
      for (const std::string& name : names) {
        if (name == *winner) continue;
        again = true;
        if (!fallen.insert(name).second) {
          proposals[name].erase(key);
          continue;
        }
        const model::ResourcePtr resource = proposals[name].at(key), theirs = proposals[*winner].at(key);
        Diagnostic finding =
            resource->finding(Severity::kError, "WEFT0301",
                              "found " + key.to_string() + " in two files, here and at " + theirs->origin.file + ":" +
                                  std::to_string(theirs->origin.line) + ", which had it first; nothing of this file is taken",
                              "metadata.name");
        finding.fix = "keep it in one file";
        findings.push_back(std::move(finding));
        proposals[name] = files_.at(name).active;
        proposals[name].erase(key);
      }
      break;  // the claims have changed
    }
  }
  return proposals;
}

Result<Directory::Look> Directory::look() {
  auto stamps = list();
  if (!stamps) return stamps.error();
  Look look;
  for (auto file = files_.begin(); file != files_.end();) {
    if (stamps->contains(file->first)) {
      ++file;
    } else {
      look.files.push_back(file->first);
      file = files_.erase(file);
    }
  }
  for (const auto& [name, stamp] : *stamps) {
    auto [file, fresh] = files_.try_emplace(name);
    if (!fresh && file->second.stamp == stamp) continue;
    look.files.push_back(name);
    file->second.stamp = stamp;
    read(name, file->second);
  }

  Diagnostics conflicts;
  std::map<std::string, Objects> settled = settle(conflicts);
  offered_.clear();
  std::set<std::string> never_good;
  for (auto& [name, file] : files_) {
    file.active = std::move(settled[name]);
    const std::string path = shown(name);
    const bool conflicting = std::any_of(conflicts.begin(), conflicts.end(), [&](const Diagnostic& f) { return f.file == path; });
    file.ever_good = file.ever_good || (file.parsed && !conflicting);
    if (!file.ever_good) never_good.insert(name);
    offered_.insert(file.active.begin(), file.active.end());
    look.findings.insert(look.findings.end(), file.findings.begin(), file.findings.end());
  }
  std::move(conflicts.begin(), conflicts.end(), std::back_inserter(look.findings));

  for (const auto& [key, resource] : offered_) {
    auto held = taken_.find(key);
    if (held == taken_.end() || !same(*held->second, *resource))
      look.batch.changes.push_back({model::Change::Kind::kUpsert, key, resource});
  }
  for (const auto& [key, resource] : taken_)
    if (!offered_.contains(key)) look.batch.changes.push_back(model::Change::remove(key));
  // What earlier runs left: gone with its file, kept while its file is there but bad.
  for (const auto& [key, name] : earlier_)
    if (!offered_.contains(key) && !taken_.contains(key) && !never_good.contains(name))
      look.batch.changes.push_back(model::Change::remove(key));
  look.batch.cause = cause_of(look.files, path_, first_);
  return look;
}

void Directory::taken() {
  first_ = false;
  taken_ = offered_;
  // An object that a good file (or no file) speaks for is no longer a matter of the past.
  for (auto object = earlier_.begin(); object != earlier_.end();) {
    auto file = files_.find(object->second);
    const bool kept = file != files_.end() && !file->second.ever_good && !taken_.contains(object->first);
    object = kept ? std::next(object) : earlier_.erase(object);
  }
}

}  // namespace weft::sources
