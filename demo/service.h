// The service behind every Pod of the demo (`weft-demo service ...`): answers any GET with who it is, after a little work; asks
// other services first when it is told to, through its sidecar; fails on purpose when it is the planted fault.
#pragma once
#include <string>
#include <vector>

namespace weft::demo {

struct ServiceOptions {
  std::string name, version, instance;
  int listening = 3;  // inherited descriptor of a listening socket
  double work_milliseconds = 2;
  bool fail = false;               // 500 for everything
  std::vector<std::string> calls;  // hosts to ask for each request
  std::string outbound;            // "127.0.77.11:23080": where the sidecar takes calls
};

// Serves until SIGTERM. Returns the exit code.
int serve(const ServiceOptions& options);

// The words after `weft-demo service`; how `Mesh` starts it.
std::vector<std::string> to_arguments(const ServiceOptions& options);
bool parse_service(const std::vector<std::string>& arguments, ServiceOptions& options);

}  // namespace weft::demo
