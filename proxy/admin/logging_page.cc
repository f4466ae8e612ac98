// POST /logging: shows the levels, changes one, several or all.
#include "common/base/log.h"
#include "proxy/admin/page.h"

namespace weft::admin {
namespace {

constexpr std::string_view kUsage =
    "usage: /logging?<name>=<level> (change single level)\n"
    "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n"
    "usage: /logging?level=<level> (change all levels)\n"
    "levels: trace debug info warning error critical off \n";

std::string active() {
  std::string out = "active loggers:\n";
  for (unsigned i = 0; i < static_cast<unsigned>(log::Logger::kCount); ++i) {
    auto logger = static_cast<log::Logger>(i);
    out += "  " + std::string(log::name_of(logger)) + ": " + std::string(log::to_string(log::level_of(logger))) + "\n";
  }
  return out + "\n";
}

// Empty when done, else what is wrong.
std::string change(const PageRequest& request) {
  if (request.parameters.empty()) return "";
  if (request.parameters.size() > 1) return "error: invalid number of parameters";
  const auto& [name, value] = request.parameters.front();
  if (name == "paths") {
    auto status = log::set_components(value);
    return status ? "" : status.error().detail;
  }
  auto level = log::level(value);
  if (name == "level") {
    if (!level) return "error: unknown logger level";
    log::set_all(*level);
    return "";
  }
  auto logger = log::logger(name);
  if (!logger) return "error: unknown logger name";
  if (!level) return "error: unknown logger level";
  log::set_level(*logger, *level);
  return "";
}

}  // namespace

Page logging_page(PageContext&, const PageRequest& request) {
  std::string wrong = change(request);
  if (!wrong.empty()) return {400, wrong + "\n\n" + std::string(kUsage) + active()};
  return {200, active()};
}

}  // namespace weft::admin
