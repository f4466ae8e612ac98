// One proxy's stream: what it asked for, what it holds, and what to send it next. Pure: requests and snapshots in, responses out;
// no gRPC, no clock, no thread of its own (AdsServer calls it on the push thread).
//
// The idea: per name the version that the client was last sent. A snapshot is compared with that, whole or only at the names that a
// change touched; there is no queue of responses, so a slow proxy gets the newest state in one step when it can read again.
//
// Make before break: clusters, endpoints, listeners, routes as they are added or changed; removals of clusters, endpoints and routes
// only after the client has accepted the listeners and routes that no longer name them. A refused (NACKed) route keeps its old clusters.
//
// Routes that a client runs already change only once it has answered for the clusters and endpoints sent before them: they may name
// clusters that still warm. A route that the client asks for anew is never held, nor is one held for a type that the client never
// answers; AdsServer lets them go after a bound.
//
// Envoy warms a cluster anew after each change of it and waits for its endpoints again. So the version of an endpoint resource, as a
// stream sees it, has the version of its cluster mixed in: a changed cluster makes its endpoints be sent again, on a reconnect too.
#pragma once
#include "controlplane/xds/snapshot.h"

#include <deque>
#include <optional>

namespace weft::xds {

struct Walk;

struct SotwRequest {
  std::string version_info;
  std::vector<std::string> names;
  std::string nonce;
  std::optional<std::string> error;  // set: a NACK with this text
};

struct DeltaRequest {
  std::vector<std::string> subscribe, unsubscribe;
  std::vector<std::pair<std::string, std::string>> initial_versions;
  std::string nonce;
  std::optional<std::string> error;
};

struct Outgoing {
  struct Item {
    ResourcePtr resource;
    uint64_t version = 0;
  };
  ResourceType type = ResourceType::kCluster;
  std::string version, nonce;  // version: of the set (SotW), of the snapshot (delta, for debugging)
  std::vector<Item> items;
  std::vector<std::string> removed;  // delta only
};

struct Nack {
  std::string text;
  uint64_t revision = 0;  // of the refused response
  uint64_t count = 0;     // on this stream and type
};

struct SessionOptions {
  size_t max_names = 100'000;           // subscribed on one stream
  size_t max_response_bytes = 3 << 20;  // a delta response is cut here (a client's usual limit is 4 MiB)
  size_t max_in_flight = 32;            // responses of a type without an answer
};

class Session {
 public:
  enum class Protocol : unsigned char { kSotw, kDelta };
  // Names that may differ from the snapshot given before, per type.
  using ChangedNames = std::array<std::vector<NameId>, kTypeCount>;
  enum class Verdict : unsigned char { kTaken, kStale, kNack, kTooManyNames };

