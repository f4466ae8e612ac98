#include "proxy/filters/http/compressor/filter.h"

#include "envoy/extensions/compression/gzip/compressor/v3/gzip.pb.h"
#include "envoy/extensions/filters/http/compressor/v3/compressor.pb.h"
#include "fake_context.h"

#include <zdict.h>
#include <zlib.h>

namespace weft::filters {
namespace {

using Proto = envoy::extensions::filters::http::compressor::v3::Compressor;
using observe::CompressorStat;

Proto config() {
  Proto proto;
  proto.mutable_compressor_library()->set_name("text");
  proto.mutable_compressor_library()->mutable_typed_config()->PackFrom(envoy::extensions::compression::gzip::compressor::v3::Gzip());
  proto.mutable_response_direction_config();
  return proto;
}

std::string unzipped(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 31), Z_OK);
  std::string out(1 << 20, 0);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

class CompressorTest : public testing::Test {
 protected:
  void start(const Proto& proto) {
    filter_.reset();
    factory_ = factory_of(compressor_type(), proto, &registry_);
    filter_ = std::make_unique<MadeFilter>(*factory_);
  }
  // Request and response heads through the filter; whether the answer will be compressed.
  bool answered(std::string_view accept, std::initializer_list<std::pair<const char*, const char*>> headers, int status = 200,
                bool end = false) {
    context_.request_.clear();
    context_.response_.clear();
    if (!accept.empty()) context_.request_.add("accept-encoding", accept);
    context_.response_.set_status(status);
    for (const auto& [name, value] : headers) context_.response_.add(name, value);
    EXPECT_EQ((*filter_)->on_request_head(context_, true), Verdict::kContinue);
    EXPECT_EQ((*filter_)->on_response_head(context_, end), Verdict::kContinue);
    return context_.response_.value("content-encoding") == "gzip";
  }
  bool once(std::string_view accept, std::initializer_list<std::pair<const char*, const char*>> headers, int status = 200,
            bool end = false) {
    start(config());
    return answered(accept, headers, status, end);
  }
  Body body(std::string_view text) {
    Body out;
    while (!text.empty()) {
      out.slices.push_back(copy_to_slice(context_.pool, text));
      text.remove_prefix(out.slices.back().size);
    }
    return out;
  }
  static std::string text(const Body& body) {
    std::string out;
    for (const Slice& slice : body.slices) out += slice.view();
    return out;
  }
  int64_t counted(unsigned metric) { return observe::compressor_scope(registry_, "main", "text", "gzip", "response")->sum(metric); }
  int64_t told(unsigned metric) { return observe::compressor_scope(registry_, "main", "text", "gzip", "")->sum(metric); }

