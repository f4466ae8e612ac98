#include "proxy/dns_proxy/lookup_table.h"

namespace weft::dns_proxy {
namespace {

constexpr uint32_t kTimeToLive = 30;  // seconds; short, for a host's addresses change without a word to who has them

std::string data_of(const boost::asio::ip::address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return std::string(bytes.begin(), bytes.end());
  }
  const auto bytes = address.to_v6().to_bytes();
  return std::string(bytes.begin(), bytes.end());
}

// svc, svc.ns (of one's own namespace and any), svc.ns.svc. Only within one's own domain: two clusters may have a svc.ns each.
std::vector<dns::Name> short_names(const NameTable::Host& host, const Place& place) {
  std::vector<dns::Name> all;
  if (!host.kubernetes || host.shortname.empty() || place.domain.empty() || !host.text.ends_with("." + place.domain)) return all;
  auto add = [&](const std::string& text) {
    if (auto name = dns::Name::from_text(text)) all.push_back(*name);
  };
  add(host.shortname + "." + host.ns);
  if (host.ns == place.ns) add(host.shortname);
  add(host.shortname + "." + host.ns + "." + place.domain.substr(0, place.domain.find('.')));
  return all;
}

}  // namespace

LookupTable::LookupTable(const NameTable& table, const Place& place) {
  hosts_.reserve(table.hosts.size());
  for (const NameTable::Host& host : table.hosts) {
    if (host.addresses.empty()) continue;
    by_name_.insert_or_assign(host.name.key(), hosts_.size());
    Host& entry = hosts_.emplace_back();
    for (const auto& address : host.addresses) (address.is_v4() ? entry.v4 : entry.v6).push_back(data_of(address));
  }
  // A full name goes before another host's short one.
  for (const NameTable::Host& host : table.hosts) {
    const auto own = by_name_.find(host.name.key());
    if (own == by_name_.end()) continue;
    const size_t index = own->second;
    for (const dns::Name& name : short_names(host, place)) by_name_.emplace(name.key(), index);
    for (const dns::Name& name : host.alternatives) by_name_.emplace(name.key(), index);
  }
}

const LookupTable::Host* LookupTable::exact(const dns::Name& name) const {
  const auto found = by_name_.find(name.key());
  return found == by_name_.end() ? nullptr : &hosts_[found->second];
}

std::optional<std::vector<dns::Record>> LookupTable::find(const dns::Question& question, const dns::Name& search) const {
  if (question.klass != dns::kInternet || (question.type != dns::kA && question.type != dns::kAaaa)) return std::nullopt;
  const Host* host = exact(question.name);
  // What was asked for without the search domain.
  const std::optional<dns::Name> expanded = question.name.before(search);
  bool searched = false;
  auto try_expanded = [&](const std::optional<dns::Name>& name) {
    if (host == nullptr && name) searched = (host = exact(*name)) != nullptr;
  };
  try_expanded(expanded);
  for (dns::Name above = question.name; host == nullptr && !above.is_root();) {
    above = above.parent();
    const std::optional<dns::Name> wildcard = above.child("*");
    if (wildcard) host = exact(*wildcard);
    const std::optional<dns::Name> rest = above.before(search);
    if (rest) try_expanded(rest->child("*"));
  }
  if (host == nullptr) return std::nullopt;

  std::vector<dns::Record> records;
  const std::vector<std::string>& addresses = question.type == dns::kA ? host->v4 : host->v6;
  if (addresses.empty()) return records;
  const dns::Name& owner = searched ? *expanded : question.name;
  if (searched) records.push_back({question.name, dns::kCname, dns::kInternet, kTimeToLive, owner.wire()});
  for (const std::string& address : addresses) records.push_back({owner, question.type, dns::kInternet, kTimeToLive, address});
  return records;
}

}  // namespace weft::dns_proxy
