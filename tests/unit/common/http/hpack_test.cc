// HPACK: the examples of RFC 7541, and ours against nghttp2's both ways.
#include "common/http/http2/hpack_decoder.h"
#include "common/http/http2/hpack_encoder.h"
#include "common/http/http2/huffman.h"
#include "hpack_oracle.h"

#include <gtest/gtest.h>

#include <random>

namespace weft::http {
namespace {

using http2::HpackDecoder, http2::HpackEncoder;

std::string bytes(std::string_view hex) {
  std::string text;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) text += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return text;
}

std::string encode(HpackEncoder& encoder, const Fields& fields) {
  size_t most = HpackEncoder::kOverhead;
  for (const auto& [name, value] : fields) most += name.size() + value.size() + HpackEncoder::kOverhead;
  std::string block(most, '\0');
  char* to = encoder.begin(block.data());
  for (const auto& [name, value] : fields) to = encoder.field(to, http2::id_of(name), name, value);
  EXPECT_LE(to - block.data(), static_cast<std::ptrdiff_t>(most));
  block.resize(static_cast<size_t>(to - block.data()));
  return block;
}

// --- Appendix C ---

TEST(Hpack, ExamplesOfSingleFields) {
  const auto one = [](std::string_view hex) {
    HpackDecoder decoder;
    return decode(decoder, bytes(hex)).value();
  };
  EXPECT_EQ(one("400a637573746f6d2d6b65790d637573746f6d2d686561646572"), (Fields{{"custom-key", "custom-header"}}));
  EXPECT_EQ(one("040c2f73616d706c652f70617468"), (Fields{{":path", "/sample/path"}}));
  EXPECT_EQ(one("100870617373776f726406736563726574"), (Fields{{"password", "secret"}}));
  EXPECT_EQ(one("82"), (Fields{{":method", "GET"}}));
}

TEST(Hpack, ExamplesOfRequests) {
  const Fields first = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}};
  const Fields second = {
      {":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}, {"cache-control", "no-cache"}};
  const Fields third = {{":method", "GET"},
                        {":scheme", "https"},
                        {":path", "/index.html"},
                        {":authority", "www.example.com"},
                        {"custom-key", "custom-value"}};
  const std::vector<std::vector<std::string_view>> both = {
      {"828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
       "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"},
      {"828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"}};
  for (const auto& blocks : both) {
    HpackDecoder decoder;
    EXPECT_EQ(decode(decoder, bytes(blocks[0])), first);
    EXPECT_EQ(decode(decoder, bytes(blocks[1])), second);
    EXPECT_EQ(decode(decoder, bytes(blocks[2])), third);
  }
}

// With a table of 256 bytes, so that entries go.
TEST(Hpack, ExamplesOfAnswers) {
  const Fields first = {
      {":status", "302"}, {"cache-control", "private"}, {"date", "Mon, 21 Oct 2013 20:13:21 GMT"}, {"location", "https://www.example.com"}};
  Fields second = first, third = first;
  second[0].second = "307";
  third = {{":status", "200"},
           {"cache-control", "private"},
           {"date", "Mon, 21 Oct 2013 20:13:22 GMT"},
           {"location", "https://www.example.com"},
           {"content-encoding", "gzip"},
           {"set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"}};
  const std::vector<std::vector<std::string_view>> both = {
      {"4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d"
       "706c652e636f6d",
       "4803333037c1c0bf",
       "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50"
       "49554158515745"
       "4f49553b206d61782d6167653d333630303b2076657273696f6e3d31"},
      {"488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3", "4883640effc1c0bf",
       "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb529"
       "1f9587316065c003ed4ee5b1063d5007"}};
  for (const auto& blocks : both) {
    HpackDecoder decoder;
    decoder.set_limit(256);
    EXPECT_EQ(decode(decoder, bytes("3fe101") + bytes(blocks[0])), first);
    EXPECT_EQ(decode(decoder, bytes(blocks[1])), second);
    EXPECT_EQ(decode(decoder, bytes(blocks[2])), third);
  }
}

// --- strings ---

TEST(Hpack, EverySymbolBothWays) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (int c = 0; c < 256; ++c) {
    for (const std::string& text :
         {std::string(1, static_cast<char>(c)), std::string(3, static_cast<char>(c)), all.substr(0, static_cast<size_t>(c))}) {
      std::string code(http2::huffman_size(text), '\0'), back;
      ASSERT_EQ(http2::huffman_encode(code.data(), text), code.data() + code.size());
      ASSERT_TRUE(http2::huffman_decode(code, back));
      ASSERT_EQ(back, text);
    }
  }
}

