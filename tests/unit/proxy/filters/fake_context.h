// An exchange for filter tests: heads that the test fills, a caller that notes its calls, and what the filter decided.
#pragma once
#include "common/base/timing_wheel.h"
#include "common/observe/shapes.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/format/request_info.h"
#include "proxy/routing/route.h"
#include "proxy/upstream/caller.h"
#include "proxy/upstream/endpoint_set.h"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weft::filters {

class FakeCaller final : public upstream::Caller {
 public:
  struct Pending final : upstream::Call {
    explicit Pending(FakeCaller& caller) : caller(caller) {}
    ~Pending() override { caller.given_up = true; }
    FakeCaller& caller;
  };
  std::unique_ptr<upstream::Call> call(upstream::CallRequest request, upstream::CallEvents& events) override {
    asked = std::move(request);
    answer_to = &events;
    given_up = false;
    return std::make_unique<Pending>(*this);
  }
  void tell(upstream::CallRequest request) override { told = std::move(request); }
  std::optional<upstream::CallRequest> asked, told;
  upstream::CallEvents* answer_to = nullptr;
  bool given_up = false;
};

class FakeContext final : public FilterContext {
 public:
  http::Head& request() override { return request_; }
  http::Head& response() override { return response_; }
  const routing::Route* route() const override { return has_route ? &route_ : nullptr; }
  void clear_route() override { cleared = true; }
  const routing::FilterConfig* route_config(std::string_view name) const override {
    auto at = configs.find(std::string(name));
    return at == configs.end() ? nullptr : at->second.get();
  }
  routing::FilterConfigs route_configs(std::string_view name) const override {
    routing::FilterConfigs out;
    if (const routing::FilterConfig* most_specific = route_config(name)) out.levels[out.size++] = most_specific;
    for (const auto& config : more_general) out.levels[out.size++] = config.get();
    return out;
  }
  format::RequestInfo& info() override { return info_; }
  void reply(LocalReply r) override { replied = std::move(r); }
  void resume_request() override { ++resumed; }
  void wait_for_body(uint64_t limit) override { body_limit = limit; }
  void resume_response() override {}
  void ask_for_response_body() override { body_asked = true; }
  void hold_response_end() override { end_held = true; }
  void send_response_body(HttpFilter&, Body body, bool end) override {
    for (const Slice& slice : body.slices) paced += slice.view();
    paced_end = end;
  }
  void abandon_response(std::string_view details) override { abandoned = details; }
  bool response_begun() const override { return begun; }
  void pause_response(bool pause) override { response_paused = pause; }
  TimingWheel& wheel() override { return wheel_; }
  std::chrono::steady_clock::time_point now() const override { return now_; }
  uint64_t random() override { return next_random; }
  SlabPool& slabs() override { return pool; }
  upstream::Caller& caller() override { return caller_; }
  std::shared_ptr<const upstream::EndpointSet> endpoints(std::string_view cluster) override {
    auto at = clusters.find(std::string(cluster));
    return at == clusters.end() ? nullptr : at->second;
  }
  std::shared_ptr<const void>& connection_state(const std::shared_ptr<const void>& key) override { return states[key]; }
  bool health_check_failed() const override { return failed; }
  observe::Cells& http_cells() override { return cells_; }
  unsigned thread() const override { return 0; }

  // Runs the loop until `done` or two seconds are over.
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_for(std::chrono::milliseconds(50)), io.restart();
    return done();
  }

  SlabPool pool;
  boost::asio::io_context io{1};
  EventClock clock_;
  TimingWheel wheel_{io.get_executor(), clock_};
  http::Head request_{pool}, response_{pool};
  routing::Route route_;
  format::RequestInfo info_;
  FakeCaller caller_;
  observe::Cells cells_{observe::kHttpShape};
  std::map<std::string, std::shared_ptr<const routing::FilterConfig>> configs;
  std::vector<std::shared_ptr<const routing::FilterConfig>> more_general;  // of the levels behind `configs`
  std::optional<LocalReply> replied;
  std::optional<uint64_t> body_limit;
  std::map<std::string, std::shared_ptr<const upstream::EndpointSet>> clusters;
  std::chrono::steady_clock::time_point now_{};
  std::map<std::shared_ptr<const void>, std::shared_ptr<const void>> states;  // of the connection
  bool failed = false;
  uint64_t next_random = 0;
  int resumed = 0;
  bool cleared = false, has_route = true;
  bool begun = false;
  std::string abandoned;
  std::string paced;  // that a filter has kept and given later
  bool body_asked = false, end_held = false, paced_end = false, response_paused = false;
};

// A filter as the exchange makes it: through its factory, in memory of its own.
class MadeFilter {
 public:
  explicit MadeFilter(const FilterFactory& factory)
      : memory_(static_cast<char*>(::operator new(factory.size(), std::align_val_t(factory.alignment())))),
        alignment_(factory.alignment()) {
    filter_ = factory.create(memory_);
  }
  ~MadeFilter() {
    filter_->~HttpFilter();
    ::operator delete(memory_, std::align_val_t(alignment_));
  }
  MadeFilter(const MadeFilter&) = delete;
  HttpFilter* operator->() { return filter_; }

 private:
  char* memory_;
  size_t alignment_;
  HttpFilter* filter_;
};

// A factory from the serialised message.
template <class Message>
std::unique_ptr<const FilterFactory> factory_of(const HttpFilterType& type, const Message& message, observe::Registry* registry = nullptr,
                                                const Runtime& runtime = {}) {
  Diagnostics problems;
  const Where where(problems, "f");
  auto factory = type.make(std::string(type.name), message.SerializeAsString(), {runtime, registry, "main", "local"}, where);
  EXPECT_TRUE(problems.empty()) << render(problems);
  return factory;
}
template <class Message>
std::shared_ptr<const routing::FilterConfig> route_config_of(const HttpFilterType& type, const Message& message) {
  Diagnostics problems;
  const Where where(problems, "f");
  const Runtime runtime;
  auto config = type.make_for_route(message.SerializeAsString(), {runtime, nullptr, {}}, where);
  EXPECT_TRUE(problems.empty()) << render(problems);
  return config;
}

}  // namespace weft::filters
