// The command operators: how each prints, what it takes. An operator that can have no value here (nothing of TLS, of tracing)
// prints "-" like Envoy does where there is none; one whose source does not exist in this proxy is refused by name.
#include "proxy/format/address_text.h"
#include "proxy/format/escape.h"
#include "proxy/format/filter_state.h"
#include "proxy/format/grpc_status.h"
#include "proxy/format/metadata.h"
#include "proxy/format/operation.h"
#include "proxy/format/request_id.h"
#include "proxy/format/time_format.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace weft::format {
namespace {

using Info = RequestInfo;
using Out = std::string&;

// --- printing ---

bool put(Out out, std::string_view text) {
  out += text;
  return !text.empty();
}

bool put_number(Out out, uint64_t n) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
  return true;
}

bool put_span(Out out, Info::Moment from, Info::Moment to, int64_t unit_ns = 1'000'000) {
  if (from == Info::Moment{} || to == Info::Moment{} || to < from) return false;
  return put_number(out, static_cast<uint64_t>((to - from) / std::chrono::nanoseconds(unit_ns)));
}

Info::Moment end_of(const Info& info) { return info.end == Info::Moment{} ? std::chrono::steady_clock::now() : info.end; }

// The member of RequestInfo that a simple operator prints.
template <std::string_view Info::*Member>
bool text_of(const Operation&, const Info& info, Out out) {
  return put(out, info.*Member);
}
template <uint64_t Info::*Member>
bool count_of(const Operation&, const Info& info, Out out) {
  return put_number(out, info.*Member);
}
// With the bits to keep in `option`, 0 meaning all.
template <std::string_view Info::*Member>
bool ip_text_of(const Operation& op, const Info& info, Out out) {
  std::string_view ip = ip_of(info.*Member);
  if (!op.text.empty() && !ip.empty()) return append_masked(out, ip, op.option);
  return put(out, ip);
}
template <std::string_view Info::*Member>
bool port_text_of(const Operation&, const Info& info, Out out) {
  return put(out, port_of(info.*Member));
}
template <Info::Moment Info::*To>
bool since_start(const Operation&, const Info& info, Out out) {
  return put_span(out, info.start, info.*To);
}
bool nothing(const Operation&, const Info&, Out) { return false; }
bool constant_text(const Operation& op, const Info&, Out out) { return put(out, op.text); }

// Null: there is no local reply at hand; an empty one prints nothing.
bool local_reply_body(const Operation&, const Info& info, Out out) {
  out += info.local_reply_body;
  return info.local_reply_body.data() != nullptr;
}

// --- headers ---

enum Pseudo : unsigned { kPlain, kMethod, kPath, kScheme, kAuthority, kStatus };

Pseudo pseudo(std::string_view name) {
  if (name == ":method") return kMethod;
  if (name == ":path") return kPath;
  if (name == ":scheme") return kScheme;
  if (name == ":authority" || name == "host") return kAuthority;
  if (name == ":status") return kStatus;
  return kPlain;
}

bool put_header(const http::Head* head, const std::string& name, http::HeaderId id, unsigned which, Out out) {
  if (head == nullptr) return false;
  switch (which) {
    case kMethod: return put(out, head->method());
    case kPath: return put(out, head->path());
    case kScheme: return put(out, head->scheme());
    case kAuthority: return put(out, head->authority());
    case kStatus: return head->status() != 0 && put_number(out, static_cast<uint64_t>(head->status()));
    default: break;
  }
  if (id != http::HeaderId::kOther) {  // a list header may stand in several lines
    if (!head->has(id)) return false;
    std::string scratch;
    out += id == http::HeaderId::kSetCookie ? head->value(id) : head->joined(name, scratch);
    return true;
  }
  const http::Header* header = head->find(name);
  if (header == nullptr) return false;
  out += header->value();
  return true;
}

template <const http::Head* Info::*Member>
bool header_of(const Operation& op, const Info& info, Out out) {
  return put_header(info.*Member, op.text, op.id, op.option, out) ||
         (!op.alternative.empty() && put_header(info.*Member, op.alternative, op.alternative_id, op.second, out));
}

std::string_view without_query(std::string_view path) { return path.substr(0, path.find('?')); }

