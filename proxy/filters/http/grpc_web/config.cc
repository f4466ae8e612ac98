#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "proxy/filters/http/grpc_web/filter.h"

namespace weft::filters {
namespace {

constexpr FieldTable kGrpcWebTables[] = {
    no_fields_of("envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", "http_filter"),
};

std::unique_ptr<const FilterFactory> make_grpc_web(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                                   const Where& where) {
  envoy::extensions::filters::http::grpc_web::v3::GrpcWeb from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no GrpcWeb"), nullptr;
  GrpcWebOptions options;
  if (build.registry) options.scopes = std::make_shared<GrpcCallScopes>(*build.registry, observe::kGrpcWebCallShape);
  return std::make_unique<FactoryOf<GrpcWeb, GrpcWebOptions>>(instance, GrpcWeb::kHooks, std::move(options));
}

}  // namespace

HttpFilterType grpc_web_type() {
  return {"envoy.filters.http.grpc_web",
          "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
          "",
          [] { return all_of(kGrpcWebTables); },
          &make_grpc_web,
          nullptr};
}

}  // namespace weft::filters
