// The aggregated stream to the control plane, state of the world or delta: what is subscribed to, what was answered, what is
// acknowledged. Reconnects with jittered back-off, telling what it holds. What responses mean is the Discovery's business, which
// answers each with ack() or nack(). Lives on the control thread.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/xds/grpc_stream.h"

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weft::xds {

using config::ResourceType;
inline constexpr size_t kTypes = config::kResourceTypes;

struct Response {
  config::Changes changes;  // `removed`: delta's removed_resources
  std::string version;      // version_info, or system_version_info
  std::string nonce;
  bool complete = false;                        // state of the world of a wildcard type: what is absent is gone
  std::map<std::string, std::string> versions;  // delta: by resource
  uint64_t stream = 0;                          // which stream it came on: nonces die with it
};

class AdsEvents {
 public:
  virtual void on_ads_response(Response response) = 0;
  virtual void on_ads_connected() {}
  virtual void on_ads_disconnected(const std::string& reason) = 0;

 protected:
  ~AdsEvents() = default;
};

class AdsClient final : private GrpcStreamEvents {
 public:
  AdsClient(net::Loop& loop, upstream::ClusterTable& clusters, const config::AdsConfig& options,
            std::shared_ptr<const envoy::config::core::v3::Node> node, observe::Registry& metrics, AdsEvents& events);
  ~AdsClient();
  void start();

  // Clusters and listeners: everything that there is.
  void subscribe_all(ResourceType type);
  // Exactly these names; sent at the end of the event, if they differ.
  void subscribe(ResourceType type, std::set<std::string> names);
  // `rejected`: names of resources that were refused (delta: their versions are not taken).
  void ack(const Response& response);
  void nack(const Response& response, const std::string& detail, const std::set<std::string>& rejected);
  // The name is not held any more (delta: not named again after a reconnect).
  void forget(ResourceType type, const std::string& name);

 private:
  struct Subscription {
    bool wanted = false, wildcard = false;
    std::set<std::string> names;
    std::set<std::string> sent;               // on this stream
    bool requested = false;                   // on this stream
    std::string version;                      // last accepted (state of the world)
    std::string nonce;                        // newest of this stream
    std::map<std::string, std::string> held;  // delta: accepted versions by name
    bool dirty = false;
  };
  // GrpcStreamEvents
  void on_stream_open() override;
  void on_stream_message(std::string_view message) override;
  void on_stream_closed(int status, const std::string& reason) override;

  Subscription& of(ResourceType type) { return subscriptions_[static_cast<size_t>(type)]; }
  void on_sotw(std::string_view message);
  void on_delta(std::string_view message);
  void mark(ResourceType type);
  void flush();
  void request(ResourceType type, const Response* answered, const std::string* error);
  void request_sotw(ResourceType type, const Response* answered, const std::string* error);
  void request_delta(ResourceType type, const Response* answered, const std::string* error);
  void connect();
  void on_backoff_over() { connect(); }

  net::Loop& loop_;
  upstream::ClusterTable& clusters_;
  const config::AdsConfig options_;
  const std::shared_ptr<const envoy::config::core::v3::Node> node_;
  AdsEvents& events_;
  std::shared_ptr<observe::Scope> stats_;
  std::array<Subscription, kTypes> subscriptions_;
  std::unique_ptr<GrpcStream> stream_;
  Timeout<AdsClient, &AdsClient::on_backoff_over> backoff_{*this};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  uint64_t stream_number_ = 0;
  uint32_t failures_ = 0;
  bool open_ = false, node_sent_ = false, flush_posted_ = false;
};

}  // namespace weft::xds
