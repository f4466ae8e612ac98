#include "proxy/filters/http/csrf/filter.h"

#include "envoy/extensions/filters/http/csrf/v3/csrf.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

using Policy = envoy::extensions::filters::http::csrf::v3::CsrfPolicy;
using observe::CsrfStat;

Policy policy(uint32_t enabled, uint32_t shadow = 0) {
  Policy out;
  out.mutable_filter_enabled()->mutable_default_value()->set_numerator(enabled);
  out.mutable_shadow_enabled()->mutable_default_value()->set_numerator(shadow);
  out.add_additional_origins()->set_suffix(".partner.test");
  return out;
}

struct Asked {
  const char* method;
  const char* header;
  const char* value;
};

Verdict verdict_on(const Asked& asked, const FilterFactory& factory, FakeContext& context) {
  context.request_.set_method(asked.method);
  context.request_.set_authority("shop.test:81");
  if (asked.header) context.request_.set(asked.header, asked.value);
  MadeFilter filter(factory);
  return filter->on_request_head(context, true);
}

TEST(Csrf, TheHostOfAnOrigin) {
  EXPECT_EQ(host_of_origin("https://shop.test:8080/cart?x#y"), "shop.test:8080");
  EXPECT_EQ(host_of_origin("http://shop.test"), "shop.test");
  EXPECT_EQ(host_of_origin("http://shop.test?a=/b"), "shop.test");
  EXPECT_EQ(host_of_origin("http://shop.test@evil.test/"), "evil.test");
  EXPECT_EQ(host_of_origin("shop.test"), "shop.test");
  EXPECT_EQ(host_of_origin(""), "");
}

TEST(Csrf, OnlyFromItsOwnPages) {
  auto factory = factory_of(csrf_type(), policy(100));
  for (const Asked& asked : {Asked{"POST", "origin", "http://shop.test:81"}, Asked{"POST", "referer", "https://shop.test:81/a"},
                             Asked{"PUT", "origin", "http://a.partner.test"}, Asked{"GET", "origin", "http://evil.test"},
                             Asked{"HEAD", nullptr, nullptr}, Asked{"OPTIONS", "origin", "http://evil.test"}}) {
    FakeContext context;
    EXPECT_EQ(verdict_on(asked, *factory, context), Verdict::kContinue) << asked.method << (asked.value ? asked.value : "");
  }
  for (const Asked& asked : {Asked{"POST", "origin", "http://evil.test"}, Asked{"PUT", "origin", "http://shop.test"},
                             Asked{"DELETE", "origin", "http://SHOP.test:81"}, Asked{"PATCH", "referer", "http://evil.test/shop.test:81"},
                             Asked{"POST", nullptr, nullptr}, Asked{"POST", "origin", "null"}, Asked{"POST", "origin", ""}}) {
    FakeContext context;
    EXPECT_EQ(verdict_on(asked, *factory, context), Verdict::kReplied) << asked.method << (asked.value ? asked.value : "");
    ASSERT_TRUE(context.replied.has_value());
    EXPECT_EQ(context.replied->status, 403);
    EXPECT_EQ(context.replied->body, "Invalid origin");
    EXPECT_EQ(context.replied->details, "csrf_origin_mismatch");
  }
}

TEST(Csrf, ANullOriginIsNotHelpedByAReferer) {
  auto factory = factory_of(csrf_type(), policy(100));
  FakeContext context;
  context.request_.set("referer", "http://shop.test:81/");
  EXPECT_EQ(verdict_on({"POST", "origin", "null"}, *factory, context), Verdict::kReplied);
}

TEST(Csrf, CountsInTheShadow) {
  observe::Registry registry(1);
  auto factory = factory_of(csrf_type(), policy(0, 100), &registry);
  FakeContext a, b, c;
  EXPECT_EQ(verdict_on({"POST", "origin", "http://evil.test"}, *factory, a), Verdict::kContinue);
  EXPECT_EQ(verdict_on({"POST", "origin", "http://shop.test:81"}, *factory, b), Verdict::kContinue);
  EXPECT_EQ(verdict_on({"POST", nullptr, nullptr}, *factory, c), Verdict::kContinue);
  auto stats = observe::csrf_scope(registry, "main");
  EXPECT_EQ(stats->sum(CsrfStat::kRequestInvalid), 1);
  EXPECT_EQ(stats->sum(CsrfStat::kRequestValid), 1);
  EXPECT_EQ(stats->sum(CsrfStat::kMissingSourceOrigin), 1);
}

TEST(Csrf, TheRouteSaysOtherwise) {
  auto factory = factory_of(csrf_type(), policy(100));
  FakeContext context;
  context.configs["envoy.filters.http.csrf"] = route_config_of(csrf_type(), policy(0));
  EXPECT_EQ(verdict_on({"POST", "origin", "http://evil.test"}, *factory, context), Verdict::kContinue);
}

}  // namespace
}  // namespace weft::filters
