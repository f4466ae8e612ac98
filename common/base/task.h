// The executor of one thread's event loop, the coroutine type for what waits, and the only way to start one.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>

namespace weft {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;

template <class T>
using Task = asio::awaitable<T, Executor>;

// `co_await socket.async_x(..., kAwait)` gives a tuple whose first member is the error: I/O errors are values.
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kAwait{};

// Starts `task` on `executor`. An exception that leaves it is logged under `name` and goes no further: a bare co_spawn with
// `detached` would drop it without a word. `name` must be static text. Parameters of the coroutine must own their data.
void spawn(Executor executor, const char* name, Task<void> task);

}  // namespace weft
