// The codec: what is written reads back, whatever the bytes are they read without harm, and what lies is refused.
#include "common/dns/message.h"

#include <gtest/gtest.h>

namespace weft::dns {
namespace {

Name name(std::string_view text) { return *Name::from_text(text); }

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (int value : values) out += static_cast<char>(value);
  return out;
}

Message rich() {
  Message message;
  message.id = 0xbeef;
  message.response = message.recursion_desired = message.recursion_available = message.authentic_data = true;
  message.code = kNoSuchName;
  message.questions.push_back({name("Web.Example.COM"), kA, kInternet});
  message.answers.push_back({name("Web.Example.COM"), kCname, kInternet, 30, name("a.example.org").wire()});
  message.answers.push_back({name("a.example.org"), kA, kInternet, 7, bytes({10, 0, 0, 1})});
  message.answers.push_back(
      {name("_http._tcp.Example.COM"), kSrv, kInternet, 7, bytes({0, 1, 0, 2, 0, 80}) + name("a.example.org").wire()});
  message.authorities.push_back(
      {name("example.org"), kSoa, kInternet, 60, name("ns.example.org").wire() + name("me.example.org").wire() + std::string(20, '\1')});
  message.additionals.push_back({name("example.org"), kTxt, kInternet, 60, bytes({2, 'h', 'i'})});
  message.additionals.push_back({name("v6.example.org"), kAaaa, kInternet, 60, std::string(16, '\7')});
  message.edns = Edns{1232, 0, true, bytes({0, 10, 0, 1, 5})};
  return message;
}

void expect_equal(const std::vector<Record>& is, const std::vector<Record>& wanted) {
  ASSERT_EQ(is.size(), wanted.size());
  for (size_t i = 0; i < is.size(); ++i) {
    EXPECT_EQ(is[i].name.wire(), wanted[i].name.wire());
    EXPECT_EQ(is[i].type, wanted[i].type);
    EXPECT_EQ(is[i].klass, wanted[i].klass);
    EXPECT_EQ(is[i].ttl, wanted[i].ttl);
    EXPECT_EQ(is[i].data, wanted[i].data);
  }
}

TEST(DnsName, TextAndWire) {
  EXPECT_EQ(name("a.B.c").wire(), std::string("\1a\1B\1c\0", 7));
  EXPECT_EQ(name("a.B.c.").text(), "a.B.c");
  EXPECT_EQ(name(".").text(), ".");
  EXPECT_EQ(name("a\\.b.c").wire(), std::string("\3a.b\1c\0", 7));
  EXPECT_EQ(name("a\\.b\\007.c").text(), "a\\.b\\007.c");
  EXPECT_EQ(name("*.example.com").text(), "*.example.com");
  EXPECT_TRUE(name("A.b").same(name("a.B")));
  for (const char* wrong : {"", "..", "a..b", ".a", "a\\", "a\\25", "a\\256"}) EXPECT_FALSE(Name::from_text(wrong)) << wrong;
  EXPECT_TRUE(Name::from_text(std::string(63, 'a')));
  EXPECT_FALSE(Name::from_text(std::string(64, 'a')));
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  EXPECT_TRUE(Name::from_text(longest));
  EXPECT_FALSE(Name::from_text(longest + "a"));
}

TEST(DnsName, Parts) {
  EXPECT_EQ(name("a.b.c").parent().text(), "b.c");
  EXPECT_TRUE(name("a").parent().is_root());
  EXPECT_TRUE(Name().parent().is_root());
  EXPECT_EQ(name("b.c").child("*")->text(), "*.b.c");
  EXPECT_FALSE(Name().child(""));
  EXPECT_EQ(name("web.default.NS.svc").before(name("ns.svc"))->text(), "web.default");
  EXPECT_FALSE(name("ns.svc").before(name("ns.svc")));
  EXPECT_FALSE(name("webns.svc").before(name("ns.svc")));
  EXPECT_FALSE(name("web").before(Name()));
}

TEST(DnsMessage, WhatIsWrittenReadsBack) {
  const Message wanted = rich();
  const std::string wire = encode(wanted);
  const Result<Message> is = decode(wire);
  ASSERT_TRUE(is) << is.error().detail;
  EXPECT_EQ(is->id, 0xbeef);
  EXPECT_TRUE(is->response && is->recursion_desired && is->recursion_available && is->authentic_data);
  EXPECT_FALSE(is->authoritative || is->truncated || is->checking_disabled);
  EXPECT_EQ(is->code, kNoSuchName);
  ASSERT_EQ(is->questions.size(), 1u);
  EXPECT_EQ(is->questions[0].name.text(), "Web.Example.COM");
  expect_equal(is->answers, wanted.answers);
  expect_equal(is->authorities, wanted.authorities);
  expect_equal(is->additionals, wanted.additionals);
  ASSERT_TRUE(is->edns);
  EXPECT_EQ(is->edns->payload, 1232);
  EXPECT_TRUE(is->edns->dnssec_ok);
  EXPECT_EQ(is->edns->options, wanted.edns->options);
  EXPECT_EQ(encode(*is), wire);
}

TEST(DnsMessage, EveryCutIsRefused) {
  const std::string wire = encode(rich());
  for (size_t size = 0; size < wire.size(); ++size) EXPECT_FALSE(decode(std::string_view(wire).substr(0, size))) << size;
  EXPECT_FALSE(decode(wire + '\0'));
}

TEST(DnsMessage, EveryFlippedByteReadsWithoutHarm) {
  const std::string wire = encode(rich());
  for (size_t at = 0; at < wire.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bent = wire;
      bent[at] = static_cast<char>(bent[at] ^ 1 << bit);
      if (const Result<Message> read = decode(bent)) decode(encode(*read));
    }
  }
}

