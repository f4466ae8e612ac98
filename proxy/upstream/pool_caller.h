// Caller on a worker's clusters and pools.
#pragma once
#include "common/net/loop.h"
#include "proxy/upstream/caller.h"
#include "proxy/upstream/cluster.h"

namespace weft::upstream {

class PoolCaller final : public Caller {
 public:
  PoolCaller(net::Loop& loop, ClusterTable& clusters) : loop_(loop), clusters_(clusters) {}
  std::unique_ptr<Call> call(CallRequest request, CallEvents& events) override;

 private:
  net::Loop& loop_;
  ClusterTable& clusters_;
};

}  // namespace weft::upstream
