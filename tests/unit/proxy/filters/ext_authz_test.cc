#include "proxy/filters/http/ext_authz/filter.h"

#include "envoy/extensions/filters/http/ext_authz/v3/ext_authz.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

using Proto = envoy::extensions::filters::http::ext_authz::v3::ExtAuthz;
using observe::ExtAuthzStat;

Proto config() {
  Proto proto;
  auto& service = *proto.mutable_http_service();
  service.mutable_server_uri()->set_uri("http://authority");
  service.mutable_server_uri()->set_cluster("authority");
  service.mutable_server_uri()->mutable_timeout()->set_nanos(250'000'000);
  service.set_path_prefix("/check");
  proto.mutable_allowed_headers()->add_patterns()->set_prefix("x-auth-");
  auto& response = *service.mutable_authorization_response();
  response.mutable_allowed_upstream_headers()->add_patterns()->set_exact("x-user");
  response.mutable_allowed_client_headers_on_success()->add_patterns()->set_exact("x-quota");
  return proto;
}

class ExtAuthzTest : public testing::Test {
 protected:
  ExtAuthzTest() {
    context_.request_.set_method("POST");
    context_.request_.set_path("/orders?x=1");
    context_.request_.set_authority("api.example");
    context_.request_.add("authorization", "Bearer t");
    context_.request_.add("x-auth-tenant", "7");
    context_.request_.add("cookie", "secret");
    context_.request_.add("content-length", "10");
  }
  Verdict ask(const Proto& proto) {
    factory_ = factory_of(ext_authz_type(), proto, &registry_);
    filter_ = std::make_unique<MadeFilter>(*factory_);
    return (*filter_)->on_request_head(context_, false);
  }
  void answer(int status, std::initializer_list<std::pair<const char*, const char*>> headers = {}, std::string_view body = {}) {
    http::Head head(context_.pool);
    head.set_status(status);
    for (const auto& [name, value] : headers) head.add(name, value);
    context_.caller_.answer_to->on_answer(head, body);
  }
  int64_t counted(unsigned metric) { return observe::ext_authz_scope(registry_, "main", "")->sum(metric); }
  void TearDown() override {
    if (filter_) (*filter_)->on_done(context_);
  }

  observe::Registry registry_{1};
  FakeContext context_;
  std::unique_ptr<const FilterFactory> factory_;
  std::unique_ptr<MadeFilter> filter_;
};

TEST_F(ExtAuthzTest, ShowsTheHeadToTheService) {
  EXPECT_EQ(ask(config()), Verdict::kWait);
  const upstream::CallRequest& asked = *context_.caller_.asked;
  EXPECT_EQ(asked.cluster, "authority");
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.path, "/check/orders?x=1");
  EXPECT_EQ(asked.authority, "api.example");
  EXPECT_EQ(asked.timeout.count(), 250);
  EXPECT_EQ(asked.headers, (std::vector<std::pair<std::string, std::string>>{
                               {"authorization", "Bearer t"}, {"x-auth-tenant", "7"}, {"content-length", "0"}}));
}

TEST_F(ExtAuthzTest, LetsPassWithHeaders) {
  ask(config());
  answer(200, {{"x-user", "ann"}, {"x-other", "no"}, {"x-quota", "5"}, {"x-envoy-auth-headers-to-remove", "cookie, :path"}});
  EXPECT_EQ(context_.resumed, 1);
  EXPECT_EQ(context_.request_.value("x-user"), "ann");
  EXPECT_EQ(context_.request_.find("x-other"), nullptr);
  EXPECT_EQ(context_.request_.find("cookie"), nullptr);
  EXPECT_EQ(context_.request_.path(), "/orders?x=1");
  EXPECT_FALSE(context_.cleared);
  (*filter_)->on_response_head(context_, true);
  EXPECT_EQ(context_.response_.value("x-quota"), "5");
  EXPECT_EQ(counted(ExtAuthzStat::kOk), 1);
}

