// The rules of the protocol, one by one, without gRPC.
#include "controlplane/xds/session.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weft::xds {
namespace {

using Protocol = Session::Protocol;
constexpr ResourceType kCds = ResourceType::kCluster, kEds = ResourceType::kEndpoint, kLds = ResourceType::kListener,
                       kRds = ResourceType::kRoute;

// Snapshots written as {{type, name, content}, ...}.
struct Item {
  ResourceType type;
  std::string name, content;
};

class SessionTest : public testing::Test {
 protected:
  SnapshotPtr snapshot(std::vector<Item> items) {
    auto made = std::make_shared<Snapshot>();
    made->revision = ++revision_;
    std::array<std::vector<ResourcePtr>, kTypeCount> lists;
    for (const Item& item : items) lists[index_of(item.type)].push_back(maker_.make(item.type, item.name, item.content));
    for (size_t i = 0; i < kTypeCount; ++i) made->maps[i] = std::make_shared<const ResourceMap>(std::move(lists[i]));
    return made;
  }

  // "cds a b -c": the type, the resources by name, and what is removed.
  static std::string show(const std::optional<Outgoing>& out) {
    if (!out) return "";
    std::string text(short_name(out->type));
    std::vector<std::string> names;
    for (const auto& item : out->items) names.push_back(item.resource->name);
    std::sort(names.begin(), names.end());
    for (const auto& name : names) text += " " + name;
    names = out->removed;
    std::sort(names.begin(), names.end());
    for (const auto& name : names) text += " -" + name;
    return text;
  }
  // The next response, acknowledged.
  std::string step(Session& session, bool ack = true) {
    last_ = session.next();
    if (last_ && ack) this->ack(session, *last_);
    return show(last_);
  }
  void ack(Session& session, const Outgoing& out, std::optional<std::string> error = {}) {
    if (session.protocol() == Protocol::kDelta) {
      DeltaRequest request;
      request.nonce = out.nonce;
      request.error = std::move(error);
      session.on_request(out.type, request);
    } else {
      SotwRequest request;
      request.names = names_[index_of(out.type)];
      request.nonce = out.nonce;
      request.version_info = error ? "" : out.version;
      request.error = std::move(error);
      session.on_request(out.type, request);
    }
  }
  void subscribe(Session& session, ResourceType type, std::vector<std::string> names = {}, std::string version = "") {
    if (session.protocol() == Protocol::kDelta) {
      DeltaRequest request;
      request.subscribe = std::move(names);
      session.on_request(type, request);
    } else {
      SotwRequest request;
      names_[index_of(type)] = request.names = std::move(names);
      request.version_info = std::move(version);
      if (last_ && last_->type == type) request.nonce = last_->nonce;
      session.on_request(type, request);
    }
  }

  std::shared_ptr<NameTable> table_ = std::make_shared<NameTable>();
  ResourceMaker maker_{table_};
  uint64_t revision_ = 0;
  std::optional<Outgoing> last_;
  std::array<std::vector<std::string>, kTypeCount> names_;
};

TEST_F(SessionTest, DeltaWildcardGetsAllThenOnlyWhatChanged) {
  Session session(table_, Protocol::kDelta);
  subscribe(session, kCds);
  EXPECT_EQ(step(session), "") << "no snapshot yet";
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}}));
  EXPECT_EQ(step(session), "cds a b");
  EXPECT_EQ(step(session), "");
  EXPECT_EQ(session.acked_revision(), 1u);
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kCds, "b", "2"}, {kCds, "c", "1"}}));
  EXPECT_EQ(step(session), "cds b c");
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kCds, "b", "2"}, {kCds, "c", "1"}}));
  EXPECT_EQ(step(session), "");
  EXPECT_EQ(session.acked_revision(), 3u);
}

