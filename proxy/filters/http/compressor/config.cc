#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/compression/gzip/compressor/v3/gzip.pb.h"
#include "envoy/extensions/filters/http/compressor/v3/compressor.pb.h"
#include "proxy/filters/http/compressor/filter.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

namespace compressor = envoy::extensions::filters::http::compressor::v3;
using GzipProto = envoy::extensions::compression::gzip::compressor::v3::Gzip;

constexpr Field kCompressor[] = {
    {"content_length"},
    {"content_type"},
    {"disable_on_etag_header"},
    {"remove_accept_encoding_header"},
    {"runtime_enabled"},
    {.name = "compressor_library", .checks = kRequired, .takes = "compressor"},
    {"request_direction_config"},
    {"response_direction_config"},
    {"choose_first", "chooses among several compressors; there is one"},
};
constexpr Field kCommonDirectionConfig[] = {
    {"enabled"},
    {"min_content_length"},
    {"content_type"},
};
constexpr Field kRequestDirectionConfig[] = {
    {"common_config"},
};
constexpr Field kResponseDirectionConfig[] = {
    {"common_config"},
    {"disable_on_etag_header"},
    {"remove_accept_encoding_header"},
    {.name = "uncompressible_response_codes", .min = 200, .max = 599},
    {"weaken_etag_on_compress"},
};
constexpr Field kCompressorPerRoute[] = {
    {"disabled"},
    {"overrides"},
};
constexpr Field kCompressorOverrides[] = {
    {"response_direction_config"},
};
constexpr Field kResponseDirectionOverrides[] = {
    {"remove_accept_encoding_header"},
};
constexpr Field kGzip[] = {
    {.name = "memory_level", .min = 1, .max = 9},
    {"compression_level"},
    {"compression_strategy"},
    {.name = "window_bits", .min = 9, .max = 15},
    {"chunk_size", "output goes into blocks of the worker's pool"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.compressor.v3.Compressor", kCompressor, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.compressor.v3.Compressor.CommonDirectionConfig", kCommonDirectionConfig),
    fields_of("envoy.extensions.filters.http.compressor.v3.Compressor.RequestDirectionConfig", kRequestDirectionConfig),
    fields_of("envoy.extensions.filters.http.compressor.v3.Compressor.ResponseDirectionConfig", kResponseDirectionConfig),
    fields_of("envoy.extensions.filters.http.compressor.v3.CompressorPerRoute", kCompressorPerRoute, "override", "per_route"),
    fields_of("envoy.extensions.filters.http.compressor.v3.CompressorOverrides", kCompressorOverrides),
    fields_of("envoy.extensions.filters.http.compressor.v3.ResponseDirectionOverrides", kResponseDirectionOverrides),
    fields_of("envoy.extensions.compression.gzip.compressor.v3.Gzip", kGzip, "", "compressor"),
};

const char* const kContentTypes[] = {"application/javascript",
                                     "application/json",
                                     "application/xhtml+xml",
                                     "image/svg+xml",
                                     "text/css",
                                     "text/html",
                                     "text/plain",
                                     "text/xml"};

template <class Types>
void set_types(CompressorDirection& to, const Types& types) {
  to.content_types.assign(types.begin(), types.end());
  if (to.content_types.empty()) to.content_types.assign(std::begin(kContentTypes), std::end(kContentTypes));
}

CompressorDirection direction(const compressor::Compressor::CommonDirectionConfig& from, const Runtime& runtime) {
  CompressorDirection to;
  to.enabled = from.has_enabled() ? feature(from.enabled(), runtime) : true;
  if (from.has_min_content_length()) to.min_content_length = from.min_content_length().value();
  set_types(to, from.content_type());
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  compressor::Compressor from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Compressor"), nullptr;
  CompressorOptions options;
  GzipProto gzip;
  if (!from.compressor_library().typed_config().UnpackTo(&gzip)) return Where(where, "compressor_library").fail("holds no Gzip"), nullptr;
  if (gzip.compression_level() != GzipProto::DEFAULT_COMPRESSION) options.gzip.level = static_cast<int>(gzip.compression_level());
  options.gzip.strategy = static_cast<int>(gzip.compression_strategy());
  if (gzip.has_memory_level()) options.gzip.memory_level = static_cast<int>(gzip.memory_level().value());
  if (gzip.has_window_bits()) options.gzip.window_bits = static_cast<int>(gzip.window_bits().value());
  // zlib has no window of 256 bytes for gzip and would take 512 without telling.
  options.gzip.window_bits = std::max(options.gzip.window_bits, 9);

  if (from.has_response_direction_config()) {
    const auto& config = from.response_direction_config();
    options.response = direction(config.common_config(), build.runtime);
    options.disable_on_etag = config.disable_on_etag_header();
    options.weaken_etag = config.weaken_etag_on_compress();
    options.remove_accept_encoding = config.remove_accept_encoding_header();
    options.uncompressible_codes.assign(config.uncompressible_response_codes().begin(), config.uncompressible_response_codes().end());
    if (options.disable_on_etag && options.weaken_etag)
      Where(Where(where, "response_direction_config"), "weaken_etag_on_compress").fail("must not be set beside disable_on_etag_header");
  } else {
    options.response.enabled = from.has_runtime_enabled() ? feature(from.runtime_enabled(), build.runtime) : true;
    if (from.has_content_length()) options.response.min_content_length = from.content_length().value();
    set_types(options.response, from.content_type());
    options.disable_on_etag = from.disable_on_etag_header();
    options.remove_accept_encoding = from.remove_accept_encoding_header();
  }
  if (from.has_request_direction_config()) options.request = direction(from.request_direction_config().common_config(), build.runtime);
  if (build.registry) {
    const std::string& library = from.compressor_library().name();
    options.response.stats =
        observe::compressor_scope(*build.registry, build.stat_prefix, library, from.has_response_direction_config() ? "response" : "");
    if (from.has_request_direction_config())
      options.request.stats = observe::compressor_scope(*build.registry, build.stat_prefix, library, "request");
  }
  return std::make_unique<FactoryOf<Compressor, CompressorOptions>>(instance, Compressor::kHooks, std::move(options));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild&, const Where& where) {
  compressor::CompressorPerRoute from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no CompressorPerRoute"), nullptr;
  if (from.override_case() == compressor::CompressorPerRoute::kDisabled && !from.disabled())
    return Where(where, "disabled").fail("must be true"), nullptr;
  auto config = std::make_shared<CompressorRoute>();
  config->disabled = from.disabled();
  const auto& overrides = from.overrides().response_direction_config();
  if (overrides.has_remove_accept_encoding_header()) config->remove_accept_encoding = overrides.remove_accept_encoding_header().value();
  return config;
}

}  // namespace

HttpFilterType compressor_type() {
  return {"envoy.filters.http.compressor",
          "envoy.extensions.filters.http.compressor.v3.Compressor",
          "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
