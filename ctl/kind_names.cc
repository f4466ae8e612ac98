#include "ctl/kind_names.h"

#include "common/base/diagnostic.h"
#include "controlplane/validation/kinds.h"

namespace weft::ctl {
namespace {

struct Short {
  std::string_view word, kind;
};
constexpr Short kShorts[] = {{"vs", "VirtualService"}, {"dr", "DestinationRule"}, {"gw", "Gateway"},
                             {"se", "ServiceEntry"},   {"we", "WorkloadEntry"},   {"wg", "WorkloadGroup"},
                             {"svc", "Service"},       {"ep", "Endpoints"},       {"po", "Pod"},
                             {"ns", "Namespace"},      {"gc", "GatewayClass"},    {"refgrant", "ReferenceGrant"},
                             {"rl", "RateLimit"}};

std::string plural(std::string name) {
  if (name.ends_with("class")) return name + "es";
  if (name.ends_with("s")) return name;
  if (name.ends_with("ry")) return name.substr(0, name.size() - 1) + "ies";
  return name + "s";
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool kind_named(std::string_view word, std::string& kind, std::string& problem) {
  // gateways.gateway.networking.k8s.io, or gtw: not Istio's.
  const std::string whole = lower_case(word);
  const bool gateway = whole.starts_with("gateway.") || whole.starts_with("gateways.");
  if (whole == "gtw" || (gateway && whole.ends_with(".gateway.networking.k8s.io"))) {
    kind = model::kKubeGateway;
    return true;
  }
  const std::string name = lower_case(word.substr(0, word.find('.')));
  if (name == "all") {
    kind.clear();
    return true;
  }
  for (const Short& known : kShorts) {
    if (known.word != name) continue;
    kind = known.kind;
    return true;
  }
  std::vector<std::string> names;
  for (const validation::Kind& known : validation::kinds()) {
    if (!known.key_kind.empty()) continue;
    const std::string single = lower_case(known.name);
    if (name == single || name == plural(single)) {
      kind = known.name;
      return true;
    }
    names.push_back(single);
  }
  const std::string_view meant = did_you_mean(name, {names.begin(), names.end()});
  problem = "\"" + std::string(word) + "\" is no kind that Weft holds";
  if (!meant.empty()) {
    problem += "; did you mean " + std::string(meant) + "?";
  } else {
    problem += "; expected one of";
    for (size_t i = 0; i < names.size(); ++i) problem += (i ? ", " : " ") + names[i];
    problem += " or all";
  }
  return false;
}

}  // namespace weft::ctl
