#include "proxy/filters/grpc/calls.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace weft::filters {

using http::HeaderId;
using observe::GrpcCallStat;

GrpcMethod grpc_method_of(std::string_view path) {
  path = path.substr(0, path.find('?'));
  if (path.empty() || path.front() != '/') return {};
  path.remove_prefix(1);
  const size_t slash = path.find('/');
  if (slash == path.npos || slash == 0 || slash + 1 == path.size() || path.find('/', slash + 1) != path.npos) return {};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::optional<int> grpc_status_of(const http::Head& head) {
  const std::string_view text = head.value(HeaderId::kGrpcStatus);
  int status = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || status < 0) return {};
  return status;
}

int grpc_status_of_http(int status) {
  switch (status) {
    case 400: return 13;
    case 401: return 16;
    case 403: return 7;
    case 404: return 12;
    case 429:
    case 502:
    case 503:
    case 504: return 14;
    default: return 2;
  }
}

void charge_grpc_call(observe::Cells& cells, int status) {
  if (status <= 16) cells.add(GrpcCallStat::kStatus0 + static_cast<unsigned>(status));
  cells.add(status == 0 ? GrpcCallStat::kSuccess : GrpcCallStat::kFailure);
  cells.add(GrpcCallStat::kTotal);
}

std::string percent_encoded(std::string_view message) {
  std::string out;
  for (unsigned char c : message) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      out += static_cast<char>(c);
    } else {
      char escape[4];
      std::snprintf(escape, sizeof escape, "%%%02X", c);
      out += escape;
    }
  }
  return out;
}

uint64_t GrpcMessages::count(const Body& body) {
  uint64_t messages = 0;
  for (const Slice& slice : body.slices) {
    for (size_t at = 0; at < slice.size;) {
      if (left_ > 0) {
        const size_t n = std::min<uint64_t>(left_, slice.size - at);
        left_ -= n;
        at += n;
      } else {
        const auto byte = static_cast<uint8_t>(slice.data[at++]);
        if (head_ == 0)
          size_ = 0, messages += !(byte & 0x80);
        else
          size_ = size_ << 8 | byte;
        if (++head_ == 5) head_ = 0, left_ = size_;
      }
    }
  }
  return messages;
}

GrpcCallScopes::GrpcCallScopes(observe::Registry& registry, const observe::Shape& shape)
    : registry_(registry), shape_(shape), by_thread_(registry.threads()) {}

observe::Cells& GrpcCallScopes::cells(unsigned thread, std::string_view cluster, std::string_view service, std::string_view method) {
  auto& scopes = by_thread_[thread];
  std::string key(cluster);
  if (!service.empty()) {
    key += '\0';
    key.append(service) += '\0';
    key += method;
  }
  if (auto found = scopes.find(key); found != scopes.end()) return found->second->cells(thread);
  if (scopes.size() >= kMost && !service.empty()) return cells(thread, cluster, {}, {});
  auto scope = observe::grpc_call_scope(registry_, shape_, cluster, service, method);
  return scopes.emplace(std::move(key), std::move(scope)).first->second->cells(thread);
}

}  // namespace weft::filters
