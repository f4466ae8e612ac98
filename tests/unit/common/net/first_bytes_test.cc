// What the first bytes of a connection say: real messages, the same cut at every byte, and lies.
#include "common/net/first_bytes/client_hello.h"
#include "common/net/first_bytes/digest.h"
#include "common/net/first_bytes/http_sniffer.h"
#include "common/net/first_bytes/proxy_header.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

namespace weft::net {
namespace {

using namespace std::literals;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string number16(size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
std::string counted16(const std::string& bytes) { return number16(bytes.size()) + bytes; }
std::string extension(size_t type, const std::string& content) { return number16(type) + counted16(content); }
std::string handshake(const std::string& body) {
  return "\x01"s + static_cast<char>(body.size() >> 16) + number16(body.size() & 0xffff) + body;
}
std::string record(const std::string& content) { return "\x16\x03\x01" + counted16(content); }
std::string message_with(const std::string& extensions) {
  return handshake("\x03\x03"s + std::string(32, 'r') + "\0"s + counted16("\x13\x01") + "\x01\0"s + counted16(extensions));
}
std::string named(const std::string& name) { return extension(0, counted16("\0"s + counted16(name))); }

Verdict read(std::string_view bytes, ClientHello* into = nullptr) {
  ClientHello hello;
  return read_client_hello(bytes, into ? *into : hello);
}

TEST(Digest, KnownVectors) {
  EXPECT_EQ(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5_hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000, 'a')), "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

// What Envoy prints for the same bytes; but of made up values it counts the groups in JA3, which JA3 leaves out.
struct Known {
  const char* what;
  std::string bytes;
  std::string name, ja3, ja4;
  std::vector<std::string> alpn;
};
std::vector<Known> known_hellos() {
  return {
      {"curves, no name in the way",
       from_hex("16030100b2010000ae0303e7d49eebdd02f2773afd8cfbac3ed068a15f5fa84cd32903de502fa4d266be6500001ec02cc030c02bc02fcca9cca8c024c0"
                "28c023c027009f009e006b006700ff01000067000000080006000003612e62000b000403000102000a000c000a001d0017001e001900180023000000"
                "100005000302782d0016000000170000000d002a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020"
                "602"),
       "a.b",
       "104774240db569f8f87b1a28206b25e5",
       "t12d15087d_d68b136fe8d9_e7e480e5a997",
       {"x-"}},
      {"made up values",
       from_hex("16030100af010000ab0303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00000c1a1a130113021303c02bc02f010000"
                "764a4a00000000000d000b00000845782e414d504c45000a000800065a5a001d0017000b00020100001000050003026832000d000800060403080404"
                "01002b0007066a6a03040303003300260024001d0020000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f8a8a000100"),
       "ex.ample",
       "9201c86601ece3f534c4968372c2ed88",
       "t13d0507h2_e133e205ac38_5e6a61e7dae5",
       {"h2"}},
  };
}

TEST(ClientHello, FingerprintsAreThoseOfEnvoy) {
  for (const Known& known : known_hellos()) {
    ClientHello hello;
    EXPECT_EQ(read_client_hello(known.bytes, hello), Verdict::kFound) << known.what;
    EXPECT_EQ(hello.server_name, known.name);
    EXPECT_EQ(hello.alpn, known.alpn);
    EXPECT_EQ(hello.ja3, known.ja3) << known.what;
    EXPECT_EQ(hello.ja4, known.ja4) << known.what;
    ClientHello plain;
    EXPECT_EQ(read_client_hello(known.bytes, plain, {.ja3 = false, .ja4 = false}), Verdict::kFound);
    EXPECT_EQ(plain.ja3 + plain.ja4, "");
  }
}

TEST(ClientHello, CutAtEveryByte) {
  for (const Known& known : known_hellos()) {
    for (size_t cut = 0; cut < known.bytes.size(); ++cut)
      EXPECT_EQ(read(std::string_view(known.bytes).substr(0, cut)), Verdict::kNeedMore) << cut;
    EXPECT_EQ(read(known.bytes + "what follows"), Verdict::kFound);
  }
}

// A handshake message may begin in one record and end in another.
TEST(ClientHello, InRecordsOfAnySize) {
  const Known known = known_hellos()[1];
  const std::string message = known.bytes.substr(5);
  for (size_t size = 1; size <= message.size(); ++size) {
    std::string bytes;
    for (size_t at = 0; at < message.size(); at += size) bytes += record(message.substr(at, size));
    ClientHello hello;
    EXPECT_EQ(read(std::string_view(bytes).substr(0, bytes.size() - 1)), Verdict::kNeedMore) << size;
    EXPECT_EQ(read_client_hello(bytes, hello), Verdict::kFound) << size;
    EXPECT_EQ(hello.ja4, known.ja4);
  }
}

TEST(ClientHello, OfALibrary) {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(context.get()), SSL_free);
  const unsigned char alpn[] = "\x02h2\x08http/1.1";
  SSL_set_alpn_protos(client.get(), alpn, sizeof alpn - 1);
  SSL_set_tlsext_host_name(client.get(), "Orders.Shop.Example");
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_connect(client.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(client.get()), &data);
  ASSERT_GT(size, 0);
  ClientHello hello;
  EXPECT_EQ(read_client_hello({data, static_cast<size_t>(size)}, hello), Verdict::kFound);
  EXPECT_EQ(hello.server_name, "orders.shop.example");
  EXPECT_EQ(hello.alpn, (std::vector<std::string>{"h2", "http/1.1"}));
  EXPECT_EQ(hello.ja3.size(), 32u);
  EXPECT_EQ(hello.ja4.substr(0, 4), "t13d");
}

TEST(ClientHello, IsNot) {
  for (const std::string& bytes : {"GET / HTTP/1.1\r\n\r\n"s, "\x15\x03\x01\0\x02\x01\0"s, "\x16\x02\x01"s, "\0"s, "\x80\x2e\x01\x03\x01"s,
                                   record("\x02\0\0\0"s), record(std::string(50, '\x0b'))})
    EXPECT_EQ(read(bytes), Verdict::kNotIt);
  EXPECT_EQ(read(""), Verdict::kNeedMore);
}

TEST(ClientHello, WithoutExtensionsNamesNobody) {
  ClientHello hello{"before", {}, "", ""};
  EXPECT_EQ(read(record(handshake("\x03\x01"s + std::string(32, 'r') + "\0"s + counted16("\0\x2f"s) + "\x01\0"s)), &hello),
            Verdict::kFound);
  EXPECT_EQ(hello.server_name, "");
  EXPECT_EQ(hello.ja4, "t10i010000_" + sha256_hex("002f").substr(0, 12) + "_000000000000");
}

TEST(ClientHello, Lies) {
  const std::string good = message_with(named("a.b"));
  ASSERT_EQ(read(record(good)), Verdict::kFound);
  const std::vector<std::pair<const char*, std::string>> lies = {
      {"an empty record", "\x16\x03\x01\0\0"s},
      {"a record longer than any", "\x16\x03\x01\x40\x01"s},
      {"a message longer than we read", record("\x01\x01\0\0"s)},
      {"no ClientHello in the second record", record(good.substr(0, 10)) + "\x17\x03\x01\0\x01x"s},
      {"two names", record(message_with(named("a.b") + named("c.d")))},
      {"two names in one list", record(message_with(extension(0, counted16("\0\0\x01"s + "a" + "\0\0\x01"s + "b"))))},
      {"no name in the list", record(message_with(extension(0, counted16(""))))},
      {"an empty name", record(message_with(named("")))},
      {"a name with an end in it", record(message_with(named("good.example\0.evil"s)))},
      {"a name longer than any", record(message_with(named(std::string(256, 'a'))))},
      {"a name longer than its list", record(message_with(extension(0, counted16("\0\0\x09"s + "abc"))))},
      {"a list shorter than the extension", record(message_with(extension(0, counted16("\0\0\x01"s + "a") + "x")))},
      {"an extension longer than all of them", record(message_with(number16(0) + number16(99) + "x"))},
      {"half an extension", record(message_with("\0"s))},
      {"an empty protocol", record(message_with(extension(16, counted16("\0"s))))},
      {"no protocols", record(message_with(extension(16, counted16(""))))},
      {"a protocol longer than the list", record(message_with(extension(16, counted16("\x05h2"))))},
      {"a session id longer than any",
       record(handshake("\x03\x03"s + std::string(32, 'r') + "\x21"s + std::string(33, 's') + counted16("\x13\x01") + "\x01\0"s))},
      {"half a cipher suite", record(handshake("\x03\x03"s + std::string(32, 'r') + "\0"s + counted16("\x13\x01\x13") + "\x01\0"s))},
      {"no cipher suite", record(handshake("\x03\x03"s + std::string(32, 'r') + "\0"s + counted16("") + "\x01\0"s))},
      {"no compression", record(handshake("\x03\x03"s + std::string(32, 'r') + "\0"s + counted16("\x13\x01") + "\0"s))},
      {"bytes after the extensions", record(handshake(good.substr(4) + "x"))},
      {"a short message", record(handshake("\x03\x03"))},
  };
  for (const auto& [what, bytes] : lies) {
    ClientHello hello{"untouched", {}, "", ""};
    EXPECT_EQ(read(bytes, &hello), Verdict::kMalformed) << what;
    EXPECT_EQ(hello.server_name, "untouched") << what;
  }
}

TEST(ClientHello, ThatNeverEnds) {
  // As many bytes of one message as we read, in records of one byte each: still no verdict beyond "more", and a caller gives up.
  std::string bytes = record("\x01"s) + record("\0"s) + record("\x3f"s) + record("\xfc"s);
  while (bytes.size() < kMaxClientHello) bytes += record("x");
  EXPECT_EQ(read(bytes), Verdict::kNeedMore);
}

// --- HTTP ---

TEST(HttpSniffer, AsEnvoySeesIt) {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::vector<std::pair<std::string, std::string>> seen = {
      {"GET / HTTP/1.1\r\n", "http/1.1"},
      {"GET / HTTP/1.1\n", "http/1.1"},
      {"GET / HTTP/1.1\r\n: bad", "http/1.1"},
      {"GET / HTTP/1.0\r\n", "http/1.0"},
      {"GET /\r\n", "http/1.0"},
      {"FOO / HTTP/1.1\n", "http/1.1"},
      {"get / HTTP/1.1\n", "http/1.1"},
      {"PROPFIND / HTTP/1.1\r\n", "http/1.1"},
      {"GET  / HTTP/1.1 \n", "http/1.1"},
      {"CONNECT a:1 HTTP/1.1\n", "http/1.1"},
      {"OPTIONS * HTTP/1.1\n", "http/1.1"},
      {"GET http://a/ HTTP/1.1\n", "http/1.1"},
      {"GET / HTTP/2.0\r\n", "http/1.0"},
      {"GET / HTTP/9.9\n", "http/1.0"},
      {preface, "h2c"},
      {preface + "more", "h2c"},
      {"PRI * HTTP/2.0\r\n\r\nXX", "http/1.0"},
      {"GET\r\n", "no"},
      {"\r\n", "no"},
      {"\r\nGET / HTTP/1.1\r\n", "no"},
      {"\x16\x03", "no"},
      {"GET / x HTTP/1.1\n", "no"},
      {"GET / http/1.1\n", "no"},
      {"GET / JUNK\r\n", "no"},
      {"GET / HTTP/1.10\n", "no"},
      {"GET \x01 HTTP/1.1\n", "no"},
      {"GET a HTTP/1.1\n", "no"},
      {"PING\r\n", "no"},
      {"USER x\r\n", "no"},
      {"GET / HTTP/1.1", "more"},
      {"GET / HTTP/1.1\r", "more"},
      {"G", "more"},
      {"PRI", "more"},
      {preface.substr(0, 20), "more"},
      {"", "more"},
      {std::string(100, 'G'), "no"},
      {"GET /" + std::string(kMaxSniffedLine, 'x'), "no"},
      {"GET /" + std::string(kMaxSniffedLine - 100, 'x'), "more"},
  };
  for (const auto& [bytes, expected] : seen) {
    std::string protocol = "?";
    const Verdict verdict = sniff_http(bytes, protocol);
    EXPECT_EQ(verdict == Verdict::kFound      ? protocol
              : verdict == Verdict::kNotIt    ? "no"
              : verdict == Verdict::kNeedMore ? "more"
                                              : "malformed",
              expected)
        << bytes.substr(0, 40);
  }
}

// --- the PROXY protocol ---

ProxyHeader header_of(int version, const char* source, const char* destination) {
  ProxyHeader header;
  header.version = version;
  header.source = {asio::ip::make_address(source), 1025};
  header.destination = {asio::ip::make_address(destination), 65535};
  return header;
}

TEST(ProxyHeader, WrittenAndReadBack) {
  for (const int version : {1, 2}) {
    for (const auto& [source, destination] : {std::pair{"192.0.2.1", "198.51.100.2"}, std::pair{"2001:db8::1", "::1"}}) {
      ProxyHeader header = header_of(version, source, destination);
      if (version == 2) header.tlvs = {{0x02, "a.example"}, {0xe0, ""}, {0xe0, std::string(300, 't')}};
      const std::string bytes = write_proxy_header(header);
      ProxyHeader read;
      EXPECT_EQ(read_proxy_header(bytes + "GET", read), Verdict::kFound);
      EXPECT_EQ(read.length, bytes.size());
      EXPECT_EQ(read.version, version);
      EXPECT_FALSE(read.local);
      EXPECT_EQ(read.source, header.source);
      EXPECT_EQ(read.destination, header.destination);
      EXPECT_EQ(read.tlvs, header.tlvs);
      for (size_t cut = 0; cut < bytes.size(); ++cut)
        EXPECT_EQ(read_proxy_header(std::string_view(bytes).substr(0, cut), read), Verdict::kNeedMore) << cut;
    }
  }
}

TEST(ProxyHeader, AsTheProtocolSpellsIt) {
  EXPECT_EQ(write_proxy_header(header_of(1, "192.0.2.1", "198.51.100.2")), "PROXY TCP4 192.0.2.1 198.51.100.2 1025 65535\r\n");
  EXPECT_EQ(write_proxy_header(header_of(1, "192.0.2.1", "::1")), "PROXY TCP6 ::ffff:192.0.2.1 ::1 1025 65535\r\n");
  EXPECT_EQ(write_proxy_header(header_of(2, "192.0.2.1", "198.51.100.2")),
            "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x04\x01\xff\xff"s);
  ProxyHeader local;
  local.local = true;
  EXPECT_EQ(write_proxy_header(local), "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s);
  local.version = 1;
  EXPECT_EQ(write_proxy_header(local), "PROXY UNKNOWN\r\n");
  ProxyHeader long_one = header_of(2, "192.0.2.1", "198.51.100.2");
  long_one.tlvs = {{1, std::string(65'600, 'x')}};
  EXPECT_EQ(write_proxy_header(long_one), "");
  long_one.tlvs = {{1, std::string(40'000, 'x')}, {2, std::string(40'000, 'x')}};
  EXPECT_EQ(write_proxy_header(long_one), "");
}

TEST(ProxyHeader, OfAProxyForItself) {
  for (const std::string& bytes : {"PROXY UNKNOWN\r\n"s, "PROXY UNKNOWN anything at all\r\n"s, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s,
                                   "\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x03xyz"s}) {
    ProxyHeader header;
    EXPECT_EQ(read_proxy_header(bytes, header), Verdict::kFound);
    EXPECT_TRUE(header.local);
    EXPECT_EQ(header.length, bytes.size());
  }
}

TEST(ProxyHeader, OfDatagramsAsEnvoyTakesIt) {
  ProxyHeader header;
  EXPECT_EQ(read_proxy_header("\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x04\x01\xff\xff"s, header),
            Verdict::kFound);
  EXPECT_EQ(to_string(header.source), "192.0.2.1:1025");
}

TEST(ProxyHeader, IsNot) {
  ProxyHeader header;
  for (const std::string& bytes : {"GET / HTTP/1.1\r\n"s, "PROXI"s, "\r\n\r\n\0\r\nQUIT!"s, "\n"s, "proxy "s, "P "s})
    EXPECT_EQ(read_proxy_header(bytes, header), Verdict::kNotIt) << bytes;
  EXPECT_EQ(read_proxy_header("", header), Verdict::kNeedMore);
}

TEST(ProxyHeader, Lies) {
  const std::string start = "\r\n\r\n\0\r\nQUIT\n"s, addresses = std::string(12, 'a');
  const std::vector<std::string> lies = {
      "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 2x\r\n",
      "PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
      "PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
      "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
      "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
      "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
      "PROXY \r\n",
      "PROXY " + std::string(200, 'x'),
      start + "\x11",                                       // version 1 in binary
      start + "\x22\x11\0\x0c"s + addresses,                // no such command
      start + "\x21\x00\0\x00"s,                            // no family
      start + "\x21\x13\0\x0c"s + addresses,                // no such transport
      start + "\x21\x11\0\x0c"s + std::string(12, '\0'),    // nobody's address
      start + "\x21\x11\0\x0c"s + std::string(12, '\xff'),  // everybody's
      "PROXY TCP4 0.0.0.0 5.6.7.8 1 2\r\n",
      "PROXY TCP4 1.2.3.4 224.0.0.1 1 2\r\n",
      "PROXY TCP6 ::1 ff02::1 1 2\r\n",
      start + "\x21\x31\0\xd8"s,                               // Unix sockets
      start + "\x21\x11\0\x0b"s,                               // shorter than its addresses
      start + "\x21\x21\0\x0c"s + addresses,                   // likewise
      start + "\x21\x11\0\x0e"s + addresses + "\x01\0"s,       // half a TLV
      start + "\x21\x11\0\x10"s + addresses + "\x01\0\x02x"s,  // longer than the header
  };
  for (const std::string& bytes : lies) {
    ProxyHeader header;
    EXPECT_EQ(read_proxy_header(bytes, header), Verdict::kMalformed) << bytes;
    EXPECT_EQ(header.length, 0u);
  }
}

TEST(ProxyHeader, ALineHasAnEnd) {
  ProxyHeader header;
  const std::string endless = "PROXY TCP4 " + std::string(1 << 20, '1');
  EXPECT_EQ(read_proxy_header(std::string_view(endless).substr(0, kMaxProxyLine - 1), header), Verdict::kNeedMore);
  EXPECT_EQ(read_proxy_header(endless, header), Verdict::kMalformed);
}

}  // namespace
}  // namespace weft::net
