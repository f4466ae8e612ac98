// Who runs which revision: written by the push thread, read from any.
#pragma once
#include "controlplane/model/node.h"
#include "controlplane/xds/session.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

namespace weft::xds {

using StreamId = uint64_t;

struct ProxyStatus {
  using Time = std::chrono::system_clock::time_point;
  struct Type : Session::TypeStatus {
    Time last_ack{}, last_nack{};
    Nack nack;  // the last one; empty text: never
  };
  StreamId stream = 0;
  std::shared_ptr<const model::Node> node;
  std::string address;  // of the peer
  Session::Protocol protocol = Session::Protocol::kSotw;
  Time connected{}, last_ack{};
  uint64_t sent_revision = 0, acked_revision = 0, answered_revision = 0;
  uint64_t considered_revision = 0;  // of the newest snapshot it was compared with
  uint64_t touched_revision = 0;     // the last that had something new for it
  std::array<Type, kTypeCount> types;
  SnapshotPtr snapshot;  // what the proxy should run; null until the first push

  // What a revision means to this proxy. One that is not concerned has nothing to accept: a proxy that hangs, or refuses something
  // older, does not stand in the way of a change that is not for it.
  bool concerned(uint64_t revision) const { return considered_revision < revision || touched_revision >= revision; }
  bool refuses(uint64_t revision) const;  // this revision or a later one
  bool behind(uint64_t revision) const;
  // The NACKs that stand now, as "lds: text"; empty when there are none.
  std::string refusals() const;
};

class AckStatus {
 public:
  // Connected proxies by node id; of several streams of one node the newest.
  std::vector<ProxyStatus> proxies() const;
  std::optional<ProxyStatus> find(std::string_view node_id) const;
  size_t size() const;
  // Proxies that `revision` concerns and that have not accepted it; of several streams of one node the newest counts.
  std::vector<ProxyStatus> behind(uint64_t revision) const;
  // Waits until nobody is behind, or somebody has refused something, or the time is over; gives back who is behind then.
  std::vector<ProxyStatus> wait(uint64_t revision, std::chrono::milliseconds timeout) const;

  // For the ADS server.
  void connected(ProxyStatus status);
  void disconnected(StreamId stream);
  void update(StreamId stream, const Session& session, std::optional<ResourceType> acked);

 private:
  std::vector<ProxyStatus> behind_locked(uint64_t revision) const;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<StreamId, ProxyStatus> streams_;
};

}  // namespace weft::xds
