// Where resources come from. A source turns what it sees into batches and never decides: the sink (the store) takes a batch whole or
// refuses it. What is wrong with a text goes to the findings sink, and whatever worked before keeps working.
#pragma once
#include "controlplane/store/store.h"

#include <functional>

namespace weft::sources {

struct Sinks {
  std::function<Result<store::Applied>(const model::Batch&)> batch;
  std::function<void(const Diagnostics&)> findings;  // all that stands at present, after each look; empty: all is well
};

class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view name() const = 0;
  // The first look happens before this returns; an error means that the source cannot work at all.
  virtual Status start() = 0;
  virtual void stop() = 0;
};

}  // namespace weft::sources
