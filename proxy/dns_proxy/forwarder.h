// What is not of the mesh: asked of the system's resolvers, once for all who ask the same at the same time, and remembered. Bounded in
// all ways: how many questions are out, how many clients wait, how much is remembered. Lives on the DNS thread.
#pragma once
#include "proxy/dns_proxy/answer_cache.h"
#include "proxy/dns_proxy/lookup.h"
#include "proxy/dns_proxy/resolv_conf.h"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace weft::dns_proxy {

struct ForwardLimits {
  size_t lookups = 512;     // questions that are out; each has a socket
  size_t waiting = 4096;    // clients' queries that wait for them
  size_t answers = 10'000;  // remembered
  size_t answer_bytes = 8 << 20;
};

class Forwarder {
 public:
  using Done = std::function<void(dns::Message)>;
  // `own`: where this DNS proxy listens; it does not ask itself.
  Forwarder(net::Loop& loop, std::string resolv_conf, std::vector<Resolver> own, observe::Cells& stats, ForwardLimits limits = {});
  ~Forwarder();
  // Gives `done` the whole reply to `query`, perhaps at once. The query has one question.
  void ask(const dns::Message& query, Done done);
  // Whether a query from this port with this id is one that we have sent ourselves.
  bool is_own(uint16_t port, uint16_t id) const { return world_.under_way.contains(Lookup::mark(port, id)); }
  // The first search domain; the root if there is none.
  const dns::Name& search();

 private:
  struct Waiting {
    dns::Message query;
    Done done;
  };
  struct Out {
    std::shared_ptr<Lookup> lookup;
    std::vector<Waiting> waiting;
  };
  void refresh();
  void answered(const std::string& key, const dns::Message* answer, size_t bytes);

  LookupWorld world_;
  ResolvConfFile file_;
  const std::vector<Resolver> own_;
  const ForwardLimits limits_;
  std::vector<Resolver> resolvers_;
  AnswerCache cache_;
  std::unordered_map<std::string, Out> out_;
  size_t waiting_ = 0;
};

// `answer` as the reply to `query`: its id, its spelling of the name, EDNS if it has it.
dns::Message reply_with(const dns::Message& query, const dns::Message& answer);
// Clients take the first address: each time another one. All else stays where it is.
void shuffle_addresses(std::vector<dns::Record>& records, net::Loop& loop);

}  // namespace weft::dns_proxy
