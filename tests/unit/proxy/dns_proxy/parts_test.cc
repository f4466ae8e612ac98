// The parts without sockets: whom names mean, what resolv.conf says, how long answers last.
#include "proxy/dns_proxy/answer_cache.h"
#include "proxy/dns_proxy/forwarder.h"
#include "proxy/dns_proxy/lookup_table.h"
#include "proxy/dns_proxy/resolv_conf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weft::dns_proxy {
namespace {

using namespace std::chrono_literals;

dns::Name name(std::string_view text) { return *dns::Name::from_text(text); }
dns::Question question(std::string_view text, uint16_t type = dns::kA) { return {name(text), type, dns::kInternet}; }

NameTable::Host host(const std::string& text, std::vector<std::string> ips, std::string shortname = "", std::string ns = "") {
  NameTable::Host out{name(text), {}, !shortname.empty(), text, shortname, ns, {}};
  for (const std::string& ip : ips) out.addresses.push_back(boost::asio::ip::make_address(ip));
  return out;
}

class Lookups : public ::testing::Test {
 protected:
  Lookups() {
    NameTable all;
    all.hosts = {host("*.wild.example", {"10.9.0.1"}),
                 host("*.deep.wild.example", {"10.9.0.2"}),
                 host("both.example", {"10.8.0.1", "2001:db8::1"}),
                 host("six.example", {"2001:db8::6"}),
                 host("web.default.svc.cluster.local", {"10.0.0.1"}, "web", "default"),
                 host("web.other.svc.cluster.local", {"10.0.0.2"}, "web", "other"),
                 host("far.default.svc.remote.local", {"10.0.0.3"}, "far", "default"),
                 host("web.other", {"10.7.0.1"}),
                 host("db-0.db.default.svc.cluster.local", {"10.0.1.1"}, "db-0.db", "default"),
                 host("db.default.svc.cluster.local", {"10.0.1.1", "10.0.1.2"}, "db", "default"),
                 host("nothing.example", {})};
    all.hosts[2].alternatives.push_back(name("alias.example"));
    table_ = std::make_unique<LookupTable>(all, Place{"default", "svc.cluster.local"});
  }

  // "none", or what answers: "CNAME web.default 10.0.0.1", addresses in brackets by family.
  std::string asked(std::string_view text, uint16_t type = dns::kA) {
    const auto records = table_->find(question(text, type), search_);
    if (!records) return "none";
    std::string out;
    for (const dns::Record& record : *records) {
      EXPECT_EQ(record.ttl, 30u);
      if (!out.empty()) out += ' ';
      if (record.type == dns::kCname) {
        EXPECT_EQ(record.name.wire(), name(text).wire());
        out += "CNAME " + dns::Name::from_wire(record.data)->text();
        continue;
      }
      EXPECT_EQ(record.type, type);
      EXPECT_EQ(record.name.wire(), out.starts_with("CNAME") ? records->front().data : name(text).wire());
      for (size_t i = 0; i < record.data.size(); ++i) out += (i ? "." : "") + std::to_string(static_cast<unsigned char>(record.data[i]));
    }
    return out;
  }

