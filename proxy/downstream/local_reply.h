// Answers that the proxy gives itself: their heads, and what gRPC clients get instead.
#pragma once
#include "common/http/head.h"
#include "proxy/config/local_reply.h"
#include "proxy/filters/filter.h"

#include <string_view>

namespace weft::downstream {

struct ReplyShape {
  bool grpc = false;  // the request was gRPC: status 200, the rest in grpc-status and grpc-message
  bool head = false;  // the request was HEAD: no body
};

// Fills `head` and returns the body to send (it lives in `reply`); empty: none.
std::string_view make_local_reply(http::Head& head, const filters::LocalReply& reply, ReplyShape shape);

// local_reply_config: changes `reply` and the head that holds its status and headers.
void rewrite_local_reply(const config::LocalReplyConfig& rules, http::Head& head, filters::LocalReply& reply, format::RequestInfo& info);

// The `date` of now, as RFC 9110 5.6.7 wants it; made once a second and thread.
std::string_view http_date();

}  // namespace weft::downstream
