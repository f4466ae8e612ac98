// What a cluster has to say about the requests of its attempts (HttpProtocolOptions.http_filters), for whoever makes them: filters,
// which this room does not know.
#pragma once

namespace weft::upstream {

struct AttemptChain {
  virtual ~AttemptChain() = default;
};

}  // namespace weft::upstream