TEST_F(SessionTest, DeltaEmptyWorldIsStillAnsweredOnce) {
  Session session(table_, Protocol::kDelta);
  subscribe(session, kLds);
  session.set_snapshot(snapshot({}));
  EXPECT_EQ(step(session), "lds");
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, DeltaAnswersEveryNamedSubscription) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kEds, "a", "1"}}));
  subscribe(session, kEds, {"a", "missing"});
  EXPECT_EQ(step(session), "eds a -missing");
  subscribe(session, kEds, {"a"});
  EXPECT_EQ(step(session), "eds a") << "asked again, answered again";
  session.set_snapshot(snapshot({{kEds, "a", "1"}, {kEds, "missing", "1"}, {kEds, "other", "1"}}));
  EXPECT_EQ(step(session), "eds missing");
  DeltaRequest request;
  request.unsubscribe = {"a", "unknown"};
  session.on_request(kEds, request);
  session.set_snapshot(snapshot({{kEds, "a", "2"}, {kEds, "missing", "1"}}));
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, DeltaDroppingANameUnderAWildcardIsAnswered) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kCds, "a", "1"}}));
  subscribe(session, kCds, {"*", "a", "gone"});
  EXPECT_EQ(step(session), "cds a -gone");
  DeltaRequest request;
  request.unsubscribe = {"a", "gone"};
  session.on_request(kCds, request);
  EXPECT_EQ(step(session), "cds a -gone");
}

TEST_F(SessionTest, DeltaReconnectSendsOnlyWhatDiffers) {
  std::vector<Item> world = {{kCds, "same", "1"}, {kCds, "changed", "1"}, {kCds, "gone", "1"}, {kEds, "same", "e"}};
  Session before(table_, Protocol::kDelta);
  before.set_snapshot(snapshot(world));
  subscribe(before, kCds);
  subscribe(before, kEds, {"same"});
  DeltaRequest cds, eds;
  auto remember = [](DeltaRequest& request, const Outgoing& out) {
    for (const auto& item : out.items) request.initial_versions.emplace_back(item.resource->name, version_text(item.version));
  };
  EXPECT_EQ(step(before), "cds changed gone same");
  remember(cds, *last_);
  EXPECT_EQ(step(before), "eds same");
  remember(eds, *last_);

  Session after(table_, Protocol::kDelta);
  eds.subscribe = {"same"};
  after.on_request(kCds, cds);
  after.on_request(kEds, eds);
  after.set_snapshot(snapshot({{kCds, "same", "1"}, {kCds, "changed", "2"}, {kEds, "same", "e"}}));
  EXPECT_EQ(step(after), "cds changed");
  EXPECT_EQ(step(after), "cds -gone");
  EXPECT_EQ(step(after), "");
}

TEST_F(SessionTest, AChangedClusterMakesItsEndpointsBeSentAgain) {
  for (Protocol protocol : {Protocol::kDelta, Protocol::kSotw}) {
    last_.reset();
    Session session(table_, protocol);
    session.set_snapshot(snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}, {kEds, "a", "e"}, {kEds, "b", "e"}}));
    subscribe(session, kCds);
    EXPECT_EQ(step(session), "cds a b");
    subscribe(session, kEds, {"a", "b"});
    EXPECT_EQ(step(session), "eds a b");
    session.set_snapshot(snapshot({{kCds, "a", "2"}, {kCds, "b", "1"}, {kEds, "a", "e"}, {kEds, "b", "e"}}));
    EXPECT_EQ(step(session, false), protocol == Protocol::kDelta ? "cds a" : "cds a b");
    EXPECT_EQ(step(session), "eds a") << "without waiting for the answer to the clusters";
    EXPECT_EQ(step(session), "");
  }
}