bool header_without_query(const Operation& op, const Info& info, Out out) {
  size_t start = out.size();
  if (!header_of<&Info::request>(op, info, out)) return false;
  out.resize(start + without_query(std::string_view(out).substr(start)).size());
  return true;
}

// Names and values as HTTP/2 would count them, pseudo-headers included.
size_t head_bytes(const http::Head& head, bool request) {
  size_t bytes = 0;
  for (const http::Header& header : head.headers())
    if (!header.removed) bytes += header.name().size() + header.value().size() + (header.id == http::HeaderId::kHost && request ? 6 : 0);
  if (request)
    bytes += 7 + head.method().size() + 5 + head.path().size() + 7 + head.scheme().size();
  else if (head.status() != 0)
    bytes += 7 + 3;
  return bytes;
}
template <const http::Head* Info::*Member>
bool head_bytes_of(const Operation&, const Info& info, Out out) {
  return put_number(out, info.*Member == nullptr ? 0 : head_bytes(*(info.*Member), Member == &Info::request));
}

std::string_view original_path(const Info& info) { return info.request->value(http::HeaderId::kXEnvoyOriginalPath); }

bool path(const Operation& op, const Info& info, Out out) {  // option: 1 no query; second: 0 either, 1 original, 2 path
  if (info.request == nullptr) return false;
  std::string_view text = op.second == 2 ? std::string_view() : original_path(info);
  if (text.empty() && op.second != 1) text = info.request->path();
  return put(out, op.option == 1 ? without_query(text) : text);
}

bool query_parameter(const Operation& op, const Info& info, Out out) {
  if (info.request == nullptr) return false;
  std::string_view query = info.request->path();
  size_t mark = query.find('?');
  if (mark == std::string_view::npos) return false;
  query = query.substr(mark + 1);
  query = query.substr(0, query.find('#'));
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    size_t equals = pair.find('=');
    if (pair.substr(0, equals) == op.text) return put(out, equals == std::string_view::npos ? "" : pair.substr(equals + 1));
  }
  return false;
}

// --- the rest ---

bool start_time(const Operation& op, const Info& info, Out out) {
  if (op.text.empty())
    append_iso_time(out, info.start_time);
  else
    append_time(out, info.start_time, op.text, op.option == 1);
  return true;
}
bool emit_time(const Operation& op, const Info&, Out out) {
  WallTime now = std::chrono::system_clock::now();
  if (op.text.empty())
    append_iso_time(out, now);
  else
    append_time(out, now, op.text, op.option == 1);
  return true;
}
bool duration(const Operation&, const Info& info, Out out) { return put_span(out, info.start, end_of(info)); }
bool response_tx_duration(const Operation&, const Info& info, Out out) {
  return put_span(out, info.upstream_response_begin, info.response_end);
}

constexpr std::pair<std::string_view, Info::Moment Info::*> kPoints[] = {
    {"DS_RX_BEG", &Info::start},
    {"DS_RX_END", &Info::request_end},
    {"US_CX_BEG", &Info::upstream_connect_begin},
    {"US_CX_END", &Info::upstream_connect_end},
    {"US_TX_BEG", &Info::upstream_request_begin},
    {"US_TX_END", &Info::upstream_request_end},
    {"US_RX_BEG", &Info::upstream_response_begin},
    {"US_RX_END", &Info::upstream_response_end},
    {"DS_TX_BEG", &Info::response_begin},
    {"DS_TX_END", &Info::response_end},
    {"DS_CX_BEG", &Info::connection_begin},
};
bool common_duration(const Operation& op, const Info& info, Out out) {  // option: two indices; limit of unit in `second`
  return put_span(out, info.*kPoints[op.option / 256].second, info.*kPoints[op.option % 256].second, op.second);
}

