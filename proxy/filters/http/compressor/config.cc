#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/compression/brotli/compressor/v3/brotli.pb.h"
#include "envoy/extensions/compression/gzip/compressor/v3/gzip.pb.h"
#include "envoy/extensions/compression/zstd/compressor/v3/zstd.pb.h"
#include "envoy/extensions/filters/http/compressor/v3/compressor.pb.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/http/compressor/filter.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

namespace compressor = envoy::extensions::filters::http::compressor::v3;
using GzipProto = envoy::extensions::compression::gzip::compressor::v3::Gzip;
using BrotliProto = envoy::extensions::compression::brotli::compressor::v3::Brotli;
using ZstdProto = envoy::extensions::compression::zstd::compressor::v3::Zstd;

constexpr Field kCompressor[] = {
    {"content_length"},
    {"content_type"},
    {"disable_on_etag_header"},
    {"remove_accept_encoding_header"},
    {"runtime_enabled"},
    {.name = "compressor_library", .checks = kRequired, .takes = "compressor"},
    {"request_direction_config"},
    {"response_direction_config"},
    {"choose_first"},
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
    {"status_header_enabled"},
    {"weaken_etag_on_compress"},
};
constexpr Field kCompressorPerRoute[] = {
    {"disabled"},
    {"overrides"},
};
constexpr Field kCompressorOverrides[] = {
    {"response_direction_config"},
    {.name = "compressor_library", .takes = "compressor"},
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
constexpr Field kBrotli[] = {
    {.name = "quality", .max = 11},
    {"encoder_mode"},
    {.name = "window_bits", .min = 10, .max = 24},
    {.name = "input_block_bits", .min = 16, .max = 24},
    {"chunk_size", "output goes into blocks of the worker's pool"},
    {"disable_literal_context_modeling"},
};
constexpr Field kZstd[] = {
    {.name = "compression_level", .min = 1, .max = 22},
    {"enable_checksum"},
    {"strategy"},
    {.name = "dictionary", .note = "with an id of its own; read once, when the filter is built"},
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
    fields_of("envoy.extensions.compression.brotli.compressor.v3.Brotli", kBrotli, "", "compressor"),
    fields_of("envoy.extensions.compression.zstd.compressor.v3.Zstd", kZstd, "", "compressor"),
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
  to.configured = true;
  to.enabled = from.has_enabled() ? feature(from.enabled(), runtime) : runtime::Flag();
  if (from.has_min_content_length()) to.min_content_length = from.min_content_length().value();
  set_types(to, from.content_type());
  return to;
}

CompressorLibrary gzip_library(const GzipProto& from) {
  GzipOptions to;
  if (from.compression_level() != GzipProto::DEFAULT_COMPRESSION) to.level = static_cast<int>(from.compression_level());
  to.strategy = static_cast<int>(from.compression_strategy());
  if (from.has_memory_level()) to.memory_level = static_cast<int>(from.memory_level().value());
  if (from.has_window_bits()) to.window_bits = static_cast<int>(from.window_bits().value());
  // zlib has no window of 256 bytes for gzip and would take 512 without telling.
  to.window_bits = std::max(to.window_bits, 9);
  return {"gzip", [to] { return compress_gzip(to); }};
}

CompressorLibrary brotli_library(const BrotliProto& from) {
  BrotliOptions to;
  if (from.has_quality()) to.quality = from.quality().value();
  to.mode = from.encoder_mode() == BrotliProto::TEXT ? 1 : from.encoder_mode() == BrotliProto::FONT ? 2 : 0;
  if (from.has_window_bits()) to.window_bits = from.window_bits().value();
  if (from.has_input_block_bits()) to.input_block_bits = from.input_block_bits().value();
  to.literal_context_modeling = !from.disable_literal_context_modeling();
  return {"br", [to] { return compress_brotli(to); }};
}

CompressorLibrary zstd_library(const ZstdProto& from, const Where& where) {
  ZstdOptions to;
  if (from.has_compression_level()) to.level = static_cast<int>(from.compression_level().value());
  to.checksum = from.enable_checksum();
  to.strategy = static_cast<int>(from.strategy());
  if (from.has_dictionary()) {
    const Where at(where, "dictionary");
    if (const auto bytes = data(from.dictionary(), at)) {
      to.dictionary = zstd_dictionaries({*bytes}, to.level);
      if (!to.dictionary) at.fail("is no Zstandard dictionary with an id");
    }
  }
  return {"zstd", [to] { return compress_zstd(to); }};
}

std::optional<CompressorLibrary> library(const envoy::config::core::v3::TypedExtensionConfig& from, const Where& where) {
  GzipProto gzip;
  BrotliProto brotli;
  ZstdProto zstd;
  if (from.typed_config().UnpackTo(&gzip)) return gzip_library(gzip);
  if (from.typed_config().UnpackTo(&brotli)) return brotli_library(brotli);
  if (from.typed_config().UnpackTo(&zstd)) return zstd_library(zstd, Where(Where(where, "typed_config"), "(Zstd)"));
  where.fail("holds no Gzip, Brotli or Zstd");
  return {};
}

std::string_view kind_of(const CompressorLibrary& library) {
  return library.coding == "br" ? std::string_view("brotli") : std::string_view(library.coding);
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  compressor::Compressor from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Compressor"), nullptr;
  CompressorOptions options;
  auto made = library(from.compressor_library(), Where(where, "compressor_library"));
  if (!made) return nullptr;
  options.library = std::move(*made);
  if (from.has_response_direction_config()) {
    const auto& config = from.response_direction_config();
    options.response = direction(config.common_config(), build.runtime);
    options.disable_on_etag = config.disable_on_etag_header();
    options.weaken_etag = config.weaken_etag_on_compress();
    options.status_header = config.status_header_enabled();
    options.remove_accept_encoding = config.remove_accept_encoding_header();
    options.uncompressible_codes.assign(config.uncompressible_response_codes().begin(), config.uncompressible_response_codes().end());
    if (options.disable_on_etag && options.weaken_etag)
      Where(Where(where, "response_direction_config"), "weaken_etag_on_compress").fail("must not be set beside disable_on_etag_header");
  } else {
    options.response.configured = true;
    options.response.enabled = from.has_runtime_enabled() ? feature(from.runtime_enabled(), build.runtime) : runtime::Flag();
    if (from.has_content_length()) options.response.min_content_length = from.content_length().value();
    set_types(options.response, from.content_type());
    options.disable_on_etag = from.disable_on_etag_header();
    options.remove_accept_encoding = from.remove_accept_encoding_header();
  }
  if (from.has_request_direction_config()) options.request = direction(from.request_direction_config().common_config(), build.runtime);
  const std::shared_ptr<CompressionOffers> offers = build.compressions ? build.compressions : std::make_shared<CompressionOffers>();
  offers->push_back({options.library.coding, options.response.content_types, from.choose_first()});
  options.offers = offers;
  if (build.registry) {
    const std::string& name = from.compressor_library().name();
    const bool directed = from.has_response_direction_config();
    auto scope = [&](std::string_view direction) {
      return observe::compressor_scope(*build.registry, build.stat_prefix, name, kind_of(options.library), direction);
    };
    options.stats = scope("");
    options.response.stats = directed ? scope("response") : options.stats;
    if (from.has_request_direction_config()) options.request.stats = scope("request");
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
  if (from.overrides().has_compressor_library())
    config->library = library(from.overrides().compressor_library(), Where(Where(where, "overrides"), "compressor_library"));
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