TEST_F(SessionTest, OrderIsMakeBeforeBreak) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kCds, "old", "1"}, {kEds, "old", "1"}, {kLds, "l", "1"}, {kRds, "r", "old"}}));
  subscribe(session, kCds);
  subscribe(session, kEds, {"old"});
  subscribe(session, kLds);
  subscribe(session, kRds, {"r"});
  EXPECT_EQ(step(session), "cds old");
  EXPECT_EQ(step(session), "eds old");
  EXPECT_EQ(step(session), "lds l");
  EXPECT_EQ(step(session), "rds r");
  session.set_snapshot(snapshot({{kCds, "new", "1"}, {kEds, "new", "1"}, {kLds, "l", "1"}, {kRds, "r", "new"}}));
  EXPECT_EQ(step(session), "cds new");
  subscribe(session, kEds, {"new"});
  EXPECT_EQ(step(session), "eds new");
  EXPECT_EQ(step(session, false), "rds r");
  Outgoing routes = *last_;
  EXPECT_EQ(step(session), "") << "the old cluster stays until the routes are accepted";
  EXPECT_FALSE(session.removals_due());
  ack(session, routes);
  EXPECT_TRUE(session.removals_due());
  EXPECT_FALSE(session.next(false));
  EXPECT_EQ(step(session), "cds -old");
  EXPECT_EQ(step(session), "eds -old");
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, SotwKeepsOldClustersInTheSetUntilRoutesAreAccepted) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(snapshot({{kCds, "old", "1"}, {kRds, "r", "old"}}));
  subscribe(session, kCds);
  EXPECT_EQ(step(session), "cds old");
  subscribe(session, kRds, {"r"});
  EXPECT_EQ(step(session), "rds r");
  session.set_snapshot(snapshot({{kCds, "new", "1"}, {kRds, "r", "new"}}));
  EXPECT_EQ(step(session), "cds new old");
  EXPECT_EQ(step(session), "rds r");
  EXPECT_EQ(step(session), "cds new");
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, RefusedRoutesKeepTheirClusters) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kCds, "old", "1"}, {kRds, "r", "old"}}));
  subscribe(session, kCds);
  subscribe(session, kRds, {"r"});
  EXPECT_EQ(step(session), "cds old");
  EXPECT_EQ(step(session), "rds r");
  EXPECT_EQ(step(session), "");
  session.set_snapshot(snapshot({{kCds, "new", "1"}, {kRds, "r", "bad"}}));
  EXPECT_EQ(step(session), "cds new");
  EXPECT_EQ(step(session, false), "rds r");
  ack(session, *last_, "r: no such thing");
  EXPECT_EQ(step(session), "") << "neither the refused content again, nor the removal";
  EXPECT_TRUE(session.status(kRds).rejected);
  EXPECT_EQ(session.last_nack(kRds).text, "r: no such thing");
  EXPECT_EQ(session.acked_revision(), 1u);
  session.set_snapshot(snapshot({{kCds, "new", "1"}, {kRds, "r", "good"}}));
  EXPECT_EQ(step(session), "rds r");
  EXPECT_EQ(step(session), "cds -old");
  EXPECT_EQ(session.acked_revision(), 3u);
}

TEST_F(SessionTest, ANackNamesTheBadOnesAndTheGoodOnesCount) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kCds, "good-one", "1"}, {kCds, "bad-one", "1"}}));
  subscribe(session, kCds);
  EXPECT_EQ(step(session, false), "cds bad-one good-one");
  ack(session, *last_, "Error adding/updating cluster(s) bad-one: really");
  EXPECT_EQ(step(session), "");
  session.set_snapshot(snapshot({{kCds, "good-one", "1"}, {kCds, "bad-one", "2"}}));
  EXPECT_EQ(step(session), "cds bad-one");
  EXPECT_EQ(step(session), "");
  EXPECT_EQ(session.acked_revision(), 2u) << "the good one needed nothing";
  EXPECT_FALSE(session.status(kCds).rejected);
}