TEST(Hpack, PaddingIsTheLeastNumberOfOnes) {
  std::string text;
  EXPECT_TRUE(http2::huffman_decode(bytes("1f"), text));     // a and three ones
  EXPECT_FALSE(http2::huffman_decode(bytes("18"), text));    // zeros
  EXPECT_FALSE(http2::huffman_decode(bytes("1fff"), text));  // more than it takes
  EXPECT_FALSE(http2::huffman_decode(bytes("ff"), text));
  EXPECT_FALSE(http2::huffman_decode(bytes("3fffffff"), text));
  EXPECT_FALSE(http2::huffman_decode(bytes("ffffffff"), text));  // the end, which nobody may write
}

// --- what is no header block ---

TEST(Hpack, FaultsAreFound) {
  for (std::string_view hex : {"80",              // no such index
                               "be",              // nor this one while the table is empty
                               "ff",              // an integer without its end
                               "ffffffffffff01",  // or beyond 32 bits
                               "7f80808080808080800001",
                               "0001",  // a string without its end
                               "00016104", "000161", "003fff",
                               "3fe21f",  // a table that is larger than was said
                               "8220",    // an update that does not come first
                               "00ff", "0f", "4f"}) {
    HpackDecoder decoder;
    EXPECT_FALSE(decode(decoder, bytes(hex))) << hex;
    OracleDecoder oracle;
    EXPECT_FALSE(oracle.decode(bytes(hex))) << hex;
  }
}

TEST(Hpack, ASmallerTableMustBeAcknowledgedByTheNextBlock) {
  HpackDecoder decoder;
  EXPECT_TRUE(decode(decoder, bytes("82")));
  decoder.set_limit(100);
  EXPECT_FALSE(decode(decoder, bytes("82")));
  HpackDecoder other;
  other.set_limit(100);
  EXPECT_FALSE(decode(other, bytes("3f46") + bytes("82"))) << "101";
  HpackDecoder good;
  good.set_limit(100);
  EXPECT_TRUE(decode(good, bytes("3f45") + bytes("82")));
  EXPECT_EQ(good.table_size(), 100u);
}

TEST(Hpack, WhatIsSoundIsRemembered) {
  HpackDecoder decoder;
  http2::Field field{};
  const std::string block = bytes("4001580161") + bytes("4001780120") + bytes("4001780161") + bytes("bebfc0");
  decoder.begin(block);
  const bool name[] = {false, true, true, true, true, false}, value[] = {true, false, true, true, false, true};
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(decoder.next(field), HpackDecoder::Step::kField);
    EXPECT_EQ(field.sound_name, name[i]) << i;
    EXPECT_EQ(field.sound_value, value[i]) << i;
  }
}

// --- what we write ---

TEST(Hpack, WhatComesAgainIsAnIndex) {
  HpackEncoder encoder;
  const Fields fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/pkg.Service/Call"}, {"content-type", "application/grpc"},
                         {"te", "trailers"},  {"x-own", "value"}};
  const size_t first = encode(encoder, fields).size(), second = encode(encoder, fields).size();
  EXPECT_LT(second, first);
  EXPECT_EQ(encode(encoder, fields).size(), fields.size());
}

TEST(Hpack, UniqueValuesPushNothingOut) {
  HpackEncoder encoder;
  const Fields lasting = {{"user-agent", "a client"}, {"x-own", "value"}};
  for (int i = 0; i < 3; ++i) encode(encoder, lasting);
  for (int i = 0; i < 1000; ++i)
    encode(encoder, {{":path", "/item/" + std::to_string(i)}, {"x-request-id", std::to_string(i)}, {"traceparent", std::to_string(i)}});
  EXPECT_EQ(encode(encoder, lasting).size(), 2u);
}

TEST(Hpack, SecretsStayOutOfTables) {
  HpackEncoder encoder;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(encode(encoder, {{"authorization", "secret"}})[0], '\x1f');
    EXPECT_EQ(encode(encoder, {{"cookie", "a=1"}})[0], '\x1f');
  }
}

TEST(Hpack, UpdatesSayTheLeastAndTheLast) {
  HpackEncoder encoder;
  encode(encoder, {{"x-own", "value"}});
  encoder.set_limit(0);
  encoder.set_limit(100);
  EXPECT_EQ(encode(encoder, {{":method", "GET"}}), bytes("203f4582"));
  EXPECT_EQ(encode(encoder, {{":method", "GET"}}), bytes("82"));
  encoder.set_limit(1 << 20);  // more than we use
  EXPECT_EQ(encode(encoder, {}), bytes("3fe11f"));
}

