// The inside of Discovery, for its own files: discovery.cc (life and sources), discovery_building.cc (what arrives is built and
// answered), discovery_warming.cc (what is accepted waits for what it refers to), discovery_subscriptions.cc (what is asked for).
#pragma once
#include "proxy/config/values.h"
#include "proxy/xds/ads_client.h"
#include "proxy/xds/discovery.h"
#include "proxy/xds/path_source.h"
#include "proxy/xds/subscription_stats.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <thread>

namespace weft::xds {

class Discovery::Impl final : public AdsEvents {
 public:
  Impl(net::Loop& control, upstream::ClusterTable& clusters, const config::Bootstrap& bootstrap, observe::Registry& metrics,
       telemetry::LogWriter& logs, Target& target, RuntimeSources* runtime);
  ~Impl();
  void start(std::function<void()> on_first_complete);
  void stop();
  std::vector<ResourceState> resources() const;
  std::vector<std::shared_ptr<const config::Listener>> static_listeners() const;
  std::vector<std::string> unready() const;

 private:
  // How long a resource may be waited for.
  struct Deadline final : TimeoutNode {
    std::function<void()> passed;
    void on_timeout() override { passed(); }
  };
  // The first answer about all clusters, or all listeners.
  struct First {
    bool wanted = false, answered = false;
  };
  struct Arrived {
    Response response;
    std::string path;  // empty: over ADS
  };

  // Sources.
  void begin_source(ResourceType type, const config::ConfigSource& source, First& first);
  void add_path(ResourceType type, const std::string& path, const std::string& directory, bool complete);
  void on_file(ResourceType type, const std::string& path, const std::string& text, bool complete);
  void on_file_failed(ResourceType type, const std::string& path);
  void on_ads_response(Response response) override;
  void on_ads_disconnected(const std::string&) override;
  // Building.
  void enqueue(Response response, std::string path);
  void build_next();
  void add_absent(config::Changes& changes) const;
  void take(const Arrived& arrived, config::Built& built, std::chrono::steady_clock::time_point began);
  void note_states(const Arrived& arrived, const config::Built& built, const std::set<std::string>& rejected);
  // Warming.
  void warm(const config::Update& built);
  void release_routes(config::Update& ready);
  void release_scopes(config::Update& ready);
  void release_listeners(config::Update& ready);
  void note_scopes_answer(const std::string& path);
  void activate_cluster(const std::string& name);
  void activate_listener(const std::string& name);
  void deliver(config::Update ready);
  void complete_if_first();
  void mark_warming();
  void note_eds(const upstream::ClusterConfig& cluster);
  void note_names(const std::shared_ptr<const upstream::ClusterConfig>& cluster);
  bool waits_for_names(const std::shared_ptr<const upstream::ClusterConfig>& cluster);
  void note_rds(const config::Listener& listener);
  void note_extensions(const std::shared_ptr<const config::Listener>& listener);
  bool lacks_route(std::string_view rds) const;
  bool lacks_routes(const config::Listener& listener) const;
  bool lacks_extension(const config::Listener& listener) const;
  void begin_runtime();
  void wait_for_routes(const std::string& name, std::chrono::milliseconds patience);
  void give_up_static(const std::string& what);
  void wait_for(const std::string& what, std::chrono::milliseconds patience, std::function<void()> passed);
  void wait_no_more(const std::string& what);
  // Subscriptions.
  void subscribe_endpoints();
  void subscribe_routes();
  void subscribe_scopes();
  void subscribe_extensions();
  template <class Held>
  void drop_unnamed(Held& held, const std::set<std::string>& names, ResourceType type);
  bool from_path(const std::string& eds_name) const;

  net::Loop& loop_;
  upstream::ClusterTable& clusters_;
  const config::Bootstrap& bootstrap_;
  observe::Registry& metrics_;
  Target& target_;
  RuntimeSources* runtime_;  // null: nobody takes layers
  config::BuildContext context_;
  SubscriptionStats stats_;
  std::shared_ptr<observe::Scope> cluster_manager_, listener_manager_;
  std::function<void()> on_first_complete_;
  std::unique_ptr<AdsClient> ads_;
  std::map<std::string, std::unique_ptr<PathSource>> paths_;

  asio::io_context builder_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> builder_work_{builder_.get_executor()};
  std::thread builder_thread_;
  std::deque<Arrived> queue_;
  bool building_ = false;

  config::Values values_;
  std::map<std::pair<ResourceType, std::string>, ResourceState> states_;
  std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>> warming_clusters_;
  std::map<std::string, std::shared_ptr<const config::Listener>> warming_listeners_;
  std::map<std::string, std::shared_ptr<const routing::RouteTable>> warming_routes_;
  std::map<std::string, std::unique_ptr<Deadline>> deadlines_;
  std::set<std::string> static_waits_;
  // Of scoped routes, by the file that they come from (empty: ADS): who has answered, and what is in force.
  std::set<std::string> scopes_answered_;
  std::map<std::string, std::shared_ptr<const config::ScopeTable>> scope_tables_;
  std::set<std::string> routes_of_files_;  // a file may bring more of them than are named yet
  First clusters_first_, listeners_first_;
  config::Update held_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  bool first_complete_ = false, stopped_ = false;
};

}  // namespace weft::xds