TEST_F(SessionTest, SotwStaleNoncesAreIgnored) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(snapshot({{kEds, "a", "1"}, {kEds, "b", "1"}}));
  subscribe(session, kEds, {"a"});
  EXPECT_EQ(step(session, false), "eds a");
  Outgoing first = *last_;
  session.set_snapshot(snapshot({{kEds, "a", "2"}, {kEds, "b", "1"}}));
  EXPECT_EQ(step(session, false), "eds a");
  SotwRequest stale;
  stale.nonce = first.nonce;
  stale.names = {"a", "b"};
  EXPECT_EQ(session.on_request(kEds, stale), Session::Verdict::kStale);
  EXPECT_EQ(show(session.next()), "");
  stale.nonce = last_->nonce;
  EXPECT_EQ(session.on_request(kEds, stale), Session::Verdict::kTaken);
  EXPECT_EQ(show(session.next()), "eds b") << "the newly named one, though unchanged";
}

TEST_F(SessionTest, SotwNamesThatAppearLaterAreSent) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(snapshot({}));
  subscribe(session, kRds, {"80"});
  EXPECT_EQ(step(session), "") << "absence cannot be said";
  session.set_snapshot(snapshot({{kRds, "80", "x"}, {kRds, "81", "x"}}));
  EXPECT_EQ(step(session), "rds 80");
}

TEST_F(SessionTest, SotwEmptyListAfterNamesIsNoWildcard) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}}));
  subscribe(session, kCds, {"a"});
  EXPECT_EQ(step(session), "cds a");
  subscribe(session, kCds, {});
  session.set_snapshot(snapshot({{kCds, "a", "2"}, {kCds, "b", "2"}}));
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, SotwCompleteSetsSayAbsenceByLeavingOut) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(snapshot({{kLds, "a", "1"}, {kLds, "b", "1"}}));
  subscribe(session, kLds);
  EXPECT_EQ(step(session), "lds a b");
  session.set_snapshot(snapshot({{kLds, "b", "1"}}));
  EXPECT_EQ(step(session), "lds b");
  session.set_snapshot(snapshot({}));
  EXPECT_EQ(step(session), "lds");
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, SotwReconnectWithTheSameVersionGetsNothing) {
  std::vector<Item> world = {{kCds, "a", "1"}, {kCds, "b", "1"}, {kEds, "a", "e"}, {kEds, "b", "e"}};
  Session before(table_, Protocol::kSotw);
  before.set_snapshot(snapshot(world));
  subscribe(before, kCds);
  EXPECT_EQ(step(before), "cds a b");
  std::string cds = last_->version;
  subscribe(before, kEds, {"a", "b"});
  EXPECT_EQ(step(before), "eds a b");
  std::string eds = last_->version;
  last_.reset();

  Session again(table_, Protocol::kSotw);
  subscribe(again, kCds, {}, cds);
  subscribe(again, kEds, {"a", "b"}, eds);
  again.set_snapshot(snapshot(world));
  EXPECT_EQ(step(again), "");
  EXPECT_EQ(again.acked_revision(), revision_);
  world[2].content = "f";
  again.set_snapshot(snapshot(world));
  EXPECT_EQ(step(again), "eds a");

  Session later(table_, Protocol::kSotw);
  last_.reset();
  world[0].content = "2";
  subscribe(later, kCds, {}, cds);
  subscribe(later, kEds, {"a", "b"}, eds);
  later.set_snapshot(snapshot(world));
  EXPECT_EQ(step(later), "cds a b");
  EXPECT_EQ(step(later), "eds a b") << "a set that differs is sent whole";
}

