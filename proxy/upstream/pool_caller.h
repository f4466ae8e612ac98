// Caller on a worker's clusters and pools.
#pragma once
#include "common/net/loop.h"
#include "proxy/upstream/caller.h"
#include "proxy/upstream/cluster.h"

#include <list>
#include <memory>

namespace weft::upstream {

class PoolCaller final : public Caller {
 public:
  PoolCaller(net::Loop& loop, ClusterTable& clusters) : loop_(loop), clusters_(clusters) {}
  std::unique_ptr<Call> call(CallRequest request, CallEvents& events) override;
  void tell(CallRequest request) override;

 private:
  struct Told final : CallEvents {
    explicit Told(PoolCaller& owner) : owner(owner) {}
    void on_answer(const http::Head&, std::string_view) override { owner.forget(*this); }
    void on_failed(observe::ResponseFlag, std::string_view) override { owner.forget(*this); }
    PoolCaller& owner;
    std::unique_ptr<Call> call;
  };
  void forget(Told& told);

  net::Loop& loop_;
  ClusterTable& clusters_;
  std::list<std::unique_ptr<Told>> told_;
};

}  // namespace weft::upstream
