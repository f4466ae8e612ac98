// A gRPC stream in both directions over the proxy's own HTTP/2 client, to a cluster of the configuration: with that cluster's
// balancing, connections and stats, and no gRPC library. Lives on one loop.
#pragma once
#include "common/http/head.h"
#include "common/net/loop.h"
#include "proxy/upstream/attempt.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::xds {

struct GrpcTarget {
  std::string cluster;
  std::string path;       // "/package.Service/Method"
  std::string authority;  // empty: the cluster's name
  std::vector<std::pair<std::string, std::string>> metadata;
};

class GrpcStreamEvents {
 public:
  // The stream is open: messages may be sent.
  virtual void on_stream_open() = 0;
  virtual void on_stream_message(std::string_view message) = 0;
  // The end, for whatever reason; `status` is gRPC's. The stream may be destroyed in it.
  virtual void on_stream_closed(int status, const std::string& reason) = 0;

 protected:
  ~GrpcStreamEvents() = default;
};

class GrpcStream final : private upstream::AttemptEvents {
 public:
  GrpcStream(net::Loop& loop, upstream::ClusterTable& clusters, GrpcTarget target, GrpcStreamEvents& events);
  ~GrpcStream();
  // Events come later, never from inside.
  void start();
  void send(std::string_view message);

 private:
  http::Head& response_head() override { return answer_; }
  http::Head& answer_trailers() override { return trailers_; }
  void on_attempt_ready() override;
  void on_attempt_informational() override {}
  void on_attempt_head(bool end) override;
  void on_attempt_body(Slice slice, bool end) override;
  void on_attempt_trailers() override;
  void on_attempt_failed(upstream::AttemptEnd how, std::string_view detail) override;
  void on_attempt_drained() override {}
  void begin();
  bool take_messages();
  void close(int status, std::string reason);
  void close_by(const http::Head& head);

  net::Loop& loop_;
  upstream::ClusterTable& clusters_;
  GrpcTarget target_;
  GrpcStreamEvents& events_;
  http::Head request_, answer_, trailers_;
  std::string received_;
  std::shared_ptr<const upstream::EndpointSet> endpoints_;
  upstream::Attempt attempt_{*this};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  bool closed_ = false;
};

}  // namespace weft::xds
