// A client whose bytes are passed on as they are (tcp_proxy): its connection, and one to a host of the cluster. Each end reads
// only while the other can take more; a FIN is passed on and the other direction lives on; a reset is passed on as a reset.
// Owned by the worker's list of connections.
#pragma once
#include "common/net/connection.h"
#include "common/net/connection_facts.h"
#include "common/net/connector.h"
#include "common/observe/byte_counts.h"
#include "proxy/downstream/environment.h"
#include "proxy/format/request_info.h"

#include <memory>
#include <string>

namespace weft::downstream {

class TcpSession final : public net::Connection {
 public:
  TcpSession(ConnectionOwner& owner, std::shared_ptr<TcpService> service, std::unique_ptr<net::Stream> stream);
  ~TcpSession() override;
  void begin();
  void abort();
  void set_facts(std::shared_ptr<const net::ConnectionFacts> facts) { facts_ = std::move(facts); }

 private:
  // The connection to the host.
  class Upstream final : public net::Connection {
   public:
    Upstream(TcpSession& session, std::unique_ptr<net::Stream> stream);
    void begin() { start(); }
    void send(ReadBuffer& from);
    void finish_sending() { end_output(); }
    void read_on() { resume_reading(); }
    bool full() const { return out_.size() >= session_.service_->buffer_limit; }
    bool ended() const { return ended_; }

    void count_bytes();

   private:
    void on_bytes() override;
    void on_peer_ended() override;
    void on_closed(int error) override { session_.on_upstream_closed(error); }
    Output& output() override { return out_; }
    void on_flushed() override;
    bool wants_bytes() const override { return session_.out_.size() < session_.service_->buffer_limit; }
    TcpSession& session_;
    Output out_;
    observe::ByteCounts bytes_;
    bool ended_ = false;
    friend class TcpSession;
  };

  // net::Connection: the client
  void on_bytes() override;
  void on_peer_ended() override;
  void on_closed(int error) override;
  Output& output() override { return out_; }
  void on_flushed() override;
  bool wants_bytes() const override { return upstream_ && !upstream_->full(); }

  void connect();
  void on_connected(int error, net::Socket socket);
  void on_upstream_flushed();
  void on_upstream_ended();
  void on_upstream_closed(int error);
  void end_if_both_ended();
  void on_activity();
  void on_idle();
  void over(bool reset);
  void release_upstream();
  void count_bytes();

  ConnectionOwner& owner_;
  std::shared_ptr<TcpService> service_;
  std::shared_ptr<const net::ConnectionFacts> facts_;  // null: the listener looks at nothing
  Output out_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<Upstream> upstream_;
  std::shared_ptr<upstream::Cluster> cluster_;
  std::shared_ptr<upstream::Budget> budget_;
  std::shared_ptr<upstream::HostState> host_;
  Timeout<TcpSession, &TcpSession::on_idle> idle_{*this};
  format::RequestInfo info_;
  std::string peer_text_, local_text_, host_text_, upstream_local_text_, failure_text_;
  observe::ByteCounts bytes_;
  uint32_t attempts_ = 0;
  bool client_ended_ = false, over_ = false, connected_ = false;
};

}  // namespace weft::downstream
