#include "proxy/config/filter_chain_index.h"

#include <gtest/gtest.h>

namespace weft::config {
namespace {

using Source = FilterChainMatch::Source;

net::Endpoint at(const char* address, uint16_t port) { return {boost::asio::ip::make_address(address), port}; }
routing::AddressRange range(const char* address, uint8_t bits) { return {boost::asio::ip::make_address(address), bits}; }

net::ConnectionFacts connection(net::Endpoint local = at("10.0.0.1", 80), net::Endpoint remote = at("10.9.9.9", 4000)) {
  net::ConnectionFacts facts;
  facts.local = facts.direct_local = std::move(local);
  facts.remote = facts.direct_remote = std::move(remote);
  return facts;
}
net::ConnectionFacts with_name(std::string name) {
  net::ConnectionFacts facts = connection();
  facts.server_name = std::move(name);
  facts.transport_protocol = "tls";
  return facts;
}

class FilterChainIndexTest : public ::testing::Test {
 protected:
  // The numbers of chains are those of the calls.
  void add(const FilterChainMatch& match) {
    ASSERT_FALSE(index_.add(match, next_)) << next_;
    ++next_;
  }
  int find(const net::ConnectionFacts& facts) const {
    const auto found = index_.find(facts);
    return found ? static_cast<int>(*found) : -1;
  }
  FilterChainIndex index_;
  uint32_t next_ = 0;
};

TEST_F(FilterChainIndexTest, NothingMatchesWithoutChains) { EXPECT_EQ(find(connection()), -1); }

TEST_F(FilterChainIndexTest, ThePortComesFirstAndThereIsNoWayBack) {
  add({});
  FilterChainMatch port;
  port.destination_port = 80;
  port.server_names = {"a.example"};
  add(port);
  EXPECT_EQ(find(connection(at("10.0.0.1", 81))), 0);
  EXPECT_EQ(find(connection()), -1);  // a chain asks for port 80, and for more
  EXPECT_EQ(find(with_name("a.example")), 1);
}

TEST_F(FilterChainIndexTest, TheLongestPrefixOfTheDestination) {
  FilterChainMatch match;
  match.prefixes = {range("10.0.0.0", 8), range("fd00::", 8)};
  add(match);
  match.prefixes = {range("10.1.0.0", 16)};
  add(match);
  match.prefixes = {range("10.1.2.3", 32)};
  add(match);
  EXPECT_EQ(find(connection(at("10.1.2.3", 1))), 2);
  EXPECT_EQ(find(connection(at("10.1.2.4", 1))), 1);
  EXPECT_EQ(find(connection(at("10.2.2.4", 1))), 0);
  EXPECT_EQ(find(connection(at("11.2.2.4", 1))), -1);
  EXPECT_EQ(find(connection(at("fd12::1", 1))), 0);
  EXPECT_EQ(find(connection(at("fe80::1", 1))), -1);
  add({});
  EXPECT_EQ(find(connection(at("11.2.2.4", 1))), 3);
  EXPECT_EQ(find(connection(at("fe80::1", 1))), 3);
}

TEST_F(FilterChainIndexTest, PrefixesOfOddLengths) {
  FilterChainMatch match;
  match.prefixes = {range("10.0.0.255", 13)};  // bits beyond the length do not count
  add(match);
  match.prefixes = {range("2001:db8::", 33)};
  add(match);
  EXPECT_EQ(find(connection(at("10.7.255.255", 1))), 0);
  EXPECT_EQ(find(connection(at("10.8.0.0", 1))), -1);
  EXPECT_EQ(find(connection(at("2001:db8:7fff::1", 1))), 1);
  EXPECT_EQ(find(connection(at("2001:db8:8000::1", 1))), -1);
}

TEST_F(FilterChainIndexTest, NamesExactThenTheNarrowestWildcardThenAny) {
  FilterChainMatch match;
  for (const char* name : {"a.b.example", ".b.example", ".example"}) {
    match.server_names = {name};
    add(match);
  }
  EXPECT_EQ(find(with_name("a.b.example")), 0);
  EXPECT_EQ(find(with_name("c.b.example")), 1);
  EXPECT_EQ(find(with_name("d.c.b.example")), 1);
  EXPECT_EQ(find(with_name("b.example")), 2);
  EXPECT_EQ(find(with_name("example")), -1);
  EXPECT_EQ(find(with_name("")), -1);
  add({});
  EXPECT_EQ(find(with_name("example")), 3);
  EXPECT_EQ(find(with_name(".example")), 2);  // as it stands
}

TEST_F(FilterChainIndexTest, WhatNobodyLookedAtIsPlain) {
  FilterChainMatch match;
  match.transport_protocol = "raw_buffer";
  add(match);
  match.transport_protocol = "tls";
  add(match);
  EXPECT_EQ(find(connection()), 0);
  EXPECT_EQ(find(with_name("")), 1);
}

TEST_F(FilterChainIndexTest, TheClientsOrderOfProtocols) {
  FilterChainMatch match;
  match.application_protocols = {"h2", "h2c"};
  add(match);
  match.application_protocols = {"http/1.1"};
  add(match);
  net::ConnectionFacts facts = connection();
  EXPECT_EQ(find(facts), -1);
  facts.protocols = {"spdy", "http/1.1", "h2"};
  EXPECT_EQ(find(facts), 1);
  facts.protocols = {"h2", "http/1.1"};
  EXPECT_EQ(find(facts), 0);
  facts.protocols = {"spdy"};
  EXPECT_EQ(find(facts), -1);
}

TEST_F(FilterChainIndexTest, SourcesByPeerKindAddressAndPort) {
  FilterChainMatch match;
  match.source = Source::kSameIpOrLoopback;
  add(match);
  match.source = Source::kExternal;
  match.source_prefixes = {range("10.9.0.0", 16)};
  add(match);
  match.source_ports = {4000, 4001};
  match.source_prefixes = {range("10.9.9.0", 24)};
  add(match);
  EXPECT_EQ(find(connection(at("10.0.0.1", 80), at("127.0.0.1", 1))), 0);
  EXPECT_EQ(find(connection(at("10.0.0.1", 80), at("10.0.0.1", 1))), 0);
  EXPECT_EQ(find(connection(at("10.0.0.1", 80), at("127.0.0.2", 1))), -1);  // external, and of no range
  EXPECT_EQ(find(connection(at("10.0.0.1", 80), at("10.9.1.1", 1))), 1);
  EXPECT_EQ(find(connection()), 2);
  EXPECT_EQ(find(connection(at("10.0.0.1", 80), at("10.9.9.9", 5))), -1);
}

TEST_F(FilterChainIndexTest, ThePeerOfTheSocketIsNotTheSource) {
  FilterChainMatch match;
  match.direct_source_prefixes = {range("192.168.0.0", 16)};
  add(match);
  net::ConnectionFacts facts = connection();
  EXPECT_EQ(find(facts), -1);
  facts.direct_remote = at("192.168.1.1", 9);
  EXPECT_EQ(find(facts), 0);
}

TEST_F(FilterChainIndexTest, OverlapsAreFound) {
  FilterChainMatch one, two;
  one.server_names = {"a", "b"};
  two.server_names = {"c", "b"};
  EXPECT_FALSE(index_.add(one, 0));
  EXPECT_EQ(index_.add(two, 1), 0u);
  FilterChainMatch itself;
  itself.prefixes = {range("10.0.0.1", 8), range("10.0.0.2", 8)};
  EXPECT_EQ(index_.add(itself, 2), 2u);
}

// Each finds its own among as many as a large mesh has.
TEST_F(FilterChainIndexTest, ThousandsOfChains) {
  for (uint32_t i = 0; i < 2000; ++i) {
    FilterChainMatch match;
    match.destination_port = static_cast<uint16_t>(1 + i % 4);
    match.prefixes = {range(("10.0." + std::to_string(i / 4 / 250) + "." + std::to_string(i / 4 % 250)).c_str(), 32)};
    match.server_names = {"s" + std::to_string(i) + ".example"};
    ASSERT_FALSE(index_.add(match, i));
  }
  for (uint32_t i = 0; i < 2000; ++i) {
    net::ConnectionFacts facts = connection(
        at(("10.0." + std::to_string(i / 4 / 250) + "." + std::to_string(i / 4 % 250)).c_str(), static_cast<uint16_t>(1 + i % 4)));
    facts.server_name = "s" + std::to_string(i) + ".example";
    ASSERT_EQ(find(facts), static_cast<int>(i));
    facts.server_name = "other.example";
    ASSERT_EQ(find(facts), -1);
  }
}

}  // namespace
}  // namespace weft::config
