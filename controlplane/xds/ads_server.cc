#include "controlplane/xds/ads_server.h"

#include "controlplane/xds/wire.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <mutex>
#include <set>

namespace weft::xds {
namespace {

using grpc::ByteBuffer;
using Clock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using Ads = envoy::service::discovery::v3::AggregatedDiscoveryService;
using RawService = Ads::WithRawCallbackMethod_StreamAggregatedResources<Ads::WithRawCallbackMethod_DeltaAggregatedResources<Ads::Service>>;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

class AdsServer::Core : public std::enable_shared_from_this<Core>, public RawService {
 public:
  class Stream;
  Core(AdsServerOptions options, Executor executor, std::shared_ptr<NameTable> names, ProxyObserver& observer,
       observe::PrometheusRegistry& registry)
      : options(std::move(options)),
        executor(executor),
        names(std::move(names)),
        observer(observer),
        registry(registry),
        watch_timer(executor) {}

  grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* StreamAggregatedResources(grpc::CallbackServerContext* context) override {
    return accept(context, Session::Protocol::kSotw);
  }
  grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* DeltaAggregatedResources(grpc::CallbackServerContext* context) override {
    return accept(context, Session::Protocol::kDelta);
  }
  grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* accept(grpc::CallbackServerContext* context, Session::Protocol protocol);

  // Lets go of the proxies that take nothing. Now and then for all, since nearly every write is done at once.
  void watch_writes();

  void count_streams() { registry.set("pilot_xds", {{"version", options.version}}, static_cast<double>(streams.size())); }

  const AdsServerOptions options;
  Executor executor;
  std::shared_ptr<NameTable> names;
  ProxyObserver& observer;
  observe::PrometheusRegistry& registry;
  AckStatus status;
  std::unordered_map<StreamId, std::shared_ptr<Stream>> streams;  // the push thread's; those with a node
  Timer watch_timer;
  std::mutex mutex;                                              // for the three below
  std::unordered_map<StreamId, std::weak_ptr<Stream>> accepted;  // all, so that the bound holds and shutting down ends them
  StreamId next_id = 0;
  bool stopping = false;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

// One client's stream. gRPC calls the On... functions on its threads; what they saw is posted, and the rest runs on the push thread.
class AdsServer::Core::Stream : public grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>, public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::shared_ptr<Core> core, StreamId id, std::string peer, Session::Protocol protocol)
      : core_(std::move(core)),
        id_(id),
        peer_(std::move(peer)),
        session_(core_->names, protocol, core_->options.session),
        removal_timer_(core_->executor),
        route_timer_(core_->executor) {}

  void begin() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return post([](Stream& s) { s.end(grpc::Status::OK); });
    auto request = decode_request(incoming_, session_.protocol(), !node_read_);
    incoming_.Clear();
    if (request && request->node) node_read_ = true;
    post([request = std::move(request)](Stream& s) mutable { s.on_request(std::move(request)); });
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return post([](Stream& s) { s.end(grpc::Status::CANCELLED); });
    core_->registry.observe("pilot_xds_send_time", {}, seconds_since(write_began_));
    if (write_converges_) core_->registry.observe("pilot_proxy_convergence_time", {}, seconds_since(write_since_));
    if (write_.exchange(Write::kNone) == Write::kAndMore) {
      post([](Stream& s) { s.pump(); });
    }
  }
  void OnCancel() override {
    post([](Stream& s) { s.end(grpc::Status::CANCELLED); });
  }
  void OnDone() override {
    {
      std::lock_guard lock(core_->mutex);
      core_->accepted.erase(id_);
    }
    // The last owner may be this one, on a gRPC thread; the session belongs to the push thread.
    Executor executor = core_->executor;
    asio::post(executor, [self = std::move(self_)]() mutable { self.reset(); });
  }

  // From here on: the push thread.
  void set_snapshot(SnapshotPtr snapshot, const Session::ChangedNames* changed) {
    converged_ = false;
    session_.set_snapshot(std::move(snapshot), changed);
    pump();
  }

  bool hangs(Clock::time_point now) const { return write_ != Write::kNone && now - write_began_ > core_->options.send_timeout; }

  void end(grpc::Status status) {
    if (finished_) return;
    finished_ = true;
    removal_timer_.cancel();
    route_timer_.cancel();
    if (node_) {
      for (ResourceType type : kMakeOrder) core_->registry.drop(reject_name(type), {{"node", node_->id}});
      core_->streams.erase(id_);
      core_->status.disconnected(id_);
      core_->count_streams();
      spdlog::info("xds: {} left ({})", node_->id, peer_);
      core_->observer.on_disconnect(id_);
    }
    Finish(status);
  }

 private:
  template <class Function>
  void post(Function function) {
    asio::post(core_->executor, [self = shared_from_this(), function = std::move(function)]() mutable { function(*self); });
  }

  static std::string reject_name(ResourceType type) { return "pilot_xds_" + std::string(short_name(type)) + "_reject"; }

