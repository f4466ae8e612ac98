// Everything that the proxies of one view would be sent, as bytes by name, to compare two views. What proxies share is made once.
#pragma once
#include "controlplane/translate/translate.h"

#include <array>

namespace weft::translate {

class Translation {
 public:
  explicit Translation(std::shared_ptr<const model::View> view) : view_(std::move(view)) {}

  using Resources = std::map<std::string, std::string>;  // serialised messages by name
  enum Type : unsigned char { kClusters, kEndpoints, kListeners, kRoutes, kTypes };
  // Shared parts are one object, so equal pointers are equal resources.
  using Set = std::array<std::shared_ptr<const Resources>, kTypes>;
  Set of(const model::Node& node);
  // The inbound clusters are a node's own.
  const std::shared_ptr<const model::View>& view() const { return view_; }

 private:
  std::shared_ptr<const model::View> view_;
  std::map<Scope, std::shared_ptr<const Resources>> clusters_, endpoints_, proxyless_;
  std::map<Client, std::shared_ptr<const Resources>> outbound_, routes_;
};

}  // namespace weft::translate