  Session(std::shared_ptr<NameTable> names, Protocol protocol, SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Verdict on_request(ResourceType type, const SotwRequest& request);
  Verdict on_request(ResourceType type, const DeltaRequest& request);
  // `changed` null: anything may differ.
  void set_snapshot(SnapshotPtr snapshot, const ChangedNames* changed = nullptr);

  // The next response, or nothing. Removals come out only when `allow_removals`.
  std::optional<Outgoing> next(bool allow_removals = true);
  // Whether next() has anything to compare or to say.
  bool pending() const;
  // Removals wait, and nothing else of ours stands before them.
  bool removals_due() const;
  // Changed routes wait for answers about clusters; the second ends that.
  bool routes_held() const { return route_barrier_ != 0; }
  void release_routes() { route_barrier_ = 0, route_answered_ = nonce_; }

  Protocol protocol() const { return protocol_; }
  const SnapshotPtr& snapshot() const { return snapshot_; }
  // The last snapshot up to which everything has been handed out.
  uint64_t sent_revision() const { return marks_.empty() ? answered_revision_ : marks_.back().revision; }
  // Everything up to this revision has been accepted.
  uint64_t acked_revision() const { return acked_revision_; }
  // Everything up to this revision has been accepted or refused.
  uint64_t answered_revision() const { return answered_revision_; }
  // The last snapshot that had something new of what the client asked for.
  uint64_t touched_revision() const { return touched_revision_; }
  struct TypeStatus {
    bool requested = false;
    bool rejected = false;  // something of this type is refused now
    size_t unanswered = 0;
    uint64_t sent_revision = 0, acked_revision = 0;
  };
  TypeStatus status(ResourceType type) const;
  const Nack& last_nack(ResourceType type) const { return state(type).nack; }  // empty text: never
  size_t name_count() const;

 private:
  struct Entry {
    NameId id = 0;
    bool subscribed = false;  // by name
    bool owed = false;        // an answer is owed even if nothing changed
    bool rejected = false;
    uint64_t version = 0;  // as sent or as the client says; 0: it does not hold it
  };
  struct InFlight {
    uint64_t nonce = 0, revision = 0;
    std::vector<NameId> ids;  // what the response changed
  };
  struct TypeState {
    bool requested = false, wildcard = false, named_ever = false;
    bool owe_response = false;  // the first wildcard answer is due, even empty
    uint64_t claimed = 0;       // SotW reconnect: the set version that the client says it holds
    bool check_all = false;
    std::vector<NameId> check;
    bool removals = false;
    std::vector<Entry> entries;  // by id
    uint64_t sum = 0;            // over all entries that the client holds; the SotW version
    std::deque<InFlight> in_flight;
    size_t rejected_count = 0;
    uint64_t last_nonce = 0, acked_revision = 0;
    bool answers = false;     // the client has ever answered for this type
    uint64_t names_hash = 0;  // SotW: of the last request's names, which nearly every ACK repeats
    Nack nack;
  };
  struct Mark {
    uint64_t revision = 0, nonce = 0;  // in sync with `revision` once every response up to `nonce` is accepted
  };

  static constexpr size_t kMaxNarrow = 256;       // more names than this are compared faster all together
  static constexpr uint64_t kForeignVersion = 1;  // held by the client, in a version that is not one of ours
  static uint64_t mix(uint64_t a, uint64_t b);

  TypeState& state(ResourceType type) { return types_[index_of(type)]; }
  const TypeState& state(ResourceType type) const { return types_[index_of(type)]; }
  Entry* find(TypeState& s, NameId id);
  void ensure(TypeState& s, std::vector<NameId> ids);  // takes the references of `ids`
  uint64_t term(const Entry& entry, uint64_t version) const;
  void set_version(TypeState& s, Entry& entry, uint64_t version);
  void set_rejected(TypeState& s, Entry& entry, bool rejected);
  void sweep(TypeState& s);
  uint64_t wire_version(const Resource& resource) const;
  void ask(TypeState& s, NameId id);  // have a name compared
  bool answer(TypeState& s, std::string_view nonce, const std::optional<std::string>& error);
  void release(InFlight& response);
  void advance_marks();
  void mark_sent();
  void check_claim(ResourceType type);
  enum class Scope : unsigned char { kChanged, kRemovals, kOwed };
  std::optional<Outgoing> next_of(ResourceType type, Scope scope);
  void visit(ResourceType type, Entry& entry, const ResourcePtr* resource, bool removals, Walk& walk);
  bool routes_settled() const;
  bool routes_must_wait();
  bool touches(ResourceType type, const ResourceMap& old, const std::vector<NameId>* changed) const;

  std::shared_ptr<NameTable> names_;
  Protocol protocol_;
  SessionOptions options_;
  SnapshotPtr snapshot_;
  std::array<TypeState, kTypeCount> types_;
  std::unordered_map<NameId, ResourcePtr> held_back_;  // SotW: clusters gone from the snapshot, kept in responses until removable
  std::deque<Mark> marks_;
  uint64_t nonce_ = 0, acked_revision_ = 0, answered_revision_ = 0, touched_revision_ = 0;
  uint64_t route_barrier_ = 0;   // changed routes wait for answers up to this nonce; 0: they do not
  uint64_t route_answered_ = 0;  // they wait for no nonce up to this one
};

}  // namespace weft::xds
