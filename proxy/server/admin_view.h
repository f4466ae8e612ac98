// The server as the admin pages see and command it. Lives on the control thread.
#pragma once
#include "proxy/admin/admin_server.h"
#include "proxy/admin/admin_source.h"

namespace weft::server {

class Server;

class AdminView final : public admin::AdminSource {
 public:
  explicit AdminView(Server& server);
  ~AdminView();
  // Opens the admin's port and writes --admin-address-path.
  Status start();

  void note_request(const admin::ServedRequest& served) override;
  admin::ServerView server() override;
  std::vector<admin::ClusterView> clusters() override;
  std::vector<admin::ListenerView> listeners() override;
  admin::ConfigView config(bool with_endpoints) override;
  std::vector<std::pair<std::string, std::vector<std::string>>> unready() override;
  admin::RuntimeView runtime() override;
  std::string modify_runtime(const std::vector<std::pair<std::string, std::string>>& texts) override;
  void refresh_stats() override;
  void drain_listeners(bool graceful, bool skip_exit, bool inbound_only) override;
  void fail_health_check(bool fail) override;
  void reopen_logs() override;
  void quit() override;

 private:
  Server& server_;
  std::chrono::system_clock::time_point started_;
  std::chrono::steady_clock::time_point interval_began_ = std::chrono::steady_clock::now();
  std::unique_ptr<admin::AdminServer> pages_;
};

}  // namespace weft::server
