#include "controlplane/server/server.h"

#include "common/base/log.h"
#include "controlplane/api/api.h"
#include "controlplane/push/pusher.h"
#include "controlplane/push/world_metrics.h"
#include "controlplane/server/config_watch.h"
#include "controlplane/xds/metrics.h"

#include <spdlog/spdlog.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <thread>

namespace weft::control {
namespace {

spdlog::logger& logger() { return log::get(log::Logger::kMain); }

// The file appears whole or not at all.
Status write_whole(const std::string& path, const std::string& text) {
  const std::string part = path + ".part";
  const int file = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return system_error("--address-path: cannot write " + part, errno);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int code = errno;
  close(file);
  if (!written) return system_error("--address-path: cannot write " + part, code);
  if (rename(part.c_str(), path.c_str()) != 0) return system_error("--address-path: cannot write " + path, errno);
  return {};
}

bool is_loopback(const ListenAddress& address) {
  boost::system::error_code error;
  return asio::ip::make_address(address.ip, error).is_loopback();
}

void count_changes(observe::PrometheusRegistry& registry, const model::View& view, const model::Changes& changes) {
  for (const model::Key& key : changes.keys) {
    const model::Resource* resource = view.find(key);
    const std::string_view event = resource == nullptr ? "delete" : resource->created == view.revision() ? "add" : "update";
    // istiod's names: what comes from Kubernetes itself is the registry's, in the plural.
    if (key.kind == "Service" || key.kind == "Pod" || key.kind == "Endpoints" || key.kind == "EndpointSlice") {
      const bool plural = key.kind == "Service" || key.kind == "Pod";
      registry.add("pilot_k8s_reg_events", {{"type", plural ? key.kind + "s" : key.kind}, {"event", event}});
    } else {
      registry.add("pilot_k8s_cfg_events", {{"type", key.kind}, {"event", event}});
    }
  }
}

}  // namespace

struct Server::Parts {
  // In the order in which they are made; the end goes the other way (see ~Parts).
  observe::PrometheusRegistry registry;
  asio::io_context push_loop{1}, http_loop{1};
  std::unique_ptr<push::Pusher> pusher;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<ConfigWatch> watch;
  std::unique_ptr<xds::AdsServer> ads;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<api::HttpServer> http;
  std::string xds_address;
  std::thread push_thread, http_thread;

  // Revisions reach the pusher only once everything is loaded; until then the newest view is all that will count.
  std::mutex gate;
  bool loaded = false;

  void on_revision(std::shared_ptr<const model::View> view, const model::Changes& changes) {
    count_changes(registry, *view, changes);
    std::lock_guard lock(gate);
    if (loaded) pusher->on_view(std::move(view), std::make_shared<const model::Changes>(changes));
  }
  void open_gate() {
    std::lock_guard lock(gate);
    pusher->on_view(store->view(), nullptr);
    loaded = true;
  }

  Status start(const Options& options);
  ~Parts();
};

Status Server::Parts::start(const Options& options) {
  xds::declare_metrics(registry, kVersion);
  push::declare_world_metrics(registry);
  registry.declare_counter("pilot_k8s_cfg_events", "Istio's objects added, updated and deleted, by kind.");
  registry.declare_counter("pilot_k8s_reg_events", "Kubernetes' objects added, updated and deleted, by kind.");
  auto names = std::make_shared<xds::NameTable>();
  push::PushOptions push_options;
  push_options.quiet = options.debounce_after;
  push_options.max = options.debounce_max;
  pusher = std::make_unique<push::Pusher>(push_options, push_loop.get_executor(), names, registry);

  auto opened =
      store::Store::open(options.store, [this](auto view, const model::Changes& changes) { on_revision(std::move(view), changes); });
  if (!opened) return opened.error();
  store = std::move(*opened);
  registry.on_scrape([this](observe::PrometheusRegistry& to) { push::count_world(*store->view(), to); });
  for (const Diagnostic& finding : store->refused()) logger().warn("{}", render_short(finding));
  if (!options.config_dir.empty()) {
    watch = std::make_unique<ConfigWatch>(options.config_dir, *store);
    if (Status started = watch->start(); !started) return started;
  }
  open_gate();

  xds::AdsServerOptions ads_options;
  ads_options.address = options.xds.text();
  ads_options.version = kVersion;
  auto listening = xds::AdsServer::start(ads_options, push_loop.get_executor(), names, *pusher, registry);
  if (!listening) return listening.error();
  ads = std::move(*listening);
  pusher->attach(*ads);
  xds_address = ListenAddress{options.xds.ip, static_cast<unsigned short>(ads->port())}.text();

  auto sources = [this] { return watch ? std::vector<api::SourceStatus>{watch->status()} : std::vector<api::SourceStatus>{}; };
  api = std::make_unique<api::Api>(api::Services{*store, ads->status(), registry, kVersion, sources});
  api::HttpOptions http_options;
  http_options.address = options.http.ip;
  http_options.port = options.http.port;
  http_options.names = options.http_names;
  http = std::make_unique<api::HttpServer>(
      http_loop.get_executor(), [this](api::Request request) { return api->answer(std::move(request)); }, http_options);
  if (Status bound = http->listen(); !bound) return bound;

  push_thread = std::thread([this] {
    auto work = asio::make_work_guard(push_loop);
    push_loop.run();
  });
  http_thread = std::thread([this] { http_loop.run(); });

  if (!is_loopback(options.http)) logger().warn("the HTTP API on {} has no login: whoever reaches it can change the mesh", http->address());
  logger().info("revision {}, objects {}; xDS on {}, HTTP API on {}", store->view()->revision(), store->view()->resources().size(),
                xds_address, http->address());
  if (options.address_path.empty()) return {};
  return write_whole(options.address_path, "{\"xds\":\"" + xds_address + "\",\"http\":\"" + http->address() + "\"}\n");
}

Server::Parts::~Parts() {
  if (api) api->close();
  if (http_thread.joinable()) {
    asio::post(http_loop, [this] { http->stop(); });
    http_thread.join();  // the loop ends with its last connection
  }
  http.reset();
  if (watch) watch->stop();
  if (push_thread.joinable()) {
    asio::post(push_loop, [this] {
      pusher->detach();
      ads.reset();
      push_loop.stop();
    });
    push_thread.join();
  }
  pusher->detach();
  ads.reset();
  watch.reset();
  store.reset();
  pusher.reset();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const Options& options) {
  auto parts = std::make_unique<Parts>();
  if (Status started = parts->start(options); !started) return started.error();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

std::string Server::xds_address() const { return parts_->xds_address; }
std::string Server::http_address() const { return parts_->http->address(); }

}  // namespace weft::control