TEST(DnsMessage, NamesAreCompressedWithTheirCase) {
  Message message;
  message.questions.push_back({name("Example.com"), kA, kInternet});
  message.answers.push_back({name("Example.com"), kA, kInternet, 1, bytes({1, 2, 3, 4})});
  message.answers.push_back({name("example.com"), kA, kInternet, 1, bytes({1, 2, 3, 4})});
  const std::string wire = encode(message);
  EXPECT_EQ(wire.size(), 12u + 13 + 4 + (2 + 14) + (8 + 2 + 14));
  EXPECT_EQ(decode(wire)->answers[1].name.text(), "example.com");
}

TEST(DnsMessage, CompressedNamesInDataAreWrittenOut) {
  const std::string wire = bytes({0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}) + std::string("\3web\3org\0", 9) + bytes({0, 5, 0, 1}) +
                           bytes({0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'a', 0xc0, 16});
  const Result<Message> read = decode(wire);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->answers[0].name.text(), "web.org");
  EXPECT_EQ(read->answers[0].data, name("a.org").wire());
}

TEST(DnsMessage, LyingNamesAreRefused) {
  const std::string head = bytes({0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0});
  auto problem = [&](const std::string& question) {
    const Result<Message> read = decode(head + question + bytes({0, 1, 0, 1}));
    return read ? std::string() : read.error().detail;
  };
  EXPECT_NE(problem(bytes({0xc0, 12})).find("points forward"), std::string::npos) << "to itself";
  EXPECT_NE(problem(bytes({1, 'a', 0xc0, 12})).find("points forward"), std::string::npos) << "a loop";
  EXPECT_NE(problem(bytes({0xc0, 40})).find("points forward"), std::string::npos);
  EXPECT_NE(problem(bytes({0xc0, 2})).find("points forward"), std::string::npos) << "into the header";
  EXPECT_NE(problem(bytes({0x41, 'a', 0})).find("unknown kind"), std::string::npos);
  EXPECT_NE(problem(bytes({0xc0})).find("points forward"), std::string::npos);
  std::string longest;
  for (int i = 0; i < 128; ++i) longest += bytes({1, 'a'});
  EXPECT_NE(problem(longest + '\0').find("more than 255"), std::string::npos);
}

TEST(DnsMessage, LyingLengthsAreRefused) {
  auto with = [&](uint16_t type, const std::string& data) {
    Message message;
    message.answers.push_back({name("a"), type, kInternet, 1, data});
    return decode(encode(message)).has_value();
  };
  EXPECT_TRUE(with(kA, "1234"));
  EXPECT_FALSE(with(kA, "123"));
  EXPECT_FALSE(with(kA, "12345"));
  EXPECT_FALSE(with(kAaaa, "1234"));
  EXPECT_FALSE(with(kCname, ""));
  EXPECT_FALSE(with(kCname, name("a.b").wire() + "x"));
  EXPECT_FALSE(with(kSoa, name("a").wire() + name("b").wire() + "short"));
  EXPECT_TRUE(with(35, std::string("\0\1\0\2\1U\0\0", 8) + name("a").wire()));
  EXPECT_FALSE(with(35, std::string("\0\1\0\2\77U\0\0", 8) + name("a").wire()));
  EXPECT_TRUE(with(65280, "anything"));
  Message twice;
  twice.edns.emplace();
  std::string wire = encode(twice);
  wire += wire.substr(kHeaderSize);
  wire[11] = 2;
  EXPECT_FALSE(decode(wire)) << "two OPT records";
}

TEST(DnsMessage, WhatDoesNotFitIsLeftOutWhole) {
  Message message;
  message.questions.push_back({name("many.example.com"), kA, kInternet});
  message.edns = Edns{};
  for (int i = 0; i < 100; ++i) message.answers.push_back({name("many.example.com"), kA, kInternet, 1, bytes({10, 0, 0, i})});
  message.additionals.push_back({name("x"), kA, kInternet, 1, bytes({10, 0, 0, 1})});
  const std::string wire = encode(message, kPlainDatagram);
  EXPECT_LE(wire.size(), kPlainDatagram);
  const Result<Message> read = decode(wire);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_TRUE(read->truncated);
  EXPECT_TRUE(read->edns);
  EXPECT_EQ(read->answers.size(), (kPlainDatagram - 12 - 22 - 11) / 16);
  EXPECT_TRUE(read->additionals.empty());
  EXPECT_FALSE(decode(encode(message))->truncated);
}

TEST(DnsMessage, Replies) {
  Message query = rich();
  query.response = false;
  query.code = kNoError;
  const Message reply = reply_to(query, kBadVersion);
  const Result<Message> read = decode(encode(reply));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, query.id);
  EXPECT_EQ(read->code, kBadVersion);
  EXPECT_TRUE(read->response && read->edns && read->answers.empty());
  EXPECT_EQ(read->questions[0].name.text(), "Web.Example.COM");
  const std::optional<Glimpse> seen = glimpse(encode(reply));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->id, query.id);
  EXPECT_TRUE(seen->response);
  EXPECT_FALSE(glimpse("short"));
}

}  // namespace
}  // namespace weft::dns
