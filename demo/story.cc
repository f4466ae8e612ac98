#include "demo/story.h"

namespace weft::demo {

const std::vector<Chapter>& story() {
  static const std::vector<Chapter> chapters{
      {{"demo/services.yaml"},
       "the shop is registered: services and pods, no rules yet",
       "Each service spreads over its pods alike. One of five payment pods is broken on purpose (500). No gateway: outside gets no answer.",
       {"users", "products", "payments", "orders"}},
      {{"customer/gateway.yaml"},
       "gateway.yaml: the ingress gateway opens its HTTP port",
       "The port answers, but no route leads inside yet: 404. The HTTPS server of the file waits for TLS (a warning says so).",
       {"orders"}},
      {{"customer/virtualservice.yaml"},
       "virtualservice.yaml: api.ecommerce.com/api/orders goes 90/10 to order-service and order-service-v2",
       "Orders flow through the gateway; v2 works slower, so its p50 is higher. One in a thousand is held for 5 s by its fault.",
       {"orders"}},
      {{"customer/canary.yaml", "demo/user-subsets.yaml"},
       "canary.yaml: users go 95/5 to v1 and v2, those with `canary: true` to v2 alone",
       "Weights instead of an even spread; the header is matched first. Our rule beside it says which pods v1 and v2 are.",
       {"users"}},
      {{"customer/ab-testing.yaml", "demo/product-subsets.yaml"},
       "ab-testing.yaml: products by the header user-segment",
       "Premium customers reach the premium pods only, all others the standard ones.",
       {"products"}},
      {{"customer/fault-injection.yaml"},
       "fault-injection.yaml: payments with `chaos-test: true` are delayed (20 %, 3 s) and aborted (10 %, 500)",
       "p99 jumps to 3 s for them. The file has no route for other payments: they get 404, as in Istio (demo/payments-for-all.yaml mends "
       "it).",
       {"payments"}},
      {{"customer/destinationrule.yaml"},
       "destinationrule.yaml: least-loaded pods and connection limits for order-service",
       "Nothing moves at this load, and nothing should: connections survive the update. `circuitBreaker` and LEAST_CONN are old spellings "
       "(warned).",
       {"orders"}},
      {{"customer/circuit-breaker.yaml"},
       "circuit-breaker.yaml: a payment pod is thrown out after 3 errors in a row, at most one of five",
       "The broken pod is ejected: failures stop until it is tried again after 10 s, then longer each time.",
       {"payments, chaos-test"}},
  };
  return chapters;
}

}  // namespace weft::demo
