#include "proxy/config/bootstrap.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "proxy/config/access_logs.h"
#include "proxy/config/build_context.h"
#include "proxy/config/clusters.h"
#include "proxy/config/connect_options.h"
#include "proxy/config/dns.h"
#include "proxy/config/field_check.h"
#include "proxy/config/linked_types.h"
#include "proxy/config/listeners.h"
#include "proxy/config/names.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/protocol_options.h"
#include "proxy/config/runtime_layers.h"
#include "proxy/config/typed_struct.h"
#include "proxy/config/values.h"

#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace weft::config {
namespace {

namespace bootstrap_v3 = envoy::config::bootstrap::v3;
namespace core = envoy::config::core::v3;

template <class Message>
uint64_t hash_of(const Message& message) {
  const std::string bytes = message.SerializeAsString();
  return XXH3_64bits(bytes.data(), bytes.size());
}

class Loader {
 public:
  Loader(const BootstrapSources& sources, Diagnostics& problems, const BootstrapServices& services)
      : sources_(sources), problems_(problems), services_(services) {}

  std::unique_ptr<const Bootstrap> load() {
    link_extension_types();
    read();
    if (!has_errors(findings_)) {
      const bool unwrapped = unwrap();
      if (unwrapped) check_fields(proto_, {}, findings_);
      override_node();
      // Builders see nothing that was refused, yet tell what they find in all the rest.
      if (unwrapped) build();
    } else {
      // What did fit is looked at too, so that everything is told at once; but for what the broken text itself brought about
      // (the value that did not fit "is required").
      Diagnostics more;
      if (unwrap()) check_fields(proto_, {}, more);
      const Diagnostics of_text = findings_;
      for (Diagnostic& finding : more)
        if (finding.code == kUnsupportedCode || !touched(of_text, finding.field)) findings_.push_back(std::move(finding));
      override_node();
      build();
    }
    for (Diagnostic& finding : findings_) locate_in_text(finding);
    const bool failed = has_errors(findings_);
    if (!failed) {
      out_->warnings = std::move(findings_);
      return std::move(out_);
    }
    for (Diagnostic& finding : findings_) problems_.push_back(std::move(finding));
    return nullptr;
  }