bool response_code(const Operation&, const Info& info, Out out) { return put_number(out, static_cast<uint64_t>(info.response_code)); }
bool attempts(const Operation&, const Info& info, Out out) { return put_number(out, info.attempt_count); }
bool upstream_connection_id(const Operation&, const Info& info, Out out) {
  return info.upstream_connection_id != 0 && put_number(out, info.upstream_connection_id);
}
// Spaces would break a line apart; Envoy prints underscores unless told otherwise.
bool details(const Operation& op, const Info& info, Out out) {
  size_t start = out.size();
  if (!put(out, info.response_code_details)) return false;
  if (op.option == 0) std::replace(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), ' ', '_');
  return true;
}
bool short_flags(const Operation&, const Info& info, Out out) {
  if (info.flags.empty()) return put(out, "-");  // a value, in JSON too
  info.flags.append_short(out);
  return true;
}
bool long_flags(const Operation&, const Info& info, Out out) {
  if (info.flags.empty()) return put(out, "-");
  info.flags.append_long(out);
  return true;
}
bool unique_id(const Operation&, const Info&, Out out) { return put(out, make_uuid().view()); }
bool log_type(const Operation&, const Info& info, Out out) {
  static constexpr std::string_view kNames[] = {"NotSet",
                                                "TcpUpstreamConnected",
                                                "TcpPeriodic",
                                                "TcpConnectionEnd",
                                                "DownstreamStart",
                                                "DownstreamPeriodic",
                                                "DownstreamEnd",
                                                "UpstreamPoolReady",
                                                "UpstreamPeriodic",
                                                "UpstreamEnd",
                                                "DownstreamTunnelSuccessfullyEstablished"};
  return put(out, kNames[static_cast<size_t>(info.log_type)]);
}
bool grpc(const Operation& op, const Info& info, Out out) {  // option: 0 camel, 1 snake, 2 number
  if (!is_grpc(info)) return false;
  auto status = grpc_status(info);
  if (!status) return false;
  std::string_view name = op.option == 2 ? "" : op.option == 1 ? grpc_snake_name(*status) : grpc_camel_name(*status);
  return name.empty() ? put(out, std::to_string(*status)) : put(out, name);
}

// --- metadata ---

// The whole namespace, or the value that the path leads to; text as it is, all else as JSON.
bool dynamic_metadata(const Operation& op, const Info& info, Out out) {
  if (!info.metadata) return false;
  if (op.path.empty()) {
    const MetadataStruct* all = info.metadata->find(op.text);
    if (all) append_json(out, *all);
    return all != nullptr;
  }
  const MetadataValue* value = info.metadata->find(op.text, op.path);
  if (!value) return false;
  if (const auto* text = value->as<std::string>(); text && op.option == 0)
    out += *text;
  else
    append_json(out, *value);
  return true;
}
bool dynamic_metadata_json(const Operation& op, const Info& info, Out out) {
  Operation quoted = op;
  quoted.option = 1;
  return dynamic_metadata(quoted, info, out);
}

// --- filter state ---

// As text where it was asked for as PLAIN, else as JSON has a text.
bool filter_state(const Operation& op, const Info& info, Out out) {
  const FilterStateObject* object = info.filter_state ? info.filter_state->find(op.text) : nullptr;
  if (!object) return false;
  if (op.option == 1)
    out += object->text;
  else if (!object->json.empty())
    out += object->json;
  else
    append_json_string(out, object->text);
  return true;
}
bool filter_state_json(const Operation& op, const Info& info, Out out) {
  Operation quoted = op;
  quoted.option = 0;
  return filter_state(quoted, info, out);
}

// --- arguments, read when a format is compiled ---

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return result;
}

