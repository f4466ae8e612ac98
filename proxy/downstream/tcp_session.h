// A client whose bytes are passed on as they are: its connection, and where they go. That is a connection to a host of the cluster
// (tcp_proxy), a tunnel through one (tunneling_config, tcp_tunnel.h), the client itself (echo) or nowhere (direct_response). Each end
// reads only while the other can take more; a FIN is passed on and the other direction lives on; a reset is passed on as a reset.
// Owned by the worker's list of connections.
#pragma once
#include "common/net/connection.h"
#include "common/net/connection_facts.h"
#include "common/net/connector.h"
#include "common/observe/byte_counts.h"
#include "proxy/downstream/environment.h"
#include "proxy/downstream/network_gate.h"
#include "proxy/format/request_info.h"

#include <memory>
#include <string>

namespace weft::downstream {

class TcpTunnel;

class TcpSession final : public net::Connection {
 public:
  TcpSession(ConnectionOwner& owner, std::shared_ptr<TcpService> service, std::unique_ptr<net::Stream> stream);
  ~TcpSession() override;
  void begin();
  void abort();
  // Before it begins: what is known of the connection beside its addresses, and what listener filters noted.
  void set_facts(std::shared_ptr<const net::ConnectionFacts> facts);
  void set_metadata(std::shared_ptr<format::Metadata> metadata) { info_.metadata = std::move(metadata); }

  // Where the client's bytes go.
  class Far {
   public:
    virtual void send(ReadBuffer& from) = 0;
    virtual void finish_sending() = 0;
    virtual void read_on() = 0;      // the client takes bytes again
    virtual bool full() const = 0;   // it takes none for now: on_far_flushed() tells when it does again
    virtual bool ended() const = 0;  // it has sent its last byte
    virtual bool empty() const = 0;  // all that was sent to it has left

   protected:
    ~Far() = default;
  };

  // --- from the far side ---
  size_t buffer_limit() const { return service_->buffer_limit; }
  const config::TcpProxy& config() const { return *service_->config; }
  format::RequestInfo& info() { return info_; }
  bool takes_bytes() const { return out_.size() < service_->buffer_limit; }
  void take(Slice slice);  // bytes for the client
  void on_far_ready(Far& far, std::string local_address);
  // It could not be reached, for this reason: perhaps another attempt.
  void on_far_failed(std::string reason);
  void on_far_overflow();  // a circuit breaker is open
  void on_far_flushed();
  void on_far_ended();
  void on_far_closed(bool reset);
  void on_activity();

 private:
  // The connection to the host.
  class Upstream final : public net::Connection, public Far {
   public:
    Upstream(TcpSession& session, std::unique_ptr<net::Stream> stream);
    void begin() { start(); }
    void count_bytes();

    void send(ReadBuffer& from) override;
    void finish_sending() override { end_output(); }
    void read_on() override;
    bool full() const override { return out_.size() >= session_.service_->buffer_limit; }
    bool ended() const override { return ended_; }
    bool empty() const override { return out_.empty(); }

   private:
    void on_bytes() override;
    void on_peer_ended() override;
    void on_closed(int error) override { session_.on_far_closed(error != 0); }
    Output& output() override { return out_; }
    void on_flushed() override;
    bool wants_bytes() const override { return session_.takes_bytes(); }
    TcpSession& session_;
    Output out_;
    observe::ByteCounts bytes_;
    bool ended_ = false;
    bool held_ = false;  // bytes of it wait until the client takes more
  };

  // net::Connection: the client
  void on_bytes() override;
  void on_peer_ended() override;
  void on_closed(int error) override;
  Output& output() override { return out_; }
  void on_flushed() override;
  bool wants_bytes() const override;

  bool passes_gate();
  void serve();
  void echo();
  void connect();
  void on_connected(int error, net::Socket socket);
  void end_if_both_ended();
  void on_idle();
  void on_too_old();
  void on_log_interval();
  void log(format::AccessLogType type);
  void over(bool reset);
  void release_upstream();
  void drop_tunnel();
  void count_bytes();

  ConnectionOwner& owner_;
  std::shared_ptr<TcpService> service_;
  std::shared_ptr<const net::ConnectionFacts> facts_;  // null: its listener looks at nothing
  Output out_;
  Far* far_ = nullptr;  // once bytes can be sent there: one of the next two
  std::unique_ptr<Upstream> upstream_;
  std::unique_ptr<TcpTunnel> tunnel_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<NetworkGate> gate_;  // null: there are no filters to pass
  std::shared_ptr<upstream::Cluster> cluster_;
  std::shared_ptr<upstream::Budget> budget_;
  std::shared_ptr<upstream::HostState> host_;
  Timeout<TcpSession, &TcpSession::on_idle> idle_{*this};
  Timeout<TcpSession, &TcpSession::on_too_old> age_{*this};
  Timeout<TcpSession, &TcpSession::connect> retry_{*this};
  Timeout<TcpSession, &TcpSession::on_log_interval> log_timeout_{*this};
  format::RequestInfo info_;
  std::string peer_text_, local_text_, direct_peer_text_, direct_local_text_, host_text_, upstream_local_text_, failure_text_;
  observe::ByteCounts bytes_;
  uint32_t attempts_ = 0;
  bool client_ended_ = false, over_ = false, connected_ = false;
  bool held_ = false;  // the client's bytes wait until the far side takes more
};

}  // namespace weft::downstream
