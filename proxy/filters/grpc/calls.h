// What the gRPC filters share: whose call it is, the statistics of its cluster, messages counted in a stream of bytes.
#pragma once
#include "common/http/head.h"
#include "common/observe/grpc_calls.h"
#include "proxy/filters/filter.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::filters {

// "/pkg.Service/Method"; empty parts for any other path.
struct GrpcMethod {
  std::string_view service, method;
  explicit operator bool() const { return !service.empty(); }
};
GrpcMethod grpc_method_of(std::string_view path);

// grpc-status of a head or of trailers.
std::optional<int> grpc_status_of(const http::Head& head);
int grpc_status_of_http(int status);  // what gRPC makes of an answer that is none of its own
// Charges a call that ended with `status`.
void charge_grpc_call(observe::Cells& cells, int status);
std::string percent_encoded(std::string_view message);  // as grpc-message wants it

// Length-prefixed messages as their bytes pass: five bytes of frame head each, of which 0x80 marks what is no message.
class GrpcMessages {
 public:
  // How many messages began in it.
  uint64_t count(const Body& body);

 private:
  uint32_t head_ = 0;  // bytes of a frame head seen
  uint32_t size_ = 0;
  uint64_t left_ = 0;  // of the message's bytes
};

// The scopes of one filter, by cluster and method. Methods come from clients, so there are at most kMost; calls of further ones are
// counted with those that are not told apart.
class GrpcCallScopes {
 public:
  static constexpr size_t kMost = 1000;
  GrpcCallScopes(observe::Registry& registry, const observe::Shape& shape);
  observe::Cells& cells(unsigned thread, std::string_view cluster, std::string_view service, std::string_view method);

 private:
  observe::Registry& registry_;
  const observe::Shape& shape_;
  // Each thread has its own, so none waits for another.
  std::vector<std::unordered_map<std::string, observe::ScopePtr>> by_thread_;
};

}  // namespace weft::filters