TEST_F(ExtAuthzTest, MayAskForAnotherRoute) {
  Proto proto = config();
  proto.set_clear_route_cache(true);
  ask(proto);
  answer(200, {{"x-user", "ann"}});
  EXPECT_TRUE(context_.cleared);
}

TEST_F(ExtAuthzTest, ADenialIsTheClientsAnswer) {
  ask(config());
  answer(401, {{"www-authenticate", "Basic"}, {"content-length", "4"}, {"connection", "close"}}, "who?");
  ASSERT_TRUE(context_.replied.has_value());
  EXPECT_EQ(context_.replied->status, 401);
  EXPECT_EQ(context_.replied->body, "who?");
  EXPECT_EQ(context_.replied->details, "ext_authz_denied");
  EXPECT_EQ(context_.replied->flag, observe::ResponseFlag::kUnauthorizedExternalService);
  EXPECT_EQ(context_.replied->headers, (std::vector<std::pair<std::string, std::string>>{{"www-authenticate", "Basic"}}));
  EXPECT_EQ(context_.resumed, 0);
  EXPECT_EQ(counted(ExtAuthzStat::kDenied), 1);
}

TEST_F(ExtAuthzTest, OnlyAllowedHeadersReachTheClient) {
  Proto proto = config();
  proto.mutable_http_service()->mutable_authorization_response()->mutable_allowed_client_headers()->add_patterns()->set_exact("x-reason");
  ask(proto);
  answer(302, {{"location", "/login"}, {"x-reason", "r"}, {"x-internal", "i"}});
  EXPECT_EQ(context_.replied->headers, (std::vector<std::pair<std::string, std::string>>{{"location", "/login"}, {"x-reason", "r"}}));
}

TEST_F(ExtAuthzTest, AnErrorCloses) {
  ask(config());
  answer(503);
  EXPECT_EQ(context_.replied->status, 403);
  EXPECT_EQ(context_.replied->details, "ext_authz_error");
  EXPECT_EQ(counted(ExtAuthzStat::kError), 1);
}

TEST_F(ExtAuthzTest, NoAnswerWithItsOwnStatus) {
  Proto proto = config();
  proto.mutable_status_on_error()->set_code(envoy::type::v3::ServiceUnavailable);
  ask(proto);
  context_.caller_.answer_to->on_failed(observe::ResponseFlag::kUpstreamRequestTimeout, "timeout");
  EXPECT_EQ(context_.replied->status, 503);
  EXPECT_EQ(counted(ExtAuthzStat::kTimeout), 1);
}

TEST_F(ExtAuthzTest, FailureModeAllow) {
  Proto proto = config();
  proto.set_failure_mode_allow(true);
  proto.set_failure_mode_allow_header_add(true);
  ask(proto);
  context_.caller_.answer_to->on_failed(observe::ResponseFlag::kUpstreamConnectionFailure, "refused");
  EXPECT_EQ(context_.resumed, 1);
  EXPECT_EQ(context_.request_.value("x-envoy-auth-failure-mode-allowed"), "true");
  EXPECT_EQ(counted(ExtAuthzStat::kFailureModeAllowed), 1);
}

TEST_F(ExtAuthzTest, ARouteMayBeOpen) {
  envoy::extensions::filters::http::ext_authz::v3::ExtAuthzPerRoute route;
  route.set_disabled(true);
  context_.configs["envoy.filters.http.ext_authz"] = route_config_of(ext_authz_type(), route);
  EXPECT_EQ(ask(config()), Verdict::kContinue);
  EXPECT_FALSE(context_.caller_.asked.has_value());
}

TEST_F(ExtAuthzTest, WithoutARouteNobodyIsAsked) {
  context_.has_route = false;
  EXPECT_EQ(ask(config()), Verdict::kContinue);
}

TEST_F(ExtAuthzTest, AClientThatLeavesEndsTheCall) {
  ask(config());
  (*filter_)->on_done(context_);
  EXPECT_TRUE(context_.caller_.given_up);
}

}  // namespace
}  // namespace weft::filters
