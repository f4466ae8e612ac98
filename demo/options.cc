#include "demo/options.h"

#include <charconv>
#include <filesystem>

namespace weft::demo {

const char* const kUsage =
    R"(The mesh at work: weft-control, small services with a weft-proxy each, a gateway and a load generator, all on loopback.

usage: ./dev demo [--seconds N] [--json] [--keep] [--step N] [--rate X]

  --seconds N    end after N seconds (default: Ctrl-C on a terminal, the end of the story in a pipe)
  --json         print one JSON report at the end; exit 1 when a share, a file or a program is not as it should be
  --keep         stay until Ctrl-C after the story, also in a pipe
  --step N       seconds between two files (9)
  --rate X       load, as a factor (1: about 110 requests per second)
  --programs DIR where weft-proxy and weft-control are (beside weft-demo)
  --proxy FILE   another data plane that reads an Envoy bootstrap, say a real Envoy
  --config DIR   folder with customer/ and demo/ (the repository's config/)

It needs neither root nor a network, and picks addresses and ports that are free. Ctrl-C leaves nothing behind.
)";

namespace {

bool to_number(const std::string& text, double& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i], value;
    bool has_value = false;
    if (const size_t equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
      has_value = true;
    }
    const auto take_value = [&] {
      if (!has_value && i + 1 < arguments.size()) value = arguments[++i], has_value = true;
      return has_value;
    };
    double* number = name == "--seconds" ? &options.seconds : name == "--step" ? &options.step : name == "--rate" ? &options.rate : nullptr;
    std::string* text = name == "--programs" ? &options.programs
                        : name == "--proxy"  ? &options.proxy
                        : name == "--config" ? &options.config
                                             : nullptr;
    if (name == "--help" || name == "-h")
      options.help = true;
    else if (name == "--json")
      options.json = true;
    else if (name == "--keep")
      options.keep = true;
    else if (number != nullptr) {
      if (!take_value() || !to_number(value, *number) || !(*number > 0) || *number > 1e6)
        return invalid(name + ": found \"" + value + "\", expected a number greater than 0");
    } else if (text != nullptr) {
      if (!take_value() || value.empty()) return invalid(name + " needs a path");
      *text = value;
    } else {
      return invalid("\"" + arguments[i] + "\" is not known here; --help lists what is");
    }
  }
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  if (options.programs.empty()) options.programs = self;
  if (options.proxy.empty()) options.proxy = options.programs + "/weft-proxy";
  if (options.config.empty()) {
    // build/<preset>/bin/weft-demo, or wherever the user stands.
    for (const std::filesystem::path& base : {self / "../../..", std::filesystem::path(".")}) {
      std::error_code none;
      if (std::filesystem::exists(base / "config/demo/services.yaml", none)) {
        options.config = std::filesystem::weakly_canonical(base / "config");
        break;
      }
    }
    if (options.config.empty()) return not_found("config/demo/services.yaml is not here; name its folder with --config DIR");
  }
  return options;
}

}  // namespace weft::demo
