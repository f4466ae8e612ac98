// N proxies as far as a control plane can tell: delta ADS clients, each on a connection of its own, that take all clusters and
// their endpoints, ack what they get, and note when an endpoint with a marked port arrives.
//   ads_fanout SERVER CLIENTS
// stdout: "ready SECONDS" once every client holds the endpoints of every cluster; then for each mark "seen PORT T1 T2 ..." with the
// moments (CLOCK_MONOTONIC, in nanoseconds) at which each client got it. Ends when stdin does.
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"

#include <grpcpp/create_channel.h>
#include <time.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace {

using Request = envoy::service::discovery::v3::DeltaDiscoveryRequest;
using Response = envoy::service::discovery::v3::DeltaDiscoveryResponse;
using Ads = envoy::service::discovery::v3::AggregatedDiscoveryService;

constexpr const char* kClusters = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
constexpr const char* kEndpoints = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
constexpr unsigned kFirstMark = 20000;

long long now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

// What all clients saw; prints when a stage is complete.
class Board {
 public:
  explicit Board(size_t clients) : clients_(clients), begun_(now()) {}
  void complete() {
    const std::lock_guard lock(mutex_);
    if (++complete_ == clients_) std::printf("ready %.3f\n", static_cast<double>(now() - begun_) / 1e9), std::fflush(stdout);
  }
  void seen(unsigned mark, long long at) {
    const std::lock_guard lock(mutex_);
    auto& times = marks_[mark];
    times.push_back(at);
    if (times.size() != clients_) return;
    std::printf("seen %u", mark);
    for (long long time : times) std::printf(" %lld", time);
    std::printf("\n");
    std::fflush(stdout);
  }

 private:
  std::mutex mutex_;
  size_t clients_, complete_ = 0;
  long long begun_;
  std::map<unsigned, std::vector<long long>> marks_;
};

class Client : public grpc::ClientBidiReactor<Request, Response> {
 public:
  Client(const std::string& server, size_t number, Board& board) : board_(board) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = Ads::NewStub(grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments));
    stub_->async()->DeltaAggregatedResources(&context_, this);
    Request request;
    auto* node = request.mutable_node();
    node->set_id("sidecar~10.200." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1) + "~client-" +
                 std::to_string(number) + ".default~default.svc.cluster.local");
    node->set_cluster("client.default");
    (*node->mutable_metadata()->mutable_fields())["NAMESPACE"].set_string_value("default");
    (*node->mutable_metadata()->mutable_fields())["INTERCEPTION_MODE"].set_string_value("NONE");
    request.set_type_url(kClusters);
    send(std::move(request));
    StartRead(&response_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const long long at = now();
    Request reply;
    reply.set_type_url(response_.type_url());
    reply.set_response_nonce(response_.nonce());
    send(std::move(reply));
    if (response_.type_url() == kClusters) {
      Request subscribe;
      subscribe.set_type_url(kEndpoints);
      for (const auto& resource : response_.resources())
        if (resource.name().starts_with("outbound|") && wanted_.insert(resource.name()).second)
          subscribe.add_resource_names_subscribe(resource.name());
      if (subscribe.resource_names_subscribe_size() > 0) send(std::move(subscribe));
    } else if (response_.type_url() == kEndpoints) {
      for (const auto& resource : response_.resources()) take(resource, at);
      if (!complete_ && !wanted_.empty() && held_.size() >= wanted_.size()) complete_ = true, board_.complete();
    }
    StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    queue_.pop_front();
    if (ok && !queue_.empty()) StartWrite(&queue_.front());
  }

  void OnDone(const grpc::Status& status) override {
    if (!status.ok()) std::fprintf(stderr, "stream ended: %s\n", status.error_message().c_str());
  }

 private:
  void take(const envoy::service::discovery::v3::Resource& resource, long long at) {
    held_.insert(resource.name());
    if (!complete_ || resource.name().find("||service-0.") == std::string::npos) return;
    envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
    if (!resource.resource().UnpackTo(&assignment)) return;
    for (const auto& locality : assignment.endpoints())
      for (const auto& endpoint : locality.lb_endpoints()) {
        const unsigned port = endpoint.endpoint().address().socket_address().port_value();
        if (port > mark_ && port >= kFirstMark) board_.seen(mark_ = port, at);
      }
  }

  void send(Request request) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(request));
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  Board& board_;
  grpc::ClientContext context_;
  std::unique_ptr<Ads::Stub> stub_;
  Response response_;
  std::mutex mutex_;
  std::deque<Request> queue_;
  std::set<std::string> wanted_, held_;
  bool complete_ = false;
  unsigned mark_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: ads_fanout SERVER CLIENTS\n"), 2;
  const size_t count = static_cast<size_t>(std::atoi(argv[2]));
  Board board(count);
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<Client>(argv[1], i, board));
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  std::_Exit(0);  // the streams end with the process
}
