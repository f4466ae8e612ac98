#include "proxy/filters/missing_config.h"

namespace weft::filters {
namespace {

struct NoOptions {};

class MissingConfig final : public HttpFilter {
 public:
  MissingConfig(const NoOptions&, const std::string&) {}
  Verdict on_request_head(FilterContext& context, bool) override {
    LocalReply reply;
    reply.status = 500;
    reply.details = "";
    reply.flag = observe::ResponseFlag::kNoFilterConfigFound;
    context.reply(std::move(reply));
    return Verdict::kReplied;
  }
};

}  // namespace

std::unique_ptr<const FilterFactory> missing_config(std::string name) {
  return std::make_unique<FactoryOf<MissingConfig, NoOptions>>(std::move(name), kOnRequestHead, NoOptions());
}

}  // namespace weft::filters
