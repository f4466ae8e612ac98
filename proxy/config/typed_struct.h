// An extension's configuration may come as a TypedStruct: a type URL and a Struct in place of the message. This puts the message
// there, so that nobody further in has to know.
#pragma once
#include "common/base/diagnostic.h"

#include <string>

namespace google::protobuf {
class Message;
}

namespace weft::config {

// Replaces every Any in `message` that holds a TypedStruct of a known type. False after a complaint.
bool unwrap_typed_structs(google::protobuf::Message& message, const std::string& path, Diagnostics& problems);

}  // namespace weft::config