  void on_request(Result<DecodedRequest> request) {
    if (finished_) return;
    if (!request) return refuse(grpc::StatusCode::INVALID_ARGUMENT, request.error().detail);
    if (!node_) {
      if (!request->node) return refuse(grpc::StatusCode::INVALID_ARGUMENT, "node: the first request of a stream must carry it");
      adopt(std::move(*request->node));
    }
    if (request->type_url.empty()) return refuse(grpc::StatusCode::INVALID_ARGUMENT, "type_url: required on an aggregated stream");
    std::optional<ResourceType> type = type_of(request->type_url);
    if (!type) {
      if (unknown_types_.size() < 16 && unknown_types_.insert(request->type_url).second) {
        spdlog::info("xds: {} asks for {}, which is not served", node_->id, request->type_url);
      }
      StartRead(&incoming_);
      return;
    }
    const bool sotw = session_.protocol() == Session::Protocol::kSotw;
    const auto& error = sotw ? request->sotw.error : request->delta.error;
    auto verdict = sotw ? session_.on_request(*type, request->sotw) : session_.on_request(*type, request->delta);
    observe::PrometheusRegistry& registry = core_->registry;
    switch (verdict) {
      case Session::Verdict::kTooManyNames:
        return refuse(grpc::StatusCode::RESOURCE_EXHAUSTED, "resource_names: more than this server takes on one stream");
      case Session::Verdict::kStale: registry.add("pilot_xds_expired_nonce", {}); break;
      case Session::Verdict::kNack:
        registry.add("pilot_total_xds_rejects", {{"type", short_name(*type)}});
        spdlog::warn("xds: {} refused {}: {}", node_->id, short_name(*type), error.value_or(""));
        break;
      case Session::Verdict::kTaken: break;
    }
    const bool rejected = session_.status(*type).rejected;
    if (rejected != rejected_[index_of(*type)]) {
      rejected_[index_of(*type)] = rejected;
      if (rejected) registry.set(reject_name(*type), {{"node", node_->id}}, 1);
      if (!rejected) registry.drop(reject_name(*type), {{"node", node_->id}});
    }
    StartRead(&incoming_);
    core_->status.update(id_, session_, error ? std::nullopt : type);
    pump();
  }

  void adopt(model::Node node) {
    node_ = std::make_shared<const model::Node>(std::move(node));
    core_->streams[id_] = shared_from_this();
    core_->count_streams();
    ProxyStatus status;
    status.stream = id_;
    status.node = node_;
    status.address = peer_;
    status.protocol = session_.protocol();
    status.connected = std::chrono::system_clock::now();
    core_->status.connected(std::move(status));
    spdlog::info("xds: {} connected ({})", node_->id, peer_);
    core_->observer.on_connect(id_, node_);
  }

  void refuse(grpc::StatusCode code, const std::string& text) {
    core_->registry.add("pilot_total_xds_internal_errors", {});
    spdlog::warn("xds: {} ({}): {}", node_ ? node_->id : "a client", peer_, text);
    end(grpc::Status(code, text));
  }

  void note_status() { core_->status.update(id_, session_, std::nullopt); }

  // Sends the next response if none is under way; else when that one is written. What is sent is noted first: who has it, and asks,
  // is not told that it was never sent.
  void pump() {
    if (finished_) return;
    if (Write under_way = Write::kOne; write_.compare_exchange_strong(under_way, Write::kAndMore) || under_way != Write::kNone)
      return note_status();
    const bool wait_with_removals = core_->options.removal_delay.count() > 0;
    std::optional<Outgoing> response = session_.next(!wait_with_removals || removals_ripe_);
    if (!response) {
      if (rest()) core_->registry.observe("pilot_proxy_convergence_time", {}, seconds_since(session_.snapshot()->since));
      return note_status();
    }
    outgoing_ = encode_response(*response, session_.protocol());
    core_->registry.add("pilot_xds_pushes", {{"type", short_name(response->type)}});
    core_->registry.observe("pilot_xds_config_size_bytes", {}, static_cast<double>(outgoing_.Length()));
    const bool last = !session_.pending() && !session_.next(false);
    write_converges_ = last && rest();
    write_since_ = session_.snapshot()->since;
    write_ = last ? Write::kOne : Write::kAndMore;
    write_began_ = Clock::now();
    note_status();
    StartWrite(&outgoing_);
  }

  // All that may be said now is said. True: so the proxy has been given the newest state, for the first time.
  bool rest() {
    removals_ripe_ = false;
    if (session_.removals_due()) ripen_removals();
    if (session_.routes_held()) bound_route_delay();
    if (converged_ || !session_.snapshot() || session_.sent_revision() != session_.snapshot()->revision) return false;
    return converged_ = true;
  }

  template <class Timer, class Function>
  void after(std::chrono::milliseconds delay, Timer& timer, bool& armed, Function function) {
    if (std::exchange(armed, true)) return;
    timer.expires_after(delay);
    timer.async_wait([weak = weak_from_this(), &armed, function](const boost::system::error_code& error) {
      auto self = weak.lock();  // `armed` is its member
      if (!self) return;
      armed = false;
      if (error || self->finished_) return;
      function(*self);
      self->pump();
    });
  }

