// The load generator: open loop, each lane sends at its own rate whatever the answers do. It plays two parts: people outside,
// who come through the gateway, and the shop's front, a workload of the mesh whose calls its sidecar takes.
#pragma once
#include "demo/http_client.h"
#include "demo/statistics.h"

#include <thread>

namespace weft::demo {

struct Lane {
  std::string route;  // its name in the table
  std::string host, path;
  HeaderList headers;
  bool gateway = false;  // from outside
  double per_second = 10;
};

// The lanes of the demo, in the order of the table.
std::vector<Lane> demo_lanes(double rate);

// What a lane's answer counts as: version and whether it failed.
Sample judge(const Answer& answer, double milliseconds);

class LoadGenerator {
 public:
  LoadGenerator(std::vector<Lane> lanes, Statistics& statistics) : lanes_(std::move(lanes)), statistics_(statistics) {}
  ~LoadGenerator() { stop(); }

  void start(asio::ip::tcp::endpoint gateway, asio::ip::tcp::endpoint shopfront);
  void stop();

 private:
  Task<void> run_lane(size_t lane, asio::ip::tcp::endpoint server);
  Task<void> one(size_t lane, asio::ip::tcp::endpoint server);

  std::vector<Lane> lanes_;
  Statistics& statistics_;
  asio::io_context io_{1};
  HttpClient client_{io_.get_executor()};
  std::vector<int> under_way_;
  std::thread thread_;
};

}  // namespace weft::demo
