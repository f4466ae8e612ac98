// weft-control as the demo uses it: by its HTTP API alone, as weftctl does.
#pragma once
#include "demo/blocking_http.h"

#include <boost/json/object.hpp>
#include <utility>
#include <vector>

namespace weft::demo {

struct Applied {
  bool ok = false;
  std::string revision;
  std::vector<std::string> errors, warnings;  // one line each
};

struct NamedText {
  std::string name, text;
};

class Control {
 public:
  explicit Control(Address api) : api_(std::move(api)) {}

  const Address& address() const { return api_; }
  bool ready() const;
  // All of the files or none.
  Applied apply(const std::vector<NamedText>& files) const;
  // All objects of these kinds.
  Result<std::vector<boost::json::object>> objects(const std::vector<std::string>& kinds) const;

 private:
  Address api_;
};

// The command line that starts weft-control with its store in `folder`.
std::vector<std::string> control_command(const std::string& program, const std::string& folder, const Address& api, const Address& xds);

}  // namespace weft::demo