  void ripen_removals() {
    after(core_->options.removal_delay, removal_timer_, ripening_, [](Stream& s) { s.removals_ripe_ = s.session_.removals_due(); });
  }

  // A client that answers for its clusters late, or never, shall have its routes all the same.
  void bound_route_delay() {
    after(core_->options.route_delay, route_timer_, bounding_, [](Stream& s) {
      if (s.session_.routes_held()) s.session_.release_routes();
    });
  }

  enum class Write : unsigned char { kNone, kOne, kAndMore };

  std::shared_ptr<Core> core_;
  const StreamId id_;
  const std::string peer_;
  std::shared_ptr<Stream> self_;  // until OnDone: gRPC holds a bare pointer
  ByteBuffer incoming_, outgoing_;
  bool node_read_ = false;  // the reading thread's; reads never overlap
  Session session_;
  std::shared_ptr<const model::Node> node_;
  std::set<std::string> unknown_types_;
  std::array<bool, kTypeCount> rejected_{};
  // The push thread sets these before a write; OnWriteDone reads them and sets `write_` back.
  std::atomic<Write> write_{Write::kNone};
  bool write_converges_ = false;
  Clock::time_point write_began_{}, write_since_{};
  bool finished_ = false, converged_ = true, removals_ripe_ = false, ripening_ = false, bounding_ = false;
  Timer removal_timer_, route_timer_;
};

void AdsServer::Core::watch_writes() {
  watch_timer.expires_after(std::max(options.send_timeout / 4, std::chrono::milliseconds(10)));
  watch_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    auto core = weak.lock();
    if (error || !core) return;
    std::vector<std::shared_ptr<Stream>> hanging;
    for (const auto& [id, stream] : core->streams) {
      if (stream->hangs(Clock::now())) hanging.push_back(stream);
    }
    if (!hanging.empty()) core->registry.add("pilot_xds_write_timeout", {}, static_cast<double>(hanging.size()));
    for (const auto& stream : hanging) stream->end(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "the client takes no responses"));
    core->watch_writes();
  });
}

grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* AdsServer::Core::accept(grpc::CallbackServerContext* context, Session::Protocol protocol) {
  class Refusal : public grpc::ServerBidiReactor<ByteBuffer, ByteBuffer> {
   public:
    explicit Refusal(grpc::Status status) { Finish(status); }
    void OnDone() override { delete this; }
  };
  std::shared_ptr<Stream> stream;
  {
    std::lock_guard lock(mutex);
    if (stopping) return new Refusal({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    if (accepted.size() >= options.max_streams) return new Refusal({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams"});
    stream = std::make_shared<Stream>(shared_from_this(), ++next_id, context->peer(), protocol);
    accepted[next_id] = stream;
  }
  stream->begin();
  return stream.get();
}

AdsServer::AdsServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<AdsServer>> AdsServer::start(AdsServerOptions options, Executor executor, std::shared_ptr<NameTable> names,
                                                    ProxyObserver& observer, observe::PrometheusRegistry& registry) {
  static const bool plugins = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)plugins;
  auto core = std::make_shared<Core>(std::move(options), executor, std::move(names), observer, registry);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(core->options.address, grpc::InsecureServerCredentials(), &core->port);
  builder.RegisterService(core.get());
  builder.SetMaxReceiveMessageSize(core->options.max_request_bytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port that another process holds is an error
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // a ping for each request, to tune a window that small requests never fill
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  core->server = builder.BuildAndStart();
  if (!core->server || core->port == 0) {
    return Error{Error::Kind::kSystem, "xds: cannot listen on " + core->options.address + ": the address is in use or not ours"};
  }
  core->watch_writes();
  return std::unique_ptr<AdsServer>(new AdsServer(std::move(core)));
}

AdsServer::~AdsServer() {
  core_->watch_timer.cancel();
  if (auto* health = core_->server->GetHealthCheckService()) health->SetServingStatus(false);
  std::vector<std::shared_ptr<Core::Stream>> open;
  {
    std::lock_guard lock(core_->mutex);
    core_->stopping = true;
    for (auto& [id, weak] : core_->accepted) {
      if (auto stream = weak.lock()) open.push_back(std::move(stream));
    }
  }
  for (auto& stream : open) {
    stream->end(grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down"));
  }
  open.clear();
  core_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  core_->server->Wait();
  core_->server.reset();
}

int AdsServer::port() const { return core_->port; }
const AckStatus& AdsServer::status() const { return core_->status; }

void AdsServer::update(StreamId stream, SnapshotPtr snapshot, const Session::ChangedNames* changed) {
  auto at = core_->streams.find(stream);
  if (at == core_->streams.end()) return;
  auto held = at->second;  // end() may erase it from the map meanwhile
  held->set_snapshot(std::move(snapshot), changed);
}

}  // namespace weft::xds
