#include "proxy/config/runtime_layers.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/config/protocol_options.h"

#include <google/protobuf/struct.pb.h>

#include <charconv>
#include <cmath>
#include <set>

namespace weft::config {
namespace {

using google::protobuf::Value;

// A number of a Struct as text: "5", "0.25".
std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// Nothing for what is no share after all: a field of another name, a denominator that does not exist.
std::optional<runtime::Share> share(const google::protobuf::Struct& from) {
  runtime::Share to;
  for (const auto& [name, value] : from.fields()) {
    if (name == "numerator") {
      const double number = value.number_value();
      if (value.kind_case() != Value::kNumberValue || number < 0 || number > 4294967295.0 || number != std::floor(number)) return {};
      to.numerator = static_cast<uint32_t>(number);
    } else {
      const auto of = name == "denominator" ? runtime::denominator(value.string_value()) : std::nullopt;
      if (!of) return {};
      to.denominator = *of;
    }
  }
  return to;
}

std::string share_text(const google::protobuf::Struct& from) {
  std::string out;
  for (const char* name : {"numerator", "denominator"}) {
    const auto at = from.fields().find(name);
    if (at == from.fields().end()) continue;
    const Value& value = at->second;
    out += (out.empty() ? "" : ", ") + std::string(name) + ": ";
    out += value.kind_case() == Value::kNumberValue ? number_text(value.number_value()) : value.string_value();
  }
  return out;
}

void flatten(const std::string& key, const Value& value, runtime::Layer& to) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      to.insert_or_assign(key, runtime::number_setting(value.number_value(), number_text(value.number_value())));
      return;
    case Value::kStringValue: to.insert_or_assign(key, runtime::text_setting(value.string_value())); return;
    case Value::kBoolValue: to.insert_or_assign(key, runtime::flag_setting(value.bool_value())); return;
    case Value::kStructValue: {
      const google::protobuf::Struct& inner = value.struct_value();
      if (inner.fields().empty() || inner.fields().contains("numerator") || inner.fields().contains("denominator")) {
        to.insert_or_assign(key, runtime::share_setting(inner.fields().empty() ? std::nullopt : share(inner), share_text(inner)));
        return;
      }
      for (const auto& [name, one] : inner.fields()) flatten(key.empty() ? name : key + "." + name, one, to);
      return;
    }
    default: return;
  }
}

}  // namespace

runtime::Layer runtime_layer(const google::protobuf::Struct& from) {
  runtime::Layer out;
  for (const auto& [name, value] : from.fields()) flatten(name, value, out);
  return out;
}

void build_runtime(const envoy::config::bootstrap::v3::LayeredRuntime& from, const std::string& service_cluster, bool has_ads,
                   Bootstrap& to, const filters::Where& where) {
  using From = envoy::config::bootstrap::v3::RuntimeLayer;
  std::set<std::string> names;
  bool has_admin = false;
  for (int i = 0; i < from.layers_size(); ++i) {
    const From& layer = from.layers(i);
    const Where at(where, "layers", i);
    if (!names.insert(layer.name()).second) at.fail("duplicate layer name \"" + layer.name() + "\"");
    RuntimeSource source;
    runtime::Layer values;
    switch (layer.layer_specifier_case()) {
      case From::kStaticLayer: values = runtime_layer(layer.static_layer()); break;
      case From::kAdminLayer:
        if (has_admin) Where(at, "admin_layer").fail("there is one already, and at most one may be");
        has_admin = true;
        source.kind = RuntimeSource::Kind::kAdmin;
        break;
      case From::kDiskLayer: {
        const auto& disk = layer.disk_layer();
        source.kind = RuntimeSource::Kind::kDisk;
        source.link = disk.symlink_root();
        source.folder = disk.symlink_root();
        if (!disk.subdirectory().empty()) source.folder += "/" + disk.subdirectory();
        if (disk.append_service_cluster()) source.folder += "/" + service_cluster;
        break;
      }
      case From::kRtdsLayer: {
        source.kind = RuntimeSource::Kind::kRtds;
        source.name = layer.rtds_layer().name();
        const Where rtds(at, "rtds_layer");
        const Where field(rtds, "rtds_config");
        if (auto taken = config_source(layer.rtds_layer().rtds_config(), field)) source.source = std::move(*taken);
        if (source.source.kind == ConfigSource::Kind::kAds && !has_ads) field.fail("uses ads, but dynamic_resources.ads_config is not set");
        break;
      }
      case From::LAYER_SPECIFIER_NOT_SET: break;
    }
    const bool absent = source.kind == RuntimeSource::Kind::kDisk;  // until it is read
    source.layer = to.runtime->add_layer(layer.name(), std::move(values), absent);
    if (source.kind != RuntimeSource::Kind::kStatic) to.runtime_sources.push_back(std::move(source));
  }
  // As Envoy: who says nothing has an admin layer.
  if (from.layers_size() == 0) {
    RuntimeSource source;
    source.kind = RuntimeSource::Kind::kAdmin;
    source.layer = to.runtime->add_layer("", {});
    to.runtime_sources.push_back(std::move(source));
  }
}

}  // namespace weft::config
