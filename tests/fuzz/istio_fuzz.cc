// links: controlplane_validation
// Any bytes as Istio and Kubernetes objects. Beyond not crashing: a refusal has a code and a message; what is accepted reads back
// from its kept text as the very same object (a restart depends on it); and a view of whatever was accepted answers every query.
#include "controlplane/model/changes.h"
#include "controlplane/validation/validation.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace weft;

namespace {

[[noreturn]] void broken(const char* rule, const std::string& detail) {
  std::fprintf(stderr, "broken rule: %s\n%s\n", rule, detail.c_str());
  std::abort();
}

void query(const model::View& view) {
  for (const model::ServiceInfo* service : view.services()) {
    for (const model::ServicePort& port : service->ports)
      for (const model::Endpoint& endpoint : view.endpoints(*service, port.number)) {
        model::Node node;
        node.ip = endpoint.address;
        node.name = endpoint.workload;
        node.ns = endpoint.ns;
        view.inbound(node);
      }
    view.destination_rule(service->hostname, service->ns, "default");
  }
  view.visible_services("default");
  view.virtual_services("default");
  view.gateways({}, "default");
  for (const model::ResourcePtr& resource : view.resources()) view.status(resource->key);
  validation::check_references(view);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  validation::Verdicts verdicts = validation::validate_text({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  for (const Diagnostic& finding : verdicts.findings)
    if (finding.code.empty() || finding.message.empty()) broken("a finding has a code and says what was found", render(finding));
  std::vector<model::ResourcePtr> resources;
  uint64_t age = 0;
  for (model::Resource& resource : verdicts.resources) {
    const validation::Verdict again = validation::validate(resource.document());
    if (!again.resource) broken("an accepted object is accepted again", *resource.origin.text + render(again.findings));
    if (again.resource->json != resource.json) broken("an object reads back the same", resource.json + "\n" + again.resource->json);
    resource.created = ++age;
    resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  }
  auto view = model::View::build(1, resources);
  query(*view);
  if (!resources.empty()) resources.pop_back();
  auto smaller = model::View::build(2, std::move(resources), view);
  query(*smaller);
  model::difference(*view, *smaller);
  return 0;
}
