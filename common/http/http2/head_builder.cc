#include "common/http/http2/head_builder.h"

#include "common/http/syntax.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

constexpr std::string_view kListTooLarge = "http2.header_list_size_too_large";
// A line stands in one slab, and a filter may want to append to it.
constexpr size_t kLineLimit = SlabPool::kLarge - 2048;

constexpr uint32_t bit(NameId pseudo) { return 1u << (pseudo - kAuthority); }

// What a path or an authority may hold at all in HTTP/2; is_path() and is_authority() ask for more.
bool has_path_bytes(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) > 0x20 && c != 0x7f; });
}

constexpr auto kAuthorityBytes = [] {
  std::array<bool, 256> table{};
  for (int c = 0x21; c < 0x7f; ++c)
    table[static_cast<size_t>(c)] = std::string_view("\"#/<>?\\^`{|}").find(static_cast<char>(c)) == std::string_view::npos;
  return table;
}();
bool has_authority_bytes(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return kAuthorityBytes[static_cast<uint8_t>(c)]; });
}

bool has_obs_text(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) > 0x7f; });
}

bool is_scheme(std::string_view text) {
  const auto letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), [letter](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

}  // namespace

void HeadBuilder::begin(Kind kind, Head& head, Message& message) {
  head_ = &head;
  message_ = &message;
  kind_ = kind;
  decoded_ = 0;
  count_ = seen_ = 0;
  regular_ = connect_ = plain_scheme_ = drops_length_ = false;
  if (!cookie_.empty()) cookie_.clear();
  if (!protocol_.empty()) protocol_.clear();
  malformed_ = {};
  fault_.reset();
  head.clear();
}

void HeadBuilder::field(const Field& field) {
  const size_t size = field.name.size() + field.value.size();
  decoded_ += size;
  if (!malformed_.empty()) return;
  const bool is_too_large = decoded_ > uint64_t{options_.max_headers_kib} * 1024 || size > kLineLimit ||
                            (options_.max_field_kib != 0 && size > size_t{options_.max_field_kib} * 1024);
  if (is_too_large) fail(431, kListTooLarge);
  if (!field.sound_name) {
    malformed_ = kInvalidField;
  } else if (field.name.front() == ':') {
    pseudo(field);
  } else {
    regular_ = true;
    const auto id = static_cast<HeaderId>(field.id);
    if (!field.sound_value || !is_well_formed(id, field.value) || (options_.disallow_obs_text && has_obs_text(field.value))) {
      malformed_ = kInvalidField;
    } else if (!fault_) {
      add(id, field);
    }
  }
}

// --- regular fields ---

// RFC 9113 8.2: of one connection are none, and two that decide where a message ends, or whom it is for, agree.
bool HeadBuilder::is_well_formed(HeaderId id, std::string_view value) {
  switch (id) {
    case HeaderId::kConnection:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade: return false;
    case HeaderId::kTe: return equals_ignoring_case(value, "trailers");
    case HeaderId::kHost:
      if (!server_) return true;
      if (message_->host || value.empty() || !has_authority_bytes(value)) return false;
      message_->host = true;
      return true;
    case HeaderId::kContentLength: return takes_length(value);
    default: return true;
  }
}

bool HeadBuilder::takes_length(std::string_view value) {
  if (!server_ && kind_ == Kind::kResponse) {
    const int status = head_->status();
    if (status / 100 == 1) return false;
    // They have no body; one is known for saying so.
    drops_length_ = (status == 204 && value == "0") || (status / 100 == 2 && message_->to_connect);
    if (status == 204 && (!drops_length_ || message_->length >= 0)) return false;
    if (drops_length_ && status != 204) return true;
  }
  const std::optional<uint64_t> length = parse_length(value);
  if (message_->length >= 0 || !length) return false;
  message_->length = static_cast<int64_t>(*length);
  return true;
}

void HeadBuilder::add(HeaderId id, const Field& field) {
  if (id == HeaderId::kCookie && is_request()) {  // RFC 9113 8.2.3
    if (!cookie_.empty()) cookie_ += "; ";
    cookie_ += field.value;
    if (cookie_.size() > kLineLimit) fail(431, kListTooLarge);
    return;
  }
  if (++count_ > std::min<uint32_t>(options_.max_headers_count, 30000)) return fail(431, "http2.too_many_headers");
  if (id == HeaderId::kHost && is_request() && (seen_ & bit(kAuthority))) {
    // Two names for one thing must agree; the line is there already.
    if (!equals_ignoring_case(field.value, std::string(head_->authority()))) fail(400, kMessagingRule);
    return;
  }
  if (id == HeaderId::kContentLength && drops_length_) return;
  if (kind_ == Kind::kTrailers && is_forbidden_trailer(id)) return;
  if (id == HeaderId::kOther) {
    head_->add(field.name, field.value);
  } else {
    head_->add(id, field.value);
  }
}

