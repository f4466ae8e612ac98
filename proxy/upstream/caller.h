// One HTTP request of the proxy's own to a cluster: a filter that asks an authorization service, a probe. The cluster's
// balancing, breakers, pools and stats apply as to any request; there is no retry. Lives on one worker.
#pragma once
#include "common/http/head.h"
#include "common/observe/response_flags.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::upstream {

struct CallRequest {
  std::string cluster;
  std::string method = "GET";
  std::string path = "/";
  std::string authority;                                     // empty: the cluster's name
  std::vector<std::pair<std::string, std::string>> headers;  // lower-case names
  std::string body;                                          // content-length is added
  std::chrono::milliseconds timeout{200};
  size_t max_response_body = 64 * 1024;  // beyond it the call fails
};

class CallEvents {
 public:
  // Before on_answer, if the answer has trailers.
  virtual void on_trailers(const http::Head&) {}
  // The whole answer. `head` is valid during the call only. The Call may be destroyed in it.
  virtual void on_answer(const http::Head& head, std::string_view body) = 0;
  // No answer: no such cluster or host, a breaker is open, connect failure, reset, timeout. Never called from inside call().
  virtual void on_failed(observe::ResponseFlag flag, std::string_view detail) = 0;

 protected:
  ~CallEvents() = default;
};

// A call under way. Destroying it gives it up; no event follows.
class Call {
 public:
  virtual ~Call() = default;
};

class Caller {
 public:
  // `events` outlives the Call. Events come later, from the loop, never from inside this function.
  virtual std::unique_ptr<Call> call(CallRequest request, CallEvents& events) = 0;
  // One whose answer nobody waits for.
  virtual void tell(CallRequest request) = 0;

 protected:
  ~Caller() = default;
};

}  // namespace weft::upstream
