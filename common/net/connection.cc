#include "common/net/connection.h"

namespace weft::net {
namespace {

// What is read while nobody wants it: a client that leaves is noticed, a pipelined request waits here.
constexpr size_t kReadAhead = 4096;
// Reads per event of one connection, so that a fast sender does not starve the others.
constexpr int kReadsPerEvent = 16;

}  // namespace

Connection::Connection(Loop& loop, std::unique_ptr<Stream> stream) : in_(loop.slabs()), loop_(loop), stream_(std::move(stream)) {}

Connection::~Connection() {
  if (dirty_) loop_.forget(*this);
}

void Connection::preload(std::string_view bytes, bool more) {
  in_.append(bytes);
  bytes_received_ += bytes.size();
  drained_ = !more;
}

void Connection::start() { in_.empty() && drained_ ? wait() : resume_reading(); }

void Connection::wait() {
  if (waiting_ || closed_) return;
  waiting_ = true;
  stream_->wait_readable(*this);
}

void Connection::on_readable() {
  loop_.begin_event();
  waiting_ = false;
  drained_ = false;
  read_some();
  loop_.end_event();
}

void Connection::read_some() {
  in_read_ = true;
  for (int reads = 0; !closed_; ++reads) {
    if (peer_ended_ && lingering_ == Linger::kNo) break;
    if (!wants_bytes() && in_.size() >= kReadAhead) break;  // resume_reading() goes on from here; drained_ says how
    if (reads == kReadsPerEvent) {
      resume_reading();
      break;
    }
    const Transfer transfer = stream_->try_read(in_);
    if (transfer.state == Transfer::State::kBlock) {
      drained_ = true;
    } else if (transfer.state == Transfer::State::kDone) {
      bytes_received_ += transfer.bytes;
      drained_ = !transfer.more;
      if (lingering_ != Linger::kNo)
        in_.consume(in_.size());
      else
        on_bytes();
    } else if (transfer.state == Transfer::State::kEnd) {
      peer_ended_ = true;
      if (lingering_ == Linger::kWaiting)
        fail(0);
      else if (lingering_ == Linger::kNo)
        on_peer_ended();
      break;
    } else {
      fail(transfer.error);
      break;
    }
    if (closed_) break;
    if (in_.empty()) in_.release();
    if (drained_) {
      wait();
      break;
    }
  }
  in_read_ = false;
}

void Connection::resume_reading() {
  if (closed_ || resume_posted_) return;
  resume_posted_ = true;
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    resume_posted_ = false;
    if (closed_) return;
    if (!in_.empty() && lingering_ == Linger::kNo) on_bytes();
    if (closed_ || peer_ended_) return;
    if (in_.empty()) in_.release();
    if (drained_)
      wait();
    else if (!waiting_)
      read_some();
  });
}

void Connection::mark_dirty() {
  if (dirty_ || closed_) return;
  dirty_ = true;
  loop_.mark_dirty(*this, gathers());
}

void Connection::flush() {
  if (closed_ || blocked_) return;
  Output& out = output();
  while (!out.empty()) {
    iovec vectors[64];
    const Transfer transfer = stream_->try_write(vectors, out.gather(vectors, 64));
    if (transfer.state == Transfer::State::kBlock) {
      blocked_ = true;
      stream_->wait_writable(*this);
      break;
    }
    if (transfer.state == Transfer::State::kFailed) return fail(transfer.error);
    bytes_sent_ += transfer.bytes;
    out.consume(transfer.bytes);
    if (lingering_ == Linger::kFlushing && linger_.count() > 0) loop_.wheel().arm(patience_, linger_);
  }
  on_flushed();
  if (closed_ || blocked_ || !output().empty()) return;
  if (end_output_ && !output_ended_) {
    output_ended_ = true;
    stream_->shutdown_write();
  }
  if (lingering_ == Linger::kFlushing) {
    if (peer_ended_ || linger_.count() == 0) return fail(0);
    if (!output_ended_) stream_->shutdown_write();
    output_ended_ = true;
    lingering_ = Linger::kWaiting;
    loop_.wheel().arm(patience_, linger_);
    in_.consume(in_.size());
    in_.release();
    if (!waiting_ && !in_read_) drained_ ? wait() : resume_reading();
  }
}

void Connection::on_writable() {
  loop_.begin_event();
  blocked_ = false;
  flush();
  loop_.end_event();
}

void Connection::end_output() {
  end_output_ = true;
  mark_dirty();
}

void Connection::close_gently(std::chrono::milliseconds patience) {
  if (closed_ || lingering_ != Linger::kNo) return;
  lingering_ = Linger::kFlushing;
  linger_ = patience;
  if (patience.count() > 0) loop_.wheel().arm(patience_, patience);
  mark_dirty();
}

void Connection::on_patience_over() { fail(0); }

void Connection::fail(int error) {
  if (closed_) return;
  close();
  on_closed(error);
}

void Connection::close(bool reset) {
  if (closed_) return;
  closed_ = true;
  patience_.disarm();
  if (dirty_) loop_.forget(*this);
  dirty_ = false;
  stream_->close(reset);
}

}  // namespace weft::net
