// A VirtualService may hand a part of its requests to another one that has no hosts of its own: its routes stand where `delegate` does,
// each narrowed to what the root gives away. Istio's rules: the leaf may only narrow the root's matches, what it leaves out it inherits,
// and a route that wants something else is left out.
#pragma once
#include "controlplane/model/virtual_service.h"

namespace weft::model {

// `root` is the route with `delegate`. Routes of the leaf that contradict it are left out; their indices go to `dropped`.
std::vector<HttpRoute> merge_delegate(const HttpRoute& root, const VirtualService& leaf, std::vector<size_t>* dropped = nullptr);

}  // namespace weft::model
