#include "common/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

namespace weft::log {
namespace {

constexpr size_t kLoggers = static_cast<size_t>(Logger::kCount);
constexpr std::array<std::string_view, kLoggers> kNames = {"admin",     "client",  "config", "connection", "conn_handler", "compression",
                                                           "ext_authz", "file",    "filter", "grpc",       "hc",           "http",
                                                           "http2",     "init",    "io",     "main",       "misc",         "pool",
                                                           "router",    "runtime", "stats",  "testing",    "upstream"};
constexpr std::array<std::string_view, 7> kLevels = {"trace", "debug", "info", "warning", "error", "critical", "off"};

// Lets the file change under the loggers while they write.
class Switch final : public spdlog::sinks::sink {
 public:
  Switch() : target_(std::make_shared<spdlog::sinks::stderr_sink_mt>()) {}
  void log(const spdlog::details::log_msg& message) override { target()->log(message); }
  void flush() override { target()->flush(); }
  void set_pattern(const std::string& pattern) override {
    std::lock_guard lock(mutex_);
    pattern_ = pattern;
    target_->set_pattern(pattern);
  }
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
  Status open(const std::string& path) {
    std::shared_ptr<spdlog::sinks::sink> next;
    try {
      if (path.empty())
        next = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      else
        next = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    } catch (const spdlog::spdlog_ex& e) {
      return Error{Error::Kind::kSystem, "log file " + path + ": " + e.what()};
    }
    std::lock_guard lock(mutex_);
    next->set_pattern(pattern_);
    target_ = std::move(next);
    path_ = path;
    return {};
  }
  std::string path() {
    std::lock_guard lock(mutex_);
    return path_;
  }

 private:
  std::shared_ptr<spdlog::sinks::sink> target() {
    std::lock_guard lock(mutex_);
    return target_;
  }
  std::mutex mutex_;
  std::shared_ptr<spdlog::sinks::sink> target_;
  std::string pattern_, path_;
};

struct Loggers {
  std::shared_ptr<Switch> sink = std::make_shared<Switch>();
  std::array<std::shared_ptr<spdlog::logger>, kLoggers> all;
  Loggers() {
    sink->set_pattern(default_format());
    for (size_t i = 0; i < kLoggers; ++i) {
      all[i] = std::make_shared<spdlog::logger>(std::string(kNames[i]), sink);
      all[i]->set_level(spdlog::level::info);
      all[i]->flush_on(spdlog::level::warn);
    }
    spdlog::set_default_logger(all[static_cast<size_t>(Logger::kMain)]);
  }
};
Loggers& loggers() {
  static auto* const kLoggersOfProcess = new Loggers;  // logging must work until the very end
  return *kLoggersOfProcess;
}

}  // namespace

std::string_view to_string(Level level) { return kLevels[static_cast<size_t>(level)]; }

std::optional<Level> level(std::string_view name) {
  if (name == "warn") return Level::kWarning;
  for (size_t i = 0; i < kLevels.size(); ++i)
    if (kLevels[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

std::string_view name_of(Logger logger) { return kNames[static_cast<size_t>(logger)]; }

std::optional<Logger> logger(std::string_view name) {
  for (size_t i = 0; i < kLoggers; ++i)
    if (kNames[i] == name) return static_cast<Logger>(i);
  return std::nullopt;
}

spdlog::logger& get(Logger logger) { return *loggers().all[static_cast<size_t>(logger)]; }

Level level_of(Logger logger) { return static_cast<Level>(get(logger).level()); }
void set_level(Logger logger, Level level) { get(logger).set_level(static_cast<spdlog::level::level_enum>(level)); }
void set_all(Level level) {
  for (size_t i = 0; i < kLoggers; ++i) set_level(static_cast<Logger>(i), level);
}

Status set_components(std::string_view list) {
  std::vector<std::pair<Logger, Level>> changes;
  while (!list.empty()) {
    std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    size_t colon = part.find(':');
    if (colon == std::string_view::npos) return invalid("component log level '" + std::string(part) + "': expected <logger>:<level>");
    auto which = logger(part.substr(0, colon));
    if (!which) return invalid("error: unknown logger name '" + std::string(part.substr(0, colon)) + "'");
    auto to = level(part.substr(colon + 1));
    if (!to) return invalid("error: unknown logger level '" + std::string(part.substr(colon + 1)) + "'");
    changes.emplace_back(*which, *to);
  }
  for (auto [which, to] : changes) set_level(which, to);
  return {};
}

Status set_format(const std::string& format) {
  try {
    loggers().sink->set_pattern(format);
  } catch (const std::exception& e) {
    return invalid("log format '" + format + "': " + e.what());
  }
  return {};
}

std::string default_format() { return "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v"; }

Status set_path(const std::string& path) { return loggers().sink->open(path); }
Status reopen() { return loggers().sink->open(loggers().sink->path()); }

}  // namespace weft::log