// --- thousands of lists ---

class Lists {
 public:
  explicit Lists(unsigned seed) : random_(seed) {}
  Fields next() {
    static const std::vector<std::string> names = {
        ":method",      ":path",      ":status",     ":authority",   ":scheme",      ":protocol", "content-type",  "content-length",
        "user-agent",   "cookie",     "set-cookie",  "te",           "x-request-id", "date",      "authorization", "accept-encoding",
        "grpc-status",  "x-own-name", "traceparent", "grpc-timeout", "accept",       "age",       "via",           "x-forwarded-for",
        "if-none-match"};
    Fields fields;
    for (size_t n = at_most(20); n > 0; --n) {
      std::string name = at_most(9) == 0 ? "x-" + std::to_string(at_most(200)) : names[at_most(names.size() - 1)];
      fields.emplace_back(std::move(name), value());
    }
    return fields;
  }
  size_t at_most(size_t n) { return random_() % (n + 1); }

 private:
  std::string value() {
    switch (at_most(6)) {
      case 0: return "";
      case 1: return std::to_string(at_most(3));
      case 2: return "GET";
      case 3: return std::string(at_most(300), static_cast<char>('a' + at_most(25)));
      case 4: {
        std::string any;
        for (size_t n = at_most(40); n > 0; --n) any += static_cast<char>(at_most(255));
        return any;
      }
      case 5: return at_most(30) ? "gzip, deflate" : std::string(at_most(9000), 'x');
      default: return "value-" + std::to_string(at_most(40));
    }
  }
  std::mt19937 random_;
};

constexpr uint32_t kLimits[] = {0, 32, 40, 100, 256, 1000, 4095, 4096};

TEST(Hpack, WhatWeWriteNghttp2Reads) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Lists lists(seed);
    HpackEncoder encoder;
    OracleDecoder oracle;
    HpackDecoder ours;
    for (int i = 0; i < 150; ++i) {
      if (lists.at_most(15) == 0) {
        const uint32_t limit = kLimits[lists.at_most(7)];
        encoder.set_limit(limit);
        oracle.set_limit(limit);
        ours.set_limit(limit);
      }
      const Fields fields = lists.next();
      const std::string block = encode(encoder, fields);
      ASSERT_EQ(oracle.decode(block), fields) << seed << " " << i;
      ASSERT_EQ(decode(ours, block), fields) << seed << " " << i;
    }
  }
}

TEST(Hpack, WhatNghttp2WritesWeRead) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Lists lists(1000 + seed);
    OracleEncoder oracle(seed % 4 == 0 ? 65536 : 4096);
    HpackDecoder decoder;
    if (seed % 4 == 0) decoder.set_limit(65536), oracle.set_limit(65536);
    for (int i = 0; i < 150; ++i) {
      if (lists.at_most(15) == 0) {
        const uint32_t limit = kLimits[lists.at_most(7)];
        decoder.set_limit(limit);
        oracle.set_limit(limit);
      }
      const Fields fields = lists.next();
      ASSERT_EQ(decode(decoder, oracle.encode(fields)), fields) << seed << " " << i;
    }
  }
}

// Broken blocks: the same verdict, and the same fields where both take them.
TEST(Hpack, VerdictsOnBrokenBlocksAreTheSame) {
  int taken = 0, refused = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Lists lists(5000 + seed);
    OracleEncoder encoder;
    OracleDecoder oracle;
    HpackDecoder decoder;
    for (int i = 0; i < 6; ++i) {
      std::string block = encoder.encode(lists.next());
      for (size_t n = lists.at_most(2); n > 0 && !block.empty(); --n) {
        const size_t at = lists.at_most(block.size() - 1);
        switch (lists.at_most(2)) {
          case 0: block[at] = static_cast<char>(lists.at_most(255)); break;
          case 1: block.erase(at, 1); break;
          default: block.insert(at, 1, static_cast<char>(lists.at_most(255))); break;
        }
      }
      const auto theirs = oracle.decode(block), ours = decode(decoder, block);
      ASSERT_EQ(ours, theirs) << seed << " " << i;
      ++(ours ? taken : refused);
      if (!ours) break;
    }
  }
  EXPECT_GT(taken, 1000);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace weft::http
