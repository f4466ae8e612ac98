// What the user asked for on the command line of weft-demo.
#pragma once
#include "common/base/error.h"

#include <string>
#include <vector>

namespace weft::demo {

struct Options {
  double seconds = 0;  // 0: until Ctrl-C on a terminal; a pipe ends after the story
  double step = 9;     // between two files of the story
  double rate = 1;     // factor on the load
  bool json = false;   // a report at the end, nothing else on stdout
  bool keep = false;   // stay after the story until Ctrl-C, whatever stdout is
  bool help = false;
  std::string programs;  // folder of weft-proxy and weft-control; default: where weft-demo is
  std::string proxy;     // the data plane; default programs/weft-proxy. A real Envoy fits too
  std::string config;    // folder with customer/ and demo/
};

Result<Options> parse_options(const std::vector<std::string>& arguments);
extern const char* const kUsage;

}  // namespace weft::demo
