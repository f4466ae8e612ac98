// The API's values as JSON. Field names are frozen once released; docs/api.md lists them.
#pragma once
#include "controlplane/api/http_server.h"
#include "controlplane/model/resource.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <optional>

namespace weft::api {

namespace json = boost::json;

Reply json_reply(const json::value& value, int status = 200);

json::object to_json(const Diagnostic& finding);
json::array to_json(const Diagnostics& findings);
json::object to_json(const model::Key& key);
// RFC 3339 with milliseconds, in UTC; null for a time that never was.
json::value to_json(std::chrono::system_clock::time_point time);
// A JSON text that is known to be good, as a value.
json::value parsed(std::string_view text);

// The object that "/v1/resources/KIND/NAMESPACE/NAME" names.
std::optional<model::Key> key_of_path(std::string_view path);

// "10s", "1m30s", "250ms", or a number of seconds.
std::optional<std::chrono::milliseconds> read_duration(const std::string& text);

}  // namespace weft::api