  std::unique_ptr<LookupTable> table_;
  dns::Name search_ = name("default.svc.cluster.local");
};

TEST_F(Lookups, FullAndShortNames) {
  EXPECT_EQ(asked("web.default.svc.cluster.local"), "10.0.0.1");
  EXPECT_EQ(asked("WEB.Default.svc.cluster.local"), "10.0.0.1") << "case does not count, and is kept";
  EXPECT_EQ(asked("web"), "10.0.0.1");
  EXPECT_EQ(asked("web.default"), "10.0.0.1");
  EXPECT_EQ(asked("web.default.svc"), "10.0.0.1");
  EXPECT_EQ(asked("web.other.svc"), "10.0.0.2");
  EXPECT_EQ(asked("web.other"), "10.7.0.1") << "a full name goes before a short one";
  EXPECT_EQ(asked("web.default.svc.cluster"), "none");
  EXPECT_EQ(asked("far"), "none") << "of another domain";
  EXPECT_EQ(asked("far.default.svc.remote.local"), "10.0.0.3");
  EXPECT_EQ(asked("db-0.db"), "10.0.1.1");
  EXPECT_EQ(asked("db"), "10.0.1.1 10.0.1.2");
  EXPECT_EQ(asked("alias.example"), "10.8.0.1");
  EXPECT_EQ(asked("nothing.example"), "none");
  EXPECT_EQ(asked("local"), "none");
  EXPECT_EQ(asked("."), "none");
}

TEST_F(Lookups, Families) {
  EXPECT_EQ(asked("web", dns::kAaaa), "") << "known, and without such an address";
  EXPECT_EQ(asked("six.example"), "");
  EXPECT_EQ(asked("six.example", dns::kAaaa), "32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.6");
  EXPECT_EQ(asked("both.example"), "10.8.0.1");
  EXPECT_EQ(asked("web", dns::kTxt), "none") << "only addresses are ours";
  EXPECT_EQ(asked("web", dns::kSrv), "none");
}

TEST_F(Lookups, SearchDomainsAreAnsweredWithACname) {
  EXPECT_EQ(asked("both.example.default.svc.cluster.local"), "CNAME both.example 10.8.0.1");
  EXPECT_EQ(asked("web.default.svc.cluster.local.default.svc.cluster.local"), "CNAME web.default.svc.cluster.local 10.0.0.1");
  EXPECT_EQ(asked("web.other.default.svc.cluster.local"), "CNAME web.other 10.7.0.1");
  EXPECT_EQ(asked("six.example.default.svc.cluster.local"), "");
  EXPECT_EQ(asked("a.wild.example.default.svc.cluster.local"), "CNAME a.wild.example 10.9.0.1");
  search_ = {};
  EXPECT_EQ(asked("both.example.default.svc.cluster.local"), "none");
}

TEST_F(Lookups, Wildcards) {
  EXPECT_EQ(asked("a.wild.example"), "10.9.0.1");
  EXPECT_EQ(asked("b.a.wild.example"), "10.9.0.1");
  EXPECT_EQ(asked("a.deep.wild.example"), "10.9.0.2");
  EXPECT_EQ(asked("wild.example"), "none");
}

TEST(ResolvConf, IsRead) {
  const ResolvConf conf = parse_resolv_conf(
      "# a comment\n; another\nnameserver 10.0.0.10\nnameserver  fd00::1 \nnameserver [127.0.0.1]:5353\nnameserver nonsense\nnameserver "
      "[::1]\n"
      "domain old.example\nsearch default.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:3 attempts:9\nunknown x\n");
  ASSERT_EQ(conf.resolvers.size(), 3u);
  EXPECT_EQ(conf.resolvers[0], Resolver(boost::asio::ip::make_address("10.0.0.10"), 53));
  EXPECT_EQ(conf.resolvers[1], Resolver(boost::asio::ip::make_address("fd00::1"), 53));
  EXPECT_EQ(conf.resolvers[2], Resolver(boost::asio::ip::make_address("127.0.0.1"), 5353));
  EXPECT_EQ(conf.search.text(), "default.svc.cluster.local");
  EXPECT_EQ(conf.timeout, 3s);
  EXPECT_EQ(conf.attempts, 5u);
  const ResolvConf none = parse_resolv_conf("");
  EXPECT_TRUE(none.resolvers.empty() && none.search.is_root());
  EXPECT_EQ(none.timeout, 5s);
}

TEST(ResolvConf, IsReadAgainWhenItChanges) {
  const std::string path = ::testing::TempDir() + "/resolv.conf." + std::to_string(::getpid());
  const EventClock::Time start{};
  ResolvConfFile file(path);
  EXPECT_FALSE(file.refresh(start + 1h)) << "a file that is not there says nothing";
  std::ofstream(path) << "nameserver 10.0.0.1\n";
  EXPECT_FALSE(file.refresh(start + 1h)) << "looked at just now";
  EXPECT_TRUE(file.refresh(start + 1h + 2s));
  EXPECT_EQ(file.conf().resolvers.size(), 1u);
  EXPECT_FALSE(file.refresh(start + 1h + 4s));
  std::ofstream(path) << "nameserver 10.0.0.1\nnameserver 10.0.0.2\n";
  EXPECT_TRUE(file.refresh(start + 1h + 6s));
  EXPECT_EQ(file.conf().resolvers.size(), 2u);
  std::filesystem::remove(path);
  EXPECT_TRUE(file.refresh(start + 1h + 8s));
}

dns::Message answer_of(uint32_t ttl) {
  dns::Message message;
  message.response = true;
  message.questions.push_back(question("Web.example"));
  message.answers.push_back({name("Web.example"), dns::kA, dns::kInternet, ttl, "1234"});
  return message;
}

dns::Message denial(uint16_t code, uint32_t ttl, char minimum) {
  dns::Message message;
  message.code = code;
  message.questions.push_back(question("gone.example"));
  message.authorities.push_back(
      {name("example"), dns::kSoa, dns::kInternet, ttl, std::string(2, '\0') + std::string(16, '\0') + std::string(3, '\0') + minimum});
  return message;
}

TEST(AnswerCache, LifetimesAreTheAnswers) {
  EXPECT_EQ(lifetime(answer_of(17)), 17u);
  EXPECT_EQ(lifetime(answer_of(100'000)), 3600u);
  dns::Message two = answer_of(17);
  two.answers.push_back({name("Web.example"), dns::kA, dns::kInternet, 3, "5678"});
  EXPECT_EQ(lifetime(two), 3u);
  two.code = dns::kServerFailure;
  EXPECT_EQ(lifetime(two), 0u);
  EXPECT_EQ(lifetime(denial(dns::kNoSuchName, 60, 20)), 20u);
  EXPECT_EQ(lifetime(denial(dns::kNoError, 10, 20)), 10u);
  dns::Message unfounded = denial(dns::kNoSuchName, 60, 20);
  unfounded.authorities.clear();
  EXPECT_EQ(lifetime(unfounded), 0u);
  dns::Message alias = answer_of(50);
  alias.answers[0].type = dns::kCname;
  EXPECT_EQ(lifetime(alias), 0u) << "an alias of nothing";
}

TEST(AnswerCache, TimesToLiveRunDown) {
  AnswerCache cache(10, 100'000);
  const EventClock::Time start{};
  cache.put("k", answer_of(17), 50, start);
  EXPECT_EQ(cache.find("k", start + 16s)->answers[0].ttl, 1u);
  EXPECT_FALSE(cache.find("k", start + 17s));
  EXPECT_EQ(cache.size(), 0u);
  cache.put("k", answer_of(0), 50, start);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(AnswerCache, IsBounded) {
  AnswerCache few(2, 1'000'000), small(100, 1200);
  const EventClock::Time start{};
  for (const char* key : {"a", "b"}) few.put(key, answer_of(9), 50, start);
  EXPECT_TRUE(few.find("a", start));
  few.put("c", answer_of(9), 50, start);
  EXPECT_TRUE(few.find("a", start) && few.find("c", start));
  EXPECT_FALSE(few.find("b", start)) << "not asked for the longest";
  for (int i = 0; i < 50; ++i) small.put(std::to_string(i), answer_of(9), 100, start);
  EXPECT_LT(small.size(), 6u);
  EXPECT_GT(small.size(), 0u);
  small.put("huge", answer_of(9), 5000, start);
  EXPECT_FALSE(small.find("huge", start));
}

TEST(AnswerCache, KeysTellQueriesApart) {
  dns::Message query;
  query.questions.push_back(question("Web.example"));
  const std::string plain = question_key(query);
  query.questions[0].name = name("wEB.example");
  EXPECT_EQ(question_key(query), plain);
  query.recursion_desired = true;
  EXPECT_NE(question_key(query), plain);
  query.recursion_desired = false;
  query.edns.emplace();
  EXPECT_EQ(question_key(query), plain);
  query.edns->dnssec_ok = true;
  EXPECT_NE(question_key(query), plain);
}

TEST(Replies, AreSpelledAsTheQuery) {
  dns::Message query;
  query.id = 77;
  query.questions.push_back(question("wEb.EXAMPLE"));
  dns::Message answer = answer_of(9);
  answer.edns.emplace();
  const dns::Message reply = reply_with(query, answer);
  EXPECT_EQ(reply.id, 77);
  EXPECT_EQ(reply.questions[0].name.text(), "wEb.EXAMPLE");
  EXPECT_EQ(reply.answers[0].name.text(), "wEb.EXAMPLE");
  EXPECT_FALSE(reply.edns) << "who does not speak EDNS gets none";
}

}  // namespace
}  // namespace weft::dns_proxy
