// Where in a resource a builder is, for its complaints: a chain of fields on the stack that becomes text ("virtual_hosts[2].
// routes[0].match") only when something is wrong.
#pragma once
#include "common/base/diagnostic.h"

#include <string>
#include <string_view>
#include <utility>

namespace weft::filters {

class Where {
 public:
  Where(Diagnostics& problems, std::string root) : problems_(problems), root_(std::move(root)) {}
  // A field of `parent`, which must outlive this; with an index, one of its items.
  Where(const Where& parent, std::string_view field, long index = -1)
      : problems_(parent.problems_), parent_(&parent), field_(field), index_(index) {}
  Where(const Where&) = delete;
  Where& operator=(const Where&) = delete;

  std::string path() const {
    std::string out = parent_ ? parent_->path() : root_;
    if (!field_.empty() && field_.front() == '[') return out += field_;
    if (!field_.empty()) (out.empty() ? out : out += '.') += field_;
    if (index_ >= 0) out += "[" + std::to_string(index_) + "]";
    return out;
  }
  // Fits the tables, but makes no sense.
  void fail(std::string what) const { add("WEFT0504", std::move(what)); }
  // Makes sense, but not to this version.
  void unsupported(std::string what) const { add("WEFT0502", std::move(what)); }
  Diagnostics& problems() const { return problems_; }

 private:
  void add(std::string_view code, std::string what) const {
    Diagnostic problem;
    problem.code = code;
    problem.field = path();
    problem.message = std::move(what);
    problems_.push_back(std::move(problem));
  }
  Diagnostics& problems_;
  const Where* parent_ = nullptr;
  std::string root_;
  std::string_view field_;
  long index_ = -1;
};

}  // namespace weft::filters
