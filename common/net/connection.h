// A socket with its read loop and its flush: reads while somebody wants bytes, hands them on, writes what output() holds at
// the end of each event. Derived classes say what the bytes mean. Born, used and destroyed on one loop; destroyed by its
// owner through Loop::retire().
#pragma once
#include "common/net/loop.h"
#include "common/net/stream.h"

#include <memory>

namespace weft::net {

class Connection : public Retirable, protected Ready {
 public:
  Connection(Loop& loop, std::unique_ptr<Stream> stream);
  ~Connection() override;

  Loop& loop() { return loop_; }
  const Endpoint& local_address() const { return stream_->local_address(); }
  const Endpoint& peer_address() const { return stream_->peer_address(); }
  std::string_view alpn() const { return stream_->alpn(); }
  bool closed() const { return closed_; }
  uint64_t bytes_received() const { return bytes_received_; }
  uint64_t bytes_sent() const { return bytes_sent_; }

  // Before it starts: bytes that others have read of the stream already. `more`: the socket may hold more.
  void preload(std::string_view bytes, bool more);
  // Writes what output() holds, as much as the socket takes.
  void flush();
  // The same, as mark_dirty() has asked of the loop.
  void flush_marked() {
    dirty_ = false;
    flush();
  }
  // Ends it now: no call of on_...() follows, on_closed() included, which is for ends that others bring about.
  void close(bool reset = false);

 protected:
  // The first read: call once the derived object is complete.
  void start();
  // output() has gained bytes.
  void mark_dirty();
  // Somebody wants bytes again after wants_bytes() was false: what is buffered is handed over, then reading goes on, both in
  // an event of their own.
  void resume_reading();
  // Half-closes when output() has left, then waits (discarding what comes) for the peer to end or for `patience`, and reports
  // on_closed(). A close at once could reset the connection and take our last words from the peer's receive buffer. A peer
  // that takes nothing of output() for `patience` is given up too (never, if `patience` is 0).
  void close_gently(std::chrono::milliseconds patience);
  bool closing_gently() const { return lingering_ != Linger::kNo; }

  // in_ holds new bytes (or old ones after resume_reading()): consume what you can.
  virtual void on_bytes() = 0;
  // The peer has sent its last byte.
  virtual void on_peer_ended() = 0;
  // The socket failed (`error` is an errno value; 0 for the end of close_gently). It is closed already.
  virtual void on_closed(int error) = 0;
  virtual Output& output() = 0;
  // Whether others than whoever writes now are likely to have more for output() soon: then one flush serves them all.
  virtual bool gathers() const { return false; }
  // A flush is over: what could leave of output() has left.
  virtual void on_flushed() {}
  // While false, at most a few KiB are read ahead: enough to see a peer leave, too little to hurt.
  virtual bool wants_bytes() const { return true; }
  // Sends FIN once output() is empty; for tunnels.
  void end_output();

  ReadBuffer in_;

 private:
  enum class Linger : unsigned char { kNo, kFlushing, kWaiting };
  void on_readable() override;
  void on_writable() override;
  void read_some();
  void wait();
  void fail(int error);
  void on_patience_over();
  Loop& loop_;
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // a posted function may outlive the connection
  Timeout<Connection, &Connection::on_patience_over> patience_{*this};
  std::chrono::milliseconds linger_{0};
  uint64_t bytes_received_ = 0, bytes_sent_ = 0;
  Linger lingering_ = Linger::kNo;
  bool closed_ = false, dirty_ = false;
  bool waiting_ = false;  // a readable wait is pending
  bool blocked_ = false;  // a writable wait is pending
  bool drained_ = true;   // the socket was empty at the last read: wait for an edge; else read without waiting
  bool peer_ended_ = false, end_output_ = false, output_ended_ = false;
  bool resume_posted_ = false, in_read_ = false;
};

}  // namespace weft::net