TEST_F(SessionTest, SotwVersionOfASetDoesNotDependOnTheWayThere) {
  Session straight(table_, Protocol::kSotw), winding(table_, Protocol::kSotw);
  subscribe(straight, kEds, {"a", "b"});
  subscribe(winding, kEds, {"a", "b"});
  winding.set_snapshot(snapshot({{kEds, "a", "0"}}));
  last_.reset();
  step(winding);
  winding.set_snapshot(snapshot({{kEds, "a", "0"}, {kEds, "b", "1"}}));
  step(winding);
  auto world = snapshot({{kEds, "a", "1"}, {kEds, "b", "1"}});
  winding.set_snapshot(world);
  EXPECT_EQ(step(winding), "eds a");
  std::string version = last_->version;
  straight.set_snapshot(world);
  EXPECT_EQ(show(last_ = straight.next()), "eds a b");
  EXPECT_EQ(last_->version, version);
}

TEST_F(SessionTest, ANarrowUpdateLooksOnlyAtItsNames) {
  Session session(table_, Protocol::kDelta);
  auto world = snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}, {kEds, "a", "1"}, {kEds, "b", "1"}});
  session.set_snapshot(world);
  subscribe(session, kCds);
  step(session);
  subscribe(session, kEds, {"a", "b"});
  EXPECT_EQ(step(session), "eds a b");
  auto next = std::make_shared<Snapshot>(*world);
  next->revision = ++revision_;
  std::vector<ResourcePtr> changed = {maker_.make(kEds, "a", "2")};
  next->maps[index_of(kEds)] = world->map(kEds).with(changed);
  Session::ChangedNames names;
  names[index_of(kEds)] = {changed[0]->id};
  session.set_snapshot(next, &names);
  EXPECT_EQ(step(session), "eds a");
  EXPECT_EQ(step(session), "");
  EXPECT_EQ(session.acked_revision(), revision_);
}

TEST_F(SessionTest, ManyChangesBecomeOneResponse) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kCds, "a", "0"}}));
  subscribe(session, kCds);
  step(session);
  for (int i = 1; i < 100; ++i) session.set_snapshot(snapshot({{kCds, "a", std::to_string(i)}}));
  EXPECT_EQ(step(session), "cds a");
  EXPECT_EQ(last_->items[0].resource->message(), "99");
  EXPECT_EQ(step(session), "");
}

TEST_F(SessionTest, LargeDeltaResponsesAreCut) {
  SessionOptions options;
  options.max_response_bytes = 1000;
  Session session(table_, Protocol::kDelta, options);
  std::vector<Item> world;
  for (int i = 0; i < 10; ++i) world.push_back({kCds, "c" + std::to_string(i), std::string(400, 'x')});
  session.set_snapshot(snapshot(world));
  subscribe(session, kCds);
  size_t sent = 0, responses = 0;
  while (!step(session).empty()) {
    sent += last_->items.size();
    ++responses;
  }
  EXPECT_EQ(sent, 10u);
  EXPECT_EQ(responses, 4u);
}

TEST_F(SessionTest, AClientThatNeverAnswersIsNotSentForEver) {
  SessionOptions options;
  options.max_in_flight = 3;
  Session session(table_, Protocol::kDelta, options);
  subscribe(session, kCds);
  for (int i = 0; i < 3; ++i) {
    session.set_snapshot(snapshot({{kCds, "a", std::to_string(i)}}));
    EXPECT_EQ(step(session, false), "cds a");
  }
  session.set_snapshot(snapshot({{kCds, "a", "more"}}));
  EXPECT_EQ(step(session), "");
  EXPECT_EQ(session.acked_revision(), 0u);
}

TEST_F(SessionTest, NamesAreBoundedAndForgotten) {
  SessionOptions options;
  options.max_names = 2;
  {
    Session session(table_, Protocol::kSotw, options);
    SotwRequest request;
    request.names = {"a", "b", "c"};
    EXPECT_EQ(session.on_request(kEds, request), Session::Verdict::kTooManyNames);
    request.names = {"a", "b"};
    EXPECT_EQ(session.on_request(kEds, request), Session::Verdict::kTaken);
    EXPECT_EQ(table_->size(), 2u);
  }
  EXPECT_EQ(table_->size(), 0u);
}