Status read_header(std::string_view, std::string_view argument, Operation& op) {
  size_t mark = argument.find('?');
  std::string_view rest = mark == std::string_view::npos ? std::string_view() : argument.substr(mark + 1);
  if (rest.find('?') != std::string_view::npos)
    return invalid("More than 1 alternative header specified in token: " + std::string(argument));
  op.text = lower(argument.substr(0, mark));
  op.alternative = lower(rest);
  op.option = pseudo(op.text);
  op.second = pseudo(op.alternative);
  op.id = http::intern(op.text);
  op.alternative_id = http::intern(op.alternative);
  return {};
}
Status read_text(std::string_view, std::string_view argument, Operation& op) {
  op.text = argument;
  return {};
}
Status read_local_time(std::string_view, std::string_view argument, Operation& op) {
  op.text = argument.empty() ? "%Y-%m-%dT%H:%M:%S.%3f%z" : argument;
  op.option = 1;
  return {};
}
Status read_details(std::string_view, std::string_view argument, Operation& op) {
  op.option = argument == "ALLOW_WHITESPACES";
  return {};
}
Status read_grpc(std::string_view, std::string_view argument, Operation& op) {
  if (argument == "NUMBER")
    op.option = 2, op.number = true;
  else if (argument == "SNAKE_STRING")
    op.option = 1;
  else if (!argument.empty() && argument != "CAMEL_STRING")
    return invalid("GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: " + std::string(argument));
  return {};
}
Status read_grpc_number(std::string_view, std::string_view, Operation& op) {
  op.option = 2;
  return {};
}
Status read_path(std::string_view, std::string_view argument, Operation& op) {
  size_t colon = argument.find(':');
  std::string_view query = argument.substr(0, colon), which = colon == std::string_view::npos ? "" : argument.substr(colon + 1);
  if (query == "NQ")
    op.option = 1;
  else if (!query.empty() && query != "WQ")
    return invalid("Invalid PATH option: '" + std::string(query) + "', only 'WQ'/'NQ' are allowed");
  if (which == "ORIG")
    op.second = 1;
  else if (which == "PATH")
    op.second = 2;
  else if (!which.empty() && which != "ORIG_OR_PATH")
    return invalid("Invalid PATH option: '" + std::string(which) + "', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed");
  return {};
}
Status read_mask(std::string_view name, std::string_view argument, Operation& op) {
  op.text = argument;
  auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), op.option);
  if (!argument.empty() && (error != std::errc() || end != argument.data() + argument.size() || op.option > 128))
    return invalid(std::string(name) + ": '" + std::string(argument) + "' is no prefix length");
  return {};
}
Status read_environment(std::string_view, std::string_view argument, Operation& op) {
  const char* value = std::getenv(std::string(argument).c_str());
  op.text = value == nullptr ? "" : value;
  return {};
}
Status read_hostname(std::string_view, std::string_view, Operation& op) {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) == 0) op.text = name;
  return {};
}
Status read_points(std::string_view, std::string_view argument, Operation& op) {
  unsigned at[2] = {};
  std::string_view rest = argument;
  for (unsigned& index : at) {
    size_t colon = rest.find(':');
    std::string_view name = rest.substr(0, colon);
    const auto* found = std::find_if(std::begin(kPoints), std::end(kPoints), [name](const auto& point) { return point.first == name; });
    if (found == std::end(kPoints) || colon == std::string_view::npos)
      return invalid("COMMON_DURATION(" + std::string(argument) +
                     "): expected START:END:PRECISION with points such as DS_RX_BEG, US_TX_END; '" + std::string(name) + "' is none");
    index = static_cast<unsigned>(found - std::begin(kPoints));
    rest = rest.substr(colon + 1);
  }
  op.option = at[0] * 256 + at[1];
  op.second = rest == "ms" ? 1'000'000 : rest == "us" ? 1'000 : rest == "ns" ? 1 : 0;
  if (op.second == 0)
    return invalid("COMMON_DURATION(" + std::string(argument) + "): precision '" + std::string(rest) + "' is not ms, us or ns");
  return {};
}

Status read_metadata(std::string_view, std::string_view argument, Operation& op) {
  std::vector<std::string> names;
  for (size_t colon = 0; colon != std::string_view::npos;) {
    colon = argument.find(':');
    names.emplace_back(argument.substr(0, colon));
    argument = colon == std::string_view::npos ? std::string_view() : argument.substr(colon + 1);
  }
  op.text = names.front();
  op.path.assign(names.begin() + 1, names.end());
  op.print_json = dynamic_metadata_json;
  return {};
}
Status read_any_metadata(std::string_view name, std::string_view argument, Operation& op) {
  constexpr std::string_view kDynamic = "DYNAMIC:";
  if (argument.substr(0, kDynamic.size()) != kDynamic)
    return invalid("%METADATA(" + std::string(argument) + ")% is not supported: this proxy gives access to DYNAMIC metadata alone");
  return read_metadata(name, argument.substr(kDynamic.size()), op);
}

