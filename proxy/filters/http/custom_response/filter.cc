#include "proxy/filters/http/custom_response/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/rewrite.h"

namespace weft::filters {
namespace {

using observe::CustomResponseStat;

// What the second pass of a request knows of the first.
struct Replacement final : Carried {
  Replacement(const RedirectResponsePolicy& policy, int status) : policy(policy), status(status) {}
  const RedirectResponsePolicy& policy;  // of the listener or of the route table, which the exchange keeps
  const int status;
};

}  // namespace

Verdict CustomResponse::on_request_head(FilterContext&, bool) {
  seen_ = true;
  return Verdict::kContinue;
}

Verdict CustomResponse::on_response_head(FilterContext& context, bool) {
  if (const auto* replacement = dynamic_cast<const Replacement*>(context.carried())) {
    replacement->policy.finish(context, replacement->status);
    return Verdict::kContinue;
  }
  const ResponsePolicy* policy = pick(context);
  return policy ? policy->apply(context, seen_) : Verdict::kContinue;
}

// The most specific level that has something to say of this answer.
const ResponsePolicy* CustomResponse::pick(FilterContext& context) const {
  const routing::MatchSubject subject{nullptr, &context.response()};
  auto by = [&](const CustomResponseRules* rules) {
    return rules && rules->matcher ? static_cast<const ResponsePolicy*>(rules->matcher->find(subject)) : nullptr;
  };
  for (const routing::FilterConfig* told : context.route_configs(name_))
    if (const ResponsePolicy* found = by(dynamic_cast<const CustomResponseRules*>(told))) return found;
  return by(&rules_);
}

Verdict LocalResponsePolicy::apply(FilterContext& context, bool) const {
  LocalReply reply;
  reply.status = status.value_or(context.response().status());
  reply.details = "";
  reply.body = body;
  reply.mutations = &headers;
  if (format) {
    format::RequestInfo& info = context.info();
    info.local_reply_body = body;
    std::string formatted;
    format->append(formatted, info);
    info.local_reply_body = {};
    reply.body = std::move(formatted);
  }
  context.reply(std::move(reply));
  return Verdict::kReplied;
}

Verdict RedirectResponsePolicy::apply(FilterContext& context, bool seen) const {
  if (!seen) return Verdict::kContinue;  // a filter before this one has answered
  auto count = [&](unsigned stat) {
    if (stats) stats->cells(context.thread()).add(stat);
  };
  const std::optional<routing::Url> place =
      url ? url : routing::url_of(routing::redirect_location(route, context.request(), context.info()));
  if (!place) {
    count(CustomResponseStat::kInvalidUri);
    return Verdict::kContinue;
  }
  if (!context.begin_anew(*place, std::make_shared<Replacement>(*this, context.response().status()))) {
    count(CustomResponseStat::kRedirectNoRoute);
    return Verdict::kContinue;
  }
  for (const routing::HeaderToAdd& header : request_headers) header.apply(context.request(), context.info());
  return Verdict::kReplied;
}

void RedirectResponsePolicy::finish(FilterContext& context, int replaced) const {
  for (const routing::HeaderToAdd& header : response_headers) header.apply(context.response(), context.info());
  context.response().set_status(status.value_or(replaced));
  context.info().response_code = context.response().status();
}

}  // namespace weft::filters
