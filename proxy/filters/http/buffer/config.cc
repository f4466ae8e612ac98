#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "proxy/filters/http/buffer/filter.h"

namespace weft::filters {
namespace {

namespace buffer = envoy::extensions::filters::http::buffer::v3;

constexpr Field kBuffer[] = {
    {.name = "max_request_bytes", .checks = kRequired, .min = 1},
};
constexpr Field kBufferPerRoute[] = {
    {"disabled"},
    {.name = "buffer", .checks = kRequired},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.buffer.v3.Buffer", kBuffer, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.buffer.v3.BufferPerRoute", kBufferPerRoute, "override", "per_route"),
};

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild&, const Where& where) {
  buffer::Buffer from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Buffer"), nullptr;
  return std::make_unique<FactoryOf<Buffer, BufferOptions>>(instance, Buffer::kHooks, BufferOptions{from.max_request_bytes().value()});
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild&, const Where& where) {
  buffer::BufferPerRoute from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no BufferPerRoute"), nullptr;
  if (!from.has_buffer() && !from.disabled()) return Where(where, "disabled").fail("must be true"), nullptr;
  auto config = std::make_shared<BufferRoute>();
  if (from.has_buffer()) config->max_request_bytes = from.buffer().max_request_bytes().value();
  return config;
}

}  // namespace

HttpFilterType buffer_type() {
  return {"envoy.filters.http.buffer",
          "envoy.extensions.filters.http.buffer.v3.Buffer",
          "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
