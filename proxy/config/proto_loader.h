// Text (YAML or JSON) into any protobuf message, by reflection. What protobuf's own JSON reader refuses with one curt line, this
// one reports with line, caret and field path, and it reports everything that is wrong at once.
//
// Follows protobuf's JSON mapping: snake_case or camelCase names, enums by name or number, wrappers as plain values, Duration
// "0.25s", Timestamp in RFC 3339, bytes in base64, Any with "@type". null means: not set.
#pragma once
#include "common/base/diagnostic.h"
#include "common/base/yaml.h"

#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
class Struct;
}  // namespace google::protobuf

namespace weft::config {

inline constexpr std::string_view kLoadCode = "WEFT0501";         // the text does not fit the message
inline constexpr std::string_view kUnsupportedCode = "WEFT0502";  // set, but not supported by this version
inline constexpr std::string_view kRuleCode = "WEFT0503";         // breaks a rule of the field
inline constexpr std::string_view kBuildCode = "WEFT0504";        // fits, but does not make sense
inline constexpr std::string_view kFlagCode = "WEFT0505";         // the file or the command line as a whole

struct LoadOptions {
  bool allow_unknown_fields = false;  // unknown names become warnings
};

// Reads `document` into `message` (merging into what it holds). Appends every problem found; false if one is an error.
bool load(const yaml::Document& document, google::protobuf::Message& message, Diagnostics& problems, const LoadOptions& options = {});

// A Struct (as TypedStruct carries it) into `message`; problems carry field paths that begin with `path`.
bool load_struct(const google::protobuf::Struct& value, google::protobuf::Message& message, const std::string& path, Diagnostics& problems);

// Where the field at `path` ("static_resources.listeners[0].name") stands in the text: the deepest node of the path that is
// written there. `depth` receives how much of the path was found, for choosing among documents.
Mark locate(const yaml::Node& root, std::string_view path, size_t* depth = nullptr);

// "a" + "b" -> "a.b"; an empty path adds no dot.
std::string join(std::string_view path, std::string_view field);

// The name after the last slash of a type URL.
std::string_view type_name(std::string_view type_url);
// The last word of a full name: "Listener".
std::string_view short_name(std::string_view full_name);

// "0.25s" -> seconds and nanoseconds as a Duration holds them.
bool parse_duration(std::string_view text, int64_t& seconds, int32_t& nanos);

}  // namespace weft::config
