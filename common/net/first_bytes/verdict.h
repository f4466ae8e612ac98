// What the first bytes of a connection turn out to be. Every reader here is a pure function of all bytes received so far, called
// again with more of them after kNeedMore; none keeps a state, allocates for what may never come, or looks past its own bound.
#pragma once
#include <cstdint>

namespace weft::net {

enum class Verdict : uint8_t {
  kNeedMore,   // so far it could be: ask again with more bytes
  kFound,      // it is, and it is read
  kNotIt,      // it is something else
  kMalformed,  // it is, and it is broken
};

}  // namespace weft::net