  observe::Registry registry_{1};
  FakeContext context_;
  std::unique_ptr<const FilterFactory> factory_;
  std::unique_ptr<MadeFilter> filter_;
};

TEST_F(CompressorTest, CompressesAndFlushesEachPiece) {
  ASSERT_TRUE(once("gzip", {{"content-type", "text/plain; charset=utf-8"}, {"content-length", "300000"}, {"etag", "\"x\""}}));
  EXPECT_EQ(context_.response_.find("content-length"), nullptr);
  EXPECT_EQ(context_.response_.find("etag"), nullptr);
  EXPECT_EQ(context_.response_.value("vary"), "Accept-Encoding");
  std::string plain, all;
  for (int i = 0; i < 3; ++i) {
    std::string piece;
    for (int n = 0; piece.size() < 100'000; ++n) piece += std::to_string(n * 7919 + i) + " ";
    plain += piece;
    Body b = body(piece);
    (*filter_)->on_response_body(context_, b, false);
    all += text(b);
    EXPECT_EQ(unzipped(all), plain) << "what has come so far must be readable";
  }
  Body last;
  (*filter_)->on_response_body(context_, last, true);
  all += text(last);
  EXPECT_EQ(unzipped(all), plain);
  EXPECT_LT(all.size(), plain.size() / 2);
  EXPECT_EQ(counted(CompressorStat::kTotalUncompressedBytes), static_cast<int64_t>(plain.size()));
  EXPECT_EQ(counted(CompressorStat::kTotalCompressedBytes), static_cast<int64_t>(all.size()));
  EXPECT_EQ(counted(CompressorStat::kCompressed), 1);
}

TEST_F(CompressorTest, LeavesAlone) {
  EXPECT_FALSE(once("gzip", {{"content-type", "image/png"}, {"content-length", "1000"}}));
  EXPECT_EQ(context_.response_.find("vary"), nullptr);
  EXPECT_FALSE(once("gzip", {{"content-type", "text/plain"}, {"content-length", "29"}}));
  EXPECT_EQ(counted(CompressorStat::kContentLengthTooSmall), 1);
  EXPECT_FALSE(once("gzip", {{"content-type", "text/plain"}, {"content-encoding", "br"}}));
  EXPECT_FALSE(once("gzip", {{"content-type", "text/plain"}, {"cache-control", "public, No-Transform"}}));
  EXPECT_FALSE(once("gzip", {{"content-type", "text/plain"}}, 304, true));
  EXPECT_EQ(context_.response_.value("vary"), "Accept-Encoding") << "it could have been compressed";
  EXPECT_FALSE(once("", {{"content-type", "text/plain"}}));
  EXPECT_EQ(told(CompressorStat::kNoAcceptHeader), 1);
  EXPECT_EQ(context_.response_.value("vary"), "Accept-Encoding");
  EXPECT_TRUE(once("gzip", {{"content-type", "text/plain"}, {"content-length", "30"}}));
  EXPECT_TRUE(once("gzip", {{"content-length", "30"}})) << "no content type: allowed";
}

TEST_F(CompressorTest, KeepsOtherVaryValues) {
  ASSERT_TRUE(once("gzip", {{"vary", "Origin"}}));
  EXPECT_EQ(context_.response_.value("vary"), "Origin, Accept-Encoding");
  ASSERT_TRUE(once("gzip", {{"vary", "accept-encoding"}}));
  EXPECT_EQ(context_.response_.value("vary"), "accept-encoding");
}

TEST_F(CompressorTest, Etags) {
  ASSERT_TRUE(once("gzip", {{"etag", "W/\"x\""}}));
  EXPECT_EQ(context_.response_.value("etag"), "W/\"x\"");
  Proto proto = config();
  proto.mutable_response_direction_config()->set_weaken_etag_on_compress(true);
  start(proto);
  ASSERT_TRUE(answered("gzip", {{"etag", "\"x\""}}));
  EXPECT_EQ(context_.response_.value("etag"), "W/\"x\"");
  proto = config();
  proto.mutable_response_direction_config()->set_disable_on_etag_header(true);
  start(proto);
  EXPECT_FALSE(answered("gzip", {{"etag", "\"x\""}}));
  EXPECT_EQ(told(CompressorStat::kNotCompressedEtag), 1);
}

TEST_F(CompressorTest, RequestsWhereConfigured) {
  Proto proto = config();
  proto.mutable_request_direction_config();
  start(proto);
  context_.request_.add("content-type", "text/plain");
  context_.request_.add("content-length", "5000");
  (*filter_)->on_request_head(context_, false);
  EXPECT_EQ(context_.request_.value("content-encoding"), "gzip");
  EXPECT_EQ(context_.request_.find("content-length"), nullptr);
  const std::string plain(5000, 'a');
  Body b = body(plain);
  (*filter_)->on_request_body(context_, b, true);
  EXPECT_EQ(unzipped(text(b)), plain);
}

TEST_F(CompressorTest, RequestsAreLeftAloneByDefault) {
  start(config());
  context_.request_.add("content-type", "text/plain");
  (*filter_)->on_request_head(context_, false);
  EXPECT_EQ(context_.request_.find("content-encoding"), nullptr);
  Body b = body("plain");
  (*filter_)->on_request_body(context_, b, true);
  EXPECT_EQ(text(b), "plain");
}

TEST_F(CompressorTest, HidesAcceptEncodingFromTheUpstream) {
  Proto proto = config();
  proto.mutable_response_direction_config()->set_remove_accept_encoding_header(true);
  start(proto);
  ASSERT_TRUE(answered("gzip", {{"content-type", "text/plain"}}));
  EXPECT_EQ(context_.request_.find("accept-encoding"), nullptr);
}

TEST_F(CompressorTest, ARouteMaySwitchItOff) {
  envoy::extensions::filters::http::compressor::v3::CompressorPerRoute route;
  route.set_disabled(true);
  context_.configs["envoy.filters.http.compressor"] = route_config_of(compressor_type(), route);
  EXPECT_FALSE(once("gzip", {{"content-type", "text/plain"}}));
}

using Kind = EncodingChoice::Kind;
Kind kind(std::optional<std::string_view> accept, const CompressionOffers& offers = {{"gzip", {}, false}}) {
  return choose_encoding(accept, offers, {}).kind;
}

TEST(Negotiate, AsEnvoyDoes) {
  EXPECT_EQ(kind({}), Kind::kMissing);
  EXPECT_EQ(kind(""), Kind::kIdentity);
  EXPECT_EQ(kind("gzip"), Kind::kCoding);
  EXPECT_EQ(kind("GZIP;q=0.5, identity;q=0.4"), Kind::kCoding);
  EXPECT_EQ(kind("gzip;q=0.3, identity;q=0.4"), Kind::kIdentity);
  EXPECT_EQ(kind("deflate, br"), Kind::kNotValid);
  EXPECT_EQ(kind("*"), Kind::kWildcard);
  EXPECT_EQ(kind("*;q=0"), Kind::kNotValid);
  EXPECT_EQ(kind("gzip;q=0, *"), Kind::kNotValid);
  EXPECT_EQ(kind("identity"), Kind::kIdentity);
  EXPECT_EQ(kind("gzip;q=wrong"), Kind::kNotValid);
}

TEST(Negotiate, AmongSeveralCompressors) {
  CompressionOffers offers{{"gzip", {"text/plain"}, false}, {"br", {}, false}, {"zstd", {}, false}};
  auto coding = [&](std::string_view accept, std::optional<std::string_view> type = {}) {
    return choose_encoding(accept, offers, type).coding;
  };
  EXPECT_EQ(coding("gzip, br, zstd"), "gzip");
  EXPECT_EQ(coding("gzip;q=0.5, br, zstd;q=0.9"), "br");
  EXPECT_EQ(coding("zstd, br"), "zstd");
  EXPECT_EQ(coding("gzip, br;q=0.1", "text/html; charset=x"), "br") << "gzip does not do that type";
  EXPECT_EQ(coding("*"), "gzip");
  EXPECT_EQ(coding("gzip;q=0, *"), "br");
  offers[2].first = true;
  EXPECT_EQ(coding("gzip, br, zstd"), "zstd");
  EXPECT_EQ(coding("gzip, br, zstd;q=0.5"), "gzip");
}

// --- the other libraries ---

Body body_of(std::string_view text, SlabPool& pool) {
  Body out;
  while (!text.empty()) {
    out.slices.push_back(copy_to_slice(pool, text));
    text.remove_prefix(out.slices.back().size);
  }
  return out;
}
std::string text_of(const Body& body) {
  std::string out;
  for (const Slice& slice : body.slices) out += slice.view();
  return out;
}

struct Library {
  const char* name;
  std::unique_ptr<CompressionStream> (*pack)();
  std::unique_ptr<DecompressionStream> (*unpack)();
};
const Library kLibraries[] = {
    {"gzip", [] { return compress_gzip({}); }, [] { return decompress_gzip(15, kMaxInflateRatio); }},
    {"brotli", [] { return compress_brotli({}); }, [] { return decompress_brotli(true); }},
    {"zstd", [] { return compress_zstd({}); }, [] { return decompress_zstd(); }},
};

TEST(CompressionStreams, EachPieceComesBackAsSoonAsItIsThere) {
  SlabPool pool;
  for (const Library& library : kLibraries) {
    auto pack = library.pack();
    auto unpack = library.unpack();
    std::string plain, back;
    for (int i = 0; i < 4; ++i) {
      std::string piece;
      for (int n = 0; piece.size() < 90'000; ++n) piece += std::to_string(n * 7919 + i) + " ";
      plain += piece;
      Body body = body_of(piece, pool);
      pack->compress(body, i == 3, pool);
      EXPECT_LT(body.size(), piece.size()) << library.name;
      EXPECT_EQ(unpack->decompress(body, i == 3, pool), Unpacked::kGood) << library.name;
      back += text_of(body);
      EXPECT_EQ(back, plain) << library.name;
    }
  }
}

TEST(CompressionStreams, ByteByByte) {
  SlabPool pool;
  for (const Library& library : kLibraries) {
    Body packed = body_of("hello hello hello", pool);
    library.pack()->compress(packed, true, pool);
    const std::string bytes = text_of(packed);
    auto unpack = library.unpack();
    std::string back;
    for (size_t i = 0; i < bytes.size(); ++i) {
      Body one = body_of(bytes.substr(i, 1), pool);
      EXPECT_EQ(unpack->decompress(one, i + 1 == bytes.size(), pool), Unpacked::kGood) << library.name << i;
      back += text_of(one);
    }
    EXPECT_EQ(back, "hello hello hello") << library.name;
  }
}

// A dictionary made of messages that have much in common.
std::string dictionary_of(const std::string& common) {
  std::string samples;
  std::vector<size_t> sizes;
  for (int i = 0; i < 2000; ++i) {
    const std::string one = "{\"" + common + "\":" + std::to_string(i * 7919) + ",\"kind\":\"" + common + std::to_string(i % 17) + "\"}";
    samples += one;
    sizes.push_back(one.size());
  }
  std::string out(4096, '\0');
  out.resize(ZDICT_trainFromBuffer(out.data(), out.size(), samples.data(), sizes.data(), static_cast<unsigned>(sizes.size())));
  return out;
}

TEST(CompressionStreams, ZstdDictionaries) {
  SlabPool pool;
  const std::string first = dictionary_of("orders-of-the-shop"), second = dictionary_of("customers-of-the-shop");
  const std::string plain = "{\"customers-of-the-shop\":123,\"kind\":\"customers-of-the-shop4\"}";
  ZstdOptions with, without;
  with.dictionary = zstd_dictionaries({second}, with.level);
  ASSERT_TRUE(with.dictionary);
  auto packed = [&](const ZstdOptions& options) {
    Body body = body_of(plain, pool);
    compress_zstd(options)->compress(body, true, pool);
    return text_of(body);
  };
  const std::string small = packed(with), plainly = packed(without);
  EXPECT_LT(small.size(), plainly.size());
  const auto both = zstd_dictionaries({first, second}, std::nullopt);
  for (const std::string& bytes : {small, plainly}) {
    for (const size_t piece : {size_t{1}, size_t{5}, bytes.size()}) {  // the frame's head in pieces, too
      auto unpack = decompress_zstd(both);
      std::string back;
      for (size_t at = 0; at < bytes.size(); at += piece) {
        Body one = body_of(bytes.substr(at, piece), pool);
        EXPECT_EQ(unpack->decompress(one, at + piece >= bytes.size(), pool), Unpacked::kGood);
        back += text_of(one);
      }
      EXPECT_EQ(back, plain);
    }
  }
  for (const auto& known : {zstd_dictionaries({first}, std::nullopt), std::shared_ptr<const ZstdDictionaries>()}) {
    Body body = body_of(small, pool);
    EXPECT_EQ(decompress_zstd(known)->decompress(body, true, pool), Unpacked::kBroken);
  }
  EXPECT_FALSE(zstd_dictionaries({"just some text"}, std::nullopt));
  EXPECT_FALSE(zstd_dictionaries({"just some text"}, 3));
}

TEST(CompressionStreams, WhatIsBrokenCutOrABombIsTold) {
  SlabPool pool;
  for (const Library& library : kLibraries) {
    Body garbage = body_of("\xff\xff this is no compressed body at all", pool);
    EXPECT_NE(library.unpack()->decompress(garbage, true, pool), Unpacked::kGood) << library.name;

    Body packed = body_of("hello hello hello", pool);
    library.pack()->compress(packed, true, pool);
    Body cut = body_of(text_of(packed).substr(0, packed.size() - 3), pool);
    EXPECT_EQ(library.unpack()->decompress(cut, true, pool), Unpacked::kCut) << library.name;

    Body bomb = body_of(std::string(4 << 20, '0'), pool);
    library.pack()->compress(bomb, true, pool);
    ASSERT_LT(bomb.size(), 40'000u) << library.name;
    EXPECT_EQ(library.unpack()->decompress(bomb, true, pool), Unpacked::kExcessive) << library.name;
    EXPECT_LT(bomb.size(), 3u << 20) << library.name << " stops at the bound";

    Body nothing;
    EXPECT_EQ(library.unpack()->decompress(nothing, true, pool), Unpacked::kGood) << library.name << ": an empty body is none";
  }
}

TEST(CompressionStreams, GzipMembersMayFollowEachOther) {
  SlabPool pool;
  Body one = body_of("one ", pool), two = body_of("two", pool);
  compress_gzip({})->compress(one, true, pool);
  compress_gzip({})->compress(two, true, pool);
  Body both = body_of(text_of(one) + text_of(two), pool);
  EXPECT_EQ(decompress_gzip(15, 100)->decompress(both, true, pool), Unpacked::kGood);
  EXPECT_EQ(text_of(both), "one two");
}

}  // namespace
}  // namespace weft::filters
