// The inside of an exchange whose route hedges (hedge_policy): an attempt that takes too long goes on, and others run beside it until
// one of them answers. Made when that happens for the first time; the first attempt stays where it always is, in the exchange.
#pragma once
#include "proxy/downstream/exchange.h"

#include <memory>
#include <string_view>
#include <vector>

namespace weft::downstream {

// One that runs beside the first. Until it is the one that answers (Exchange::attempt_) its answer's head stands here.
struct Exchange::Rival final : upstream::AttemptEvents {
  Rival(Exchange& owner, SlabPool& slabs) : owner(owner), head(slabs), trailers(slabs) {}
  bool answers() const { return owner.attempt_ == &attempt; }

  http::Head& response_head() override { return answers() ? owner.response_ : head; }
  http::Head& answer_trailers() override { return answers() ? owner.response_trailers_ : trailers; }
  void on_attempt_ready() override { owner.on_rival_ready(*this); }
  void on_attempt_informational() override { answers() ? owner.on_attempt_informational() : head.clear(); }
  void on_attempt_head(bool end) override { owner.on_rival_head(*this, end); }
  void on_attempt_body(Slice slice, bool end) override {
    if (answers()) owner.on_attempt_body(std::move(slice), end);
  }
  void on_attempt_trailers() override {
    if (answers()) owner.on_attempt_trailers();
  }
  void on_attempt_failed(upstream::AttemptEnd how, std::string_view detail) override { owner.on_rival_failed(*this, how, detail); }
  void on_attempt_drained() override {}  // its request has left as a whole

  Exchange& owner;
  http::Head head, trailers;
  upstream::Attempt attempt{*this};
};

struct Exchange::Hedging {
  // What the log says of an attempt, for when it is the one that answers.
  struct Run {
    upstream::Attempt* attempt = nullptr;
    std::shared_ptr<const upstream::EndpointSet> endpoints;
    std::string_view host, host_name;
    format::RequestInfo::Moment connect_begin;
    bool succeeded_by = false;  // another one was begun in its place: it is not tried again
    bool late = false;          // because it took too long
  };
  std::vector<Run> runs;  // in the order of their beginning
  std::vector<std::unique_ptr<Rival>> rivals;
  bool retry_due = false;  // another one will begin

  // Its newest: the first attempt may have been begun again.
  Run& of(const upstream::Attempt& attempt) {
    for (size_t i = runs.size(); i-- > 0;)
      if (runs[i].attempt == &attempt) return runs[i];
    return runs.front();
  }
};

}  // namespace weft::downstream
