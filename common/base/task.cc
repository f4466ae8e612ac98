#include "common/base/task.h"

#include <spdlog/spdlog.h>
#include <boost/asio/co_spawn.hpp>

#include <exception>

namespace weft {

void spawn(Executor executor, const char* name, Task<void> task) {
  asio::co_spawn(executor, std::move(task), [name](std::exception_ptr error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      spdlog::error("task {} ended by an exception: {}", name, e.what());
    }
  });
}

}  // namespace weft