TEST_F(SessionTest, ChangedRoutesWaitUntilClustersAreAnsweredForButNotForEver) {
  for (Protocol protocol : {Protocol::kSotw, Protocol::kDelta}) {
    Session session(table_, protocol);
    session.set_snapshot(snapshot({{kCds, "a", "1"}, {kEds, "a", "1"}, {kRds, "80", "a"}, {kRds, "81", "a"}}));
    subscribe(session, kCds);
    EXPECT_EQ(step(session), "cds a");
    subscribe(session, kEds, {"a"});
    EXPECT_EQ(step(session), "eds a");
    subscribe(session, kRds, {"80"});
    EXPECT_EQ(step(session), "rds 80");
    const Outgoing first_routes = *last_;
    session.set_snapshot(snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}, {kEds, "a", "1"}, {kRds, "80", "b"}, {kRds, "81", "b"}}));
    EXPECT_EQ(step(session, false), protocol == Protocol::kDelta ? "cds b" : "cds a b");
    const Outgoing clusters = *last_;
    EXPECT_EQ(step(session, false), "") << "the route waits";
    EXPECT_TRUE(session.routes_held());
    EXPECT_LT(session.sent_revision(), revision_);
    last_ = first_routes;
    subscribe(session, kRds, protocol == Protocol::kDelta ? std::vector<std::string>{"81"} : std::vector<std::string>{"80", "81"});
    EXPECT_EQ(step(session), "rds 81") << "what is asked for anew does not wait";
    EXPECT_EQ(step(session, false), "");
    session.release_routes();
    EXPECT_EQ(step(session), "rds 80");
    EXPECT_EQ(step(session), "");
    EXPECT_EQ(session.sent_revision(), revision_);
    ack(session, clusters);
    EXPECT_EQ(session.acked_revision(), revision_);
  }
}

TEST_F(SessionTest, RoutesDoNotWaitForAClientThatTakesNoClustersOrNeverAnswersForThem) {
  Session alone(table_, Protocol::kSotw);
  alone.set_snapshot(snapshot({{kCds, "a", "1"}, {kRds, "80", "1"}}));
  subscribe(alone, kRds, {"80"});
  EXPECT_EQ(step(alone), "rds 80");
  alone.set_snapshot(snapshot({{kCds, "a", "2"}, {kRds, "80", "2"}}));
  EXPECT_EQ(step(alone), "rds 80");

  Session mute(table_, Protocol::kDelta);
  mute.set_snapshot(snapshot({{kCds, "a", "1"}, {kEds, "a", "1"}, {kRds, "80", "1"}}));
  subscribe(mute, kCds);
  subscribe(mute, kEds, {"a"});
  subscribe(mute, kRds, {"80"});
  EXPECT_EQ(step(mute, false), "cds a");
  EXPECT_EQ(step(mute, false), "eds a");
  EXPECT_EQ(step(mute, false), "rds 80");
  mute.set_snapshot(snapshot({{kCds, "a", "2"}, {kEds, "a", "1"}, {kRds, "80", "2"}}));
  EXPECT_EQ(step(mute, false), "cds a");
  EXPECT_EQ(step(mute, false), "eds a");
  EXPECT_EQ(step(mute, false), "rds 80");
}

