// Named loggers, with the names and levels of Envoy, so that -l, --component-log-level and POST /logging mean what people
// know. All write to one sink (stderr, or a file): `log::get(Logger::kPool).debug("...")`. This header is light on purpose;
// include <spdlog/spdlog.h> (linked, not header-only) where you log.
#pragma once
#include "common/base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spdlog {
class logger;
}

namespace weft::log {

enum class Logger : unsigned char {
  kAdmin,
  kClient,
  kConfig,
  kConnection,
  kConnHandler,
  kCompression,
  kExtAuthz,
  kFile,
  kFilter,
  kGrpc,
  kHc,
  kHttp,
  kHttp2,
  kInit,
  kIo,
  kMain,
  kMisc,
  kPool,
  kRouter,
  kRuntime,
  kStats,
  kTesting,
  kUpstream,
  kCount
};

enum class Level : unsigned char { kTrace, kDebug, kInfo, kWarning, kError, kCritical, kOff };
// "warning"; "warn" is understood too.
std::string_view to_string(Level level);
std::optional<Level> level(std::string_view name);

std::string_view name_of(Logger logger);
std::optional<Logger> logger(std::string_view name);

// Lives as long as the process; any thread.
spdlog::logger& get(Logger logger);

Level level_of(Logger logger);
void set_level(Logger logger, Level level);
void set_all(Level level);
// "pool:debug,http:trace", all or nothing. The error names the part that is wrong.
Status set_components(std::string_view list);
// Envoy's pattern letters are spdlog's: "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v" is the default.
Status set_format(const std::string& format);
std::string default_format();
// Lines go to this file from now on (appended); an empty path is stderr.
Status set_path(const std::string& path);
// Opens the file of set_path anew, after a rotation.
Status reopen();

}  // namespace weft::log
