#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/compression/brotli/decompressor/v3/brotli.pb.h"
#include "envoy/extensions/compression/gzip/decompressor/v3/gzip.pb.h"
#include "envoy/extensions/compression/zstd/decompressor/v3/zstd.pb.h"
#include "envoy/extensions/filters/http/decompressor/v3/decompressor.pb.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/http/decompressor/filter.h"

#include <google/protobuf/wrappers.pb.h>

namespace weft::filters {
namespace {

namespace decompressor = envoy::extensions::filters::http::decompressor::v3;
using GzipProto = envoy::extensions::compression::gzip::decompressor::v3::Gzip;
using BrotliProto = envoy::extensions::compression::brotli::decompressor::v3::Brotli;
using ZstdProto = envoy::extensions::compression::zstd::decompressor::v3::Zstd;

constexpr std::string_view kChunks = "output goes into blocks of the worker's pool";
constexpr Field kDecompressor[] = {
    {.name = "decompressor_library", .checks = kRequired, .takes = "decompressor"},
    {"request_direction_config"},
    {"response_direction_config"},
};
constexpr Field kCommonDirection[] = {
    {"enabled"},
    {"ignore_no_transform_header"},
};
constexpr Field kRequestDirection[] = {
    {"common_config"},
    {"advertise_accept_encoding"},
};
constexpr Field kResponseDirection[] = {
    {"common_config"},
};
constexpr Field kGzip[] = {
    {.name = "window_bits", .min = 9, .max = 15},
    {"chunk_size", kChunks},
    {.name = "max_inflate_ratio", .min = 1, .max = 1032},
};
constexpr Field kBrotli[] = {
    {"disable_ring_buffer_reallocation"},
    {"chunk_size", kChunks},
};
constexpr Field kZstd[] = {
    {.name = "dictionaries", .note = "each with an id of its own; read once, when the filter is built"},
    {"chunk_size", kChunks},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.decompressor.v3.Decompressor", kDecompressor, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.decompressor.v3.Decompressor.CommonDirectionConfig", kCommonDirection),
    fields_of("envoy.extensions.filters.http.decompressor.v3.Decompressor.RequestDirectionConfig", kRequestDirection),
    fields_of("envoy.extensions.filters.http.decompressor.v3.Decompressor.ResponseDirectionConfig", kResponseDirection),
    fields_of("envoy.extensions.compression.gzip.decompressor.v3.Gzip", kGzip, "", "decompressor"),
    fields_of("envoy.extensions.compression.brotli.decompressor.v3.Brotli", kBrotli, "", "decompressor"),
    fields_of("envoy.extensions.compression.zstd.decompressor.v3.Zstd", kZstd, "", "decompressor"),
};

DecompressorDirection direction(const decompressor::Decompressor::CommonDirectionConfig& from, const Runtime& runtime) {
  DecompressorDirection to;
  if (from.has_enabled()) to.enabled = feature(from.enabled(), runtime);
  to.ignore_no_transform = from.ignore_no_transform_header();
  return to;
}

std::shared_ptr<const ZstdDictionaries> dictionaries(const ZstdProto& from, const Where& where) {
  if (from.dictionaries().empty()) return nullptr;
  std::vector<std::string> all;
  for (int i = 0; i < from.dictionaries_size(); ++i) {
    const Where at(where, "dictionaries", i);
    auto bytes = data(from.dictionaries(i), at);
    if (!bytes) continue;
    if (!zstd_dictionaries({*bytes}, std::nullopt)) at.fail("is no Zstandard dictionary with an id");
    all.push_back(std::move(*bytes));
  }
  return zstd_dictionaries(all, std::nullopt);
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  decompressor::Decompressor from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Decompressor"), nullptr;
  DecompressorOptions options;
  const auto& library = from.decompressor_library();
  GzipProto gzip;
  BrotliProto brotli;
  ZstdProto zstd;
  std::string_view kind = "gzip";
  if (library.typed_config().UnpackTo(&gzip)) {
    const int window = gzip.has_window_bits() ? static_cast<int>(gzip.window_bits().value()) : 15;
    const uint32_t ratio = gzip.has_max_inflate_ratio() ? gzip.max_inflate_ratio().value() : kMaxInflateRatio;
    options.make = [window, ratio] { return decompress_gzip(window, ratio); };
  } else if (library.typed_config().UnpackTo(&brotli)) {
    options.coding = "br";
    kind = "brotli";
    options.make = [reallocation = !brotli.disable_ring_buffer_reallocation()] { return decompress_brotli(reallocation); };
  } else if (library.typed_config().UnpackTo(&zstd)) {
    options.coding = kind = "zstd";
    options.make = [dictionaries = dictionaries(zstd, Where(where, "decompressor_library.typed_config.(Zstd)"))] {
      return decompress_zstd(dictionaries);
    };
  } else {
    return Where(where, "decompressor_library").fail("holds no Gzip, Brotli or Zstd"), nullptr;
  }
  options.request = direction(from.request_direction_config().common_config(), build.runtime);
  options.response = direction(from.response_direction_config().common_config(), build.runtime);
  if (from.request_direction_config().has_advertise_accept_encoding())
    options.advertise = from.request_direction_config().advertise_accept_encoding().value();
  if (build.registry) {
    options.request.stats = observe::decompressor_scope(*build.registry, build.stat_prefix, library.name(), kind, "request");
    options.response.stats = observe::decompressor_scope(*build.registry, build.stat_prefix, library.name(), kind, "response");
    if (kind == "gzip") options.library_stats = observe::gzip_library_scope(*build.registry, build.stat_prefix, library.name());
  }
  return std::make_unique<FactoryOf<Decompressor, DecompressorOptions>>(instance, Decompressor::kHooks, std::move(options));
}

}  // namespace

HttpFilterType decompressor_type() {
  return {"envoy.filters.http.decompressor",
          "envoy.extensions.filters.http.decompressor.v3.Decompressor",
          "",
          [] { return all_of(kTables); },
          &make,
          nullptr};
}

}  // namespace weft::filters
