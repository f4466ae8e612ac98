#include "proxy/config/filter_chain_index.h"

#include <algorithm>
#include <array>
#include <compare>
#include <string_view>
#include <utility>

namespace weft::config {
namespace {

using Address = boost::asio::ip::address;
using Source = FilterChainMatch::Source;

// A few entries in most listeners, thousands in some: one block of memory, sorted.
template <class Key, class Value>
class Table {
 public:
  template <class Like>
  const Value* find(const Like& key) const {
    const auto at =
        std::lower_bound(entries_.begin(), entries_.end(), key, [](const auto& entry, const Like& k) { return entry.first < k; });
    return at != entries_.end() && at->first == key ? &at->second : nullptr;
  }
  Value& operator[](const Key& key) {
    const auto at =
        std::lower_bound(entries_.begin(), entries_.end(), key, [](const auto& entry, const Key& k) { return entry.first < k; });
    if (at != entries_.end() && at->first == key) return at->second;
    return entries_.emplace(at, key, Value())->second;
  }
  const std::vector<std::pair<Key, Value>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<Key, Value>> entries_;
};

// Sorted so that of one family the longest come first.
struct Prefix {
  bool v6 = false;
  uint8_t spared_bits = 0;  // those that do not count
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const Prefix&) const = default;
};

Prefix masked(const Address& address, unsigned bits) {
  Prefix prefix;
  prefix.v6 = address.is_v6();
  prefix.spared_bits = static_cast<uint8_t>((prefix.v6 ? 128 : 32) - bits);
  if (prefix.v6) {
    prefix.bytes = address.to_v6().to_bytes();
  } else {
    const auto four = address.to_v4().to_bytes();
    std::copy(four.begin(), four.end(), prefix.bytes.begin());
  }
  for (size_t i = 0; i < prefix.bytes.size(); ++i) {
    if (bits >= 8 * (i + 1)) continue;
    const unsigned kept = bits > 8 * i ? bits - 8 * static_cast<unsigned>(i) : 0;
    prefix.bytes[i] = static_cast<uint8_t>(prefix.bytes[i] & (0xff00U >> kept));
  }
  return prefix;
}

// The longest prefix that holds an address, by one search for each length in use.
template <class Value>
class Prefixes {
 public:
  const Value* find(const Address& address) const {
    const auto& entries = prefixes_.entries();
    const bool v6 = address.is_v6();
    const auto before = [](const auto& entry, const Prefix& key) { return entry.first < key; };
    auto at = std::lower_bound(entries.begin(), entries.end(), Prefix{v6, 0, {}}, before);
    while (at != entries.end() && at->first.v6 == v6) {
      const uint8_t spared = at->first.spared_bits;
      const Prefix wanted = masked(address, (v6 ? 128U : 32U) - spared);
      const auto found = std::lower_bound(at, entries.end(), wanted, before);
      if (found != entries.end() && found->first == wanted) return &found->second;
      at = std::lower_bound(found, entries.end(), Prefix{v6, static_cast<uint8_t>(spared + 1), {}}, before);
    }
    return any_.get();
  }
  // Null: of all addresses.
  Value& operator[](const routing::AddressRange* range) {
    if (range) return prefixes_[masked(range->prefix, range->bits)];
    if (!any_) any_ = std::make_unique<Value>();
    return *any_;
  }