// gRPC's own clients begin at the listener and ask for each thing once they know its name.
TEST_F(SessionTest, AClientMayAskInItsOwnOrder) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(
      snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}, {kEds, "a", "1"}, {kEds, "b", "1"}, {kLds, "l", "80"}, {kRds, "80", "a"}}));
  subscribe(session, kLds, {"l"});
  EXPECT_EQ(step(session), "lds l");
  subscribe(session, kRds, {"80"});
  EXPECT_EQ(step(session), "rds 80");
  const Outgoing routes = *last_;
  subscribe(session, kCds, {"a"});
  EXPECT_EQ(step(session), "cds a");
  const Outgoing clusters = *last_;
  subscribe(session, kEds, {"a"});
  EXPECT_EQ(step(session), "eds a");
  const Outgoing endpoints = *last_;
  session.set_snapshot(
      snapshot({{kCds, "a", "1"}, {kCds, "b", "1"}, {kEds, "a", "1"}, {kEds, "b", "1"}, {kLds, "l", "80"}, {kRds, "80", "b"}}));
  last_ = routes;
  EXPECT_EQ(step(session), "rds 80");
  last_ = clusters;
  subscribe(session, kCds, {"b"});
  EXPECT_EQ(step(session), "cds b");
  last_ = endpoints;
  subscribe(session, kEds, {"b"});
  EXPECT_EQ(step(session), "eds b");
  EXPECT_EQ(step(session), "");
  EXPECT_EQ(session.acked_revision(), revision_);
}

TEST_F(SessionTest, TellsWhichSnapshotsTouchedTheClient) {
  Session session(table_, Protocol::kDelta);
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kEds, "a", "1"}, {kEds, "b", "1"}, {kRds, "80", "1"}}));
  EXPECT_EQ(session.touched_revision(), 0u) << "it has asked for nothing";
  subscribe(session, kCds);
  step(session);
  subscribe(session, kEds, {"a"});
  EXPECT_EQ(step(session, false), "eds a");
  EXPECT_EQ(session.touched_revision(), 1u);
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kEds, "a", "1"}, {kEds, "b", "2"}, {kRds, "80", "2"}}));
  EXPECT_EQ(session.touched_revision(), 1u) << "names and types that it does not ask for";
  session.set_snapshot(snapshot({{kCds, "a", "1"}, {kEds, "a", "2"}, {kEds, "b", "2"}, {kRds, "80", "2"}}));
  EXPECT_EQ(session.touched_revision(), 3u);
  session.set_snapshot(snapshot({{kEds, "a", "2"}, {kEds, "b", "2"}, {kRds, "80", "2"}}));
  EXPECT_EQ(session.touched_revision(), 4u) << "a removal";
  auto narrow = snapshot({{kEds, "a", "2"}, {kEds, "b", "3"}, {kRds, "80", "2"}});
  Session::ChangedNames changed;
  changed[index_of(kEds)] = {(*narrow->map(kEds).find("b"))->id};
  session.set_snapshot(narrow, &changed);
  EXPECT_EQ(session.touched_revision(), 4u);
  EXPECT_EQ(session.answered_revision(), 0u) << "the endpoints were never answered for";
}

TEST_F(SessionTest, AnOldRefusalIsNotBlamedOnANewChange) {
  Session session(table_, Protocol::kSotw);
  session.set_snapshot(snapshot({{kCds, "good", "1"}}));
  subscribe(session, kCds);
  EXPECT_EQ(step(session), "cds good");
  EXPECT_EQ(step(session), "");
  session.set_snapshot(snapshot({{kCds, "good", "1"}, {kCds, "bad", "1"}}));
  step(session, false);
  ack(session, *last_, "Error adding/updating cluster(s) bad: really");
  EXPECT_EQ(session.last_nack(kCds).revision, 2u);
  session.set_snapshot(snapshot({{kCds, "good", "1"}, {kCds, "bad", "1"}, {kCds, "new", "1"}}));
  EXPECT_EQ(step(session, false), "cds bad good new") << "a complete set holds the bad one again";
  ack(session, *last_, "Error adding/updating cluster(s) bad: really");
  EXPECT_EQ(session.last_nack(kCds).revision, 2u);
  EXPECT_EQ(session.last_nack(kCds).count, 2u);
  EXPECT_EQ(step(session, false), "");
  EXPECT_EQ(session.answered_revision(), 3u);
  EXPECT_EQ(session.acked_revision(), 1u);
  EXPECT_TRUE(session.status(kCds).rejected);
}

}  // namespace
}  // namespace weft::xds
