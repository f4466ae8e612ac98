#include "common/http/http2/head_builder.h"

#include "common/http/syntax.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

constexpr std::string_view kInvalidField = "http2.invalid.header.field";
constexpr std::string_view kListTooLarge = "http2.header_list_size_too_large";
constexpr std::string_view kMessagingRule = "http2.violation.of.messaging.rule";
// A line stands in one slab, and a filter may want to append to it.
constexpr size_t kLineLimit = SlabPool::kLarge - 2048;

}  // namespace

void HeadBuilder::begin(Kind kind, Head& head) {
  head_ = &head;
  kind_ = kind;
  decoded_ = 0;
  count_ = 0;
  authority_ = connect_ = false;
  cookie_.clear();
  protocol_.clear();
  fault_.reset();
  head.clear();
}

void HeadBuilder::fail(int status, std::string_view details) {
  if (!fault_) fault_ = Fault{status, details};
}

void HeadBuilder::field(std::string_view name, std::string_view value) {
  decoded_ += name.size() + value.size();
  if (decoded_ > uint64_t{options_.max_headers_kib} * 1024 || name.size() + value.size() > kLineLimit) return fail(431, kListTooLarge);
  if (fault_) return;
  if (!name.empty() && name.front() == ':') return pseudo(name, value);
  const HeaderId id = intern(name);
  if (id == HeaderId::kCookie && kind_ == Kind::kRequest) {  // RFC 9113 8.2.3
    if (!cookie_.empty()) cookie_ += "; ";
    cookie_ += value;
    if (cookie_.size() > kLineLimit) fail(431, kListTooLarge);
    return;
  }
  if (++count_ > std::min<uint32_t>(options_.max_headers_count, 30000)) return fail(431, "http2.too_many_headers");
  const auto lower_case_token = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return token_lower(c) == c && c; });
  };
  if ((id == HeaderId::kOther && !lower_case_token(name)) || !is_field_value(value)) return fail(400, kInvalidField);
  switch (id) {
    case HeaderId::kConnection:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade: return fail(400, kInvalidField);
    case HeaderId::kTe:
      if (!equals_ignoring_case(value, "trailers")) return fail(400, kInvalidField);
      break;
    case HeaderId::kHost:
      if (kind_ != Kind::kRequest) break;
      // Two names for one thing must agree; the line is there already.
      if (authority_ && !equals_ignoring_case(value, std::string(head_->authority()))) return fail(400, kMessagingRule);
      if (authority_) return;
      if (head_->has(HeaderId::kHost)) return fail(400, kMessagingRule);
      break;
    case HeaderId::kContentLength:
      if (head_->has(id) || !parse_length(value)) return fail(400, kMessagingRule);
      break;
    default: break;
  }
  if (kind_ == Kind::kTrailers && is_forbidden_trailer(id)) return;
  if (id == HeaderId::kOther) {
    head_->add(name, value);
  } else {
    head_->add(id, value);
  }
}

// That each stands once and before all others, and which must, the session has checked.
void HeadBuilder::pseudo(std::string_view name, std::string_view value) {
  if (kind_ == Kind::kTrailers) return fail(400, kMessagingRule);
  if (kind_ == Kind::kResponse) {
    int status = 0;
    for (char c : value) status = c >= '0' && c <= '9' ? status * 10 + (c - '0') : 10000;
    if (name != ":status" || value.size() != 3 || status < 100 || status > 999) return fail(400, kMessagingRule);
    head_->set_status(status);
  } else if (name == ":method") {
    if (!is_token(value)) return fail(400, kInvalidField);
    connect_ = value == "CONNECT";
    head_->set_method(value);
  } else if (name == ":protocol") {  // which the session lets by only where it was offered
    if (!is_token(value)) return fail(400, kInvalidField);
    protocol_ = value;
  } else if (name == ":path") {
    if (value.find('#') != value.npos) return fail(400, "path_normalization_failed");
    if (!is_path(value)) return fail(400, kInvalidField);
    head_->set_path(value);
  } else if (name == ":scheme") {
    const bool https = equals_ignoring_case(value, "https");
    if (!https && !equals_ignoring_case(value, "http")) return fail(400, kInvalidField);
    head_->set_scheme(https ? "https" : "http");
  } else if (name == ":authority") {
    if (value.empty()) return;  // as if it were not there: `host` may say it
    if (!is_authority(value)) return fail(400, kInvalidField);
    authority_ = true;
    head_->set_authority(value);
  } else {
    fail(400, kMessagingRule);
  }
}

std::optional<Fault> HeadBuilder::finish() {
  if (!fault_ && kind_ == Kind::kRequest) fault_ = finish_request();
  if (!fault_ && kind_ == Kind::kResponse && head_->status() == 0) fault_ = Fault{400, kMessagingRule};
  return fault_;
}

std::optional<Fault> HeadBuilder::finish_request() {
  if (head_->method().empty()) return Fault{400, kMessagingRule};
  if (!protocol_.empty()) {
    if (!connect_) return Fault{400, kMessagingRule};
    connect_ = false;  // it has a path and a scheme like any other
    head_->set_method("GET");
    set_upgrade(*head_, protocol_);
  }
  if (!connect_ && (head_->path().empty() || head_->scheme().empty())) return Fault{400, kMessagingRule};
  if (head_->path() == "*" && head_->method() != "OPTIONS") return Fault{400, kInvalidField};
  if (!head_->has(HeaderId::kHost)) return Fault{400, "missing_host_header"};
  if (!is_authority(head_->authority())) return Fault{400, kInvalidField};
  if (!cookie_.empty()) {
    if (!is_field_value(cookie_)) return Fault{400, kInvalidField};
    head_->add(HeaderId::kCookie, cookie_);
  }
  return std::nullopt;
}

}  // namespace weft::http::http2