 private:
  Table<Prefix, Value> prefixes_;
  std::unique_ptr<Value> any_;
};

using SourcePorts = Table<uint16_t, uint32_t>;
using Sources = Prefixes<SourcePorts>;
using SourceKinds = std::array<std::unique_ptr<Sources>, 3>;
using Peers = Prefixes<SourceKinds>;
using Protocols = Table<std::string, Peers>;
using Transports = Table<std::string, Protocols>;
using ServerNames = Table<std::string, Transports>;
using Destinations = Prefixes<ServerNames>;

// As Envoy: of the addresses of 127.0.0.0/8 only the first.
bool is_local(const net::ConnectionFacts& facts) {
  const Address remote = facts.remote.address();
  return remote == Address(boost::asio::ip::address_v4::loopback()) || remote == Address(boost::asio::ip::address_v6::loopback()) ||
         remote == facts.local.address();
}

const Transports* by_name(const ServerNames& names, std::string_view name) {
  if (const Transports* exact = names.find(name)) return exact;
  for (size_t dot = name.find('.', 1); dot != std::string_view::npos && dot + 1 < name.size(); dot = name.find('.', dot + 1))
    if (const Transports* wildcard = names.find(name.substr(dot))) return wildcard;
  return names.find(std::string_view());
}

const Peers* by_protocol(const Protocols& protocols, const std::vector<std::string>& offered) {
  for (const std::string& one : offered)
    if (const Peers* found = protocols.find(std::string_view(one))) return found;
  return protocols.find(std::string_view());
}

const Sources* by_kind(const SourceKinds& kinds, const net::ConnectionFacts& facts) {
  const auto of = [&kinds](Source source) { return kinds[static_cast<size_t>(source)].get(); };
  const Sources *local = of(Source::kSameIpOrLoopback), *external = of(Source::kExternal);
  if (local || external)
    if (const Sources* kind = is_local(facts) ? local : external) return kind;
  return of(Source::kAny);
}

// Calls `call` with each item, or once with what stands for "no criterion".
template <class Item, class Call>
bool each(const std::vector<Item>& items, const Item& none, Call call) {
  if (items.empty()) return call(none);
  for (const Item& item : items)
    if (!call(item)) return false;
  return true;
}
template <class Call>
bool each_range(const std::vector<routing::AddressRange>& ranges, Call call) {
  if (ranges.empty()) return call(static_cast<const routing::AddressRange*>(nullptr));
  for (const routing::AddressRange& range : ranges)
    if (!call(&range)) return false;
  return true;
}

}  // namespace

struct FilterChainIndex::Tables {
  Table<uint16_t, Destinations> ports;
};

FilterChainIndex::FilterChainIndex() : tables_(std::make_unique<Tables>()) {}
FilterChainIndex::~FilterChainIndex() = default;
FilterChainIndex::FilterChainIndex(FilterChainIndex&&) noexcept = default;
FilterChainIndex& FilterChainIndex::operator=(FilterChainIndex&&) noexcept = default;

std::optional<uint32_t> FilterChainIndex::add(const FilterChainMatch& match, uint32_t chain) {
  static const std::string kNoText;
  std::optional<uint32_t> other;
  Destinations& destinations = tables_->ports[match.destination_port];
  each_range(match.prefixes, [&](const routing::AddressRange* destination) {
    ServerNames& names = destinations[destination];
    return each(match.server_names, kNoText, [&](const std::string& name) {
      Protocols& protocols = names[name][match.transport_protocol];
      return each(match.application_protocols, kNoText, [&](const std::string& protocol) {
        Peers& peers = protocols[protocol];
        return each_range(match.direct_source_prefixes, [&](const routing::AddressRange* peer) {
          std::unique_ptr<Sources>& sources = peers[peer][static_cast<size_t>(match.source)];
          if (!sources) sources = std::make_unique<Sources>();
          return each_range(match.source_prefixes, [&](const routing::AddressRange* source) {
            SourcePorts& ports = (*sources)[source];
            return each(match.source_ports, uint16_t{0}, [&](uint16_t port) {
              if (const uint32_t* taken = ports.find(port)) {
                other = *taken;
                return false;
              }
              ports[port] = chain;
              return true;
            });
          });
        });
      });
    });
  });
  return other;
}

std::optional<uint32_t> FilterChainIndex::find(const net::ConnectionFacts& facts) const {
  const Destinations* destinations = tables_->ports.find(facts.local.port());
  if (!destinations) destinations = tables_->ports.find(uint16_t{0});
  if (!destinations) return {};
  const ServerNames* names = destinations->find(facts.local.address());
  if (!names) return {};
  const Transports* transports = by_name(*names, facts.server_name);
  if (!transports) return {};
  const std::string_view transport = facts.transport_protocol.empty() ? std::string_view("raw_buffer") : facts.transport_protocol;
  const Protocols* protocols = transports->find(transport);
  if (!protocols) protocols = transports->find(std::string_view());
  if (!protocols) return {};
  const Peers* peers = by_protocol(*protocols, facts.protocols);
  if (!peers) return {};
  const SourceKinds* kinds = peers->find(facts.direct_remote.address());
  if (!kinds) return {};
  const Sources* sources = by_kind(*kinds, facts);
  if (!sources) return {};
  const SourcePorts* ports = sources->find(facts.remote.address());
  if (!ports) return {};
  const uint32_t* chain = ports->find(facts.remote.port());
  if (!chain) chain = ports->find(uint16_t{0});
  return chain ? std::optional(*chain) : std::nullopt;
}

}  // namespace weft::config