Status read_filter_state(std::string_view name, std::string_view argument, Operation& op) {
  const size_t colon = argument.find(':');
  const std::string_view form = colon == std::string_view::npos ? std::string_view("TYPED") : argument.substr(colon + 1);
  if (form != "TYPED" && form != "PLAIN")
    return invalid("%" + std::string(name) + "(" + std::string(argument) + ")% is not supported: the form is PLAIN or TYPED");
  op.text = argument.substr(0, colon);
  op.option = form == "PLAIN" ? 1 : 0;
  op.print_json = filter_state_json;
  return {};
}

// --- the table ---

enum class Takes : unsigned char { kNothing, kMaybe, kArgument };
using Read = Status (*)(std::string_view name, std::string_view argument, Operation& op);
struct Entry {
  std::string_view name;
  Takes takes;
  bool length;  // ":Z" allowed
  bool number;
  bool from_peer;
  Operation::Print print;
  Read read = nullptr;
};
constexpr auto kNothing = Takes::kNothing;
constexpr auto kMaybe = Takes::kMaybe;
constexpr auto kArgument = Takes::kArgument;

constexpr Entry kEntries[] = {
    // time
    {"START_TIME", kMaybe, true, false, false, start_time, read_text},
    {"START_TIME_LOCAL", kMaybe, true, false, false, start_time, read_local_time},
    {"EMIT_TIME", kMaybe, true, false, false, emit_time, read_text},
    {"EMIT_TIME_LOCAL", kMaybe, true, false, false, emit_time, read_local_time},
    // durations
    {"DURATION", kNothing, false, true, false, duration},
    {"REQUEST_DURATION", kNothing, false, true, false, since_start<&Info::request_end>},
    {"REQUEST_TX_DURATION", kNothing, false, true, false, since_start<&Info::upstream_request_end>},
    {"RESPONSE_DURATION", kNothing, false, true, false, since_start<&Info::upstream_response_begin>},
    {"RESPONSE_TX_DURATION", kNothing, false, true, false, response_tx_duration},
    {"ROUNDTRIP_DURATION", kNothing, false, true, false, nothing},
    {"DOWNSTREAM_HANDSHAKE_DURATION", kNothing, false, true, false, nothing},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION", kNothing, false, true, false, since_start<&Info::upstream_ready>},
    {"COMMON_DURATION", kArgument, true, true, false, common_duration, read_points},
    // sizes
    {"BYTES_RECEIVED", kNothing, false, true, false, count_of<&Info::bytes_received>},
    {"BYTES_SENT", kNothing, false, true, false, count_of<&Info::bytes_sent>},
    {"REQUEST_HEADERS_BYTES", kNothing, false, true, false, head_bytes_of<&Info::request>},
    {"RESPONSE_HEADERS_BYTES", kNothing, false, true, false, head_bytes_of<&Info::response>},
    {"RESPONSE_TRAILERS_BYTES", kNothing, false, true, false, head_bytes_of<&Info::trailers>},
    {"DOWNSTREAM_WIRE_BYTES_RECEIVED", kNothing, false, true, false, count_of<&Info::wire_bytes_received>},
    {"DOWNSTREAM_WIRE_BYTES_SENT", kNothing, false, true, false, count_of<&Info::wire_bytes_sent>},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", kNothing, false, true, false, count_of<&Info::upstream_wire_bytes_received>},
    {"UPSTREAM_WIRE_BYTES_SENT", kNothing, false, true, false, count_of<&Info::upstream_wire_bytes_sent>},
    // result
    {"RESPONSE_CODE", kNothing, false, true, false, response_code},
    {"RESPONSE_CODE_DETAILS", kMaybe, false, false, false, details, read_details},
    {"CONNECTION_TERMINATION_DETAILS", kNothing, false, false, false, text_of<&Info::connection_termination_details>},
    {"RESPONSE_FLAGS", kNothing, false, false, false, short_flags},
    {"RESPONSE_FLAGS_LONG", kNothing, false, false, false, long_flags},
    {"GRPC_STATUS", kMaybe, false, false, false, grpc, read_grpc},
    {"GRPC_STATUS_NUMBER", kNothing, false, true, false, grpc, read_grpc_number},
    {"LOCAL_REPLY_BODY", kNothing, false, false, true, local_reply_body},
    {"PROTOCOL", kNothing, false, false, false, text_of<&Info::protocol>},
    {"UPSTREAM_PROTOCOL", kNothing, false, false, false, text_of<&Info::upstream_protocol>},
    // headers and path
    {"REQ", kArgument, true, false, true, header_of<&Info::request>, read_header},
    {"REQUEST_HEADER", kArgument, true, false, true, header_of<&Info::request>, read_header},
    {"RESP", kArgument, true, false, true, header_of<&Info::response>, read_header},
    {"RESPONSE_HEADER", kArgument, true, false, true, header_of<&Info::response>, read_header},
    {"TRAILER", kArgument, true, false, true, header_of<&Info::trailers>, read_header},
    {"RESPONSE_TRAILER", kArgument, true, false, true, header_of<&Info::trailers>, read_header},
    {"REQ_WITHOUT_QUERY", kArgument, true, false, true, header_without_query, read_header},
    {"PATH", kMaybe, true, false, true, path, read_path},
    {"QUERY_PARAM", kArgument, true, false, true, query_parameter, read_text},
    // upstream
    {"UPSTREAM_HOST", kNothing, false, false, false, text_of<&Info::upstream_host>},
    {"UPSTREAM_HOST_NAME", kNothing, false, false, false, text_of<&Info::upstream_host_name>},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", kNothing, false, false, false, ip_text_of<&Info::upstream_host_name>},
    {"UPSTREAM_CLUSTER", kNothing, false, false, false, text_of<&Info::upstream_cluster>},
    {"UPSTREAM_CLUSTER_RAW", kNothing, false, false, false, text_of<&Info::upstream_cluster_raw>},
    {"UPSTREAM_LOCAL_ADDRESS", kNothing, false, false, false, text_of<&Info::upstream_local_address>},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", kMaybe, false, false, false, ip_text_of<&Info::upstream_local_address>, read_mask},
    {"UPSTREAM_LOCAL_PORT", kNothing, false, true, false, port_text_of<&Info::upstream_local_address>},
    {"UPSTREAM_REMOTE_ADDRESS", kNothing, false, false, false, text_of<&Info::upstream_host>},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", kMaybe, false, false, false, ip_text_of<&Info::upstream_host>, read_mask},
    {"UPSTREAM_REMOTE_PORT", kNothing, false, true, false, port_text_of<&Info::upstream_host>},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", kNothing, false, true, false, attempts},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", kNothing, false, false, true, text_of<&Info::upstream_transport_failure_reason>},
    {"UPSTREAM_CONNECTION_ID", kNothing, false, true, false, upstream_connection_id},
    // downstream
    {"DOWNSTREAM_REMOTE_ADDRESS", kNothing, false, false, false, text_of<&Info::downstream_remote_address>},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", kMaybe, false, false, false, ip_text_of<&Info::downstream_remote_address>, read_mask},
    {"DOWNSTREAM_REMOTE_PORT", kNothing, false, true, false, port_text_of<&Info::downstream_remote_address>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", kNothing, false, false, false, text_of<&Info::downstream_direct_remote_address>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", kMaybe, false, false, false, ip_text_of<&Info::downstream_direct_remote_address>,
     read_mask},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", kNothing, false, true, false, port_text_of<&Info::downstream_direct_remote_address>},
    {"DOWNSTREAM_LOCAL_ADDRESS", kNothing, false, false, false, text_of<&Info::downstream_local_address>},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", kMaybe, false, false, false, ip_text_of<&Info::downstream_local_address>, read_mask},
    {"DOWNSTREAM_LOCAL_PORT", kNothing, false, true, false, port_text_of<&Info::downstream_local_address>},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", kNothing, false, false, false, text_of<&Info::downstream_direct_local_address>},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", kMaybe, false, false, false, ip_text_of<&Info::downstream_direct_local_address>,
     read_mask},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", kNothing, false, true, false, port_text_of<&Info::downstream_direct_local_address>},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", kNothing, false, false, true, text_of<&Info::downstream_transport_failure_reason>},
    {"REQUESTED_SERVER_NAME", kNothing, false, false, true, text_of<&Info::requested_server_name>},
    // identity of the work
    {"ROUTE_NAME", kNothing, false, false, false, text_of<&Info::route_name>},
    {"VIRTUAL_CLUSTER_NAME", kNothing, false, false, false, text_of<&Info::virtual_cluster>},
    {"FILTER_CHAIN_NAME", kNothing, false, false, false, text_of<&Info::filter_chain_name>},
    {"CONNECTION_ID", kNothing, false, true, false, count_of<&Info::connection_id>},
    {"STREAM_ID", kNothing, false, false, true, text_of<&Info::request_id>},
    {"UNIQUE_ID", kNothing, false, false, false, unique_id},
    {"TRACE_ID", kNothing, false, false, false, nothing},
    {"SPAN_ID", kNothing, false, false, false, nothing},
    {"HOSTNAME", kNothing, false, false, false, constant_text, read_hostname},
    {"ENVIRONMENT", kArgument, true, false, false, constant_text, read_environment},
    {"DYNAMIC_METADATA", kArgument, true, false, true, dynamic_metadata, read_metadata},
    {"METADATA", kArgument, true, false, true, dynamic_metadata, read_any_metadata},
    {"FILTER_STATE", kArgument, true, false, true, filter_state, read_filter_state},
    {"ACCESS_LOG_TYPE", kNothing, false, false, false, log_type},
};

