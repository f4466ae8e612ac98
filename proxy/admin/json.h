// Messages of admin.v3 as JSON, in the form of Envoy's pages: proto field names, one space of indentation. Also the parts of
// a configuration that must not be shown.
#pragma once
#include "common/base/error.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Message;
class Any;
class Timestamp;
}  // namespace google::protobuf

namespace weft::admin {

Result<std::string> to_json(const google::protobuf::Message& message, bool print_defaults = false);

void set_time(google::protobuf::Timestamp& to, std::chrono::system_clock::time_point from);

// Packs serialised bytes with secrets redacted. What cannot be shown (an unknown type, broken bytes) becomes a text that says so.
void pack_for_show(google::protobuf::Any& to, const std::string& type_url, const std::string& bytes);
// Private keys, passwords, tickets, tokens, wherever they stand: "[redacted]".
void redact(google::protobuf::Message& message);

// Keeps only the fields that the paths name ("listener.name"), looking into Any; false if a path names none.
bool keep_only(google::protobuf::Message& message, const std::vector<std::string_view>& paths);

}  // namespace weft::admin
