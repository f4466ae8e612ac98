// What a real istiod 1.30.3 sent three proxies of this mesh, as facts (tests/golden/istiod/*.facts), against what we send: every
// difference is an exception below, which docs/differences.md has a row for, and every exception still occurs.
#include "controlplane/translate/translate.h"

#include "facts.h"
#include "world.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"

#include <google/protobuf/util/json_util.h>
#include <re2/re2.h>

#include <set>

namespace weft::translate {
namespace {

const std::string kGolden = std::string(WEFT_SOURCE_DIR) + "/tests/golden/";

struct Exception {
  const char* pattern;  // of the fact's whole line
  const char* row;      // where docs/differences.md tells it
};

// Facts that only istiod has.
const Exception kTheirs[] = {
    {"listener virtualInbound (chain .*transport=tls.*|looks .*tls_inspector.*)", "TLS of inbound traffic"},
    {"cluster .* socket tlsMode-.*", "servers of HTTPS and TLS"},
    {"listener 0.0.0.0_8443.*", "servers of HTTPS and TLS"},
    {"manager outbound_0.0.0.0_8443;.*", "servers of HTTPS and TLS"},
    {"routes https\\.443\\..*", "servers of HTTPS and TLS"},
    {".* filter istio\\..*", "filters `istio.metadata_exchange`"},
    {".* filter envoy\\.filters\\.(http|network)\\.rbac", "filters of policy"},
    {"manager .* traces", "`tracing` of the connection manager"},
    {"manager .* filter envoy\\.filters\\.http\\.grpc_stats emits", "`emit_filter_state` of `grpc_stats`"},
    {"cluster .* stats=.*;", "`alt_stat_name`"},
    {"manager outbound_0.0.0.0_8080; http1 options", "`http_protocol_options`"},
    {"listener .* accepts=1", "`http_protocol_options`"},
    {"listener 0.0.0.0_8080 chain  \\[ \\] handshake=15s", "`http_protocol_options`"},
    {"routes 80 host .* route \\d .*outbound\\|80\\|.*\\b(payment|product|user)-service\\..*", "a destination with one port"},
};
// Facts that only we have.
const Exception kOurs[] = {
    {"listener virtualInbound (chain .*transport=raw_buffer.*|looks .*http_inspector.*)", "TLS of inbound traffic"},
    {"cluster .* remaining=true", "`track_remaining`"},
    {"listener 0.0.0.0_8080 chain  \\[ \\]", "`http_protocol_options`"},
    {"routes 80 host .* route \\d .*outbound\\|8080\\|.*", "a destination with one port"},
};

const model::View& mesh() {
  static const auto view = view_of(read_file(kGolden + "mesh.yaml") + read_file(kGolden + "istiod/mesh.yaml"));
  return *view;
}

template <class Message>
void add(std::string_view kind, const std::vector<Message>& messages, std::set<std::string>& all) {
  std::string json = "[";
  for (const Message& message : messages) {
    std::string text;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &text).ok());
    json += (json.size() > 1 ? "," : "") + text;
  }
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(yaml::parse(json + "]", "json", documents, problem)) << problem.message;
  for (std::string& fact : facts::of(kind, documents.at(0).root)) all.insert(std::move(fact));
}

std::set<std::string> facts_sent_to(const std::string& id) {
  const model::Node node = node_of(id, "{}");
  const ListenerPlan plan = listener_plan(mesh(), node);
  const Client client = client_of(mesh(), node, plan);
  std::set<std::string> all;
  add("clusters", outbound_clusters(mesh(), scope_of(mesh(), node)), all);
  add("clusters", inbound_clusters(mesh(), node, plan), all);
  add("endpoints", load_assignments(mesh(), scope_of(mesh(), node)), all);
  add("listeners", listeners(plan), all);
  if (client.captured) add("listeners", outbound_listeners(mesh(), client), all);
  add("routes", route_configurations(mesh(), client), all);
  return all;
}

std::set<std::string> lines_of(const std::string& path) {
  std::istringstream text(read_file(path));
  std::set<std::string> lines;
  for (std::string line; std::getline(text, line);)
    if (!line.empty() && !line.starts_with('#')) lines.insert(line);
  return lines;
}

// What `only` has and `other` has not must be excepted; marks the exceptions that were needed.
void expect_excepted(const std::set<std::string>& only, const std::set<std::string>& other, std::span<const Exception> exceptions,
                     const std::string& who, std::set<const Exception*>& used) {
  for (const std::string& fact : only) {
    if (other.contains(fact)) continue;
    bool excepted = false;
    for (const Exception& one : exceptions) {
      if (!RE2::FullMatch(fact, one.pattern)) continue;
      excepted = true;
      used.insert(&one);
    }
    EXPECT_TRUE(excepted) << "only " << who << ": " << fact;
  }
}

TEST(IstiodFacts, AreOursButForTheListedDifferences) {
  const std::pair<const char*, const char*> proxies[] = {
      {"app-1.default", "sidecar~10.0.0.1~app-1.default~default.svc.cluster.local"},
      {"order-1.production", "sidecar~10.0.1.1~order-1.production~production.svc.cluster.local"},
      {"ingress-1.istio-system", "router~10.0.2.1~ingress-1.istio-system~istio-system.svc.cluster.local"}};
  const std::string page = read_file(std::string(WEFT_SOURCE_DIR) + "/docs/differences.md");
  std::set<const Exception*> used;
  for (const auto& [name, id] : proxies) {
    SCOPED_TRACE(name);
    const auto theirs = lines_of(kGolden + "istiod/" + name + ".facts");
    EXPECT_GT(theirs.size(), 50u);
    const auto ours = facts_sent_to(id);
    expect_excepted(theirs, ours, kTheirs, "istiod's", used);
    expect_excepted(ours, theirs, kOurs, "ours", used);
  }
  for (std::span<const Exception> all : {std::span<const Exception>(kTheirs), std::span<const Exception>(kOurs)}) {
    for (const Exception& one : all) {
      EXPECT_TRUE(used.contains(&one)) << "no longer differs: " << one.pattern;
      EXPECT_NE(page.find("| " + std::string(one.row)), std::string::npos) << "docs/differences.md has no row " << one.row;
    }
  }
}

}  // namespace
}  // namespace weft::translate
