#include "proxy/format/grpc_status.h"

#include "common/http/head.h"
#include "proxy/format/request_info.h"

#include <array>
#include <charconv>

namespace weft::format {
namespace {

constexpr std::array<std::string_view, 17> kCamel = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
constexpr std::array<std::string_view, 17> kSnake = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::optional<int> read(const http::Head* head) {
  if (head == nullptr) return std::nullopt;
  std::string_view text = head->value(http::HeaderId::kGrpcStatus);
  int status = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return status;
}

int from_http(int code) {
  switch (code) {
    case 200: return 0;
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

}  // namespace

bool is_grpc(const RequestInfo& info) {
  if (info.request == nullptr) return false;
  std::string_view type = info.request->value(http::HeaderId::kContentType);
  constexpr std::string_view kGrpc = "application/grpc";
  return type.substr(0, kGrpc.size()) == kGrpc && (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

std::optional<int> grpc_status(const RequestInfo& info) {
  if (auto status = read(info.trailers)) return status;
  if (auto status = read(info.response)) return status;
  if (info.response_code != 0) return from_http(info.response_code);
  return std::nullopt;
}

std::string_view grpc_camel_name(int status) {
  return status < 0 || status > 16 ? std::string_view() : kCamel[static_cast<size_t>(status)];
}
std::string_view grpc_snake_name(int status) {
  return status < 0 || status > 16 ? std::string_view() : kSnake[static_cast<size_t>(status)];
}

}  // namespace weft::format
