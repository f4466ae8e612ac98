// The names that Envoy gives its metrics, one shape per kind of thing that is counted: dashboards and alerts find what they
// know. A name that cannot move with us is listed only where dashboards read it, and stays 0. The functions at the end
// make scopes with Envoy's prefixes and labels, so that nobody else spells them.
//
//   auto scope = observe::cluster_scope(registry, "orders");
//   scope->cells(thread).add(ClusterStat::kUpstreamRqTotal);
//   scope->cells(thread).count_code(ClusterStat::kUpstreamRqCodes, 200);
#pragma once
#include "common/observe/metrics.h"

#include <memory>
#include <string>
#include <string_view>

namespace weft::observe {

#define WEFT_STAT_INDEX(id, name, kind, lazy) id,
#define WEFT_STAT_ENUM(type, list)                           \
  struct type {                                              \
    enum Index : unsigned { list(WEFT_STAT_INDEX) kCount_ }; \
  };

// cluster.<name>.: connections and requests to one cluster.
#define WEFT_CLUSTER_STATS(X)                                                                                                             \
  X(kAssignmentStale, "assignment_stale", kCounter, false)                                                                                \
  X(kAssignmentTimeoutReceived, "assignment_timeout_received", kCounter, false)                                                           \
  X(kAssignmentUseCached, "assignment_use_cached", kCounter, false)                                                                       \
  X(kBindErrors, "bind_errors", kCounter, false)                                                                                          \
  X(kCircuitBreakersDefaultCxOpen, "circuit_breakers.default.cx_open", kGauge, false)                                                     \
  X(kCircuitBreakersDefaultCxPoolOpen, "circuit_breakers.default.cx_pool_open", kGauge, false)                                            \
  X(kCircuitBreakersDefaultRqOpen, "circuit_breakers.default.rq_open", kGauge, false)                                                     \
  X(kCircuitBreakersDefaultRqPendingOpen, "circuit_breakers.default.rq_pending_open", kGauge, false)                                      \
  X(kCircuitBreakersDefaultRqRetryOpen, "circuit_breakers.default.rq_retry_open", kGauge, false)                                          \
  X(kCircuitBreakersHighCxOpen, "circuit_breakers.high.cx_open", kGauge, false)                                                           \
  X(kCircuitBreakersHighCxPoolOpen, "circuit_breakers.high.cx_pool_open", kGauge, false)                                                  \
  X(kCircuitBreakersHighRqOpen, "circuit_breakers.high.rq_open", kGauge, false)                                                           \
  X(kCircuitBreakersHighRqPendingOpen, "circuit_breakers.high.rq_pending_open", kGauge, false)                                            \
  X(kCircuitBreakersHighRqRetryOpen, "circuit_breakers.high.rq_retry_open", kGauge, false)                                                \
  X(kLbHealthyPanic, "lb_healthy_panic", kCounter, false)                                                                                 \
  X(kLbLocalClusterNotOk, "lb_local_cluster_not_ok", kCounter, false)                                                                     \
  X(kLbRecalculateZoneStructures, "lb_recalculate_zone_structures", kCounter, false)                                                      \
  X(kLbSubsetsActive, "lb_subsets_active", kGauge, false)                                                                                 \
  X(kLbSubsetsCreated, "lb_subsets_created", kCounter, false)                                                                             \
  X(kLbSubsetsFallback, "lb_subsets_fallback", kCounter, false)                                                                           \
  X(kLbSubsetsFallbackPanic, "lb_subsets_fallback_panic", kCounter, false)                                                                \
  X(kLbSubsetsRemoved, "lb_subsets_removed", kCounter, false)                                                                             \
  X(kLbSubsetsSelected, "lb_subsets_selected", kCounter, false)                                                                           \
  X(kLbZoneClusterTooSmall, "lb_zone_cluster_too_small", kCounter, false)                                                                 \
  X(kLbZoneNoCapacityLeft, "lb_zone_no_capacity_left", kCounter, false)                                                                   \
  X(kLbZoneRoutingAllDirectly, "lb_zone_routing_all_directly", kCounter, false)                                                           \
  X(kLbZoneRoutingCrossZone, "lb_zone_routing_cross_zone", kCounter, false)                                                               \
  X(kLbZoneRoutingSampled, "lb_zone_routing_sampled", kCounter, false)                                                                    \
  X(kMaxHostWeight, "max_host_weight", kGauge, false)                                                                                     \
  X(kMembershipChange, "membership_change", kCounter, false)                                                                              \
  X(kMembershipDegraded, "membership_degraded", kGauge, false)                                                                            \
  X(kMembershipExcluded, "membership_excluded", kGauge, false)                                                                            \
  X(kMembershipHealthy, "membership_healthy", kGauge, false)                                                                              \
  X(kMembershipTotal, "membership_total", kGauge, false)                                                                                  \
  X(kOriginalDstHostInvalid, "original_dst_host_invalid", kCounter, false)                                                                \
  X(kOutlierDetectionEjectionsActive, "outlier_detection.ejections_active", kGauge, false)                                                \
  X(kOutlierDetectionEjectionsConsecutive5xx, "outlier_detection.ejections_consecutive_5xx", kCounter, false)                             \
  X(kOutlierDetectionEjectionsDetectedConsecutive5xx, "outlier_detection.ejections_detected_consecutive_5xx", kCounter, false)            \
  X(kOutlierDetectionEjectionsDetectedConsecutiveGatewayFailure, "outlier_detection.ejections_detected_consecutive_gateway_failure",      \
    kCounter, false)                                                                                                                      \
  X(kOutlierDetectionEjectionsDetectedConsecutiveLocalOriginFailure,                                                                      \
    "outlier_detection.ejections_detected_consecutive_local_origin_failure", kCounter, false)                                             \
  X(kOutlierDetectionEjectionsDetectedDegradation, "outlier_detection.ejections_detected_degradation", kCounter, false)                   \
  X(kOutlierDetectionEjectionsDetectedFailurePercentage, "outlier_detection.ejections_detected_failure_percentage", kCounter, false)      \
  X(kOutlierDetectionEjectionsDetectedLocalOriginFailurePercentage,                                                                       \
    "outlier_detection.ejections_detected_local_origin_failure_percentage", kCounter, false)                                              \
  X(kOutlierDetectionEjectionsDetectedLocalOriginSuccessRate, "outlier_detection.ejections_detected_local_origin_success_rate", kCounter, \
    false)                                                                                                                                \
  X(kOutlierDetectionEjectionsDetectedSuccessRate, "outlier_detection.ejections_detected_success_rate", kCounter, false)                  \
  X(kOutlierDetectionEjectionsEnforcedConsecutive5xx, "outlier_detection.ejections_enforced_consecutive_5xx", kCounter, false)            \
  X(kOutlierDetectionEjectionsEnforcedConsecutiveGatewayFailure, "outlier_detection.ejections_enforced_consecutive_gateway_failure",      \
    kCounter, false)                                                                                                                      \
  X(kOutlierDetectionEjectionsEnforcedConsecutiveLocalOriginFailure,                                                                      \
    "outlier_detection.ejections_enforced_consecutive_local_origin_failure", kCounter, false)                                             \
  X(kOutlierDetectionEjectionsEnforcedFailurePercentage, "outlier_detection.ejections_enforced_failure_percentage", kCounter, false)      \
  X(kOutlierDetectionEjectionsEnforcedLocalOriginFailurePercentage,                                                                       \
    "outlier_detection.ejections_enforced_local_origin_failure_percentage", kCounter, false)                                              \
  X(kOutlierDetectionEjectionsEnforcedLocalOriginSuccessRate, "outlier_detection.ejections_enforced_local_origin_success_rate", kCounter, \
    false)                                                                                                                                \
  X(kOutlierDetectionEjectionsEnforcedSuccessRate, "outlier_detection.ejections_enforced_success_rate", kCounter, false)                  \
  X(kOutlierDetectionEjectionsEnforcedTotal, "outlier_detection.ejections_enforced_total", kCounter, false)                               \
  X(kOutlierDetectionEjectionsOverflow, "outlier_detection.ejections_overflow", kCounter, false)                                          \
  X(kOutlierDetectionEjectionsSuccessRate, "outlier_detection.ejections_success_rate", kCounter, false)                                   \
  X(kOutlierDetectionEjectionsTotal, "outlier_detection.ejections_total", kCounter, false)                                                \
  X(kRetryOrShadowAbandoned, "retry_or_shadow_abandoned", kCounter, false)                                                                \
  X(kUpstreamCxActive, "upstream_cx_active", kGauge, false)                                                                               \
  X(kUpstreamCxConnectAttemptsExceeded, "upstream_cx_connect_attempts_exceeded", kCounter, false)                                         \
  X(kUpstreamCxConnectFail, "upstream_cx_connect_fail", kCounter, false)                                                                  \
  X(kUpstreamCxConnectTimeout, "upstream_cx_connect_timeout", kCounter, false)                                                            \
  X(kUpstreamCxDestroy, "upstream_cx_destroy", kCounter, false)                                                                           \
  X(kUpstreamCxDestroyLocal, "upstream_cx_destroy_local", kCounter, false)                                                                \
  X(kUpstreamCxDestroyLocalWithActiveRq, "upstream_cx_destroy_local_with_active_rq", kCounter, false)                                     \
  X(kUpstreamCxDestroyRemote, "upstream_cx_destroy_remote", kCounter, false)                                                              \
  X(kUpstreamCxDestroyRemoteWithActiveRq, "upstream_cx_destroy_remote_with_active_rq", kCounter, false)                                   \
  X(kUpstreamCxDestroyWithActiveRq, "upstream_cx_destroy_with_active_rq", kCounter, false)                                                \
  X(kUpstreamCxHttp1Total, "upstream_cx_http1_total", kCounter, false)                                                                    \
  X(kUpstreamCxHttp2Total, "upstream_cx_http2_total", kCounter, false)                                                                    \
  X(kUpstreamCxIdleTimeout, "upstream_cx_idle_timeout", kCounter, false)                                                                  \
  X(kUpstreamCxMaxDurationReached, "upstream_cx_max_duration_reached", kCounter, false)                                                   \
  X(kUpstreamCxMaxRequests, "upstream_cx_max_requests", kCounter, false)                                                                  \
  X(kUpstreamCxNoneHealthy, "upstream_cx_none_healthy", kCounter, false)                                                                  \
  X(kUpstreamCxOverflow, "upstream_cx_overflow", kCounter, false)                                                                         \
  X(kUpstreamCxPoolOverflow, "upstream_cx_pool_overflow", kCounter, false)                                                                \
  X(kUpstreamCxPreconnectSkipped, "upstream_cx_preconnect_skipped", kCounter, false)                                                      \
  X(kUpstreamCxProtocolError, "upstream_cx_protocol_error", kCounter, false)                                                              \
  X(kUpstreamCxRxBytesBuffered, "upstream_cx_rx_bytes_buffered", kGauge, false)                                                           \
  X(kUpstreamCxRxBytesTotal, "upstream_cx_rx_bytes_total", kCounter, false)                                                               \
  X(kUpstreamCxTotal, "upstream_cx_total", kCounter, false)                                                                               \
  X(kUpstreamCxTxBytesBuffered, "upstream_cx_tx_bytes_buffered", kGauge, false)                                                           \
  X(kUpstreamCxTxBytesTotal, "upstream_cx_tx_bytes_total", kCounter, false)                                                               \
  X(kUpstreamFlowControlBackedUpTotal, "upstream_flow_control_backed_up_total", kCounter, false)                                          \
  X(kUpstreamFlowControlDrainedTotal, "upstream_flow_control_drained_total", kCounter, false)                                             \
  X(kUpstreamFlowControlPausedReadingTotal, "upstream_flow_control_paused_reading_total", kCounter, false)                                \
  X(kUpstreamFlowControlResumedReadingTotal, "upstream_flow_control_resumed_reading_total", kCounter, false)                              \
  X(kUpstreamInternalRedirectFailedTotal, "upstream_internal_redirect_failed_total", kCounter, false)                                     \
  X(kUpstreamInternalRedirectSucceededTotal, "upstream_internal_redirect_succeeded_total", kCounter, false)                               \
  X(kUpstreamRqCodes, "upstream_rq_<code>", kCodes, false)                                                                                \
  X(kUpstreamRq1xx, "upstream_rq_1xx", kCounter, true)                                                                                    \
  X(kUpstreamRq2xx, "upstream_rq_2xx", kCounter, true)                                                                                    \
  X(kUpstreamRq3xx, "upstream_rq_3xx", kCounter, true)                                                                                    \
  X(kUpstreamRq4xx, "upstream_rq_4xx", kCounter, true)                                                                                    \
  X(kUpstreamRq5xx, "upstream_rq_5xx", kCounter, true)                                                                                    \
  X(kUpstreamRqActive, "upstream_rq_active", kGauge, false)                                                                               \
  X(kUpstreamRqActiveOverflow, "upstream_rq_active_overflow", kCounter, false)                                                            \
  X(kUpstreamRqCancelled, "upstream_rq_cancelled", kCounter, false)                                                                       \
  X(kUpstreamRqCompleted, "upstream_rq_completed", kCounter, false)                                                                       \
  X(kUpstreamRqMaintenanceMode, "upstream_rq_maintenance_mode", kCounter, false)                                                          \
  X(kUpstreamRqMaxDurationReached, "upstream_rq_max_duration_reached", kCounter, false)                                                   \
  X(kUpstreamRqPendingActive, "upstream_rq_pending_active", kGauge, false)                                                                \
  X(kUpstreamRqPendingFailureEject, "upstream_rq_pending_failure_eject", kCounter, false)                                                 \
  X(kUpstreamRqPendingOverflow, "upstream_rq_pending_overflow", kCounter, false)                                                          \
  X(kUpstreamRqPendingTotal, "upstream_rq_pending_total", kCounter, false)                                                                \
  X(kUpstreamRqPerTryIdleTimeout, "upstream_rq_per_try_idle_timeout", kCounter, false)                                                    \
  X(kUpstreamRqPerTryTimeout, "upstream_rq_per_try_timeout", kCounter, false)                                                             \
  X(kUpstreamRqRetry, "upstream_rq_retry", kCounter, false)                                                                               \
  X(kUpstreamRqRetryBackoffExponential, "upstream_rq_retry_backoff_exponential", kCounter, false)                                         \
  X(kUpstreamRqRetryBackoffRatelimited, "upstream_rq_retry_backoff_ratelimited", kCounter, false)                                         \
  X(kUpstreamRqRetryLimitExceeded, "upstream_rq_retry_limit_exceeded", kCounter, false)                                                   \
  X(kUpstreamRqRetryOverflow, "upstream_rq_retry_overflow", kCounter, false)                                                              \
  X(kUpstreamRqRetrySuccess, "upstream_rq_retry_success", kCounter, false)                                                                \
  X(kUpstreamRqRxReset, "upstream_rq_rx_reset", kCounter, false)                                                                          \
  X(kUpstreamRqRxResetNoError, "upstream_rq_rx_reset_no_error", kCounter, false)                                                          \
  X(kUpstreamRqTimeout, "upstream_rq_timeout", kCounter, false)                                                                           \
  X(kUpstreamRqTotal, "upstream_rq_total", kCounter, false)                                                                               \
  X(kUpstreamRqTxReset, "upstream_rq_tx_reset", kCounter, false)                                                                          \
  X(kWarmingState, "warming_state", kGauge, false)                                                                                        \
  X(kUpstreamCxConnectMs, "upstream_cx_connect_ms", kHistogram, false)                                                                    \
  X(kUpstreamCxLengthMs, "upstream_cx_length_ms", kHistogram, false)                                                                      \
  X(kUpstreamRqPerCx, "upstream_rq_per_cx", kHistogram, false)                                                                            \
  X(kUpstreamRqTime, "upstream_rq_time", kHistogram, true)                                                                                \
  X(kCanaryUpstreamRqCodes, "canary.upstream_rq_<code>", kCodes, false)                                                                   \
  X(kCanaryUpstreamRq1xx, "canary.upstream_rq_1xx", kCounter, true)                                                                       \
  X(kCanaryUpstreamRq2xx, "canary.upstream_rq_2xx", kCounter, true)                                                                       \
  X(kCanaryUpstreamRq3xx, "canary.upstream_rq_3xx", kCounter, true)                                                                       \
  X(kCanaryUpstreamRq4xx, "canary.upstream_rq_4xx", kCounter, true)                                                                       \
  X(kCanaryUpstreamRq5xx, "canary.upstream_rq_5xx", kCounter, true)                                                                       \
  X(kCanaryUpstreamRqCompleted, "canary.upstream_rq_completed", kCounter, true)                                                           \
  X(kCanaryUpstreamRqTime, "canary.upstream_rq_time", kHistogram, true)                                                                   \
  X(kExternalUpstreamRqCodes, "external.upstream_rq_<code>", kCodes, false)                                                               \
  X(kExternalUpstreamRq1xx, "external.upstream_rq_1xx", kCounter, true)                                                                   \
  X(kExternalUpstreamRq2xx, "external.upstream_rq_2xx", kCounter, true)                                                                   \
  X(kExternalUpstreamRq3xx, "external.upstream_rq_3xx", kCounter, true)                                                                   \
  X(kExternalUpstreamRq4xx, "external.upstream_rq_4xx", kCounter, true)                                                                   \
  X(kExternalUpstreamRq5xx, "external.upstream_rq_5xx", kCounter, true)                                                                   \
  X(kExternalUpstreamRqCompleted, "external.upstream_rq_completed", kCounter, true)                                                       \
  X(kExternalUpstreamRqTime, "external.upstream_rq_time", kHistogram, true)                                                               \
  X(kInternalUpstreamRqCodes, "internal.upstream_rq_<code>", kCodes, false)                                                               \
  X(kInternalUpstreamRq1xx, "internal.upstream_rq_1xx", kCounter, true)                                                                   \
  X(kInternalUpstreamRq2xx, "internal.upstream_rq_2xx", kCounter, true)                                                                   \
  X(kInternalUpstreamRq3xx, "internal.upstream_rq_3xx", kCounter, true)                                                                   \
  X(kInternalUpstreamRq4xx, "internal.upstream_rq_4xx", kCounter, true)                                                                   \
  X(kInternalUpstreamRq5xx, "internal.upstream_rq_5xx", kCounter, true)                                                                   \
  X(kInternalUpstreamRqCompleted, "internal.upstream_rq_completed", kCounter, true)                                                       \
  X(kInternalUpstreamRqTime, "internal.upstream_rq_time", kHistogram, true)                                                               \
  X(kUpdateNoRebuild, "update_no_rebuild", kCounter, false)
WEFT_STAT_ENUM(ClusterStat, WEFT_CLUSTER_STATS)
// The first of the eight that are kept apart by whom a request comes from, and of answers of canaries; and where the others lie from it.
constexpr unsigned kCanaryStats = ClusterStat::kCanaryUpstreamRqCodes;
constexpr unsigned kExternalStats = ClusterStat::kExternalUpstreamRqCodes;
constexpr unsigned kInternalStats = ClusterStat::kInternalUpstreamRqCodes;
constexpr unsigned kSide1xx = 1, kSideCompleted = 6, kSideTime = 7;
extern const Shape kClusterShape;  // "cluster"

// cluster.<name>.circuit_breakers.<priority>.: only where a threshold has track_remaining.
#define WEFT_REMAINING_STATS(X)                            \
  X(kRemainingCx, "remaining_cx", kGauge, false)           \
  X(kRemainingPending, "remaining_pending", kGauge, false) \
  X(kRemainingRetries, "remaining_retries", kGauge, false) \
  X(kRemainingRq, "remaining_rq", kGauge, false)
WEFT_STAT_ENUM(RemainingStat, WEFT_REMAINING_STATS)
extern const Shape kRemainingDefaultShape;  // "cluster.circuit_breakers.default"
extern const Shape kRemainingHighShape;     // "cluster.circuit_breakers.high"

// cluster.<name>.ring_hash_lb. and .maglev_lb.: how evenly a hashing balancer's places are spread.
#define WEFT_RING_HASH_STATS(X)                              \
  X(kMaxHashesPerHost, "max_hashes_per_host", kGauge, false) \
  X(kMinHashesPerHost, "min_hashes_per_host", kGauge, false) \
  X(kSize, "size", kGauge, false)
WEFT_STAT_ENUM(RingHashStat, WEFT_RING_HASH_STATS)
extern const Shape kRingHashShape;  // "cluster.ring_hash_lb"
#define WEFT_MAGLEV_STATS(X)                                   \
  X(kMaxEntriesPerHost, "max_entries_per_host", kGauge, false) \
  X(kMinEntriesPerHost, "min_entries_per_host", kGauge, false)
WEFT_STAT_ENUM(MaglevStat, WEFT_MAGLEV_STATS)
extern const Shape kMaglevShape;  // "cluster.maglev_lb"

// http.<stat_prefix>.: one HTTP connection manager; the router counts here too.
#define WEFT_HTTP_STATS(X)                                                                                       \
  X(kDownstreamCxActive, "downstream_cx_active", kGauge, false)                                                  \
  X(kDownstreamCxDelayedCloseTimeout, "downstream_cx_delayed_close_timeout", kCounter, false)                    \
  X(kDownstreamCxDestroy, "downstream_cx_destroy", kCounter, false)                                              \
  X(kDownstreamCxDestroyActiveRq, "downstream_cx_destroy_active_rq", kCounter, false)                            \
  X(kDownstreamCxDestroyLocal, "downstream_cx_destroy_local", kCounter, false)                                   \
  X(kDownstreamCxDestroyLocalActiveRq, "downstream_cx_destroy_local_active_rq", kCounter, false)                 \
  X(kDownstreamCxDestroyRemote, "downstream_cx_destroy_remote", kCounter, false)                                 \
  X(kDownstreamCxDestroyRemoteActiveRq, "downstream_cx_destroy_remote_active_rq", kCounter, false)               \
  X(kDownstreamCxDrainClose, "downstream_cx_drain_close", kCounter, false)                                       \
  X(kDownstreamCxHttp1Active, "downstream_cx_http1_active", kGauge, false)                                       \
  X(kDownstreamCxHttp1SoftDrain, "downstream_cx_http1_soft_drain", kCounter, false)                              \
  X(kDownstreamCxHttp1Total, "downstream_cx_http1_total", kCounter, false)                                       \
  X(kDownstreamCxHttp2Active, "downstream_cx_http2_active", kGauge, false)                                       \
  X(kDownstreamCxHttp2Total, "downstream_cx_http2_total", kCounter, false)                                       \
  X(kDownstreamCxIdleTimeout, "downstream_cx_idle_timeout", kCounter, false)                                     \
  X(kDownstreamCxMaxDurationReached, "downstream_cx_max_duration_reached", kCounter, false)                      \
  X(kDownstreamCxMaxRequestsReached, "downstream_cx_max_requests_reached", kCounter, false)                      \
  X(kDownstreamCxOverloadDisableKeepalive, "downstream_cx_overload_disable_keepalive", kCounter, false)          \
  X(kDownstreamCxProtocolError, "downstream_cx_protocol_error", kCounter, false)                                 \
  X(kDownstreamCxRxBytesBuffered, "downstream_cx_rx_bytes_buffered", kGauge, false)                              \
  X(kDownstreamCxRxBytesTotal, "downstream_cx_rx_bytes_total", kCounter, false)                                  \
  X(kDownstreamCxSslActive, "downstream_cx_ssl_active", kGauge, false)                                           \
  X(kDownstreamCxSslTotal, "downstream_cx_ssl_total", kCounter, false)                                           \
  X(kDownstreamCxTotal, "downstream_cx_total", kCounter, false)                                                  \
  X(kDownstreamCxTxBytesBuffered, "downstream_cx_tx_bytes_buffered", kGauge, false)                              \
  X(kDownstreamCxTxBytesTotal, "downstream_cx_tx_bytes_total", kCounter, false)                                  \
  X(kDownstreamCxUpgradesActive, "downstream_cx_upgrades_active", kGauge, false)                                 \
  X(kDownstreamCxUpgradesTotal, "downstream_cx_upgrades_total", kCounter, false)                                 \
  X(kDownstreamFlowControlPausedReadingTotal, "downstream_flow_control_paused_reading_total", kCounter, false)   \
  X(kDownstreamFlowControlResumedReadingTotal, "downstream_flow_control_resumed_reading_total", kCounter, false) \
  X(kDownstreamRq1xx, "downstream_rq_1xx", kCounter, false)                                                      \
  X(kDownstreamRq2xx, "downstream_rq_2xx", kCounter, false)                                                      \
  X(kDownstreamRq3xx, "downstream_rq_3xx", kCounter, false)                                                      \
  X(kDownstreamRq4xx, "downstream_rq_4xx", kCounter, false)                                                      \
  X(kDownstreamRq5xx, "downstream_rq_5xx", kCounter, false)                                                      \
  X(kDownstreamRqActive, "downstream_rq_active", kGauge, false)                                                  \
  X(kDownstreamRqCompleted, "downstream_rq_completed", kCounter, false)                                          \
  X(kDownstreamRqFailedPathNormalization, "downstream_rq_failed_path_normalization", kCounter, false)            \
  X(kDownstreamRqHeaderTimeout, "downstream_rq_header_timeout", kCounter, false)                                 \
  X(kDownstreamRqHttp1Total, "downstream_rq_http1_total", kCounter, false)                                       \
  X(kDownstreamRqHttp2Total, "downstream_rq_http2_total", kCounter, false)                                       \
  X(kDownstreamRqIdleTimeout, "downstream_rq_idle_timeout", kCounter, false)                                     \
  X(kDownstreamRqMaxDurationReached, "downstream_rq_max_duration_reached", kCounter, false)                      \
  X(kDownstreamRqNonRelativePath, "downstream_rq_non_relative_path", kCounter, false)                            \
  X(kDownstreamRqOverloadClose, "downstream_rq_overload_close", kCounter, false)                                 \
  X(kDownstreamRqRedirectedWithNormalizedPath, "downstream_rq_redirected_with_normalized_path", kCounter, false) \
  X(kDownstreamRqRejectedViaIpDetection, "downstream_rq_rejected_via_ip_detection", kCounter, false)             \
  X(kDownstreamRqResponseBeforeRqComplete, "downstream_rq_response_before_rq_complete", kCounter, false)         \
  X(kDownstreamRqRxReset, "downstream_rq_rx_reset", kCounter, false)                                             \
  X(kDownstreamRqTimeout, "downstream_rq_timeout", kCounter, false)                                              \
  X(kDownstreamRqTooLarge, "downstream_rq_too_large", kCounter, false)                                           \
  X(kDownstreamRqTooManyPrematureResets, "downstream_rq_too_many_premature_resets", kCounter, false)             \
  X(kDownstreamRqTotal, "downstream_rq_total", kCounter, false)                                                  \
  X(kDownstreamRqTxReset, "downstream_rq_tx_reset", kCounter, false)                                             \
  X(kDownstreamRqWsOnNonWsRoute, "downstream_rq_ws_on_non_ws_route", kCounter, false)                            \
  X(kNoCluster, "no_cluster", kCounter, false)                                                                   \
  X(kNoRoute, "no_route", kCounter, false)                                                                       \
  X(kRedirectBadLocation, "passthrough_internal_redirect_bad_location", kCounter, false)                         \
  X(kRedirectNoRoute, "passthrough_internal_redirect_no_route", kCounter, false)                                 \
  X(kRedirectPredicate, "passthrough_internal_redirect_predicate", kCounter, false)                              \
  X(kRedirectTooMany, "passthrough_internal_redirect_too_many_redirects", kCounter, false)                       \
  X(kRedirectUnsafeScheme, "passthrough_internal_redirect_unsafe_scheme", kCounter, false)                       \
  X(kRqDirectResponse, "rq_direct_response", kCounter, false)                                                    \
  X(kRqOverloadLocalReply, "rq_overload_local_reply", kCounter, false)                                           \
  X(kRqRedirect, "rq_redirect", kCounter, false)                                                                 \
  X(kRqResetAfterDownstreamResponseStarted, "rq_reset_after_downstream_response_started", kCounter, false)       \
  X(kRqTotal, "rq_total", kCounter, false)                                                                       \
  X(kRsTooLarge, "rs_too_large", kCounter, false)                                                                \
  X(kDownstreamCxLengthMs, "downstream_cx_length_ms", kHistogram, false)                                         \
  X(kDownstreamRqTime, "downstream_rq_time", kHistogram, false)
WEFT_STAT_ENUM(HttpStat, WEFT_HTTP_STATS)
extern const Shape kHttpShape;  // "http"

// vhost.<virtual host>.vcluster.<name>. and vhost.<virtual host>.route.<stat_prefix>.: requests of a kind that the routes name.
#define WEFT_VIRTUAL_HOST_STATS(X)                                                      \
  X(kUpstreamRqCodes, "upstream_rq_<code>", kCodes, false)                              \
  X(kUpstreamRq1xx, "upstream_rq_1xx", kCounter, true)                                  \
  X(kUpstreamRq2xx, "upstream_rq_2xx", kCounter, true)                                  \
  X(kUpstreamRq3xx, "upstream_rq_3xx", kCounter, true)                                  \
  X(kUpstreamRq4xx, "upstream_rq_4xx", kCounter, true)                                  \
  X(kUpstreamRq5xx, "upstream_rq_5xx", kCounter, true)                                  \
  X(kUpstreamRqCompleted, "upstream_rq_completed", kCounter, true)                      \
  X(kUpstreamRqRetry, "upstream_rq_retry", kCounter, false)                             \
  X(kUpstreamRqRetryLimitExceeded, "upstream_rq_retry_limit_exceeded", kCounter, false) \
  X(kUpstreamRqRetryOverflow, "upstream_rq_retry_overflow", kCounter, false)            \
  X(kUpstreamRqRetrySuccess, "upstream_rq_retry_success", kCounter, false)              \
  X(kUpstreamRqTimeout, "upstream_rq_timeout", kCounter, false)                         \
  X(kUpstreamRqTotal, "upstream_rq_total", kCounter, false)                             \
  X(kUpstreamRqTime, "upstream_rq_time", kHistogram, true)
WEFT_STAT_ENUM(VirtualHostStat, WEFT_VIRTUAL_HOST_STATS)
extern const Shape kVirtualClusterShape;  // "vhost.vcluster"
extern const Shape kRouteShape;           // "vhost.route"

// http.<stat_prefix>.set_metadata.: the filter of that name.
#define WEFT_SET_METADATA_STATS(X) X(kOverwriteDenied, "overwrite_denied", kCounter, false)
WEFT_STAT_ENUM(SetMetadataStat, WEFT_SET_METADATA_STATS)
extern const Shape kSetMetadataShape;  // "http.set_metadata"

// http.<stat_prefix>.: the custom response filter, where it sends requests elsewhere.
#define WEFT_CUSTOM_RESPONSE_STATS(X)                            \
  X(kInvalidUri, "custom_response_invalid_uri", kCounter, false) \
  X(kRedirectNoRoute, "custom_response_redirect_no_route", kCounter, false)
WEFT_STAT_ENUM(CustomResponseStat, WEFT_CUSTOM_RESPONSE_STATS)
extern const Shape kCustomResponseShape;  // "http.custom_response"

// http_filter_name.<its stat_prefix>.: the header to metadata filter.
#define WEFT_HEADER_TO_METADATA_STATS(X)                                    \
  X(kBase64DecodeFailed, "base64_decode_failed", kCounter, false)           \
  X(kHeaderValueTooLong, "header_value_too_long", kCounter, false)          \
  X(kRegexSubstitutionFailed, "regex_substitution_failed", kCounter, false) \
  X(kRequestHeaderNotFound, "request_header_not_found", kCounter, false)    \
  X(kRequestMetadataAdded, "request_metadata_added", kCounter, false)       \
  X(kRequestRulesProcessed, "request_rules_processed", kCounter, false)     \
  X(kResponseHeaderNotFound, "response_header_not_found", kCounter, false)  \
  X(kResponseMetadataAdded, "response_metadata_added", kCounter, false)     \
  X(kResponseRulesProcessed, "response_rules_processed", kCounter, false)
WEFT_STAT_ENUM(HeaderToMetadataStat, WEFT_HEADER_TO_METADATA_STATS)
extern const Shape kHeaderToMetadataShape;  // "http_filter_name"

// http.<stat_prefix>.cors.: the CORS filter.
#define WEFT_CORS_STATS(X)                             \
  X(kOriginInvalid, "origin_invalid", kCounter, false) \
  X(kOriginValid, "origin_valid", kCounter, false)
WEFT_STAT_ENUM(CorsStat, WEFT_CORS_STATS)
extern const Shape kCorsShape;  // "http.cors"

// http.<stat_prefix>.csrf.: the CSRF filter.
#define WEFT_CSRF_STATS(X)                                          \
  X(kMissingSourceOrigin, "missing_source_origin", kCounter, false) \
  X(kRequestInvalid, "request_invalid", kCounter, false)            \
  X(kRequestValid, "request_valid", kCounter, false)
WEFT_STAT_ENUM(CsrfStat, WEFT_CSRF_STATS)
extern const Shape kCsrfShape;  // "http.csrf"

// <stat_prefix of its own>.http_local_rate_limit.: the local rate limit filter.
#define WEFT_LOCAL_RATE_LIMIT_STATS(X)             \
  X(kEnabled, "enabled", kCounter, false)          \
  X(kEnforced, "enforced", kCounter, false)        \
  X(kOk, "ok", kCounter, false)                    \
  X(kRateLimited, "rate_limited", kCounter, false) \
  X(kShadowMode, "shadow_mode", kCounter, false)
WEFT_STAT_ENUM(LocalRateLimitStat, WEFT_LOCAL_RATE_LIMIT_STATS)
extern const Shape kLocalRateLimitShape;  // "http_local_rate_limit"

// connection_limit.<stat_prefix>.: the network filter.
#define WEFT_CONNECTION_LIMIT_STATS(X)                       \
  X(kActiveConnections, "active_connections", kGauge, false) \
  X(kLimitedConnections, "limited_connections", kCounter, false)
WEFT_STAT_ENUM(ConnectionLimitStat, WEFT_CONNECTION_LIMIT_STATS)
extern const Shape kConnectionLimitShape;  // "connection_limit"

// local_rate_limit.<stat_prefix>.: the network filter.
#define WEFT_CONNECTION_RATE_STATS(X) X(kRateLimited, "rate_limited", kCounter, false)
WEFT_STAT_ENUM(ConnectionRateStat, WEFT_CONNECTION_RATE_STATS)
extern const Shape kConnectionRateShape;  // "local_rate_limit"

// http.<stat_prefix>.fault.: the fault filter.
#define WEFT_FAULT_STATS(X)                              \
  X(kAbortsInjected, "aborts_injected", kCounter, false) \
  X(kActiveFaults, "active_faults", kGauge, false)       \
  X(kDelaysInjected, "delays_injected", kCounter, false) \
  X(kFaultsOverflow, "faults_overflow", kCounter, false) \
  X(kResponseRlInjected, "response_rl_injected", kCounter, false)
WEFT_STAT_ENUM(FaultStat, WEFT_FAULT_STATS)
extern const Shape kFaultShape;  // "http.fault"

// http1.: what the HTTP/1 codec counts of clients.
#define WEFT_HTTP1_STATS(X)                                                                             \
  X(kDroppedHeadersWithUnderscores, "dropped_headers_with_underscores", kCounter, false)                \
  X(kMetadataNotSupportedError, "metadata_not_supported_error", kCounter, false)                        \
  X(kRequestsRejectedWithUnderscores, "requests_rejected_with_underscores_in_headers", kCounter, false) \
  X(kResponseFlood, "response_flood", kCounter, false)
WEFT_STAT_ENUM(Http1Stat, WEFT_HTTP1_STATS)
extern const Shape kHttp1Shape;  // "http1"

// http.<stat_prefix>.fault.<downstream cluster>.: of clients that say of which cluster they are.
#define WEFT_FAULT_CLUSTER_STATS(X)                      \
  X(kAbortsInjected, "aborts_injected", kCounter, false) \
  X(kDelaysInjected, "delays_injected", kCounter, false)
WEFT_STAT_ENUM(FaultClusterStat, WEFT_FAULT_CLUSTER_STATS)
extern const Shape kFaultClusterShape;  // "http.fault.cluster"

// http2. for clients, cluster.<name>.http2. for hosts: what the HTTP/2 codec counts.
#define WEFT_HTTP2_STATS(X)                                                                             \
  X(kDroppedHeadersWithUnderscores, "dropped_headers_with_underscores", kCounter, false)                \
  X(kGoawaySent, "goaway_sent", kCounter, false)                                                        \
  X(kHeaderListSizeTooLarge, "header_list_size_too_large", kCounter, false)                             \
  X(kHeaderOverflow, "header_overflow", kCounter, false)                                                \
  X(kInboundEmptyFramesFlood, "inbound_empty_frames_flood", kCounter, false)                            \
  X(kInboundPriorityFramesFlood, "inbound_priority_frames_flood", kCounter, false)                      \
  X(kInboundWindowUpdateFramesFlood, "inbound_window_update_frames_flood", kCounter, false)             \
  X(kKeepaliveTimeout, "keepalive_timeout", kCounter, false)                                            \
  X(kOutboundControlFlood, "outbound_control_flood", kCounter, false)                                   \
  X(kOutboundControlFramesActive, "outbound_control_frames_active", kGauge, false)                      \
  X(kOutboundFlood, "outbound_flood", kCounter, false)                                                  \
  X(kOutboundFramesActive, "outbound_frames_active", kGauge, false)                                     \
  X(kPendingSendBytes, "pending_send_bytes", kGauge, false)                                             \
  X(kRequestsRejectedWithUnderscores, "requests_rejected_with_underscores_in_headers", kCounter, false) \
  X(kRxMessagingError, "rx_messaging_error", kCounter, false)                                           \
  X(kRxReset, "rx_reset", kCounter, false)                                                              \
  X(kStreamRefusedErrors, "stream_refused_errors", kCounter, false)                                     \
  X(kStreamsActive, "streams_active", kGauge, false)                                                    \
  X(kTrailers, "trailers", kCounter, false)                                                             \
  X(kTxFlushTimeout, "tx_flush_timeout", kCounter, false)                                               \
  X(kTxReset, "tx_reset", kCounter, false)
WEFT_STAT_ENUM(Http2Stat, WEFT_HTTP2_STATS)
extern const Shape kHttp2Shape;         // "http2"
extern const Shape kClusterHttp2Shape;  // "cluster.http2"

// http.<stat_prefix>.ext_authz.: the external authorization filter (and cluster.<name>.ext_authz. of the route's cluster).
#define WEFT_EXT_AUTHZ_STATS(X)                                   \
  X(kDenied, "denied", kCounter, false)                           \
  X(kDisabled, "disabled", kCounter, false)                       \
  X(kError, "error", kCounter, false)                             \
  X(kFailureModeAllowed, "failure_mode_allowed", kCounter, false) \
  X(kInvalid, "invalid", kCounter, false)                         \
  X(kOk, "ok", kCounter, false)                                   \
  X(kTimeout, "timeout", kCounter, false)
WEFT_STAT_ENUM(ExtAuthzStat, WEFT_EXT_AUTHZ_STATS)
extern const Shape kExtAuthzShape;         // "http.ext_authz"
extern const Shape kClusterExtAuthzShape;  // "cluster.ext_authz"

// http.<stat_prefix>.compressor.<library>.gzip.[request.|response.]: the compressor filter.
#define WEFT_COMPRESSOR_STATS(X)                                                      \
  X(kCompressed, "compressed", kCounter, false)                                       \
  X(kContentLengthTooSmall, "content_length_too_small", kCounter, false)              \
  X(kHeaderCompressorOvershadowed, "header_compressor_overshadowed", kCounter, false) \
  X(kHeaderCompressorUsed, "header_compressor_used", kCounter, false)                 \
  X(kHeaderGzip, "header_gzip", kCounter, false)                                      \
  X(kHeaderIdentity, "header_identity", kCounter, false)                              \
  X(kHeaderNotValid, "header_not_valid", kCounter, false)                             \
  X(kHeaderWildcard, "header_wildcard", kCounter, false)                              \
  X(kNoAcceptHeader, "no_accept_header", kCounter, false)                             \
  X(kNotCompressed, "not_compressed", kCounter, false)                                \
  X(kNotCompressedEtag, "not_compressed_etag", kCounter, false)                       \
  X(kTotalCompressedBytes, "total_compressed_bytes", kCounter, false)                 \
  X(kTotalUncompressedBytes, "total_uncompressed_bytes", kCounter, false)
WEFT_STAT_ENUM(CompressorStat, WEFT_COMPRESSOR_STATS)
extern const Shape kCompressorShape;  // "http.compressor"

// http.<stat_prefix>.decompressor.<library>.<kind>.<request or response>.: the decompressor filter.
#define WEFT_DECOMPRESSOR_STATS(X)                                    \
  X(kDecompressed, "decompressed", kCounter, false)                   \
  X(kNotDecompressed, "not_decompressed", kCounter, false)            \
  X(kTotalCompressedBytes, "total_compressed_bytes", kCounter, false) \
  X(kTotalUncompressedBytes, "total_uncompressed_bytes", kCounter, false)
WEFT_STAT_ENUM(DecompressorStat, WEFT_DECOMPRESSOR_STATS)
extern const Shape kDecompressorShape;  // "http.decompressor"

// ...decompressor_library.: what its library found wrong, by kind of library.
#define WEFT_GZIP_LIBRARY_STATS(X)                          \
  X(kZlibBufError, "zlib_buf_error", kCounter, false)       \
  X(kZlibDataError, "zlib_data_error", kCounter, false)     \
  X(kZlibErrno, "zlib_errno", kCounter, false)              \
  X(kZlibMemError, "zlib_mem_error", kCounter, false)       \
  X(kZlibStreamError, "zlib_stream_error", kCounter, false) \
  X(kZlibVersionError, "zlib_version_error", kCounter, false)
WEFT_STAT_ENUM(GzipLibraryStat, WEFT_GZIP_LIBRARY_STATS)
extern const Shape kGzipLibraryShape;  // "http.decompressor.gzip"

// cluster.<name>.ratelimit.: what the rate limit service said of requests to that cluster.
#define WEFT_RATELIMIT_STATS(X)                                   \
  X(kError, "error", kCounter, false)                             \
  X(kFailureModeAllowed, "failure_mode_allowed", kCounter, false) \
  X(kOk, "ok", kCounter, false)                                   \
  X(kOverLimit, "over_limit", kCounter, false)
WEFT_STAT_ENUM(RateLimitStat, WEFT_RATELIMIT_STATS)
extern const Shape kRateLimitShape;  // "cluster.ratelimit"

// extension_config_discovery.http_filter.<name>.: a filter's configuration over ECDS, beside what every subscription counts.
#define WEFT_EXTENSION_STATS(X)                          \
  X(kConfigConflict, "config_conflict", kCounter, false) \
  X(kConfigFail, "config_fail", kCounter, false)         \
  X(kConfigReload, "config_reload", kCounter, false)
WEFT_STAT_ENUM(ExtensionStat, WEFT_EXTENSION_STATS)
extern const Shape kEcdsShape;       // "extension_config_discovery"
extern const Shape kExtensionShape;  // "extension_config_discovery"

// listener.<address>.: one listening address.
#define WEFT_LISTENER_STATS(X)                                                                                     \
  X(kDownstreamCxActive, "downstream_cx_active", kGauge, false)                                                    \
  X(kDownstreamCxDestroy, "downstream_cx_destroy", kCounter, false)                                                \
  X(kDownstreamCxOverflow, "downstream_cx_overflow", kCounter, false)                                              \
  X(kDownstreamCxOverloadReject, "downstream_cx_overload_reject", kCounter, false)                                 \
  X(kDownstreamCxTotal, "downstream_cx_total", kCounter, false)                                                    \
  X(kDownstreamCxTransportSocketConnectTimeout, "downstream_cx_transport_socket_connect_timeout", kCounter, false) \
  X(kDownstreamGlobalCxOverflow, "downstream_global_cx_overflow", kCounter, false)                                 \
  X(kDownstreamListenerFilterError, "downstream_listener_filter_error", kCounter, false)                           \
  X(kDownstreamListenerFilterRemoteClose, "downstream_listener_filter_remote_close", kCounter, false)              \
  X(kDownstreamPreCxActive, "downstream_pre_cx_active", kGauge, false)                                             \
  X(kDownstreamPreCxTimeout, "downstream_pre_cx_timeout", kCounter, false)                                         \
  X(kNoFilterChainMatch, "no_filter_chain_match", kCounter, false)                                                 \
  X(kConnectionsAcceptedPerSocketEvent, "connections_accepted_per_socket_event", kHistogram, false)                \
  X(kDownstreamCxLengthMs, "downstream_cx_length_ms", kHistogram, false)
WEFT_STAT_ENUM(ListenerStat, WEFT_LISTENER_STATS)
extern const Shape kListenerShape;       // "listener"
extern const Shape kListenerAdminShape;  // "listener.admin"

// listener.<address>.http.<stat_prefix>.: answers of a connection manager, by listener.
#define WEFT_LISTENER_HTTP_STATS(X)                         \
  X(kDownstreamRq1xx, "downstream_rq_1xx", kCounter, false) \
  X(kDownstreamRq2xx, "downstream_rq_2xx", kCounter, false) \
  X(kDownstreamRq3xx, "downstream_rq_3xx", kCounter, false) \
  X(kDownstreamRq4xx, "downstream_rq_4xx", kCounter, false) \
  X(kDownstreamRq5xx, "downstream_rq_5xx", kCounter, false) \
  X(kDownstreamRqCompleted, "downstream_rq_completed", kCounter, false)
WEFT_STAT_ENUM(ListenerHttpStat, WEFT_LISTENER_HTTP_STATS)
extern const Shape kListenerHttpShape;       // "listener.http"
extern const Shape kListenerAdminHttpShape;  // "listener.admin.http"

// listener.<address>.worker_<n>.: connections by worker.
#define WEFT_LISTENER_WORKER_STATS(X)                           \
  X(kDownstreamCxActive, "downstream_cx_active", kGauge, false) \
  X(kDownstreamCxTotal, "downstream_cx_total", kCounter, false)
WEFT_STAT_ENUM(ListenerWorkerStat, WEFT_LISTENER_WORKER_STATS)
extern const Shape kListenerWorkerShape;  // "listener.worker"

// tcp.<stat_prefix>.: one tcp_proxy.
#define WEFT_TCP_STATS(X)                                                                                        \
  X(kDownstreamCxDrainClose, "downstream_cx_drain_close", kCounter, false)                                       \
  X(kDownstreamCxNoRoute, "downstream_cx_no_route", kCounter, false)                                             \
  X(kDownstreamCxOverloadClose, "downstream_cx_overload_close", kCounter, false)                                 \
  X(kDownstreamCxRxBytesBuffered, "downstream_cx_rx_bytes_buffered", kGauge, false)                              \
  X(kDownstreamCxRxBytesTotal, "downstream_cx_rx_bytes_total", kCounter, false)                                  \
  X(kDownstreamCxTotal, "downstream_cx_total", kCounter, false)                                                  \
  X(kDownstreamCxTxBytesBuffered, "downstream_cx_tx_bytes_buffered", kGauge, false)                              \
  X(kDownstreamCxTxBytesTotal, "downstream_cx_tx_bytes_total", kCounter, false)                                  \
  X(kDownstreamFlowControlPausedReadingTotal, "downstream_flow_control_paused_reading_total", kCounter, false)   \
  X(kDownstreamFlowControlResumedReadingTotal, "downstream_flow_control_resumed_reading_total", kCounter, false) \
  X(kIdleTimeout, "idle_timeout", kCounter, false)                                                               \
  X(kMaxDownstreamConnectionDuration, "max_downstream_connection_duration", kCounter, false)                     \
  X(kRouteDelayedTotal, "route_delayed_total", kCounter, false)                                                  \
  X(kUpstreamFlushActive, "upstream_flush_active", kGauge, false)                                                \
  X(kUpstreamFlushTotal, "upstream_flush_total", kCounter, false)
WEFT_STAT_ENUM(TcpStat, WEFT_TCP_STATS)
extern const Shape kTcpShape;  // "tcp"

// server.: the process.
#define WEFT_SERVER_STATS(X)                                                                             \
  X(kConcurrency, "concurrency", kGauge, false)                                                          \
  X(kDaysUntilFirstCertExpiring, "days_until_first_cert_expiring", kGauge, false)                        \
  X(kDynamicUnknownFields, "dynamic_unknown_fields", kCounter, false)                                    \
  X(kEnvoyBugFailures, "envoy_bug_failures", kCounter, false)                                            \
  X(kHotRestartEpoch, "hot_restart_epoch", kGauge, false)                                                \
  X(kLive, "live", kGauge, false)                                                                        \
  X(kMemoryAllocated, "memory_allocated", kGauge, false)                                                 \
  X(kMemoryHeapSize, "memory_heap_size", kGauge, false)                                                  \
  X(kMemoryPhysicalSize, "memory_physical_size", kGauge, false)                                          \
  X(kParentConnections, "parent_connections", kGauge, false)                                             \
  X(kSecondsUntilFirstOcspResponseExpiring, "seconds_until_first_ocsp_response_expiring", kGauge, false) \
  X(kState, "state", kGauge, false)                                                                      \
  X(kStaticUnknownFields, "static_unknown_fields", kCounter, false)                                      \
  X(kTotalConnections, "total_connections", kGauge, false)                                               \
  X(kUptime, "uptime", kGauge, false)                                                                    \
  X(kVersion, "version", kGauge, false)                                                                  \
  X(kWipProtos, "wip_protos", kCounter, false)                                                           \
  X(kInitializationTimeMs, "initialization_time_ms", kHistogram, false)                                  \
  X(kDroppedStatFlushes, "dropped_stat_flushes", kCounter, false)
WEFT_STAT_ENUM(ServerStat, WEFT_SERVER_STATS)
extern const Shape kServerShape;  // "server"

// listener_manager.: what became of listeners.
#define WEFT_LISTENER_MANAGER_STATS(X)                                         \
  X(kListenerAdded, "listener_added", kCounter, false)                         \
  X(kListenerCreateFailure, "listener_create_failure", kCounter, false)        \
  X(kListenerCreateSuccess, "listener_create_success", kCounter, false)        \
  X(kListenerInPlaceUpdated, "listener_in_place_updated", kCounter, false)     \
  X(kListenerModified, "listener_modified", kCounter, false)                   \
  X(kListenerRemoved, "listener_removed", kCounter, false)                     \
  X(kListenerStopped, "listener_stopped", kCounter, false)                     \
  X(kTotalFilterChainsDraining, "total_filter_chains_draining", kGauge, false) \
  X(kTotalListenersActive, "total_listeners_active", kGauge, false)            \
  X(kTotalListenersDraining, "total_listeners_draining", kGauge, false)        \
  X(kTotalListenersWarming, "total_listeners_warming", kGauge, false)          \
  X(kWorkersPinned, "workers_pinned", kCounter, false)                         \
  X(kWorkersStarted, "workers_started", kGauge, false)
WEFT_STAT_ENUM(ListenerManagerStat, WEFT_LISTENER_MANAGER_STATS)
extern const Shape kListenerManagerShape;  // "listener_manager"

// cluster_manager.: what became of clusters.
#define WEFT_CLUSTER_MANAGER_STATS(X)                                       \
  X(kActiveClusters, "active_clusters", kGauge, false)                      \
  X(kClusterAdded, "cluster_added", kCounter, false)                        \
  X(kClusterModified, "cluster_modified", kCounter, false)                  \
  X(kClusterRemoved, "cluster_removed", kCounter, false)                    \
  X(kClusterUpdated, "cluster_updated", kCounter, false)                    \
  X(kClusterUpdatedViaMerge, "cluster_updated_via_merge", kCounter, false)  \
  X(kUpdateMergeCancelled, "update_merge_cancelled", kCounter, false)       \
  X(kUpdateOutOfMergeWindow, "update_out_of_merge_window", kCounter, false) \
  X(kWarmingClusters, "warming_clusters", kGauge, false)
WEFT_STAT_ENUM(ClusterManagerStat, WEFT_CLUSTER_MANAGER_STATS)
extern const Shape kClusterManagerShape;  // "cluster_manager"

// One xDS subscription: cluster_manager.cds., listener_manager.lds., http.<stat_prefix>.rds.<name>., cluster.<name>. (EDS).
#define WEFT_SUBSCRIPTION_STATS(X)                            \
  X(kInitFetchTimeout, "init_fetch_timeout", kCounter, false) \
  X(kUpdateAttempt, "update_attempt", kCounter, false)        \
  X(kUpdateDuration, "update_duration", kHistogram, false)    \
  X(kUpdateEmpty, "update_empty", kCounter, false)            \
  X(kUpdateFailure, "update_failure", kCounter, false)        \
  X(kUpdateRejected, "update_rejected", kCounter, false)      \
  X(kUpdateSuccess, "update_success", kCounter, false)        \
  X(kUpdateTime, "update_time", kGauge, false)                \
  X(kVersion, "version", kGauge, false)                       \
  X(kVersionText, "version_text", kText, false)
WEFT_STAT_ENUM(SubscriptionStat, WEFT_SUBSCRIPTION_STATS)
extern const Shape kCdsShape;   // "cluster_manager.cds"
extern const Shape kLdsShape;   // "listener_manager.lds"
extern const Shape kRdsShape;   // "http.rds"
extern const Shape kRtdsShape;  // "runtime"
extern const Shape kEdsShape;   // "cluster"

// http.<stat_prefix>.rds.<name>. and cluster_manager.cds.: beside the subscription.
#define WEFT_RDS_STATS(X)                            \
  X(kConfigReload, "config_reload", kCounter, false) \
  X(kConfigReloadTimeMs, "config_reload_time_ms", kGauge, false)
WEFT_STAT_ENUM(RdsStat, WEFT_RDS_STATS)
extern const Shape kRdsReloadShape;  // "http.rds"
extern const Shape kCdsReloadShape;  // "cluster_manager.cds"

// http.<stat_prefix>.scoped_rds.<name>.: beside the subscription. Begins as RdsStat does.
#define WEFT_SCOPED_RDS_STATS(X)                   \
  WEFT_RDS_STATS(X)                                \
  X(kActiveScopes, "active_scopes", kGauge, false) \
  X(kAllScopes, "all_scopes", kGauge, false)       \
  X(kOnDemandScopes, "on_demand_scopes", kGauge, false)
WEFT_STAT_ENUM(ScopedRdsStat, WEFT_SCOPED_RDS_STATS)
extern const Shape kScopedRdsShape;        // "http.scoped_rds"
extern const Shape kScopedRdsReloadShape;  // "http.scoped_rds"

// control_plane.: the ADS stream.
#define WEFT_CONTROL_PLANE_STATS(X)                      \
  X(kConnectedState, "connected_state", kGauge, false)   \
  X(kIdentifier, "identifier", kText, false)             \
  X(kPendingRequests, "pending_requests", kGauge, false) \
  X(kRateLimitEnforced, "rate_limit_enforced", kCounter, false)
WEFT_STAT_ENUM(ControlPlaneStat, WEFT_CONTROL_PLANE_STATS)
extern const Shape kControlPlaneShape;  // "control_plane"

// runtime.: all layers together.
#define WEFT_RUNTIME_STATS(X)                                                                              \
  X(kAdminOverridesActive, "admin_overrides_active", kGauge, false)                                        \
  X(kDeprecatedFeatureSeenSinceProcessStart, "deprecated_feature_seen_since_process_start", kGauge, false) \
  X(kDeprecatedFeatureUse, "deprecated_feature_use", kCounter, false)                                      \
  X(kLoadError, "load_error", kCounter, false)                                                             \
  X(kLoadSuccess, "load_success", kCounter, false)                                                         \
  X(kNumKeys, "num_keys", kGauge, false)                                                                   \
  X(kNumLayers, "num_layers", kGauge, false)                                                               \
  X(kOverrideDirExists, "override_dir_exists", kCounter, false)                                            \
  X(kOverrideDirNotExists, "override_dir_not_exists", kCounter, false)
WEFT_STAT_ENUM(RuntimeStat, WEFT_RUNTIME_STATS)
extern const Shape kRuntimeShape;  // "runtime"

// filesystem.: files that are written behind, access logs above all.
#define WEFT_FILESYSTEM_STATS(X)                          \
  X(kFlushedByTimer, "flushed_by_timer", kCounter, false) \
  X(kReopenFailed, "reopen_failed", kCounter, false)      \
  X(kWriteBuffered, "write_buffered", kCounter, false)    \
  X(kWriteCompleted, "write_completed", kCounter, false)  \
  X(kWriteFailed, "write_failed", kCounter, false)        \
  X(kWriteTotalBuffered, "write_total_buffered", kGauge, false)
WEFT_STAT_ENUM(FilesystemStat, WEFT_FILESYSTEM_STATS)
extern const Shape kFilesystemShape;  // "filesystem"

// The index of <first>1xx .. 5xx for a status; statuses outside 100..599 count as 5xx.
constexpr unsigned class_index(unsigned first, int status) {
  return first + static_cast<unsigned>(status < 100 || status > 599 ? 4 : status / 100 - 1);
}

// Names are as configured; ':' becomes '_' as in Envoy. Scopes of the same name are shared while somebody holds one.
using ScopePtr = std::shared_ptr<Scope>;
ScopePtr cluster_scope(Registry& registry, std::string_view observability_name);
ScopePtr remaining_scope(Registry& registry, std::string_view observability_name, bool high_priority);
ScopePtr ring_hash_scope(Registry& registry, std::string_view observability_name);
ScopePtr maglev_scope(Registry& registry, std::string_view observability_name);
ScopePtr http_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr virtual_cluster_scope(Registry& registry, std::string_view virtual_host, std::string_view virtual_cluster);
ScopePtr route_scope(Registry& registry, std::string_view virtual_host, std::string_view stat_prefix);
ScopePtr set_metadata_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr custom_response_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr header_to_metadata_scope(Registry& registry, std::string_view own_prefix);
ScopePtr cors_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr csrf_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr local_rate_limit_scope(Registry& registry, std::string_view own_prefix);
ScopePtr connection_limit_scope(Registry& registry, std::string_view own_prefix);
ScopePtr connection_rate_scope(Registry& registry, std::string_view own_prefix);
ScopePtr http1_scope(Registry& registry);
ScopePtr http2_scope(Registry& registry);
ScopePtr cluster_http2_scope(Registry& registry, std::string_view name);
ScopePtr fault_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr fault_cluster_scope(Registry& registry, std::string_view stat_prefix, std::string_view downstream_cluster);
ScopePtr ext_authz_scope(Registry& registry, std::string_view stat_prefix, std::string_view own_prefix);
ScopePtr cluster_ext_authz_scope(Registry& registry, std::string_view observability_name);
// `direction` is "", "request" or "response".
ScopePtr compressor_scope(Registry& registry, std::string_view stat_prefix, std::string_view library, std::string_view kind,
                          std::string_view direction);
// `direction` is "request" or "response".
ScopePtr decompressor_scope(Registry& registry, std::string_view stat_prefix, std::string_view library, std::string_view kind,
                            std::string_view direction);
ScopePtr gzip_library_scope(Registry& registry, std::string_view stat_prefix, std::string_view library);
ScopePtr ratelimit_scope(Registry& registry, std::string_view observability_name, std::string_view own_prefix);
ScopePtr ecds_scope(Registry& registry, std::string_view filter);
ScopePtr extension_scope(Registry& registry, std::string_view filter);
// `address` is the listener's stat_prefix, or its configured "127.0.0.1:0".
ScopePtr listener_scope(Registry& registry, std::string_view address);
ScopePtr listener_http_scope(Registry& registry, std::string_view address, std::string_view stat_prefix);
ScopePtr listener_worker_scope(Registry& registry, std::string_view address, unsigned worker);
ScopePtr admin_listener_scope(Registry& registry);
ScopePtr admin_listener_http_scope(Registry& registry);
ScopePtr tcp_scope(Registry& registry, std::string_view stat_prefix);
ScopePtr server_scope(Registry& registry);
ScopePtr listener_manager_scope(Registry& registry);
ScopePtr cluster_manager_scope(Registry& registry);
ScopePtr cds_scope(Registry& registry);
ScopePtr cds_reload_scope(Registry& registry);
ScopePtr lds_scope(Registry& registry);
ScopePtr rds_scope(Registry& registry, std::string_view stat_prefix, std::string_view route_configuration);
ScopePtr rds_reload_scope(Registry& registry, std::string_view stat_prefix, std::string_view route_configuration);
ScopePtr scoped_rds_scope(Registry& registry, std::string_view stat_prefix, std::string_view scoped_routes);
ScopePtr scoped_rds_reload_scope(Registry& registry, std::string_view stat_prefix, std::string_view scoped_routes);
ScopePtr eds_scope(Registry& registry, std::string_view observability_name);
ScopePtr control_plane_scope(Registry& registry);
ScopePtr runtime_scope(Registry& registry);
ScopePtr rtds_scope(Registry& registry);
ScopePtr filesystem_scope(Registry& registry);

// The value of the `version` gauge for a version_info text, 0 for "": XXH64, so that it equals that of every Envoy on the same
// version. It fills all 64 bits and is printed unsigned.
int64_t version_hash(std::string_view version_info);

}  // namespace weft::observe
