// What went wrong, on whose side, and whether trying again is safe. Expected failures (a peer, a file, the system) are
// values of Result<T>; only our own bugs are asserts.
#pragma once
#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace weft {

// Whose fault it is: the client's side, the server's side, or this process and its configuration.
enum class Side : unsigned char { kDownstream, kUpstream, kLocal };

// kSafe: nothing of the request was acted upon, another attempt changes nothing twice.
enum class Retry : unsigned char { kSafe, kUnsafe };

struct Error {
  enum class Kind : unsigned char {
    kInvalid,  // the bytes or the text are wrong
    kNotFound,
    kRefused,  // connect refused, or configuration refused
    kTimeout,
    kClosed,       // the peer ended or reset
    kLimit,        // a bound of ours was reached
    kUnavailable,  // try later
    kSystem,       // errno
  };
  Kind kind = Kind::kInvalid;
  std::string detail;
  Side side = Side::kLocal;
  Retry retry = Retry::kUnsafe;
};

inline Error invalid(std::string detail) { return {Error::Kind::kInvalid, std::move(detail)}; }
inline Error not_found(std::string detail) { return {Error::Kind::kNotFound, std::move(detail)}; }
// `what` followed by the text of errno value `code`: "bind 127.0.0.1:80: Permission denied".
Error system_error(std::string what, int code);

template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

// boost::system::result asks for this when value() is called on an error: that is a bug of the caller.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("unchecked error: " + error.detail);
}

}  // namespace weft