// --- pseudo-headers ---

// RFC 9113 8.3: each once, before all others, those of its kind.
void HeadBuilder::pseudo(const Field& field) {
  const bool of_kind =
      kind_ == Kind::kRequest ? field.id != kOtherName && field.id != kStatus : kind_ == Kind::kResponse && field.id == kStatus;
  if (!of_kind || regular_ || (seen_ & bit(field.id)) || field.value.empty()) {
    malformed_ = kInvalidField;
    return;
  }
  seen_ |= bit(field.id);
  if (is_request()) return request_pseudo(field);
  int status = 0;
  for (char c : field.value) status = c >= '0' && c <= '9' ? status * 10 + (c - '0') : 100000;
  if (field.value.size() != 3 || status > 999 || status == 101) {
    malformed_ = kInvalidField;
  } else if (status < 100) {
    fail(400, kMessagingRule);
  } else {
    head_->set_status(status);
  }
}

void HeadBuilder::request_pseudo(const Field& field) {
  const std::string_view value = field.value;
  bool sound = true;
  switch (field.id) {
    case kMethod: sound = is_token(value); break;
    case kPath: sound = has_path_bytes(value); break;
    case kScheme: sound = is_scheme(value); break;
    case kAuthority: sound = has_authority_bytes(value); break;
    default: sound = options_.allow_connect && field.sound_value; break;  // :protocol, where it was offered
  }
  if (!sound) {
    malformed_ = kInvalidField;
    return;
  }
  if (field.id == kMethod) connect_ = value == "CONNECT";
  if (field.id == kScheme) plain_scheme_ = value == "http" || value == "https";
  if (value.size() > kLineLimit) return;
  switch (field.id) {
    case kMethod: head_->set_method(value); break;
    case kPath:
      if (value.find('#') != value.npos) fail(400, "path_normalization_failed");
      if (!is_path(value)) fail(400, kInvalidField);
      head_->set_path(value);
      break;
    case kScheme: {
      const bool https = equals_ignoring_case(value, "https");
      if (!https && !equals_ignoring_case(value, "http")) fail(400, kInvalidField);
      head_->set_scheme(https ? "https" : "http");
      break;
    }
    case kAuthority:
      if (!is_authority(value)) fail(400, kInvalidField);
      head_->set_authority(value);
      break;
    default:
      if (!is_token(value)) fail(400, kInvalidField);
      protocol_ = value;
      break;
  }
}

// --- whole messages ---

void HeadBuilder::finish(bool end) {
  if (!malformed_.empty()) return;
  Message& message = *message_;
  bool sound = true;
  if (kind_ == Kind::kTrailers) {
    sound = end;
  } else if (is_request()) {
    const bool authority = seen_ & bit(kAuthority);
    if (connect_ && !(seen_ & bit(kProtocol))) {
      sound = seen_ == (bit(kMethod) | bit(kAuthority));
      message.length = -1;
    } else {
      constexpr uint32_t kNeeded = bit(kMethod) | bit(kPath) | bit(kScheme);
      sound = (seen_ & kNeeded) == kNeeded && (authority || message.host) && (!(seen_ & bit(kProtocol)) || (connect_ && authority));
      // As far as the fault that a path has by itself is not told better.
      const std::string_view path = head_->path();
      if (plain_scheme_ && !path.empty() && path.front() != '/' && !(path == "*" && head_->method() == "OPTIONS")) sound = false;
    }
  } else {
    const int status = head_->status();
    sound = seen_ != 0 && !(status / 100 == 1 && end);
    if (status / 100 == 1) {
      message = {-1, 0, false, message.to_head, message.to_connect};
    } else if (message.to_head || status == 204 || status == 304) {
      message.length = 0;
    } else if (message.to_connect) {
      message.length = -1;
    }
  }
  if (!sound || (end && !message.whole())) {
    malformed_ = kMessagingRule;
  } else if (!fault_ && is_request()) {
    finish_request();
  }
}

void HeadBuilder::finish_request() {
  if (!protocol_.empty()) {
    head_->set_method("GET");  // it has a path and a scheme like any other
    set_upgrade(*head_, protocol_);
  }
  if (head_->path() == "*" && head_->method() != "OPTIONS") return fail(400, kInvalidField);
  if (!head_->has(HeaderId::kHost)) return fail(400, "missing_host_header");
  if (!(seen_ & bit(kAuthority)) && !is_authority(head_->authority())) return fail(400, kInvalidField);
  if (!cookie_.empty()) {
    if (!is_field_value(cookie_)) return fail(400, kInvalidField);
    head_->add(HeaderId::kCookie, cookie_);
  }
}

}  // namespace weft::http::http2
