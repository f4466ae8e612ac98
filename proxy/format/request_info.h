// What is known about one request (or one raw connection) while it runs and when it is over: the source of access log lines
// and of header values. Views and pointers into what the exchange owns; filling it in allocates nothing. Lives in its
// exchange, on one worker.
#pragma once
#include "common/observe/response_flags.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

namespace weft::http {
class Head;
}

namespace weft::format {

class FilterState;
class Metadata;

// What %ACCESS_LOG_TYPE% prints.
enum class AccessLogType : uint8_t {
  kNotSet,
  kTcpUpstreamConnected,
  kTcpPeriodic,
  kTcpConnectionEnd,
  kDownstreamStart,
  kDownstreamPeriodic,
  kDownstreamEnd,
  kUpstreamPoolReady,
  kUpstreamPeriodic,
  kUpstreamEnd,
  kDownstreamTunnelSuccessfullyEstablished,
};

struct RequestInfo {
  // Points on the monotonic clock; Moment{} is "has not happened".
  using Moment = std::chrono::steady_clock::time_point;

  std::chrono::system_clock::time_point start_time;  // when the request's first byte arrived, for %START_TIME%
  Moment start;                                      // the same on the monotonic clock; what follows is measured from it
  Moment request_end;                                // last byte received from the client
  Moment upstream_connect_begin;                     // of the attempt that won
  Moment upstream_connect_end;
  Moment upstream_ready;           // a connection was at hand
  Moment upstream_request_begin;   // first byte sent upstream
  Moment upstream_request_end;     // last byte sent upstream
  Moment upstream_response_begin;  // first byte of the answer received
  Moment upstream_response_end;
  Moment response_begin;    // first byte of the answer sent to the client
  Moment response_end;      // last byte sent to the client
  Moment end;               // all is over; unset while running (durations then count up to now)
  Moment connection_begin;  // the client's connection

  std::string_view protocol;  // "HTTP/1.1"; empty on a raw connection
  std::string_view upstream_protocol;
  uint64_t bytes_received = 0;  // body
  uint64_t bytes_sent = 0;
  uint64_t wire_bytes_received = 0;  // from the client, with heads
  uint64_t wire_bytes_sent = 0;
  uint64_t upstream_wire_bytes_received = 0;
  uint64_t upstream_wire_bytes_sent = 0;

  int response_code = 0;  // 0 before there is one
  uint32_t attempt_count = 0;
  uint64_t connection_id = 0;
  uint64_t upstream_connection_id = 0;  // 0: none
  observe::ResponseFlags flags;
  AccessLogType log_type = AccessLogType::kNotSet;
  bool health_check = false;  // answered or marked by the health check filter

  // Text; empty is "none". Addresses are "1.2.3.4:80" or "[::1]:80", rendered once per connection.
  std::string_view response_code_details;
  std::string_view connection_termination_details;
  std::string_view upstream_transport_failure_reason;
  std::string_view downstream_transport_failure_reason;
  std::string_view route_name;
  std::string_view virtual_cluster;
  std::string_view filter_chain_name;
  std::string_view upstream_cluster;  // observability name
  std::string_view upstream_cluster_raw;
  std::string_view upstream_host;       // the endpoint's address
  std::string_view upstream_host_name;  // its configured hostname
  std::string_view upstream_local_address;
  std::string_view downstream_local_address;
  std::string_view downstream_direct_local_address;
  std::string_view downstream_remote_address;         // from x-forwarded-for or the PROXY protocol where trusted
  std::string_view downstream_direct_remote_address;  // the peer of the socket
  std::string_view requested_server_name;             // SNI
  std::string_view request_id;                        // %STREAM_ID%
  std::string_view local_reply_body;

  const http::Head* request = nullptr;
  const http::Head* response = nullptr;
  const http::Head* trailers = nullptr;  // the response's

  std::shared_ptr<Metadata> metadata;         // what filters noted (metadata.h); null until one does
  std::shared_ptr<FilterState> filter_state;  // what they left for others (filter_state.h); likewise
};

}  // namespace weft::format