 private:
  // Whether something at, above or below this field was found wrong.
  static bool touched(const Diagnostics& findings, std::string_view field) {
    auto within = [](std::string_view inner, std::string_view outer) {
      return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[');
    };
    return std::any_of(findings.begin(), findings.end(), [&](const Diagnostic& finding) {
      return finding.severity == Severity::kError &&
             (finding.field.empty() || within(finding.field, field) || within(field, finding.field));
    });
  }

  // --- text ---
  void read() {
    if (sources_.path.empty() && sources_.inline_yaml.empty()) {
      findings_.push_back(of_the_whole("no configuration: give a file with -c (--config-path) or text with --config-yaml"));
      return;
    }
    if (sources_.path.ends_with(".pb")) return read_binary();
    if (!sources_.path.empty()) {
      std::vector<yaml::Document> documents;
      Diagnostic problem;
      if (yaml::parse_file(sources_.path, documents, problem, limits()))
        take(std::move(documents), sources_.path);
      else
        findings_.push_back(std::move(problem));
    }
    read_inline();
  }

  void read_inline() {
    if (sources_.inline_yaml.empty()) return;
    std::vector<yaml::Document> documents;
    Diagnostic problem;
    if (yaml::parse(sources_.inline_yaml, "--config-yaml", documents, problem, limits()))
      take(std::move(documents), "--config-yaml");
    else
      findings_.push_back(std::move(problem));
  }

  void read_binary() {
    std::ifstream in(sources_.path, std::ios::binary);
    if (!in || !proto_.ParseFromIstream(&in))
      findings_.push_back(of_the_whole(sources_.path + ": cannot be read as a binary envoy.config.bootstrap.v3.Bootstrap"));
    read_inline();
  }

  void take(std::vector<yaml::Document> documents, const std::string& file) {
    if (documents.empty()) return;
    if (documents.size() > 1) {
      findings_.push_back(documents[1].at(documents[1].root.mark, std::string(kLoadCode), "a second document; a bootstrap is one"));
      return;
    }
    LoadOptions options;
    options.allow_unknown_fields = sources_.allow_unknown_static_fields;
    bootstrap_v3::Bootstrap part;
    config::load(documents[0], part, findings_, options);
    proto_.MergeFrom(part);
    documents_.push_back(std::move(documents[0]));
  }

  static yaml::Limits limits() {
    yaml::Limits limits;
    limits.bytes = 256 << 20;
    limits.nodes = 20'000'000;
    return limits;
  }

  Diagnostic of_the_whole(std::string what) const {
    Diagnostic finding;
    finding.code = kFlagCode;
    finding.message = std::move(what);
    finding.file = sources_.path;
    return finding;
  }

  // Line and caret for a finding that has a field path only: where the deepest part of its path stands.
  void locate_in_text(Diagnostic& finding) const {
    if (finding.mark.line > 0 || finding.field.empty()) return;
    const yaml::Document* best = nullptr;
    size_t best_depth = 0;
    Mark mark;
    for (const yaml::Document& document : documents_) {
      size_t depth = 0;
      const Mark at = locate(document.root, finding.field, &depth);
      if (depth > best_depth) best = &document, best_depth = depth, mark = at;
    }
    if (!best) {
      if (finding.file.empty()) finding.file = sources_.path;
      return;
    }
    const Diagnostic placed = best->at(mark, finding.code, finding.message, finding.field);
    finding.file = placed.file;
    finding.mark = placed.mark;
    finding.source_line = placed.source_line;
  }

  bool unwrap() {
    const bool some = std::any_of(documents_.begin(), documents_.end(), [](const yaml::Document& document) {
      return document.source && document.source->find("TypedStruct") != std::string::npos;
    });
    return !some || unwrap_typed_structs(proto_, {}, findings_);
  }

  // --- values ---
  void override_node() {
    core::Node& node = *proto_.mutable_node();
    if (!sources_.service_node.empty()) node.set_id(sources_.service_node);
    if (!sources_.service_cluster.empty()) node.set_cluster(sources_.service_cluster);
    if (!sources_.service_zone.empty()) node.mutable_locality()->set_zone(sources_.service_zone);
    auto full = std::make_shared<core::Node>(node);
    full->set_user_agent_name("weft-proxy");
    full->mutable_user_agent_build_version()->mutable_version()->set_minor_number(1);
    out_->node = std::move(full);
  }

  void build() {
    const Where root(findings_, {});
    runtime(Where(root, "layered_runtime"));
    BuildContext context{*out_->runtime};
    context.registry = services_.registry;
    context.log_writer = services_.log_writer;
    context.node_address = services_.node_address;
    context.local_cluster = proto_.node().cluster();
    context.local_node = proto_.node().id();
    context.locality = locality_name(proto_.node().locality());
    context.resolver = out_->resolver = resolver_options(proto_, root);
    if (proto_.cluster_manager().has_upstream_bind_config()) {
      const Where manager(root, "cluster_manager");
      context.bind = out_->bind = bind_options(proto_.cluster_manager().upstream_bind_config(), Where(manager, "upstream_bind_config"));
    }
    const Where statics(root, "static_resources");
    const auto& resources = proto_.static_resources();
    // Findings of fields come before those of values: what has some is not built.
    const Diagnostics of_fields = findings_;
    const auto sound = [&](const char* list, int i) {
      return !touched(of_fields, "static_resources." + std::string(list) + "[" + std::to_string(i) + "]");
    };
    for (int i = 0; i < resources.clusters_size(); ++i) {
      const auto& one = resources.clusters(i);
      const Where at(statics, "clusters", i);
      if (!one.name().empty() && !clusters_.emplace(one.name(), nullptr).second)
        Where(at, "name").fail("duplicate cluster \"" + one.name() + "\"");
      else if (sound("clusters", i))
        cluster(one, context, at);
    }
    // Routes may name clusters that only CDS will bring.
    if (!proto_.dynamic_resources().has_cds_config())
      context.knows_cluster = [this](std::string_view name) { return clusters_.contains(std::string(name)); };
    for (int i = 0; i < resources.listeners_size(); ++i)
      if (sound("listeners", i)) listener(resources.listeners(i), context, Where(statics, "listeners", i));
    if (proto_.has_dynamic_resources() && !touched(of_fields, "dynamic_resources")) dynamic(Where(root, "dynamic_resources"));
    if (proto_.has_admin() && !touched(of_fields, "admin")) admin(context, Where(root, "admin"));
    out_->dns = dns_options(proto_.node(), proto_.dynamic_resources().has_ads_config(), Where(root, "node"));
    out_->bytes = proto_.SerializeAsString();
  }

  void runtime(const Where& where) {
    build_runtime(proto_.layered_runtime(), proto_.node().cluster(), proto_.dynamic_resources().has_ads_config(), *out_, where);
    for (const auto& [key, layers, text] : out_->runtime->entries()) {
      if (!key.starts_with("envoy.") && !key.starts_with("overload.") && !key.starts_with("re2.") && !key.starts_with("upstream."))
        continue;
      Diagnostic finding;
      finding.severity = Severity::kWarning;
      finding.code = kUnsupportedCode;
      finding.field = where.path();
      finding.message = "runtime key \"" + key + "\" steers nothing in this proxy";
      findings_.push_back(std::move(finding));
    }
  }

  void cluster(const envoy::config::cluster::v3::Cluster& from, const BuildContext& context, const Where& where) {
    auto built = build_cluster(from, hash_of(from), context, where);
    if (!built) return;
    clusters_[from.name()] = built;
    out_->statics.clusters.push_back(std::move(built));
  }

  void listener(const envoy::config::listener::v3::Listener& from, const BuildContext& context, const Where& where) {
    auto built = build_listener(from, hash_of(from), context, where);
    if (!built) return;
    const bool twice = std::any_of(out_->statics.listeners.begin(), out_->statics.listeners.end(),
                                   [&](const auto& other) { return other->name == built->name; });
    if (twice) return Where(where, "name").fail("duplicate listener \"" + built->name + "\"");
    for (const net::ListeningPlace& place : built->places) {
      if (place.path.empty() && place.endpoint.port() == 0) continue;
      for (const auto& other : out_->statics.listeners)
        if (std::any_of(other->places.begin(), other->places.end(), [&](const auto& one) { return one.same_address(place); }))
          Where(where, "address").fail("another listener has " + net::to_string(place) + " already");
    }
    out_->statics.listeners.push_back(std::move(built));
  }

  void dynamic(const Where& where) {
    const auto& from = proto_.dynamic_resources();
    if (from.has_ads_config()) ads(from.ads_config(), Where(where, "ads_config"));
    auto read = [&](bool set, const core::ConfigSource& source, const char* field, ConfigSource& to) {
      if (!set) return;
      const Where at(where, field);
      if (auto taken = config_source(source, at)) to = std::move(*taken);
      std::error_code ignored;
      if (to.kind == ConfigSource::Kind::kPath && !std::filesystem::exists(to.path, ignored))
        at.fail("path must refer to an existing file: \"" + to.path + "\" does not exist");
      if (to.kind == ConfigSource::Kind::kAds && !from.has_ads_config()) at.fail("uses ads, but dynamic_resources.ads_config is not set");
    };
    read(from.has_lds_config(), from.lds_config(), "lds_config", out_->lds);
    read(from.has_cds_config(), from.cds_config(), "cds_config", out_->cds);
    if (!from.has_ads_config()) return;
    if (proto_.node().id().empty() || proto_.node().cluster().empty())
      where.fail("node.id and node.cluster are required for ads; set them in the file or with --service-node and --service-cluster");
  }

  void ads(const core::ApiConfigSource& from, const Where& where) {
    if (from.grpc_services_size() != 1)
      return Where(where, "grpc_services").fail("must hold exactly one item, found " + std::to_string(from.grpc_services_size()));
    const core::GrpcService& service = from.grpc_services(0);
    const Where at(where, "grpc_services", 0);
    const Where grpc(at, "envoy_grpc");
    AdsConfig to;
    to.delta = from.api_type() == core::ApiConfigSource::DELTA_GRPC;
    to.cluster = service.envoy_grpc().cluster_name();
    to.authority = service.envoy_grpc().authority().empty() ? to.cluster : service.envoy_grpc().authority();
    to.node_on_first_message_only = from.set_node_on_first_message_only();
    for (int i = 0; i < service.initial_metadata_size(); ++i) {
      std::string name = service.initial_metadata(i).key();
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
      to.metadata.emplace_back(std::move(name), service.initial_metadata(i).value());
    }
    if (service.envoy_grpc().retry_policy().has_retry_back_off()) {
      const auto& back_off = service.envoy_grpc().retry_policy().retry_back_off();
      to.backoff_base = milliseconds(back_off.base_interval());
      to.backoff_max = back_off.has_max_interval() ? milliseconds(back_off.max_interval()) : to.backoff_base * 10;
      if (to.backoff_max < to.backoff_base)
        Where(Where(Where(grpc, "retry_policy"), "retry_back_off"), "max_interval").fail("must be at least base_interval");
    }
    auto cluster = clusters_.find(to.cluster);
    if (cluster == clusters_.end())
      Where(grpc, "cluster_name").fail("unknown cluster \"" + to.cluster + "\"; it must be one of static_resources.clusters");
    else if (cluster->second && cluster->second->protocol != upstream::ClusterConfig::Protocol::kHttp2)
      Where(grpc, "cluster_name")
          .fail("cluster \"" + to.cluster +
                "\" does not speak HTTP/2, which gRPC needs; set http2_protocol_options in its typed_extension_protocol_options");
    out_->ads = std::move(to);
  }

  void admin(const BuildContext& context, const Where& where) {
    Admin to;
    const bool has_address = proto_.admin().has_address();
    if (has_address) {
      if (auto address = endpoint(proto_.admin().address(), Where(where, "address"))) to.address = *address;
    }
    to.access_logs = build_access_logs(proto_.admin().access_log(), context, where, "access_log");
    if (const std::string& path = proto_.admin().access_log_path(); !path.empty() && path != "/dev/null") {
      google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog> one;
      envoy::extensions::access_loggers::file::v3::FileAccessLog file;
      file.set_path(path);
      one.Add()->mutable_typed_config()->PackFrom(file);
      for (auto& log : build_access_logs(one, context, where, "access_log_path")) to.access_logs.push_back(std::move(log));
    }
    if (has_address) out_->admin = std::move(to);
  }

  const BootstrapSources& sources_;
  Diagnostics& problems_;
  const BootstrapServices& services_;
  Diagnostics findings_;
  std::vector<yaml::Document> documents_;
  bootstrap_v3::Bootstrap proto_;
  std::unique_ptr<Bootstrap> out_ = std::make_unique<Bootstrap>();
  std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>> clusters_;
};

}  // namespace

std::unique_ptr<const Bootstrap> load_bootstrap(const BootstrapSources& sources, Diagnostics& problems, const BootstrapServices& services) {
  return Loader(sources, problems, services).load();
}

}  // namespace weft::config
