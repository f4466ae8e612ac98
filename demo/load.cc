#include "demo/load.h"

#include <boost/asio/basic_waitable_timer.hpp>
#include <csignal>
#include <random>

namespace weft::demo {
namespace {

// Delayed answers must not let the generator run out of descriptors.
constexpr int kMostUnderWay = 200;
constexpr double kPatience = 12;

}  // namespace

std::vector<Lane> demo_lanes(double rate) {
  std::vector<Lane> lanes{
      {"orders, from outside", "api.ecommerce.com", "/api/orders/7", {}, true, 20},
      {"users", "user-service", "/users/7", {}, false, 40},
      {"users, canary: true", "user-service", "/users/7", {{"canary", "true"}}, false, 5},
      {"products, premium", "product-service", "/products/7", {{"user-segment", "premium"}}, false, 8},
      {"products, standard", "product-service", "/products/7", {{"user-segment", "standard"}}, false, 8},
      {"payments", "payment-service", "/payments/7", {}, false, 12},
      {"payments, chaos-test", "payment-service", "/payments/7", {{"chaos-test", "true"}}, false, 16},
  };
  for (Lane& lane : lanes) lane.per_second *= rate;
  return lanes;
}

Sample judge(const Answer& answer, double milliseconds) {
  Sample sample;
  sample.milliseconds = milliseconds;
  sample.at = Clock::now();
  if (!answer.served_by.empty()) {
    const size_t first = answer.served_by.find(' '), second = answer.served_by.find(' ', first + 1);
    sample.version = first == std::string::npos ? answer.served_by : answer.served_by.substr(first + 1, second - first - 1);
    sample.failed = answer.status >= 500;
    // Nothing of the demo takes so long by itself: an injected delay.
    if (milliseconds >= 2900) sample.version = "delayed " + std::to_string(static_cast<int>(milliseconds / 1000 + 0.1)) + " s";
  } else if (answer.status == 0) {
    sample.version = "no answer";
    sample.failed = true;
  } else if (answer.status == 404) {
    sample.version = "404 no route";
  } else if (answer.body.find("fault filter abort") != std::string::npos) {
    sample.version = std::to_string(answer.status) + " injected";
  } else {
    sample.version = std::to_string(answer.status) + " by proxy";
    sample.failed = answer.status >= 500;
  }
  return sample;
}

void LoadGenerator::start(asio::ip::tcp::endpoint gateway, asio::ip::tcp::endpoint shopfront) {
  under_way_.assign(lanes_.size(), 0);
  for (size_t i = 0; i < lanes_.size(); ++i)
    spawn(io_.get_executor(), "demo load lane", run_lane(i, lanes_[i].gateway ? gateway : shopfront));
  thread_ = std::thread([this] {
    // Signals are the main thread's business.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    io_.run();
  });
}

void LoadGenerator::stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

Task<void> LoadGenerator::run_lane(size_t lane, asio::ip::tcp::endpoint server) {
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(io_.get_executor());
  std::mt19937 random(static_cast<unsigned>(lane) + 1);
  std::exponential_distribution<double> pause(lanes_[lane].per_second);
  for (Clock::time_point next = Clock::now();;) {
    next += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause(random)));
    timer.expires_at(next);
    auto [error] = co_await timer.async_wait(kAwait);
    if (error) co_return;
    if (under_way_[lane] < kMostUnderWay) spawn(io_.get_executor(), "demo load request", one(lane, server));
  }
}

Task<void> LoadGenerator::one(size_t lane, asio::ip::tcp::endpoint server) {
  ++under_way_[lane];
  const Clock::time_point begin = Clock::now();
  const Lane& what = lanes_[lane];
  const Answer answer = co_await client_.get(server, what.host, what.path, what.headers, kPatience);
  statistics_.add(lane, judge(answer, std::chrono::duration<double, std::milli>(Clock::now() - begin).count()));
  --under_way_[lane];
}

}  // namespace weft::demo