// Of a TLS connection; there is none, so "-".
bool is_tls(std::string_view name) {
  auto side = [name](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; };
  if (name == "TLS_JA3_FINGERPRINT" || name == "TLS_JA4_FINGERPRINT") return true;
  for (std::string_view prefix : {"DOWNSTREAM_TLS_", "UPSTREAM_TLS_"}) {
    std::string_view rest = side(prefix) ? name.substr(prefix.size()) : "";
    if (rest == "VERSION" || rest == "CIPHER" || rest == "GROUP" || rest == "SESSION_ID") return true;
  }
  for (std::string_view prefix : {"DOWNSTREAM_PEER_", "DOWNSTREAM_LOCAL_", "UPSTREAM_PEER_", "UPSTREAM_LOCAL_"}) {
    std::string_view rest = side(prefix) ? name.substr(prefix.size()) : "";
    for (std::string_view known : {"URI_SAN", "DNS_SAN", "IP_SAN", "EMAIL_SAN", "OTHERNAME_SAN", "SUBJECT", "ISSUER", "SERIAL",
                                   "FINGERPRINT_256", "FINGERPRINT_1", "CERT", "CERT_V_START", "CERT_V_END"})
      if (rest == known) return true;
  }
  return false;
}

// Known to Envoy, with a source that this proxy does not have.
constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
    {"CLUSTER_METADATA", "cluster metadata"},
    {"UPSTREAM_METADATA", "host metadata"},
    {"UPSTREAM_FILTER_STATE", "the upstream's filter state"},
    {"CEL", "CEL"},
    {"TYPED_CEL", "CEL"},
    {"COALESCE", "alternatives"},
    {"FILE_CONTENT", "files"},
    {"SECRET", "secrets"},
    {"CUSTOM_FLAGS", "custom flags"},
    {"QUERY_PARAMS", "the decoded query"},
};

}  // namespace

Status resolve(std::string_view name, bool has_argument, std::string_view argument, bool has_limit, Operation& op) {
  const Entry* entry = std::find_if(std::begin(kEntries), std::end(kEntries), [name](const Entry& e) { return e.name == name; });
  if (entry == std::end(kEntries)) {
    if (is_tls(name)) {
      op.print = nothing;
      return {};
    }
    for (auto [refused, what] : kRefused)
      if (refused == name)
        return invalid("%" + std::string(name) + "% is not supported: this proxy gives no access to " + std::string(what));
    return invalid("Not supported field in StreamInfo: " + std::string(name));
  }
  if (entry->takes == kArgument && argument.empty()) return invalid(std::string(name) + " requires parameters");
  if ((entry->takes == kNothing && has_argument && !argument.empty()) || (!entry->length && has_limit))
    return invalid(std::string(name) + " does not take any parameters or length");
  op.print = entry->print;
  op.number = entry->number;
  op.from_peer = entry->from_peer;
  return entry->read == nullptr ? Status() : entry->read(name, argument, op);
}

std::vector<std::string_view> operator_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kEntries) names.push_back(entry.name);
  return names;
}

}  // namespace weft::format
