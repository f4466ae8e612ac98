#include "proxy/downstream/local_reply.h"

#include "proxy/filters/grpc/calls.h"

#include <ctime>
#include <string>

namespace weft::downstream {

std::string_view make_local_reply(http::Head& head, const filters::LocalReply& reply, ReplyShape shape) {
  using http::HeaderId;
  if (shape.grpc) {
    head.set_status(200);
    head.set(HeaderId::kContentType, "application/grpc");
    head.add(HeaderId::kGrpcStatus, std::to_string(reply.grpc_status.value_or(filters::grpc_status_of_http(reply.status))));
    std::string_view message = reply.body;
    if (message.ends_with("}\n")) message.remove_suffix(1);  // a JSON format's end of line
    if (!message.empty() && !shape.head) head.add(HeaderId::kGrpcMessage, filters::percent_encoded(message));
    for (const auto& [name, value] : reply.headers)
      if (name != "content-type") head.set(name, value);
    return {};
  }
  head.set_status(reply.status);
  for (const auto& [name, value] : reply.headers) head.set(name, value);
  if (reply.body.empty()) return {};
  head.set(HeaderId::kContentLength, std::to_string(reply.body.size()));
  if (!head.has(HeaderId::kContentType)) head.add(HeaderId::kContentType, "text/plain");
  return reply.body;
}

void rewrite_local_reply(const config::LocalReplyConfig& rules, http::Head& head, filters::LocalReply& reply, format::RequestInfo& info) {
  const config::BodyFormat* format = rules.format ? &*rules.format : nullptr;
  info.response_code = reply.status;
  for (const config::LocalReplyConfig::Mapper& mapper : rules.mappers) {
    if (!mapper.filter.passes(info)) continue;
    for (const routing::HeaderToAdd& header : mapper.headers) header.apply(head, info);
    if (mapper.status) {
      reply.status = info.response_code = *mapper.status;
      head.set_status(reply.status);
    }
    if (mapper.body) {
      reply.body = *mapper.body;
      head.remove(http::HeaderId::kContentType);
    }
    if (mapper.format) format = &*mapper.format;
    break;
  }
  // Its headers are in the head by now, and some may have been changed there.
  reply.headers.clear();
  if (!format) return;
  info.local_reply_body = reply.body;
  std::string body;
  format->formatter->append(body, info);
  info.local_reply_body = {};
  reply.body = std::move(body);
  if (!reply.body.empty()) head.set(http::HeaderId::kContentType, format->content_type);
}

std::string_view http_date() {
  thread_local char text[40];
  thread_local time_t made = 0;
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made) {
    made = now.tv_sec;
    tm parts;
    gmtime_r(&made, &parts);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return text;
}

}  // namespace weft::downstream
